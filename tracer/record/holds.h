/* holds.h - who holds a lock while somebody waits for it, and what a wait on several things waits for.
 * Private to assemble*.c.  Pure: events in, rows out.  A lock that is told as held again by the same task begins a new
 * row: between the two nobody waited, so nobody told what became of it. */
#ifndef LOOPSCOPE_HOLDS_H
#define LOOPSCOPE_HOLDS_H

#include <stddef.h>
#include <stdint.h>

#include "assemble.h"

struct hold_table;

struct hold_table *hold_table_new(const struct assemble_sink *sink); /* NULL: no memory */
void hold_table_free(struct hold_table *ht);
/* Each returns how many of the event's claims were bad: 0 or 1. */
size_t hold_event(struct hold_table *ht, int64_t t, const struct ls_event *e);
size_t member_event(struct hold_table *ht, int64_t t, const struct ls_event *e);
/* The recording ended: those that still hold are told. */
void hold_table_finish(struct hold_table *ht);

#endif

/* notebox.h - the watchdog's finished notes, until the storing thread takes them: bounded in number, bytes and time, the
 * oldest go first.  Not locked: the watchdog's mutex is held by whoever calls. */
#ifndef LOOPSCOPE_NOTEBOX_H
#define LOOPSCOPE_NOTEBOX_H

#include <stddef.h>

#include "watch.h"

#define NOTEBOX_NOTES 256
#define NOTEBOX_BYTES (32u << 20)

struct notebox {
    struct notebox_entry *entry[NOTEBOX_NOTES]; /* oldest first */
    int n;
    size_t bytes;
};

/* Takes over the note's samples. */
void notebox_add(struct notebox *b, const struct watch_note *note, ticks_t now);
/* 1 and *ret_note (the caller's from now on), or 0. */
int notebox_take(struct notebox *b, uint32_t slot, uint32_t generation, ticks_t since, struct watch_note *ret_note);
/* Frees those that were added before `limit`. */
void notebox_expire(struct notebox *b, ticks_t limit);
bool notebox_is(const struct watch_note *note, uint32_t slot, uint32_t generation, ticks_t since);

#endif

/* drain_reader.h - the reader's side of every slot of an arena: takes the records out of the rings, checks their
 * framing, and puts them into the queue; finds who begins and who has ended.  Private to drain*.c.  Drain's thread only. */
#ifndef LOOPSCOPE_DRAIN_READER_H
#define LOOPSCOPE_DRAIN_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "drain.h"
#include "drain_queue.h"

struct reader;

/* back: see drain_start_backed; NULL when nobody has to be told. */
struct reader *reader_new(struct ls_arena *arena, struct queue *queue, drain_back *back, void *back_ctx);
void reader_free(struct reader *r);
/* One look at every slot.  *ret_fill: the fullest ring, in 1/8; returns whether more than a trickle was there. */
bool reader_pass(struct reader *r, unsigned *ret_fill);
/* Ends the threads that died without a word; call it now and then. */
void reader_check_dead(struct reader *r);
/* More than half of the slots are in use. */
bool reader_is_crowded(const struct reader *r);
/* The slots of process `pid` are drained, ended and freed. */
void reader_process_gone(struct reader *r, int32_t pid);
/* Takes what is left and ends every thread. */
void reader_finish(struct reader *r);

#endif

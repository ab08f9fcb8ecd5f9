/* drain_queue.h - batches on their way from drain's thread to the storing thread, in order: in memory up to a limit,
 * then in a spill file.  Private to drain*.c.  Locks itself: one thread puts, another takes; it counts for both. */
#ifndef LOOPSCOPE_DRAIN_QUEUE_H
#define LOOPSCOPE_DRAIN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "drain.h"

#define CHUNK 4096u /* records a batch at most; more than the longest group has */

struct item {                /* a batch in the queue; from calloc, by who puts it */
    struct batch batch;
    struct item *next;
    struct ls_event *events; /* NULL: none, or in the spill file at `at` */
    off_t at;
    bool spilled, pooled;
};

struct queue;

struct queue *queue_new(const char *spill_dir, size_t memory_max);
void queue_free(struct queue *q); /* and what nobody took */

/* A buffer for n records, at most CHUNK; few records get their own, so that a slow reader is not charged for empty
 * chunks.  NULL: out of memory. */
struct ls_event *queue_buffer(struct queue *q, size_t n, bool *ret_pooled);
void queue_buffer_free(struct queue *q, struct ls_event *e, bool pooled);
/* False while memory is full and the disk was full a moment ago: nothing more should be taken out of the rings. */
bool queue_has_room(struct queue *q);
/* From now on there is room, whatever becomes of it. */
void queue_force(struct queue *q);
/* Takes over the item and its buffer. */
void queue_put(struct queue *q, struct item *it);
/* No more will be put. */
void queue_close(struct queue *q);

/* As drain_next, drain_fd, drain_release. */
int queue_next(struct queue *q, int timeout_ms, struct batch *ret_batch);
int queue_fd(const struct queue *q);
void queue_release(struct queue *q, struct batch *batch);
/* Waits until it was closed. */
void queue_wait_closed(struct queue *q);

struct queue_counts { uint64_t events, lost, bad; int live; };
void queue_count(struct queue *q, struct queue_counts more);
struct drain_stats queue_stats(struct queue *q); /* without cpu */

#endif

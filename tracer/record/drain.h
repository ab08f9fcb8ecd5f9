/* drain.h - takes the records out of the rings, checks their framing, and queues them for the storing thread; what
 * does not fit in memory goes to a spill file and comes back in order.  One thread of the recorder. */
#ifndef LOOPSCOPE_DRAIN_H
#define LOOPSCOPE_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../arena.h"

enum batch_kind {
    BATCH_THREAD_BEGIN, /* a slot was claimed: `slot`, `generation`, pid, tid, loop kind, stack bounds */
    BATCH_EVENTS,       /* n records, groups whole */
    BATCH_THREAD_END,   /* thread gone and ring empty: last word, since, lost */
    BATCH_BAD           /* the writer broke the contract: n records skipped, up to what it had published */
};

struct batch {
    enum batch_kind kind;
    uint32_t slot, generation;
    int32_t pid, tid;
    uint32_t loop_kind;
    ticks_t time;              /* when it was taken */
    uint64_t word; ticks_t since, left; uint64_t lost; ticks_t start; /* left: as in the slot */
    uint64_t stack_lo, stack_hi;
    size_t n;
    const struct ls_event *events; /* valid until drain_release */
    void *owner;                   /* drain's own */
};

struct drain;

/* spill_dir: where the spill file goes when memory_max bytes are queued.  Starts the thread. */
struct drain *drain_start(struct ls_arena *arena, const char *spill_dir, size_t memory_max);
/* The same, and calls back(back_ctx, slot, head) from its thread when a thread has claimed a slot and each time it has
 * written something: the ring's memory is kept ahead of the writer there. */
typedef void drain_back(void *ctx, uint32_t slot, uint64_t head);
struct drain *drain_start_backed(struct ls_arena *arena, const char *spill_dir, size_t memory_max, drain_back *back,
                                 void *back_ctx);
/* The next batch in order (of each thread; threads interleave); waits up to timeout_ms.  1, 0 = nothing yet,
 * -1 = drained and stopped. */
int drain_next(struct drain *d, int timeout_ms, struct batch *ret_batch);
/* A descriptor that polls readable when drain_next has something, for who waits for other things too; -1: there is none. */
int drain_fd(const struct drain *d);
void drain_release(struct drain *d, struct batch *batch);
/* The process that calls itself `pid` (its slots' number) has gone: its slots are drained, ended and freed.  Callable
 * from any thread.  Threads that end without saying so are found without it too, within some seconds. */
void drain_process_gone(struct drain *d, int32_t pid);
/* Drains what is left, ends every thread, then drain_next returns -1 after the last batch. */
void drain_stop(struct drain *d);
void drain_free(struct drain *d);
struct drain_stats { ns_t cpu; uint64_t events, lost, bad, spilled; uint32_t live; size_t queued; };
struct drain_stats drain_stats(struct drain *d);

#endif

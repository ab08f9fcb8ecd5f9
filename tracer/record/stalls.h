/* stalls.h - from a loop's long iterations to rows of `stall`, `sample` and `call`: brings together the calls inside a
 * busy period, what the watchdog saw of it, the unwound stacks, and the verdict.  Used by the storing thread. */
#ifndef LOOPSCOPE_STALLS_H
#define LOOPSCOPE_STALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "assemble.h"
#include "clock.h"
#include "process.h"
#include "store.h"
#include "watch.h"

struct stalls_options {
    struct store *store;
    struct watch *watch;
    const struct clock_map *clock;
    ns_t threshold;
};

struct stalls;

struct stalls *stalls_new(const struct stalls_options *options);
void stalls_free(struct stalls *s);
/* A thread whose rows will come: who it is, and where the watchdog knows it from. */
int stalls_thread(struct stalls *s, int64_t thread, struct process *process, uint32_t slot, uint32_t generation, pid_t tid);
/* Its last event has come: what was kept for it is let go. */
void stalls_thread_end(struct stalls *s, int64_t thread);
/* The thread is a loop from now on. */
void stalls_loop(struct stalls *s, int64_t thread, int64_t loop);
/* A stored call: its stack is unwound, its row written, and it is kept until its busy period has ended. */
void stalls_call(struct stalls *s, const struct assembled_call *call);
/* A task ran on this loop; when a few took most of a busy period, the one that ran longest gets the blame. */
void stalls_step(struct stalls *s, int64_t loop, int64_t task, int64_t run);
/* A block in which this thread may block begins, or (with its t_end) ends. */
void stalls_allow(struct stalls *s, const struct row_allow *row);
/* A turn is complete.  A stall waits here until the watchdog has told what it saw. */
void stalls_iteration(struct stalls *s, const struct row_iteration *row, int64_t thread, ticks_t since, bool in_gap);
/* The thread was killed in the busy period that began at `since`: when it was last seen alive in it (`since` when it was
 * not), which is all that can be known of its end.  Waits a moment for the watchdog. */
ticks_t stalls_killed(struct stalls *s, int64_t thread, ticks_t since);
/* Judges and writes the stalls that can be; all of them when `last`. */
void stalls_settle(struct stalls *s, bool last);
int stalls_pending(const struct stalls *s); /* how many wait for the watchdog */
/* Writes (again) the stalls that last now and are longer than a second. */
void stalls_ongoing(struct stalls *s);

struct stalls_summary {
    int64_t n, longest;         /* stalls, and the longest of them in ns */
    char detail[256];           /* of the longest */
    uint64_t stacks, partial;
};
struct stalls_summary stalls_summary(const struct stalls *s);

#endif

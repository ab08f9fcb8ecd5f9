/* watch.h - the watchdog: which loops are busy too long now, what they are doing, and a stack when it can be had
 * without disturbing them.  One thread of the recorder; it reads the state words of the arena and /proc, and is never
 * delayed by SQLite.  What it learned of one busy period is a note, found by (slot, generation, since). */
#ifndef LOOPSCOPE_WATCH_H
#define LOOPSCOPE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../arena.h"
#include "stackcopy.h"

#define WATCH_SAMPLES 32

struct watch_note {
    uint32_t slot, generation;
    ticks_t since;            /* the busy period began: slot->since, and EV_POLL.time of the poll that opened it */
    pid_t pid, tid;           /* as /proc has them here */
    ticks_t first, last;      /* first and last look at it; the counters below are differences between them.  last is
                                 `since` while /proc has not shown the thread: it may be dead */
    ns_t cpu, runq;           /* schedstat: on a CPU; runnable but not on one */
    bool sched_known;
    uint64_t majflt;
    uint32_t looks;           /* how often we looked, and in what state it was then */
    uint32_t looks_running, looks_sleeping, looks_fault, looks_stopped, looks_in_call;
    ns_t stopped, throttled, suspended; /* SIGSTOP or a debugger; cgroup quota; the machine slept */
    int sleep_syscall;        /* nr it was seen asleep in while no wrapped call was on, -1 none */
    char wchan[32];
    uint16_t hang_call;       /* enum ls_call it was seen in at the last look, 0 none */
    uint64_t hang_arg;
    ticks_t hang_since;
    const char *no_stack;     /* why there is no stack, a static string, NULL when there is no reason */
    int n_samples;
    struct stack_copy *samples[WATCH_SAMPLES]; /* owned by who takes the note */
};

struct watch;

/* Starts the thread.  threshold in ns. */
struct watch *watch_start(struct ls_arena *arena, ns_t threshold);
void watch_stop(struct watch *w);
/* The note of a busy period that has ended, once the watchdog has seen its end: 1 and *ret_note (caller frees with
 * watch_note_clear), 0 not yet (ask again), -1 there is none and will be none (it was shorter than the threshold when
 * looked at, or the recorder was late). */
int watch_take(struct watch *w, uint32_t slot, uint32_t generation, ticks_t since, struct watch_note *ret_note);
/* Copies (without samples) the notes of stalls that last now and are longer than min: for live reports. */
int watch_ongoing(struct watch *w, ns_t min, struct watch_note *ret_notes, int max);
void watch_note_clear(struct watch_note *note);
/* CPU time the thread used, and how many stacks it took and was refused. */
struct watch_stats { ns_t cpu; uint64_t samples, refused, repaired_eintr; };
struct watch_stats watch_stats(struct watch *w);

#endif

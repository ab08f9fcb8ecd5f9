/* blocks.h - ways to block a loop for a known time, and a log of the truth.  The two truth programs (libuv, libevent)
 * share them; check.py compares the log with what loopscope reported.
 *
 * Every way is a function of its own, so that "the right function" can be checked: block_cpu, block_nanosleep, ... */
#ifndef TESTS_TRUTH_BLOCKS_H
#define TESTS_TRUTH_BLOCKS_H

#include <stdint.h>

struct block_kind {
    const char *name;            /* what it is called in the plan and in the log */
    const char *cause;           /* the cause that loopscope must give */
    const char *call;            /* the call that must be named in the detail, "" when none */
    void (*run)(int ms);
};
extern const struct block_kind block_kinds[];
extern const int block_kinds_n;

/* Opens the log and starts the helpers (a thread that answers, holds locks and fills pages). */
void blocks_start(const char *log_path, unsigned seed);
/* Runs one block of `ms` and logs what it took.  expect: 1 = must be reported, 0 = must not. */
void block_run(const struct block_kind *kind, int ms, int expect);
/* Ten short ones that the caller has run in one iteration: logged as one expected stall. */
void blocks_log_sum(int64_t start_ns, int64_t dur_ns, const char *function);
void blocks_end(void);

int64_t blocks_now(void);        /* CLOCK_REALTIME, as the trace's t0 */
unsigned blocks_random(void);    /* from the seed; the same on every machine */
void block_cpu(int ms);

/* The plan both programs follow: how many blocks, and the n-th of them. */
#define BLOCKS_PLAN 28
struct block_step {
    const struct block_kind *kind; /* NULL: ten callbacks of 8 ms each in one iteration */
    int ms, expect, pause_ms;      /* pause: how long the loop sleeps before it */
};
struct block_step blocks_plan(int n);

#endif

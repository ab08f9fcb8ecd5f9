/* judge.h - the verdict on one stall: cause, evidence and one line for people.  Pure: no I/O, no state. */
#ifndef LOOPSCOPE_JUDGE_H
#define LOOPSCOPE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../call.h"
#include "watch.h"

struct judge_call {      /* a stored call (>= call_min) inside the busy period */
    unsigned call;       /* enum ls_call */
    ns_t t, dur;
    int fd;
    const char *detail;  /* path, host, mutex and owner; NULL */
    int64_t id;          /* call.id */
};

struct judge_input {
    ns_t t, dur;                    /* the busy period */
    ns_t threshold;                 /* what makes it a stall */
    const struct judge_call *calls; int n_calls;
    const struct watch_note *note;  /* NULL: the watchdog saw nothing of it */
    double ticks_per_ns;
    const char *place;              /* function that most samples share, NULL */
    int place_percent, n_samples;
};

struct judge_verdict {
    const char *cause;   /* cpu|call|lock|fault|preempted|throttled|stopped|unknown */
    char detail[256];
    int64_t cpu, runq, blocked, majflt;  /* ns and count, ROW_NULL when not known */
    int64_t call;        /* judge_call.id that explains it, or ROW_NULL */
};

void judge(const struct judge_input *in, struct judge_verdict *ret_verdict);

#endif

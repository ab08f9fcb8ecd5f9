/* timer.h - the deadlines of a loop's tasks: a 4-ary heap of (time, task).  A task has one deadline at most. */
#ifndef LSRT_TIMER_H
#define LSRT_TIMER_H

#include <stddef.h>
#include <stdint.h>

#include <loopscope/runtime.h>

struct task;

struct timer {
    ls_ns when;
    struct task *task; /* task->timer is its place in the heap + 1, 0 when it has none */
};

struct timer_heap {
    struct timer *at;
    size_t count, room;
    uint64_t seq; /* equal times fire in the order of their adding */
};

int lsrt_timer_add(struct timer_heap *h, struct task *t, ls_ns when); /* 0, or ENOMEM */
void lsrt_timer_remove(struct timer_heap *h, struct task *t);         /* nothing when it has none */

#endif

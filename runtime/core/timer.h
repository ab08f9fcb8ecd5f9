/* timer.h - what a loop has to do later: a 4-ary heap of (time, node).  A node is embedded in what it belongs to. */
#ifndef LSRT_TIMER_H
#define LSRT_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loopscope/runtime.h>

struct loop;

struct timer_node {
    uint32_t place; /* in the heap, + 1; 0: it is not there */
    uint32_t seq;   /* equal times fire in the order of their adding; it may wrap */
    /* Called when it is due, after it was taken off the heap, on the loop's own stack: it must not wait.
     * NULL: the node is the deadline of a task, which is woken with ETIMEDOUT. */
    void (*fire)(struct loop *l, struct timer_node *n);
};

struct timer {
    ls_ns when;
    struct timer_node *node;
};

struct timer_heap {
    struct timer *at; /* three entries into its memory: the four children of a node are one cache line */
    size_t count, room;
    uint32_t seq;
};

/* It was added after the heap's seq was so; one as old as 2^32 others may be taken for it. */
static inline bool lsrt_timer_added_since(const struct timer_heap *h, const struct timer_node *n, uint32_t seq)
{
    return n->seq - seq - 1 < h->seq - seq;
}
int lsrt_timer_add(struct timer_heap *h, struct timer_node *n, ls_ns when); /* 0, or ENOMEM */
void lsrt_timers_free(struct timer_heap *h);
void lsrt_timer_remove(struct timer_heap *h, struct timer_node *n);         /* nothing when it is not there */

#endif

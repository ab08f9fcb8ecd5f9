/* timer.c - see timer.h.  Four children a node: half the levels of a binary heap, and they are one cache line. */
#include "timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAD 3 /* entries before the root: at[1] begins a line */

static bool earlier(const struct timer *a, const struct timer *b)
{
    return a->when != b->when ? a->when < b->when : (int32_t)(a->node->seq - b->node->seq) < 0;
}

static void put(struct timer_heap *h, size_t i, struct timer x)
{
    h->at[i] = x;
    x.node->place = (uint32_t)i + 1;
}

static void sift_up(struct timer_heap *h, size_t i, struct timer x)
{
    while (i > 0 && earlier(&x, &h->at[(i - 1) / 4])) {
        put(h, i, h->at[(i - 1) / 4]);
        i = (i - 1) / 4;
    }
    put(h, i, x);
}

static void sift_down(struct timer_heap *h, size_t i, struct timer x)
{
    for (;;) {
        size_t first = 4 * i + 1, least = first;
        if (first >= h->count)
            break;
        for (size_t k = 0; k < 4 && 4 * (first + k) + 1 < h->count; k++)
            __builtin_prefetch(&h->at[4 * (first + k) + 1]); /* one of these lines is the next */
        for (size_t k = first + 1; k < h->count && k < first + 4; k++)
            if (earlier(&h->at[k], &h->at[least]))
                least = k;
        if (!earlier(&h->at[least], &x))
            break;
        put(h, i, h->at[least]);
        i = least;
    }
    put(h, i, x);
}

void lsrt_timers_free(struct timer_heap *h)
{
    if (h->at)
        free(h->at - LEAD);
    h->at = NULL;
}

int lsrt_timer_add(struct timer_heap *h, struct timer_node *n, ls_ns when)
{
    if (h->count == h->room) {
        size_t room = h->room ? 2 * h->room : 60; /* and the lead makes it whole lines */
        struct timer *base = aligned_alloc(64, (room + LEAD + 3) / 4 * 64);
        if (!base)
            return ENOMEM;
        if (h->count)
            memcpy(base + LEAD, h->at, h->count * sizeof *base);
        lsrt_timers_free(h);
        h->at = base + LEAD;
        h->room = room;
    }
    n->seq = ++h->seq;
    h->count++;
    sift_up(h, h->count - 1, (struct timer){ when, n });
    return 0;
}

void lsrt_timer_remove(struct timer_heap *h, struct timer_node *n)
{
    if (!n->place)
        return;
    size_t i = n->place - 1;
    n->place = 0;
    struct timer last = h->at[--h->count];
    if (i == h->count)
        return;
    if (i > 0 && earlier(&last, &h->at[(i - 1) / 4]))
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

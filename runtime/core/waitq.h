/* waitq.h - tasks that wait for one thing, first come, first served.
 *
 * Who wakes hands over: waitq_serve takes the first task off the queue and says so in its `struct wait`, so what it waited
 * for is its own when it runs, whoever runs in between, and whatever happens to it meanwhile (the first wake wins: a
 * cancel that comes later is told at its next await).  Runs on the loop's thread. */
#ifndef LSRT_WAITQ_H
#define LSRT_WAITQ_H

#include "loop.h"

struct wait { /* on the stack of the task that waits */
    struct wait *next, **link; /* link NULL: not in a queue */
    struct task *task;
    void *item; /* what is handed over; its meaning is the queue's */
    int code;   /* what it was served with */
    bool served;
    bool passed_over; /* it was out of the queue before it could run: cancelled, or timed out */
};
struct waitq {
    struct wait *first, **end; /* end NULL: empty and never used; zeroed memory is an empty queue */
    size_t count; /* also of those who were passed over and have not run: they look at the queue's owner once more */
};

static inline void waitq_add(struct waitq *q, struct wait *w, struct task *t)
{
    if (!q->first)
        q->end = &q->first;
    w->task = t;
    w->served = w->passed_over = false;
    w->next = NULL;
    w->link = q->end;
    *q->end = w;
    q->end = &w->next;
    q->count++;
}
static inline void waitq_unlink(struct waitq *q, struct wait *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    else
        q->end = w->link;
    w->link = NULL;
}
/* Nothing when it was served: the queue may be gone. */
static inline void waitq_remove(struct waitq *q, struct wait *w)
{
    if (w->link)
        waitq_unlink(q, w);
    else if (!w->passed_over)
        return;
    w->passed_over = false;
    q->count--;
}
static inline void waitq_pass_over(struct waitq *q, struct wait *w)
{
    waitq_unlink(q, w);
    w->passed_over = true;
}
/* The first that still waits; NULL when none does.  (One that was timed out or cancelled is here until it runs.) */
static inline struct wait *waitq_first(struct waitq *q)
{
    while (q->first && q->first->task->state != TASK_PARKED)
        waitq_pass_over(q, q->first);
    return q->first;
}
/* How many still wait. */
static inline size_t waitq_count(struct waitq *q)
{
    size_t count = 0;
    for (struct wait *w = q->first, *next; w; w = next) {
        next = w->next;
        if (w->task->state == TASK_PARKED)
            count++;
        else
            waitq_pass_over(q, w);
    }
    return count;
}
/* Hands over to the first, which runs soon with this code (0: it has what it waited for); NULL when nobody waits. */
static inline struct wait *waitq_serve_code(struct loop *l, struct waitq *q, int code)
{
    struct wait *w = waitq_first(q);
    if (w) {
        waitq_remove(q, w);
        w->served = true;
        w->code = code;
        lsrt_wake(l, w->task, code);
    }
    return w;
}
static inline struct wait *waitq_serve(struct loop *l, struct waitq *q)
{
    return waitq_serve_code(l, q, 0);
}
/* Waits in the queue until served: 0, or errno (ETIMEDOUT, ECANCELED, or the code somebody woke the task with). */
static inline int waitq_park(struct loop *l, struct waitq *q, struct wait *w, enum ls_why why, struct object *o,
                             struct ls_site *site, ls_ns deadline)
{
    waitq_add(q, w, l->current);
    int code = lsrt_park(l, why, on_object(o), site, deadline);
    waitq_remove(q, w);
    return code;
}

#endif

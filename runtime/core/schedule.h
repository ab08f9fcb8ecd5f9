/* schedule.h - who runs next: the part of the scheduler that every await goes through, inline for that reason.
 *
 * A task that stops puts itself where it belongs first (READY: on the queue; PARKED: with who will wake it), then leaves:
 * straight to the next task, or to the loop when none is ready or a poll is due.  Runs on the loop's thread. */
#ifndef LSRT_SCHEDULE_H
#define LSRT_SCHEDULE_H

#include <time.h>

#include "loop.h"
#include "object.h"

#define TASKS_A_TURN 1024 /* so many at most between two polls */
#define LOOK_EVERY   8    /* tasks between two looks at the coarse clock: a few long ones end the turn, too */

static inline ls_ns clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (ls_ns)t.tv_sec * LS_SEC + (ls_ns)t.tv_nsec;
}

/* At the end of the ready queue; with a seed, there or at its front. */
static inline void ready_add(struct loop *l, struct task *t)
{
    t->state = TASK_READY;
    if (LSRT_UNLIKELY(l->seed) && lsrt_random(l) & 1 && l->ready) {
        t->next = l->ready;
        l->ready = t;
        return;
    }
    t->next = NULL;
    *l->ready_end = t;
    l->ready_end = &t->next;
}

/* lsrt_wake, of a task that is PARKED, without telling the trace. */
static inline void wake_untold(struct loop *l, struct task *t, int code)
{
    t->code = code;
    if (t->deadline.place)
        lsrt_timer_remove(&l->timers, &t->deadline);
    ready_add(l, t);
}

static inline bool turn_over(struct loop *l, unsigned dispatched)
{
    return dispatched >= TASKS_A_TURN || (!l->virtual_time && clock_read(CLOCK_MONOTONIC_COARSE) != l->tick);
}

/* The task to run now; NULL when it is the loop's turn: none is ready, or a poll is due. */
static inline struct task *next_task(struct loop *l)
{
    if (++l->dispatched % LOOK_EVERY == 0 && turn_over(l, l->dispatched))
        return NULL;
    for (;;) {
        struct task *t = l->ready;
        if (!t)
            return NULL;
        if (!(l->ready = t->next))
            l->ready_end = &l->ready;
        if (LSRT_UNLIKELY(!t->stack))
            lsrt_task_begin(l, t);
        if (LSRT_LIKELY(t->stack))
            return t;
    }
}

/* What is seldom wanted at a switch; NULL is the loop itself. */
static inline void hook_switch(struct loop *l, struct task *from, struct task *to)
{
    if (LSRT_LIKELY(l->switch_hook == 0))
        return;
    if (l->switch_hook & LSRT_HOOK_DEBUG)
        lsrt_debug_switch(l, from, to);
    if (l->switch_hook & LSRT_HOOK_EXCEPTIONS)
        lsrt_exceptions_switch(l, from, to);
    lsrt_allow_switch(l, from, to);
}

static inline const char *const *stack_of(const struct task *t)
{
    return t ? (const char *const *)t->stack->bounds : NULL;
}

static inline void trace_switch(struct task *from, enum ls_why why, uint64_t target, struct ls_site *site,
                                struct task *to)
{
    ls_probe_switch_stack(lsrt_task_probe_id(from), why, target, site, lsrt_task_probe_id(to), stack_of(to));
}

static inline uint64_t probe_target(struct on on)
{
    switch (on.kind) {
    case ON_TASK: return lsrt_task_probe_id(on.task);
    case ON_OBJECT: return lsrt_object_probe_id(on.object);
    case ON_FD: return (uint64_t)on.fd;
    default: return 0;
    }
}

/* The running task stops (it is PARKED or READY by now) and the next one runs. */
static inline __attribute__((always_inline)) void leave(struct loop *l, struct task *self, enum ls_why why, uint64_t target, struct ls_site *site)
{
    struct task *to = next_task(l);
    hook_switch(l, self, to);
    if (ls_probe_on())
        trace_switch(self, why, target, site, to);
    l->current = to;
    if (to)
        to->state = TASK_RUNNING;
    if (to != self)
        ctx_switch(&self->ctx, to ? &to->ctx : &l->ctx, 0);
}

/* The gate of the one task that awaits t and will take its result; NULL: nobody, or it is not as simple as that. */
static inline struct gate *lsrt_gate_simple(const struct task *t)
{
    const struct waiter *w = t->waiters;
    struct gate *g = w && !w->next ? w->gate : NULL;
    return g && g->n == 1 && g->left == 1 && g->exclusive && !g->first_failure && !g->any && !g->cancelled &&
                   g->task->state == TASK_PARKED
               ? g
               : NULL;
}
/* t, which is over, is all that g waits for: returns the task to be woken. */
static inline struct task *lsrt_gate_open_simple(struct task *t, struct gate *g)
{
    t->waiters = NULL;
    t->observed = true;
    g->member->link = NULL;
    g->left = 0;
    return g->task;
}

/* Waits that something outside the loop may end, so that they are no deadlock and virtual time does not jump: a bit a why. */
#define WHY_OUTSIDE                                                                                            \
    (1u << LS_WHY_FD | 1u << LS_WHY_THREAD | 1u << LS_WHY_DNS | 1u << LS_WHY_CHILD | 1u << LS_WHY_SIGNAL | \
     1u << LS_WHY_FILE)
_Static_assert(LS_WHYS <= 32, "a bit a why");

#endif

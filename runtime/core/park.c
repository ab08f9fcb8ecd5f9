/* park.c - a task stops: it waits, yields, sleeps or is over; and it is woken.  Runs on the loop's thread. */
#include <errno.h>
#include <stdlib.h>

#include "runtime/sync/holder.h"
#include "runtime/tasks/more.h"
#include "schedule.h"

void lsrt_ready(struct loop *l, struct task *t)
{
    ready_add(l, t);
}

void lsrt_wake(struct loop *l, struct task *t, int code)
{
    if (t->state != TASK_PARKED)
        return;
    wake_untold(l, t, code);
    if (!ls_probe_on())
        return;
    if (l->late)
        ls_probe_wake_late(lsrt_task_probe_id(t), l->late);
    else
        ls_probe_wake(lsrt_task_probe_id(t), lsrt_task_probe_id(l->current));
}

#define REFUSALS_MAX 1000 /* awaits that a loop refuses a task before it gives the task up */

/* The running task was cancelled, or the loop refuses: it is told so instead of waiting. */
static __attribute__((noinline, cold)) int refuse(struct loop *l, struct task *self)
{
    self->cancel = 0;
    self->told++;
    if (l->refusing && ++self->refused > REFUSALS_MAX) {
        if (l->debug)
            lsrt_debug_abandoned(self);
        self->state = TASK_ABANDONED;
        l->live--;
        if (self->holds)
            lsrt_holder_ended(l, self);
        if (self->group)
            lsrt_group_left(l, self);
        leave(l, self, LS_WHY_USER, 0, self->at); /* never comes back */
    }
    return ECANCELED;
}

static inline int park(struct loop *l, struct task *self, enum ls_why why, struct on on, struct ls_site *site)
{
    uint32_t outside = WHY_OUTSIDE >> why & 1;
    l->outside += outside;
    self->state = TASK_PARKED;
    self->why = (uint8_t)why;
    self->on = on;
    self->since = l->tick;
    self->code = 0;
    leave(l, self, why, ls_probe_on() ? probe_target(on) : 0, site);
    l->outside -= outside;
    return self->code;
}

int lsrt_park(struct loop *l, enum ls_why why, struct on on, struct ls_site *site, ls_ns deadline)
{
    struct task *self = l->current;
    self->at = site;
    if (LSRT_UNLIKELY(self->cancel || l->refusing) && !(self->joining && !self->cancel))
        return refuse(l, self);
    if (deadline != LS_NEVER) {
        if (deadline <= lsrt_now())
            return ETIMEDOUT;
        if (lsrt_timer_add(&l->timers, &self->deadline, deadline))
            return ENOMEM;
    }
    return park(l, self, why, on, site);
}

int lsrt_park_anyway(struct loop *l, enum ls_why why, struct on on, struct ls_site *site)
{
    l->current->at = site;
    return park(l, l->current, why, on, site);
}

static __attribute__((noinline)) int yield(struct ls_site *site)
{
    struct loop *l = lsrt_inside("ls_yield");
    if (!l)
        return -1;
    struct task *self = l->current;
    self->at = site;
    if (LSRT_UNLIKELY(self->cancel || l->refusing))
        return lsrt_result(refuse(l, self));
    self->code = 0;
    ready_add(l, self);
    leave(l, self, LS_WHY_YIELD, 0, site);
    return 0;
}

#ifdef LSRT_SWITCH_LAST
/* The usual yield: to a task that has begun, with nothing else to do.  It saves no register, because it ends in jumps; what
 * needs registers saved is a function of its own, and ends in the same way. */
static __attribute__((noinline)) int yield_told(struct task *self, struct task *to)
{
    trace_switch(self, LS_WHY_YIELD, 0, self->at, to);
    return lsrt_switch_last(&self->ctx, &to->ctx);
}
static inline int yield_to(struct loop *l, struct task *self, struct task *to, struct ls_site *site)
{
    l->dispatched++;
    l->current = to;
    self->at = site;
    self->state = TASK_READY;
    self->code = 0;
    self->next = NULL;
    to->state = TASK_RUNNING;
    *l->ready_end = self; /* which may be to->next */
    l->ready_end = &self->next;
    l->ready = to->next;
    return ls_probe_on() ? yield_told(self, to) : lsrt_switch_last(&self->ctx, &to->ctx);
}
static __attribute__((noinline)) int yield_after_look(struct loop *l, struct ls_site *site)
{
    return turn_over(l, l->dispatched + 1) ? yield(site) : yield_to(l, l->current, l->ready, site);
}

int ls_yield_at(struct ls_site *site)
{
    struct loop *l = lsrt_here;
    struct task *self = l ? l->current : NULL, *to = self ? l->ready : NULL;
    if (LSRT_UNLIKELY(!to || !to->stack || self->cancel | l->refusing | l->switch_hook | (l->seed != 0)))
        return yield(site);
    if (LSRT_UNLIKELY((l->dispatched + 1) % LOOK_EVERY == 0))
        return yield_after_look(l, site);
    return yield_to(l, self, to, site);
}
#else
int ls_yield_at(struct ls_site *site)
{
    return yield(site);
}
#endif

int ls_sleep_at(struct ls_site *site, ls_ns time)
{
    struct loop *l = lsrt_inside("ls_sleep");
    if (!l)
        return -1;
    if (time <= lsrt_now())
        return ls_yield_at(site);
    int code = lsrt_park(l, LS_WHY_SLEEP, on_nothing(), site, time);
    return lsrt_result(code == ETIMEDOUT ? 0 : code);
}

/* park.c - a task stops: it waits, yields, sleeps or is over; and it is woken.  Runs on the loop's thread. */
#include <errno.h>
#include <stdlib.h>

#include "holder.h"
#include "more.h"
#include "schedule.h"

void lsrt_ready(struct loop *l, struct task *t)
{
    ready_add(l, t);
}

void lsrt_wake(struct loop *l, struct task *t, int code)
{
    if (t->state != TASK_PARKED)
        return;
    t->code = code;
    if (t->deadline.place)
        lsrt_timer_remove(&l->timers, &t->deadline);
    ready_add(l, t);
    if (!ls_probe_on())
        return;
    if (l->late)
        ls_probe_wake_late(lsrt_task_probe_id(t), l->late);
    else
        ls_probe_wake(lsrt_task_probe_id(t), lsrt_task_probe_id(l->current));
}

void lsrt_leave_for_good(struct loop *l)
{
    struct task *self = l->current, *to = self == l->main ? NULL : next_task(l);
    hook_switch(l, self, to);
    if (ls_probe_on())
        trace_switch(self, LS_WHY_END, 0, NULL, to);
    lsrt_stack_put(&l->stacks, self->stack); /* after next_task: a task that begins must not get this stack yet */
    self->stack = NULL;
    l->current = to;
    if (to)
        to->state = TASK_RUNNING;
    ctx_switch(&self->ctx, to ? &to->ctx : &l->ctx, 1);
    abort(); /* not reached: nobody switches to a task that is over */
}

/* The running task was cancelled, or the loop is closing: it is told so instead of waiting. */
static __attribute__((noinline, cold)) int refuse(struct loop *l, struct task *self)
{
    self->cancel = 0;
    self->told++;
    if (l->closing && ++self->refused > REFUSALS_MAX) {
        if (l->debug)
            lsrt_debug_abandoned(self);
        self->state = TASK_ABANDONED;
        l->live--;
        if (self->holds)
            lsrt_holder_ended(l, self);
        if (self->group)
            lsrt_group_left(l, self);
        leave(l, self, LS_WHY_USER, 0, NULL); /* never comes back */
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
    if (LSRT_UNLIKELY(self->cancel || l->closing) && !(self->joining && !self->cancel))
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

int ls_yield_at(struct ls_site *site)
{
    struct loop *l = lsrt_inside("ls_yield");
    if (!l)
        return -1;
    struct task *self = l->current;
    self->at = site;
    if (LSRT_UNLIKELY(self->cancel || l->closing))
        return lsrt_result(refuse(l, self));
    ready_add(l, self);
    leave(l, self, LS_WHY_YIELD, 0, site);
    return 0;
}

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

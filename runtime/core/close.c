/* close.c - the end of a loop whose main task is over, and the others are not: they are cancelled, have a grace for their
 * clean-up, and are refused what they await after that, so that ls_run returns.  Runs on the loop's thread. */
#include "runtime/tasks/gate.h"
#include "runtime/tasks/group.h"

#include "loop.h"

#define STILL_MAX 100000 /* turns at one moment of virtual time */

static const char why[] = "the loop is closing";

/* Live and not running: nothing runs now. */
static bool is_left(const struct task *t)
{
    return t->state == TASK_READY || t->state == TASK_PARKED;
}

static void count(struct task *t)
{
    if (t->cancels < UINT16_MAX)
        t->cancels++;
}

/* As ls_cancel of each task, but they are told once: not again by those that await them, or have them in a group. */
void lsrt_close(struct loop *l)
{
    l->closing = true;
    l->close_due = ls_after(l->close_grace);
    for (uint32_t i = 0; i < l->task_count; i++) {
        struct task *t = lsrt_task_at(l, i);
        if (!is_left(t))
            continue;
        if (l->debug && !t->cancels) /* else it is about to end */
            lsrt_debug_cancelled(t);
        count(t);
        lsrt_groups_end(t);
        if (t->state == TASK_PARKED && t->gate && t->gate->through) {
            t->gate->cancelled = true; /* told when those it waits for are over */
            t->cancel_why = why;
        } else
            lsrt_task_cancel_here(l, t, why);
    }
}

static void refuse_rest(struct loop *l)
{
    l->refusing = true;
    l->close_due = LS_NEVER;
    for (uint32_t i = 0; i < l->task_count; i++) {
        struct task *t = lsrt_task_at(l, i);
        if (!is_left(t))
            continue;
        if (l->debug)
            lsrt_debug_overdue(t);
        count(t);
        lsrt_groups_end(t);
        lsrt_task_cancel_here(l, t, why);
    }
}

/* Virtual time stands still while tasks yield to one another: the grace would have no end. */
void lsrt_close_look(struct loop *l)
{
    if (l->refusing)
        return;
    ls_ns now = lsrt_now();
    l->still = now == l->still_since ? l->still + 1 : 0;
    l->still_since = now;
    if (now >= l->close_due || l->still > STILL_MAX)
        refuse_rest(l);
}

/* What is left after the grace waits for its group, or to have a lock back. */
void lsrt_close_stuck(struct loop *l)
{
    if (!l->refusing) {
        refuse_rest(l);
        return;
    }
    for (uint32_t i = 0; i < l->task_count; i++) {
        struct task *t = lsrt_task_at(l, i);
        if (t->state == TASK_PARKED && t->stack)
            lsrt_wake(l, t, EDEADLK);
    }
}

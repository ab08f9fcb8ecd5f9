/* cancel.c - asking tasks to end.  Runs on the loop's thread. */
#include "loop.h"

#include <errno.h>

void lsrt_task_cancel(struct loop *l, struct task *t, const char *why)
{
    t->cancel_why = why;
    if (t->state == TASK_PARKED) {
        t->cancelled = true;
        lsrt_wake(l, t, ECANCELED);
    } else
        t->cancel = true;
}

int ls_cancel(struct ls_task *task, const char *why)
{
    struct loop *l = lsrt_inside("ls_cancel");
    struct task *t = l ? lsrt_task_of(l, task, "ls_cancel") : NULL;
    if (!t)
        return -1;
    if (t->state == TASK_DONE)
        return lsrt_result(ESRCH);
    lsrt_task_cancel(l, t, why);
    return 0;
}

const char *ls_cancel_why(void)
{
    struct loop *l = lsrt_inside("ls_cancel_why");
    return l ? l->current->cancel_why : NULL;
}

void lsrt_task_cancel_all(struct loop *l)
{
    for (uint32_t i = 0; i < l->task_count; i++) {
        struct task *t = lsrt_task_at(l, i);
        if (t->state != TASK_READY && t->state != TASK_PARKED)
            continue;
        if (l->debug)
            lsrt_debug_cancelled(l, t);
        lsrt_task_cancel(l, t, "the loop is closing");
    }
}

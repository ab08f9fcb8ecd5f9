/* more.c - see more.h.  Runs on the loop's thread. */
#include "more.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/core/loop.h"

struct more *lsrt_more(struct task *t)
{
    if (!t->more) {
        if (!(t->more = calloc(1, sizeof *t->more))) {
            errno = ENOMEM;
            return NULL;
        }
        t->more->done_end = &t->more->done_calls;
    }
    return t->more;
}

void lsrt_task_cleanup(struct loop *l, struct task *t)
{
    lsrt_scopes_end(l, t);
    t->cancel = 0; /* it has returned: nothing is left to be told */
    /* The clean-up of a task may defer and open more. */
    while (t->more && (t->more->defers || t->more->groups)) {
        lsrt_defers_run(t);
        lsrt_groups_close(l, t);
        lsrt_scopes_end(l, t);
    }
}

/* Their destroy functions run as callbacks: t has no stack to wait on, and the running task, if any, is another. */
static void drop_locals(struct loop *l, struct task *t)
{
    struct locals *s = t->locals;
    struct task *current = l->current;
    t->locals = NULL;
    l->current = NULL;
    l->calling++;
    lsrt_locals_drop(s);
    if (LSRT_UNLIKELY(lsrt_here != l))
        lsrt_fork_end(0);
    l->calling--;
    l->current = current;
}

void lsrt_task_over(struct loop *l, struct task *t)
{
    if (t->locals)
        drop_locals(l, t);
    if (t->group)
        lsrt_group_left(l, t);
    struct more *m = t->more;
    if (!m)
        return;
    lsrt_done_calls_start(l, t);
    t->more = NULL;
    free(m->errors);
    free(m);
}

void lsrt_more_free(struct task *t)
{
    if (t->locals)
        lsrt_locals_drop(t->locals);
    if (!t->more)
        return;
    lsrt_defers_free(t->more);
    lsrt_done_calls_free(t->more->done_calls);
    free(t->more->errors);
    free(t->more);
}

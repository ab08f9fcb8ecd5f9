/* done.c - handles and ends of tasks, without waiting: ref, detach, done, result, callbacks.  Runs on the loop's thread. */
#include <errno.h>
#include <stdlib.h>

#include "more.h"
#include "runtime/core/loop.h"

struct done_call {
    struct done_call *next;
    struct task *task; /* the call has a reference when it is on the loop's list */
    ls_done_fn *fn;
    void *arg;
    struct ls_site *site;
};

struct ls_task *ls_ref(struct ls_task *task)
{
    struct loop *l = lsrt_on_loop("ls_ref");
    struct task *t = l ? lsrt_task_of(l, task, "ls_ref") : NULL;
    if (!t)
        return NULL;
    t->refs++;
    return task;
}

int ls_detach(struct ls_task *task)
{
    if (!task)
        return 0;
    struct loop *l = lsrt_on_loop("ls_detach");
    struct task *t = l ? lsrt_task_of(l, task, "ls_detach") : NULL;
    if (!t)
        return -1;
    if (t->awaiters + t->lent >= t->refs)
        return lsrt_misuse(EBUSY,
                           t->awaiters ? "ls_detach: somebody awaits task '%s'"
                                       : "ls_detach: the handle of task '%s' is its group's, or lent to a callback",
                           t->name);
    t->detached = true;
    if (ls_probe_on())
        ls_probe_task_detached(lsrt_task_probe_id(t));
    lsrt_task_unref(l, t);
    return 0;
}

static struct task *look(struct ls_task *task, const char *call)
{
    struct loop *l = lsrt_on_loop(call);
    return l ? lsrt_task_of(l, task, call) : NULL;
}

int ls_done(struct ls_task *task)
{
    struct task *t = look(task, "ls_done");
    return t ? t->state == TASK_DONE : -1;
}

int ls_cancelled(struct ls_task *task)
{
    struct task *t = look(task, "ls_cancelled");
    return t ? lsrt_task_cancelled(t) : -1;
}

static void observe(struct task *t)
{
    if (!t->observed && ls_probe_on())
        ls_probe_task_observed(lsrt_task_probe_id(t));
    t->observed = true;
}

int ls_error(struct ls_task *task)
{
    struct task *t = look(task, "ls_error");
    if (!t)
        return -1;
    if (t->state != TASK_DONE)
        return lsrt_result(EAGAIN);
    observe(t);
    return t->error;
}

int ls_result(struct ls_task *task, intptr_t *ret_result)
{
    struct task *t = look(task, "ls_result");
    if (!t)
        return -1;
    if (t->state != TASK_DONE)
        return lsrt_result(EAGAIN);
    observe(t);
    if (ret_result)
        *ret_result = t->result;
    if (t->result == -1)
        errno = t->error;
    return 0;
}

static void call_soon(struct loop *l, struct done_call *c)
{
    c->task->refs++;
    c->task->lent++;
    c->next = NULL;
    *l->done_end = c;
    l->done_end = &c->next;
}

int ls_on_done_at(struct ls_site *site, struct ls_task *task, ls_done_fn *fn, void *arg)
{
    struct loop *l = lsrt_on_loop("ls_on_done");
    struct task *t = l ? lsrt_task_of(l, task, "ls_on_done") : NULL;
    if (!t)
        return -1;
    if (!fn)
        return lsrt_misuse(EINVAL, "ls_on_done: the function is NULL");
    bool over = t->state == TASK_DONE;
    struct more *m = over ? NULL : lsrt_more(t);
    struct done_call *c = over || m ? malloc(sizeof *c) : NULL;
    if (!c)
        return lsrt_result(ENOMEM);
    *c = (struct done_call){ .task = t, .fn = fn, .arg = arg, .site = site };
    if (over)
        call_soon(l, c);
    else {
        *m->done_end = c;
        m->done_end = &c->next;
    }
    return 0;
}

int ls_off_done(struct ls_task *task, ls_done_fn *fn, void *arg)
{
    struct task *t = look(task, "ls_off_done");
    if (!t)
        return -1;
    for (struct done_call **link = t->more ? &t->more->done_calls : NULL; link && *link; link = &(*link)->next) {
        struct done_call *c = *link;
        if (c->fn != fn || c->arg != arg)
            continue;
        if (!(*link = c->next))
            t->more->done_end = link;
        free(c);
        return 0;
    }
    return lsrt_result(ESRCH);
}

void lsrt_done_calls_start(struct loop *l, struct task *t)
{
    for (struct done_call *c = t->more->done_calls, *next; c; c = next) {
        next = c->next;
        call_soon(l, c);
    }
    t->more->done_calls = NULL;
}

struct call_now {
    const struct done_call *call;
    struct ls_task *handle;
};
static void call_it(void *arg)
{
    const struct call_now *now = arg;
    now->call->fn(now->handle, now->call->arg);
}

void lsrt_done_calls_run(struct loop *l)
{
    struct done_call *c = l->done_calls; /* what they add is for the next turn */
    l->done_calls = NULL;
    l->done_end = &l->done_calls;
    for (struct done_call *next; c; c = next) {
        next = c->next;
        lsrt_call(l, c->site, call_it, &(struct call_now){ c, lsrt_task_handle(l, c->task) });
        c->task->lent--;
        lsrt_task_unref(l, c->task);
        free(c);
    }
}

void lsrt_done_calls_free(struct done_call *c)
{
    for (struct done_call *next; c; c = next) {
        next = c->next;
        free(c);
    }
}

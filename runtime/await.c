/* await.c - waiting for tasks: await, gather; and giving handles back.  Runs on the loop's thread. */
#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"

/* Takes the result of a task that is over; the handle is spent. */
static intptr_t take(struct loop *l, struct task *t)
{
    intptr_t result = t->result;
    t->observed = true;
    if (ls_probe_on())
        ls_probe_task_observed(lsrt_task_probe_id(t));
    lsrt_task_unref(l, t);
    return result;
}

static void waiter_link(struct waiter *w, struct task *t, struct gate *g)
{
    w->gate = g;
    w->next = t->waiters;
    w->link = &t->waiters;
    if (w->next)
        w->next->link = &w->next;
    t->waiters = w;
    t->awaiters++;
}

static void waiter_unlink(struct waiter *w, struct task *t)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    t->awaiters--;
}

/* 0, or why `self` may not wait for t: every handle is in use, or t waits for self. */
static int may_await(struct task *self, struct task *t, const char *call)
{
    if (t->awaiters >= t->refs && t != self)
        return lsrt_misuse(EBUSY, "%s: somebody awaits task '%s' already", call, t->name);
    for (struct task *u = t; u; u = u->state == TASK_PARKED && u->on.kind == ON_TASK ? u->on.task : NULL)
        if (u == self)
            return lsrt_misuse(EDEADLK, "%s: task '%s' would wait for itself through '%s'", call, self->name, t->name);
    return 0;
}

int ls_await_at(struct ls_site *site, struct ls_task *task, intptr_t *ret_result, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_await");
    struct task *t = l ? lsrt_task_of(l, task, "ls_await") : NULL;
    if (!t || may_await(l->current, t, "ls_await"))
        return -1;
    if (t->state != TASK_DONE) {
        struct task *self = l->current;
        struct gate gate = { .task = self, .left = 1 };
        struct waiter w;
        waiter_link(&w, t, &gate);
        int code = lsrt_park(l, LS_WHY_TASK, on_task(t), site, deadline);
        waiter_unlink(&w, t);
        if (code)
            return lsrt_result(code);
    }
    int error = t->error;
    intptr_t result = take(l, t);
    if (ret_result)
        *ret_result = result;
    if (result == -1)
        errno = error;
    return 0;
}

/* Looks the handles up and puts a waiter on each task, so that a handle that is there twice is found out.  0 or -1;
 * *ret_linked: how many were linked all the same. */
static int gather_link(struct loop *l, struct ls_task *const tasks[], size_t n, struct gate *gate, struct waiter *w,
                       struct task **ret_t, size_t *ret_linked)
{
    for (size_t i = 0; i < n; i++) {
        struct task *t = lsrt_task_of(l, tasks[i], "ls_gather");
        if (!t || may_await(l->current, t, "ls_gather"))
            return -1;
        if (t->state != TASK_DONE)
            gate->left++;
        else if (t->result == -1 && gate->first_failure && !gate->failed)
            gate->failed = t;
        waiter_link(&w[i], t, gate);
        ret_t[i] = t;
        *ret_linked = i + 1;
    }
    return 0;
}

static const struct object_ops gather_ops = { .kind = LS_OBJECT_GROUP, .noun = "gather" };

/* Until the gate opens; 0, or errno of the wait or of the first task that failed. */
static int gather_wait(struct loop *l, struct gate *gate, size_t n, struct ls_site *site, ls_ns deadline)
{
    int code = 0;
    if (gate->left && !gate->failed) {
        struct object group = { .ops = &gather_ops, .site = site };
        snprintf(group.name, sizeof group.name, "gather of %zu", n);
        code = lsrt_park(l, LS_WHY_GROUP, on_object(&group), site, deadline);
        if (group.probe_id)
            ls_probe_object_end(group.probe_id);
    }
    return code ? code : gate->failed ? gate->failed->error : 0;
}

int ls_gather_at(struct ls_site *site, struct ls_task *const tasks[], size_t n, intptr_t ret_results[], ls_ns deadline,
                 int all)
{
    struct loop *l = lsrt_inside("ls_gather");
    if (!l)
        return -1;
    struct waiter few_w[8], *w = few_w;
    struct task *few_t[8], **t = few_t;
    void *many = NULL;
    if (n > 8) { /* a task's stack is small */
        if (!(many = calloc(n, sizeof *w + sizeof *t)))
            return -1;
        w = many;
        t = (struct task **)(w + n);
    }
    struct gate gate = { .task = l->current, .first_failure = !all };
    size_t linked = 0;
    int error = gather_link(l, tasks, n, &gate, w, t, &linked) ? errno : gather_wait(l, &gate, n, site, deadline);
    for (size_t i = 0; i < linked; i++)
        waiter_unlink(&w[i], t[i]);
    for (size_t i = 0; i < n && !error; i++) {
        int failed = t[i]->error;
        intptr_t result = take(l, t[i]);
        if (ret_results)
            ret_results[i] = all && failed ? -failed : result;
    }
    free(many);
    return lsrt_result(error);
}

struct ls_task *ls_ref(struct ls_task *task)
{
    struct loop *l = lsrt_inside("ls_ref");
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
    struct loop *l = lsrt_inside("ls_detach");
    struct task *t = l ? lsrt_task_of(l, task, "ls_detach") : NULL;
    if (!t)
        return -1;
    if (t->awaiters >= t->refs)
        return lsrt_misuse(EBUSY, "ls_detach: somebody awaits task '%s'", t->name);
    lsrt_task_unref(l, t);
    return 0;
}

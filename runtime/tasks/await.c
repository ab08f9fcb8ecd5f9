/* await.c - waiting for tasks and taking their results: await, shield, gather, reap.  Runs on the loop's thread. */
#include <errno.h>
#include <stdlib.h>

#include "gate.h"
#include "many.h"
#include "runtime/core/loop.h"

/* The usual await, of a task that is about to run and that nobody else waits for: the gate in one piece. */
static inline int await_plain(struct loop *l, struct task *t, struct ls_site *site, ls_ns deadline, bool through)
{
    struct task *self = l->current;
    struct waiter w = { .link = &t->waiters, .target = t };
    struct gate g = { .task = self, .member = &w, .n = 1, .left = 1, .through = through, .exclusive = true };
    w.gate = &g;
    t->waiters = &w; /* until it is over, or this returns */
    t->awaiters++;
    self->gate = &g;
    int code = lsrt_park(l, LS_WHY_TASK, on_task(t), site, deadline);
    self->gate = NULL;
    if (LSRT_UNLIKELY(g.cancelled))
        code = lsrt_gate_told(self, code);
    if (LSRT_LIKELY(!w.link))
        t->awaiters--;
    else
        lsrt_gate_unlink(&g);
    return code;
}

static inline int await(struct ls_site *site, struct ls_task *task, intptr_t *ret_result, ls_ns deadline, bool through,
                        const char *call)
{
    struct loop *l = lsrt_inside(call);
    struct task *t = l ? lsrt_task_of(l, task, call) : NULL;
    int code;
    if (!t)
        return -1;
    if (LSRT_LIKELY(t->state == TASK_READY && !t->waiters && t->awaiters + t->lent < t->refs && !l->current->cancel))
        code = await_plain(l, t, site, deadline, through);
    else {
        struct waiter w;
        struct gate g = { .member = &w, .left = 1, .through = through, .exclusive = true };
        if (lsrt_gate_link(l, &g, &task, 1, call))
            return -1;
        code = lsrt_gate_park(l, &g, NULL, site, deadline);
        lsrt_gate_unlink(&g);
    }
    if (code)
        return lsrt_result(code);
    int error = t->error;
    intptr_t result = lsrt_task_take(l, t);
    if (ret_result)
        *ret_result = result;
    if (result == -1)
        errno = error;
    return 0;
}

int ls_await_at(struct ls_site *site, struct ls_task *task, intptr_t *ret_result, ls_ns deadline)
{
    return await(site, task, ret_result, deadline, true, "ls_await");
}

int ls_shield_at(struct ls_site *site, struct ls_task *task, intptr_t *ret_result, ls_ns deadline)
{
    return await(site, task, ret_result, deadline, false, "ls_shield");
}

int ls_gather_at(struct ls_site *site, struct ls_task *const tasks[], size_t n, intptr_t ret_results[], ls_ns deadline,
                 int all)
{
    struct loop *l = lsrt_inside("ls_gather");
    if (!l)
        return -1;
    struct many m;
    if (many_get(&m, n))
        return -1;
    struct gate g = { .member = m.waiters, .left = n, .first_failure = !all, .through = true, .exclusive = true };
    int error = lsrt_gate_link(l, &g, tasks, n, "ls_gather") ? errno : 0;
    if (!error) {
        error = lsrt_gate_park(l, &g, "gather", site, deadline);
        lsrt_gate_unlink(&g);
        if (!error && g.failed)
            error = g.error;
    }
    for (size_t i = 0; i < n && !error; i++) {
        struct task *t = m.waiters[i].target;
        int failed = t->error;
        intptr_t result = lsrt_task_take(l, t);
        if (ret_results)
            ret_results[i] = all && failed ? -failed : result;
    }
    many_put(&m);
    return lsrt_result(error);
}

int ls_reap_at(struct ls_site *site, struct ls_task *const tasks[], size_t n, const char *why, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_reap");
    if (!l)
        return -1;
    struct many m;
    if (many_get(&m, n))
        return -1;
    struct gate g = { .member = m.waiters, .through = true, .exclusive = true };
    int error = 0;
    for (size_t i = 0; i < n && !error; i++) /* one by one, for the NULLs */
        if (tasks[i] && lsrt_gate_link(l, &g, &tasks[i], 1, "ls_reap"))
            error = errno;
    g.left = g.n;
    if (!error) {
        for (size_t i = 0; i < g.n; i++)
            if (g.member[i].target->state != TASK_DONE)
                lsrt_task_cancel(l, g.member[i].target, why);
        error = lsrt_gate_park(l, &g, "reap", site, deadline);
        lsrt_gate_unlink(&g);
    }
    for (size_t i = 0; i < g.n && !error; i++)
        lsrt_task_take(l, m.waiters[i].target);
    many_put(&m);
    return lsrt_result(error);
}

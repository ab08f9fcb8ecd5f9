/* wait.c - waiting for some of several tasks: wait, next_done.  Runs on the loop's thread. */
#include <errno.h>

#include "gate.h"
#include "many.h"
#include "runtime/core/loop.h"

int ls_wait_at(struct ls_site *site, struct ls_task *const tasks[], size_t n, enum ls_wait_mode mode, bool done[],
               ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_wait");
    if (!l)
        return -1;
    if (!n || mode < LS_FIRST_DONE || mode > LS_ALL_DONE)
        return lsrt_misuse(EINVAL, n ? "ls_wait: there is no mode %d" : "ls_wait: no tasks (mode %d)", (int)mode);
    struct many m;
    if (many_get(&m, n))
        return -1;
    struct gate g = { .member = m.waiters,
                      .left = mode == LS_FIRST_DONE ? 1 : n,
                      .any = mode != LS_ALL_DONE,
                      .first_failure = mode == LS_FIRST_ERROR,
                      .skip_cancelled = true };
    int error = 0;
    if (lsrt_gate_link(l, &g, tasks, n, "ls_wait"))
        error = errno;
    else {
        error = lsrt_gate_park(l, &g, "wait", site, deadline);
        for (size_t i = 0; i < n && done; i++)
            done[i] = !m.waiters[i].link;
        lsrt_gate_unlink(&g);
    }
    many_put(&m);
    return lsrt_result(error);
}

/* The one that was over first; NULL: none is. */
static struct task *earliest(const struct gate *g)
{
    struct task *best = NULL;
    for (size_t i = 0; i < g->n; i++) {
        struct task *t = g->member[i].target;
        if (t->state == TASK_DONE && (!best || t->ended < best->ended))
            best = t;
    }
    return best;
}

int ls_next_done_at(struct ls_site *site, struct ls_task *tasks[], size_t n, size_t *ret_index, intptr_t *ret_result,
                    ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_next_done");
    if (!l)
        return -1;
    struct many m;
    if (many_get(&m, n))
        return -1;
    struct gate g = { .member = m.waiters, .left = 1, .any = true, .exclusive = true };
    int error = 0;
    for (size_t i = 0; i < n && !error; i++)
        if (tasks[i] && lsrt_gate_link(l, &g, &tasks[i], 1, "ls_next_done"))
            error = errno;
    struct task *t = NULL;
    if (!error && !g.n)
        error = ESRCH;
    else if (!error) {
        error = lsrt_gate_park(l, &g, "next", site, deadline);
        lsrt_gate_unlink(&g);
        t = error ? NULL : earliest(&g);
    }
    many_put(&m);
    if (error)
        return lsrt_result(error);
    size_t index = 0;
    while (tasks[index] != lsrt_task_handle(l, t))
        index++;
    int failed = t->error;
    intptr_t result = lsrt_task_take(l, t);
    tasks[index] = NULL;
    if (ret_index)
        *ret_index = index;
    if (ret_result)
        *ret_result = result;
    if (result == -1)
        errno = failed;
    return 0;
}

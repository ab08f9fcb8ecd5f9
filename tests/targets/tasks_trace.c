/* tasks_trace.c - one of each wait for tasks, for tests/e2e/tasks_trace.py; in virtual time, so that all go as it says. */
#include <errno.h>

#include <loopscope/runtime.h>

static intptr_t naps(void *ms)
{
    return ls_sleep((ls_ns)(intptr_t)ms * LS_MS) ? -1 : (intptr_t)ms;
}
static intptr_t breaks(void *arg)
{
    (void)arg;
    ls_sleep(3 * LS_MS);
    errno = EIO;
    return -1;
}
static intptr_t awaits(void *task)
{
    return ls_await(task, NULL, LS_NEVER);
}
static intptr_t asks(void *future)
{
    return ls_future_await(future, NULL, LS_NEVER);
}

static void group(void)
{
    struct ls_group *g = ls_group_open("jobs");
    ls_group_limit(g, 2);
    ls_group_spawn(g, breaks, NULL, "breaks");
    for (int i = 0; i < 3; i++)
        ls_group_spawn(g, naps, (void *)(intptr_t)(i ? 1000 : 1), "job-%d", i);
    ls_group_close(g, LS_NEVER);
}

static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t[3];
    for (intptr_t i = 0; i < 3; i++)
        t[i] = ls_spawn(naps, (void *)(20 * (3 - i)), "nap-%d", (int)i);
    ls_wait(t, 3, LS_FIRST_DONE, NULL, LS_NEVER);
    ls_next_done(t, 3, NULL, NULL, LS_NEVER);
    ls_gather(t, 2, NULL, LS_NEVER);

    group();

    struct ls_task *inner = ls_spawn(naps, (void *)1000, "inner"), *outer = ls_spawn(awaits, inner, "outer");
    struct ls_timeout scope;
    ls_timeout_begin(&scope, ls_after(3 * LS_MS));
    ls_await(outer, NULL, LS_NEVER); /* the timeout goes through both */
    ls_timeout_end(&scope);
    ls_detach(outer);
    ls_detach(inner);

    struct ls_task *kept = ls_spawn(naps, (void *)5, "kept");
    ls_timeout_begin(&scope, ls_after(2 * LS_MS));
    ls_shield(kept, NULL, LS_NEVER);
    ls_timeout_end(&scope);
    ls_reap(&kept, 1, "no longer", LS_NEVER);

    struct ls_future *f = ls_future_new("answer");
    struct ls_task *asker = ls_spawn(asks, f, "asks");
    ls_sleep(LS_MS);
    ls_future_set(f, 1);
    return ls_await(asker, NULL, LS_NEVER);
}

int main(void)
{
    return (int)ls_run(app, NULL, &(struct ls_opts){ .virtual_time = true });
}

/* wait and next_done: handles, order, deadlines, others that await the same. */
#include "tests/lib/story.h"

#include <criterion/criterion.h>

static intptr_t sleeps(void *ms)
{
    if (ls_sleep((ls_ns)(intptr_t)ms * LS_MS))
        return -1;
    note("%d ", (int)(intptr_t)ms);
    return (intptr_t)ms;
}
static intptr_t naps(void *ms) /* the same in silence */
{
    return ls_sleep((ls_ns)(intptr_t)ms * LS_MS) ? -1 : (intptr_t)ms;
}
static struct ls_task *sleeper(intptr_t ms)
{
    return ls_spawn(sleeps, (void *)ms, "sleeps %d", (int)ms);
}

static intptr_t modes(void *arg)
{
    struct ls_task *t[3] = { sleeper(30), sleeper(10), sleeper(20) };
    bool done[3] = { true, true, true };
    (void)arg;
    want_error(ls_wait(t, 3, LS_ALL_DONE, done, PAST), ETIMEDOUT, NULL);
    want(!done[0] && !done[1] && !done[2]);
    want(!ls_wait(t, 3, LS_FIRST_DONE, done, LS_NEVER) && !done[0] && done[1] && !done[2]);
    want_error(ls_wait(t, 3, LS_FIRST_ERROR, done, ls_after(15 * LS_MS)), ETIMEDOUT, NULL);
    want(!done[0] && done[1] && done[2]);
    want(!ls_wait(t, 3, LS_FIRST_ERROR, NULL, LS_NEVER)); /* none failed: all */
    want(ls_done(t[0]) == 1);
    want(!ls_gather(t, 3, NULL, LS_NEVER)); /* the handles are still ours */
    return 0;
}
Test(runtime_wait, the_flags_say_who_is_over_also_at_the_deadline)
{
    cr_assert_str_eq(told(modes), "10 20 30 ");
}

static intptr_t misuse(void *arg)
{
    struct ls_task *t = sleeper(1), *self = ls_self();
    (void)arg;
    want_error(ls_wait(NULL, 0, LS_ALL_DONE, NULL, LS_NEVER), EINVAL, "ls_wait: no tasks");
    want_error(ls_wait(&t, 1, (enum ls_wait_mode)9, NULL, LS_NEVER), EINVAL, "there is no mode 9");
    want_error(ls_wait(&self, 1, LS_ALL_DONE, NULL, LS_NEVER), EDEADLK, "'main'");
    struct ls_task *null = NULL;
    want_error(ls_wait(&null, 1, LS_ALL_DONE, NULL, LS_NEVER), EINVAL, "ls_wait: the task is NULL");
    struct ls_task *twice[2] = { t, t };
    want_error(ls_next_done(twice, 2, NULL, NULL, LS_NEVER), EBUSY, "'sleeps 1'");
    want_error(ls_next_done(&null, 1, NULL, NULL, LS_NEVER), ESRCH, NULL);
    want(!ls_wait(twice, 2, LS_ALL_DONE, NULL, LS_NEVER)); /* looks only */
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_wait, misuse)
{
    cr_assert_str_eq(told(misuse), "1 ");
}

static intptr_t waits(void *task)
{
    struct ls_task *t[2] = { task, ls_spawn(naps, (void *)20, NULL) };
    bool done[2];
    want(!ls_wait(t, 2, LS_ALL_DONE, done, LS_NEVER) && done[0] && done[1]); /* t[0] is spent and gone by now */
    return ls_await(t[1], NULL, LS_NEVER);
}
static intptr_t spent_meanwhile(void *arg)
{
    struct ls_task *t = ls_spawn(naps, (void *)10, NULL),
                   *w[2] = { ls_spawn(waits, t, NULL), ls_spawn(waits, t, NULL) };
    (void)arg;
    ls_yield();
    want(!ls_await(t, NULL, LS_NEVER));
    struct ls_task *others[50]; /* one takes its place */
    for (int i = 0; i < 50; i++)
        others[i] = ls_spawn(naps, (void *)15, NULL);
    want(!ls_gather(w, 2, NULL, LS_NEVER) && !ls_gather(others, 50, NULL, LS_NEVER));
    return 0;
}
Test(runtime_wait, a_handle_may_be_spent_by_another_while_it_is_waited_for)
{
    cr_assert_str_eq(told_shuffled(spent_meanwhile), "");
}

static intptr_t order(void *arg)
{
    enum { N = 40 };
    struct ls_task *t[N + 1] = { NULL };
    (void)arg;
    for (intptr_t i = 0; i < N; i++)
        t[i] = ls_spawn(naps, (void *)(1 + i * 7 % N), NULL);
    ls_sleep(N / 2 * LS_MS); /* half of them end before they are asked for */
    for (intptr_t n = 1; n <= N; n++) {
        size_t index = 999;
        intptr_t result = 0;
        want(!ls_next_done(t, N + 1, &index, &result, LS_NEVER));
        want(result == n && index < N && !t[index] && 1 + (intptr_t)index * 7 % N == n);
    }
    want_error(ls_next_done(t, N + 1, NULL, NULL, LS_NEVER), ESRCH, NULL);
    return 0;
}
Test(runtime_wait, next_done_is_in_the_order_of_the_ends)
{
    cr_assert_str_eq(told_shuffled(order), "");
}

static intptr_t next(void *task)
{
    struct ls_task *t = task;
    int status = ls_next_done(&t, 1, NULL, NULL, LS_NEVER), error = errno;
    want(status == -1 && error == ECANCELED && t == task);
    return 0;
}
static intptr_t deadline_and_cancel(void *arg)
{
    struct ls_task *t = sleeper(10), *n = ls_spawn(next, t, NULL);
    (void)arg;
    ls_yield();
    want_error(ls_await(t, NULL, LS_NEVER), EBUSY, "somebody awaits");
    want(!ls_cancel(n, NULL) && !ls_await(n, NULL, LS_NEVER));
    want_error(ls_next_done(&t, 1, NULL, NULL, ls_after(LS_MS)), ETIMEDOUT, NULL);
    want(t && ls_done(t) == 0); /* neither the deadline nor the cancel reached it */
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_wait, deadline_and_cancel_of_next_done_leave_the_task_alone)
{
    cr_assert_str_eq(told(deadline_and_cancel), "10 ");
}

static intptr_t waits_cancelled(void *task)
{
    struct ls_task *t = task;
    want_error(ls_wait(&t, 1, LS_ALL_DONE, NULL, LS_NEVER), ECANCELED, NULL);
    return 0;
}
static intptr_t cancelled(void *arg)
{
    struct ls_task *t = sleeper(10), *w = ls_spawn(waits_cancelled, t, NULL);
    (void)arg;
    ls_yield();
    want(!ls_cancel(w, NULL) && !ls_await(w, NULL, LS_NEVER) && ls_done(t) == 0);
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_wait, a_cancel_of_wait_leaves_the_task_alone)
{
    cr_assert_str_eq(told(cancelled), "10 ");
}

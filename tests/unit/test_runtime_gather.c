/* await, gather and reap: what goes with handles, deadlines and cancels.  (What asyncio's tests say: tests/e2e.) */
#include "tests/lib/story.h"

#include <criterion/criterion.h>

static intptr_t sleeps(void *ms)
{
    return ls_sleep((ls_ns)(intptr_t)ms * LS_MS) ? -1 : (intptr_t)ms;
}
static intptr_t fails(void *error)
{
    errno = (int)(intptr_t)error;
    return -1;
}
static struct ls_task *sleeper(intptr_t ms)
{
    return ls_spawn(sleeps, (void *)ms, "sleeps %d", (int)ms);
}

static intptr_t results(void *arg)
{
    enum { N = 100 };
    struct ls_task *t[N];
    intptr_t out[N];
    (void)arg;
    for (int i = 0; i < N; i++)
        t[i] = i == 50 ? ls_spawn(fails, (void *)EDOM, "fails") : sleeper(1 + i * 37 % N);
    want_error(ls_gather(t, N, out, LS_NEVER), EDOM, NULL);
    want(!ls_gather_all(t, N, out, LS_NEVER)); /* the handles were kept */
    for (int i = 0; i < N; i++)
        want(out[i] == (i == 50 ? -EDOM : 1 + i * 37 % N));
    want_error(ls_gather_all(t, N, out, LS_NEVER), EINVAL, "was awaited or detached already");
    return 0;
}
Test(runtime_gather, results_in_the_order_of_the_tasks_in_any_order_of_running)
{
    cr_assert_str_eq(told_shuffled(results), "");
}

static intptr_t wrong_handles(void *arg)
{
    struct ls_task *t = sleeper(5), *twice[2] = { t, t }, *with_null[2] = { t, NULL };
    (void)arg;
    want_error(ls_await(NULL, NULL, LS_NEVER), EINVAL, "the task is NULL");
    want_error(ls_await(ls_self(), NULL, LS_NEVER), EDEADLK, "task 'main' would wait for itself");
    want_error(ls_gather(twice, 2, NULL, LS_NEVER), EBUSY, "somebody awaits task 'sleeps 5' already");
    want_error(ls_gather(with_null, 2, NULL, LS_NEVER), EINVAL, "ls_gather: the task is NULL");
    want(!ls_await(t, NULL, LS_NEVER)); /* the mistakes left no trace */
    want_error(ls_shield(t, NULL, LS_NEVER), EINVAL, "ls_shield: task 'sleeps 5' was awaited or detached already");
    return 0;
}
Test(runtime_gather, wrong_handles)
{
    cr_assert_str_eq(told(wrong_handles), "");
}

static intptr_t deadlines(void *arg)
{
    struct ls_task *t[2] = { sleeper(5), sleeper(50) };
    intptr_t out[2] = { 7, 7 };
    (void)arg;
    want_error(ls_gather(t, 2, out, ls_after(10 * LS_MS)), ETIMEDOUT, NULL);
    want(out[0] == 7 && ls_done(t[0]) == 1 && ls_done(t[1]) == 0);
    want_error(ls_await(t[1], out, PAST), ETIMEDOUT, NULL);
    want_error(ls_shield(t[1], out, ls_after(LS_MS)), ETIMEDOUT, NULL);
    want(!ls_gather(t, 2, out, LS_NEVER) && out[0] == 5 && out[1] == 50);
    return 0;
}
Test(runtime_gather, a_deadline_ends_the_wait_and_not_the_tasks)
{
    cr_assert_str_eq(told(deadlines), "");
}

static bool cleaned_up;
static intptr_t cleans_up(void *arg)
{
    (void)arg;
    ls_sleep(LS_SEC);
    want(errno == ECANCELED);
    want(!ls_sleep(20 * LS_MS)); /* works: it was told once */
    cleaned_up = true;
    errno = ECANCELED;
    return -1;
}
static intptr_t gathers_two(void *tasks)
{
    want_error(ls_gather(tasks, 2, NULL, LS_NEVER), ECANCELED, NULL);
    want(cleaned_up); /* not before all of them are over */
    return 0;
}
static intptr_t cancel_gather(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(cleans_up, NULL, NULL), sleeper(1000) };
    struct ls_task *g = ls_spawn(gathers_two, t, NULL);
    (void)arg;
    cleaned_up = false;
    ls_sleep(LS_MS);
    want(!ls_cancel(g, "enough") && !ls_await(g, NULL, LS_NEVER));
    want(ls_cancelled(t[0]) == 1 && ls_cancelled(t[1]) == 1);
    want(!ls_detach(t[0]) && !ls_detach(t[1]));
    return 0;
}
Test(runtime_gather, a_cancelled_gather_waits_for_its_cancelled_tasks)
{
    cr_assert_str_eq(told_shuffled(cancel_gather), "");
}

static intptr_t shares(void *task)
{
    return ls_await(task, NULL, LS_NEVER);
}
static intptr_t cancel_before(void *arg)
{
    struct ls_task *inner = sleeper(1000), *outer = ls_spawn(shares, inner, "outer");
    (void)arg;
    ls_yield();
    ls_cancel(outer, "first");
    want_error(ls_await(outer, NULL, PAST), ETIMEDOUT, NULL); /* waits for `inner`, which was cancelled */
    intptr_t result;
    want(!ls_await(outer, &result, LS_NEVER) && result == -1 && errno == ECANCELED);
    want(ls_cancelled(inner) == 1);
    return ls_detach(inner);
}
Test(runtime_gather, a_cancel_goes_through_an_await)
{
    cr_assert_str_eq(told(cancel_before), "");
}

static intptr_t reap(void *arg)
{
    struct ls_task *t[4] = { sleeper(5), NULL, ls_spawn(fails, (void *)EIO, "fails"), sleeper(1000) };
    (void)arg;
    ls_sleep(10 * LS_MS);
    ls_ns start = ls_now();
    want(!ls_reap(t, 4, "done with", LS_NEVER) && ls_now() == start);
    want_error(ls_done(t[3]), EINVAL, "was awaited or detached already");
    want(!ls_reap(NULL, 0, NULL, LS_NEVER));
    cleaned_up = false;
    struct ls_task *slow = ls_spawn(cleans_up, NULL, "slow");
    ls_yield();
    want_error(ls_reap(&slow, 1, NULL, ls_after(LS_MS)), ETIMEDOUT, NULL);
    want(!ls_await(slow, NULL, LS_NEVER) && cleaned_up); /* still ours */
    struct ls_task *spent[2] = { sleeper(1), slow };
    want_error(ls_reap(spent, 2, NULL, LS_NEVER), EINVAL, "ls_reap: ");
    want(ls_done(spent[0]) == 0);
    return ls_await(spent[0], NULL, LS_NEVER);
}
Test(runtime_gather, reap_cancels_waits_and_gives_back)
{
    cr_assert_str_eq(told(reap), "");
}

static struct ls_task *ring[3];
static intptr_t awaits_next(void *arg)
{
    intptr_t i = (intptr_t)arg;
    struct ls_task *other = i == 1 ? NULL : sleeper(1);
    struct ls_task *t[2] = { ring[(i + 1) % 3], other };
    if (i == 2) {
        want_error(ls_gather(t, 2, NULL, LS_NEVER), EDEADLK, "would wait for itself through");
        want_error(ls_await(ring[0], NULL, LS_NEVER), EDEADLK, NULL);
        ls_detach(other);
        return 42;
    }
    intptr_t result[2] = { 0 };
    int status = i == 1 ? ls_await(t[0], result, LS_NEVER) : ls_gather(t, 2, result, LS_NEVER);
    return status ? -1 : result[0];
}
static intptr_t circle(void *arg)
{
    intptr_t result;
    (void)arg;
    for (intptr_t i = 0; i < 3; i++)
        ring[i] = ls_ref(ls_spawn(awaits_next, (void *)i, "ring %d", (int)i));
    want(!ls_await(ring[0], &result, LS_NEVER) && result == 42);
    return 0;
}
Test(runtime_gather, a_circle_through_awaits_and_gathers_is_refused)
{
    cr_assert_str_eq(told(circle), "");
}

static intptr_t awaits_ring_0(void *arg)
{
    intptr_t result = -1;
    (void)arg;
    want(!ls_await(ring[0], &result, LS_NEVER));
    return result;
}
static intptr_t awaits_for_a_while(void *arg)
{
    (void)arg;
    ring[1] = ls_spawn(awaits_ring_0, NULL, NULL);
    want_error(ls_await(ring[1], NULL, ls_after(5 * LS_MS)), ETIMEDOUT, NULL);
    return 3;
}
static intptr_t circle_with_an_end(void *arg)
{
    intptr_t result;
    (void)arg;
    struct ls_task *t = ls_spawn(awaits_for_a_while, NULL, NULL);
    ring[0] = ls_ref(t);
    want(!ls_await(t, &result, LS_NEVER) && result == 3);
    want(!ls_await(ring[1], &result, LS_NEVER) && result == 3);
    return 0;
}
Test(runtime_gather, a_circle_with_a_deadline_is_none)
{
    cr_assert_str_eq(told(circle_with_an_end), "");
}

static intptr_t link_of_chain(void *arg)
{
    intptr_t n = (intptr_t)arg, result = -1;
    if (!n)
        return ls_sleep(1000 * LS_SEC) ? -1 : 0;
    struct ls_task *t = ls_spawn(link_of_chain, (void *)(n - 1), "link");
    if (ls_await(t, &result, LS_NEVER)) {
        int error = errno;
        ls_detach(t);
        errno = error;
        return -1;
    }
    return result + 1;
}
static intptr_t long_chain(void *arg)
{
    struct ls_task *t = ls_spawn(link_of_chain, (void *)5000, "first");
    (void)arg;
    ls_sleep(LS_MS);
    want(!ls_cancel(t, NULL));
    intptr_t result;
    want(!ls_await(t, &result, LS_NEVER) && result == -1 && errno == ECANCELED);
    return 0;
}
Test(runtime_gather, a_cancel_goes_down_a_chain_of_5000)
{
    cr_assert_str_eq(told(long_chain), "");
}

static intptr_t left_at_the_end(void *arg)
{
    (void)arg;
    ls_detach(ls_spawn(shares, sleeper(1000), "awaits"));
    ls_yield();
    ls_yield();
    return 0;
}
Test(runtime_gather, who_awaits_when_the_loop_closes_is_told)
{
    cr_assert_str_eq(told(left_at_the_end), "");
}

static intptr_t fails_without_errno(void *arg)
{
    (void)arg;
    errno = 0;
    return -1;
}
static intptr_t takes_long(void *arg)
{
    return ls_sleep(LS_SEC) ? -1 : (intptr_t)arg;
}
static intptr_t no_errno(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(fails_without_errno, NULL, NULL), ls_spawn(takes_long, (void *)5, NULL) };
    intptr_t out[2] = { 7, 7 };
    (void)arg;
    want_error(ls_gather(t, 2, out, LS_NEVER), EIO, NULL);
    want(ls_error(t[0]) == EIO && ls_done(t[1]) == 0);
    want(!ls_gather_all(t, 2, out, LS_NEVER) && out[0] == -EIO && out[1] == 5);
    return 0;
}
Test(runtime_gather, a_failure_that_gives_no_errno_is_EIO)
{
    cr_assert_str_eq(told_shuffled(no_errno), "");
}

/* Timeout scopes: what they interrupt, and what they leave to others. */
#include "tests/lib/story.h"

#include <criterion/criterion.h>

static intptr_t basics(void *arg)
{
    struct ls_timeout s;
    (void)arg;
    want(!ls_timeout_begin(&s, ls_after(10 * LS_MS)) && ls_timeout_expired(&s) == 0);
    errno = EPIPE;
    want(!ls_timeout_end(&s) && errno == EPIPE); /* errno is the body's */
    ls_ns start = ls_now();
    want(!ls_timeout_begin(&s, ls_after(10 * LS_MS)));
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(ls_now() == start + 10 * LS_MS && ls_timeout_expired(&s) == 1 && strstr(ls_cancel_why(), "timeout"));
    want(!ls_sleep(LS_MS)); /* once */
    want_error(ls_timeout_reschedule(&s, SOON), EALREADY, NULL);
    want_error(ls_timeout_end(&s), ETIMEDOUT, NULL);
    want(ls_cancelling(ls_self()) == 0 && !ls_sleep(LS_SEC));
    return 0;
}
Test(runtime_timeout, interrupts_one_await_and_says_so_at_its_end)
{
    cr_assert_str_eq(told_shuffled(basics), "");
}

static intptr_t misuse(void *arg)
{
    struct ls_timeout s, never;
    (void)arg;
    memset(&never, 0xa5, sizeof never);
    want_error(ls_timeout_begin(NULL, SOON), EINVAL, "the timeout is NULL");
    want_error(ls_timeout_end(&never), EINVAL, "not an open timeout of task 'main'");
    want_error(ls_timeout_reschedule(&never, SOON), EINVAL, "not an open timeout");
    want_error(ls_timeout_expired(NULL), EINVAL, "not an open timeout");
    want(!ls_timeout_begin(&s, LS_NEVER));
    want_error(ls_timeout_begin(&s, SOON), EBUSY, "was begun already");
    want(!ls_timeout_end(&s));
    want_error(ls_timeout_end(&s), EINVAL, "not an open timeout");
    return 0;
}
Test(runtime_timeout, misuse)
{
    cr_assert_str_eq(told(misuse), "");
    struct ls_timeout s;
    cr_assert(ls_timeout_begin(&s, 0) == -1 && errno == EPERM);
}

static intptr_t woken_first(void *arg)
{
    struct ls_timeout s;
    (void)arg;
    ls_ns due = SOON;
    struct ls_future *f = ls_future_new("f");
    want(f && ls_call_at(due, (void (*)(void *))(void *)ls_future_cancel, f));
    want(!ls_timeout_begin(&s, due));
    want(!ls_future_await(f, NULL, LS_NEVER)); /* ready in the same turn: the scope comes too late for it */
    want(ls_timeout_expired(&s) == 1);
    want(!ls_timeout_end(&s)); /* nothing was interrupted */
    want(ls_cancelling(ls_self()) == 0 && !ls_sleep(LS_MS));
    return ls_future_free(f);
}
Test(runtime_timeout, that_interrupts_nothing_is_none)
{
    cr_assert_str_eq(told(woken_first), "");
}

static intptr_t left_open(void *arg)
{
    struct ls_timeout outer, inner, innermost;
    (void)arg;
    want(!ls_timeout_begin(&outer, LS_NEVER));
    want(!ls_timeout_begin(&inner, SOON));
    want(!ls_timeout_begin(&innermost, ls_after(5 * LS_MS)));
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(!ls_timeout_end(&outer) && ls_cancelling(ls_self()) == 0); /* ends all three */
    want_error(ls_timeout_end(&inner), EINVAL, NULL);
    want(!ls_sleep(LS_SEC));
    return 0;
}
static intptr_t returns_inside(void *arg)
{
    struct ls_timeout scope;
    (void)arg;
    return ls_timeout_begin(&scope, SOON);
}
static intptr_t returned(void *arg)
{
    struct ls_task *t = ls_spawn(returns_inside, NULL, NULL);
    (void)arg;
    intptr_t result;
    want(!ls_await(t, &result, LS_NEVER) && result == 0);
    want(!ls_sleep(LS_SEC)); /* its timer is gone with it */
    return left_open(NULL);
}
Test(runtime_timeout, scopes_left_open_end_with_the_outer_one_and_with_the_task)
{
    cr_assert_str_eq(told(returned), "");
}

static struct ls_timeout *shared;
static intptr_t works_long(void *arg)
{
    struct ls_timeout s;
    (void)arg;
    shared = &s;
    want(!ls_timeout_begin(&s, SOON) && !ls_sleep(10 * LS_MS));
    return ls_timeout_end(&s);
}
static intptr_t extended(void *arg)
{
    struct ls_task *t = ls_spawn(works_long, NULL, NULL);
    (void)arg;
    ls_yield();
    want(!ls_timeout_reschedule(shared, ls_after(LS_SEC)));
    want_error(ls_timeout_end(shared), EINVAL, "not an open timeout of task 'main'");
    intptr_t result;
    want(!ls_await(t, &result, LS_NEVER) && !result);
    return 0;
}
Test(runtime_timeout, another_task_may_extend_it)
{
    cr_assert_str_eq(told(extended), "");
}

static intptr_t both(void *arg)
{
    struct ls_timeout s;
    (void)arg;
    want(!ls_timeout_begin(&s, SOON));
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL); /* main's */
    want(!strcmp(ls_cancel_why(), "main's"));
    want(!ls_timeout_end(&s)); /* not turned into a timeout */
    want(ls_cancelling(ls_self()) == 1);
    errno = ECANCELED;
    return -1;
}
static intptr_t outside_cancel(void *arg)
{
    struct ls_task *t = ls_spawn(both, NULL, NULL);
    (void)arg;
    ls_sleep(10 * LS_MS);
    want(!ls_cancel(t, "main's"));
    want(!ls_await(t, NULL, LS_NEVER) && errno == ECANCELED);
    return 0;
}
Test(runtime_timeout, a_cancel_from_outside_is_not_turned_into_one)
{
    cr_assert_str_eq(told_shuffled(outside_cancel), "");
}

static intptr_t deadline_inside(void *arg)
{
    struct ls_timeout s;
    struct ls_future *f = ls_future_new(NULL);
    (void)arg;
    want(!ls_timeout_begin(&s, ls_after(10 * LS_MS)));
    want_error(ls_future_await(f, NULL, SOON), ETIMEDOUT, NULL); /* the call's own */
    want_error(ls_future_await(f, NULL, ls_after(LS_SEC)), ECANCELED, NULL);
    want_error(ls_timeout_end(&s), ETIMEDOUT, NULL);
    return ls_future_free(f);
}
Test(runtime_timeout, a_deadline_of_a_call_and_a_scope_can_be_told_apart)
{
    cr_assert_str_eq(told(deadline_inside), "");
}

static intptr_t nested_random(void *arg)
{
    struct ls_timeout s[4];
    uint64_t x = 88172645463325252u;
    (void)arg;
    for (int round = 0; round < 500; round++) {
        int least = -1;
        ls_ns first = LS_NEVER;
        for (int i = 0; i < 4; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            ls_ns deadline = ls_after((1 + x % 8) * LS_MS);
            if (deadline < first) {
                first = deadline;
                least = i; /* the outermost of those that expire first */
            }
            want(!ls_timeout_begin(&s[i], deadline));
        }
        ls_ns start = ls_now();
        want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
        want(ls_now() == first && start < first);
        for (int i = 3; i >= 0; i--) /* unwound in no time */
            want((ls_timeout_end(&s[i]) == -1) == (i == least));
        want(ls_cancelling(ls_self()) == 0);
    }
    return 0;
}
Test(runtime_timeout, of_nested_ones_the_outermost_that_expired_says_so)
{
    cr_assert_str_eq(told(nested_random), "");
}

static intptr_t cancelled_before(void *arg)
{
    struct ls_timeout s;
    (void)arg;
    ls_cancel(ls_self(), "somebody's");
    want(!ls_timeout_begin(&s, PAST)); /* so both are told by one ECANCELED */
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(!ls_timeout_end(&s) && ls_uncancel() == 0);
    return 0;
}
Test(runtime_timeout, a_cancel_that_came_before_is_not_turned_into_one)
{
    cr_assert_str_eq(told(cancelled_before), "");
}

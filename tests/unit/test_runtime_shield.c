/* shield: a task that others share, or that must come to its end. */
#include "tests/lib/story.h"

#include <criterion/criterion.h>

static intptr_t sleeps(void *ms)
{
    return ls_sleep((ls_ns)(intptr_t)ms * LS_MS) ? -1 : (intptr_t)ms;
}
static intptr_t shields(void *task)
{
    intptr_t result = 7;
    if (ls_shield(task, &result, LS_NEVER)) {
        note("%s ", strerrorname_np(errno));
        want(result == 7 && !strcmp(ls_cancel_why(), "enough"));
        want(ls_shield(task, &result, LS_NEVER) == 0 && result == 10); /* told once; the handle is still its own */
    }
    return result;
}
static intptr_t shared(void *arg)
{
    struct ls_task *inner = ls_ref(ls_ref(ls_spawn(sleeps, (void *)10, "inner")));
    struct ls_task *s[2] = { ls_spawn(shields, inner, "a"), ls_spawn(shields, inner, "b") };
    intptr_t result[2];
    (void)arg;
    ls_yield();
    want(!ls_cancel(s[0], "enough"));
    want(!ls_gather(s, 2, result, LS_NEVER) && result[0] == 10 && result[1] == 10);
    want(ls_cancelled(inner) == 0);
    return ls_detach(inner);
}
Test(runtime_shield, the_cancel_of_one_that_waits_is_its_own)
{
    cr_assert_str_eq(told(shared), "ECANCELED ");
}

static intptr_t under_await(void *inner)
{
    return ls_await(ls_spawn(shields, inner, "shield"), NULL, LS_NEVER);
}
static intptr_t through_then_around(void *arg)
{
    struct ls_task *inner = ls_ref(ls_spawn(sleeps, (void *)10, "inner")), *outer = ls_spawn(under_await, inner, NULL);
    (void)arg;
    ls_sleep(LS_MS);
    want(!ls_cancel(outer, "enough"));
    intptr_t result;
    want(!ls_await(outer, &result, LS_NEVER) && result == -1 && errno == ECANCELED);
    want(ls_cancelled(inner) == 0 && ls_done(inner) == 1);
    return ls_detach(inner);
}
Test(runtime_shield, a_cancel_goes_through_awaits_to_the_shield_and_no_further)
{
    cr_assert_str_eq(told(through_then_around), "ECANCELED ");
}

static intptr_t in_a_timeout(void *arg)
{
    struct ls_task *inner = ls_spawn(sleeps, (void *)10, "inner");
    struct ls_timeout scope;
    (void)arg;
    want(!ls_timeout_begin(&scope, SOON));
    want_error(ls_shield(inner, NULL, LS_NEVER), ECANCELED, NULL);
    want_error(ls_timeout_end(&scope), ETIMEDOUT, NULL);
    want(ls_done(inner) == 0);
    intptr_t result;
    want(!ls_await(inner, &result, LS_NEVER) && result == 10);
    return 0;
}
Test(runtime_shield, a_timeout_ends_the_wait_and_not_the_task)
{
    cr_assert_str_eq(told_shuffled(in_a_timeout), "");
}

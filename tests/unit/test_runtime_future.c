/* Futures: one value, many that wait for it. */
#include "tests/lib/story.h"

#include <criterion/criterion.h>

static intptr_t awaits(void *future)
{
    intptr_t value = 0;
    if (!note_result(ls_future_await(future, &value, ls_after(10 * LS_MS))))
        note("= %d ", (int)value);
    return value;
}

static intptr_t many(void *arg)
{
    struct ls_future *f = ls_future_new("answer");
    struct ls_task *t[3];
    intptr_t result[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        t[i] = ls_spawn(awaits, f, "%c", 'a' + i);
    ls_sleep(LS_MS);
    want(ls_future_done(f) == 0);
    want_error(ls_future_free(f), EBUSY, "3 tasks wait for future 'answer'");
    want(!ls_future_set(f, 42) && ls_future_done(f) == 1);
    want_error(ls_future_set(f, 43), EALREADY, "future 'answer' is decided already");
    want_error(ls_future_fail(f, EIO), EALREADY, "ls_future_fail");
    want_error(ls_future_cancel(f), EALREADY, NULL);
    want(!ls_future_free(f)); /* before they run: they have their answer */
    want(!ls_gather(t, 3, result, LS_NEVER) && result[0] + result[1] + result[2] == 3 * 42);
    want_error(ls_future_done(f), EINVAL, "this future was freed already");
    want_error(ls_future_await(f, NULL, LS_NEVER), EINVAL, NULL);
    want_error(ls_future_set(NULL, 1), EINVAL, "the future is NULL");
    return 0;
}
Test(runtime_future, all_that_wait_get_the_value_in_their_order)
{
    cr_assert_str_eq(told(many), "a = 42 b = 42 c = 42 ");
}

static intptr_t failures(void *arg)
{
    struct ls_future *f = ls_future_new(NULL), *c = ls_future_new("c");
    intptr_t value = 7;
    (void)arg;
    want_error(ls_future_fail(f, 0), EINVAL, "0 is no errno");
    want(!ls_future_fail(f, EPIPE) && !ls_future_cancel(c));
    want(!ls_future_await(f, &value, PAST) && value == -1 && errno == EPIPE); /* decided: no deadline matters */
    want(!ls_future_await(c, &value, LS_NEVER) && value == -1 && errno == ECANCELED);
    want(!ls_future_await(c, NULL, LS_NEVER));
    want(ls_cancelling(ls_self()) == 0); /* it was the future that was cancelled */
    want(!ls_future_free(f) && !ls_future_free(c));
    return 0;
}
Test(runtime_future, a_failure_is_a_value_of_minus_one)
{
    cr_assert_str_eq(told(failures), "");
}

static intptr_t deadline_and_cancel(void *arg)
{
    struct ls_future *f = ls_future_new("f");
    struct ls_task *late = ls_spawn(awaits, f, "late"), *gone = ls_spawn(awaits, f, "gone"), *both;
    (void)arg;
    ls_sleep(LS_MS);
    want(!ls_cancel(gone, NULL) && !ls_await(gone, NULL, LS_NEVER));
    want(!ls_await(late, NULL, LS_NEVER) && ls_future_done(f) == 0); /* theirs only */
    both = ls_spawn(awaits, f, "both");
    ls_sleep(LS_MS);
    ls_future_set(f, 1);
    ls_cancel(both, NULL); /* too late: it has its value, and is told at its next await */
    intptr_t value;
    want(!ls_await(both, &value, LS_NEVER) && value == 1);
    return ls_future_free(f);
}
Test(runtime_future, a_deadline_or_cancel_is_of_the_one_that_waits)
{
    cr_assert_str_eq(told(deadline_and_cancel), "gone:ECANCELED late:ETIMEDOUT both = 1 ");
}

static void sets(void *future)
{
    want(!ls_future_set(future, 9));
}
static intptr_t from_a_callback(void *arg)
{
    struct ls_future *f = ls_future_new("f");
    intptr_t value = 0;
    (void)arg;
    ls_call_later(LS_MS, sets, f);
    want(!ls_future_await(f, &value, LS_NEVER) && value == 9);
    struct ls_lock *l = ls_lock_new("l");
    want_error(ls_future_done((struct ls_future *)(void *)l), EINVAL, "not a future: 'l' is a lock");
    return ls_lock_free(l) || ls_future_free(f);
}
Test(runtime_future, may_be_set_by_a_callback)
{
    cr_assert_str_eq(told(from_a_callback), "");
    cr_assert(!ls_future_new("x") && errno == EPERM);
}

/* Cancels and their count, clean-up, callbacks, and looking at tasks without waiting. */
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

static intptr_t looking(void *arg)
{
    struct ls_task *t = ls_spawn(sleeps, (void *)5, "five"), *f = ls_spawn(fails, (void *)EDOM, NULL);
    intptr_t result = 77;
    (void)arg;
    want(ls_done(t) == 0 && ls_cancelled(t) == 0 && ls_cancelling(t) == 0);
    want_error(ls_result(t, &result), EAGAIN, NULL);
    want_error(ls_error(t), EAGAIN, NULL);
    want(result == 77);
    ls_sleep(10 * LS_MS);
    want(ls_done(t) == 1 && ls_error(t) == 0 && !ls_result(t, &result) && result == 5);
    want(ls_done(f) == 1 && ls_cancelled(f) == 0 && ls_error(f) == EDOM);
    want(!ls_result(f, &result) && result == -1 && errno == EDOM && !ls_result(f, NULL));
    want_error(ls_cancel(t, NULL), ESRCH, NULL);
    want(!ls_detach(t) && !ls_await(f, NULL, LS_NEVER));
    want_error(ls_done(t), EINVAL, "ls_done: task 'five' was awaited or detached already");
    want_error(ls_result(NULL, &result), EINVAL, "ls_result: the task is NULL");
    want_error(ls_detach(t), EINVAL, "'five'");
    want(!ls_ref(t) && ls_detach(NULL) == 0);
    return 0;
}
Test(runtime_cancel, looking_at_tasks)
{
    cr_assert_str_eq(told_shuffled(looking), "");
    cr_assert(ls_done(NULL) == -1 && errno == EPERM);
    cr_assert(ls_uncancel() == -1 && errno == EPERM);
}

static intptr_t told_once(void *arg)
{
    (void)arg;
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(ls_cancelling(ls_self()) == 2 && !strcmp(ls_cancel_why(), "second"));
    want(!ls_sleep(LS_MS)); /* two that came together are told together */
    want(ls_uncancel() == 1 && ls_uncancel() == 0 && ls_uncancel() == 0);
    want(!ls_cancel(ls_self(), "own"));
    want(ls_uncancel() == 0 && !ls_sleep(LS_MS)); /* dropped before it was told */
    want(!ls_cancel(ls_self(), "own"));
    want_error(ls_yield(), ECANCELED, NULL);
    want(!ls_yield());
    return 3;
}
static intptr_t counts(void *arg)
{
    struct ls_task *t = ls_spawn(told_once, NULL, NULL);
    intptr_t result;
    (void)arg;
    ls_sleep(LS_MS);
    want(!ls_cancel(t, "first") && !ls_cancel(t, "second"));
    want(!ls_await(t, &result, LS_NEVER) && result == 3);
    return 0;
}
Test(runtime_cancel, each_is_counted_and_told_once)
{
    cr_assert_str_eq(told_shuffled(counts), "");
}

static void notes(void *what)
{
    note("%s ", (const char *)what);
}
static void waits(void *what)
{
    want(!ls_sleep(LS_MS)); /* although the task was cancelled */
    note("%s ", (const char *)what);
    errno = EPIPE; /* kept from the result */
}
static intptr_t defers(void *arg)
{
    want(!ls_defer(notes, "first") && !ls_defer(waits, "second") && !ls_defer(notes, "dropped"));
    want(!ls_defer(notes, "popped"));
    want(!ls_defer_pop(1) && !ls_defer_pop(0));
    note("body ");
    if (!arg)
        return 5;
    if (arg == (void *)2)
        ls_cancel(ls_self(), "never told");
    else if (!ls_sleep(LS_SEC))
        return -2;
    errno = ECANCELED;
    return -1;
}
static intptr_t deferred(void *arg)
{
    intptr_t result;
    want_error(ls_defer_pop(1), ENOENT, NULL);
    want_error(ls_defer(NULL, NULL), EINVAL, "the function is NULL");
    want(!ls_await(ls_spawn(defers, arg, NULL), &result, LS_NEVER) && result == 5);
    struct ls_task *t = ls_spawn(defers, (void *)1, NULL);
    ls_sleep(LS_MS);
    want(!ls_cancel(t, NULL) && !ls_await(t, &result, LS_NEVER) && result == -1 && errno == ECANCELED);
    want(!ls_await(ls_spawn(defers, (void *)2, NULL), &result, LS_NEVER) && result == -1 && errno == ECANCELED);
    t = ls_spawn(defers, (void *)1, NULL);
    want(!ls_cancel(t, NULL) && !ls_await(t, &result, LS_NEVER)); /* has not begun: has deferred nothing */
    return 0;
}
Test(runtime_cancel, what_is_deferred_runs_last_first)
{
    cr_assert_str_eq(told(deferred), "popped body second first popped body second first popped body second first ");
}

static void cancelled_again(void *arg)
{
    (void)arg;
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL); /* one that comes meanwhile is told */
    want(!ls_defer(notes, "late"));
    note("cleaned ");
}
static intptr_t cleans(void *arg)
{
    (void)arg;
    return ls_defer(cancelled_again, NULL);
}
static intptr_t cancel_in_cleanup(void *arg)
{
    struct ls_task *t = ls_spawn(cleans, NULL, NULL);
    (void)arg;
    ls_sleep(LS_MS);
    want(!ls_done(t) && !ls_cancel(t, NULL));
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_cancel, a_cancel_reaches_the_clean_up_that_waits)
{
    cr_assert_str_eq(told(cancel_in_cleanup), "cleaned late ");
}
static intptr_t main_defers(void *arg)
{
    (void)arg;
    want(!ls_defer(notes, "end"));
    note("main ");
    return 0;
}
Test(runtime_cancel, main_may_defer)
{
    cr_assert_str_eq(told(main_defers), "main end ");
}

static struct ls_task *other;
static void called(struct ls_task *task, void *arg)
{
    intptr_t result = 0;
    want(ls_done(task) == 1 && !ls_result(task, &result));
    want(!ls_self());
    want_error(ls_sleep(1), EPERM, "a callback of the loop must not wait");
    want_error(ls_await(task, NULL, LS_NEVER), EPERM, NULL);
    note("%s%d ", (const char *)arg, (int)result);
    if (*(const char *)arg == 'x') {
        want(!ls_cancel(other, "from a callback"));
        want(!ls_on_done(task, called, "again"));
        want(ls_spawn(sleeps, (void *)1, "from a callback") != NULL);
    }
}
static intptr_t callbacks(void *arg)
{
    struct ls_task *t = ls_spawn(sleeps, (void *)5, NULL);
    other = ls_spawn(sleeps, (void *)1000, "other");
    (void)arg;
    want(!ls_on_done(t, called, "a") && !ls_on_done(t, called, "b") && !ls_on_done(t, called, "x"));
    want(!ls_on_done(t, called, "b") && !ls_off_done(t, called, "b")); /* the first of them */
    want_error(ls_off_done(t, called, "c"), ESRCH, NULL);
    want_error(ls_on_done(t, NULL, NULL), EINVAL, "the function is NULL");
    intptr_t result;
    want(!ls_await(t, &result, LS_NEVER)); /* the handle is spent, the callbacks have it all the same */
    note("awaited ");
    want(!ls_await(other, &result, LS_NEVER) && result == -1 && errno == ECANCELED);
    struct ls_task *late = ls_spawn(fails, (void *)EIO, NULL);
    ls_sleep(LS_MS);
    want(!ls_on_done(late, called, "late") && !ls_detach(late));
    ls_sleep(LS_MS);
    return 0;
}
Test(runtime_cancel, callbacks_in_order_soon_after_the_end)
{
    cr_assert_str_eq(told(callbacks), "awaited a5 x5 b5 again5 late-1 ");
}

static intptr_t detached(void *arg)
{
    struct ls_task *t = ls_spawn(sleeps, (void *)5, NULL);
    (void)arg;
    want(!ls_on_done(t, called, "d") && !ls_detach(t));
    ls_detach(ls_spawn(sleeps, (void *)1000, NULL));
    struct ls_task *at_exit = ls_spawn(sleeps, (void *)1000, NULL);
    want(!ls_on_done(at_exit, called, "exit"));
    return ls_sleep(10 * LS_MS);
}
Test(runtime_cancel, callbacks_of_a_detached_task_and_at_exit)
{
    cr_assert_str_eq(told(detached), "d5 exit-1 ");
}

static intptr_t never_over(void *arg)
{
    want(!ls_defer(notes, "never"));
    for (;;)
        ls_sleep(LS_SEC);
    return (intptr_t)arg;
}
static void not_called(struct ls_task *task, void *arg)
{
    note("called for %s %s", ls_task_name(task), (const char *)arg);
}
static intptr_t abandons(void *arg)
{
    struct ls_task *t = ls_spawn(never_over, NULL, NULL);
    (void)arg;
    ls_on_done(t, not_called, "");
    return ls_sleep(LS_MS);
}
Test(runtime_cancel, what_an_abandoned_task_deferred_is_freed)
{
    cr_assert_str_eq(told(abandons), "");
}

static intptr_t told_again(void *arg)
{
    (void)arg;
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(!ls_yield()); /* cancelled meanwhile */
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    return 0;
}
static intptr_t cancels_who_yields(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(told_again, NULL, NULL);
    ls_sleep(LS_MS);
    want(!ls_cancel(t, "once") && !ls_yield());
    want(!ls_cancel(t, "once more"));
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_cancel, one_that_comes_during_a_yield_is_told)
{
    cr_assert_str_eq(told(cancels_who_yields), "");
}

/* asyncio_cancel.c - cancel, callbacks, timeouts: the cases of tests/e2e/asyncio_cancel.py in C. */
#include "tests/lib/asyncio_cases.h"

/* cancel */

static void test_cancelling(void)
{
    struct ls_task *t = JOB("task", 9);
    say("%d", ls_cancelling(t));
    ls_cancel(t, NULL);
    ls_cancel(t, NULL);
    say("%d", ls_cancelling(t));
    show_task("task", t);
}

static intptr_t cancelled_twice(void *arg)
{
    (void)arg;
    show("first", pass(9), 0);
    say("left %d", ls_uncancel());
    return pass(9);
}
static void test_uncancel_basic(void)
{
    struct ls_task *t = ls_spawn(cancelled_twice, NULL, NULL);
    cancel_at(1, t);
    pass(1);
    say("%d %d %d", ls_cancelling(t), ls_done(t), ls_cancelled(t));
    cancel_at(1, ls_ref(t));
    show_task("task", t);
    say("%d %d %d", ls_cancelling(t), ls_done(t), ls_cancelled(t));
}

static intptr_t catches(void *arg)
{
    (void)arg;
    show("sleep", pass(9), 0);
    return 42;
}
static void test_cancel_task_catching(void)
{
    struct ls_task *t = ls_ref(ls_spawn(catches, NULL, NULL));
    cancel_at(1, t);
    show_task("task", t);
    say("%d", ls_cancelled(t));
}

static intptr_t ignores(void *arg)
{
    (void)arg;
    show("sleep", pass(9), 0);
    show("sleep", pass(2), 0);
    return 42;
}
static void test_cancel_task_ignoring(void)
{
    struct ls_task *t = ls_spawn(ignores, NULL, NULL);
    cancel_at(1, t);
    show_task("task", t);
}

static intptr_t cancels_itself(void *arg)
{
    (void)arg;
    ls_cancel(ls_self(), NULL);
    return pass(100) ? -1 : 12;
}
static void test_cancel_current_task(void)
{
    struct ls_task *t = ls_ref(ls_spawn(cancels_itself, NULL, NULL));
    show_task("task", t);
    say("%d %d", ls_cancelled(t), !ls_cancel(t, NULL));
}

static intptr_t cancelled_then_awaits(void *ret_nested)
{
    struct ls_task *nested = JOB("nested", 9);
    *(struct ls_task **)ret_nested = nested;
    ls_yield();
    ls_cancel(ls_self(), NULL);
    return ls_await(nested, NULL, LS_NEVER);
}
static void test_cancel_awaited_task(void)
{
    struct ls_task *nested, *t = ls_ref(ls_spawn(cancelled_then_awaits, &nested, NULL));
    show_task("task", t);
    say("%d %d", ls_cancelled(t), ls_cancelled(nested));
}

static intptr_t awaits(void *inner)
{
    return show_task("outer", inner);
}
static void test_yield_future_passes_cancel(void)
{
    struct ls_task *inner = JOB("inner", 9, 0, 2), *outer = ls_spawn(awaits, inner, NULL);
    cancel_at(1, outer);
    ls_await(outer, NULL, LS_NEVER);
}

static intptr_t chain_link(void *arg)
{
    intptr_t n = (intptr_t)arg;
    return ls_await(n ? ls_spawn(chain_link, (void *)(n - 1), NULL) : JOB("end", 9), NULL, LS_NEVER);
}
static void cancel_goes_down_a_chain(void)
{
    struct ls_task *t = ls_spawn(chain_link, (void *)5, NULL);
    cancel_at(1, t);
    show_task("chain", t);
}

static void cancelled_twice_at_once(void)
{
    struct ls_task *t = ls_ref(JOB("task", 9, 0, 2));
    pass(1);
    ls_cancel(t, NULL);
    ls_cancel(t, NULL);
    show_task("task", t);
    say("%d", ls_cancelling(t));
}

static void awaits_after_a_cancel_work(void)
{
    struct ls_task *t = JOB("task", 9, 0, 2);
    cancel_at(1, t);
    show_task("task", t);
}

static void called(struct ls_task *task, void *arg)
{
    intptr_t value;
    ls_result(task, &value);
    printf("  called %d: %d\n", (int)(intptr_t)arg, (int)value);
}
static void done_callbacks(void)
{
    struct ls_task *t = JOB("task", 1, 5);
    for (intptr_t i = 0; i < 4; i++)
        ls_on_done(t, called, (void *)i);
    say("removed %d", !ls_off_done(t, called, (void *)1));
    pass(2);
    say("later");
    ls_on_done(t, called, (void *)0);
    pass(1);
    say("end");
}

/* timeout */

/* work() in a scope; its status. */
static int under(const char *name, ls_ns deadline, struct job job)
{
    struct ls_timeout scope;
    ls_timeout_begin(&scope, deadline);
    int status = (int)work(&job);
    if (ls_timeout_end(&scope))
        say("%s: %s", name, strerrorname_np(errno));
    else if (status)
        say("%s: 0 %s", name, strerrorname_np(errno));
    else
        say("%s: 0", name);
    return status;
}
#define UNDER(name, deadline, ...) under(name, deadline, JOB_OF(__VA_ARGS__))

static void test_timeout_basic(void)
{
    UNDER("timeout", in(1), "body", 10);
}

/* A scope in a scope, and some work behind the inner one when that was in time. */
static void nested(ls_ns outer_deadline, ls_ns inner_deadline, const struct job *first, const struct job *second)
{
    struct ls_timeout outer, inner;
    ls_timeout_begin(&outer, outer_deadline);
    ls_timeout_begin(&inner, inner_deadline);
    work((void *)(uintptr_t)first);
    int expired = ls_timeout_end(&inner);
    say("inner: %s", expired ? strerrorname_np(errno) : "0");
    if (expired && second)
        work((void *)(uintptr_t)second);
    say("outer: %s", ls_timeout_end(&outer) ? strerrorname_np(errno) : "0");
}

static void test_nested_timeouts(void)
{
    nested(in(1), in(1), &JOB_OF("body", 10), NULL);
}

static void nested_timeout_inner_first(void)
{
    nested(in(3), in(1), &JOB_OF("a", 10), &JOB_OF("b", 10));
}

static void nested_timeout_outer_first(void)
{
    nested(in(1), in(3), &JOB_OF("body", 10), NULL);
    WORK("after", 5);
}

static void test_timeout_not_called(void)
{
    UNDER("timeout", in(10), "body", 1);
    WORK("after", 20);
}

static void test_timeout_disabled(void)
{
    UNDER("timeout", LS_NEVER, "body", 1);
}

static void test_timeout_zero(void)
{
    UNDER("timeout", ls_now(), "body", 10);
}

static void test_timeout_zero_sleep_zero(void)
{
    UNDER("timeout", ls_now(), "body", 0);
}

static void test_timeout_in_the_past_sleep_zero(void)
{
    UNDER("timeout", ls_now() - 1, "body", 0);
}

static void test_foreign_cancel_doesnt_timeout_if_not_expired(void)
{
    ls_cancel(ls_self(), NULL);
    UNDER("timeout", in(10), "body", 10);
    ls_uncancel();
}

static intptr_t timed_out(void *arg)
{
    (void)arg;
    UNDER("timeout", in(1), "body", 10);
    return 1;
}
static void test_outer_task_is_not_cancelled(void)
{
    struct ls_task *t = ls_ref(ls_spawn(timed_out, NULL, NULL));
    show_task("task", t);
    say("%d %d", ls_cancelled(t), ls_cancelling(t));
}

static void test_reschedule(void)
{
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(2));
    WORK("a", 1);
    ls_timeout_reschedule(&scope, in(4));
    WORK("b", 3);
    ls_timeout_reschedule(&scope, LS_NEVER);
    WORK("c", 9);
    say("timeout: %d", ls_timeout_end(&scope));
}

static void reschedule_earlier(void)
{
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(9));
    ls_timeout_reschedule(&scope, in(1));
    WORK("a", 5);
    say("timeout: %s", ls_timeout_end(&scope) ? strerrorname_np(errno) : "0");
}

static void test_nested_timeout_in_finally(void)
{
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(1));
    WORK("body", 10);
    UNDER("inner", in(1), "clean-up", 10);
    say("outer: %s", ls_timeout_end(&scope) ? strerrorname_np(errno) : "0");
}

static void test_timeout_after_cancellation(void)
{
    ls_cancel(ls_self(), NULL);
    show("work", pass(1), 0);
    UNDER("timeout", ls_now(), "clean-up", 1);
    say("%d", ls_uncancel());
}

static void test_cancel_in_timeout_after_cancellation(void)
{
    ls_cancel(ls_self(), NULL);
    show("work", pass(1), 0);
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(1));
    ls_cancel(ls_self(), NULL);
    int status = (int)WORK("clean-up", 2);
    if (!ls_timeout_end(&scope) && status)
        say("timeout: 0 %s", strerrorname_np(errno));
    ls_uncancel();
    say("%d", ls_uncancel());
}

static intptr_t timed_out_and_cancelled(void *arg)
{
    (void)arg;
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(1));
    int status = (int)WORK("body", 10, 0, 5);
    return ls_timeout_end(&scope) ? -1 : status;
}
static void timeout_then_cancel_from_outside(void)
{
    struct ls_task *t = ls_spawn(timed_out_and_cancelled, NULL, NULL);
    cancel_at(3, t);
    show_task("task", t);
}

static void test_timeout_expired(void)
{
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(1));
    pass(5);
    if (ls_timeout_end(&scope))
        say("%s", strerrorname_np(errno));
    if (ls_timeout_reschedule(&scope, in(9)))
        say("refused");
}

static void test_timeout_expiring(void)
{
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(1));
    show("sleep", pass(5), 0);
    if (ls_timeout_reschedule(&scope, in(9)))
        say("refused");
    WORK("clean-up", 2);
    say("timeout: %s", ls_timeout_end(&scope) ? strerrorname_np(errno) : "0");
}

/* asyncio.wait_for. */
static void await_for(struct ls_task *t, ls_ns deadline)
{
    struct ls_timeout scope;
    intptr_t value = 0;
    ls_timeout_begin(&scope, deadline);
    int status = ls_await(t, &value, LS_NEVER);
    if (ls_timeout_end(&scope))
        status = -1;
    show("wait_for", status, value);
}

static void test_wait_for_waits_for_task_cancellation(void)
{
    struct ls_task *t = JOB("task", 9, 0, 3);
    await_for(t, in(1));
    say("%d", ls_cancelled(t));
}

static void test_wait_for(void)
{
    await_for(JOB("task", 1, 4), in(2));
    await_for(JOB("task", 1, -EDOM), in(2));
}

static intptr_t awaits_for(void *task)
{
    await_for(task, in(5));
    return 0;
}
static void test_cancel_wait_for(void)
{
    struct ls_task *t = JOB("task", 9), *outer = ls_spawn(awaits_for, t, NULL);
    cancel_at(1, outer);
    ls_await(outer, NULL, LS_NEVER);
    say("%d", ls_cancelled(t));
}

static const struct test_case cases[] = {
    CASE(test_cancelling),
    CASE(test_uncancel_basic),
    CASE(test_cancel_task_catching),
    CASE(test_cancel_task_ignoring),
    CASE(test_cancel_current_task),
    CASE(test_cancel_awaited_task),
    CASE(test_yield_future_passes_cancel),
    CASE(cancel_goes_down_a_chain),
    CASE(cancelled_twice_at_once),
    CASE(awaits_after_a_cancel_work),
    CASE(done_callbacks),
    CASE(test_timeout_basic),
    CASE(test_nested_timeouts),
    CASE(nested_timeout_inner_first),
    CASE(nested_timeout_outer_first),
    CASE(test_timeout_not_called),
    CASE(test_timeout_disabled),
    CASE(test_timeout_zero),
    CASE(test_timeout_zero_sleep_zero),
    CASE(test_timeout_in_the_past_sleep_zero),
    CASE(test_foreign_cancel_doesnt_timeout_if_not_expired),
    CASE(test_outer_task_is_not_cancelled),
    CASE(test_reschedule),
    CASE(reschedule_earlier),
    CASE(test_nested_timeout_in_finally),
    CASE(test_timeout_after_cancellation),
    CASE(test_cancel_in_timeout_after_cancellation),
    CASE(timeout_then_cancel_from_outside),
    CASE(test_timeout_expired),
    CASE(test_timeout_expiring),
    CASE(test_wait_for_waits_for_task_cancellation),
    CASE(test_wait_for),
    CASE(test_cancel_wait_for),
};

int main(void)
{
    return run_cases(cases, sizeof cases / sizeof *cases);
}

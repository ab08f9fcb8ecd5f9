/* asyncio_waits.c - gather, wait, next_done, shield: the cases of tests/e2e/asyncio_waits.py in C. */
#include "tests/lib/asyncio_cases.h"

/* gather */

static void show_results(const char *what, int status, const intptr_t *results, size_t n)
{
    char text[128] = "";
    if (status)
        snprintf(text, sizeof text, "%s", strerrorname_np(errno));
    else
        for (size_t i = 0; i < n; i++) {
            char word[24];
            snprintf(word, sizeof word, "%s%d", i ? " " : "", (int)results[i]);
            if (results[i] < 0)
                snprintf(word, sizeof word, "%s%s", i ? " " : "", strerrorname_np((int)-results[i]));
            strncat(text, word, sizeof text - strlen(text) - 1);
        }
    say("%s: %s", what, text);
}

static void gather(const char *what, struct ls_task *const *tasks, size_t n, int all)
{
    intptr_t results[8];
    int status = all ? ls_gather_all(tasks, n, results, LS_NEVER) : ls_gather(tasks, n, results, LS_NEVER);
    show_results(what, status, results, n);
}

static void test_success(void)
{
    struct ls_task *t[] = { JOB("a", 3, 2), JOB("b", 1, 1), JOB("c", 2, 3) };
    gather("gather", t, 3, 0);
}

static void test_one_exception(void)
{
    struct ls_task *t[] = { JOB("a", 1, 1), JOB("b", 2, -EDOM), JOB("c", 3, 3) };
    gather("gather", t, 3, 0);
    show_task("c", t[2]);
}

static void test_return_exceptions(void)
{
    struct ls_task *t[] = { JOB("a", 3, 3), JOB("b", 1, 1), JOB("c", 2, -EDOM), JOB("d", 4, -EIO) };
    gather("gather", t, 4, 1);
}

static void test_constructor_empty_sequence(void)
{
    gather("gather", NULL, 0, 0);
}

static void test_one_cancellation(void)
{
    struct ls_task *t[] = { JOB("a", 1, 1), JOB("b", 3, 1), JOB("c", 4, 3) };
    CANCEL_LATER(2, t[1]);
    gather("gather", t, 3, 0);
    show_task("c", t[2]);
}

static void test_result_exception_one_cancellation(void)
{
    struct ls_task *t[] = { JOB("a", 1, 1), JOB("b", 2, -EDOM), JOB("c", 9, 1), JOB("d", 4, 3), JOB("e", 5, -EIO) };
    CANCEL_LATER(3, t[2]);
    gather("gather", t, 5, 1);
}

struct many {
    struct ls_task **tasks;
    size_t n;
    const char *what;
};
static intptr_t gathers(void *arg)
{
    const struct many *m = arg;
    gather(m->what, m->tasks, m->n, 0);
    return 0;
}

static void test_cancellation_broadcast(void)
{
    struct ls_task *t[] = { JOB("a", 9), JOB("b", 9) };
    struct ls_task *outer = ls_spawn(gathers, (&(struct many){ t, 2, "gather" }), "outer");
    cancel_at(1, outer);
    ls_await(outer, NULL, LS_NEVER);
    say("%d %d", ls_cancelled(t[0]), ls_cancelled(t[1]));
}

static intptr_t gathers_again(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        struct ls_task *t = JOB("sleep", 2);
        if (ls_gather_all(&t, 1, NULL, LS_NEVER))
            return -1;
    }
    return 0;
}
static void test_cancel_gather_2(void)
{
    struct ls_task *t = ls_spawn(gathers_again, NULL, NULL);
    cancel_at(5, t);
    show_task("again", t);
}

static void test_exception_marking(void)
{
    struct ls_task *t[] = { JOB("a", 1, -EDOM), JOB("b", 2, -EIO) };
    gather("gather", t, 2, 0);
    pass(3);
    say("%s", strerrorname_np(ls_error(t[1])));
    ls_reap(t, 2, NULL, LS_NEVER);
}

static void gather_in_a_timeout_cancels_all(void)
{
    struct ls_task *t[] = { JOB("a", 1, 1), JOB("b", 9) };
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(2));
    int status = ls_gather(t, 2, NULL, LS_NEVER);
    if (ls_timeout_end(&scope))
        status = -1;
    show("gather", status, 0);
    say("%d %d", ls_cancelled(t[0]), ls_cancelled(t[1]));
}

static intptr_t inner_gather(void *arg)
{
    static const char *const names[] = { "0.0", "0.1", "1.0", "1.1" };
    intptr_t i = (intptr_t)arg;
    struct ls_task *t[] = { JOB(names[2 * i], 5), JOB(names[2 * i + 1], 5) };
    return ls_gather(t, 2, NULL, LS_NEVER);
}
static void gather_nested(void)
{
    struct ls_task *t[] = { ls_spawn(inner_gather, (void *)0, "0"), ls_spawn(inner_gather, (void *)1, "1") };
    struct ls_task *outer = ls_spawn(gathers, (&(struct many){ t, 2, "outer" }), "outer");
    cancel_at(1, outer);
    ls_await(outer, NULL, LS_NEVER);
}

/* wait */

static void wait_for(struct ls_task *const *t, enum ls_wait_mode mode, ls_ns deadline)
{
    bool done[2];
    int status = ls_wait(t, 2, mode, done, deadline);
    say("wait: %s %d %d", status ? strerrorname_np(errno) : "0", done[0], done[1]);
}

static void test_wait(void)
{
    struct ls_task *t[] = { JOB("a", 2), JOB("b", 3) };
    wait_for(t, LS_ALL_DONE, LS_NEVER);
    wait_for(t, LS_ALL_DONE, LS_NEVER);
}

static void test_wait_errors(void)
{
    if (ls_wait(NULL, 0, LS_ALL_DONE, NULL, LS_NEVER))
        say("%s", strerrorname_np(errno));
    struct ls_task *t = JOB("a", 1);
    if (ls_wait(&t, 1, (enum ls_wait_mode)77, NULL, LS_NEVER))
        say("%s", strerrorname_np(errno));
    pass(2);
}

static void test_wait_first_completed(void)
{
    struct ls_task *t[] = { JOB("a", 10), JOB("b", 1) };
    wait_for(t, LS_FIRST_DONE, LS_NEVER);
    ls_reap(t, 2, NULL, LS_NEVER);
}

static void test_wait_really_done(void)
{
    struct ls_task *t[] = { JOB("a", 0), JOB("b", 0) };
    pass(1);
    wait_for(t, LS_FIRST_DONE, LS_NEVER);
}

static void test_wait_first_exception(void)
{
    struct ls_task *t[] = { JOB("a", 10), JOB("b", 0, -EDOM) };
    wait_for(t, LS_FIRST_ERROR, LS_NEVER);
    ls_reap(t, 2, NULL, LS_NEVER);
}

static void test_wait_first_exception_in_wait(void)
{
    struct ls_task *t[] = { JOB("a", 10), JOB("b", 1, -EDOM) };
    wait_for(t, LS_FIRST_ERROR, LS_NEVER);
    ls_reap(t, 2, NULL, LS_NEVER);
}

static void wait_first_exception_is_no_cancel(void)
{
    struct ls_task *t[] = { JOB("a", 3), JOB("b", 9) };
    CANCEL_LATER(1, t[1]);
    wait_for(t, LS_FIRST_ERROR, LS_NEVER);
}

static void test_wait_with_exception(void)
{
    struct ls_task *t[] = { JOB("a", 2), JOB("b", 3, -EDOM) };
    wait_for(t, LS_ALL_DONE, LS_NEVER);
    wait_for(t, LS_ALL_DONE, LS_NEVER);
    ls_reap(t, 2, NULL, LS_NEVER);
}

static void test_wait_with_timeout(void)
{
    struct ls_task *t[] = { JOB("a", 1), JOB("b", 3) };
    wait_for(t, LS_ALL_DONE, in(2));
    ls_reap(t, 2, NULL, LS_NEVER);
}

static void test_wait_concurrent_complete(void)
{
    struct ls_task *t[] = { JOB("a", 1), JOB("b", 3) };
    ls_yield();
    wait_for(t, LS_ALL_DONE, in(1));
    ls_reap(t, 2, NULL, LS_NEVER);
}

static intptr_t waits_for_one(void *task)
{
    struct ls_task *t = task;
    return ls_wait(&t, 1, LS_ALL_DONE, NULL, LS_NEVER);
}
static void test_yield_wait_does_not_shield_cancel(void)
{
    struct ls_task *inner = JOB("inner", 3), *outer = ls_spawn(waits_for_one, inner, NULL);
    cancel_at(1, outer);
    show_task("outer", outer);
    show_task("inner", inner);
}

/* as_completed */

static void in_order(struct ls_task **t, size_t n, ls_ns deadline)
{
    int status;
    do {
        intptr_t value = 0;
        errno = 0;
        status = ls_next_done(t, n, NULL, &value, deadline);
        if (!status || errno != ESRCH)
            show("next", status, value);
    } while (!status);
}

static void test_as_completed(void)
{
    struct ls_task *t[] = { JOB("b", 2, 2), JOB("c", 3, 3), JOB("a", 1, 1) };
    in_order(t, 3, LS_NEVER);
}

static void test_as_completed_with_timeout(void)
{
    struct ls_task *t[] = { JOB("a", 1, 1), JOB("b", 3, 2) };
    in_order(t, 2, in(2));
    ls_reap(t, 2, NULL, LS_NEVER);
}

static void test_as_completed_with_unused_timeout(void)
{
    struct ls_task *t[] = { JOB("a", 1, 1) };
    in_order(t, 1, in(9));
}

static void test_as_completed_concurrent(void)
{
    struct ls_task *t[] = { JOB("a", 1, 1), JOB("b", 1, 2) };
    in_order(t, 2, LS_NEVER);
}

static void as_completed_with_errors(void)
{
    struct ls_task *t[] = { JOB("a", 3, 1), JOB("b", 2, -EDOM), JOB("c", 9) };
    CANCEL_LATER(1, t[2]);
    in_order(t, 3, LS_NEVER);
}

/* shield */

static int shield(const char *what, struct ls_task *inner)
{
    intptr_t value = 0;
    int status = ls_shield(inner, &value, LS_NEVER);
    return show(what, status, value);
}
static intptr_t shields(void *inner)
{
    return shield("shield", inner);
}

static void test_shield_result(void)
{
    shield("shield", JOB("inner", 1, 42));
}

static void test_shield_exception(void)
{
    shield("shield", JOB("inner", 1, -EDOM));
}

static void test_shield_cancel_inner(void)
{
    struct ls_task *inner = JOB("inner", 9);
    CANCEL_LATER(1, inner);
    shield("shield", inner);
}

static void test_shield_cancel_outer(void)
{
    struct ls_task *inner = JOB("inner", 3, 7), *outer = ls_spawn(shields, inner, NULL);
    cancel_at(1, outer);
    ls_await(outer, NULL, LS_NEVER);
    show_task("inner", inner);
}

static void test_shield_shortcut(void)
{
    struct ls_task *inner = JOB("inner", 0, 42);
    pass(1);
    shield("shield", inner);
}

static void test_shield_gather(void)
{
    struct ls_task *t[] = { JOB("a", 2, 1), JOB("b", 3, 2) };
    struct ls_task *parent = ls_spawn(gathers, (&(struct many){ t, 2, "gather" }), "parent");
    struct ls_task *outer = ls_spawn(shields, parent, NULL);
    cancel_at(1, outer);
    ls_await(outer, NULL, LS_NEVER);
    ls_await(parent, NULL, LS_NEVER);
}

static void test_gather_shield(void)
{
    struct ls_task *t[] = { JOB("a", 3, 1), JOB("b", 3, 2) };
    struct ls_task *s[] = { ls_spawn(shields, t[0], NULL), ls_spawn(shields, t[1], NULL) };
    struct ls_task *outer = ls_spawn(gathers, (&(struct many){ s, 2, "gather" }), "outer");
    pass(1);
    say("cancel");
    ls_cancel(s[0], NULL);
    ls_cancel(s[1], NULL);
    ls_await(outer, NULL, LS_NEVER);
    gather("inner", t, 2, 0);
}

static const struct test_case cases[] = {
    CASE(test_success),
    CASE(test_one_exception),
    CASE(test_return_exceptions),
    CASE(test_constructor_empty_sequence),
    CASE(test_one_cancellation),
    CASE(test_result_exception_one_cancellation),
    CASE(test_cancellation_broadcast),
    CASE(test_cancel_gather_2),
    CASE(test_exception_marking),
    CASE(gather_in_a_timeout_cancels_all),
    CASE(gather_nested),
    CASE(test_wait),
    CASE(test_wait_errors),
    CASE(test_wait_first_completed),
    CASE(test_wait_really_done),
    CASE(test_wait_first_exception),
    CASE(test_wait_first_exception_in_wait),
    CASE(wait_first_exception_is_no_cancel),
    CASE(test_wait_with_exception),
    CASE(test_wait_with_timeout),
    CASE(test_wait_concurrent_complete),
    CASE(test_yield_wait_does_not_shield_cancel),
    CASE(test_as_completed),
    CASE(test_as_completed_with_timeout),
    CASE(test_as_completed_with_unused_timeout),
    CASE(test_as_completed_concurrent),
    CASE(as_completed_with_errors),
    CASE(test_shield_result),
    CASE(test_shield_exception),
    CASE(test_shield_cancel_inner),
    CASE(test_shield_cancel_outer),
    CASE(test_shield_shortcut),
    CASE(test_shield_gather),
    CASE(test_gather_shield),
};

int main(void)
{
    return run_cases(cases, sizeof cases / sizeof *cases);
}

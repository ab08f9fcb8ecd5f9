/* asyncio_groups.c - groups and locals: the cases of tests/e2e/asyncio_groups.py in C. */
#include "tests/lib/asyncio_cases.h"

/* groups */

#define SPAWN(g, ...) ls_group_spawn((g), work, &JOB_OF(__VA_ARGS__), "job")

static int close_group(const char *what, struct ls_group *g)
{
    int status = ls_group_close(g, LS_NEVER), error = errno;
    char text[128] = "0";
    struct ls_group_error errors[8];
    ssize_t n = ls_group_errors(NULL, errors, 8);
    if (status)
        snprintf(text, sizeof text, "%s", strerrorname_np(error));
    for (ssize_t i = 1; i < n; i++) {
        strncat(text, " ", sizeof text - strlen(text) - 1);
        strncat(text, strerrorname_np(errors[i].error), sizeof text - strlen(text) - 1);
    }
    say("%s: %s", what, text);
    errno = error;
    return status;
}

static intptr_t result_of(struct ls_task *t)
{
    intptr_t value = -77;
    ls_result(t, &value);
    return value;
}

static void test_taskgroup_01(void)
{
    struct ls_group *g = ls_group_open("g");
    struct ls_task *t[] = { ls_ref(SPAWN(g, "a", 1, 42)), ls_ref(SPAWN(g, "b", 2, 11)) };
    close_group("group", g);
    say("%d %d", (int)result_of(t[0]), (int)result_of(t[1]));
}

static void test_taskgroup_02(void)
{
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 2, 42);
    pass(1);
    SPAWN(g, "b", 2, 11);
    close_group("group", g);
}

static void test_taskgroup_03(void)
{
    struct ls_group *g = ls_group_open("g");
    struct ls_task *a = ls_ref(SPAWN(g, "a", 9, 42));
    pass(1);
    ls_cancel(a, NULL);
    struct ls_task *b = ls_ref(SPAWN(g, "b", 2, 11));
    ls_group_close(g, LS_NEVER);
    say("%d %d", ls_cancelled(a), (int)result_of(b));
}

static void test_taskgroup_04(void)
{
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 1, -EDOM);
    SPAWN(g, "b", 9);
    close_group("group", g);
}

static void test_cancel_children_on_child_error(void)
{
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 1, -EDOM);
    SPAWN(g, "b", 5);
    WORK("body", 10);
    close_group("group", g);
    WORK("after", 1);
    say("%d", ls_cancelling(ls_self()));
}

static intptr_t runner_of_five(void *arg)
{
    static const char *const names[] = { "0", "1", "2", "3", "4" };
    struct job jobs[5];
    (void)arg;
    struct ls_group *g = ls_group_open("g");
    for (int i = 0; i < 5; i++) {
        jobs[i] = JOB_OF(names[i], 5);
        ls_group_spawn(g, work, &jobs[i], NULL);
    }
    return close_group("group", g);
}
static void test_cancellation(void)
{
    struct ls_task *t = ls_spawn(runner_of_five, NULL, NULL);
    cancel_at(1, t);
    show_task("runner", t);
}

/* A body that is cancelled cancels what it began: as a `with` that is left by an exception. */
static int leave_group(const char *what, struct ls_group *g, int status)
{
    if (status)
        ls_group_cancel(g, "the body failed");
    return close_group(what, g);
}

static intptr_t runner_07(void *arg)
{
    (void)arg;
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 5);
    SPAWN(g, "b", 5);
    return leave_group("group", g, (int)WORK("body", 10));
}
static void test_taskgroup_07(void)
{
    struct ls_task *t = ls_spawn(runner_07, NULL, NULL);
    cancel_at(1, t);
    show_task("runner", t);
}

static intptr_t runner_08(void *arg)
{
    static const struct job jobs[] = { { "0", 10, 0, 0, EDOM }, { "1", 10, 0, 0, EDOM }, { "2", 10, 0, 0, EDOM } };
    struct ls_group *g = ls_group_open("g");
    for (intptr_t i = 0; i < (intptr_t)arg; i++)
        ls_group_spawn(g, work, (void *)(uintptr_t)&jobs[i], NULL);
    return leave_group(arg == (void *)3 ? "group" : "inner", g, (int)WORK("body", 10));
}
static void test_taskgroup_08(void)
{
    struct ls_task *t = ls_spawn(runner_08, (void *)3, NULL);
    cancel_at(1, t);
    ls_await(t, NULL, LS_NEVER);
}

static intptr_t runner_12(void *arg)
{
    (void)arg;
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "outer", 10);
    if (runner_08((void *)2))
        ls_group_cancel(g, NULL);
    ls_group_close(g, LS_NEVER);
    say("outer: over");
    return 0;
}
static void test_taskgroup_12(void)
{
    struct ls_task *t = ls_spawn(runner_12, NULL, NULL);
    cancel_at(1, t);
    ls_await(t, NULL, LS_NEVER);
}

static void test_taskgroup_13(void)
{
    struct ls_group *outer = ls_group_open("outer");
    SPAWN(outer, "a", 1, -EINVAL);
    struct ls_group *inner = ls_group_open("inner");
    SPAWN(inner, "b", 10);
    close_group("inner", inner);
    close_group("outer", outer);
}

static void test_taskgroup_14(void)
{
    struct ls_group *outer = ls_group_open("outer");
    SPAWN(outer, "a", 3);
    struct ls_group *inner = ls_group_open("inner");
    SPAWN(inner, "b", 1, -EINVAL);
    close_group("inner", inner);
    close_group("outer", outer);
}

static intptr_t runner_15(void *arg)
{
    (void)arg;
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 3, -EDOM);
    return leave_group("group", g, (int)WORK("body", 10, 0, 5));
}
static void test_taskgroup_15(void)
{
    struct ls_task *t = ls_spawn(runner_15, NULL, NULL);
    cancel_at(1, t);
    ls_await(t, NULL, LS_NEVER);
}

static intptr_t runner_17(void *arg)
{
    (void)arg;
    struct ls_group *g = ls_group_open("g");
    return leave_group("group", g, (int)WORK("body", 10));
}
static void test_taskgroup_17(void)
{
    struct ls_task *t = ls_spawn(runner_17, NULL, NULL);
    cancel_at(1, t);
    show_task("runner", t);
}

static intptr_t sleeps_5(void *arg)
{
    (void)arg;
    return pass(5);
}
static void test_taskgroup_23(void)
{
    struct ls_group *g = ls_group_open("g");
    for (int i = 0; i < 10; i++) {
        pass(2);
        ls_group_spawn(g, sleeps_5, NULL, NULL);
        if (i == 5)
            say("%zd", ls_group_count(g));
    }
    pass(14);
    say("%zd", ls_group_count(g));
    ls_group_close(g, LS_NEVER);
}

static intptr_t root_24(void *group)
{
    static struct job a = { .name = "a", .delay = 1 }, b = { .name = "b", .delay = 2 };
    pass(1);
    ls_group_spawn(group, work, &a, NULL);
    ls_group_spawn(group, work, &b, NULL);
    return 0;
}
static void test_taskgroup_24(void)
{
    struct ls_group *g = ls_group_open("g");
    ls_group_spawn(g, root_24, g, NULL);
    ls_group_close(g, LS_NEVER);
    say("over");
}

static intptr_t tries_to_spawn(void *group)
{
    if (!pass(9))
        return 0;
    if (!SPAWN(group, "never", 0))
        say("refused");
    return fail(ECANCELED);
}
static void test_taskgroup_no_create_task_after_failure(void)
{
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 1, -EDOM);
    ls_group_spawn(g, tries_to_spawn, g, NULL);
    close_group("group", g);
}

static void test_taskgroup_finished(void)
{
    struct ls_group *g = ls_group_open("g");
    ls_group_close(g, LS_NEVER);
    if (!SPAWN(g, "never", 0))
        say("refused");
}

static void group_all_errors(void)
{
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 1, -EDOM);
    SPAWN(g, "b", 9, 0, 1, EIO);
    SPAWN(g, "c", 9, 0, 0, EPIPE);
    close_group("group", g);
}

static void group_in_a_timeout(void)
{
    struct ls_timeout scope;
    ls_timeout_begin(&scope, in(2));
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 5);
    SPAWN(g, "b", 6);
    if (close_group("group", g))
        say("told");
    say("timeout: %s", ls_timeout_end(&scope) ? strerrorname_np(errno) : "0");
}

static intptr_t runner_twice(void *arg)
{
    (void)arg;
    struct ls_group *g = ls_group_open("g");
    SPAWN(g, "a", 9, 0, 4);
    return close_group("group", g);
}
static void group_cancelled_twice(void)
{
    struct ls_task *t = ls_spawn(runner_twice, NULL, NULL);
    cancel_at(1, t);
    cancel_at(1, t);
    show_task("runner", t);
}

/* locals */

static const struct ls_local var = { "var", NULL };
static intptr_t value_of_var(void)
{
    return (intptr_t)ls_local_get(&var);
}
static intptr_t local_child(void *name)
{
    say("%s %d", (const char *)name, (int)value_of_var());
    ls_local_set(&var, (void *)(value_of_var() + 10));
    pass(1);
    say("%s %d", (const char *)name, (int)value_of_var());
    return 0;
}
static void contextvars_are_inherited(void)
{
    struct ls_task *t[2];
    ls_local_set(&var, (void *)1);
    t[0] = ls_spawn(local_child, "a", NULL);
    ls_local_set(&var, (void *)2);
    t[1] = ls_spawn(local_child, "b", NULL);
    ls_local_set(&var, (void *)3);
    ls_gather(t, 2, NULL, LS_NEVER);
    say("main %d", (int)value_of_var());
}

static const struct test_case cases[] = {
    CASE(test_taskgroup_01),
    CASE(test_taskgroup_02),
    CASE(test_taskgroup_03),
    CASE(test_taskgroup_04),
    CASE(test_cancel_children_on_child_error),
    CASE(test_cancellation),
    CASE(test_taskgroup_07),
    CASE(test_taskgroup_08),
    CASE(test_taskgroup_12),
    CASE(test_taskgroup_13),
    CASE(test_taskgroup_14),
    CASE(test_taskgroup_15),
    CASE(test_taskgroup_17),
    CASE(test_taskgroup_23),
    CASE(test_taskgroup_24),
    CASE(test_taskgroup_no_create_task_after_failure),
    CASE(test_taskgroup_finished),
    CASE(group_all_errors),
    CASE(group_in_a_timeout),
    CASE(group_cancelled_twice),
    CASE(contextvars_are_inherited),
};

int main(void)
{
    return run_cases(cases, sizeof cases / sizeof *cases);
}

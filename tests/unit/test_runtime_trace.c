/* What the runtime tells the probe: the story of a small program, line by line. */
#include "tests/lib/fake_probe.h"

#include <criterion/criterion.h>
#include <errno.h>

#include <loopscope/runtime.h>

static intptr_t yielder(void *arg)
{
    ls_yield();
    return (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *a = ls_spawn(yielder, (void *)1, "a%d", 1), *b = ls_spawn(yielder, (void *)2, NULL);
    ls_await(a, NULL, LS_NEVER);
    ls_await(b, NULL, LS_NEVER);
    return 0;
}
Test(runtime_trace, a_scheduling_point_is_one_switch)
{
    ls_recording = 1;
    struct ls_opts opts = { .name = "demo" };
    ls_run(app, NULL, &opts);
    cr_assert_str_eq(
        fake.text,
        "loop demo\n"
        "new main by loop\n"
        "loop -> main: -\n"
        "new a1 by main\n"
        "new yielder by main\n"
        "main -> a1: task a1 in app\n"
        "a1 -> yielder: yield in yielder\n"
        "yielder -> a1: yield in yielder\n"
        "end a1 ok 1\n" /* and the next three lines: one event */
        "observed a1\n"
        "wake main by a1\n"
        "a1 -> yielder: end\n"
        "end yielder ok 2\n"
        "yielder -> main: end\n"
        "observed yielder\n"
        "end main ok 0\n"
        "main -> loop: end\n"
        "observed main\n"
        "loop end\n");
}

static intptr_t cancelled(void *arg)
{
    (void)arg;
    return ls_sleep(LS_SEC);
}
static intptr_t failed(void *arg)
{
    (void)arg;
    errno = ENOENT;
    return -1;
}
static intptr_t job(void *arg)
{
    return (intptr_t)arg;
}
static intptr_t outcomes(void *arg)
{
    (void)arg;
    struct ls_task *t[2] = { ls_spawn(cancelled, NULL, "c"), ls_spawn(failed, NULL, "f") };
    ls_yield();
    ls_cancel(t[0], NULL);
    ls_gather_all(t, 2, NULL, LS_NEVER);
    ls_to_thread(job, NULL, NULL, LS_NEVER);
    return 0;
}
Test(runtime_trace, outcomes_and_groups_and_threads)
{
    ls_recording = 1;
    ls_run(outcomes, NULL, NULL);
    static const char *const lines[] = { "end c cancelled 125\n",
                                         "end f error 2\n",
                                         "object gather of 2\n",
                                         ": group in outcomes\n",
                                         "object end\n",
                                         "wake c by main\n",
                                         "main -> loop: thread in outcomes\n",
                                         "wake main by loop\n" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_assert(strstr(fake.text, lines[i]), "no line \"%s\" in:\n%s", lines[i], fake.text);
    cr_assert(!fake.lo && !fake.hi, "the loop runs on the thread's own stack");
}

static intptr_t looks_at_stack(void *arg)
{
    char here;
    *(int *)arg = (const char *)fake.lo < &here && &here < (const char *)fake.hi;
    return 0;
}
Test(runtime_trace, the_stack_that_a_task_runs_on)
{
    int inside = 0;
    ls_recording = 1;
    ls_run(looks_at_stack, &inside, NULL);
    cr_assert(inside);
}

static intptr_t late(void *arg)
{
    (void)arg;
    ls_recording = 1; /* begins in the middle */
    ls_await(ls_spawn(yielder, NULL, "child"), NULL, LS_NEVER);
    return 0;
}
Test(runtime_trace, tasks_that_are_older_than_the_recording)
{
    ls_run(late, NULL, NULL);
    cr_assert(strstr(fake.text, "new main by loop\n") && strstr(fake.text, "new child by main\n"), "%s", fake.text);
}

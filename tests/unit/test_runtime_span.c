/* Spans, marks, counters and the allowance to block, as the probe hears of them. */
#include "tests/lib/fake_probe.h"

#include <criterion/criterion.h>
#include <errno.h>

#include <loopscope/runtime.h>

static const char *told(ls_fn *fn, void *arg)
{
    static const struct ls_opts still = { .virtual_time = true };
    ls_recording = 1;
    fake.marks = 1;
    intptr_t result = ls_run(fn, arg, &still);
    fake_say("result %d\n", (int)result);
    return fake.text;
}
static void expect(const char *story, const char *const lines[])
{
    for (size_t i = 0; lines[i]; i++) {
        const char *at = strstr(story, lines[i]);
        cr_assert(at, "'%s' is not in, or not after the former of\n%s", lines[i], fake.text);
        story = at + strlen(lines[i]);
    }
}

static int leaves(int how)
{
    for (int i = 0; i < 2; i++) {
        LS_SPAN("left")
        {
            if (how == 0)
                break; /* the span, not the loop */
            if (how == 1)
                continue;
            if (how == 2)
                goto out;
            if (how == 3)
                return 3;
        }
        ls_markf("after %d of %d", how, i);
    }
out:
    return 0;
}
static intptr_t leaves_all(void *arg)
{
    for (int how = 0; how < 5; how++)
        leaves(how);
    LS_SPAN("outer") LS_SPAN("inner") ls_mark("within");
    errno = EXDEV;
    LS_SPAN("keeps errno") ls_markf("%s", "it");
    return errno == EXDEV ? 0 : (intptr_t)arg + 1;
}
Test(runtime_span, ends_however_the_block_is_left)
{
    expect(told(leaves_all, NULL),
           (const char *[]){ "span left of main: nan\nmark after 0 of 0 of main: nan\nspan left of main: nan\n"
                             "mark after 0 of 1 of main: nan\n",
                             "span left of main: nan\nmark after 1 of 0 of main: nan\nspan left of main: nan\n"
                             "mark after 1 of 1 of main: nan\n",
                             "span left of main: nan\nspan left of main: nan\nspan left of main: nan\n"
                             "mark after 4 of 0 of main: nan\n",
                             "mark within of main: nan\nspan inner of main: nan\nspan outer of main: nan\n",
                             "result 0\n", NULL });
}

static intptr_t spanned(void *arg)
{
    LS_SPAN("work")
    {
        ls_counter("depth", (double)(intptr_t)arg);
        ls_sleep((ls_ns)(intptr_t)arg * LS_MS);
    }
    return 0;
}
static intptr_t overlaps(void *arg)
{
    (void)arg;
    struct ls_task *t[2] = { ls_spawn(spanned, (void *)20, "a"), ls_spawn(spanned, (void *)10, "b") };
    return ls_gather(t, 2, NULL, LS_NEVER);
}
Test(runtime_span, is_of_the_task_that_ran_it)
{
    expect(told(overlaps, NULL), (const char *[]){ "mark depth of a: 20\n", "mark depth of b: 10\n",
                                                   "span work of b: nan\n", "span work of a: nan\n", NULL });
}

static intptr_t allowed(void *arg)
{
    LS_ALLOW_BLOCK("reads the config")
    {
        ls_yield();
        LS_ALLOW_BLOCK(NULL) ls_yield();
        ls_yield();
    }
    ls_yield();
    return (intptr_t)arg;
}
static intptr_t other(void *arg)
{
    for (int i = 0; i < 6; i++)
        ls_yield();
    return (intptr_t)arg;
}
static intptr_t two(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(allowed, NULL, "a"), ls_spawn(other, NULL, "b") };
    return ls_gather(t, 2, arg, LS_NEVER);
}
Test(runtime_span, an_allowance_rests_while_others_run)
{
    expect(told(two, NULL),
           (const char *[]){ "may block: reads the config\n", "may block: no more\na -> b: yield", "b -> a",
                             "may block: no reason was given\n", "may block: no more\na -> b: yield",
                             "may block: no reason was given\nb -> a", "may block: reads the config\n",
                             "may block: no more\na -> b: yield", "may block: reads the config\nb -> a",
                             "may block: no more\na -> b: yield", "b -> a", NULL });
    cr_assert(!strstr(strstr(fake.text, "end a ok"), "may block"));
}

static intptr_t cancelled_inside(void *arg)
{
    LS_ALLOW_BLOCK("for a while") if (ls_sleep(LS_SEC)) return (intptr_t)arg;
    return 1;
}
static intptr_t cancels(void *arg)
{
    struct ls_task *t = ls_spawn(cancelled_inside, arg, "a");
    ls_sleep(LS_MS);
    ls_cancel(t, NULL);
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_span, an_allowance_ends_with_a_cancelled_task)
{
    expect(told(cancels, NULL),
           (const char *[]){ "may block: for a while\n", "may block: no more\na -> loop: sleep",
                             "may block: for a while\nmain -> a", "may block: no more\nend a ok", NULL });
}

Test(runtime_span, nothing_is_formatted_while_nothing_records)
{
    int evaluated = 0;
    fake.marks = 1;
    LS_SPAN("s") ls_markf("%d", evaluated++);
    cr_assert_str_eq(fake.text, "");
    cr_assert_eq(evaluated, 0);
}

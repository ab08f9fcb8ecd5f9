/* asyncio_cases.h - for tests/targets/asyncio_*.c: the words of tests/lib/asyncio_cases.py in C, in virtual time. */
#ifndef TESTS_ASYNCIO_CASES_H
#define TESTS_ASYNCIO_CASES_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

static ls_ns start; /* of the case */

static inline void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void say(const char *format, ...)
{
    va_list ap;
    printf("  %d ", (int)((ls_now() - start) / LS_SEC));
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
}

static inline intptr_t fail(int error)
{
    errno = error;
    return -1;
}

static inline ls_ns in(int seconds)
{
    return ls_after((ls_ns)seconds * LS_SEC);
}

static inline int pass(int seconds)
{
    return ls_sleep((ls_ns)seconds * LS_SEC);
}

/* What came of a wait for a value: "what: 7", "what: EDOM". */
static inline int show(const char *what, int status, intptr_t value)
{
    if (status || value == -1)
        say("%s: %s", what, strerrorname_np(errno));
    else
        say("%s: %d", what, (int)value);
    return 0;
}

struct job {
    const char *name;
    int delay, value, cleanup, instead;
};
static inline intptr_t work(void *arg)
{
    const struct job *j = arg;
    if (ls_sleep((ls_ns)j->delay * LS_SEC)) {
        say("%s cancelled", j->name);
        if (j->cleanup) {
            if (pass(j->cleanup))
                return -1;
            say("%s cleaned up", j->name);
        }
        return fail(j->instead ? j->instead : ECANCELED);
    }
    say("%s %s", j->name, j->value < 0 ? "fails" : "done");
    return j->value < 0 ? fail(-j->value) : j->value;
}
/* A job whose last fields may be left out. */
#define FIVE(a, b, c, d, e, ...) { (a), (b), (c), (d), (e) }
#define JOB_OF(...)              ((struct job)FIVE(__VA_ARGS__, 0, 0, 0, 0))
#define WORK(...)                work(&JOB_OF(__VA_ARGS__))
#define JOB(...)                 ls_spawn(work, &JOB_OF(__VA_ARGS__), "job")

static inline void cancel_at(int delay, struct ls_task *task)
{
    pass(delay);
    say("cancel");
    ls_cancel(task, "test");
}
struct later {
    int delay;
    struct ls_task *task;
};
static inline intptr_t cancels_later(void *arg)
{
    const struct later *l = arg;
    cancel_at(l->delay, l->task);
    return 0;
}
#define CANCEL_LATER(...) ls_detach(ls_spawn(cancels_later, (&(struct later){ __VA_ARGS__ }), "cancels"))

/* Waits for a task and shows its end; the handle is given back. */
static inline int show_task(const char *what, struct ls_task *task)
{
    intptr_t value = 0;
    int status = ls_await(task, &value, LS_NEVER), error = errno;
    if (status)
        ls_detach(task);
    errno = error;
    return show(what, status, value);
}

struct test_case {
    const char *name;
    void (*run)(void);
};
#define CASE(name) { #name, name }

static inline intptr_t run_case(void *arg)
{
    start = ls_now();
    ((const struct test_case *)arg)->run();
    return 0;
}
/* main's status. */
static inline int run_cases(const struct test_case *cases, size_t n)
{
    struct ls_opts opts = { .virtual_time = true };
    for (size_t i = 0; i < n; i++) {
        printf("== %s\n", cases[i].name);
        fflush(stdout);
        if (ls_run(run_case, (void *)(uintptr_t)&cases[i], &opts))
            return 1;
    }
    return 0;
}

#endif

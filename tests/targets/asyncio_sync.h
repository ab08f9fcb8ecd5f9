/* asyncio_sync.h - what the targets of tests/e2e/asyncio_sync.py share: each has cases of asyncio's tests for our runtime, and
 * prints "Case: what happened", a line each. */
#ifndef TESTS_ASYNCIO_SYNC_H
#define TESTS_ASYNCIO_SYNC_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <loopscope/runtime.h>

static char said[512], order[256];
static struct ls_lock *lock;
static struct ls_cond *cond;
static struct ls_event *event, *go[8];
static struct ls_task *t[8];
static int value;

__attribute__((format(printf, 3, 4))) static inline void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + used, size - used, format, ap);
    va_end(ap);
}
#define say(...) append(said, sizeof said, __VA_ARGS__)
#define tag(...) append(order, sizeof order, __VA_ARGS__)

static void say_order(void)
{
    say("[%s] ", order);
}
static inline const char *outcome(struct ls_task *task)
{
    return !ls_done(task) ? "pending" : ls_cancelled(task) ? "cancelled" : ls_error(task) ? "failed" : "done";
}
static void say_outcomes(int n)
{
    for (int i = 0; i < n; i++)
        say("%s ", outcome(t[i]));
}
static void tick(int n)
{
    while (n-- > 0)
        ls_yield();
}
static void wait_all(int n)
{
    ls_wait(t, (size_t)n, LS_ALL_DONE, NULL, LS_NEVER);
}
/* Tasks 1 to n, which are given their number. */
static inline void spawn(ls_fn *fn, int n)
{
    for (intptr_t i = 1; i <= n; i++)
        t[i - 1] = ls_spawn(fn, (void *)i, "%d", (int)i);
}

struct sync_case {
    const char *name;
    void (*run)(void);
};

/* Each in a loop of its own, in virtual time. */
static intptr_t run_case(void *arg)
{
    lock = ls_lock_new(NULL);
    cond = ls_cond_new(NULL);
    event = ls_event_new(NULL);
    for (int i = 0; i < 8; i++)
        go[i] = ls_event_new(NULL);
    (*(void (*const *)(void))arg)();
    return 0;
}

static inline int run_cases(const struct sync_case cases[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *said = *order = 0;
        value = 0;
        ls_run(run_case, (void *)(uintptr_t)&cases[i].run, &(struct ls_opts){ .virtual_time = true });
        printf("%s: %s\n", cases[i].name, said);
    }
    return 0;
}

#endif

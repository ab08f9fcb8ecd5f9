/* Calls at a later time, and virtual time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#include "runtime/core/loop.h"

static const struct ls_opts virtual = { .virtual_time = true };

static char story[512];
static void note(void *what)
{
    char text[64];
    snprintf(text, sizeof text, "%s@%lu ", (char *)what, (unsigned long)(ls_now() / LS_MS));
    strncat(story, text, sizeof story - strlen(story) - 1);
}
static ls_ns real(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ls_ns)t.tv_sec * LS_SEC + (ls_ns)t.tv_nsec;
}

static intptr_t order_app(void *arg)
{
    (void)arg;
    ls_call_later(20 * LS_MS, note, "c");
    ls_call_later(10 * LS_MS, note, "a");
    ls_call_later(10 * LS_MS, note, "b");
    struct ls_timer *gone = ls_call_later(15 * LS_MS, note, "never");
    ls_call_at(0, note, "past");
    if (ls_timer_cancel(gone) || ls_timer_cancel(gone) != -1 || errno != ESRCH)
        return 1;
    ls_sleep(LS_SEC);
    ls_call_later(LS_SEC, note, "too late");
    return 0;
}
Test(runtime_call, calls_come_in_the_order_of_their_times)
{
    cr_assert_eq(ls_run(order_app, NULL, &virtual), 0);
    cr_assert_str_eq(story, "past@1000 a@1010 b@1010 c@1020 ");
}

static struct ls_timer *mine;
static int turns;
static void again(void *arg)
{
    if (ls_timer_cancel(mine) != -1 || errno != ESRCH) /* it is being called */
        turns += 1000;
    if (++turns < 5)
        mine = ls_call_later(0, again, arg);
}
static intptr_t child(void *arg)
{
    note("child");
    return (intptr_t)arg;
}
static void starts(void *arg)
{
    errno = 0;
    if (ls_sleep(1) != -1 || errno != EPERM || !strstr(ls_error_text(), "callback"))
        note("it slept");
    *(struct ls_task **)arg = ls_spawn(child, (void *)7, NULL);
}
static intptr_t calling_app(void *arg)
{
    (void)arg;
    struct ls_task *t = NULL;
    intptr_t result;
    mine = ls_call_later(LS_MS, again, NULL);
    ls_call_later(LS_MS, starts, &t);
    ls_sleep(2 * LS_MS);
    return turns == 5 && t && !ls_await(t, &result, LS_NEVER) && result == 7 ? 0 : 1;
}
Test(runtime_call, a_callback_may_spawn_and_call_again_but_not_wait)
{
    cr_assert_eq(ls_run(calling_app, NULL, &virtual), 0);
    cr_assert_str_eq(story, "child@1001 ");
}

static intptr_t misuse_app(void *arg)
{
    (void)arg;
    static const uintptr_t shape[] = { 0, 5, 0x7777000001000000, 0x0000000001ffffff };
    static const int code[] = { EINVAL, EINVAL, EPERM, EINVAL };
    for (int i = 0; i < 4; i++)
        if (ls_timer_cancel((struct ls_timer *)shape[i]) != -1 || errno != code[i])
            return i + 1;
    struct ls_timer *t = ls_call_later(LS_SEC, note, "x");
    if (ls_timer_cancel((struct ls_timer *)((uintptr_t)t + 5000)) != -1 || errno != EINVAL)
        return 10;
    return ls_timer_cancel(t);
}
Test(runtime_call, a_wrong_handle_is_an_error)
{
    cr_assert_eq(ls_run(misuse_app, NULL, NULL), 0);
    cr_assert_eq(ls_call_later(0, note, NULL), NULL);
    cr_assert_eq(errno, EPERM);
}

static intptr_t many_app(void *arg)
{
    enum { N = 20000 };
    static struct ls_timer *t[N];
    static int seen;
    (void)arg;
    for (int i = 0; i < N; i++)
        if (!(t[i] =
                  ls_call_later((ls_ns)(i * 7919 % 500 + 1) * LS_MS, (void (*)(void *))(void (*)(void))usleep, NULL)))
            return 1;
    for (int i = 0; i < N; i += 2)
        if (ls_timer_cancel(t[i]))
            return 2;
    ls_sleep(LS_SEC);
    for (int i = 0; i < N; i++)
        seen += ls_timer_cancel(t[i]) == -1 && errno == ESRCH;
    return seen == N ? 0 : 3;
}
Test(runtime_call, twenty_thousand_calls_half_of_them_cancelled)
{
    cr_assert_eq(ls_run(many_app, NULL, &virtual), 0);
}

static intptr_t hour_app(void *arg)
{
    (void)arg;
    ls_ns start = ls_now(), begun = real();
    for (volatile int i = 0; i < 1000000; i++)
        ;
    if (ls_now() != start) /* stands still while a task runs */
        return 1;
    ls_yield();
    if (ls_now() != start)
        return 2;
    if (ls_sleep(3600 * LS_SEC) || ls_now() != start + 3600 * LS_SEC)
        return 3;
    return real() - begun < 20 * LS_SEC ? 0 : 4;
}
Test(runtime_call, an_hour_of_virtual_time_is_short)
{
    cr_assert_eq(ls_run(hour_app, NULL, &virtual), 0);
}

static intptr_t answers(void *arg)
{
    ls_sleep(20 * LS_MS);
    return ls_write(*(int *)arg, "x", 1, LS_NEVER);
}
static intptr_t outside_app(void *arg)
{
    int p[2];
    char c;
    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p))
        return 1;
    ls_ns start = ls_now();
    struct ls_task *t = ls_spawn(answers, &p[1], NULL);
    if (ls_read(p[0], &c, 1, start + 10 * LS_MS) != -1 || errno != ETIMEDOUT || ls_now() != start + 10 * LS_MS)
        return 2;
    if (ls_read(p[0], &c, 1, start + 100 * LS_MS) != 1 || ls_now() != start + 20 * LS_MS)
        return 3;
    ls_close(p[0]);
    ls_close(p[1]);
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_call, a_wait_for_something_outside_takes_its_time)
{
    cr_assert_eq(ls_run(outside_app, NULL, &virtual), 0);
}

static intptr_t stuck(void *arg)
{
    return ls_await(arg, NULL, LS_NEVER);
}
static intptr_t deadlock_app(void *arg)
{
    struct ls_task *a = ls_spawn(stuck, ls_ref(ls_self()), NULL);
    ls_yield();
    (void)arg;
    return ls_await(a, NULL, LS_NEVER) == -1 && errno == EDEADLK ? 0 : 1;
}
Test(runtime_call, a_deadlock_is_one_in_virtual_time_too)
{
    cr_assert_eq(ls_run(deadlock_app, NULL, &virtual), 0);
}

/* One that is always due does not keep the others from their turn, nor the tasks, nor what comes from outside. */
static long always;
static void always_due(void *arg)
{
    always++;
    ls_call_at(1, always_due, arg);
}
static intptr_t starved(void *arg)
{
    int fd[2];
    char c;
    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
        return 1;
    ls_call_at(1, always_due, NULL);
    ls_call_later(LS_MS, note, "later");
    if (ls_sleep(5 * LS_MS) || write(fd[0], "x", 1) != 1 || ls_read(fd[1], &c, 1, ls_after(LS_SEC)) != 1)
        return 2;
    return *story && always > 1 ? 0 : 3;
}
Test(runtime_call, one_that_is_always_due_starves_nobody, .timeout = 10)
{
    cr_assert_eq(ls_run(starved, NULL, NULL), 0);
}

/* A timer may be older than 2^31 others. */
static intptr_t old_timer(void *arg)
{
    (void)arg;
    ls_call_later(10 * LS_MS, note, "old");
    lsrt_here->timers.seq += UINT32_C(1) << 31;
    ls_call_later(20 * LS_MS, note, "young");
    return ls_sleep(30 * LS_MS);
}
Test(runtime_call, a_timer_may_be_very_old, .timeout = 10)
{
    cr_assert_eq(ls_run(old_timer, NULL, &virtual), 0);
    cr_assert_str_eq(story, "old@1010 young@1020 ");
}

/* Tasks: results, order, cancellation, deadlines, wrong use. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <loopscope/runtime.h>

/* Criterion's asserts must run on the thread's own stack, so a test's tasks note what they see, and it asserts after. */
static char story[512];
static void note(const char *what)
{
    strncat(story, what, sizeof story - strlen(story) - 1);
}

static intptr_t sleeper(void *arg)
{
    intptr_t ms = (intptr_t)arg;
    if (ls_sleep((ls_ns)ms * LS_MS))
        return -1;
    note(ls_task_name(ls_self()));
    note(" ");
    return ms;
}

static intptr_t gather_app(void *out)
{
    static const intptr_t ms[3] = { 30, 10, 20 };
    struct ls_task *t[3];
    for (long i = 0; i < 3; i++)
        t[i] = ls_spawn(sleeper, (void *)ms[i], "t%ld", i);
    return ls_gather(t, 3, out, LS_NEVER);
}
Test(runtime, gather_gives_results_in_the_order_of_the_tasks)
{
    intptr_t out[3] = { 0 };
    cr_assert_eq(ls_run(gather_app, out, NULL), 0);
    cr_assert_str_eq(story, "t1 t2 t0 ");
    cr_assert(out[0] == 30 && out[1] == 10 && out[2] == 20);
}

static intptr_t failing(void *arg)
{
    errno = (int)(intptr_t)arg;
    return -1;
}
static intptr_t gather_fail_app(void *arg)
{
    (void)arg;
    struct ls_task *t[2] = { ls_spawn(sleeper, (void *)20, "slow"), ls_spawn(failing, (void *)ENOENT, NULL) };
    intptr_t out[2] = { 7, 7 };
    if (ls_gather(t, 2, out, LS_NEVER) != -1 || errno != ENOENT || out[0] != 7)
        return 1;
    if (ls_gather_all(t, 2, out, LS_NEVER)) /* the handles are still ours */
        return 2;
    return out[0] == 20 && out[1] == -ENOENT ? 0 : 3;
}
Test(runtime, gather_ends_at_the_first_failure_and_keeps_the_handles)
{
    cr_assert_eq(ls_run(gather_fail_app, NULL, NULL), 0);
}

static intptr_t many_app(void *arg)
{
    enum { N = 10000 };
    static struct ls_task *t[N];
    static intptr_t out[N];
    (void)arg;
    for (intptr_t i = 0; i < N; i++)
        if (!(t[i] = ls_spawn(sleeper, (void *)(i % 50), "s")))
            return 1;
    story[0] = 0;
    if (ls_gather(t, N, out, LS_NEVER))
        return 2;
    for (intptr_t i = 0; i < N; i++)
        if (out[i] != i % 50)
            return 3;
    return 0;
}
Test(runtime, ten_thousand_tasks)
{
    cr_assert_eq(ls_run(many_app, NULL, NULL), 0);
}

static intptr_t waits_twice(void *arg)
{
    int first = ls_sleep(LS_SEC * 100), error = errno;
    int second = ls_sleep(LS_MS);
    *(int *)arg = first == -1 && error == ECANCELED && second == 0 && !strcmp(ls_cancel_why(), "enough");
    errno = ECANCELED;
    return -1;
}
static intptr_t cancel_app(void *arg)
{
    struct ls_task *t = ls_spawn(waits_twice, arg, NULL);
    ls_yield();
    intptr_t result;
    if (ls_cancel(t, "enough") || ls_await(t, &result, LS_NEVER) || result != -1 || errno != ECANCELED)
        return 1;
    struct ls_task *never = ls_spawn(waits_twice, NULL, NULL); /* would write to NULL, if it ran */
    ls_cancel(never, NULL);
    if (ls_await(never, &result, LS_NEVER) || result != -1)
        return 2;
    struct ls_task *over = ls_spawn(failing, NULL, NULL);
    ls_yield();
    if (ls_cancel(over, NULL) != -1 || errno != ESRCH)
        return 3;
    return ls_detach(over);
}
Test(runtime, cancel_ends_one_await_and_no_more)
{
    int told = 0;
    cr_assert_eq(ls_run(cancel_app, &told, NULL), 0);
    cr_assert(told);
}

static intptr_t deadline_app(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(sleeper, (void *)60, "slow");
    ls_ns start = ls_now();
    if (ls_await(t, NULL, ls_after(5 * LS_MS)) != -1 || errno != ETIMEDOUT)
        return 1;
    if (ls_now() - start < 5 * LS_MS)
        return 2;
    if (ls_await(t, NULL, 0) != -1 || errno != ETIMEDOUT) /* passed already: tries, does not wait */
        return 3;
    if (ls_gather(&t, 1, NULL, ls_after(LS_MS)) != -1 || errno != ETIMEDOUT)
        return 4;
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime, a_deadline_ends_the_wait_and_not_the_task)
{
    cr_assert_eq(ls_run(deadline_app, NULL, NULL), 0);
    cr_assert_str_eq(story, "slow ");
}

static intptr_t misuse_app(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(sleeper, (void *)1, "once"), *handle = t;
    if (ls_await(t, NULL, LS_NEVER))
        return 1;
    if (ls_await(handle, NULL, LS_NEVER) != -1 || errno != EINVAL || !strstr(ls_error_text(), "'once'"))
        return 2;
    struct ls_task *other = ls_spawn(sleeper, (void *)1, "other"); /* takes the place of `once` */
    if (ls_cancel(handle, NULL) != -1 || errno != EINVAL || !strstr(ls_error_text(), "long gone"))
        return 3;
    if (ls_await(NULL, NULL, LS_NEVER) != -1 || ls_await((struct ls_task *)0x1234567, NULL, LS_NEVER) != -1 ||
        errno != EINVAL || !strstr(ls_error_text(), "not a task"))
        return 4;
    if (ls_await(ls_self(), NULL, LS_NEVER) != -1 || errno != EDEADLK || !strstr(ls_error_text(), "wait for itself"))
        return 5;
    for (int i = 0; i < 3; i++) { /* their places are those of tasks, and so are the timers' */
        struct ls_timer *timer = ls_call_later(LS_NEVER, free, NULL);
        if (ls_cancel((struct ls_task *)timer, NULL) != -1 || errno != EINVAL || ls_queue_free((void *)timer) != -1 ||
            errno != EINVAL || ls_timer_cancel((void *)ls_self()) != -1 || errno != EINVAL || ls_timer_cancel(timer))
            return 11;
        struct ls_queue *q = ls_queue_new("q", 1, 1);
        if (ls_cancel((struct ls_task *)q, NULL) != -1 || errno != EINVAL || !strstr(ls_error_text(), "'q' is a queue"))
            return 10;
    }
    if (ls_queue_free((struct ls_queue *)ls_self()) != -1 || errno != EINVAL || ls_queue_free((void *)16) != -1 ||
        errno != EINVAL)
        return 11;
    if (ls_spawn(NULL, NULL, "x") || errno != EINVAL || ls_call_later(0, NULL, NULL) || errno != EINVAL ||
        ls_to_thread(NULL, NULL, NULL, LS_NEVER) != -1 || errno != EINVAL ||
        ls_post(ls_loop_self(), NULL, NULL) != -1 || errno != EINVAL)
        return 12;
    struct ls_task *twice[2] = { other, other };
    if (ls_gather(twice, 2, NULL, LS_NEVER) != -1 || errno != EBUSY || !strstr(ls_error_text(), "'other'"))
        return 6;
    if (ls_run(misuse_app, NULL, NULL) != -1 || errno != EBUSY)
        return 7;
    if (ls_ref(other) != other || ls_detach(other) || ls_detach(other))
        return 8;
    if (ls_detach(other) != -1 || errno != EINVAL || !strstr(ls_error_text(), "'other'"))
        return 9;
    return 0;
}
Test(runtime, wrong_use_is_an_error_with_the_name)
{
    cr_assert_eq(ls_run(misuse_app, NULL, NULL), 0);
}
Test(runtime, outside_of_a_task_is_an_error)
{
    cr_assert(ls_sleep(1) == -1 && errno == EPERM);
    cr_assert_null(ls_spawn(sleeper, NULL, "x"));
    cr_assert_null(ls_self());
    cr_assert(ls_detach(NULL) == 0);
}

static intptr_t foreign_app(void *handle)
{
    return ls_await(handle, NULL, LS_NEVER) == -1 && errno == EPERM ? 0 : 1;
}
static void *foreign_thread(void *handle)
{
    return (void *)ls_run(foreign_app, handle, NULL);
}
static intptr_t foreign_main(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(sleeper, (void *)1, "mine");
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, foreign_thread, t);
    pthread_join(thread, &result);
    return result ? 1 : ls_await(t, NULL, LS_NEVER);
}
Test(runtime, a_handle_of_another_thread_is_an_error)
{
    cr_assert_eq(ls_run(foreign_main, NULL, NULL), 0);
}

static intptr_t waits_for_nobody(void *future)
{
    return ls_future_await(future, NULL, LS_NEVER);
}
static intptr_t deadlock_app(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(waits_for_nobody, ls_future_new("never"), NULL);
    return ls_await(t, NULL, LS_NEVER) == -1 && errno == EDEADLK ? 0 : 1;
}
Test(runtime, a_deadlock_is_told_to_main, .timeout = 10)
{
    cr_assert_eq(ls_run(deadlock_app, NULL, NULL), 0);
}

static intptr_t seeded(void *arg)
{
    (void)arg;
    note(ls_task_name(ls_self()));
    return 0;
}
static intptr_t seed_app(void *arg)
{
    (void)arg;
    struct ls_task *t[8];
    for (int i = 0; i < 8; i++)
        t[i] = ls_spawn(seeded, NULL, "%d", i);
    return ls_gather(t, 8, NULL, LS_NEVER);
}
Test(runtime, a_seed_decides_the_order)
{
    char first[64];
    ls_run(seed_app, NULL, NULL);
    cr_assert_str_eq(story, "01234567");
    struct ls_opts opts = { .seed = 42 };
    story[0] = 0;
    ls_run(seed_app, NULL, &opts);
    strcpy(first, story);
    cr_assert_str_neq(first, "01234567");
    story[0] = 0;
    ls_run(seed_app, NULL, &opts);
    cr_assert_str_eq(story, first);
}

static uint64_t fired[2000];
static size_t fired_count;
static intptr_t timed(void *arg)
{
    ls_sleep_until(*(ls_ns *)arg);
    fired[fired_count++] = *(ls_ns *)arg;
    return 0;
}
static ls_ns timers_delay;
static intptr_t timers_app(void *arg)
{
    static ls_ns when[2000];
    static struct ls_task *t[2000];
    (void)arg;
    ls_ns base = ls_after(timers_delay);
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 2000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        when[i] = base + x % 30 * LS_MS / 2; /* many are equal */
        t[i] = ls_spawn(timed, &when[i], "timer");
    }
    ls_yield();
    for (int i = 0; i < 2000; i += 7) /* from the middle of the heap */
        ls_cancel(t[i], NULL);
    bool in_time = ls_now() < base; /* else some were due before others slept: no order can be expected */
    return ls_gather(t, 2000, NULL, LS_NEVER) ? -1 : in_time;
}
Test(runtime, timers_fire_in_order)
{
    intptr_t in_time = 0;
    for (timers_delay = 20 * LS_MS; !in_time && timers_delay < 20 * LS_SEC; timers_delay *= 4) {
        fired_count = 0;
        in_time = ls_run(timers_app, NULL, NULL);
    }
    cr_assert_eq(in_time, 1);
    cr_assert_eq(fired_count, 2000);
    for (size_t i = 2000 / 7 + 2; i < fired_count; i++)
        cr_assert_leq(fired[i - 1], fired[i]);
}

static intptr_t main_detaches(void *arg)
{
    (void)arg;
    ls_detach(ls_self()); /* its handle is ls_run's: whatever this says, */
    ls_detach(ls_self());
    return ls_yield() + 5;
}
Test(runtime, main_may_not_be_lost, .timeout = 10)
{
    cr_assert_eq(ls_run(main_detaches, NULL, NULL), 5);
}

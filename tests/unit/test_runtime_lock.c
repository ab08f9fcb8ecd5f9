/* ls_lock: order, holders, deadlines, cancellation, circles, wrong use. */
#include <criterion/criterion.h>

#include "tests/lib/story.h"

static struct ls_lock *x, *y;

static intptr_t locker(void *arg)
{
    if (note_result(ls_lock_acquire(x, arg ? ls_after((ls_ns)(intptr_t)arg * LS_MS) : LS_NEVER)))
        return -1;
    ls_sleep(2 * LS_MS);
    return ls_lock_release(x);
}

static intptr_t order_app(void *arg)
{
    struct ls_task *t[3];
    (void)arg;
    x = ls_lock_new("x");
    want(!ls_lock_acquire(x, PAST)); /* free: a deadline that has passed is no matter */
    want(ls_lock_holder(x) == ls_self());
    for (long i = 0; i < 3; i++)
        t[i] = ls_spawn(locker, NULL, "t%ld", i);
    ls_sleep(LS_MS);
    want_error(ls_lock_free(x), EBUSY, "held by 'main'");
    want(!ls_lock_release(x));
    want(ls_lock_holder(x) == t[0]); /* it is handed over, before t0 has run */
    want_error(ls_lock_try(x), EAGAIN, NULL);
    want(!note_result(ls_lock_acquire(x, LS_NEVER)));
    want(!ls_gather(t, 3, NULL, LS_NEVER));
    return ls_lock_release(x) || ls_lock_holder(x) || ls_lock_free(x);
}
Test(runtime_lock, is_handed_over_first_come_first_served)
{
    cr_assert_str_eq(told(order_app), "t0 t1 t2 main ");
}

static intptr_t leave_app(void *arg)
{
    struct ls_task *t[4];
    (void)arg;
    x = ls_lock_new(NULL);
    ls_lock_acquire(x, LS_NEVER);
    for (long i = 0; i < 4; i++)
        t[i] = ls_spawn(locker, (void *)(intptr_t)(i == 1), "t%ld", i);
    ls_sleep(2 * LS_MS);
    want(!ls_cancel(t[0], NULL));
    want(!ls_lock_release(x)); /* t0 was cancelled, but has not run: it must not get the lock */
    want(ls_lock_holder(x) == t[2]);
    want(!ls_cancel(t[2], NULL)); /* it has the lock all the same, and is told at its sleep */
    ls_sleep(10 * LS_MS);
    want(ls_lock_holder(x) == NULL);
    for (int i = 0; i < 4; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return 0;
}
Test(runtime_lock, who_was_cancelled_or_timed_out_swallows_nothing)
{
    cr_assert_str_eq(told(leave_app), "t1:ETIMEDOUT t0:ECANCELED t2 t3 ");
}

static intptr_t release_it(void *arg)
{
    (void)arg;
    want_error(ls_lock_release(x), EPERM, "lock 'x' is held by 'main'");
    want_error(ls_lock_try(x), EAGAIN, NULL);
    want_error(ls_lock_acquire(x, PAST), ETIMEDOUT, NULL);
    return 0;
}
static intptr_t misuse_app(void *arg)
{
    (void)arg;
    x = ls_lock_new("x");
    struct ls_event *e = ls_event_new("e");
    want_error(ls_lock_release(x), EPERM, "'x' is not held");
    want_error(ls_lock_acquire(NULL, LS_NEVER), EINVAL, "NULL");
    want_error(ls_lock_acquire((struct ls_lock *)e, LS_NEVER), EINVAL, "'e' is a event");
    want(!ls_lock_try(x));
    want_error(ls_lock_try(x), EDEADLK, "'main' holds lock 'x' already");
    want_error(ls_lock_acquire(x, LS_NEVER), EDEADLK, "'main' holds lock 'x' already");
    ls_await(ls_spawn(release_it, NULL, NULL), NULL, LS_NEVER);
    want(!ls_lock_release(x) && !ls_lock_free(x));
    want_error(ls_lock_try(x), EINVAL, "freed already");
    want(ls_lock_holder(x) == NULL);
    return 0;
}
Test(runtime_lock, wrong_use_is_an_error_with_a_name)
{
    cr_assert_str_eq(told(misuse_app), "");
    cr_assert_eq(ls_lock_acquire(x, LS_NEVER), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_null(ls_lock_new("outside"));
}

static intptr_t takes_y_then_x(void *arg)
{
    ls_lock_acquire(y, LS_NEVER);
    ls_sleep(LS_MS);
    note_result(ls_lock_acquire(x, arg ? ls_after(10 * LS_MS) : LS_NEVER));
    ls_lock_release(x);
    return ls_lock_release(y);
}
static intptr_t circle_app(void *arg)
{
    (void)arg;
    x = ls_lock_new("x"), y = ls_lock_new("y");
    ls_lock_acquire(x, LS_NEVER);
    struct ls_task *b = ls_spawn(takes_y_then_x, NULL, "b");
    ls_sleep(3 * LS_MS);
    want_error(ls_lock_acquire(y, LS_NEVER), EDEADLK,
               "task 'main' waits for lock 'y' held by 'b' which waits for lock 'x' held by 'main'");
    want_error(ls_lock_acquire(y, SOON), ETIMEDOUT, NULL); /* an end is in sight: no deadlock */
    want(!ls_lock_release(x));
    want(!ls_await(b, NULL, LS_NEVER));
    ls_lock_acquire(x, LS_NEVER);
    b = ls_spawn(takes_y_then_x, (void *)1, "b");
    ls_sleep(3 * LS_MS);
    want(!note_result(ls_lock_acquire(y, LS_NEVER))); /* b gives up after 10 ms */
    want(!ls_await(b, NULL, LS_NEVER));
    return 0;
}
Test(runtime_lock, a_wait_that_would_never_end_is_refused)
{
    cr_assert_str_eq(told(circle_app), "b b:ETIMEDOUT main ");
}

static intptr_t gathers(void *arg)
{
    ls_lock_acquire(y, LS_NEVER);
    struct ls_task *t[2] = { arg, ls_self() };
    t[1] = ls_spawn(takes_y_then_x, NULL, "c"); /* waits for y, which b holds: no matter */
    ls_gather(t, 2, NULL, LS_NEVER);
    return ls_lock_release(y);
}
static intptr_t mixed_app(void *arg)
{
    (void)arg;
    x = ls_lock_new("x"), y = ls_lock_new("y");
    ls_lock_acquire(x, LS_NEVER);
    struct ls_timeout scope;
    struct ls_task *b = ls_spawn(gathers, ls_ref(ls_self()), "b");
    ls_sleep(LS_MS);
    want_error(ls_lock_acquire(y, LS_NEVER), EDEADLK,
               "'main' waits for lock 'y' held by 'b' which waits for task 'main'");
    ls_timeout_begin(&scope, SOON);
    want_error(ls_lock_acquire(y, LS_NEVER), ECANCELED, NULL); /* an end is in sight: no deadlock */
    want_error(ls_timeout_end(&scope), ETIMEDOUT, NULL);
    want_error(ls_await(b, NULL, LS_NEVER), EDEADLK, NULL);
    return ls_lock_release(x);
}
static intptr_t holder_awaited(void *arg)
{
    (void)arg;
    return note_result(ls_lock_acquire(x, LS_NEVER));
}
static intptr_t await_app(void *arg)
{
    (void)arg;
    x = ls_lock_new("x");
    ls_lock_acquire(x, LS_NEVER);
    struct ls_task *b = ls_spawn(holder_awaited, NULL, "b");
    ls_sleep(LS_MS);
    want_error(ls_await(b, NULL, LS_NEVER), EDEADLK, "through 'b'"); /* it waits for main's lock */
    ls_lock_release(x);
    return ls_await(b, NULL, LS_NEVER);
}
Test(runtime_lock, circles_through_awaits_and_gathers_are_seen)
{
    cr_assert_str_eq(told(mixed_app), "c ");
}
Test(runtime_lock, an_await_of_who_waits_for_my_lock_is_refused)
{
    cr_assert_str_eq(told(await_app), "b ");
}

static intptr_t awaits_main_lock(void *arg)
{
    (void)arg;
    return note_result(ls_lock_acquire(x, LS_NEVER));
}
static intptr_t ends_holding(void *arg)
{
    ls_lock_acquire(x, LS_NEVER);
    ls_sleep(LS_MS);
    return (intptr_t)arg;
}
static intptr_t orphan_app(void *arg)
{
    (void)arg;
    x = ls_lock_new("x");
    struct ls_task *a = ls_spawn(ends_holding, NULL, "a"), *b = ls_spawn(awaits_main_lock, NULL, "b");
    ls_await(a, NULL, LS_NEVER);
    ls_await(b, NULL, LS_NEVER);
    want_error(ls_lock_acquire(x, LS_NEVER), EOWNERDEAD, "not given back by 'a'");
    want(!ls_lock_holder(x));
    want(!ls_lock_release(x) && !ls_lock_acquire(x, LS_NEVER) && !ls_lock_release(x));
    return 0;
}
Test(runtime_lock, a_holder_that_ends_leaves_no_one_waiting)
{
    cr_assert_str_eq(told(orphan_app), "b:EOWNERDEAD ");
}

static intptr_t holds_for_long(void *arg)
{
    (void)arg;
    ls_lock_acquire(x, LS_NEVER);
    note_result(ls_sleep(LS_SEC));
    return ls_lock_release(x);
}
static intptr_t closing_app(void *arg)
{
    (void)arg;
    x = ls_lock_new("x");
    ls_detach(ls_spawn(holds_for_long, NULL, "s"));
    ls_detach(ls_spawn(locker, NULL, "t"));
    return ls_sleep(LS_MS);
}
Test(runtime_lock, the_end_of_the_loop_is_a_cancel)
{
    cr_assert_str_eq(told(closing_app), "s:ECANCELED t:ECANCELED ");
}

static intptr_t wait_lock(void *lock)
{
    return note_result(ls_lock_acquire(lock, LS_NEVER));
}
static intptr_t wait_rwlock(void *lock)
{
    return note_result(ls_rwlock_write(lock, LS_NEVER));
}
static intptr_t wait_sem(void *sem)
{
    return note_result(ls_sem_acquire(sem, LS_NEVER));
}
static intptr_t late_app(void *arg)
{
    struct ls_lock *l = ls_lock_new("l");
    struct ls_rwlock *rw = ls_rwlock_new("rw");
    struct ls_sem *s = ls_sem_new("s", 0, 0);
    (void)arg;
    want(!ls_lock_try(l) && !ls_rwlock_try_write(rw));
    struct ls_task *t[3] = { ls_spawn(wait_lock, l, "lock"), ls_spawn(wait_rwlock, rw, "rwlock"),
                             ls_spawn(wait_sem, s, "sem") };
    ls_sleep(LS_MS);
    for (int i = 0; i < 3; i++)
        ls_cancel(t[i], NULL);
    want(!ls_lock_release(l) && !ls_rwlock_release(rw) && !ls_sem_release(s)); /* nobody is there to have them */
    want_error(ls_lock_free(l), EBUSY, "1 task waits");                        /* but on the way out */
    want_error(ls_rwlock_free(rw), EBUSY, "1 task waits");
    want_error(ls_sem_free(s), EBUSY, "1 task waits");
    for (int i = 0; i < 3; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_lock_free(l) || ls_rwlock_free(rw) || ls_sem_free(s);
}
Test(runtime_lock, is_not_freed_under_one_that_was_cancelled_and_has_not_run)
{
    cr_assert_str_eq(told(late_app), "lock:ECANCELED rwlock:ECANCELED sem:ECANCELED ");
}

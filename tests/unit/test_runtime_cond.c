/* ls_cond: notifications, the lock after every wait, cancellation while the lock is had again, wrong use. */
#include <criterion/criterion.h>

#include "tests/lib/story.h"

static struct ls_cond *c;
static struct ls_lock *k;
static int value;

static intptr_t waiter(void *arg)
{
    want(!ls_lock_acquire(k, LS_NEVER));
    int result = note_result(ls_cond_wait(c, k, arg ? SOON : LS_NEVER));
    want(ls_lock_holder(k) == ls_self());
    ls_lock_release(k);
    return result;
}

static intptr_t order_app(void *arg)
{
    struct ls_task *t[5];
    (void)arg;
    c = ls_cond_new("c"), k = ls_lock_new("k");
    for (long i = 0; i < 5; i++)
        t[i] = ls_spawn(waiter, (void *)(intptr_t)(i == 2), "t%ld", i);
    ls_sleep(2 * LS_MS); /* t2 timed out */
    want_error(ls_cond_free(c), EBUSY, "4 tasks wait for condition 'c'");
    want(ls_cond_notify(c, 1) == 1);
    ls_sleep(LS_MS);
    ls_cancel(t[1], NULL);
    want(ls_cond_notify(c, 1) == 1); /* for t3 */
    ls_sleep(LS_MS);
    note("| ");
    want(ls_cond_notify_all(c) == 1 && ls_cond_notify_all(c) == 0);
    for (int i = 0; i < 5; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_cond_free(c) || ls_lock_free(k);
}
Test(runtime_cond, notifies_first_come_first_served)
{
    cr_assert_str_eq(told(order_app), "t2:ETIMEDOUT t0 t1:ECANCELED t3 | t4 ");
}

static intptr_t contested_app(void *arg)
{
    (void)arg;
    c = ls_cond_new("c"), k = ls_lock_new("k");
    struct ls_task *a = ls_spawn(waiter, NULL, "a"), *b = ls_spawn(waiter, NULL, "b");
    ls_sleep(LS_MS);
    ls_lock_acquire(k, LS_NEVER);
    ls_cond_notify(c, 1); /* a is to have the lock again, which main keeps */
    ls_sleep(LS_MS);
    ls_cancel(a, NULL);
    ls_sleep(LS_MS);
    ls_cancel(a, NULL); /* twice */
    ls_sleep(LS_MS);
    note("| ");
    ls_lock_release(k);
    want(ls_await(a, NULL, LS_NEVER) == 0 && errno == ECANCELED);
    want(!ls_await(b, NULL, SOON)); /* a passed the notification on */
    return 0;
}
Test(runtime_cond, has_the_lock_again_and_passes_the_notification_on)
{
    cr_assert_str_eq(told(contested_app), "| a:ECANCELED b ");
}

static int is_three(void *arg)
{
    return *(int *)arg == 3;
}
static intptr_t waits_for_three(void *arg)
{
    ls_lock_acquire(k, LS_NEVER);
    int result = note_result(ls_cond_wait_for(c, k, is_three, &value, arg ? SOON : LS_NEVER));
    ls_lock_release(k);
    return result;
}
static intptr_t predicate_app(void *arg)
{
    (void)arg;
    c = ls_cond_new("c"), k = ls_lock_new("k");
    struct ls_task *a = ls_spawn(waits_for_three, NULL, "a"), *b = ls_spawn(waits_for_three, (void *)1, "b");
    for (; value < 3; value++) {
        note("%d ", value);
        ls_cond_notify_all(c);
        ls_sleep(LS_MS);
    }
    ls_cond_notify_all(c);
    ls_await(a, NULL, LS_NEVER);
    ls_await(b, NULL, LS_NEVER);
    return 0;
}
Test(runtime_cond, wait_for_asks_again)
{
    cr_assert_str_eq(told(predicate_app), "0 1 b:ETIMEDOUT 2 a ");
}

static intptr_t misuse_app(void *arg)
{
    (void)arg;
    c = ls_cond_new("c"), k = ls_lock_new("k");
    struct ls_lock *other = ls_lock_new("other");
    want_error(ls_cond_wait(c, k, LS_NEVER), EPERM, "lock 'k' is not held");
    struct ls_task *a = ls_spawn(waiter, NULL, "a");
    ls_sleep(LS_MS);
    ls_lock_acquire(other, LS_NEVER);
    want_error(ls_cond_wait(c, other, LS_NEVER), EINVAL, "with another lock");
    want_error(ls_cond_wait(NULL, other, LS_NEVER), EINVAL, "NULL");
    want_error(ls_cond_wait(c, NULL, LS_NEVER), EINVAL, "NULL");
    ls_lock_free(k); /* nobody holds it: allowed, and a finds out */
    ls_cond_notify_all(c);
    ls_await(a, NULL, LS_NEVER);
    want(strstr(story, "a:EINVAL"));
    want(!ls_lock_release(other) && !ls_cond_free(c));
    want_error(ls_cond_notify(c, 1), EINVAL, "freed already");
    story[0] = 0;
    return 0;
}
Test(runtime_cond, wrong_use_is_an_error_with_a_name)
{
    cr_assert_str_eq(told(misuse_app), "");
}

static intptr_t holder(void *arg)
{
    (void)arg;
    ls_lock_acquire(k, LS_NEVER);
    note_result(ls_sleep(LS_SEC));
    note("clean-up ");
    return ls_lock_release(k);
}
static intptr_t closing_app(void *arg)
{
    (void)arg;
    c = ls_cond_new("c"), k = ls_lock_new("k");
    ls_detach(ls_spawn(waiter, NULL, "w"));
    ls_detach(ls_spawn(holder, NULL, "h"));
    return ls_sleep(LS_MS);
}
Test(runtime_cond, has_the_lock_again_while_the_loop_ends)
{
    cr_assert_str_eq(told(closing_app), "h:ECANCELED clean-up w:ECANCELED ");
}

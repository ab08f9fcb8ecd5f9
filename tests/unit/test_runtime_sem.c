/* ls_sem: order, bound, deadlines, cancellation, wrong use. */
#include <criterion/criterion.h>
#include <limits.h>

#include "tests/lib/story.h"

static struct ls_sem *s;

static intptr_t taker(void *arg)
{
    return note_result(ls_sem_acquire(s, arg ? SOON : LS_NEVER));
}

static intptr_t order_app(void *arg)
{
    struct ls_task *t[6];
    (void)arg;
    s = ls_sem_new("s", 2, 0);
    for (long i = 0; i < 6; i++)
        t[i] = ls_spawn(taker, (void *)(intptr_t)(i == 3), "t%ld", i);
    ls_sleep(2 * LS_MS); /* t0 and t1 have it, t3 timed out */
    note("| ");
    ls_cancel(t[2], NULL);
    want(!ls_sem_release(s)); /* to t4: t2 is on its way out */
    want(ls_sem_value(s) == 0);
    want_error(ls_sem_try(s), EAGAIN, NULL);
    want_error(ls_sem_acquire(s, PAST), ETIMEDOUT, NULL);
    want_error(ls_sem_free(s), EBUSY, "semaphore 's'");
    ls_sleep(LS_MS);
    want(!ls_sem_release(s) && !ls_sem_release(s));
    want(ls_sem_value(s) == 1); /* t5's was handed over */
    for (int i = 0; i < 6; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_sem_try(s) || ls_sem_value(s) || ls_sem_free(s);
}
Test(runtime_sem, is_handed_over_first_come_first_served)
{
    cr_assert_str_eq(told(order_app), "t0 t1 t3:ETIMEDOUT | t2:ECANCELED t4 t5 ");
}

static intptr_t bound_app(void *arg)
{
    (void)arg;
    want(!ls_sem_new("bad", 3, 2) && errno == EINVAL);
    s = ls_sem_new("s", 1, 1);
    want_error(ls_sem_release(s), EOVERFLOW, "semaphore 's' has all its 1 permits");
    want(!ls_sem_acquire(s, LS_NEVER) && !ls_sem_release(s));
    want_error(ls_sem_acquire(NULL, LS_NEVER), EINVAL, "NULL");
    want(!ls_sem_free(s));
    want_error(ls_sem_acquire(s, LS_NEVER), EINVAL, "freed already");
    want_error(ls_sem_value(s), EINVAL, "freed already");
    want(!ls_sem_new("bad", SIZE_MAX, 0) && errno == EINVAL);
    s = ls_sem_new("most", SSIZE_MAX, 0);
    want_error(ls_sem_release(s), EOVERFLOW, "has all");
    want(ls_sem_value(s) == SSIZE_MAX && !ls_sem_free(s));
    return 0;
}
Test(runtime_sem, more_than_its_bound_is_an_error)
{
    cr_assert_str_eq(told(bound_app), "");
}

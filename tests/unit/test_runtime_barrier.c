/* ls_barrier: rounds, leaving, reset and abort, wrong use. */
#include <criterion/criterion.h>

#include "tests/lib/story.h"

static struct ls_barrier *b;

static intptr_t party(void *arg)
{
    int index = note_result(ls_barrier_wait(b, arg ? SOON : LS_NEVER));
    if (index >= 0)
        note("#%d ", index);
    return index;
}

static intptr_t rounds_app(void *arg)
{
    struct ls_task *t[6];
    (void)arg;
    b = ls_barrier_new("b", 3);
    for (long i = 0; i < 6; i++)
        t[i] = ls_spawn(party, NULL, "t%ld", i);
    for (int i = 0; i < 6; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_barrier_waiting(b) || ls_barrier_free(b);
}
Test(runtime_barrier, lets_n_go_and_begins_anew)
{
    cr_assert_str_eq(told(rounds_app), "t2 #2 t5 #2 t0 #0 t1 #1 t3 #0 t4 #1 ");
}

static intptr_t leave_app(void *arg)
{
    struct ls_task *t[4];
    (void)arg;
    b = ls_barrier_new("b", 3);
    for (long i = 0; i < 2; i++)
        t[i] = ls_spawn(party, (void *)i, "t%ld", i);
    ls_sleep(2 * LS_MS); /* t1 timed out */
    want(ls_barrier_waiting(b) == 1);
    t[2] = ls_spawn(party, NULL, "t2");
    ls_sleep(LS_MS);
    ls_cancel(t[0], NULL);
    want(ls_barrier_waiting(b) == 1); /* t0 does not count any more, run or not */
    want_error(ls_barrier_wait(b, PAST), ETIMEDOUT, NULL);
    t[3] = ls_spawn(party, NULL, "t3");
    ls_sleep(LS_MS);
    want(note_result(ls_barrier_wait(b, LS_NEVER)) == 2);
    for (int i = 0; i < 4; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return 0;
}
Test(runtime_barrier, who_leaves_is_not_counted)
{
    cr_assert_str_eq(told(leave_app), "t1:ETIMEDOUT t0:ECANCELED main t2 #0 t3 #1 ");
}

static intptr_t broken_app(void *arg)
{
    (void)arg;
    want(!ls_barrier_new("none", 0) && errno == EINVAL);
    b = ls_barrier_new("b", 2);
    struct ls_task *t = ls_spawn(party, NULL, "t");
    ls_sleep(LS_MS);
    want_error(ls_barrier_free(b), EBUSY, "1 task waits for barrier 'b'");
    want(!ls_barrier_reset(b) && !ls_barrier_broken(b));
    ls_await(t, NULL, LS_NEVER);
    t = ls_spawn(party, NULL, "u");
    ls_sleep(LS_MS);
    want(!ls_barrier_abort(b) && ls_barrier_broken(b) == 1);
    ls_await(t, NULL, LS_NEVER);
    want_error(ls_barrier_wait(b, LS_NEVER), EPIPE, NULL);
    want(!ls_barrier_reset(b));
    t = ls_spawn(party, NULL, "v");
    ls_sleep(LS_MS);
    want(ls_barrier_wait(b, LS_NEVER) == 1);
    ls_await(t, NULL, LS_NEVER);
    want(!ls_barrier_free(b));
    want_error(ls_barrier_wait(b, LS_NEVER), EINVAL, "freed already");
    want_error(ls_barrier_abort(NULL), EINVAL, "NULL");
    return 0;
}
Test(runtime_barrier, can_be_reset_and_broken)
{
    cr_assert_str_eq(told(broken_app), "t:EPIPE u:EPIPE v #0 ");
}

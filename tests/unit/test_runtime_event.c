/* ls_event: set, clear, deadlines, cancellation, wrong use. */
#include <criterion/criterion.h>

#include "tests/lib/story.h"

static struct ls_event *e;

static intptr_t waiter(void *arg)
{
    return note_result(ls_event_wait(e, arg ? SOON : LS_NEVER));
}

static intptr_t event_app(void *arg)
{
    struct ls_task *t[4];
    (void)arg;
    e = ls_event_new("e");
    want(ls_event_is_set(e) == 0);
    for (long i = 0; i < 4; i++)
        t[i] = ls_spawn(waiter, (void *)(intptr_t)(i == 1), "t%ld", i);
    ls_sleep(2 * LS_MS);
    want_error(ls_event_free(e), EBUSY, "3 tasks wait for event 'e'");
    ls_cancel(t[2], NULL);
    want(!ls_event_set(e) && !ls_event_clear(e)); /* t0 and t3 go on all the same */
    want_error(ls_event_wait(e, PAST), ETIMEDOUT, NULL);
    for (int i = 0; i < 4; i++)
        ls_await(t[i], NULL, LS_NEVER);
    want(!ls_event_set(e) && ls_event_is_set(e) == 1 && !ls_event_wait(e, LS_NEVER));
    want(!ls_event_free(e));
    want_error(ls_event_set(e), EINVAL, "freed already");
    want_error(ls_event_wait(NULL, LS_NEVER), EINVAL, "NULL");
    return 0;
}
Test(runtime_event, lets_all_go_that_wait)
{
    cr_assert_str_eq(told(event_app), "t1:ETIMEDOUT t2:ECANCELED t0 t3 ");
}

static struct ls_queue *q;
static void from_callback(void *arg)
{
    (void)arg;
    want(!ls_self());
    want_error(ls_event_wait(e, LS_NEVER), EPERM, NULL); /* no task: it cannot wait */
    want(!ls_event_set(e) && !ls_queue_put_nowait(q, &(int){ 3 }));
}
static intptr_t callback_app(void *arg)
{
    int v = 0;
    (void)arg;
    e = ls_event_new("e"), q = ls_queue_new("q", sizeof v, 0);
    struct ls_task *t = ls_spawn(waiter, NULL, "t");
    ls_call_later(LS_MS, from_callback, NULL);
    want(!ls_queue_get(q, &v, LS_NEVER) && v == 3);
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_event, what_does_not_wait_may_be_called_by_callbacks)
{
    cr_assert_str_eq(told(callback_app), "t ");
}

/* ls_chan and ls_select: rendezvous, buffers, close, fair choice, deadlines, cancellation, wrong use. */
#include <criterion/criterion.h>

#include "tests/lib/story.h"

static struct ls_chan *c, *d;
static struct ls_queue *q;
static struct ls_event *e;

static intptr_t sender(void *arg)
{
    int v = (int)(intptr_t)arg;
    return note_result(ls_chan_send(c, &v, v < 0 ? SOON : LS_NEVER));
}
static intptr_t receiver(void *arg)
{
    int v = -1, got = note_result(ls_chan_recv(c, &v, arg ? SOON : LS_NEVER));
    if (got >= 0)
        note("%d=%d ", got, v);
    return 0;
}
static int try_recv(void)
{
    int v;
    return ls_chan_try_recv(c, &v) == 1 ? v : -1;
}

static intptr_t rendezvous_app(void *arg)
{
    struct ls_task *t[6];
    (void)arg;
    c = ls_chan_new("c", sizeof(int), 0);
    t[0] = ls_spawn(sender, (void *)1, "s1");
    t[1] = ls_spawn(sender, (void *)-2, "s2");
    t[2] = ls_spawn(sender, (void *)3, "s3");
    ls_sleep(2 * LS_MS);
    want_error(ls_chan_try_send(c, &(int){ 9 }), EAGAIN, NULL);
    ls_cancel(t[0], NULL);
    want(try_recv() == 3);
    want_error(ls_chan_try_recv(c, NULL), EAGAIN, NULL);
    want_error(ls_chan_recv(c, NULL, PAST), ETIMEDOUT, NULL);
    t[3] = ls_spawn(receiver, NULL, "r1");
    t[4] = ls_spawn(receiver, (void *)1, "r2");
    t[5] = ls_spawn(receiver, NULL, "r3");
    ls_sleep(2 * LS_MS);
    want_error(ls_chan_free(c), EBUSY, "2 tasks wait for channel 'c'");
    want(!ls_chan_send(c, &(int){ 4 }, PAST) && !ls_chan_try_send(c, &(int){ 5 }));
    for (int i = 0; i < 6; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_chan_free(c);
}
Test(runtime_chan, without_a_buffer_each_waits_for_the_other)
{
    cr_assert_str_eq(told(rendezvous_app), "s2:ETIMEDOUT s1:ECANCELED s3 r2:ETIMEDOUT r1 1=4 r3 1=5 ");
}

static intptr_t buffer_app(void *arg)
{
    (void)arg;
    c = ls_chan_new("c", sizeof(int), 2);
    want(!ls_chan_try_send(c, &(int){ 1 }) && !ls_chan_try_send(c, &(int){ 2 }) && ls_chan_size(c) == 2);
    struct ls_task *t = ls_spawn(sender, (void *)3, "s");
    ls_sleep(LS_MS);
    want(try_recv() == 1 && ls_chan_size(c) == 2); /* 3 has moved up */
    want(try_recv() == 2 && try_recv() == 3 && try_recv() == -1);
    ls_await(t, NULL, LS_NEVER);
    struct ls_chan *signals = ls_chan_new("signals", 0, 1);
    want(!ls_chan_send(signals, NULL, LS_NEVER) && ls_chan_recv(signals, NULL, LS_NEVER) == 1);
    want(!ls_chan_new("too large", SIZE_MAX / 2, 1 << 20) && errno == ENOMEM);
    return ls_chan_free(c);
}
Test(runtime_chan, with_a_buffer_senders_run_ahead)
{
    cr_assert_str_eq(told(buffer_app), "s ");
}

static intptr_t close_app(void *arg)
{
    (void)arg;
    c = ls_chan_new("c", sizeof(int), 1);
    ls_chan_send(c, &(int){ 1 }, LS_NEVER);
    struct ls_task *t = ls_spawn(sender, (void *)2, "s");
    ls_sleep(LS_MS);
    want(!ls_chan_close(c));
    want_error(ls_chan_send(c, &(int){ 3 }, LS_NEVER), EPIPE, NULL);
    want_error(ls_chan_close(c), EPIPE, "'c' is closed already");
    want(try_recv() == 1);
    want(ls_chan_try_recv(c, NULL) == 0 && ls_chan_recv(c, NULL, LS_NEVER) == 0);
    ls_await(t, NULL, LS_NEVER);
    want(!ls_chan_free(c));
    c = ls_chan_new("c", sizeof(int), 0);
    struct ls_task *r[2] = { ls_spawn(receiver, NULL, "r1"), ls_spawn(receiver, NULL, "r2") };
    ls_sleep(LS_MS);
    ls_chan_close(c);
    ls_gather(r, 2, NULL, LS_NEVER);
    want(!ls_chan_free(c));
    want_error(ls_chan_recv(c, NULL, LS_NEVER), EINVAL, "freed already");
    want_error(ls_chan_send(NULL, NULL, LS_NEVER), EINVAL, "NULL");
    return 0;
}
Test(runtime_chan, close_lets_all_go)
{
    cr_assert_str_eq(told(close_app), "s:EPIPE r1 0=-1 r2 0=-1 ");
}

static intptr_t chooser(void *arg)
{
    int v = 0, w = 0, out = 42;
    struct ls_case cases[] = { ls_case_recv(c, &v), ls_case_get(q, &w), ls_case_event(e), ls_case_send(d, &out),
                               ls_case_recv(NULL, &v) };
    int i = ls_select(cases, 5, arg ? SOON : LS_NEVER);
    if (i < 0)
        note("%s:%s ", ls_task_name(ls_self()), strerrorname_np(errno));
    else
        note("%s:%d/%d/%d ", ls_task_name(ls_self()), i, cases[i].error, i == 0 ? v : w);
    return 0;
}
static void objects(void)
{
    c = ls_chan_new("c", sizeof(int), 0), d = ls_chan_new("d", sizeof(int), 0);
    q = ls_queue_new("q", sizeof(int), 1), e = ls_event_new("e");
}
static intptr_t select_app(void *arg)
{
    struct ls_task *t[8];
    (void)arg;
    objects();
    for (long i = 0; i < 8; i++)
        t[i] = ls_spawn(chooser, (void *)(intptr_t)(i == 1), "t%ld", i);
    ls_sleep(2 * LS_MS);
    want_error(ls_queue_free(q), EBUSY, "7 tasks wait for queue 'q'");
    ls_cancel(t[2], NULL);
    want(!ls_chan_try_send(c, &(int){ 7 }));    /* t0 */
    want(!ls_queue_put_nowait(q, &(int){ 8 })); /* t3 */
    int got = 0;
    want(ls_chan_try_recv(d, &got) == 1 && got == 42); /* t4 */
    want(!ls_queue_shutdown(q, 0));                    /* t5, t6, t7: the first thing that happens counts */
    want(!ls_event_set(e) && !ls_chan_close(c));
    for (int i = 0; i < 8; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_queue_free(q) || ls_chan_free(c) || ls_chan_free(d) || ls_event_free(e);
}
Test(runtime_select, is_served_once_by_the_first_that_can)
{
    cr_assert_str_eq(told(select_app),
                     "t1:ETIMEDOUT t2:ECANCELED t0:0/0/7 t3:1/0/8 t4:3/0/0 t5:1/32/0 t6:1/32/0 t7:1/32/0 ");
}

static intptr_t try_app(void *arg)
{
    int v = 0;
    (void)arg;
    objects();
    struct ls_case one[] = { ls_case_recv(c, &v) };
    want_error(ls_select(one, 1, PAST), ETIMEDOUT, NULL); /* the default case */
    want_error(ls_select(NULL, 0, SOON), ETIMEDOUT, NULL);
    ls_event_set(e);
    ls_chan_close(c);
    struct ls_case put[] = { ls_case_put(q, &(int){ 5 }) };
    want(ls_select(put, 1, LS_NEVER) == 0 && ls_queue_size(q) == 1);
    want_error(ls_select(put, 1, PAST), ETIMEDOUT, NULL);
    int counts[3] = { 0 };
    for (int i = 0; i < 300; i++) { /* three can go on: each has its share */
        struct ls_case cases[] = { ls_case_recv(c, &v), ls_case_event(e), ls_case_send(c, &v), ls_case_recv(d, &v) };
        int k = ls_select(cases, 4, LS_NEVER);
        want(k >= 0 && k < 3 && cases[k].error == (k == 1 ? 0 : EPIPE));
        counts[k]++;
    }
    want(counts[0] > 60 && counts[1] > 60 && counts[2] > 60);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < 300; i++) { /* also when another select comes between each two of its turns */
        struct ls_case pair[] = { ls_case_recv(c, &v), ls_case_event(e) };
        want(ls_select(pair, 2, LS_NEVER) >= 0);
        int k = ls_select(pair, 2, LS_NEVER);
        want(k >= 0 && k < 2);
        counts[k]++;
    }
    want(counts[0] > 60 && counts[1] > 60);
    struct ls_case wrong[] = { { .kind = (enum ls_case_kind)77 } };
    want_error(ls_select(wrong, 1, LS_NEVER), EINVAL, "no kind");
    wrong[0] = ls_case_recv((struct ls_chan *)q, &v);
    want_error(ls_select(wrong, 1, LS_NEVER), EINVAL, "not a channel: 'q' is a queue");
    return 0;
}
Test(runtime_select, chooses_fairly)
{
    cr_assert_str_eq(told(try_app), "");
}

static intptr_t many_app(void *arg)
{
    static struct ls_chan *chans[40];
    struct ls_case cases[40];
    int v = 0;
    (void)arg;
    for (int i = 0; i < 40; i++) {
        chans[i] = ls_chan_new(NULL, sizeof(int), 0);
        cases[i] = ls_case_recv(chans[i], &v);
    }
    c = chans[33];
    struct ls_task *t = ls_spawn(sender, (void *)6, "s");
    want(ls_select(cases, 40, LS_NEVER) == 33 && v == 6);
    for (int i = 0; i < 40; i++)
        want(!ls_chan_free(chans[i]));
    return ls_await(t, NULL, LS_NEVER);
}
Test(runtime_select, over_many)
{
    cr_assert_str_eq(told(many_app), "s ");
}

static intptr_t both_app(void *arg)
{
    int in = 0, other = 0, out = 5;
    (void)arg;
    c = ls_chan_new("c", sizeof(int), 0);
    struct ls_case cases[] = { ls_case_send(c, &out), ls_case_recv(c, &in), ls_case_recv(c, &other) };
    want_error(ls_select(cases, 3, SOON), ETIMEDOUT, NULL); /* it does not serve itself */
    struct ls_task *t = ls_spawn(sender, (void *)6, "s");
    int k = ls_select(cases, 3, LS_NEVER);
    want((k == 1 && in == 6 && !other) || (k == 2 && other == 6 && !in));
    want(!ls_await(t, NULL, LS_NEVER));
    t = ls_spawn(receiver, NULL, "r");
    want(ls_select(cases, 3, LS_NEVER) == 0);
    return ls_await(t, NULL, LS_NEVER) || ls_chan_free(c);
}
Test(runtime_select, sends_and_receives_on_one_channel)
{
    cr_assert_str_eq(told(both_app), "s r 1=5 ");
}

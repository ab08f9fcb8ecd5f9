/* ls_queue: fifo, lifo, priority; hand-over, limits, join, shutdown, deadlines, cancellation, wrong use. */
#include <criterion/criterion.h>

#include "tests/lib/story.h"

static struct ls_queue *q;

static intptr_t getter(void *arg)
{
    int v = -1;
    if (!note_result(ls_queue_get(q, &v, arg ? SOON : LS_NEVER)))
        note("%d ", v);
    return v;
}
static intptr_t putter(void *arg)
{
    int v = (int)(intptr_t)arg;
    return note_result(ls_queue_put(q, &v, v < 0 ? SOON : LS_NEVER));
}
static int put(int v)
{
    return ls_queue_put_nowait(q, &v);
}
static int get(void)
{
    int v;
    return ls_queue_get_nowait(q, &v) ? -1 : v;
}

static intptr_t getters_app(void *arg)
{
    struct ls_task *t[4];
    (void)arg;
    q = ls_queue_new("q", sizeof(int), 0);
    want(ls_queue_empty(q) == 1 && ls_queue_full(q) == 0);
    for (long i = 0; i < 4; i++)
        t[i] = ls_spawn(getter, (void *)(intptr_t)(i == 1), "t%ld", i);
    ls_sleep(2 * LS_MS);
    want_error(ls_queue_free(q), EBUSY, "3 tasks wait for queue 'q'");
    ls_cancel(t[2], NULL);
    for (int i = 7; i < 10; i++)
        put(i); /* to t0, t3; the last stays */
    want(ls_queue_size(q) == 1 && get() == 9);
    want_error(get(), EAGAIN, NULL);
    want_error(ls_queue_get(q, &(int){ 0 }, PAST), ETIMEDOUT, NULL);
    for (int i = 0; i < 4; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_queue_free(q);
}
Test(runtime_queue, hands_items_to_getters_first_come_first_served)
{
    cr_assert_str_eq(told(getters_app), "t1:ETIMEDOUT t2:ECANCELED t0 7 t3 8 ");
}

static intptr_t putters_app(void *arg)
{
    static const intptr_t items[4] = { 2, -3, 4, 5 };
    struct ls_task *t[4];
    (void)arg;
    q = ls_queue_new("q", sizeof(int), 1);
    want(!put(1) && ls_queue_full(q) == 1);
    want_error(put(9), EAGAIN, NULL);
    for (long i = 0; i < 4; i++)
        t[i] = ls_spawn(putter, (void *)items[i], "t%ld", items[i]);
    ls_sleep(2 * LS_MS);
    ls_cancel(t[2], NULL);
    want(get() == 1); /* 2 takes its place at once: nobody slips in */
    want_error(put(9), EAGAIN, NULL);
    want(get() == 2 && get() == 5 && ls_queue_empty(q));
    for (int i = 0; i < 4; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_queue_free(q);
}
Test(runtime_queue, lets_putters_in_first_come_first_served)
{
    cr_assert_str_eq(told(putters_app), "t-3:ETIMEDOUT t4:ECANCELED t2 t5 ");
}

struct job {
    int priority;
    char name;
};
static int by_priority(const void *a, const void *b)
{
    return ((const struct job *)a)->priority - ((const struct job *)b)->priority;
}
static intptr_t orders_app(void *arg)
{
    static const struct job jobs[] = { { 3, 'a' }, { 1, 'b' }, { 2, 'c' }, { 1, 'd' }, { 3, 'e' }, { 1, 'f' } };
    struct ls_queue *queues[] = { ls_queue_new(NULL, sizeof(struct job), 0),
                                  ls_queue_new_lifo(NULL, sizeof(struct job), 0),
                                  ls_queue_new_priority(NULL, sizeof(struct job), 0, by_priority) };
    (void)arg;
    for (int k = 0; k < 3; k++) {
        struct job j;
        for (int i = 0; i < 6; i++)
            want(!ls_queue_put(queues[k], &jobs[i], LS_NEVER));
        while (!ls_queue_get_nowait(queues[k], &j))
            note("%c", j.name);
        note(" ");
    }
    want(!ls_queue_new_priority(NULL, 4, 0, NULL) && errno == EINVAL);
    return 0;
}
Test(runtime_queue, fifo_lifo_and_priority)
{
    cr_assert_str_eq(told(orders_app), "abcdef fedcba bdfcae ");
}

struct wide {
    _Alignas(16) long double at;
};
static int less_wide(const void *a, const void *b)
{
    const struct wide *x = a, *y = b;
    want((uintptr_t)a % 16 == 0 && (uintptr_t)b % 16 == 0);
    return (x->at > y->at) - (x->at < y->at);
}
static intptr_t sizes_app(void *arg)
{
    struct wide w = { 3 };
    (void)arg;
    q = ls_queue_new_priority("wide", sizeof w, 0, less_wide);
    for (; w.at > 0; w.at--)
        want(!ls_queue_put(q, &w, LS_NEVER));
    for (int i = 1; i <= 3; i++)
        want(!ls_queue_get(q, &w, LS_NEVER) && w.at == i);
    want(!ls_queue_free(q));
    for (size_t size = SIZE_MAX; size > SIZE_MAX - 20; size--) { /* no wrap to something small */
        q = ls_queue_new_priority("huge", size, 0, less_wide);
        want_error(ls_queue_put(q, &w, LS_NEVER), ENOMEM, NULL);
        want(!ls_queue_free(q) && !ls_chan_new("huge", size, 2) && errno == ENOMEM);
    }
    want(!ls_chan_new("huge", 2, SIZE_MAX / 2 + 1) && errno == ENOMEM);
    return 0;
}
Test(runtime_queue, items_of_any_type_and_size)
{
    cr_assert_str_eq(told(sizes_app), "");
}

static int less(const void *a, const void *b)
{
    return *(const int *)a / 1000 - *(const int *)b / 1000;
}
/* Against the plain definition: of those inside, the least, then the oldest. */
static intptr_t heap_app(void *arg)
{
    unsigned x = 1;
    int inside[3000], n = 0, next = 0;
    (void)arg;
    q = ls_queue_new_priority("heap", sizeof(int), 0, less);
    for (int step = 0; step < 20000; step++) {
        x = x * 1103515245 + 12345;
        if (n < 900 && (x >> 16) % 5 < 3) {
            inside[n] = (int)((x >> 20) % 7) * 1000 + next++ % 1000;
            want(!put(inside[n++]));
        } else if (n) {
            int least = 0;
            for (int i = 1; i < n; i++)
                if (inside[i] / 1000 < inside[least] / 1000)
                    least = i;
            want(get() == inside[least]);
            memmove(inside + least, inside + least + 1, (size_t)(--n - least) * sizeof *inside);
        }
        if (*story)
            break;
    }
    want(ls_queue_size(q) == n);
    return 0;
}
Test(runtime_queue, the_heap_keeps_the_order_of_equals)
{
    cr_assert_str_eq(told(heap_app), "");
}

static intptr_t ring_app(void *arg)
{
    (void)arg;
    q = ls_queue_new("ring", sizeof(int), 0);
    for (int round = 0, in = 0, out = 0; round < 200; round++) { /* grows while it is wrapped around */
        for (int i = 0; i < round % 13 + 3; i++)
            want(!put(in++));
        for (int i = 0; i < round % 11 + 1; i++)
            want(get() == out++);
    }
    return 0;
}
Test(runtime_queue, the_ring_grows)
{
    cr_assert_str_eq(told(ring_app), "");
}

static intptr_t joiner(void *arg)
{
    return note_result(ls_queue_join(q, arg ? SOON : LS_NEVER));
}
static intptr_t join_app(void *arg)
{
    (void)arg;
    q = ls_queue_new("q", sizeof(int), 0);
    want(!ls_queue_join(q, LS_NEVER));
    want_error(ls_queue_task_done(q), EINVAL, "more often than items were put into queue 'q'");
    put(1), put(2);
    struct ls_task *t[] = { ls_spawn(joiner, NULL, "a"), ls_spawn(joiner, (void *)1, "b"),
                            ls_spawn(joiner, NULL, "c") };
    ls_sleep(2 * LS_MS);
    ls_cancel(t[2], NULL);
    get(), get();
    want(!ls_queue_task_done(q));
    ls_sleep(LS_MS);
    note("| ");
    want(!ls_queue_task_done(q));
    for (int i = 0; i < 3; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_queue_task_done(q) != -1;
}
Test(runtime_queue, join_waits_until_all_is_done)
{
    cr_assert_str_eq(told(join_app), "b:ETIMEDOUT c:ECANCELED | a ");
}

static intptr_t shutdown_app(void *arg)
{
    (void)arg;
    for (int now = 0; now < 2; now++) {
        q = ls_queue_new("q", sizeof(int), 2);
        put(1), put(2);
        struct ls_task *t[] = { ls_spawn(putter, (void *)3, "put"), ls_spawn(joiner, NULL, "join") };
        ls_sleep(LS_MS);
        want(!ls_queue_shutdown(q, now));
        want_error(put(4), EPIPE, NULL);
        if (!now) {
            want(get() == 1 && get() == 2);
            want(!ls_queue_task_done(q) && !ls_queue_task_done(q));
        }
        want_error(get(), EPIPE, NULL);
        want_error(ls_queue_get(q, &(int){ 0 }, LS_NEVER), EPIPE, NULL);
        ls_await(t[0], NULL, LS_NEVER);
        ls_await(t[1], NULL, LS_NEVER);
        want(!ls_queue_free(q));
        q = ls_queue_new("empty", sizeof(int), 2);
        t[0] = ls_spawn(getter, NULL, "get");
        ls_sleep(LS_MS);
        want(!ls_queue_shutdown(q, now));
        ls_await(t[0], NULL, LS_NEVER);
        want(!ls_queue_free(q));
        note("| ");
    }
    return 0;
}
Test(runtime_queue, shutdown_ends_both_sides)
{
    cr_assert_str_eq(told(shutdown_app), "put:EPIPE join get:EPIPE | put:EPIPE join get:EPIPE | ");
}

static intptr_t misuse_app(void *arg)
{
    (void)arg;
    q = ls_queue_new("q", sizeof(int), 0);
    want_error(ls_queue_put(NULL, &q, LS_NEVER), EINVAL, "NULL");
    want_error(ls_queue_put(q, NULL, LS_NEVER), EINVAL, "queue 'q': no item");
    want(!put(1) && !ls_queue_get(q, NULL, LS_NEVER)); /* dropped */
    want(!ls_queue_free(q));
    want_error(ls_queue_size(q), EINVAL, "freed already");
    struct ls_lock *k = ls_lock_new("k");
    want_error(ls_queue_get((struct ls_queue *)k, &(int){ 0 }, LS_NEVER), EINVAL, "not a queue: 'k' is a lock");
    return 0;
}
Test(runtime_queue, wrong_use_is_an_error_with_a_name)
{
    cr_assert_str_eq(told(misuse_app), "");
}

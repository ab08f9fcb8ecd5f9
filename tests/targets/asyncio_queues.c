/* asyncio_queues.c - queues as asyncio's tests have them, for our runtime; see asyncio_sync.h. */
#include "asyncio_sync.h"

static struct ls_queue *queue;

/* Queue */

static void queue_of(size_t max)
{
    queue = ls_queue_new(NULL, sizeof(int), max);
}
static int put(int v)
{
    return ls_queue_put_nowait(queue, &v);
}
static int get(void)
{
    int v;
    return ls_queue_get_nowait(queue, &v) ? -1 : v;
}
static intptr_t getter(void *i)
{
    int v;
    if (ls_queue_get(queue, &v, LS_NEVER))
        return -1;
    tag("%d=%d ", (int)(intptr_t)i, v);
    return v;
}
static intptr_t putter(void *i) /* puts 10 + its number */
{
    int v = 10 + (int)(intptr_t)i;
    if (ls_queue_put(queue, &v, LS_NEVER))
        return -1;
    tag("%d", (int)(intptr_t)i);
    return 0;
}

static void queue_say(void)
{
    say("%d %d %zd ", ls_queue_empty(queue), ls_queue_full(queue), ls_queue_size(queue));
}
static void queue_basic(void)
{
    queue_of(2);
    queue_say();
    put(1);
    queue_say();
    put(2);
    queue_say();
    say("%d ", get());
    say("%d ", get());
    say("%d", ls_queue_empty(queue));
}

static void queue_nonblocking_get_exception(void)
{
    queue_of(0);
    say(get() == -1 && errno == EAGAIN ? "empty" : "got");
}

static void queue_nonblocking_put_exception(void)
{
    queue_of(1);
    put(1);
    say(put(2) && errno == EAGAIN ? "full" : "put");
}

static void queue_blocking_get_wait(void)
{
    queue_of(0);
    spawn(getter, 1);
    tick(1);
    say_order();
    ls_sleep(2 * LS_MS);
    put(7);
    wait_all(1);
    say_order();
}

static void queue_blocking_put_wait(void)
{
    queue_of(1);
    put(1);
    spawn(putter, 1);
    tick(1);
    say_order();
    say("%d ", get());
    wait_all(1);
    say_order();
    say("%d", get() - 9);
}

static void queue_get_cancelled_race(void)
{
    queue_of(0);
    spawn(getter, 2);
    tick(1);
    ls_cancel(t[0], NULL);
    tick(1);
    say("%s ", outcome(t[0]));
    ls_queue_put(queue, &(int){ 5 }, LS_NEVER);
    tick(1);
    say_order();
    say("%s", outcome(t[1]));
}

static void queue_get_with_waiting_putters(void)
{
    int a = 0, b = 0;
    queue_of(1);
    spawn(putter, 2);
    ls_queue_get(queue, &a, LS_NEVER);
    ls_queue_get(queue, &b, LS_NEVER);
    say("%d %d ", a, b);
    wait_all(2);
    say_order();
}

static intptr_t produce_five(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        ls_queue_put(queue, &i, LS_NEVER);
    return 0;
}
static intptr_t consume_five(void *arg)
{
    (void)arg;
    for (int i = 0, v; i < 5 && !ls_queue_get(queue, &v, LS_NEVER); i++)
        say("%d ", v);
    return 0;
}
static void queue_why_are_getters_waiting(void)
{
    queue_of(1);
    t[0] = ls_spawn(produce_five, NULL, NULL);
    t[1] = ls_spawn(consume_five, NULL, NULL);
    wait_all(2);
}

static void queue_cancelled_getters_not_held(void)
{
    queue_of(5);
    if (ls_queue_get(queue, NULL, ls_after(5 * LS_MS)) && errno == ETIMEDOUT)
        say("timeout ");
    put(1);
    say("%zd", ls_queue_size(queue));
}

static void queue_cancelled_puts_not_held(void)
{
    queue_of(1);
    put(1);
    if (ls_queue_put(queue, &(int){ 2 }, ls_after(5 * LS_MS)) && errno == ETIMEDOUT)
        say("timeout ");
    say("%d ", get());
    say("%zd", ls_queue_size(queue));
}

static void say_got(int i)
{
    intptr_t v;
    if (!strcmp(outcome(t[i]), "done") && !ls_result(t[i], &v))
        say("got %d ", (int)v);
}
static void queue_get_cancel_drop_one(void)
{
    queue_of(0);
    spawn(getter, 1);
    tick(1);
    put(1);
    put(2);
    say("size %zd ", ls_queue_size(queue));
    ls_cancel(t[0], NULL);
    wait_all(1);
    say("%s ", outcome(t[0]));
    say_got(0);
    say("size %zd", ls_queue_size(queue));
}

static void queue_get_cancel_drop_many(void)
{
    queue_of(0);
    spawn(getter, 3);
    tick(1);
    put(1);
    put(2);
    ls_cancel(t[0], NULL);
    tick(3);
    for (int i = 0; i < 3; i++) {
        say("%d %s ", i + 1, outcome(t[i]));
        say_got(i);
    }
}

static void queue_put_cancel_drop(void)
{
    queue_of(1);
    put(1);
    spawn(putter, 1);
    tick(1);
    get();
    ls_cancel(t[0], NULL);
    wait_all(1);
    say("%s size %zd ", outcome(t[0]), ls_queue_size(queue));
    say("again %d", get() - 9);
}

static void queue_put_cancelled(void)
{
    queue_of(1);
    put(1);
    spawn(putter, 1);
    tick(1);
    ls_cancel(t[0], NULL);
    tick(1);
    say("%s ", outcome(t[0]));
    say("%d ", get());
    say("%d", ls_queue_empty(queue));
}

static void queue_put_cancelled_race(void)
{
    queue_of(1);
    spawn(putter, 4);
    tick(1);
    say_outcomes(4);
    ls_cancel(t[2], NULL);
    tick(1);
    say("%d ", get());
    tick(2);
    say("%d ", get());
    tick(2);
    say("%d ", get());
    say("%s %d", outcome(t[2]), ls_queue_empty(queue));
    wait_all(4);
}

static void queue_put_with_waiting_getters(void)
{
    queue_of(0);
    spawn(getter, 1);
    tick(1);
    ls_queue_put(queue, &(int){ 9 }, LS_NEVER);
    wait_all(1);
    say_order();
}

static void say_132(void)
{
    put(1), put(3), put(2);
    for (int i = 0; i < 3; i++)
        say("%d ", get());
}
static void lifo_order(void)
{
    queue = ls_queue_new_lifo(NULL, sizeof(int), 0);
    say_132();
}
static int by_int(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}
static void priority_order(void)
{
    queue = ls_queue_new_priority(NULL, sizeof(int), 0, by_int);
    say_132();
}

static void join_task_done_underflow(void)
{
    queue_of(0);
    say(ls_queue_task_done(queue) ? "error" : "done");
}

static int total, running;
static intptr_t adder(void *arg)
{
    (void)arg;
    for (int v; running && !ls_queue_get(queue, &v, LS_NEVER);) {
        total += v;
        tick(1);
        ls_queue_task_done(queue);
    }
    return 0;
}
static void join_task_done(void)
{
    queue_of(0);
    running = 1;
    for (int i = 0; i < 100; i++)
        put(i);
    spawn(adder, 2);
    ls_queue_join(queue, LS_NEVER);
    say("%d ", total);
    running = 0;
    put(0);
    put(0);
    wait_all(2);
    ls_queue_join(queue, LS_NEVER);
    say("%d", total);
}

static void join_empty_queue(void)
{
    queue_of(0);
    if (!ls_queue_join(queue, LS_NEVER) && !ls_queue_join(queue, LS_NEVER))
        say("joined");
}

static const struct sync_case cases[] = {
    { "Queue.empty_full_order_maxsize", queue_basic },
    { "Queue.nonblocking_get_exception", queue_nonblocking_get_exception },
    { "Queue.nonblocking_put_exception", queue_nonblocking_put_exception },
    { "Queue.blocking_get_wait", queue_blocking_get_wait },
    { "Queue.blocking_put_wait", queue_blocking_put_wait },
    { "Queue.get_cancelled_race", queue_get_cancelled_race },
    { "Queue.get_with_waiting_putters", queue_get_with_waiting_putters },
    { "Queue.why_are_getters_waiting", queue_why_are_getters_waiting },
    { "Queue.cancelled_getters_not_being_held_in_self_getters", queue_cancelled_getters_not_held },
    { "Queue.cancelled_puts_not_being_held_in_self_putters", queue_cancelled_puts_not_held },
    { "Queue.get_cancel_drop_one_pending_reader", queue_get_cancel_drop_one },
    { "Queue.get_cancel_drop_many_pending_readers", queue_get_cancel_drop_many },
    { "Queue.put_cancel_drop", queue_put_cancel_drop },
    { "Queue.put_cancelled", queue_put_cancelled },
    { "Queue.put_cancelled_race", queue_put_cancelled_race },
    { "Queue.put_with_waiting_getters", queue_put_with_waiting_getters },
    { "LifoQueue.order", lifo_order },
    { "PriorityQueue.order", priority_order },
    { "QueueJoin.task_done_underflow", join_task_done_underflow },
    { "QueueJoin.task_done", join_task_done },
    { "QueueJoin.join_empty_queue", join_empty_queue },
};

int main(void)
{
    return run_cases(cases, sizeof cases / sizeof *cases);
}

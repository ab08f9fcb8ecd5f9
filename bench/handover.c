/* handover.c - how often a second a lock, a queue's item and a channel's item go from task to task, beside State Threads'
 * mutex and a queue made of its conditions.  handover.py asks: a line "lock", "queue" or "chan" is answered by "OURS PEER",
 * in ns each (0: no peer), one burst after the other.
 * link: -lst */
#include "bench/bench.h"

#include <st.h>
#include <string.h>

#include <loopscope/runtime.h>

#define BURST 200000
#define LOCKS 3

/* Locks: two tasks go round three locks, each taking the next before it gives back the last, so that they are always in
 * each other's way: every release hands over, and every acquire waits. */
static struct ls_lock *lock[LOCKS];
static intptr_t walker(void *start)
{
    int at = (int)(intptr_t)start;
    ls_lock_acquire(lock[at], LS_NEVER);
    ls_yield();
    for (int i = 0; i < BURST / 2; i++) {
        int next = at == LOCKS - 1 ? 0 : at + 1;
        ls_lock_acquire(lock[next], LS_NEVER);
        ls_lock_release(lock[at]);
        at = next;
    }
    return ls_lock_release(lock[at]);
}
static st_mutex_t mutex[LOCKS];
static void *st_walker(void *start)
{
    int at = (int)(intptr_t)start;
    st_mutex_lock(mutex[at]);
    st_usleep(0);
    for (int i = 0; i < BURST / 2; i++) {
        int next = at == LOCKS - 1 ? 0 : at + 1;
        st_mutex_lock(mutex[next]);
        st_mutex_unlock(mutex[at]);
        at = next;
    }
    st_mutex_unlock(mutex[at]);
    return NULL;
}

/* A queue of one: one task puts, the other gets. */
static struct ls_queue *queue;
static intptr_t producer(void *arg)
{
    for (int i = 0; i < BURST; i++)
        ls_queue_put(queue, &i, LS_NEVER);
    return (intptr_t)arg;
}
static intptr_t consumer(void *arg)
{
    for (int i = 0, v; i < BURST; i++)
        ls_queue_get(queue, &v, LS_NEVER);
    return (intptr_t)arg;
}
static struct {
    int item, full;
    st_cond_t got, put;
} one;
static void *st_producer(void *arg)
{
    for (int i = 0; i < BURST; i++) {
        while (one.full)
            st_cond_wait(one.got);
        one.item = i;
        one.full = 1;
        st_cond_signal(one.put);
    }
    return arg;
}
static void *st_consumer(void *arg)
{
    for (int i = 0; i < BURST; i++) {
        while (!one.full)
            st_cond_wait(one.put);
        one.full = 0;
        st_cond_signal(one.got);
    }
    return arg;
}

/* A channel without a buffer. */
static struct ls_chan *chan;
static intptr_t sender(void *arg)
{
    for (int i = 0; i < BURST; i++)
        ls_chan_send(chan, &i, LS_NEVER);
    return (intptr_t)arg;
}
static intptr_t receiver(void *arg)
{
    for (int i = 0, v; i < BURST; i++)
        ls_chan_recv(chan, &v, LS_NEVER);
    return (intptr_t)arg;
}

static double both(ls_fn *a, ls_fn *b)
{
    uint64_t start = bench_now();
    struct ls_task *t[2] = { ls_spawn(a, (void *)0, NULL), ls_spawn(b, (void *)1, NULL) };
    if (ls_gather(t, 2, NULL, LS_NEVER))
        exit(1);
    return (double)(bench_now() - start) / BURST;
}
static double st_both(void *(*a)(void *), void *(*b)(void *))
{
    uint64_t start = bench_now();
    st_thread_t t[2] = { st_thread_create(a, (void *)0, 1, 0), st_thread_create(b, (void *)1, 1, 0) };
    if (st_thread_join(t[0], NULL) || st_thread_join(t[1], NULL))
        exit(1);
    return (double)(bench_now() - start) / BURST;
}

static intptr_t app(void *arg)
{
    char what[16];
    for (int i = 0; i < LOCKS; i++)
        lock[i] = ls_lock_new(NULL);
    queue = ls_queue_new(NULL, sizeof(int), 1);
    chan = ls_chan_new(NULL, sizeof(int), 0);
    while (scanf("%15s", what) == 1) {
        double ours = 0, peer = 0;
        if (!strcmp(what, "lock")) {
            peer = st_both(st_walker, st_walker);
            ours = both(walker, walker);
        } else if (!strcmp(what, "queue")) {
            peer = st_both(st_producer, st_consumer);
            ours = both(producer, consumer);
        } else
            ours = both(sender, receiver);
        printf("%.2f %.2f\n", ours, peer);
        fflush(stdout);
    }
    return (intptr_t)arg;
}

int main(void)
{
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_init())
        return 77;
    for (int i = 0; i < LOCKS; i++)
        mutex[i] = st_mutex_new();
    one.got = st_cond_new();
    one.put = st_cond_new();
    return (int)ls_run(app, NULL, NULL);
}

/* drain.c - one thread that takes the records out of the rings and queues them for the storing thread.
 *
 * It never waits for the storing thread.  How records are taken is drain_reader.c, how they wait drain_queue.c; here is
 * the thread: when it looks, how long it naps, how it is told and stopped.  Owns both, the thread and its orders. */
#include "drain.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "drain_queue.h"
#include "drain_reader.h"

#define GONE_MAX    64          /* processes told as gone between two passes */
#define MS          1000000ull
#define CHECK_EVERY (1000 * MS) /* look for threads that died without a word */
#define NAP_MAX     (40 * MS)
#define NAP_LATE    (10 * MS)   /* while it is not yet sure that nothing goes on */
#define CALM        (1000 * MS) /* nearly nothing came for this long: naps get longer */

struct drain {
    struct queue *queue;
    struct reader *reader;   /* the thread's */

    pthread_t thread;
    bool joined;
    ns_t cpu;                /* of the thread, once it was joined */

    pthread_mutex_t lock;    /* guards all below */
    pthread_cond_t poke;     /* the thread has something to do */
    int32_t gone[GONE_MAX];
    int n_gone;
    bool stopping;
};

static ns_t now_ns(void)
{
    return clock_now(LS_CLOCK_MONOTONIC);
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

static void bury_gone(struct drain *d)
{
    int32_t gone[GONE_MAX];
    pthread_mutex_lock(&d->lock);
    int n = d->n_gone;
    memcpy(gone, d->gone, (size_t)n * sizeof *gone);
    d->n_gone = 0;
    pthread_mutex_unlock(&d->lock);
    for (int k = 0; k < n; k++)
        reader_process_gone(d->reader, gone[k]);
}

/* How long to sleep.  Busy: 2 ms, so that batches are worth their cost; 1 ms or none as rings fill; else ever longer. */
static ns_t next_nap(ns_t nap, bool busy, unsigned fill, ns_t calm_for)
{
    if (busy)
        return fill >= 4 ? 0 : fill >= 1 ? 1 * MS : 2 * MS;
    ns_t most = calm_for > CALM ? NAP_MAX : NAP_LATE;
    nap = nap < MS ? 2 * MS : nap * 2;
    return nap > most ? most : nap;
}

static void sleep_for(struct drain *d, ns_t nap)
{
    ns_t until = now_ns() + nap;
    struct timespec t = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
    pthread_mutex_lock(&d->lock);
    if (!d->stopping && !d->n_gone)
        pthread_cond_timedwait(&d->poke, &d->lock, &t);
    pthread_mutex_unlock(&d->lock);
}

static bool is_stopping(struct drain *d)
{
    pthread_mutex_lock(&d->lock);
    bool stopping = d->stopping;
    pthread_mutex_unlock(&d->lock);
    return stopping;
}

static void *drain_main(void *arg)
{
    struct drain *d = arg;
    ns_t nap = 0, checked = now_ns(), last_busy = checked;
    unsigned fill;

    /* Ahead of the storing thread when both want one core: a late look at a full ring costs events.  Best effort. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), -5);
    while (!is_stopping(d)) {
        bool busy = reader_pass(d->reader, &fill);
        ns_t now = now_ns();
        if (busy)
            last_busy = now;
        bury_gone(d);
        /* Where slots are wanted, the dead must not keep them for long. */
        if (now - checked >= (reader_is_crowded(d->reader) ? CHECK_EVERY / 4 : CHECK_EVERY)) {
            reader_check_dead(d->reader);
            checked = now;
        }
        nap = next_nap(nap, busy, fill, now - last_busy);
        if (nap)
            sleep_for(d, nap);
    }
    /* What is in the rings now comes along even if there is no room for it: there is no later. */
    queue_force(d->queue);
    reader_pass(d->reader, &fill);
    reader_finish(d->reader);
    queue_close(d->queue);
    return NULL;
}

/* --- the way in --------------------------------------------------------------------------------------------------- */

static void give_back(struct drain *d)
{
    reader_free(d->reader);
    queue_free(d->queue);
    pthread_cond_destroy(&d->poke);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct drain *drain_start(struct ls_arena *arena, const char *spill_dir, size_t memory_max)
{
    return drain_start_backed(arena, spill_dir, memory_max, NULL, NULL);
}

struct drain *drain_start_backed(struct ls_arena *arena, const char *spill_dir, size_t memory_max, drain_back *back,
                                 void *back_ctx)
{
    struct drain *d = calloc(1, sizeof *d);
    pthread_condattr_t attr;
    if (!d)
        return NULL;
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->poke, &attr);
    pthread_condattr_destroy(&attr);
    d->queue = queue_new(spill_dir, memory_max);
    d->reader = d->queue ? reader_new(arena, d->queue, back, back_ctx) : NULL;
    int e = d->reader ? pthread_create(&d->thread, NULL, drain_main, d) : ENOMEM;
    if (!e)
        return d;
    give_back(d);
    errno = e;
    return NULL;
}

int drain_next(struct drain *d, int timeout_ms, struct batch *ret_batch)
{
    return queue_next(d->queue, timeout_ms, ret_batch);
}

int drain_fd(const struct drain *d)
{
    return queue_fd(d->queue);
}

void drain_release(struct drain *d, struct batch *batch)
{
    queue_release(d->queue, batch);
}

void drain_process_gone(struct drain *d, int32_t pid)
{
    pthread_mutex_lock(&d->lock);
    if (d->n_gone < GONE_MAX)
        d->gone[d->n_gone++] = pid;
    pthread_cond_signal(&d->poke);
    pthread_mutex_unlock(&d->lock);
}

static ns_t thread_cpu(const struct drain *d)
{
    clockid_t clock;
    struct timespec t;
    if (d->joined || pthread_getcpuclockid(d->thread, &clock) || clock_gettime(clock, &t))
        return d->cpu;
    return (ns_t)t.tv_sec * 1000000000u + (ns_t)t.tv_nsec;
}

void drain_stop(struct drain *d)
{
    if (d->joined)
        return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_signal(&d->poke);
    pthread_mutex_unlock(&d->lock);
    queue_wait_closed(d->queue);
    d->cpu = thread_cpu(d);
    pthread_join(d->thread, NULL);
    d->joined = true;
}

struct drain_stats drain_stats(struct drain *d)
{
    struct drain_stats stats = queue_stats(d->queue);
    stats.cpu = thread_cpu(d);
    return stats;
}

void drain_free(struct drain *d)
{
    if (!d)
        return;
    drain_stop(d);
    give_back(d);
}

/* drain_queue.c - the queue between drain's thread and the storing thread.
 *
 * Owns the batches in it, a pool of buffers and the spill file.  Whoever puts is never made to wait for who takes: what
 * is over the limit of memory goes to disk, and when that is full too the queue says that it has no room.  What is put
 * all the same stays in memory.  Drain's thread puts, the storing thread takes; one mutex guards the queue, another the
 * file. */
#include "drain_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "spill.h"

#define POOL_MAX 32         /* free chunks that are kept */
#define MS       1000000ull
#define CHOKE    (100 * MS) /* the disk is full: try it again after this */

struct queue {
    size_t memory_max;
    ns_t choked;             /* no room before this time; the putting thread's */

    pthread_mutex_t lock;    /* guards all below */
    pthread_cond_t filled;   /* a batch was queued, or it was closed */
    int filled_fd;           /* eventfd, the same as `filled` for who waits with poll; -1: cannot be had */
    struct item *first, **last;
    struct ls_event *pool[POOL_MAX];
    int pooled;
    size_t memory;           /* bytes of events queued in memory */
    struct drain_stats stats;
    bool closed;

    pthread_mutex_t spill_lock; /* guards spill; never taken while holding lock */
    struct spill spill;
};

struct queue *queue_new(const char *spill_dir, size_t memory_max)
{
    struct queue *q = calloc(1, sizeof *q);
    pthread_condattr_t attr;
    if (!q)
        return NULL;
    q->memory_max = memory_max;
    q->last = &q->first;
    spill_init(&q->spill, spill_dir);
    pthread_mutex_init(&q->lock, NULL);
    pthread_mutex_init(&q->spill_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->filled, &attr);
    pthread_condattr_destroy(&attr);
    q->filled_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return q;
}

void queue_free(struct queue *q)
{
    struct batch b;
    if (!q)
        return;
    while (queue_next(q, 0, &b) > 0)
        queue_release(q, &b);
    for (int i = 0; i < q->pooled; i++)
        free(q->pool[i]);
    if (q->filled_fd >= 0)
        close(q->filled_fd);
    spill_close(&q->spill);
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
    pthread_mutex_destroy(&q->spill_lock);
    free(q);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

struct ls_event *queue_buffer(struct queue *q, size_t n, bool *ret_pooled)
{
    struct ls_event *e = NULL;
    *ret_pooled = n > CHUNK / 4;
    if (!*ret_pooled)
        return malloc(n * sizeof *e);
    pthread_mutex_lock(&q->lock);
    if (q->pooled)
        e = q->pool[--q->pooled];
    pthread_mutex_unlock(&q->lock);
    return e ? e : malloc(CHUNK * sizeof *e);
}

void queue_buffer_free(struct queue *q, struct ls_event *e, bool pooled)
{
    if (e && pooled) {
        pthread_mutex_lock(&q->lock);
        if (q->pooled < POOL_MAX) {
            q->pool[q->pooled++] = e;
            e = NULL;
        }
        pthread_mutex_unlock(&q->lock);
    }
    free(e);
}

static bool memory_full(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool full = q->memory >= q->memory_max;
    pthread_mutex_unlock(&q->lock);
    return full;
}

bool queue_has_room(struct queue *q)
{
    return !memory_full(q) || clock_now(LS_CLOCK_MONOTONIC) >= q->choked;
}

void queue_force(struct queue *q)
{
    q->choked = 0;
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

/* Moves the events of a batch to the spill file; when that has no room either, nothing more is taken for a while. */
static void spill_item(struct queue *q, struct item *it)
{
    size_t size = it->batch.n * sizeof(struct ls_event);
    pthread_mutex_lock(&q->spill_lock);
    int r = spill_write(&q->spill, it->events, size, &it->at);
    pthread_mutex_unlock(&q->spill_lock);
    if (r < 0) {
        q->choked = clock_now(LS_CLOCK_MONOTONIC) + CHOKE;
        return;
    }
    queue_buffer_free(q, it->events, it->pooled);
    it->events = NULL;
    it->spilled = true;
    pthread_mutex_lock(&q->lock);
    q->stats.spilled += it->batch.n;
    pthread_mutex_unlock(&q->lock);
}

static void tell_filled(struct queue *q)
{
    uint64_t one = 1;
    if (q->filled_fd >= 0 && write(q->filled_fd, &one, sizeof one) < 0)
        return; /* it is full of tellings: told */
}

void queue_put(struct queue *q, struct item *it)
{
    if (it->events && memory_full(q))
        spill_item(q, it);
    it->batch.owner = it;
    it->next = NULL;
    pthread_mutex_lock(&q->lock);
    bool first = !q->first;
    *q->last = it;
    q->last = &it->next;
    q->stats.queued += it->batch.n * sizeof(struct ls_event) * (it->batch.kind == BATCH_EVENTS);
    q->memory += it->events ? it->batch.n * sizeof(struct ls_event) : 0;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
    if (first)
        tell_filled(q);
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
    tell_filled(q);
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

/* Reads the events of a batch back. */
static void unspill_item(struct queue *q, struct item *it)
{
    size_t n = it->batch.n;
    it->events = queue_buffer(q, n, &it->pooled);
    pthread_mutex_lock(&q->spill_lock);
    int r = it->events ? spill_read(&q->spill, it->at, it->events, n * sizeof *it->events) : -ENOMEM;
    pthread_mutex_unlock(&q->spill_lock);
    if (r < 0) /* the disk gave back nothing: these records are skipped, and that is said */
        it->batch.kind = BATCH_BAD;
    pthread_mutex_lock(&q->lock);
    q->stats.bad += r < 0 ? n : 0;
    q->memory += it->events ? n * sizeof *it->events : 0;
    q->stats.queued -= r < 0 ? n * sizeof *it->events : 0;
    pthread_mutex_unlock(&q->lock);
}

int queue_next(struct queue *q, int timeout_ms, struct batch *ret_batch)
{
    ns_t until = clock_now(LS_CLOCK_MONOTONIC) + (ns_t)(timeout_ms > 0 ? timeout_ms : 0) * MS;
    struct timespec t = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };

    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->closed && timeout_ms > 0) {
        if (pthread_cond_timedwait(&q->filled, &q->lock, &t) == ETIMEDOUT)
            break;
    }
    struct item *it = q->first;
    bool closed = q->closed;
    uint64_t told;
    if (!it && q->filled_fd >= 0 && read(q->filled_fd, &told, sizeof told) < 0)
        errno = 0; /* nobody had told */
    if (it) {
        q->first = it->next;
        if (!q->first)
            q->last = &q->first;
    }
    pthread_mutex_unlock(&q->lock);
    if (!it)
        return closed ? -1 : 0;

    if (it->spilled)
        unspill_item(q, it);
    it->batch.events = it->events;
    *ret_batch = it->batch;
    return 1;
}

int queue_fd(const struct queue *q)
{
    return q->filled_fd;
}

void queue_release(struct queue *q, struct batch *batch)
{
    struct item *it = batch->owner;
    if (!it)
        return;
    size_t size = it->batch.n * sizeof(struct ls_event);
    pthread_mutex_lock(&q->lock);
    q->stats.queued -= it->batch.kind == BATCH_EVENTS ? size : 0;
    q->memory -= it->events ? size : 0;
    pthread_mutex_unlock(&q->lock);
    queue_buffer_free(q, it->events, it->pooled);
    free(it);
    batch->owner = NULL;
    batch->events = NULL;
}

void queue_wait_closed(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (!q->closed)
        pthread_cond_wait(&q->filled, &q->lock);
    pthread_mutex_unlock(&q->lock);
}

void queue_count(struct queue *q, struct queue_counts more)
{
    pthread_mutex_lock(&q->lock);
    q->stats.events += more.events;
    q->stats.lost += more.lost;
    q->stats.bad += more.bad;
    q->stats.live += (uint32_t)more.live;
    pthread_mutex_unlock(&q->lock);
}

struct drain_stats queue_stats(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    struct drain_stats stats = q->stats;
    pthread_mutex_unlock(&q->lock);
    return stats;
}

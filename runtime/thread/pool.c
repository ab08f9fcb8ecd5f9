/* pool.c - threads that run what may block, and bring the results back to the loop: ls_to_thread, ls_pool_*.
 *
 * A job is in the queue, then with a worker, then in the loop's inbox; it belongs to whoever has it.  When its task
 * gave up, job->task is NULL, and the loop drops it when it comes in; one that had not begun never does. The mutex
 * guards the queue and the counts of threads; the rest is the loop's alone. */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inbox.h"
#include "runtime/core/object.h"

#define THREADS_DEFAULT 32 /* at most, of the loop's own */
#define THREADS_MAX     256

struct job {
    struct job *next, **link; /* in the queue; link NULL: it is not */
    struct pool *pool;
    struct task *task; /* who waits; NULL: nobody any more */
    ls_fn *fn;
    void *arg;
    ls_drop_fn *drop;
    struct ls_site *site;
    struct note *note; /* to come in with, made beforehand so that this cannot fail */
    uint32_t asker;    /* the task in the trace */
    intptr_t result;
    int error;
    bool over;
    char name[64];
};

struct pool {
    struct pool *next; /* of the loop's */
    struct loop *loop;
    uint64_t inbox;        /* its handle */
    struct object *object; /* NULL: freed, it goes when its last thread does */
    unsigned waits;        /* tasks that wait for a job */
    char name[12];         /* "threads": its threads are "threads.1" ...; the kernel keeps 15 characters */
    struct note *farewell; /* of the last thread */

    pthread_mutex_t mutex;
    pthread_cond_t work; /* the queue has a job, or `stop` */
    struct job *queue, **queue_end;
    bool stop;
    unsigned limit, started; /* threads that may be, that are */
    unsigned alive, free;    /* of them not over; without a job */
    unsigned queued, told;   /* jobs in the queue; how many the trace was told are waiting for a thread */
    pthread_t thread[];
};

struct pool_object {
    struct object object;
    struct pool *pool;
};

/* Under the mutex: tells the trace how many jobs there are more than threads that are free. */
static void tell_queue(struct pool *p)
{
    unsigned waiting = p->queued > p->free ? p->queued - p->free : 0;
    if (waiting == p->told || !ls_probe_on())
        return;
    p->told = waiting;
    char name[sizeof p->name + 8];
    snprintf(name, sizeof name, "%s: queued", p->name);
    ls_counter(name, waiting);
}

static void queue_add(struct pool *p, struct job *j)
{
    j->link = p->queue_end;
    *p->queue_end = j;
    p->queue_end = &j->next;
    p->queued++;
}

static void queue_remove(struct pool *p, struct job *j)
{
    if ((*j->link = j->next))
        j->next->link = j->link;
    else
        p->queue_end = j->link;
    j->link = NULL;
    j->next = NULL;
    p->queued--;
}

static void *worker(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->mutex);
    for (;;) {
        while (!p->queue && !p->stop)
            pthread_cond_wait(&p->work, &p->mutex);
        struct job *j = p->queue;
        if (!j) /* stop: what is queued is run first, it must be */
            break;
        queue_remove(p, j);
        p->free--;
        ls_probe_thread(); /* before it tells anything */
        tell_queue(p);
        pthread_mutex_unlock(&p->mutex);

        uint64_t start = ls_probe_on() ? ls_probe_now() : 0;
        errno = 0;
        j->result = j->fn(j->arg);
        j->error = errno;
        if (start)
            ls_probe_mark_for(j->asker, j->name, __builtin_nan(""), start);
        pthread_mutex_lock(&p->mutex);
        p->free++; /* before the loop knows, so that its next job starts no other thread */
        pthread_mutex_unlock(&p->mutex);
        lsrt_inbox_push(p->inbox, j->note); /* cannot fail: the loop ends after its threads */
        pthread_mutex_lock(&p->mutex);
    }
    bool last = --p->alive == 0;
    pthread_mutex_unlock(&p->mutex);
    if (last)
        lsrt_inbox_push(p->inbox, p->farewell);
    return NULL;
}

static void describe(const struct object *o, char *text, size_t size)
{
    struct pool *p = ((const struct pool_object *)o)->pool;
    if (pthread_mutex_trylock(&p->mutex)) { /* ls_dump must not wait: a debugger may have stopped who has it */
        snprintf(text, size, "busy");
        return;
    }
    snprintf(text, size, "%u of at most %u threads, %u free, %u jobs queued", p->started, p->limit, p->free, p->queued);
    pthread_mutex_unlock(&p->mutex);
}

static void destroy(struct loop *l, struct object *o)
{
    (void)l;
    struct pool *p = ((struct pool_object *)o)->pool;
    if (p)
        p->object = NULL;
}

static const struct object_ops pool_ops = {
    .kind = LS_OBJECT_POOL, .noun = "pool", .size = sizeof(struct pool_object), .destroy = destroy, .describe = describe
};

static void pool_free(struct pool *p)
{
    struct pool **at = &p->loop->pools;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    if (p->object)
        ((struct pool_object *)p->object)->pool = NULL;
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

static void pool_join(struct pool *p)
{
    for (unsigned i = 0; i < p->started; i++)
        pthread_join(p->thread[i], NULL);
    p->started = 0;
}

/* Its last thread is over: a note to the loop. */
static void pool_over(void *pool)
{
    pool_join(pool);
    pool_free(pool);
}

static void pool_stop(struct pool *p)
{
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->mutex);
}

/* NULL and errno. */
static struct pool *pool_new(struct loop *l, struct ls_site *site, const char *name, unsigned limit)
{
    struct inbox *b = lsrt_inbox(l);
    if (!b)
        return NULL;
    struct pool *p = calloc(1, sizeof *p + limit * sizeof p->thread[0]);
    struct pool_object *o = p ? lsrt_object_new(l, &pool_ops, site, name) : NULL;
    if (!o || !(p->farewell = lsrt_note_new(NULL, pool_over, p))) {
        if (o) {
            o->pool = p;
            lsrt_object_free(l, o);
        }
        free(p);
        errno = ENOMEM;
        return NULL;
    }
    p->loop = l;
    p->inbox = lsrt_inbox_handle(b);
    p->limit = limit;
    p->queue_end = &p->queue;
    snprintf(p->name, sizeof p->name, "%.11s", o->object.name);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->work, NULL);
    p->object = &o->object;
    o->pool = p;
    p->next = l->pools;
    return l->pools = p;
}

/* The loop's own. */
static struct pool *pool_default(struct loop *l, struct ls_site *site)
{
    if (l->pool)
        return l->pool;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned limit = cores > 0 && cores + 4 < THREADS_DEFAULT ? (unsigned)cores + 4 : THREADS_DEFAULT;
    if ((l->pool = pool_new(l, site, "threads", limit)))
        l->pool->object->own = true;
    return l->pool;
}

/* Under the mutex: one more thread; signals are not for it, the program's own threads handle them.  0 or errno. */
static int thread_add(struct pool *p)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&p->thread[p->started], NULL, worker, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return error;
    p->started++;
    p->alive++;
    p->free++;
    char name[16];
    snprintf(name, sizeof name, "%s.%u", p->name, p->started);
    pthread_setname_np(p->thread[p->started - 1], name);
    return 0;
}

/* Queues a job; 0 or errno. */
static int submit(struct pool *p, struct job *j)
{
    int error = 0;
    pthread_mutex_lock(&p->mutex);
    if (p->queued >= p->free && p->started < p->limit)
        error = thread_add(p);
    if (p->started) { /* too few threads are enough */
        error = 0;
        queue_add(p, j);
        tell_queue(p);
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->mutex);
    return error;
}

/* A job is over: a note to the loop. */
static void job_over(void *job)
{
    struct job *j = job;
    struct loop *l = j->pool->loop;
    j->over = true;
    if (j->task && j->task->state != TASK_ABANDONED) {
        lsrt_wake(l, j->task, 0);
        return;
    }
    if (j->drop)
        j->drop(j->arg, j->result);
    free(j);
}

/* A queued job that nobody waits for any more never runs.  False: a worker has it, or had it. */
static bool withdraw(struct pool *p, struct job *j)
{
    pthread_mutex_lock(&p->mutex);
    bool queued = j->link != NULL;
    if (queued) {
        queue_remove(p, j);
        tell_queue(p);
    }
    pthread_mutex_unlock(&p->mutex);
    return queued;
}

/* NULL: no memory. */
static struct job *job_new(struct loop *l, struct pool *p, const struct work *w)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j || !(j->note = lsrt_note_new(NULL, job_over, j))) {
        free(j);
        return NULL;
    }
    j->pool = p;
    j->task = l->current;
    j->fn = w->fn;
    j->arg = w->arg;
    j->drop = w->drop;
    if (ls_probe_on()) {
        j->asker = lsrt_task_probe_id(l->current);
        snprintf(j->name, sizeof j->name, "%s", w->name);
    }
    return j;
}

/* The task gave up.  Who frees the arg and the result: drop, now or later. */
static int give_up(struct job *j, const struct work *w, int error)
{
    if (!j->over && (w->must_run || !withdraw(j->pool, j))) {
        j->task = NULL; /* job_over does the rest */
        return error;
    }
    if (!j->over)
        lsrt_note_free(j->note);
    if (w->drop)
        w->drop(w->arg, j->over ? j->result : -1);
    free(j);
    return error;
}

int lsrt_pool_run(struct loop *l, struct pool *p, const struct work *w, intptr_t *ret_result, int *ret_error)
{
    int error = 0;
    struct job *j = NULL;
    /* A task that may not wait is told so before anything begins. */
    bool stopped = l->refusing || l->current->cancel || (w->deadline != LS_NEVER && w->deadline <= lsrt_now());
    if (stopped && !w->must_run)
        error = lsrt_park(l, w->why, on_nothing(), w->site, w->deadline);
    else if (!p && !(p = pool_default(l, w->site)))
        error = errno;
    else if (!(j = job_new(l, p, w)))
        error = ENOMEM;
    else if ((error = submit(p, j))) {
        lsrt_note_free(j->note);
        free(j);
    }
    if (error) {
        if (w->drop)
            w->drop(w->arg, -1);
        return error;
    }
    p->waits++;
    error = lsrt_park(l, w->why, w->on.kind == ON_NOTHING ? on_object(p->object) : w->on, w->site, w->deadline);
    p->waits--;
    if (error)
        return give_up(j, w, error);
    if (ret_result)
        *ret_result = j->result;
    if (ret_error)
        *ret_error = j->error;
    free(j);
    return 0;
}

int ls_pool_run_at(struct ls_site *site, struct ls_pool *pool, ls_fn *fn, const char *name, void *arg, ls_drop_fn *drop,
                   intptr_t *ret_result, ls_ns deadline)
{
    const char *call = pool ? "ls_pool_run" : "ls_to_thread";
    struct loop *l = lsrt_inside(call);
    struct pool_object *o = l && pool ? lsrt_object_of(l, pool, &pool_ops, call) : NULL;
    if (l && !fn)
        lsrt_misuse(EINVAL, "%s: the function is NULL", call);
    if (!l || !fn || (pool && !o)) {
        int error = errno;
        if (drop)
            drop(arg, -1);
        return lsrt_result(error);
    }
    struct work w = {
        .fn = fn, .arg = arg, .drop = drop, .name = name, .why = LS_WHY_THREAD, .site = site, .deadline = deadline
    };
    intptr_t result;
    int job_error, error = lsrt_pool_run(l, o ? o->pool : NULL, &w, &result, &job_error);
    if (error)
        return lsrt_result(error);
    if (ret_result)
        *ret_result = result;
    if (result == -1)
        errno = job_error;
    return 0;
}

struct ls_pool *ls_pool_new_at(struct ls_site *site, const char *name, unsigned threads)
{
    struct loop *l = lsrt_on_loop("ls_pool_new");
    if (!l)
        return NULL;
    if (!threads || threads > THREADS_MAX) {
        lsrt_misuse(EINVAL, "ls_pool_new: %u threads; a pool has 1 to %u", threads, THREADS_MAX);
        return NULL;
    }
    struct pool *p = pool_new(l, site, name, threads);
    return p ? lsrt_object_handle(l, p->object) : NULL;
}

int ls_pool_free(struct ls_pool *pool)
{
    struct loop *l = lsrt_on_loop("ls_pool_free");
    struct pool_object *o = l ? lsrt_object_of(l, pool, &pool_ops, "ls_pool_free") : NULL;
    if (!o)
        return -1;
    struct pool *p = o->pool;
    if (p->waits)
        return lsrt_misuse(EBUSY, "ls_pool_free: %u tasks wait for jobs of pool '%s'", p->waits, o->object.name);
    lsrt_object_free(l, o);
    if (!p->started) {
        lsrt_note_free(p->farewell);
        pool_free(p);
    } else
        pool_stop(p);
    return 0;
}

void lsrt_pools_join(struct loop *l)
{
    for (struct pool *p = l->pools; p; p = p->next)
        pool_stop(p);
    for (struct pool *p = l->pools; p; p = p->next)
        if (p->started) /* then its farewell is in the inbox */
            pool_join(p);
        else
            lsrt_note_free(p->farewell);
}

void lsrt_pools_free(struct loop *l)
{
    while (l->pools)
        pool_free(l->pools);
    l->pool = NULL;
}

/* pool.c - ls_to_thread: threads that run what may block, and bring the results back to the loop.
 *
 * One pool a loop, made at the first job.  A worker takes a job from the queue, runs it, puts it on `done` and writes
 * the eventfd when the list was empty; the loop collects.  A job belongs to whoever has it in hand: the queue, a worker,
 * `done`, in this order.  When its task waits no longer, job->task is NULL and the result is dropped.
 * The mutex guards the queue, `done` and the counts; job->task is the loop's alone. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"
#include "object.h"

#define THREADS_MAX 32

struct job {
    struct job *next;
    struct task *task; /* who waits; NULL: nobody any more */
    ls_fn *fn;
    void *arg;
    const char *name;
    intptr_t result;
    int error;
    bool over;
};

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t work; /* the queue has a job, or `stop` */
    struct job *queue, **queue_end;
    struct job *done;
    bool stop;
    unsigned threads, idle, limit;
    pthread_t thread[THREADS_MAX];
    int event;
    struct object *object; /* in the trace, and in ls_dump */
};

static void *worker(void *arg)
{
    struct pool *p = arg;
    pthread_setname_np(pthread_self(), "ls-pool");
    pthread_mutex_lock(&p->mutex);
    for (;;) {
        while (!p->queue && !p->stop) {
            p->idle++;
            pthread_cond_wait(&p->work, &p->mutex);
            p->idle--;
        }
        struct job *j = p->queue;
        if (!j) /* stop: what is queued is run first, somebody may count on its effect */
            break;
        if (!(p->queue = j->next))
            p->queue_end = &p->queue;
        pthread_mutex_unlock(&p->mutex);

        ls_probe_thread();
        uint64_t start = ls_probe_on() ? ls_probe_now() : 0;
        errno = 0;
        j->result = j->fn(j->arg);
        j->error = errno;
        if (start)
            ls_probe_mark(j->name, 0, start);

        pthread_mutex_lock(&p->mutex);
        bool first = !p->done;
        j->next = p->done;
        p->done = j;
        if (first) {
            uint64_t one = 1;
            while (write(p->event, &one, sizeof one) < 0 && errno == EINTR)
                continue;
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

static const struct object_ops pool_ops = { .kind = LS_OBJECT_POOL, .noun = "pool", .own = true, .size = sizeof(struct object) };

static struct pool *pool_new(struct loop *l, struct ls_site *site)
{
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    p->limit = cores > 0 && cores + 4 < THREADS_MAX ? (unsigned)cores + 4 : THREADS_MAX;
    p->queue_end = &p->queue;
    p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->object = lsrt_object_new(l, &pool_ops, site, "threads");
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = LSRT_POOL_EVENT };
    if (!p->object || p->event < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, p->event, &e)) {
        int error = errno;
        if (p->event >= 0)
            close(p->event);
        free(p);
        errno = error;
        return NULL;
    }
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->work, NULL);
    return p;
}

/* One more thread; signals are not for it, the program's own threads handle them.  0 or errno. */
static int thread_add(struct pool *p)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&p->thread[p->threads], NULL, worker, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!error)
        p->threads++;
    return error;
}

/* Queues a job; 0 or errno. */
static int submit(struct pool *p, struct job *j)
{
    int error = 0;
    pthread_mutex_lock(&p->mutex);
    unsigned waiting = 1; /* jobs that need a thread */
    for (struct job *q = p->queue; q && waiting <= p->idle; q = q->next)
        waiting++;
    if (waiting > p->idle && p->threads < p->limit)
        error = thread_add(p);
    if (p->threads) { /* too few threads are enough */
        error = 0;
        *p->queue_end = j;
        p->queue_end = &j->next;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->mutex);
    return error;
}

void lsrt_pool_collect(struct loop *l)
{
    struct pool *p = l->pool;
    uint64_t count;
    while (read(p->event, &count, sizeof count) < 0 && errno == EINTR)
        continue;
    pthread_mutex_lock(&p->mutex);
    struct job *j = p->done, *in_order = NULL;
    p->done = NULL;
    pthread_mutex_unlock(&p->mutex);
    while (j) { /* the last one done is first */
        struct job *next = j->next;
        j->next = in_order;
        in_order = j;
        j = next;
    }
    while ((j = in_order)) {
        in_order = j->next;
        j->over = true;
        if (j->task)
            lsrt_wake(l, j->task, 0);
        else
            free(j);
    }
}

/* The queued job that nobody waits for any more never runs.  False: a worker has it, or had it. */
static bool withdraw(struct pool *p, struct job *j)
{
    bool found = false;
    pthread_mutex_lock(&p->mutex);
    for (struct job **at = &p->queue; *at && !found; at = &(*at)->next)
        if (*at == j) {
            found = true;
            if (!(*at = j->next))
                p->queue_end = at;
            break;
        }
    pthread_mutex_unlock(&p->mutex);
    return found;
}

int ls_to_thread_at(struct ls_site *site, ls_fn *fn, const char *name, void *arg, intptr_t *ret_result, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_to_thread");
    if (!l)
        return -1;
    if (l->closing)
        return lsrt_result(ECANCELED);
    if (!l->pool && !(l->pool = pool_new(l, site)))
        return -1;
    struct pool *p = l->pool;
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return -1;
    *j = (struct job){ .task = l->current, .fn = fn, .arg = arg, .name = name };
    int error = submit(p, j);
    if (error) {
        free(j);
        return lsrt_result(error);
    }
    error = lsrt_park(l, LS_WHY_THREAD, on_object(p->object), site, deadline);
    if (error && !j->over && !withdraw(p, j)) {
        j->task = NULL; /* lsrt_pool_collect frees it */
        return lsrt_result(error);
    }
    intptr_t result = j->result;
    int job_error = j->error;
    free(j);
    if (error)
        return lsrt_result(error);
    if (ret_result)
        *ret_result = result;
    if (result == -1)
        errno = job_error;
    return 0;
}

void lsrt_pool_free(struct loop *l)
{
    struct pool *p = l->pool;
    if (!p)
        return;
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    for (struct job *j = p->done; j;) {
        struct job *next = j->next;
        free(j);
        j = next;
    }
    close(p->event);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mutex);
    free(p);
    l->pool = NULL;
}

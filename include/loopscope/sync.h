/* sync.h - what tasks share: locks, events, conditions, semaphores, barriers, queues, channels and select.
 *
 * Waiting is first come, first served, and by hand-over: who releases, puts or sends gives it to the first that waits,
 * so that nobody slips in between.  A waiter that is cancelled or times out swallows nothing; a cancel that comes when it
 * was served already is told at its next await, so that what it got is not lost (in asyncio, the next has it).
 * The last argument of what waits is a deadline.  Errors, besides ETIMEDOUT, ECANCELED and EPERM (runtime.h):
 *     EAGAIN  a ..._try or ..._nowait would have to wait       EPIPE   shut down, closed or broken: it will never come
 *     EBUSY   freed while tasks wait for it, or it is held     EINVAL  NULL, freed already, or of another kind
 * Nothing here allocates once it is made, but a queue that grows, and select over more than 8.
 * What does not wait may also be called by the loop's callbacks (ls_post, ls_call_later), outside of any task.
 * Objects belong to their loop: names are copied and may be NULL; what is not freed goes with the loop. */
#ifndef LOOPSCOPE_SYNC_H
#define LOOPSCOPE_SYNC_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lock: held by one task, which must give it back itself.  Not recursive.
 * ls_lock_acquire, besides the above: EDEADLK when it would never come: this task holds it, or waits would go in a
 * circle of lock holders and awaited tasks, none of them with a deadline or a timeout; ls_error_text() names the circle.
 * EOWNERDEAD: its holder ended without giving it back; anybody may release it then.
 *     struct ls_lock *ls_lock_new(const char *name);
 *     int ls_lock_acquire(struct ls_lock *lock, ls_ns deadline); */
struct ls_lock;
#define ls_lock_new(name)               ls_lock_new_at(LS_SITE(__func__), (name))
#define ls_lock_acquire(lock, deadline) ls_lock_acquire_at(LS_SITE(__func__), (lock), (deadline))
int ls_lock_try(struct ls_lock *lock);                    /* without waiting: EAGAIN */
int ls_lock_release(struct ls_lock *lock);                /* EPERM: not by its holder */
struct ls_task *ls_lock_holder(struct ls_lock *lock);     /* NULL: free.  Not a reference */
int ls_lock_free(struct ls_lock *lock);

/* Reader-writer lock: many tasks hold it to read, or one to write.  Phase-fair: who comes while a writer waits, waits;
 * a writer lets all readers in that wait, they let the next writer in.  So nobody is passed over for ever.  A task
 * holds it once (EDEADLK: no upgrade either).  One that ends while it reads has given it back; while it writes: EOWNERDEAD.
 *     struct ls_rwlock *ls_rwlock_new(const char *name);
 *     int ls_rwlock_read(struct ls_rwlock *lock, ls_ns deadline);
 *     int ls_rwlock_write(struct ls_rwlock *lock, ls_ns deadline); */
struct ls_rwlock;
#define ls_rwlock_new(name)             ls_rwlock_new_at(LS_SITE(__func__), (name))
#define ls_rwlock_read(lock, deadline)  ls_rwlock_read_at(LS_SITE(__func__), (lock), (deadline))
#define ls_rwlock_write(lock, deadline) ls_rwlock_write_at(LS_SITE(__func__), (lock), (deadline))
int ls_rwlock_try_read(struct ls_rwlock *lock);
int ls_rwlock_try_write(struct ls_rwlock *lock);
int ls_rwlock_release(struct ls_rwlock *lock); /* EPERM: this task does not hold it */
int ls_rwlock_free(struct ls_rwlock *lock);

/* Semaphore: `value` permits.  bound: the most there may be (EOVERFLOW beyond), 0: no bound.  Nobody overtakes: while one
 * that was handed a permit has not run yet, who comes waits behind it.
 *     struct ls_sem *ls_sem_new(const char *name, size_t value, size_t bound);
 *     int ls_sem_acquire(struct ls_sem *sem, ls_ns deadline); */
struct ls_sem;
#define ls_sem_new(name, value, bound) ls_sem_new_at(LS_SITE(__func__), (name), (value), (bound))
#define ls_sem_acquire(sem, deadline)  ls_sem_acquire_at(LS_SITE(__func__), (sem), (deadline))
int ls_sem_try(struct ls_sem *sem);
int ls_sem_release(struct ls_sem *sem);      /* by anybody */
ssize_t ls_sem_value(struct ls_sem *sem);    /* permits left; -1: not a semaphore */
int ls_sem_free(struct ls_sem *sem);

/* Event: a flag to wait for.  ls_event_set lets all go that wait, also when it is cleared before they run.
 *     struct ls_event *ls_event_new(const char *name);
 *     int ls_event_wait(struct ls_event *event, ls_ns deadline); */
struct ls_event;
#define ls_event_new(name)             ls_event_new_at(LS_SITE(__func__), (name))
#define ls_event_wait(event, deadline) ls_event_wait_at(LS_SITE(__func__), (event), (deadline))
int ls_event_set(struct ls_event *event);
int ls_event_clear(struct ls_event *event);
int ls_event_is_set(struct ls_event *event); /* 1, 0; -1: not an event */
int ls_event_free(struct ls_event *event);

/* Condition: to wait, holding a lock, until others changed what it guards.  ls_cond_wait gives the lock back, waits,
 * and has the lock again when it returns, whatever happened (0, ETIMEDOUT, ECANCELED).  EPERM: the caller does not hold
 * it; EINVAL: others wait with another lock; and without the lock EDEADLK, EOWNERDEAD, and EINVAL when it was freed.
 * A notified task that is cancelled passes the notification on.
 * ls_cond_wait_for returns when predicate(arg) is not 0; on a deadline, with ETIMEDOUT, it is still 0.
 *     struct ls_cond *ls_cond_new(const char *name);
 *     int ls_cond_wait(struct ls_cond *cond, struct ls_lock *lock, ls_ns deadline);
 *     int ls_cond_wait_for(struct ls_cond *cond, struct ls_lock *lock, int (*predicate)(void *arg), void *arg,
 *                          ls_ns deadline); */
struct ls_cond;
#define ls_cond_new(name)                  ls_cond_new_at(LS_SITE(__func__), (name))
#define ls_cond_wait(cond, lock, deadline) ls_cond_wait_at(LS_SITE(__func__), (cond), (lock), (deadline))
#define ls_cond_wait_for(cond, lock, predicate, arg, deadline) \
    ls_cond_wait_for_at(LS_SITE(__func__), (cond), (lock), (predicate), (arg), (deadline))
int ls_cond_notify(struct ls_cond *cond, size_t n); /* the first n; needs no lock; returns how many it were */
int ls_cond_notify_all(struct ls_cond *cond);
int ls_cond_free(struct ls_cond *cond);

/* Barrier: the last of n tasks to come lets all go; ready for the next round at once.  ls_barrier_wait returns a number
 * from 0 to n - 1, in the order of coming; EPIPE: it is broken.  Who is cancelled or timed out just leaves.
 *     struct ls_barrier *ls_barrier_new(const char *name, size_t n);
 *     int ls_barrier_wait(struct ls_barrier *barrier, ls_ns deadline); */
struct ls_barrier;
#define ls_barrier_new(name, n)            ls_barrier_new_at(LS_SITE(__func__), (name), (n))
#define ls_barrier_wait(barrier, deadline) ls_barrier_wait_at(LS_SITE(__func__), (barrier), (deadline))
int ls_barrier_reset(struct ls_barrier *barrier); /* who waits gets EPIPE; whole again */
int ls_barrier_abort(struct ls_barrier *barrier); /* who waits and who comes gets EPIPE, until a reset */
int ls_barrier_broken(struct ls_barrier *barrier); /* 1, 0; -1: not a barrier */
ssize_t ls_barrier_waiting(struct ls_barrier *barrier);
int ls_barrier_free(struct ls_barrier *barrier);

/* Queue of items of item_size bytes, which are copied in and out: an item needs no memory of its own, and a struct or a
 * pointer is put alike.  max: put waits when so many are there; 0: it never waits.  Get gives the oldest; of a lifo the
 * newest; of a priority queue the least by `compare` (as qsort's), and the older of equals.  An item that is put while
 * somebody waits goes straight to the first that does.
 * ls_queue_shutdown: put fails with EPIPE from then on, and get when nothing is left; `now`: what is left is dropped.
 * ls_queue_join waits until ls_queue_task_done was called for every item that was put.
 *     struct ls_queue *ls_queue_new(const char *name, size_t item_size, size_t max);
 *     struct ls_queue *ls_queue_new_lifo(const char *name, size_t item_size, size_t max);
 *     struct ls_queue *ls_queue_new_priority(const char *name, size_t item_size, size_t max, ls_compare *compare);
 *     int ls_queue_put(struct ls_queue *queue, const void *item, ls_ns deadline);      ENOMEM, too
 *     int ls_queue_get(struct ls_queue *queue, void *ret_item, ls_ns deadline);
 *     int ls_queue_join(struct ls_queue *queue, ls_ns deadline); */
struct ls_queue;
typedef int ls_compare(const void *a, const void *b);
#define ls_queue_new(name, item_size, max)      ls_queue_new_at(LS_SITE(__func__), (name), (item_size), (max), 0)
#define ls_queue_new_lifo(name, item_size, max) ls_queue_new_at(LS_SITE(__func__), (name), (item_size), (max), 1)
#define ls_queue_new_priority(name, item_size, max, compare) \
    ls_queue_new_priority_at(LS_SITE(__func__), (name), (item_size), (max), (compare))
#define ls_queue_put(queue, item, deadline)     ls_queue_put_at(LS_SITE(__func__), (queue), (item), (deadline))
#define ls_queue_get(queue, ret_item, deadline) ls_queue_get_at(LS_SITE(__func__), (queue), (ret_item), (deadline))
#define ls_queue_join(queue, deadline)          ls_queue_join_at(LS_SITE(__func__), (queue), (deadline))
int ls_queue_put_nowait(struct ls_queue *queue, const void *item);
int ls_queue_get_nowait(struct ls_queue *queue, void *ret_item);
ssize_t ls_queue_size(struct ls_queue *queue); /* -1: not a queue; so the next two */
int ls_queue_empty(struct ls_queue *queue);
int ls_queue_full(struct ls_queue *queue);
int ls_queue_task_done(struct ls_queue *queue); /* EINVAL: called more often than put */
int ls_queue_shutdown(struct ls_queue *queue, int now);
int ls_queue_free(struct ls_queue *queue); /* items that are left are dropped */

/* Channel, as Go's: items of item_size bytes (0: only the signal; pass NULL) are copied from who sends to who receives.
 * capacity 0: each waits for the other; else so many may be under way.  ls_chan_recv returns 1 and an item, or 0: the
 * channel is closed and nothing is left.  Sending on a closed channel, and closing it again, is EPIPE.
 *     struct ls_chan *ls_chan_new(const char *name, size_t item_size, size_t capacity);
 *     int ls_chan_send(struct ls_chan *chan, const void *item, ls_ns deadline);
 *     int ls_chan_recv(struct ls_chan *chan, void *ret_item, ls_ns deadline); */
struct ls_chan;
#define ls_chan_new(name, item_size, capacity) ls_chan_new_at(LS_SITE(__func__), (name), (item_size), (capacity))
#define ls_chan_send(chan, item, deadline)     ls_chan_send_at(LS_SITE(__func__), (chan), (item), (deadline))
#define ls_chan_recv(chan, ret_item, deadline) ls_chan_recv_at(LS_SITE(__func__), (chan), (ret_item), (deadline))
int ls_chan_try_send(struct ls_chan *chan, const void *item);
int ls_chan_try_recv(struct ls_chan *chan, void *ret_item);
ssize_t ls_chan_size(struct ls_chan *chan); /* items under way */
int ls_chan_close(struct ls_chan *chan);
int ls_chan_free(struct ls_chan *chan);

/* Select: waits until one of n cases can go on, does it, and returns its index; of several that can, chance decides
 * (by the loop's seed; without one it comes out the same each time).  A deadline that has passed makes it a try (ETIMEDOUT).
 * cases[i].error of the one returned: 0, or EPIPE: the channel is closed, the queue shut down.  A case of a NULL object
 * never goes on.  The buffers must live until it returns.
 *     int ls_select(struct ls_case cases[], size_t n, ls_ns deadline); */
enum ls_case_kind { LS_CASE_SEND, LS_CASE_RECV, LS_CASE_PUT, LS_CASE_GET, LS_CASE_EVENT };
struct ls_case { /* made by the functions below */
    enum ls_case_kind kind;
    int error; /* out */
    void *on, *item;
};
static inline struct ls_case ls_case_send(struct ls_chan *chan, const void *item)
{
    struct ls_case c = { LS_CASE_SEND, 0, chan, (void *)item };
    return c;
}
static inline struct ls_case ls_case_recv(struct ls_chan *chan, void *ret_item)
{
    struct ls_case c = { LS_CASE_RECV, 0, chan, ret_item };
    return c;
}
static inline struct ls_case ls_case_put(struct ls_queue *queue, const void *item)
{
    struct ls_case c = { LS_CASE_PUT, 0, queue, (void *)item };
    return c;
}
static inline struct ls_case ls_case_get(struct ls_queue *queue, void *ret_item)
{
    struct ls_case c = { LS_CASE_GET, 0, queue, ret_item };
    return c;
}
static inline struct ls_case ls_case_event(struct ls_event *event)
{
    struct ls_case c = { LS_CASE_EVENT, 0, event, 0 };
    return c;
}
#define ls_select(cases, n, deadline) ls_select_at(LS_SITE(__func__), (cases), (n), (deadline))

/* Private part: what the macros call. */
struct ls_lock *ls_lock_new_at(struct ls_site *site, const char *name);
int ls_lock_acquire_at(struct ls_site *site, struct ls_lock *lock, ls_ns deadline);
struct ls_rwlock *ls_rwlock_new_at(struct ls_site *site, const char *name);
int ls_rwlock_read_at(struct ls_site *site, struct ls_rwlock *lock, ls_ns deadline);
int ls_rwlock_write_at(struct ls_site *site, struct ls_rwlock *lock, ls_ns deadline);
struct ls_sem *ls_sem_new_at(struct ls_site *site, const char *name, size_t value, size_t bound);
int ls_sem_acquire_at(struct ls_site *site, struct ls_sem *sem, ls_ns deadline);
struct ls_event *ls_event_new_at(struct ls_site *site, const char *name);
int ls_event_wait_at(struct ls_site *site, struct ls_event *event, ls_ns deadline);
struct ls_cond *ls_cond_new_at(struct ls_site *site, const char *name);
int ls_cond_wait_at(struct ls_site *site, struct ls_cond *cond, struct ls_lock *lock, ls_ns deadline);
int ls_cond_wait_for_at(struct ls_site *site, struct ls_cond *cond, struct ls_lock *lock, int (*predicate)(void *arg),
                        void *arg, ls_ns deadline);
struct ls_barrier *ls_barrier_new_at(struct ls_site *site, const char *name, size_t n);
int ls_barrier_wait_at(struct ls_site *site, struct ls_barrier *barrier, ls_ns deadline);
struct ls_queue *ls_queue_new_at(struct ls_site *site, const char *name, size_t item_size, size_t max, int lifo);
struct ls_queue *ls_queue_new_priority_at(struct ls_site *site, const char *name, size_t item_size, size_t max,
                                          ls_compare *compare);
int ls_queue_put_at(struct ls_site *site, struct ls_queue *queue, const void *item, ls_ns deadline);
int ls_queue_get_at(struct ls_site *site, struct ls_queue *queue, void *ret_item, ls_ns deadline);
int ls_queue_join_at(struct ls_site *site, struct ls_queue *queue, ls_ns deadline);
struct ls_chan *ls_chan_new_at(struct ls_site *site, const char *name, size_t item_size, size_t capacity);
int ls_chan_send_at(struct ls_site *site, struct ls_chan *chan, const void *item, ls_ns deadline);
int ls_chan_recv_at(struct ls_site *site, struct ls_chan *chan, void *ret_item, ls_ns deadline);
int ls_select_at(struct ls_site *site, struct ls_case cases[], size_t n, ls_ns deadline);

#ifdef __cplusplus
}
#endif
#endif

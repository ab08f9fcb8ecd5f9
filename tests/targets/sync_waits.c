/* sync_waits.c - a task named for each kind of wait of sync.h; tests/e2e/sync_waits.py reads their trace. */
#include <loopscope/runtime.h>

static struct ls_lock *lock, *cond_lock;
static struct ls_rwlock *rwlock;
static struct ls_sem *sem;
static struct ls_event *event;
static struct ls_cond *cond;
static struct ls_barrier *barrier;
static struct ls_queue *jobs, *full, *idle;
static struct ls_chan *in, *out, *other;
static int item, begun; /* tasks that wait by now */

static intptr_t locks(void *arg)
{
    (void)arg;
    begun++;
    return ls_lock_acquire(lock, LS_NEVER) || ls_sleep(LS_MS) || ls_lock_release(lock);
}
static intptr_t reads(void *arg)
{
    (void)arg;
    begun++;
    return ls_rwlock_read(rwlock, LS_NEVER) || ls_rwlock_release(rwlock);
}
static intptr_t takes(void *arg)
{
    (void)arg;
    begun++;
    return ls_sem_acquire(sem, LS_NEVER);
}
static intptr_t waits(void *arg)
{
    (void)arg;
    begun++;
    return ls_event_wait(event, LS_NEVER);
}
static intptr_t is_told(void *arg)
{
    (void)arg;
    begun++;
    return ls_lock_acquire(cond_lock, LS_NEVER) || ls_cond_wait(cond, cond_lock, LS_NEVER) ||
           ls_lock_release(cond_lock);
}
static intptr_t meets(void *arg)
{
    (void)arg;
    begun++;
    return ls_barrier_wait(barrier, LS_NEVER);
}
static intptr_t gets(void *arg)
{
    (void)arg;
    begun++;
    return ls_queue_get(jobs, &item, LS_NEVER);
}
static intptr_t puts_one(void *arg)
{
    (void)arg;
    begun++;
    return ls_queue_put(full, &item, LS_NEVER);
}
static intptr_t joins(void *arg)
{
    (void)arg;
    begun++;
    return ls_queue_join(full, LS_NEVER);
}
static intptr_t sends(void *arg)
{
    (void)arg;
    begun++;
    return ls_chan_send(out, &item, LS_NEVER);
}
static intptr_t receives(void *arg)
{
    (void)arg;
    begun++;
    return ls_chan_recv(in, &item, LS_NEVER) != 1;
}
static intptr_t chooses(void *arg)
{
    (void)arg;
    begun++;
    struct ls_case cases[] = { ls_case_get(idle, &item), ls_case_recv(other, &item) };
    return ls_select(cases, 2, LS_NEVER) != 1;
}
static intptr_t too_late(void *arg)
{
    (void)arg;
    begun++;
    return ls_event_wait(event, ls_after(LS_MS)) != -1;
}

static intptr_t app(void *arg)
{
    (void)arg;
    lock = ls_lock_new("lock"), cond_lock = ls_lock_new("guard"), rwlock = ls_rwlock_new("rwlock");
    sem = ls_sem_new("sem", 0, 0), event = ls_event_new("event"), cond = ls_cond_new("cond");
    barrier = ls_barrier_new("barrier", 2);
    jobs = ls_queue_new("jobs", sizeof item, 0), full = ls_queue_new("full", sizeof item, 1);
    idle = ls_queue_new("idle", sizeof item, 0);
    in = ls_chan_new("in", sizeof item, 0), out = ls_chan_new("out", sizeof item, 0);
    other = ls_chan_new("other", sizeof item, 0);
    ls_lock_acquire(lock, LS_NEVER);
    ls_rwlock_write(rwlock, LS_NEVER);
    ls_queue_put(full, &item, LS_NEVER);
    struct ls_task *t[] = { ls_spawn(locks, NULL, "locks"),     ls_spawn(locks, NULL, "locks too"),
                            ls_spawn(reads, NULL, "reads"),     ls_spawn(takes, NULL, "takes"),
                            ls_spawn(waits, NULL, "waits"),     ls_spawn(is_told, NULL, "is told"),
                            ls_spawn(meets, NULL, "meets"),     ls_spawn(gets, NULL, "gets"),
                            ls_spawn(puts_one, NULL, "puts"),   ls_spawn(joins, NULL, "joins"),
                            ls_spawn(sends, NULL, "sends"),     ls_spawn(receives, NULL, "receives"),
                            ls_spawn(chooses, NULL, "chooses"), ls_spawn(too_late, NULL, "too late") };
    while (begun < (int)(sizeof t / sizeof *t) || !ls_done(t[sizeof t / sizeof *t - 1])) /* the last times out */
        ls_sleep(LS_MS);
    ls_lock_release(lock);
    ls_rwlock_release(rwlock);
    ls_sem_release(sem);
    ls_event_set(event);
    ls_cond_notify_all(cond);
    ls_barrier_wait(barrier, LS_NEVER);
    ls_queue_put(jobs, &item, LS_NEVER);
    ls_queue_get(full, &item, LS_NEVER);
    ls_queue_task_done(full);
    ls_queue_task_done(full);
    ls_chan_recv(out, &item, LS_NEVER);
    ls_chan_send(in, &item, LS_NEVER);
    ls_chan_send(other, &item, LS_NEVER);
    return ls_gather(t, sizeof t / sizeof *t, NULL, LS_NEVER);
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

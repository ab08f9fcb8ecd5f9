/* rt_faults.c - tasks, and what they share, while memory, mappings, guards and epoll fail: see faults.h.  What may fail
 * says so; what was made before it failed goes on to work: nobody waits for ever, no item is lost, all is freed.
 * link: -Wl,@tests/race/faults.link */
#include "faults.h"

static intptr_t give(void *arg)
{
    ls_yield();
    return (intptr_t)arg;
}
static intptr_t sleeper(void *arg)
{
    ls_sleep(LS_SEC);
    return (intptr_t)arg;
}

static void await_one(void *arg, const char *name)
{
    intptr_t result = 0;
    struct ls_task *t = ls_spawn(give, arg, name, 1);
    if (MAY_FAIL(t))
        MUST(!ls_await(t, &result, LS_NEVER) && (result == (intptr_t)arg || (result == -1 && fits(errno))));
}
static intptr_t spawns(void *arg)
{
    enum { N = 40 };
    struct ls_task *t[N];
    intptr_t out[N];
    int n = 0;
    await_one(arg, "named %d");
    while (n < N && MAY_FAIL(t[n] = ls_spawn(give, (void *)(intptr_t)n, NULL)))
        n++;
    if (!n)
        return 0;
    if (MAY_FAIL(!ls_gather_all(t, (size_t)n, out, LS_NEVER))) {
        for (int i = 0; i < n; i++)
            MUST(out[i] == i || fits((int)-out[i])); /* one that got no stack */
    } else
        for (int i = 0; i < n; i++)
            MUST(!ls_detach(t[i]));
    return 0;
}

static void count(void *arg)
{
    ++*(int *)arg;
}
static intptr_t timers(void *arg)
{
    int made = 0, called = 0;
    for (int i = 0; i < 300; i++)
        made += MAY_FAIL(ls_call_later(LS_MS, count, &called));
    if (!MAY_FAIL(!ls_sleep(2 * LS_MS)))
        return 0;
    MUST(called == made);
    await_one(arg, NULL);
    return 0;
}

/* --- tasks together ---------------------------------------------------------------------------------------------- */

static intptr_t counts(void *arg)
{
    ls_sleep(LS_MS);
    ++*(int *)arg;
    return 0;
}
static intptr_t groups(void *arg)
{
    int ran = 0, made = 0;
    struct ls_group *g = ls_group_open("group");
    (void)arg;
    if (!MAY_FAIL(g))
        return 0;
    MUST(!ls_group_limit(g, 3));
    for (int i = 0; i < 12; i++) {
        if (i % 4 == 0)
            MAY_FAIL(!ls_group_room(g, LS_NEVER));
        made += MAY_FAIL(ls_group_spawn(g, counts, &ran, "counts-%d", i));
    }
    if (MAY_FAIL(!ls_group_close(g, LS_NEVER)))
        MUST(ran == made);
    return 0;
}

static intptr_t fails_late(void *arg)
{
    (void)arg;
    ls_sleep(2 * LS_MS);
    errno = ENOSPC;
    return -1;
}
/* One task fails: the others and the opener are cancelled; the failures are told. */
static intptr_t failing_group(void *arg)
{
    struct ls_group *g = ls_group_open("failing");
    struct ls_group_error errors[4];
    (void)arg;
    if (!MAY_FAIL(g))
        return 0;
    bool other = MAY_FAIL(ls_group_spawn(g, sleeper, NULL, NULL)),
         bad = MAY_FAIL(ls_group_spawn(g, fails_late, NULL, NULL));
    if (bad) /* else there is nothing that would end it before its second is over */
        MAY_STOP(!ls_sleep(10 * LS_SEC));
    (void)other;
    int result = ls_group_close(g, LS_NEVER);
    MUST(bad ? result == -1 && fits(errno) : result == 0 || fits(errno));
    MUST(ls_group_errors(NULL, errors, 4) <= 1);
    return 0;
}

static void forget(struct ls_task *t[], size_t n)
{
    if (ls_reap(t, n, "over", LS_NEVER))
        for (size_t i = 0; i < n; i++)
            if (t[i]) {
                ls_cancel(t[i], "over");
                ls_detach(t[i]);
            }
}
static intptr_t waits(void *arg)
{
    struct ls_task *t[12];
    bool done[12];
    static int ran; /* a task that could not be reaped may outlive this one */
    size_t n = 0;
    (void)arg;
    for (intptr_t i = 0; i < 12; i++)
        if (MAY_FAIL(t[n] = ls_spawn(i % 2 ? give : counts, &ran, NULL)))
            n++;
    if (!n)
        return 0;
    MAY_FAIL(!ls_wait(t, n, LS_FIRST_DONE, done, LS_NEVER));
    MAY_FAIL(!ls_wait(t, n, LS_ALL_DONE, done, LS_NEVER));
    size_t left = n, index;
    while (left && MAY_FAIL(!ls_next_done(t, n, &index, NULL, LS_NEVER)))
        left--;
    forget(t, n);
    return 0;
}

static void on_done(struct ls_task *t, void *arg)
{
    MUST(ls_done(t) == 1);
    ++*(int *)arg;
}
static intptr_t defers(void *arg)
{
    int *ran = arg;
    for (int i = 0; i < 10; i++)
        ran[1] += MAY_FAIL(!ls_defer(count, ran));
    ls_yield();
    return 0;
}
/* What was deferred runs, what asked to be called is, whatever else failed. */
static intptr_t ends(void *arg)
{
    static int called, ran[2]; /* as above */
    int asked = 0;
    called = ran[0] = ran[1] = 0;
    struct ls_task *t = ls_spawn(defers, ran, NULL);
    (void)arg;
    if (!MAY_FAIL(t))
        return 0;
    for (int i = 0; i < 5; i++)
        asked += MAY_FAIL(!ls_on_done(t, on_done, &called));
    if (MAY_FAIL(!ls_shield(t, NULL, LS_NEVER))) {
        MUST(ran[0] == ran[1]);
        if (MAY_FAIL(!ls_sleep(LS_MS)))
            MUST(called == asked);
    } else
        ls_detach(t);
    return 0;
}

static int destroyed;
static void destroy(void *value)
{
    destroyed++;
    free(value);
}
static const struct ls_local keys[10] = { { "a", destroy }, { "b", destroy }, { "c", destroy }, { "d", destroy },
                                          { "e", destroy }, { "f", destroy }, { "g", destroy }, { "h", destroy },
                                          { "i", destroy }, { "j", destroy } };
static intptr_t sets(void *arg)
{
    int *set = arg;
    for (int i = 0; i < 10; i++) {
        void *v = malloc(8);
        if (v && MAY_FAIL(!ls_local_set(&keys[i], v))) {
            ++*set;
            MUST(ls_local_get(&keys[i]) == v);
        } else
            free(v);
    }
    return 0;
}
static intptr_t locals(void *arg)
{
    int set = 0;
    (void)arg;
    destroyed = 0;
    sets(&set);
    struct ls_task *t = ls_spawn(sets, &set, NULL);
    if (MAY_FAIL(t))
        MUST(!ls_await(t, NULL, LS_NEVER));
    for (int i = 0; i < 10; i++)
        MUST(!ls_local_set(&keys[i], NULL) || fits(errno));
    int left = 0;
    for (int i = 0; i < 10; i++)
        left += ls_local_get(&keys[i]) != NULL;
    MUST(set == destroyed + left);
    return 0;
}

static intptr_t await_future(void *arg)
{
    intptr_t value;
    return MAY_STOP(!ls_future_await(arg, &value, ls_after(LS_SEC))) && value == 7 ? 0 : -1;
}
static intptr_t futures(void *arg)
{
    struct ls_future *f = ls_future_new("answer");
    struct ls_task *t[4];
    size_t n = 0;
    (void)arg;
    if (!MAY_FAIL(f))
        return 0;
    while (n < 4 && MAY_FAIL(t[n] = ls_spawn(await_future, f, NULL)))
        n++;
    ls_yield();
    MUST(!ls_future_set(f, 7));
    for (size_t i = 0; i < n; i++) {
        intptr_t result;
        MUST(!ls_await(t[i], &result, LS_NEVER) && (!result || fits(errno)));
    }
    MUST(!ls_future_free(f));
    return 0;
}

static intptr_t timeouts(void *arg)
{
    struct ls_timeout scope[6];
    int n = 0;
    (void)arg;
    while (n < 6 && MAY_FAIL(!ls_timeout_begin(&scope[n], ls_after((ls_ns)(10 - n) * LS_MS))))
        n++;
    bool slept = !ls_sleep(LS_SEC);
    MUST(slept == !n || fits(errno) || errno == ECANCELED);
    while (n--)
        MUST(ls_timeout_end(&scope[n]) ? errno == ETIMEDOUT : n < 5);
    return 0;
}

/* --- what they share --------------------------------------------------------------------------------------------- */

static intptr_t holds(void *arg)
{
    struct ls_lock *k = arg;
    if (!MAY_FAIL(!ls_lock_acquire(k, LS_NEVER)))
        return -1;
    ls_yield();
    MUST(ls_lock_holder(k) == ls_self());
    MUST(!ls_lock_release(k));
    return 0;
}
static intptr_t locks(void *arg)
{
    struct ls_lock *k = ls_lock_new("lock");
    struct ls_rwlock *rw = ls_rwlock_new("rwlock");
    struct ls_sem *sem = ls_sem_new("sem", 1, 1);
    struct ls_event *event = ls_event_new("event");
    struct ls_cond *cond = ls_cond_new("cond");
    struct ls_barrier *barrier = ls_barrier_new("barrier", 2);
    struct ls_task *t[3];
    size_t n = 0;
    (void)arg;
    MAY_FAIL(k && rw && sem && event && cond && barrier);
    while (k && n < 3 && MAY_FAIL(t[n] = ls_spawn(holds, k, NULL)))
        n++;
    if (n && !MAY_FAIL(!ls_gather(t, n, NULL, LS_NEVER)))
        forget(t, n);
    if (rw && MAY_FAIL(!ls_rwlock_read(rw, LS_NEVER)))
        MUST(!ls_rwlock_release(rw));
    if (sem && MAY_FAIL(!ls_sem_acquire(sem, LS_NEVER)))
        MUST(ls_sem_value(sem) == 0 && !ls_sem_release(sem));
    if (event)
        MUST(!ls_event_set(event) && !ls_event_wait(event, LS_NEVER));
    if (k && cond && MAY_FAIL(!ls_lock_acquire(k, LS_NEVER))) {
        MUST(ls_cond_wait(cond, k, ls_after(LS_MS)) == -1 && (errno == ETIMEDOUT || fits(errno)));
        MUST(!ls_lock_release(k));
    }
    if (barrier)
        MUST(ls_barrier_wait(barrier, ls_after(LS_MS)) == -1 && (errno == ETIMEDOUT || fits(errno)));
    MUST((!k || !ls_lock_free(k)) && (!rw || !ls_rwlock_free(rw)) && (!sem || !ls_sem_free(sem)) &&
         (!event || !ls_event_free(event)) && (!cond || !ls_cond_free(cond)) &&
         (!barrier || !ls_barrier_free(barrier)));
    return 0;
}

struct flow {
    struct ls_queue *queue;
    struct ls_chan *chan;
    long in, out;
};
static intptr_t takes(void *arg)
{
    struct flow *f = arg;
    long v;
    while (!ls_queue_get(f->queue, &v, LS_NEVER))
        f->out += v;
    MUST(errno == EPIPE);
    return 0;
}
/* What a put took comes out, what it refused does not: a queue grows while items are in it. */
static void through(struct ls_queue *q)
{
    struct flow f = { .queue = q };
    if (!MAY_FAIL(q))
        return;
    for (long i = 1; i < 200; i++)
        f.in += MAY_FAIL(!ls_queue_put_nowait(q, &i)) ? i : 0;
    struct ls_task *t = ls_spawn(takes, &f, NULL);
    for (long i = 1; i < 50; i++)
        f.in += MAY_FAIL(!ls_queue_put(q, &i, LS_NEVER)) ? i : 0;
    MUST(!ls_queue_shutdown(q, 0));
    if (MAY_FAIL(t))
        MUST(!ls_await(t, NULL, LS_NEVER));
    takes(&f); /* should the task never have begun */
    MUST(f.in == f.out);
    MUST(!ls_queue_free(q));
}
static int by_value(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}
static intptr_t queues(void *arg)
{
    (void)arg;
    through(ls_queue_new("fifo", sizeof(long), 0));
    through(ls_queue_new_lifo("lifo", sizeof(long), 0));
    through(ls_queue_new_priority("priority", sizeof(long), 0, by_value));
    return 0;
}

static intptr_t sends(void *arg)
{
    struct flow *f = arg;
    for (long i = 1; i < 20; i++)
        f->in += MAY_FAIL(!ls_chan_send(f->chan, &i, LS_NEVER)) ? i : 0;
    MUST(!ls_chan_close(f->chan));
    return 0;
}
/* Over more than 8 cases, which takes memory, and over a few. */
static intptr_t selects(void *arg)
{
    struct flow f = { .chan = ls_chan_new("chan", sizeof(long), 2) };
    struct ls_event *never = ls_event_new("never");
    (void)arg;
    struct ls_task *t = f.chan && never ? ls_spawn(sends, &f, NULL) : NULL;
    if (MAY_FAIL(t)) {
        for (int turn = 0;; turn++) {
            long v = 0;
            struct ls_case cases[12] = { ls_case_recv(f.chan, &v) };
            for (int i = 1; i < 12; i++)
                cases[i] = ls_case_event(never);
            int chosen = ls_select(cases, turn % 2 ? 12 : 4, LS_NEVER);
            if (chosen < 0 && errno == EDEADLK) { /* it never began, and nobody else would send */
                MUST(ls_done(t) == 1 && fits(ls_error(t)));
                break;
            }
            if (!MAY_FAIL(chosen >= 0))
                continue;
            MUST(chosen == 0);
            if (cases[0].error == EPIPE || wrong)
                break;
            f.out += v;
        }
        forget(&t, 1);
        for (long v; ls_chan_try_recv(f.chan, &v) == 1;)
            f.out += v;
        MUST(f.in == f.out);
    }
    MUST((!f.chan || !ls_chan_free(f.chan)) && (!never || !ls_event_free(never)));
    return 0;
}

static intptr_t dumps(void *arg)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct ls_lock *k = ls_lock_new("lock");
    struct ls_task *t = k ? ls_spawn(sleeper, arg, NULL) : NULL;
    if (MAY_FAIL(t)) {
        ls_yield();
        MAY_FAIL(!ls_dump(null));
        forget(&t, 1);
    }
    close(null);
    return 0; /* the lock goes with the loop */
}

int main(int argc, char **argv)
{
    static const struct scenario scenarios[] = {
        { "spawn, await, gather", spawns, true },
        { "calls and sleeps", timers, true },
        { "groups", groups, true },
        { "a group that fails", failing_group, true },
        { "wait, next, reap", waits, true },
        { "defer, on_done, shield", ends, true },
        { "locals", locals, true },
        { "futures", futures, true },
        { "timeouts", timeouts, true },
        { "locks and such", locks, true },
        { "queues", queues, true },
        { "channels and select", selects, true },
        { "dump", dumps, true },
    };
    return run_all(scenarios, sizeof scenarios / sizeof *scenarios, argc == 4 ? argv : argv + argc - 1);
}

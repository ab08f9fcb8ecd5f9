/* fuzz_schedule.c - tasks that do random things to locks, semaphores, events, conditions, barriers, queues, channels, select
 * and groups, with random deadlines and cancels, in virtual time and in an order that a seed decides.
 *
 * A model beside them says what must hold.  At each step: one holder a lock, and in the order of coming; readers or one
 * writer; no more inside than a semaphore has permits; an item comes out once, and only when its put did not fail.  When
 * all is quiet (main wakes at times that nobody else does): nobody waits for what is there.  At the end of a round: fifo
 * gave items to getters in the order of both; nothing is lost, nobody is left, nothing leaks.
 * The dice and the rounds: schedule.h. */
#include "schedule.h"

#define TASKS   12
#define ITEMS   4096 /* a round */
#define LOCKS   3
#define BOXES   6 /* three queues, three channels */
#define PARTIES 3

struct model_lock {
    struct ls_lock *lock;
    const void *owner;
    int waiting;
    uint32_t tickets, served; /* of those who acquire it */
};
struct item {
    int box;
    uint32_t put, got; /* tickets */
    enum { NEVER, PENDING, PUT, FAILED } state;
    bool taken;
};
struct model_box { /* a queue or a channel */
    struct ls_queue *queue;
    struct ls_chan *chan;
    int getting, putting; /* tasks, those in select not counted */
    uint32_t puts, gets;  /* tickets */
    bool closed;
};

static struct world {
    struct ls_task *task[TASKS];
    struct model_lock lock[LOCKS];
    struct ls_rwlock *rwlock;
    int reading, writing, read_waiting, write_waiting;
    struct ls_sem *sem;
    int permits, inside, sem_waiting;
    struct ls_event *event;
    int event_waiting;
    struct ls_cond *cond; /* of lock[0] */
    int tokens, cond_waiting;
    struct ls_barrier *barrier;
    int barrier_waiting;
    int passed[PARTIES]; /* by index */
    struct model_box box[BOXES];
    struct item item[ITEMS];
    uint32_t items;
} w;

/* A group's task that was cancelled has to go: its group waits for it, and cancels it once only. */
static bool enough(void)
{
    return dice.ending || !dice.left || (*ls_task_name(ls_self()) == 'c' && ls_cancelling(ls_self()) > 0);
}

static void some_step(int depth);

/* While holding something: time passes, or other things are done. */
static void meanwhile(int depth)
{
    switch (rnd(4)) {
    case 0: ls_yield(); break;
    case 1: ls_sleep_until(soon(1 + rnd(10))); break;
    case 2:
        if (depth < 2 && !enough())
            some_step(depth + 1);
        break;
    default: break;
    }
}

static void take_lock(struct model_lock *k, uint32_t ticket)
{
    must(!k->owner && ls_lock_holder(k->lock) == ls_self());
    must(ticket > k->served);
    k->owner = ls_self();
    k->served = ticket;
}
static void drop_lock(struct model_lock *k)
{
    must(k->owner == ls_self());
    k->owner = NULL;
    must(!ls_lock_release(k->lock));
}

/* True: it is held.  A circle is refused, and so is what one holds already. */
static bool acquire(struct model_lock *k)
{
    uint32_t ticket = ++k->tickets;
    bool trying = rnd(5) == 0;
    k->waiting++;
    int result = trying ? ls_lock_try(k->lock) : ls_lock_acquire(k->lock, some_deadline());
    k->waiting--;
    if (result && errno == EDEADLK) {
        must(k->owner);
        return false;
    }
    if (!went_well(result, __LINE__))
        return false;
    take_lock(k, ticket);
    return true;
}

static bool step_lock(int depth)
{
    struct model_lock *k = &w.lock[rnd(LOCKS)];
    if (!acquire(k))
        return false;
    meanwhile(depth);
    must(k->owner == ls_self() && ls_lock_holder(k->lock) == ls_self());
    drop_lock(k);
    return true;
}

static int rwlock_acquire(bool writing)
{
    if (rnd(5) == 0)
        return writing ? ls_rwlock_try_write(w.rwlock) : ls_rwlock_try_read(w.rwlock);
    ls_ns deadline = some_deadline();
    return writing ? ls_rwlock_write(w.rwlock, deadline) : ls_rwlock_read(w.rwlock, deadline);
}

static bool step_rwlock(int depth)
{
    bool writing = rnd(3) == 0;
    int *waiting = writing ? &w.write_waiting : &w.read_waiting;
    *waiting += 1;
    int result = rwlock_acquire(writing);
    *waiting -= 1;
    if ((result && errno == EDEADLK) || !went_well(result, __LINE__))
        return false;
    must(!w.writing && (!writing || !w.reading));
    *(writing ? &w.writing : &w.reading) += 1;
    meanwhile(depth);
    *(writing ? &w.writing : &w.reading) -= 1;
    must(!ls_rwlock_release(w.rwlock));
    return true;
}

static bool step_sem(int depth)
{
    w.sem_waiting++;
    int result = rnd(5) ? ls_sem_acquire(w.sem, some_deadline()) : ls_sem_try(w.sem);
    w.sem_waiting--;
    if (!went_well(result, __LINE__))
        return false;
    must(++w.inside <= w.permits);
    meanwhile(depth);
    w.inside--;
    must(!ls_sem_release(w.sem));
    return true;
}

static bool step_event(int depth)
{
    (void)depth;
    if (rnd(2))
        return !(rnd(3) ? ls_event_clear(w.event) : ls_event_set(w.event));
    w.event_waiting++;
    int result = ls_event_wait(w.event, some_deadline());
    w.event_waiting--;
    return went_well(result, __LINE__);
}

static int is_token(void *arg)
{
    return *(int *)arg > 0;
}
/* A semaphore made of a condition: who waits takes a token, who brings one notifies. */
static bool step_cond(int depth)
{
    struct model_lock *k = &w.lock[0];
    (void)depth;
    if (k->owner == ls_self() || !acquire(k))
        return false;
    bool good = true;
    if (rnd(2)) {
        w.tokens++;
        must((rnd(8) ? ls_cond_notify(w.cond, 1) : ls_cond_notify_all(w.cond)) >= 0);
    } else {
        k->owner = NULL;
        w.cond_waiting++;
        int result = ls_cond_wait_for(w.cond, k->lock, is_token, &w.tokens, some_deadline());
        w.cond_waiting--;
        if (result && errno == EDEADLK && ls_lock_holder(k->lock) != ls_self())
            return false;
        good = went_well(result, __LINE__);
        must(!k->owner && ls_lock_holder(k->lock) == ls_self()); /* whatever happened */
        k->owner = ls_self();
        must(!good || w.tokens-- > 0);
    }
    drop_lock(k);
    return good;
}

static bool step_barrier(int depth)
{
    (void)depth;
    if (rnd(12) == 0)
        return !ls_barrier_reset(w.barrier);
    w.barrier_waiting++;
    int index = ls_barrier_wait(w.barrier, some_deadline());
    w.barrier_waiting--;
    if (index < 0 && errno == EPIPE)
        return false;
    if (!went_well(index, __LINE__))
        return false;
    must(index < PARTIES);
    w.passed[index]++;
    return true;
}

/* Items are numbers; the model knows of each what became of it. */
static uint32_t new_item(int box)
{
    if (w.items == ITEMS)
        return 0;
    uint32_t i = w.items++;
    w.item[i] = (struct item){ .box = box, .put = ++w.box[box].puts, .state = PENDING };
    return i;
}
static void put_ended(uint32_t i, bool good)
{
    must(w.item[i].state == PENDING && (good || !w.item[i].taken));
    w.item[i].state = good ? PUT : FAILED;
}
static void got_item(int box, uint32_t ticket, uint32_t i)
{
    must(i > 0 && i < w.items && w.item[i].box == box);
    must(!w.item[i].taken && w.item[i].state != FAILED);
    w.item[i].taken = true;
    w.item[i].got = ticket;
    if (w.box[box].queue)
        must(!ls_queue_task_done(w.box[box].queue));
}

static int box_put(const struct model_box *b, const uint32_t *item)
{
    if (rnd(4) == 0)
        return b->queue ? ls_queue_put_nowait(b->queue, item) : ls_chan_try_send(b->chan, item);
    ls_ns deadline = some_deadline();
    return b->queue ? ls_queue_put(b->queue, item, deadline) : ls_chan_send(b->chan, item, deadline);
}
/* 1: an item, 0: closed and empty, -1 */
static int box_get(const struct model_box *b, uint32_t *ret_item)
{
    bool trying = rnd(4) == 0;
    ls_ns deadline = trying ? 0 : some_deadline();
    if (b->chan)
        return trying ? ls_chan_try_recv(b->chan, ret_item) : ls_chan_recv(b->chan, ret_item, deadline);
    int result = trying ? ls_queue_get_nowait(b->queue, ret_item) : ls_queue_get(b->queue, ret_item, deadline);
    return !result ? 1 : errno == EPIPE ? 0 : -1;
}

static bool step_put(int depth)
{
    int box = (int)rnd(BOXES);
    struct model_box *b = &w.box[box];
    uint32_t i = new_item(box);
    (void)depth;
    if (!i)
        return false;
    b->putting++;
    int result = box_put(b, &i);
    b->putting--;
    put_ended(i, result == 0);
    return !(result && errno == EPIPE && b->closed) && went_well(result, __LINE__);
}

static bool step_get(int depth)
{
    int box = (int)rnd(BOXES);
    struct model_box *b = &w.box[box];
    uint32_t i = 0, ticket = ++b->gets;
    (void)depth;
    b->getting++;
    int result = box_get(b, &i);
    b->getting--;
    must(result || b->closed);
    if (result <= 0)
        return result < 0 && went_well(result, __LINE__);
    got_item(box, ticket, i);
    return true;
}

static bool step_select(int depth)
{
    struct ls_case cases[5];
    int n = 1 + (int)rnd(5), box[5];
    uint32_t item[5] = { 0 }, ticket[5];
    (void)depth;
    for (int k = 0; k < n; k++) {
        box[k] = (int)rnd(BOXES);
        struct model_box *b = &w.box[box[k]];
        bool put = rnd(2) && (item[k] = new_item(box[k]));
        ticket[k] = put ? 0 : ++b->gets;
        cases[k] = b->queue ? put ? ls_case_put(b->queue, &item[k]) : ls_case_get(b->queue, &item[k])
                   : put ? ls_case_send(b->chan, &item[k])
                            : ls_case_recv(b->chan, &item[k]);
        if (rnd(10) == 0) {
            cases[k] = ls_case_event(rnd(2) ? w.event : NULL);
            if (put)
                w.item[item[k]].state = FAILED;
            box[k] = -1;
        }
    }
    int chosen = ls_select(cases, (size_t)n, some_deadline());
    for (int k = 0; k < n; k++) {
        bool good = k == chosen && !cases[k].error;
        if (box[k] < 0)
            continue;
        if (k == chosen)
            must(!cases[k].error || (cases[k].error == EPIPE && w.box[box[k]].closed));
        if (!ticket[k])
            put_ended(item[k], good);
        else if (good)
            got_item(box[k], ticket[k], item[k]);
        else
            must(item[k] == 0);
    }
    return went_well(chosen, __LINE__);
}

static bool step_join(int depth)
{
    (void)depth;
    return well(ls_queue_join(w.box[rnd(3)].queue, soon(1 + rnd(20))));
}

static bool step_cancel(int depth)
{
    struct ls_task *t = w.task[rnd(TASKS)];
    (void)depth;
    return t && !ls_cancel(t, "the dice");
}

static bool step_time(int depth)
{
    (void)depth;
    return well(rnd(2) ? ls_yield() : ls_sleep_until(soon(rnd(20))));
}

static bool step_timeout(int depth)
{
    struct ls_timeout scope;
    if (depth >= 2)
        return false;
    must(!ls_timeout_begin(&scope, soon(1 + rnd(20))));
    if (!enough())
        some_step(depth + 1);
    int result = ls_timeout_end(&scope);
    must(!result || errno == ETIMEDOUT);
    return true;
}

static intptr_t child(void *arg)
{
    for (int i = 0; i < 3 && !enough(); i++)
        some_step((int)(intptr_t)arg);
    if (rnd(6))
        return 0;
    errno = EIO;
    return -1;
}
static bool step_group(int depth)
{
    if (depth >= 2)
        return false;
    struct ls_group *g = ls_group_open("group");
    must(g);
    for (uint64_t n = 1 + rnd(3); n > 0; n--)
        must(ls_group_spawn(g, child, (void *)(intptr_t)(depth + 1), "child") || errno == ECANCELED);
    if (rnd(2) && !enough())
        some_step(depth + 1);
    if (enough())
        ls_group_cancel(g, "enough");
    if (!ls_group_close(g, some_deadline()))
        return true;
    must(errno == EIO || errno == ETIMEDOUT || errno == ECANCELED || errno == EDEADLK);
    return false;
}

static const struct kind kinds[] = {
    { "lock", step_lock, 6 },       { "rwlock", step_rwlock, 4 }, { "sem", step_sem, 3 },
    { "event", step_event, 3 },     { "cond", step_cond, 5 },     { "barrier", step_barrier, 2 },
    { "put", step_put, 6 },         { "get", step_get, 6 },       { "select", step_select, 6 },
    { "join", step_join, 1 },       { "cancel", step_cancel, 2 }, { "time", step_time, 3 },
    { "timeout", step_timeout, 2 }, { "group", step_group, 1 },   { NULL, NULL, 0 }
};

static void some_step(int depth)
{
    step_of(kinds, depth);
}

static intptr_t actor(void *arg)
{
    (void)arg;
    while (!enough())
        some_step(0);
    return 0;
}

/* Nothing is ready and no timer is due: who waits now has a reason to. */
static void check_quiet(void)
{
    for (int i = 0; i < LOCKS; i++)
        must(w.lock[i].owner || !w.lock[i].waiting);
    must(w.inside == w.permits || !w.sem_waiting);
    must(ls_sem_value(w.sem) == w.permits - w.inside);
    must(w.reading || w.writing || !(w.read_waiting || w.write_waiting));
    must(!w.read_waiting || w.writing || w.write_waiting);
    must(!ls_event_is_set(w.event) || !w.event_waiting);
    must(w.lock[0].owner || !w.tokens || !w.cond_waiting);
    must(w.barrier_waiting < PARTIES && ls_barrier_waiting(w.barrier) == w.barrier_waiting);
    must(w.passed[0] == w.passed[1] && w.passed[1] == w.passed[2]);
    for (int i = 0; i < BOXES; i++) {
        struct model_box *b = &w.box[i];
        must(!b->closed || !(b->getting || b->putting));
        if (b->queue)
            must((!b->getting || ls_queue_empty(b->queue)) && (!b->putting || ls_queue_full(b->queue)));
        must(!b->getting || !b->putting);
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a % 7, y = *(const uint32_t *)b % 7;
    return (x > y) - (x < y);
}
static void make_objects(void)
{
    char name[16];
    for (int i = 0; i < LOCKS; i++) {
        snprintf(name, sizeof name, "lock%d", i);
        w.lock[i].lock = ls_lock_new(name);
    }
    w.rwlock = ls_rwlock_new("rwlock");
    w.permits = 1 + (int)rnd(3);
    w.sem = ls_sem_new("sem", (size_t)w.permits, (size_t)w.permits);
    w.event = ls_event_new("event");
    w.cond = ls_cond_new("cond");
    w.barrier = ls_barrier_new("barrier", PARTIES);
    w.box[0].queue = ls_queue_new("fifo", sizeof(uint32_t), rnd(4)); /* 0: no limit */
    w.box[1].queue = ls_queue_new_lifo("lifo", sizeof(uint32_t), 1 + rnd(3));
    w.box[2].queue = ls_queue_new_priority("priority", sizeof(uint32_t), 1 + rnd(20), by_value);
    w.box[3].chan = ls_chan_new("rendezvous", sizeof(uint32_t), 0);
    w.box[4].chan = ls_chan_new("one", sizeof(uint32_t), 1);
    w.box[5].chan = ls_chan_new("four", sizeof(uint32_t), 4);
    w.items = 1; /* 0 is none */
}

static int by_got(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return x->box != y->box ? x->box - y->box : (x->got > y->got) - (x->got < y->got);
}
/* What is left is taken out; then all that were put have come out, and a fifo's in the order of both sides. */
static void check_items(void)
{
    for (int i = 0; i < BOXES; i++) {
        struct model_box *b = &w.box[i];
        for (uint32_t v; b->queue ? !ls_queue_get_nowait(b->queue, &v) : ls_chan_try_recv(b->chan, &v) == 1;)
            got_item(i, ++b->gets, v);
        if (b->queue)
            must(!ls_queue_join(b->queue, 1));
    }
    for (uint32_t i = 1; i < w.items; i++)
        must(w.item[i].state == (w.item[i].taken ? PUT : FAILED));
    qsort(w.item + 1, w.items - 1, sizeof *w.item, by_got);
    const struct item *last = NULL;
    for (uint32_t i = 1; i < w.items; i++) {
        const struct item *it = &w.item[i];
        if (!it->taken || it->box == 1 || it->box == 2)
            continue;
        must(!last || last->box != it->box || last->put < it->put);
        last = it;
    }
}

static void free_objects(void)
{
    for (int i = 0; i < LOCKS; i++)
        must(!ls_lock_holder(w.lock[i].lock) && !ls_lock_free(w.lock[i].lock));
    must(!ls_rwlock_free(w.rwlock) && !ls_sem_free(w.sem) && !ls_event_free(w.event) && !ls_cond_free(w.cond) &&
         !ls_barrier_free(w.barrier));
    for (int i = 0; i < BOXES; i++)
        must(!(w.box[i].queue ? ls_queue_free(w.box[i].queue) : ls_chan_free(w.box[i].chan)));
    check_empty();
}

static void close_some(void)
{
    struct model_box *b = &w.box[rnd(BOXES)];
    if (b->closed)
        return;
    must(!(b->queue ? ls_queue_shutdown(b->queue, 0) : ls_chan_close(b->chan)));
    b->closed = true;
}

/* One round.  All times of the tasks are whole us, main's are between. */
static intptr_t round_main(void *arg)
{
    (void)arg;
    memset(&w, 0, sizeof w);
    make_objects();
    for (int i = 0; i < TASKS; i++)
        must((w.task[i] = ls_spawn(actor, NULL, "actor-%d", i)));
    ls_ns start = (ls_now() / LS_US + 1) * LS_US + LS_US / 2;
    for (uint64_t tick = 0; tick < TICKS || dice.ending; tick++) {
        must(!ls_sleep_until(start + tick * TICK));
        check_quiet();
        if (lsrt_loop()->live == 1)
            break;
        must(tick < 1000); /* everything ends */
        if (rnd(30) == 0)
            close_some();
        if (tick >= TICKS - 1 || !dice.left)
            dice.ending = true;
        for (int i = 0; i < TASKS; i++)
            if (rnd(60) == 0)
                must(!ls_cancel(w.task[i], "main's") || errno == ESRCH);
        if (dice.ending)
            cancel_all();
    }
    for (int i = 0; i < TASKS; i++)
        must(!ls_await(w.task[i], NULL, LS_NEVER));
    check_items();
    free_objects();
    return 0;
}

int main(int argc, char **argv)
{
    return run_rounds(argc, argv, round_main, kinds);
}

/* fuzz_tasks.c - tasks that spawn, await, shield, gather, wait for and cancel each other at random, in groups and timeouts,
 * with futures, locals, deferred functions, calls at the end and at a time; in virtual time and in a seed's order.
 *
 * A model beside them says what must hold: a result is what the task returned, to whoever asks; a gather's are in order,
 * next_done's come in the order of the ends; no more of a group run than its limit, none outlives its close, its failures
 * are all told; a future has one value; a timeout's end is after its deadline, and takes its cancel back; who was shielded
 * and never cancelled is not; what was deferred runs once, last first; a local's value is inherited and destroyed once.
 * The dice and the rounds: schedule.h. */
#include "schedule.h"

#define ACTORS  8
#define NODES   8192 /* a round */
#define FUTURES 3

/* What the model knows of a task. */
struct node {
    struct ls_task *task; /* an actor's, until main awaits it */
    struct model_group *group;
    int depth, steps;
    int cancels; /* an actor's: what ls_cancelling must say */
    bool alone;  /* nobody but main's last cancel may cancel it */
    bool begun, over;
    int error;    /* it failed; else its result is its place */
    uint32_t end; /* the number of its end */
    void *local;  /* its value now; before it began: what it inherits */
    int deferred;
};
struct model_group {
    int limit, running, alive, failures;
};

static const char key_name[] = "value";
static void destroy_value(void *value);
static const struct ls_local key = { key_name, destroy_value };

static struct {
    struct node node[NODES];
    uint32_t nodes, ends;
    struct {
        struct ls_future *future;
        bool decided;
        intptr_t value;
        int error, waiting;
    } future[FUTURES];
    int asked, called; /* on_done */
    int due, fired;    /* call_later */
    int values;        /* locals that live */
} w;

static const struct ls_local self_key = { "self", NULL };
#define me ((struct node *)ls_local_get(&self_key)) /* the running task's */
static void some_step(int depth);

static void destroy_value(void *value)
{
    w.values--;
    free(value);
}

static bool is_actor(const struct node *n)
{
    return n < w.node + ACTORS;
}
static bool enough(void)
{
    return dice.ending || !dice.left || w.nodes > NODES - 100 || (!is_actor(me) && ls_cancelling(ls_self()) > 0);
}

static void deferred(void *arg)
{
    struct node *n = arg;
    must(n->deferred > 0);
    n->deferred--;
}

static intptr_t node_end(struct node *n, int error)
{
    n->error = error;
    n->over = true;
    n->end = ++w.ends;
    if (n->group) {
        n->group->running--;
        n->group->failures += error && error != ECANCELED;
    }
    errno = error;
    return error ? -1 : n - w.node;
}
static intptr_t child(void *arg)
{
    struct node *n = arg;
    must(!n->begun);
    must(ls_local_get(&key) == n->local);
    n->begun = true;
    must(!ls_local_set(&self_key, n));
    if (n->group)
        must(++n->group->running <= n->group->limit || !n->group->limit);
    while (n->steps-- > 0 && !enough())
        some_step(n->depth);
    must(!n->alone || dice.ending || !ls_cancelling(ls_self()));
    return node_end(n, rnd(5) ? 0 : rnd(3) ? EIO : ECANCELED);
}

/* A wait for tasks failed: as others, or because they wait for actors, and it would wait for itself. */
static bool may_stop(int status, int line)
{
    return status && errno == EDEADLK ? false : went_well(status, line);
}

/* A new task's place in the model. */
static struct node *node_new(int depth, struct model_group *g)
{
    struct node *n = &w.node[w.nodes++];
    must(w.nodes < NODES);
    *n = (struct node){ .depth = depth + 1, .steps = (int)rnd(4), .group = g, .local = me->local };
    return n;
}
static struct ls_task *spawn(struct node *n)
{
    struct ls_task *t = ls_spawn(child, n, "node-%d", (int)(n - w.node));
    must(t);
    return t;
}

/* What somebody was told of a task that is over. */
static void check_outcome(const struct node *n, intptr_t result, int error)
{
    if (!n->begun) { /* cancelled before */
        must(result == -1 && error == ECANCELED && !n->alone);
        return;
    }
    must(n->over && n->deferred == 0);
    must(n->error ? result == -1 && error == n->error : result == n - w.node);
}

/* Gives back what is left of n tasks. */
static void dispose(struct ls_task *t[], struct node *const node[], size_t n)
{
    if (rnd(2) && !ls_reap(t, n, "not needed", some_deadline())) {
        for (size_t i = 0; i < n; i++)
            must(!t[i] || node[i]->over || !node[i]->begun);
        return;
    }
    for (size_t i = 0; i < n; i++)
        must(!t[i] || !ls_detach(t[i]));
}

static bool step_await(int depth)
{
    struct node *n = node_new(depth, NULL);
    bool shield = rnd(2);
    n->alone = shield;
    struct ls_task *t = spawn(n);
    intptr_t result;
    int status = shield ? ls_shield(t, &result, some_deadline()) : ls_await(t, &result, some_deadline());
    int error = errno;
    if (!status) {
        n->alone &= !dice.ending;
        check_outcome(n, result, error);
        return true;
    }
    errno = error;
    n->alone = false;
    may_stop(status, __LINE__);
    if (ls_done(t) == 1) {
        must((ls_result(t, &result) ? 0 : (check_outcome(n, result, errno), 1)));
    }
    dispose(&t, &n, 1);
    return false;
}

static bool step_gather(int depth)
{
    struct ls_task *t[4];
    struct node *node[4];
    intptr_t out[4];
    size_t n = 1 + rnd(4);
    bool all = rnd(2);
    for (size_t i = 0; i < n; i++)
        t[i] = spawn(node[i] = node_new(depth, NULL));
    int status = all ? ls_gather_all(t, n, out, some_deadline()) : ls_gather(t, n, out, some_deadline());
    if (!status) {
        for (size_t i = 0; i < n; i++)
            check_outcome(node[i], all && out[i] < 0 ? -1 : out[i], all ? (int)-out[i] : 0);
        return true;
    }
    int error = errno;
    bool somebody = false;
    for (size_t i = 0; i < n; i++)
        somebody |= node[i]->over && node[i]->error == error;
    must(error == ETIMEDOUT || error == ECANCELED || error == EDEADLK || (somebody && !all));
    dispose(t, node, n);
    return false;
}

static bool step_wait(int depth)
{
    struct ls_task *t[4];
    struct node *node[4];
    bool done[4];
    size_t n = 1 + rnd(4), over = 0, failed = 0;
    enum ls_wait_mode mode = (enum ls_wait_mode)rnd(3);
    for (size_t i = 0; i < n; i++)
        t[i] = spawn(node[i] = node_new(depth, NULL));
    int status = ls_wait(t, n, mode, done, some_deadline()), error = errno;
    for (size_t i = 0; i < n; i++) {
        must(status && error == ECANCELED ? true : done[i] == (ls_done(t[i]) == 1));
        over += ls_done(t[i]) == 1;
        failed += ls_done(t[i]) == 1 && ls_error(t[i]) && ls_error(t[i]) != ECANCELED;
    }
    must(status || (mode == LS_FIRST_DONE ? over > 0 : over == n || (mode == LS_FIRST_ERROR && failed)));
    errno = error;
    may_stop(status, __LINE__);
    dispose(t, node, n);
    return !status;
}

static bool step_next(int depth)
{
    struct ls_task *t[4];
    struct node *node[4];
    size_t n = 1 + rnd(4), index, left = n;
    uint32_t last = 0;
    for (size_t i = 0; i < n; i++)
        t[i] = spawn(node[i] = node_new(depth, NULL));
    while (left) {
        intptr_t result;
        if (ls_next_done(t, n, &index, &result, some_deadline())) {
            may_stop(-1, __LINE__);
            dispose(t, node, n);
            return false;
        }
        check_outcome(node[index], result, errno);
        must(!t[index]);
        if (node[index]->begun) {
            must(node[index]->end > last);
            last = node[index]->end;
        }
        left--;
    }
    must(ls_next_done(t, n, &index, NULL, LS_NEVER) == -1 && errno == ESRCH);
    return true;
}

static bool step_detach(int depth)
{
    return !ls_detach(spawn(node_new(depth, NULL)));
}

static bool step_group(int depth)
{
    struct model_group g = { .limit = (int)rnd(4) };
    struct node *node[5];
    int n = 0, told = 0;
    struct ls_group_error errors[5];
    struct ls_group *group = ls_group_open("group");
    must(group && !ls_group_limit(group, (size_t)g.limit));
    for (uint64_t k = 1 + rnd(5); k; k--) {
        if (rnd(3) == 0 && ls_group_room(group, some_deadline()))
            may_stop(-1, __LINE__);
        else if (!ls_group_spawn(group, child, node[n] = node_new(depth, &g), "member"))
            must(errno == ECANCELED);
        else
            n++;
    }
    if (rnd(3) == 0 && !enough())
        some_step(depth + 1);
    if (rnd(6) == 0)
        must(!ls_group_cancel(group, "the dice"));
    int status = ls_group_close(group, some_deadline()), error = errno;
    for (int i = 0; i < n; i++)
        must(node[i]->over || !node[i]->begun);
    must(g.running == 0);
    ssize_t count = ls_group_errors(NULL, errors, 5);
    must(count == g.failures);
    for (ssize_t i = 0; i < count; i++)
        told += errors[i].error == EIO;
    must(told == g.failures);
    must(g.failures ? status && error == EIO : !status || error == ETIMEDOUT || error == ECANCELED || error == EDEADLK);
    return !status;
}

static bool step_timeout(int depth)
{
    struct ls_timeout scope;
    ls_ns until = soon(1 + rnd(20));
    must(!ls_timeout_begin(&scope, until));
    if (rnd(4) == 0)
        must(!ls_timeout_reschedule(&scope, until = soon(1 + rnd(20))));
    if (!enough())
        some_step(depth + 1);
    int result = ls_timeout_end(&scope);
    must(!result || (errno == ETIMEDOUT && ls_now() >= until));
    return true;
}

static bool step_future(int depth)
{
    int k = (int)rnd(FUTURES);
    (void)depth;
    if (rnd(3)) {
        intptr_t value;
        w.future[k].waiting++;
        int status = ls_future_await(w.future[k].future, &value, some_deadline()), error = errno;
        w.future[k].waiting--;
        errno = error;
        if (status)
            return may_stop(status, __LINE__);
        must(w.future[k].decided && value == w.future[k].value && (value != -1 || error == w.future[k].error));
        return true;
    }
    if (w.future[k].decided) {
        must(ls_future_set(w.future[k].future, 1) == -1 && errno == EALREADY);
        if (w.future[k].waiting)
            return false;
        must(!ls_future_free(w.future[k].future));
        must((w.future[k].future = ls_future_new("future")));
        w.future[k].decided = false;
        return true;
    }
    int how = (int)rnd(3);
    w.future[k].decided = true;
    w.future[k].value = how ? -1 : (intptr_t)rnd(1000);
    w.future[k].error = how == 1 ? EIO : ECANCELED;
    must(!(how == 0   ? ls_future_set(w.future[k].future, w.future[k].value)
           : how == 1 ? ls_future_fail(w.future[k].future, EIO)
                      : ls_future_cancel(w.future[k].future)));
    return true;
}

/* Waits for another actor, which nobody may spend: it is main's. */
static bool step_other(int depth)
{
    struct node *n = &w.node[rnd(ACTORS)];
    bool done;
    (void)depth;
    int status, error;
    if (rnd(2)) {
        struct ls_task *t = ls_ref(n->task);
        must(t == n->task);
        status = ls_shield(t, NULL, some_deadline());
        error = errno;
        must(!status || !ls_detach(t));
    } else {
        status = ls_wait(&n->task, 1, LS_ALL_DONE, &done, some_deadline());
        error = errno;
    }
    errno = error;
    return error == EBUSY && status ? false : may_stop(status, __LINE__);
}

static bool step_cancel(int depth)
{
    struct node *n = &w.node[rnd(ACTORS)];
    (void)depth;
    if (rnd(3) == 0 && is_actor(me) && me->cancels) {
        int left = ls_uncancel();
        me->cancels--;
        return left >= 0;
    }
    if (ls_cancel(n->task, "the dice")) {
        must(errno == ESRCH && (n->over || !n->begun));
        return false;
    }
    n->cancels++;
    return true;
}

static bool step_local(int depth)
{
    void *value = rnd(4) ? malloc(1) : NULL;
    (void)depth;
    w.values += value != NULL;
    must(!ls_local_set(&key, value));
    me->local = value;
    must(ls_local_get(&key) == value);
    return true;
}

static bool step_defer(int depth)
{
    (void)depth;
    if (me->deferred && rnd(2)) {
        int left = me->deferred - 1, run = (int)rnd(2);
        must(!ls_defer_pop(run));
        if (!run)
            me->deferred--;
        must(me->deferred == left);
    } else {
        must(!ls_defer(deferred, me));
        me->deferred++;
    }
    return true;
}

static void was_done(struct ls_task *t, void *arg)
{
    const struct node *n = arg;
    must(ls_done(t) == 1 && (n->over || !n->begun));
    w.called++;
}
static bool step_on_done(int depth)
{
    struct node *n = &w.node[rnd(ACTORS)];
    (void)depth;
    if (rnd(3)) {
        must(!ls_on_done(n->task, was_done, n));
        w.asked++;
    } else if (!ls_off_done(n->task, was_done, n))
        w.asked--;
    else
        must(errno == ESRCH);
    return true;
}

static void fires(void *arg)
{
    must(ls_now() >= (ls_ns)(uintptr_t)arg);
    w.fired++;
}
static bool step_call(int depth)
{
    ls_ns at = soon(rnd(30));
    (void)depth;
    struct ls_timer *t = ls_call_at(at, fires, (void *)(uintptr_t)at);
    must(t);
    if (rnd(3) == 0)
        must(!ls_timer_cancel(t) && ls_timer_cancel(t) == -1 && errno == ESRCH);
    else
        w.due++;
    return true;
}

static bool step_time(int depth)
{
    (void)depth;
    return well(rnd(2) ? ls_yield() : ls_sleep_until(soon(rnd(20))));
}

static const struct kind kinds[] = { { "await", step_await, 4 },     { "gather", step_gather, 3 },
                                     { "wait", step_wait, 3 },       { "next", step_next, 3 },
                                     { "detach", step_detach, 1 },   { "group", step_group, 5 },
                                     { "timeout", step_timeout, 4 }, { "future", step_future, 6 },
                                     { "other", step_other, 1 },     { "cancel", step_cancel, 4 },
                                     { "local", step_local, 3 },     { "defer", step_defer, 3 },
                                     { "on_done", step_on_done, 2 }, { "call", step_call, 2 },
                                     { "time", step_time, 6 },       { NULL, NULL, 0 } };

static void some_step(int depth)
{
    if (depth < 3)
        step_of(kinds, depth);
    else
        step_time(depth);
}

static intptr_t actor(void *arg)
{
    struct node *n = arg;
    n->begun = true;
    must(!ls_local_set(&self_key, n));
    while (!enough()) {
        some_step(0);
        /* Groups, timeouts and awaits have taken their own cancels back. */
        must(dice.ending || ls_cancelling(ls_self()) == n->cancels);
    }
    return node_end(n, 0);
}

static void check_quiet(void)
{
    for (int i = 0; i < FUTURES; i++)
        must(!w.future[i].decided || !w.future[i].waiting);
}

/* One round.  All times of the tasks are whole us, main's are between. */
static intptr_t round_main(void *arg)
{
    (void)arg;
    memset(&w, 0, sizeof w);
    for (int i = 0; i < FUTURES; i++)
        must((w.future[i].future = ls_future_new("future")));
    for (w.nodes = 0; w.nodes < ACTORS; w.nodes++)
        must((w.node[w.nodes].task = ls_spawn(actor, &w.node[w.nodes], "actor-%u", w.nodes)));
    ls_ns start = (ls_now() / LS_US + 1) * LS_US + LS_US / 2;
    for (uint64_t tick = 0;; tick++) {
        must(!ls_sleep_until(start + tick * TICK));
        check_quiet();
        if (lsrt_loop()->live == 1)
            break;
        must(tick < 1000); /* everything ends */
        if (tick >= TICKS - 1 || !dice.left)
            dice.ending = true;
        if (dice.ending)
            cancel_all();
    }
    must(!ls_sleep(100 * LS_US) && w.fired == w.due);
    for (int i = 0; i < ACTORS; i++) {
        intptr_t result = -2;
        struct node *n = &w.node[i];
        must(!ls_await(n->task, &result, LS_NEVER));
        check_outcome(n, result, errno);
    }
    must(w.called == w.asked);
    must(!w.values);
    for (int i = 0; i < FUTURES; i++)
        must(!ls_future_free(w.future[i].future));
    check_empty();
    return 0;
}

int main(int argc, char **argv)
{
    return run_rounds(argc, argv, round_main, kinds);
}

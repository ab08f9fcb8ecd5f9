/* assemble_task.c - tasks: suspend, wake, resume become steps.  Pure; used by the storing thread.
 * Owns the table of tasks; a task that is over stays for a while, because its result may be taken later. */
#include "assemble_task.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/loopscope/probe.h"

#define TASKS_MAX (2u << 20) /* followed at once; a hostile target may invent ids as fast as it likes */
#define DONE_KEPT 16384u     /* tasks remembered after their end */

enum state { WAITING, READY, RUNNING, DONE };
static const char *const state_names[] = { "waiting", "ready", "running", "done" };
static const char *const outcome_names[] = { NULL, "ok", "error", "cancelled" };

struct task {
    struct task *next; /* in its hash chain */
    uint32_t id, parent;
    uint8_t state, outcome;
    bool implied; /* seen to run before its EV_TASK_NEW came (another thread's, or lost) */
    bool ended;   /* EV_TASK_END came, it still runs its last step */
    bool observed, detached;
    bool early;        /* woken before it was suspended: by whom and when is below */
    bool early_ready;  /* READY because of that; a later wake is the true one */
    struct runner *on; /* RUNNING: where; NULL when that thread has gone */
    int64_t loop, site, t, t_end, error;
    int64_t since;         /* WAITING, READY: when it was suspended (or born); RUNNING: when it began to run */
    int64_t asleep, ready; /* of the wait before this run: when it began, when the wake came (ROW_NULL: not seen) */
    int64_t wait, queue;   /* the first two parts of the open step; ROW_NULL: lost */
    int64_t why, target, wait_site, waker; /* what that wait is or was for */
    int64_t early_t, early_waker;
    int64_t steps, run_sum, queue_sum, wait_sum, run_max, run_max_site, queue_max;
};

struct task_table {
    const struct assemble_sink *sink;
    struct task **bucket;
    uint32_t n, buckets; /* a power of two */
    struct task *done[DONE_KEPT];
    uint32_t done_next;
    int64_t step_id;
    int64_t gap_end; /* of any thread: a wake may be missing before */
    uint64_t refused;
};

static uint32_t slot_of(const struct task_table *tt, uint32_t id)
{
    return (id * 2654435769u >> 7) & (tt->buckets - 1);
}

struct task_table *task_table_new(const struct assemble_sink *sink)
{
    struct task_table *tt = calloc(1, sizeof *tt);
    if (!tt)
        return NULL;
    tt->sink = sink;
    tt->gap_end = ROW_NULL;
    tt->buckets = 1024;
    tt->bucket = calloc(tt->buckets, sizeof(struct task *));
    if (!tt->bucket) {
        free(tt);
        return NULL;
    }
    return tt;
}

void task_table_free(struct task_table *tt)
{
    if (!tt)
        return;
    for (uint32_t i = 0; i < tt->buckets; i++) {
        for (struct task *k = tt->bucket[i], *next; k; k = next) {
            next = k->next;
            free(k);
        }
    }
    free(tt->bucket);
    free(tt);
}

uint64_t task_table_refused(const struct task_table *tt)
{
    return tt->refused;
}

static struct task *find(const struct task_table *tt, uint32_t id)
{
    struct task *k = tt->bucket[slot_of(tt, id)];
    while (k && k->id != id)
        k = k->next;
    return k;
}

static void grow(struct task_table *tt)
{
    uint32_t old = tt->buckets;
    struct task **was = tt->bucket, **now = calloc((size_t)old * 2, sizeof(struct task *));
    if (!now)
        return; /* longer chains are slower, not wrong */
    tt->bucket = now;
    tt->buckets = old * 2;
    for (uint32_t i = 0; i < old; i++) {
        for (struct task *k = was[i], *next; k; k = next) {
            struct task **to = &now[slot_of(tt, k->id)];
            next = k->next;
            k->next = *to;
            *to = k;
        }
    }
    free(was);
}

/* A task that begins at t, ready at once.  NULL when there are too many. */
static struct task *add(struct task_table *tt, const struct runner *on, uint32_t id, int64_t t)
{
    struct task *k = tt->n < TASKS_MAX ? malloc(sizeof *k) : NULL;
    if (!k) {
        tt->refused++;
        return NULL;
    }
    *k = (struct task){ .id = id,
                        .state = READY,
                        .loop = on->loop,
                        .site = ROW_NULL,
                        .t = t,
                        .t_end = ROW_NULL,
                        .error = ROW_NULL,
                        .since = t,
                        .asleep = t,
                        .ready = t,
                        .why = LS_WHY_SPAWN,
                        .target = ROW_NULL,
                        .wait_site = ROW_NULL,
                        .run_max_site = ROW_NULL,
                        .waker = ROW_NULL };
    if (tt->n++ >= tt->buckets)
        grow(tt);
    struct task **to = &tt->bucket[slot_of(tt, id)];
    k->next = *to;
    *to = k;
    return k;
}

static void forget(struct task_table *tt, struct task *gone)
{
    struct task **k = &tt->bucket[slot_of(tt, gone->id)];
    while (*k != gone)
        k = &(*k)->next;
    *k = gone->next;
    tt->n--;
    free(gone);
}

static struct row_task row_of(const struct task *k)
{
    bool waits = k->state == WAITING || k->state == READY;
    return (struct row_task){
        .id = k->id,
        .process = ROW_NULL,
        .loop = k->loop,
        .parent = ROW_NULL,
        .site = ROW_NULL,
        .t = k->t,
        .t_end = k->t_end,
        .state = state_names[k->state],
        .outcome = outcome_names[k->outcome],
        .error = k->error,
        .observed = k->observed,
        .detached = k->detached,
        .why = waits ? k->why : ROW_NULL,
        .target = waits ? k->target : ROW_NULL,
        .wait_site = waits ? k->wait_site : ROW_NULL,
        .since = k->state == DONE ? ROW_NULL : k->since,
        .steps = k->steps,
        .run = k->run_sum,
        .queue = k->queue_sum,
        .wait = k->wait_sum,
        .run_max = k->run_max,
        .run_max_site = k->run_max_site,
        .queue_max = k->queue_max,
    };
}

static void tell_begin(struct task_table *tt, const struct task *k, const struct runner *on, const char *name)
{
    struct row_task row = { .id = k->id,
                            .process = on->process,
                            .loop = k->loop,
                            .parent = k->implied ? ROW_NULL : k->parent,
                            .site = k->site,
                            .t = k->t,
                            .t_end = ROW_NULL,
                            .name = name,
                            .error = ROW_NULL,
                            .observed = 0,
                            .detached = ROW_NULL,
                            .why = ROW_NULL,
                            .target = ROW_NULL,
                            .wait_site = ROW_NULL,
                            .since = ROW_NULL,
                            .steps = ROW_NULL,
                            .run = ROW_NULL,
                            .queue = ROW_NULL,
                            .wait = ROW_NULL,
                            .run_max = ROW_NULL,
                            .run_max_site = ROW_NULL,
                            .queue_max = ROW_NULL };
    tt->sink->task_begin(tt->sink->ctx, &row);
}

static void tell_end(struct task_table *tt, const struct task *k)
{
    struct row_task row = row_of(k);
    tt->sink->task_end(tt->sink->ctx, &row);
}

/* The step that ran from `began` to `t` is complete. */
static void tell_step(struct task_table *tt, struct task *k, int64_t loop, int64_t began, int64_t t)
{
    struct row_step row = { .id = ++tt->step_id,
                            .task = k->id,
                            .loop = loop,
                            .t = began,
                            .wait = k->wait,
                            .queue = k->queue,
                            .run = t - began,
                            .why = k->why,
                            .target = k->target,
                            .site = k->wait_site,
                            .waker = k->waker };
    k->steps++;
    k->run_sum += row.run;
    k->wait_sum += row.wait == ROW_NULL ? 0 : row.wait;
    k->queue_sum += row.queue == ROW_NULL ? 0 : row.queue;
    if (row.run > k->run_max) {
        k->run_max = row.run;
        k->run_max_site = k->wait_site;
    }
    if (row.queue > k->queue_max) /* ROW_NULL is below everything */
        k->queue_max = row.queue;
    tt->sink->step(tt->sink->ctx, &row);
}

static void finish(struct task_table *tt, struct task *k, int64_t t)
{
    if (k->on)
        k->on->running = NULL;
    k->on = NULL;
    k->state = DONE;
    k->t_end = t;
    tell_end(tt, k);
    struct task **place = &tt->done[tt->done_next++ % DONE_KEPT];
    if (*place)
        forget(tt, *place);
    *place = k;
}

/* --- the state machine ------------------------------------------------------------------------------------------ */

/* What is known of the time since the task was last suspended, when it goes on at t. */
static void close_wait(const struct task_table *tt, const struct runner *on, struct task *k, int64_t t)
{
    bool lost = k->since < on->gap_end || (k->state == WAITING && k->since < tt->gap_end);
    k->asleep = k->since;
    if (k->state == WAITING) {
        k->ready = ROW_NULL;
        k->waker = ROW_NULL;
    }
    k->wait = lost ? ROW_NULL : (k->ready == ROW_NULL ? t : k->ready) - k->asleep;
    k->queue = lost ? ROW_NULL : k->ready == ROW_NULL ? 0 : t - k->ready;
}

static int64_t not_before(int64_t t, int64_t earliest)
{
    return t < earliest ? earliest : t;
}

/* Takes it off the thread where it runs; its step is told unless events were lost meanwhile. */
static int64_t stop(struct task_table *tt, struct task *k, int64_t t)
{
    t = not_before(t, k->since);
    if (k->on) {
        if (k->since >= k->on->gap_end)
            tell_step(tt, k, k->on->loop, k->since, t);
        k->on->running = NULL;
        k->on = NULL;
    }
    return t;
}

static size_t resume(struct task_table *tt, struct runner *on, struct task *k, int64_t t)
{
    size_t bad = 0;
    if (k->state == DONE)
        return 1;
    if (k->state == RUNNING) { /* it never stopped, as far as we know: somewhere else, or on a thread that has gone */
        k->since = stop(tt, k, t);
        k->state = WAITING;
        k->why = k->target = k->wait_site = ROW_NULL;
        k->early = k->early_ready = false;
        bad = 1;
    }
    t = not_before(t, k->state == READY ? not_before(k->ready, k->since) : k->since);
    close_wait(tt, on, k, t);
    k->state = RUNNING;
    k->early_ready = false;
    k->since = t;
    k->on = on;
    k->loop = on->loop;
    on->running = k;
    return bad;
}

static void suspend(struct task_table *tt, struct task *k, int64_t t, int64_t why, int64_t target, int64_t site)
{
    t = stop(tt, k, t);
    if (why == LS_WHY_END || k->ended) {
        finish(tt, k, t);
        return;
    }
    k->since = t;
    k->why = why;
    k->target = target;
    k->wait_site = site;
    k->waker = ROW_NULL;
    k->state = WAITING;
    if (why == LS_WHY_YIELD || k->early) {
        k->state = READY;
        k->ready = t;
    }
    if (k->early) {
        /* Later than the suspend: its batch came first.  Before it: the wake did its work, and nothing was waited for. */
        k->ready = not_before(k->early_t, t);
        k->waker = k->early_waker;
        k->early_ready = k->early_t < t;
        k->early = false;
    }
}

size_t task_wake(struct task_table *tt, int64_t t, const struct ls_event *e)
{
    struct task *k = find(tt, e->id);
    int64_t waker = (int64_t)(uint32_t)e->a;
    if (!k)
        return e->id != 0;
    switch ((enum state)k->state) {
    case WAITING:
        k->state = READY;
        k->ready = not_before(t, k->since);
        k->waker = waker;
        break;
    case READY:
        if (k->early_ready && t >= k->since) { /* it went to sleep all the same: this is what it waited for */
            k->ready = t;
            k->waker = waker;
            k->early_ready = false;
        }
        break;
    case RUNNING:
        if (k->ready == ROW_NULL && t >= k->asleep && t <= k->since) { /* its batch came after the resume */
            if (k->wait != ROW_NULL) {
                k->wait = t - k->asleep;
                k->queue = k->since - t;
            }
            k->ready = t;
            k->waker = waker;
        } else if (t >= k->since) {
            k->early = true;
            k->early_t = t;
            k->early_waker = waker;
        }
        break;
    case DONE: break;
    }
    return 0;
}

/* A target of 0 is a file descriptor or nothing. */
static int64_t target_of(int64_t why, uint64_t target)
{
    return target || why == LS_WHY_FD ? (int64_t)(target & INT64_MAX) : ROW_NULL;
}

size_t task_new(struct task_table *tt, struct runner *on, int64_t t, const struct ls_event *e, const char *name)
{
    struct task *k = find(tt, e->id);
    bool waits = e->flags != LS_WHY_SPAWN; /* born so: it is not ready before it is woken */
    if (!e->id || (k && !k->implied) || e->flags >= LS_WHY_END)
        return 1;
    if (k) {
        /* Its batch came after that of the loop it first ran on: the birth goes back, and so does its first wait. */
        int64_t born = t < k->t ? t : k->t, *first = waits ? &k->wait : &k->queue;
        if (k->state != DONE && !k->steps && *first != ROW_NULL)
            *first += k->t - born;
        k->t = born;
        k->implied = false;
        waits &= !k->steps && k->state == RUNNING;
    } else if (!(k = add(tt, on, e->id, t))) {
        return 1;
    } else if (waits) {
        k->state = WAITING;
        k->ready = ROW_NULL;
    }
    if (waits) {
        k->why = e->flags;
        k->target = target_of(e->flags, e->b);
    }
    k->parent = (uint32_t)e->a;
    k->site = k->wait_site = e->a >> 32 ? (int64_t)(e->a >> 32) : ROW_NULL;
    if (!waits)
        k->waker = k->parent;
    tell_begin(tt, k, on, name);
    return 0;
}

size_t task_switch(struct task_table *tt, struct runner *on, int64_t t, const struct ls_event *e)
{
    uint32_t from = (uint32_t)e->a, to = e->id;
    size_t bad = e->flags >= LS_WHYS;
    int64_t why = bad ? ROW_NULL : e->flags;
    int64_t target = target_of(why, e->b);
    int64_t site = e->a >> 32 ? (int64_t)(e->a >> 32) : ROW_NULL;
    struct task *k = on->running;

    if (k && k->id != from) { /* its own switch away was lost, or the target lies: all we know is that it stopped */
        bad |= k->since >= on->gap_end;
        suspend(tt, k, t, ROW_NULL, ROW_NULL, ROW_NULL);
        k = NULL;
    }
    if (k) {
        suspend(tt, k, t, why, target, site);
    } else if (from && (k = find(tt, from)) && k->state != DONE && !(k->state == RUNNING && k->on)) {
        /* It ran without our knowledge; from here on it is known again. */
        bad |= k->since >= on->gap_end;
        if (k->state == WAITING || k->state == READY || !k->on)
            suspend(tt, k, t, why, target, site);
    } else if (from) {
        bad |= on->gap_end == ROW_NULL;
    }
    if (!to)
        return bad;
    k = find(tt, to);
    if (!k) {
        if (!(k = add(tt, on, to, t)))
            return 1;
        k->implied = true;
        tell_begin(tt, k, on, NULL);
    }
    return bad | resume(tt, on, k, t);
}

size_t task_end(struct task_table *tt, int64_t t, const struct ls_event *e)
{
    struct task *k = find(tt, e->id);
    if (!k || k->state == DONE || k->ended || !e->flags || e->flags > LS_OUTCOME_CANCELLED)
        return 1;
    k->outcome = e->flags;
    k->error = (int64_t)e->a;
    if (k->state == RUNNING && k->on) {
        k->ended = true; /* the switch away from it follows */
        return 0;
    }
    /* Never ran again (cancelled while it waited): a last step that ran for no time holds that wait. */
    struct runner nowhere = { .loop = k->loop, .gap_end = ROW_NULL };
    t = not_before(t, k->state == READY ? not_before(k->ready, k->since) : k->since);
    if (k->state != RUNNING) {
        close_wait(tt, &nowhere, k, t);
        tell_step(tt, k, k->loop, t, t);
    }
    finish(tt, k, t);
    return 0;
}

size_t task_observed(struct task_table *tt, const struct ls_event *e)
{
    struct task *k = find(tt, e->id);
    if (k && k->state != DONE) {
        k->observed = true;
    } else if (e->id && !(k && k->observed)) {
        if (k)
            k->observed = true;
        tt->sink->task_later(tt->sink->ctx, e->id, true, false);
    }
    return e->id == 0;
}

size_t task_detached(struct task_table *tt, const struct ls_event *e)
{
    struct task *k = find(tt, e->id);
    if (k)
        k->detached = true;
    if (e->id && (!k || k->state == DONE))
        tt->sink->task_later(tt->sink->ctx, e->id, false, true);
    return e->id == 0;
}

size_t task_finish(struct task_table *tt, struct runner *on, int64_t t, const struct ls_event *e)
{
    uint32_t task = (uint32_t)e->a, woken = (uint32_t)(e->a >> 32);
    const struct ls_event end = { .id = task, .flags = e->flags, .a = e->b }, observed = { .id = task },
                          wake = { .id = woken, .a = task }, leave = { .id = e->id, .a = task, .flags = LS_WHY_END };
    size_t bad = task_end(tt, t, &end);
    if (e->aux & EV_FINISH_OBSERVED)
        bad |= task_observed(tt, &observed);
    if (woken)
        bad |= task_wake(tt, t, &wake);
    return bad | task_switch(tt, on, t, &leave);
}

int64_t task_running(const struct runner *on)
{
    return on->running ? (int64_t)on->running->id : ROW_NULL;
}

void task_gap(struct task_table *tt, struct runner *on, int64_t t)
{
    on->gap_end = not_before(t, on->gap_end);
    tt->gap_end = not_before(t, tt->gap_end);
}

void task_leave(struct task_table *tt, struct runner *on, int64_t t)
{
    if (on->running)
        stop(tt, on->running, t);
}

void task_table_finish(struct task_table *tt)
{
    for (uint32_t i = 0; i < tt->buckets; i++) {
        for (struct task *k = tt->bucket[i]; k; k = k->next) {
            if (k->state != DONE)
                tell_end(tt, k);
        }
    }
}

/* assemble.c - events in, rows out: loops, iterations, calls, objects, marks, gaps; tasks are in assemble_task.c.
 * Pure, no I/O; used by the storing thread.  Owns what it remembers of each thread between two batches. */
#include "assemble.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/loopscope/probe.h"
#include "../call.h"
#include "assemble_task.h"
#include "group.h"
#include "holds.h"

#define THREADS_MAX (1 << 24) /* row ids of threads, given by the recorder */

struct thread {
    int64_t id;
    struct runner run; /* its tasks; run.loop is its row in table loop */
    int64_t last;      /* times of one thread grow: this is how far it has come */
    bool left;         /* its loop was left, and not entered again */
    /* the turn that is open: the poll has returned, the busy part goes on */
    bool open, in_gap;
    ticks_t since;     /* that poll returned */
    int64_t busy_from; /* the same in ns */
    struct row_iteration turn;
    struct row_allow allow; /* the block that is open; id 0: none */
};

struct assembler {
    struct assemble_sink sink;
    const struct clock_map *clock;
    struct task_table *tasks;
    struct hold_table *holds;
    struct thread **thread;
    int64_t threads; /* size of the array; a row id is an index */
    int64_t loop_id, iteration_id, call_id, mark_id, gap_id, allow_id;
};

static const char *const kind_names[] = LS_LOOP_KIND_NAMES;
static const char *const object_names[] = { NULL,     "lock",   "queue",   "channel", "timer",  "fd",   "event",
                                            "cond",   "sem",    "barrier", "future",  "group",  "pool", "other",
                                            "rwlock", "stream", "server",  "process", "signal", "file", "select" };

struct assembler *assembler_new(const struct assemble_sink *sink, const struct clock_map *clock)
{
    struct assembler *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->sink = *sink;
    a->clock = clock;
    a->tasks = task_table_new(&a->sink);
    a->holds = hold_table_new(&a->sink);
    if (!a->tasks || !a->holds) {
        assembler_free(a);
        return NULL;
    }
    return a;
}

void assembler_free(struct assembler *a)
{
    if (!a)
        return;
    for (int64_t i = 0; i < a->threads; i++)
        free(a->thread[i]);
    free(a->thread);
    task_table_free(a->tasks);
    hold_table_free(a->holds);
    free(a);
}

uint64_t assembler_refused(const struct assembler *a)
{
    return task_table_refused(a->tasks);
}

int assembler_thread(struct assembler *a, int64_t thread, int64_t process)
{
    if (thread < 0 || thread >= THREADS_MAX)
        return -EINVAL;
    if (thread >= a->threads) {
        int64_t n = thread + 1 + thread / 2;
        struct thread **grown = realloc(a->thread, (size_t)n * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        memset(grown + a->threads, 0, (size_t)(n - a->threads) * sizeof *grown);
        a->thread = grown;
        a->threads = n;
    }
    if (a->thread[thread])
        return -EEXIST;
    struct thread *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->id = thread;
    t->run = (struct runner){ .process = process, .loop = ROW_NULL, .gap_end = ROW_NULL };
    a->thread[thread] = t;
    return 0;
}

static struct thread *thread_of(struct assembler *a, int64_t thread)
{
    return thread >= 0 && thread < a->threads ? a->thread[thread] : NULL;
}

/* When a state changed: never before the state before it. */
static int64_t advance(const struct assembler *a, struct thread *t, ticks_t ticks)
{
    int64_t ns = clock_ns(a->clock, ticks);
    if (ns > t->last)
        t->last = ns;
    return t->last;
}

/* The text of a group, ended by 0 (texts of a target may hold zeros of their own).  NULL when it has none. */
static const char *text_of(const struct group *g, char buf[EV_TEXT_MAX + 1])
{
    if (!g->text || !g->text_size)
        return NULL;
    memcpy(buf, g->text, g->text_size);
    buf[g->text_size] = 0;
    return buf;
}

/* --- loops and iterations --------------------------------------------------------------------------------------- */

static void name_loop(struct assembler *a, struct thread *t, unsigned kind, const char *name, int64_t at)
{
    bool known = t->run.loop != ROW_NULL;
    if (!known)
        t->run.loop = ++a->loop_id;
    struct row_loop row = { .id = t->run.loop,
                            .thread = t->id,
                            .t = known ? ROW_NULL : at,
                            .t_end = ROW_NULL,
                            .kind = kind_names[kind],
                            .name = name };
    a->sink.loop(a->sink.ctx, &row, t->id);
}

/* The open turn ends: it was busy until `end`. */
static void close_turn(struct assembler *a, struct thread *t, int64_t end)
{
    if (!t->open)
        return;
    t->open = false;
    t->turn.id = ++a->iteration_id;
    t->turn.loop = t->run.loop;
    t->turn.busy = t->in_gap ? ROW_NULL : end > t->busy_from ? end - t->busy_from : 0;
    a->sink.iteration(a->sink.ctx, &t->turn, t->id, t->since, t->in_gap);
}

static size_t on_loop(struct assembler *a, struct thread *t, const struct group *g)
{
    char text[EV_TEXT_MAX + 1];
    int64_t at = advance(a, t, g->head->time);
    if (g->head->flags >= LOOP_KINDS)
        return 1;
    t->left = g->head->flags == LOOP_NONE;
    if (t->left) {
        close_turn(a, t, at);
        return 0;
    }
    name_loop(a, t, g->head->flags, text_of(g, text), at);
    if (g->head->flags == LOOP_RUNTIME && !t->open) { /* it runs what is ready before its first poll */
        t->turn = (struct row_iteration){ .t = at, .ready = ROW_NULL, .max_ready = ROW_NULL, .timeout = ROW_NULL };
        t->open = true;
        t->in_gap = false;
        t->since = g->head->time;
        t->busy_from = at;
    }
    return 0;
}

static size_t on_poll(struct assembler *a, struct thread *t, const struct ls_event *e)
{
    if (e->flags == LOOP_NONE || e->flags >= LOOP_KINDS || t->left)
        return 1;
    size_t bad = e->a > e->time;
    int64_t entered = advance(a, t, bad ? e->time : e->a), returned = advance(a, t, e->time);
    if (t->run.loop == ROW_NULL)
        name_loop(a, t, e->flags, NULL, entered);
    close_turn(a, t, entered);
    t->open = true;
    t->in_gap = false;
    t->since = e->time;
    t->busy_from = returned;
    int64_t timeout = (int64_t)e->b;
    t->turn = (struct row_iteration){
        .t = entered,
        .poll = returned - entered,
        .ready = e->aux == EV_READY_ERROR ? -1 : e->aux,
        .max_ready = e->id ? (int64_t)e->id : ROW_NULL,
        .timeout = timeout < -1 ? -1 : timeout,
    };
    return bad;
}

/* --- blocks in which a loop may be blocked -------------------------------------------------------------------------- */

static void close_allow(struct assembler *a, struct thread *t, int64_t end)
{
    if (!t->allow.id)
        return;
    t->allow.t_end = end > t->allow.t ? end : t->allow.t;
    t->allow.why = NULL;
    a->sink.allow(a->sink.ctx, &t->allow);
    t->allow.id = 0;
}

static size_t on_allow(struct assembler *a, struct thread *t, const struct group *g)
{
    char text[EV_TEXT_MAX + 1];
    int64_t at = advance(a, t, g->head->time);
    close_allow(a, t, at);
    if (g->head->flags) {
        const char *why = text_of(g, text);
        t->allow = (struct row_allow){
            .id = ++a->allow_id, .thread = t->id, .t = at, .t_end = ROW_NULL, .why = why ? why : "no reason given"
        };
        a->sink.allow(a->sink.ctx, &t->allow);
    }
    return 0;
}

/* --- lost events ------------------------------------------------------------------------------------------------ */

/* t, less what a timer was late; never before the recording. */
static int64_t before(int64_t t, uint64_t late)
{
    return t > 0 && late < (uint64_t)t ? t - (int64_t)late : t;
}

static size_t on_gap(struct assembler *a, struct thread *t, const struct ls_event *e)
{
    int64_t from = e->b <= e->time ? clock_ns(a->clock, e->b) : t->last, end = advance(a, t, e->time);
    if (from > end)
        from = end;
    struct row_gap row = { .id = ++a->gap_id,
                           .thread = t->id,
                           .t = from,
                           .t_end = end,
                           .lost = (int64_t)(e->a & INT64_MAX),
                           .reason = "ring full" };
    a->sink.gap(a->sink.ctx, &row);
    t->in_gap = t->open;
    close_allow(a, t, from); /* whether it was left meanwhile nobody knows */
    task_gap(a->tasks, &t->run, end);
    return 0;
}

/* A span of `ticks` from an event's time; false when no clock can have said so. */
static bool span_of(const struct assembler *a, const struct ls_event *e, int64_t *ret_t, int64_t *ret_dur)
{
    int64_t t = clock_ns(a->clock, e->time), end = clock_ns(a->clock, e->time + e->a);
    if (e->time + e->a < e->time || end < t)
        return false;
    *ret_t = t;
    *ret_dur = end - t;
    return true;
}

/* --- calls, objects, marks, sites ------------------------------------------------------------------------------- */

static size_t on_call(struct assembler *a, struct thread *t, const struct group *g)
{
    char text[EV_TEXT_MAX + 1];
    const struct ls_event *e = g->head;
    int64_t at, dur;
    if (e->aux == CALL_NONE || e->aux >= CALL_COUNT || !span_of(a, e, &at, &dur))
        return 1;
    struct assembled_call call = {
        .row = { .id = ++a->call_id,
                 .thread = t->id,
                 .loop = t->run.loop,
                 .task = task_running(&t->run),
                 .t = at,
                 .dur = dur,
                 .fd = (int32_t)e->id < 0 ? ROW_NULL : (int32_t)e->id,
                 .result = (int64_t)e->b,
                 .error = g->more->id ? (int64_t)g->more->id : ROW_NULL,
                 .stack = ROW_NULL,
                 .name = ls_call_name(e->aux),
                 .detail = text_of(g, text) },
        .call = e->aux,
        .return_address = g->more->a,
        .object = g->more->b,
        .owner = (int32_t)g->more->time,
        .stack = g->stack,
    };
    a->sink.call(a->sink.ctx, &call);
    return 0;
}

static size_t on_object(struct assembler *a, struct thread *t, const struct group *g)
{
    char text[EV_TEXT_MAX + 1];
    const struct ls_event *e = g->head;
    if (!e->id || !e->aux || e->aux >= LS_OBJECT_KINDS)
        return 1;
    struct row_object row = { .id = e->id,
                              .process = t->run.process,
                              .site = e->a ? (int64_t)(uint32_t)e->a : ROW_NULL,
                              .fd = (int64_t)e->b < 0 ? ROW_NULL : (int64_t)e->b,
                              .t = clock_ns(a->clock, e->time),
                              .t_end = ROW_NULL,
                              .kind = object_names[e->aux],
                              .name = text_of(g, text) };
    a->sink.object_begin(a->sink.ctx, &row);
    return 0;
}

static size_t on_mark(struct assembler *a, struct thread *t, const struct group *g)
{
    char text[EV_TEXT_MAX + 1];
    const struct ls_event *e = g->head;
    int64_t at, dur;
    if (!span_of(a, e, &at, &dur))
        return 1;
    struct row_mark row = { .id = ++a->mark_id,
                            .thread = t->id,
                            .task = e->id ? (int64_t)e->id : ROW_NULL,
                            .t = at,
                            .dur = dur,
                            .name = text_of(g, text),
                            .text = NULL };
    memcpy(&row.value, &e->b, sizeof row.value);
    a->sink.mark(a->sink.ctx, &row);
    return 0;
}

static size_t on_site(struct assembler *a, const struct group *g)
{
    char text[EV_TEXT_MAX + 1];
    const char *function = text_of(g, text);
    if (!g->head->id || !function)
        return 1;
    size_t n = strlen(function);
    struct row_site row = { .id = g->head->id,
                            .line = (int64_t)(uint32_t)g->head->a,
                            .function = function,
                            .file = n < g->text_size ? function + n + 1 : NULL };
    a->sink.site(a->sink.ctx, &row);
    return 0;
}

/* --- the way in ------------------------------------------------------------------------------------------------- */

static size_t on_group(struct assembler *a, struct thread *t, const struct group *g)
{
    const struct ls_event *e = g->head;
    char text[EV_TEXT_MAX + 1];
    switch ((enum ls_event_kind)e->kind) {
    case EV_SWITCH: return task_switch(a->tasks, &t->run, advance(a, t, e->time), e);
    case EV_WAKE: return task_wake(a->tasks, before(advance(a, t, e->time), e->b), e);
    case EV_POLL: return on_poll(a, t, e);
    case EV_CALL: return on_call(a, t, g);
    case EV_TASK_NEW: return task_new(a->tasks, &t->run, advance(a, t, e->time), e, text_of(g, text));
    case EV_TASK_END: return task_end(a->tasks, advance(a, t, e->time), e);
    case EV_OBSERVED: return task_observed(a->tasks, e);
    case EV_OBJECT_NEW: return on_object(a, t, g);
    case EV_OBJECT_END: a->sink.object_end(a->sink.ctx, e->id, clock_ns(a->clock, e->time)); return 0;
    case EV_MARK: return on_mark(a, t, g);
    case EV_SITE: return on_site(a, g);
    case EV_LOOP: return on_loop(a, t, g);
    case EV_GAP: return on_gap(a, t, e);
    case EV_FINISH: return task_finish(a->tasks, &t->run, advance(a, t, e->time), e);
    case EV_DETACHED: return task_detached(a->tasks, e);
    case EV_HOLD: return hold_event(a->holds, advance(a, t, e->time), e);
    case EV_MEMBER: return member_event(a->holds, advance(a, t, e->time), e);
    case EV_ALLOW: return on_allow(a, t, g);
    default: return 1;
    }
}

size_t assembler_feed(struct assembler *a, int64_t thread, const struct ls_event *events, size_t n)
{
    struct thread *t = thread_of(a, thread);
    size_t bad = 0;
    if (!t)
        return n;
    for (size_t i = 0; i < n;) {
        struct group g;
        long size = group_read(events + i, n - i, &g);
        if (size < 1) {
            bad++;
            i++;
            continue;
        }
        bad += on_group(a, t, &g);
        i += (size_t)size;
    }
    return bad;
}

void assembler_thread_end(struct assembler *a, int64_t thread, uint64_t word, ticks_t since, ticks_t now)
{
    struct thread *t = thread_of(a, thread);
    if (!t)
        return;
    unsigned act = LS_WORD_ACT(word);
    int64_t was = t->last, from = clock_ns(a->clock, since), end = advance(a, t, now);
    if (from < was)
        from = was;
    if (from > end)
        from = end;
    task_leave(a->tasks, &t->run, end);
    close_allow(a, t, end);
    if (act == ACT_POLL &&
        t->open) { /* it slept when it went: the turn before is whole, the last one had no busy part */
        close_turn(a, t, from);
        t->turn = (struct row_iteration){
            .t = from, .poll = end - from, .ready = ROW_NULL, .max_ready = ROW_NULL, .timeout = ROW_NULL
        };
        t->open = true;
        t->since = now;
        t->busy_from = end;
        close_turn(a, t, end);
    } else if (act == ACT_BUSY || act == ACT_CALL) {
        close_turn(a, t, end);
    } else {
        close_turn(a, t, was); /* out of its loop: nobody knows since when, but not before its last event */
    }
    if (t->run.loop != ROW_NULL && a->sink.loop_end)
        a->sink.loop_end(a->sink.ctx, t->run.loop, end);
    a->thread[thread] = NULL;
    free(t);
}

void assembler_finish(struct assembler *a, ticks_t now)
{
    for (int64_t i = 0; i < a->threads; i++) {
        if (a->thread[i])
            assembler_thread_end(a, i, LS_WORD(ACT_NONE, 0, 0), now, now);
    }
    task_table_finish(a->tasks);
    hold_table_finish(a->holds);
}

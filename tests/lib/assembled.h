/* assembled.h - an assembler whose rows are kept in `got`; what its tests share.  Ticks are nanoseconds here, and the
 * recording starts at 0.  Each test of suite `assemble` has an assembler of its own, with the threads 1 and 2. */
#ifndef TESTS_ASSEMBLED_H
#define TESTS_ASSEMBLED_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loopscope/probe.h"
#include "tracer/arena.h"
#include "tracer/call.h"
#include "tracer/record/assemble.h"

#define MAX 256

static struct {
    struct row_step step[MAX];
    struct row_iteration iteration[MAX];
    bool in_gap[MAX];
    struct row_task begun[MAX], ended[MAX];
    struct row_gap gap[MAX];
    struct row_hold hold[MAX];
    struct row_member member[MAX];
    struct row_allow allow[MAX];
    char allow_why[64];
    int64_t later[MAX]; /* task, negative: detached */
    int holds, members, allows, laters;
    struct assembled_call call;
    char call_detail[64], name[64], file[64];
    int steps, iterations, begins, ends, gaps, calls, loops, sites, objects, marks;
    int64_t loop_ended;
} got;

static inline void on_loop(void *c, const struct row_loop *r, int64_t t)
{
    (void)c, (void)t;
    got.loops++;
    snprintf(got.name, sizeof got.name, "%s/%s", r->kind, r->name ? r->name : "-");
}
static inline void on_loop_end(void *c, int64_t loop, int64_t t)
{
    (void)c, (void)loop;
    got.loop_ended = t;
}
static inline void on_iteration(void *c, const struct row_iteration *r, int64_t t, ticks_t since, bool gap)
{
    (void)c, (void)t, (void)since;
    got.in_gap[got.iterations] = gap;
    got.iteration[got.iterations++] = *r;
}
static inline void on_call(void *c, const struct assembled_call *r)
{
    (void)c;
    got.calls++;
    got.call = *r;
    snprintf(got.call_detail, sizeof got.call_detail, "%s", r->row.detail ? r->row.detail : "");
}
static inline void on_step(void *c, const struct row_step *r)
{
    (void)c;
    got.step[got.steps++] = *r;
}
static inline void on_begin(void *c, const struct row_task *r)
{
    (void)c;
    got.begun[got.begins++] = *r;
}
static inline void on_end(void *c, const struct row_task *r)
{
    (void)c;
    got.ended[got.ends++] = *r;
}
static inline void on_object(void *c, const struct row_object *r)
{
    (void)c;
    got.objects += strcmp(r->kind, "lock") == 0;
}
static inline void on_object_end(void *c, int64_t id, int64_t t)
{
    (void)c, (void)id, (void)t;
    got.objects += 100;
}
static inline void on_site(void *c, const struct row_site *r)
{
    (void)c;
    got.sites++;
    snprintf(got.name, sizeof got.name, "%s", r->function);
    snprintf(got.file, sizeof got.file, "%s", r->file ? r->file : "-");
}
static inline void on_mark(void *c, const struct row_mark *r)
{
    (void)c;
    got.marks += r->value > 1.4 && r->value < 1.6;
}
static inline void on_gap(void *c, const struct row_gap *r)
{
    (void)c;
    got.gap[got.gaps++] = *r;
}

static inline void on_later(void *c, int64_t task, bool observed, bool detached)
{
    (void)c;
    cr_assert(observed != detached);
    got.later[got.laters++] = detached ? -task : task;
}
static inline void on_hold(void *c, const struct row_hold *r)
{
    (void)c;
    got.hold[got.holds++] = *r;
}
static inline void on_member(void *c, const struct row_member *r)
{
    (void)c;
    got.member[got.members++] = *r;
}
static inline void on_allow(void *c, const struct row_allow *r)
{
    (void)c;
    got.allow[got.allows++] = *r;
    if (r->why)
        snprintf(got.allow_why, sizeof got.allow_why, "%s", r->why);
}

static const struct clock_map ns_clock = { .kind = LS_CLOCK_MONOTONIC };
static struct assembler *a;

static inline void setup(void)
{
    struct assemble_sink sink = { NULL,     on_loop,  on_loop_end, on_iteration,  on_call, on_step,
                                  on_begin, on_end,   on_object,   on_object_end, on_site, on_mark,
                                  on_gap,   on_later, on_hold,     on_member,     on_allow };
    memset(&got, 0, sizeof got);
    a = assembler_new(&sink, &ns_clock);
    assembler_thread(a, 1, 10);
    assembler_thread(a, 2, 10);
}
static inline void teardown(void)
{
    assembler_free(a);
}
TestSuite(assemble, .init = setup, .fini = teardown);

static inline size_t on(int64_t thread, struct ls_event e)
{
    return assembler_feed(a, thread, &e, 1);
}
static inline size_t feed(struct ls_event e)
{
    return on(1, e);
}

#define NEW(t, task) feed((struct ls_event){ .time = (t), .kind = EV_TASK_NEW, .id = (task) })
#define SWITCH(t, from, why_, to) \
    feed((struct ls_event){ .time = (t), .kind = EV_SWITCH, .a = (from), .flags = (why_), .id = (to) })
#define WAKE(t, task, by) feed((struct ls_event){ .time = (t), .kind = EV_WAKE, .id = (task), .a = (by) })
#define END(t, task)      feed((struct ls_event){ .time = (t), .kind = EV_TASK_END, .id = (task), .flags = LS_OUTCOME_OK })
#define POLL(entry, exit, n) \
    feed((struct ls_event){  \
        .time = (exit), .kind = EV_POLL, .a = (entry), .aux = (n), .id = 64, .flags = LOOP_EPOLL, .b = UINT64_MAX })
#define GAP(from, to) feed((struct ls_event){ .time = (to), .kind = EV_GAP, .a = 9, .b = (from) })

static inline void step_is(int i, int64_t task, int64_t t, int64_t wait, int64_t queue, int64_t run, int64_t waker)
{
    const struct row_step *s = &got.step[i];
    cr_expect_eq(s->task, task, "step %d: task %lld", i, (long long)s->task);
    cr_expect_eq(s->t, t, "step %d: t %lld", i, (long long)s->t);
    cr_expect_eq(s->wait, wait, "step %d: wait %lld", i, (long long)s->wait);
    cr_expect_eq(s->queue, queue, "step %d: queue %lld", i, (long long)s->queue);
    cr_expect_eq(s->run, run, "step %d: run %lld", i, (long long)s->run);
    cr_expect_eq(s->waker, waker, "step %d: waker %lld", i, (long long)s->waker);
}

#endif

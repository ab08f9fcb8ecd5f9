/* intake.c - from batches of records to rows; see intake.h.  Run by the recorder's storing thread. */
#include "intake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct slot_owner { /* the thread whose events a slot carries now; row 0: nobody's */
    int64_t row;
    struct row_thread thread;
    char name[64];
};

/* --- rows from the assembler to the store ------------------------------------------------------------------------ */

static void sink_loop(void *ctx, const struct row_loop *row, int64_t thread)
{
    struct intake *in = ctx;
    in->loops++;
    stalls_loop(in->o.stalls, thread, row->id);
    store_loop(in->o.store, row);
}
static void sink_loop_end(void *ctx, int64_t loop, int64_t t)
{
    store_loop(((struct intake *)ctx)->o.store,
               &(struct row_loop){ .id = loop, .thread = ROW_NULL, .t = ROW_NULL, .t_end = t });
}
static void sink_iteration(void *ctx, const struct row_iteration *row, int64_t thread, ticks_t since, bool in_gap)
{
    struct intake *in = ctx;
    store_iteration(in->o.store, row);
    stalls_iteration(in->o.stalls, row, thread, since, in_gap);
}
static void sink_call(void *ctx, const struct assembled_call *call)
{
    stalls_call(((struct intake *)ctx)->o.stalls, call);
}
static void sink_step(void *ctx, const struct row_step *row)
{
    struct intake *in = ctx;
    store_step(in->o.store, row);
    stalls_step(in->o.stalls, row->loop, row->task, row->run);
}
static void sink_task(void *ctx, const struct row_task *row)
{
    store_task(((struct intake *)ctx)->o.store, row);
}
static void sink_object(void *ctx, const struct row_object *row)
{
    store_object(((struct intake *)ctx)->o.store, row);
}
static void sink_object_end(void *ctx, int64_t object, int64_t t)
{
    store_object(((struct intake *)ctx)->o.store,
                 &(struct row_object){
                     .id = object, .process = ROW_NULL, .site = ROW_NULL, .fd = ROW_NULL, .t = ROW_NULL, .t_end = t });
}
static void sink_site(void *ctx, const struct row_site *row)
{
    store_site(((struct intake *)ctx)->o.store, row);
}
static void sink_mark(void *ctx, const struct row_mark *row)
{
    store_mark(((struct intake *)ctx)->o.store, row);
}
static void sink_gap(void *ctx, const struct row_gap *row)
{
    store_gap(((struct intake *)ctx)->o.store, row);
}
static void sink_task_later(void *ctx, int64_t task, bool observed, bool detached)
{
    store_task_later(((struct intake *)ctx)->o.store, task, observed, detached);
}
static void sink_hold(void *ctx, const struct row_hold *row)
{
    store_hold(((struct intake *)ctx)->o.store, row);
}
static void sink_member(void *ctx, const struct row_member *row)
{
    store_member(((struct intake *)ctx)->o.store, row);
}
static void sink_allow(void *ctx, const struct row_allow *row)
{
    struct intake *in = ctx;
    store_allow(in->o.store, row);
    stalls_allow(in->o.stalls, row);
}
static const struct assemble_sink sink = {
    .loop = sink_loop,
    .loop_end = sink_loop_end,
    .iteration = sink_iteration,
    .call = sink_call,
    .step = sink_step,
    .task_begin = sink_task,
    .task_end = sink_task,
    .object_begin = sink_object,
    .object_end = sink_object_end,
    .site = sink_site,
    .mark = sink_mark,
    .gap = sink_gap,
    .task_later = sink_task_later,
    .hold = sink_hold,
    .member = sink_member,
    .allow = sink_allow,
};

/* --- batches from drain ------------------------------------------------------------------------------------------- */

void intake_gap(struct intake *in, int64_t thread, int64_t lost, const char *reason)
{
    int64_t t = clock_ns(in->o.clock, clock_now(in->o.clock->kind));
    store_gap(in->o.store, &(struct row_gap){
                               .id = ROW_NULL, .thread = thread, .t = t, .t_end = t, .lost = lost, .reason = reason });
}

static void thread_begin(struct intake *in, const struct batch *b)
{
    int64_t t = clock_ns(in->o.clock, b->start);
    struct process *p = process_enter(in->o.processes, b->pid, t);
    if (!p)
        return;
    process_refresh(p); /* it may have called exec since it was entered */
    store_process(in->o.store, &p->row);
    struct slot_owner *slot = &in->owners[b->slot];
    slot->row = ++in->threads;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", b->pid, b->tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, slot->name, sizeof slot->name - 1);
    slot->name[n > 0 ? n : 0] = 0;
    slot->name[strcspn(slot->name, "\n")] = 0;
    if (fd >= 0)
        close(fd);
    slot->thread = (struct row_thread){
        .id = slot->row, .process = p->row.id, .tid = b->tid, .t = t, .t_end = ROW_NULL, .name = slot->name
    };
    store_thread(in->o.store, &slot->thread);
    stalls_thread(in->o.stalls, slot->row, p, b->slot, b->generation, b->tid);
    assembler_thread(in->assembler, slot->row, p->row.id);
}

/* At the end of a recording it may live on. */
static bool thread_lives(const struct batch *b)
{
    char path[64];
    char state = process_state(b->pid);
    snprintf(path, sizeof path, "/proc/%d/task/%d", b->pid, b->tid);
    return state && state != 'Z' && state != 'X' && !access(path, F_OK);
}

static void thread_end(struct intake *in, const struct batch *b)
{
    struct slot_owner *slot = &in->owners[b->slot];
    unsigned act = LS_WORD_ACT(b->word);
    bool busy = act == ACT_BUSY || act == ACT_CALL;
    bool left = b->left >= b->since && b->left < b->time; /* by exit() or exec: what followed is no turn of a loop */
    ticks_t at = left ? b->left : busy && !thread_lives(b) ? stalls_killed(in->o.stalls, slot->row, b->since) : b->time;
    assembler_thread_end(in->assembler, slot->row, b->word, b->since, at);
    slot->thread.t_end = clock_ns(in->o.clock, at);
    store_thread(in->o.store, &slot->thread);
    stalls_thread_end(in->o.stalls, slot->row);
    slot->row = 0;
}

void intake_batch(struct intake *in, const struct batch *b)
{
    if (b->kind == BATCH_THREAD_BEGIN)
        thread_begin(in, b);
    else if (!in->owners[b->slot].row)
        return; /* its beginning could not be noted */
    else if (b->kind == BATCH_EVENTS && in->full)
        in->skipped += b->n;
    else if (b->kind == BATCH_EVENTS)
        in->bad += assembler_feed(in->assembler, in->owners[b->slot].row, b->events, b->n);
    else if (b->kind == BATCH_THREAD_END)
        thread_end(in, b);
    else
        intake_gap(in, in->owners[b->slot].row, (int64_t)b->n, "bad records");
}

void intake_finish(struct intake *in)
{
    assembler_finish(in->assembler, clock_now(in->o.clock->kind));
    if (assembler_refused(in->assembler))
        intake_gap(in, ROW_NULL, (int64_t)assembler_refused(in->assembler), "more tasks than can be followed");
}

int intake_open(struct intake *in, const struct intake_options *options)
{
    *in = (struct intake){ .o = *options };
    struct assemble_sink to = sink;
    to.ctx = in;
    in->owners = calloc(options->slots, sizeof *in->owners);
    in->assembler = assembler_new(&to, options->clock);
    return in->owners && in->assembler ? 0 : -ENOMEM;
}

void intake_close(struct intake *in)
{
    assembler_free(in->assembler);
    free(in->owners);
}

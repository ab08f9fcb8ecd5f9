/* query_timeline.h - what the timeline asks of a trace: who has a lane, what happened on it in a window, and the
 * story behind one moment.  Nothing is kept: spans are handed on one by one, as they are read.
 *
 * All times are ns from the start of the recording, as in the file. */
#ifndef LOOPSCOPE_QUERY_TIMELINE_H
#define LOOPSCOPE_QUERY_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "query.h"

typedef int64_t tns_t;      /* ns in a trace; signed, unlike ns_t of the tracer: windows reach before the start */
#define NS_NONE INT64_MIN /* not known, or not ended */

/* From least to most severe: a column shows the worst state that it holds.  The same numbers as lod.worst. */
enum span_state {
    SPAN_NONE,
    SPAN_TIMER,  /* waits for a time */
    SPAN_IO,     /* waits for a file, a socket, a child, a thread */
    SPAN_LOCK,   /* waits for a lock, a channel, another task */
    SPAN_READY,  /* could run, but the loop was busy */
    SPAN_RUN,
    SPAN_GAP,    /* events were lost here: nobody knows */
    SPAN_STALL
};

enum lane_kind {
    LANE_LOOP,
    LANE_CALL,   /* one blocking call of one loop, for traces without tasks */
    LANE_CAUSE,  /* the stalls of one loop that no call explains, by cause: "cpu" */
    LANE_TASK
};

struct lane {
    enum lane_kind kind;
    int64_t id;          /* loop.id or task.id */
    char name[64];       /* of the loop, the call, the cause, the task */
    tns_t born, ended;    /* NS_NONE: before or after the trace */
    bool stalls;         /* at least one stall is on this lane */
};

/* A stretch of one lane.  A summary of many rows has run < end - t. */
struct span {
    tns_t t, end;
    enum span_state state;
    tns_t run;            /* of it running */
};

struct timeline_facts {
    char program[64];
    tns_t duration, threshold, worst_stall;
    int64_t loops, tasks, events, lost, stalls;
    bool finished;
};

struct stall {
    int64_t id, loop, task, call, stack; /* 0 = none */
    tns_t t, dur;
    tns_t cpu, runq, blocked;             /* NS_NONE: not measured */
    int64_t victims, suppressed;
    tns_t victim_sum, victim_max;
    bool in_gap;
    char cause[16], detail[160], call_name[48], loop_name[48], task_name[64];
    char allowed[64]; /* why it may block, "": it may not */
};

struct frame {
    char function[96], file[96];
    int64_t line, noise;                 /* noise: as frame.noise in the file */
};

struct victim {
    int64_t task;
    char name[64];
    tns_t delayed;
};

/* A task at one moment, or a turn of a loop, or a call. */
struct moment {
    enum span_state state;
    tns_t t, end;                         /* of that state */
    tns_t wait, queue, run;               /* of the step around it */
    int64_t loop, ready, fd, waker, stack; /* 0 or -1: not known */
    char what[48], detail[160];          /* why it waits, or the call and its argument */
};

struct timeline;

/* 0, or -1 and one line in ret_error. */
int timeline_open(struct trace *trace, struct timeline **ret_timeline, char *ret_error, int error_size);
void timeline_close(struct timeline *tl);
/* A question that lasts is given up (-EINTR) when `stop` says so; it is asked every few thousand rows. */
void timeline_interrupt(struct timeline *tl, bool (*stop)(void *), void *arg);

void timeline_facts(struct timeline *tl, struct timeline_facts *ret_facts);

/* The loops, each followed by its blocking calls when the trace has no tasks.  The caller frees *ret_lanes. */
int timeline_loops(struct timeline *tl, struct lane **ret_lanes, int *ret_n);
/* The tasks alive in [from, to): first the ones that stalled in [near_from, near_to), then the ones held up by the
 * worst of these stalls, then by running time; `max` of them.  *ret_total: how many were alive. */
int timeline_tasks(struct timeline *tl, tns_t from, tns_t to, tns_t near_from, tns_t near_to, int max,
                   struct lane **ret_lanes, int *ret_n, int64_t *ret_total);

/* What `lane` did in [from, to), no finer than one `column` needs: summaries where they are narrow enough, rows below.
 * No stall is ever left out of a column that has one. */
typedef void span_fn(void *arg, const struct span *span);
int timeline_spans(struct timeline *tl, const struct lane *lane, tns_t from, tns_t to, tns_t column, span_fn *fn,
                   void *arg);

/* All of these: true when there is one. */
bool timeline_stall_worst(struct timeline *tl, struct stall *ret_stall);
bool timeline_stall_nth(struct timeline *tl, int64_t n, struct stall *ret_stall);   /* in order of time, from 1 */
bool timeline_stall_after(struct timeline *tl, tns_t t, struct stall *ret_stall);
bool timeline_stall_before(struct timeline *tl, tns_t t, struct stall *ret_stall);
/* The longest that overlaps [from, to) on this lane. */
bool timeline_stall_on(struct timeline *tl, const struct lane *lane, tns_t from, tns_t to, struct stall *ret_stall);
bool timeline_task(struct timeline *tl, int64_t task, struct lane *ret_lane);
/* What the lane was doing at t; a call lane: its longest call in [t, t_end). */
bool timeline_moment(struct timeline *tl, const struct lane *lane, tns_t t, tns_t t_end, struct moment *ret_moment);

/* Innermost first; at most `max`.  Both return how many. */
int timeline_stack(struct timeline *tl, int64_t stack, struct frame *ret_frames, int max);
int timeline_victims(struct timeline *tl, const struct stall *stall, struct victim *ret_victims, int max);

#endif

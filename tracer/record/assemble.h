/* assemble.h - the state machine from events to rows: EV_POLL pairs become iterations, switches and wakes become steps.
 * Pure: events in, rows out, no I/O; tested as such.  Trusts no byte of an event. */
#ifndef LOOPSCOPE_ASSEMBLE_H
#define LOOPSCOPE_ASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../event.h"
#include "clock.h"
#include "rows.h"

struct assembled_call {            /* row_call and what only the recorder needs of it */
    struct row_call row;
    unsigned call;                 /* enum ls_call */
    uint64_t return_address, object;
    int32_t owner;                 /* tid that held the lock, 0 */
    const struct ls_event *stack;  /* EV_STACK and its raw records, NULL */
};

struct assemble_sink {             /* where the rows go; ids are already given */
    void *ctx;
    void (*loop)(void *ctx, const struct row_loop *row, int64_t thread); /* again when its name or kind is learned */
    void (*loop_end)(void *ctx, int64_t loop, int64_t t);                /* may be NULL */
    /* since: EV_POLL.time that opened the busy part, the key of the watchdog's note.
     * in_gap: events were lost inside it, so that row->busy is ROW_NULL: nobody knows when it ended */
    void (*iteration)(void *ctx, const struct row_iteration *row, int64_t thread, ticks_t since, bool in_gap);
    void (*call)(void *ctx, const struct assembled_call *call);
    void (*step)(void *ctx, const struct row_step *row);
    void (*task_begin)(void *ctx, const struct row_task *row);
    /* Also at the end of the trace for those alive.  Columns that task_begin has told are ROW_NULL or NULL here: a row
     * updates by id. */
    void (*task_end)(void *ctx, const struct row_task *row);
    void (*object_begin)(void *ctx, const struct row_object *row);
    void (*object_end)(void *ctx, int64_t object, int64_t t);
    void (*site)(void *ctx, const struct row_site *row);
    void (*mark)(void *ctx, const struct row_mark *row);
    void (*gap)(void *ctx, const struct row_gap *row);
    /* Of a task that has ended (and may be forgotten here): its result was taken, or nobody means to. */
    void (*task_later)(void *ctx, int64_t task, bool observed, bool detached);
    void (*hold)(void *ctx, const struct row_hold *row); /* when it is over; at the end of the trace those that are not */
    void (*member)(void *ctx, const struct row_member *row);
    void (*allow)(void *ctx, const struct row_allow *row); /* when it begins, and again with its t_end */
};

struct assembler *assembler_new(const struct assemble_sink *sink, const struct clock_map *clock);
void assembler_free(struct assembler *a);
/* A thread (table thread: row id `thread`, of process row `process`) begins to send. */
int assembler_thread(struct assembler *a, int64_t thread, int64_t process);
/* Events of that thread, in order.  A group is never cut between two calls.  Returns how many were bad (ignored). */
size_t assembler_feed(struct assembler *a, int64_t thread, const struct ls_event *events, size_t n);
/* The thread has ended (or the recording): closes what is open.  word/since/now: the last state word, so that a loop
 * that died in its poll or in a busy period still gets its last iteration. */
void assembler_thread_end(struct assembler *a, int64_t thread, uint64_t word, ticks_t since, ticks_t now);
/* The recording has ended: every task still alive is given to task_end with its state. */
void assembler_finish(struct assembler *a, ticks_t now);
/* Tasks that were not followed because too many lived at once: say so in a notice. */
uint64_t assembler_refused(const struct assembler *a);

#endif

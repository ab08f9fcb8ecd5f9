/* assemble_task.h - the half of assemble that follows tasks: from switches and wakes to steps (wait -> queue -> run).
 * Private to assemble*.c.  Times are ns of the recording, already forced to grow on each thread.
 *
 * A task is in one state at any time, and each step tells how long it was in each: so the steps of a task add up to its
 * life to the nanosecond, unless events were lost, where a step's parts are not known instead of guessed.
 *
 * Events of two threads reach us in whole batches, so a wake may come before the suspend it followed, or after the
 * resume it caused; both are put right while the step is still open. */
#ifndef LOOPSCOPE_ASSEMBLE_TASK_H
#define LOOPSCOPE_ASSEMBLE_TASK_H

#include <stddef.h>
#include <stdint.h>

#include "assemble.h"

struct task;
struct task_table;

struct runner {             /* a thread, as tasks see it */
    int64_t process, loop;  /* loop: ROW_NULL until it is one */
    struct task *running;   /* the task that runs on it, NULL = the loop itself */
    int64_t gap_end;        /* events of this thread before this time may be missing */
};

struct task_table *task_table_new(const struct assemble_sink *sink);
void task_table_free(struct task_table *tt);
uint64_t task_table_refused(const struct task_table *tt);

/* Each returns how many of the event's claims were bad: 0 or 1.  A bad one changes as little as it can. */
size_t task_new(struct task_table *tt, struct runner *on, int64_t t, const struct ls_event *e, const char *name);
size_t task_switch(struct task_table *tt, struct runner *on, int64_t t, const struct ls_event *e);
size_t task_wake(struct task_table *tt, int64_t t, const struct ls_event *e);
size_t task_end(struct task_table *tt, int64_t t, const struct ls_event *e);
/* EV_FINISH: task_end, task_observed, task_wake and task_switch in one. */
size_t task_finish(struct task_table *tt, struct runner *on, int64_t t, const struct ls_event *e);
size_t task_detached(struct task_table *tt, const struct ls_event *e);
size_t task_observed(struct task_table *tt, const struct ls_event *e);
/* The id of the task that runs on `on`, or ROW_NULL. */
int64_t task_running(const struct runner *on);
/* Events of `on` before t were lost. */
void task_gap(struct task_table *tt, struct runner *on, int64_t t);
/* The thread ended: the step that is open ends here. */
void task_leave(struct task_table *tt, struct runner *on, int64_t t);
/* The recording ended: those alive are told with their state. */
void task_table_finish(struct task_table *tt);

#endif

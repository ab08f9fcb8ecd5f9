/* more.h - what only some tasks have: clean-up, callbacks, open groups; made when first needed, freed with the task's
 * end.  Runs on the loop's thread. */
#ifndef LSRT_MORE_H
#define LSRT_MORE_H

#include <loopscope/tasks.h>

#include "runtime/core/timer.h"

struct loop;
struct task;
struct defer;
struct done_call;
struct group;

struct more {
    struct defer *defers;                        /* the last first; defer.c */
    struct done_call *done_calls, **done_end;    /* done.c */
    struct group *groups;                        /* that it opened, the last first; group.c */
    struct ls_group_error *errors;               /* of the group it closed last */
    size_t error_count;
};

struct more *lsrt_more(struct task *t); /* NULL and errno ENOMEM */

/* The task's function has returned: on its own stack, so what is here may wait. */
void lsrt_task_cleanup(struct loop *l, struct task *t);
/* It is DONE: its callbacks, its group, its locals; `more` is freed. */
void lsrt_task_over(struct loop *l, struct task *t);

/* The parts of these two. */
void lsrt_defers_run(struct task *t);
void lsrt_groups_close(struct loop *l, struct task *t);
void lsrt_scopes_end(struct loop *l, struct task *t);
void lsrt_done_calls_start(struct loop *l, struct task *t);
void lsrt_group_left(struct loop *l, struct task *t); /* t->group, which it is over in, or abandoned */
void lsrt_group_begin(struct loop *l, struct task *t); /* one that waits for its turn, whatever the limit */

/* done.c: the calls that are due (l->done_calls), between two turns of the loop. */
void lsrt_done_calls_run(struct loop *l);

/* What is left when the loop is freed, by tasks that were abandoned. */
void lsrt_scopes_free(struct loop *l);
void lsrt_more_free(struct task *t);
void lsrt_defers_free(struct more *m);
void lsrt_done_calls_free(struct done_call *c);

/* local.c */
struct locals;
struct locals *lsrt_locals_share(struct locals *s);
void lsrt_locals_drop(struct locals *s);

#endif

/* gate.h - a task that waits for other tasks: await, gather, wait, next_done.
 *
 * The gate and one `struct waiter` for each awaited task lie in the memory of the task that waits; a waiter is on the
 * list of its task until that is over (then it is taken off, and link is NULL) or the wait is.  Runs on the loop's
 * thread. */
#ifndef LSRT_GATE_H
#define LSRT_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loopscope/runtime.h>

struct loop;
struct task;
struct gate;

struct waiter {
    struct waiter *next, **link;
    struct gate *gate;
    struct task *target;
};

struct gate {
    struct task *task;     /* that waits */
    struct waiter *member; /* n of them */
    size_t n, left;        /* ends until it opens */
    /* What it is, said by who makes it. */
    bool first_failure;  /* the first that fails opens it, too */
    bool skip_cancelled; /* but not one that was cancelled */
    bool any;            /* one of them is enough: a circle is no deadlock */
    bool through;        /* a cancel of the task goes on to the members */
    bool exclusive;      /* the handles are to be spent: nobody else may await them meanwhile */
    /* What became of it. */
    bool cancelled; /* a cancel went through: ECANCELED when all are over */
    bool failed;    /* one did, with: */
    int error;
    uint32_t pass; /* the last cancel that came by (l->cancel_pass) */
};

/* Links the tasks of n more handles to g, whose `member` has room for them.  0, or -1 with errno and the error text:
 * then none is linked, nor those of calls before. */
int lsrt_gate_link(struct loop *l, struct gate *g, struct ls_task *const tasks[], size_t n, const char *call);
/* Parks until it opens, unless it is open; 0, or errno of the wait.  In the trace it is a wait on "NOUN of N" and its
 * members; noun NULL: on the one task. */
int lsrt_gate_park(struct loop *l, struct gate *g, const char *noun, struct ls_site *site, ls_ns deadline);
void lsrt_gate_unlink(struct gate *g);
/* A cancel went through: the task that waited is told now; ECANCELED. */
int lsrt_gate_told(struct task *self, int code);
/* t is over: whoever waits for it. */
void lsrt_gates_open(struct loop *l, struct task *t);
/* 0, or -1, EDEADLK: t waits for the running task, as far as a search of reasonable length can see. */
int lsrt_gate_deadlock(struct loop *l, struct task *t, const char *call);
/* The tasks that t cannot go on without, at most `room` of them: awaited ones, or the holder of a lock. */
size_t lsrt_task_needs(const struct task *t, struct task *ret[], size_t room);
/* Takes the result of a task that is over; the handle is spent. */
intptr_t lsrt_task_take(struct loop *l, struct task *t);

#endif

/* loop.h - the loop of a thread and its tasks: what the files of the runtime share.
 *
 * Everything here belongs to the loop's thread; the one exception is the pool's queue (pool.c), under its mutex.
 *
 * A task is in one state at a time, and on the ready queue exactly when it is READY:
 *     spawn -> READY -> RUNNING -> (await) PARKED -> (wake) READY -> ... -> DONE -> (no reference left) FREE
 * Who parks cleans up after itself: it leaves the lists it was on when it runs again, whatever woke it.  The first wake
 * wins; the others find it not PARKED and do nothing. */
#ifndef LSRT_LOOP_H
#define LSRT_LOOP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <loopscope/runtime.h>

#define LSRT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define LSRT_UNLIKELY(x) __builtin_expect(!!(x), 0)

#include "context.h"
#include "runtime/tasks/gate.h"
#include "stack.h"
#include "timer.h"

/* What a task waits for, for the trace and for ls_dump. */
struct on {
    enum on_kind { ON_NOTHING, ON_TASK, ON_OBJECT, ON_FD } kind;
    union {
        struct task *task;
        struct object *object;
        int fd;
    };
};
static inline struct on on_nothing(void)
{
    return (struct on){ .kind = ON_NOTHING };
}
static inline struct on on_task(struct task *t)
{
    return (struct on){ .kind = ON_TASK, .task = t };
}
static inline struct on on_object(struct object *o)
{
    return (struct on){ .kind = o ? ON_OBJECT : ON_NOTHING, .object = o };
}
static inline struct on on_fd(int fd)
{
    return (struct on){ .kind = ON_FD, .fd = fd };
}

/* What the C++ runtime keeps of a thread, as its ABI says (Itanium C++ ABI, 2.2.2); exception.c. */
struct exceptions {
    void *caught; /* and not left yet, the innermost first */
    unsigned uncaught;
};

enum task_state { TASK_FREE, TASK_READY, TASK_RUNNING, TASK_PARKED, TASK_DONE, TASK_ABANDONED };

struct task {
    /* What a switch reads and writes: one cache line. */
    struct ctx ctx;
    struct task *next;   /* in the ready queue, or in the free list */
    struct stack *stack; /* NULL before its first and after its last run */
    uint8_t state;       /* enum task_state.  From here on zero at its birth */
    uint8_t why;         /* PARKED: enum ls_why */
    uint16_t cancel;     /* cancels that it was not told yet */
    int code;            /* PARKED -> READY: 0 or errno of the wait */
    uint32_t probe_id;   /* in the trace, 0: not known there (yet) */
    uint32_t awaiters;   /* of the handles, being awaited */
    struct ls_site *at;  /* where it waits, or waited last */

    struct waiter *waiters; /* who waits for it, the last first; gate.c */
    struct gate *gate;      /* PARKED: what it waits for, when that is tasks */
    struct timer_node deadline;
    struct more *more;     /* NULL: as most tasks; more.h */
    struct scope *scopes;  /* its open timeouts, the innermost first; timeout.c */
    struct locals *locals; /* NULL: none; local.c */
    struct group *group;   /* that it belongs to; group.c */
    const char *allow;     /* why it may block the loop now, NULL: it may not; trace.c */
    const char *cancel_why;
    uint16_t cancels; /* all, less what ls_uncancel took back */
    bool observed;    /* DONE: somebody took its result, or is about to */
    bool detached;    /* nobody means to */
    bool joining;     /* waits for its children, also when the loop refuses awaits; group.c */
    uint32_t told;    /* how often it was told of a cancel, ever */
    int error;        /* DONE: errno when the result is -1 */
    uint32_t lent;    /* of the handles, its group's or a callback's: nobody may spend them */
    uint32_t refused; /* awaits, since the loop refuses them */
    uint32_t holds;   /* locks it holds; holder.h */
    uint32_t dumped;  /* number of the ls_dump that showed it last.  The last that is zero at its birth */

    uint32_t index, generation; /* what a handle is made of */
    /* Set by its spawn. */
    ls_fn *fn;
    void *arg;
    struct ls_site *site;
    const char *name; /* of its own (text, below), or the site's function; kept after its end, for messages */
    uint32_t refs;    /* handles out there */
    uint32_t parent;  /* probe id */
    /* Set when it parks, or ends. */
    struct on on;                           /* PARKED: what for */
    ls_ns since;                            /* PARKED: the loop's tick then */
    intptr_t result;                        /* DONE */
    uint64_t ended;                         /* DONE: the how many-th of its loop */
    struct task *group_next, **group_link; /* while it has a group */
    struct exceptions exceptions;          /* while it does not run; none when it is over */
    char text[36];
};

#define TASKS_A_CHUNK 64 /* tasks are never moved */

struct fd_state;
struct inbox;
struct remote;
struct pool;
struct signals;
struct object_table;

struct loop {
    struct ctx ctx;       /* the thread's own stack, where the loop polls */
    struct task *current; /* NULL: the loop itself */
    struct task *ready, **ready_end;
    unsigned dispatched; /* tasks run since the last poll */
    ls_ns tick;          /* coarse clock at the last poll */
    ls_ns polled;        /* when it was entered, while something records */
    ls_ns late;          /* of the timer that is waking a task: how long it had been due when the loop polled at last */
    uint64_t seed;
    uint32_t selects; /* calls so far: without a seed, the chance of ls_select; select.c */
    struct timer_heap timers;
    ls_ns fired; /* the clock when they fired last */
    struct stack_pool stacks;

    struct task **chunks; /* all tasks, by index */
    uint32_t chunk_count, task_count;
    struct task *free;
    struct task *main;
    uint32_t live;    /* tasks that are not over */
    uint64_t ends;    /* tasks that are, ever */
    uint32_t cancel_pass; /* gate.h */
    struct scope *scopes, *free_scopes; /* open timeouts of all tasks; timeout.c */
    struct done_call *done_calls, **done_end; /* of tasks that are over: due now; done.c */
    uint32_t outside; /* tasks that something outside may wake: an fd, a thread; see WHY_OUTSIDE in schedule.h */
    bool reachable;   /* another thread may post to this loop at any time */
    uint16_t id;      /* in handles */
    bool closing;     /* main is over: the others have until close_due for their clean-up; close.c */
    bool refusing;    /* that has passed: awaits are refused */
    ls_ns close_grace, close_due; /* LS_NEVER: not closing, or refusing */
    ls_ns still_since; /* while it closes: what the clock said in the last turns, and in how many of them */
    unsigned still;
    char name[32];
    pid_t tid;
    ls_ns began;
    uint32_t dumps; /* how many there were; dump.c */
    uint32_t switch_hook; /* != 0: somebody wants to know of each switch: LSRT_HOOK_* + tasks that may block */
    struct exceptions exceptions, *thread_exceptions; /* of the loop's own stack; where the C++ runtime looks */
    const char *allow;    /* of what runs on the loop's own stack; trace.c */

    bool debug; /* LOOPSCOPE_DEBUG=1; debug.c.  While it is set, the step that runs: */
    ls_ns step_began, step_limit, allowed_since;
    struct ls_site *step_from;
    bool told_of_guards;
    char *alternate; /* a stack for signals; guard.c */
    unsigned calling; /* inside a callback: current is NULL, what does not wait may be called */
    bool virtual_time;
    ls_ns clock; /* of virtual time */

    int epoll;
    bool no_pwait2;       /* the kernel lacks epoll_pwait2 */
    struct fd_state *fds; /* by number, fd.c */
    size_t fd_count;
    unsigned io_step, io_calls; /* calls on fds that did not wait since a task began to run; fd.h */
    int doubt; /* first of the fds whose registration is to be checked, -1 none; fd.c */
    ls_ns doubt_due;
    struct inbox *inbox;          /* made when first needed, inbox.c */
    struct remote *remotes;       /* calls from other threads that are not over, post.c */
    struct pool *pool, *pools;    /* made when first needed, pool.c */
    struct signals *signals;      /* made when first needed, signal.c */
    struct object_table *objects; /* made when first needed, object.c */
    struct call_table *calls;     /* made when first needed, call.c */
};


/* loop.c */
extern _Thread_local struct loop *lsrt_here; /* this thread's, NULL when it has none */
static inline struct loop *lsrt_loop(void)
{
    return lsrt_here;
}
/* The loop's clock: CLOCK_MONOTONIC, or its virtual time.  Outside a loop (a pool's thread): CLOCK_MONOTONIC. */
ls_ns lsrt_now(void);
/* The running task's loop, for what may wait; NULL after setting errno (EPERM) and the error text. */
struct loop *lsrt_not_inside(const char *call);
static inline struct loop *lsrt_inside(const char *call)
{
    struct loop *l = lsrt_here;
    return LSRT_LIKELY(l && l->current) ? l : lsrt_not_inside(call);
}
/* This thread's loop, for what does not wait: in a task or in a callback of the loop (ls_call_later, ls_on_done, ls_post).
 * NULL as above.  l->current is NULL in a callback. */
struct loop *lsrt_on_loop(const char *call);
int lsrt_misuse(int error, const char *format, ...) __attribute__((format(printf, 2, 3))); /* -1 */

/* park.c */
void lsrt_ready(struct loop *l, struct task *t);
void lsrt_wake(struct loop *l, struct task *t, int code);
/* Suspends the running task until lsrt_wake; 0 or errno: the code of the wake, ETIMEDOUT, ECANCELED. */
int lsrt_park(struct loop *l, enum ls_why why, struct on on, struct ls_site *site, ls_ns deadline);
/* The same without a deadline, and neither a cancel that was not told yet nor a loop that refuses keeps it from waiting: for what
 * must be had, as a lock that is to be given back.  A cancel that comes meanwhile ends it, as any wait. */
int lsrt_park_anyway(struct loop *l, enum ls_why why, struct on on, struct ls_site *site);

/* close.c */
void lsrt_close(struct loop *l);        /* main is over: cancels the rest */
void lsrt_close_look(struct loop *l);   /* once a turn, while it closes */
void lsrt_close_stuck(struct loop *l);  /* nothing can go on any more */

/* call.c */
/* Runs a callback of the loop: fn(arg), between tasks (l->current is NULL); in the trace it is a mark named by the site. */
void lsrt_call(struct loop *l, struct ls_site *site, void (*fn)(void *), void *arg);
void lsrt_calls_free(struct loop *l);

/* task.c */
/* A new task, in no queue yet and not in the trace; NULL and errno. */
struct task *lsrt_task_new(struct loop *l, struct ls_site *site, ls_fn *fn, void *arg, const char *format, va_list ap);
static inline struct task *lsrt_task_at(struct loop *l, uint32_t index) /* index < l->task_count */
{
    return &l->chunks[index / TASKS_A_CHUNK][index % TASKS_A_CHUNK];
}
/* A handle is a number (kind, loop, generation, index), not an address: one that is spent, made up, of another kind or
 * from another thread is found out by comparing, and never followed. */
enum handle_kind { HANDLE_TASK, HANDLE_TIMER, HANDLE_OBJECT, HANDLE_LOOP }; /* a task's h >> 48 is its loop */
#define LSRT_LOOPS_MAX  ((1u << 14) - 1)
#define LSRT_INDEX_BITS 24
#define LSRT_INDEX_MASK ((1u << LSRT_INDEX_BITS) - 1)
_Static_assert(sizeof(uintptr_t) == 8, "a handle holds 2 bits of kind, 14 of loop, 24 of generation and 24 of index");
static inline uintptr_t lsrt_handle(const struct loop *l, enum handle_kind kind, uint32_t generation, uint32_t index)
{
    return (uintptr_t)kind << 62 | (uintptr_t)l->id << 48 |
           (uintptr_t)(generation & LSRT_INDEX_MASK) << LSRT_INDEX_BITS | index;
}
static inline enum handle_kind lsrt_handle_kind(uintptr_t h)
{
    return (enum handle_kind)(h >> 62);
}
static inline unsigned lsrt_handle_loop(uintptr_t h) /* 0: it is no handle */
{
    return (unsigned)(h >> 48) & LSRT_LOOPS_MAX;
}
static inline struct ls_task *lsrt_task_handle(const struct loop *l, const struct task *t)
{
    return (struct ls_task *)lsrt_handle(l, HANDLE_TASK, t->generation, t->index);
}
/* The task of a handle; NULL, errno and the error text when it is none that may be used here and now. */
struct task *lsrt_task_misuse(struct loop *l, struct ls_task *handle, const char *call);
static inline struct task *lsrt_task_of(struct loop *l, struct ls_task *handle, const char *call)
{
    uintptr_t h = (uintptr_t)handle;
    uint32_t index = (uint32_t)h & LSRT_INDEX_MASK, generation = (uint32_t)(h >> LSRT_INDEX_BITS) & LSRT_INDEX_MASK;
    if (LSRT_LIKELY(h >> 48 == l->id && index < l->task_count)) {
        struct task *t = lsrt_task_at(l, index);
        if (LSRT_LIKELY(generation == (t->generation & LSRT_INDEX_MASK) && t->state != TASK_FREE &&
                        (t->refs || t == l->current)))
            return t;
    }
    return lsrt_task_misuse(l, handle, call);
}
void lsrt_task_free(struct loop *l, struct task *t);
static inline void lsrt_task_unref(struct loop *l, struct task *t)
{
    if (--t->refs == 0 && t->state == TASK_DONE)
        lsrt_task_free(l, t);
}
void lsrt_task_begin(struct loop *l, struct task *t); /* its first run is next: gives it a stack, or ends it */
void lsrt_tasks_free(struct loop *l);
/* Tells the trace of a task; its name costs nothing when it is the site's function. */
uint32_t lsrt_task_tell(struct task *t);
static inline uint32_t lsrt_task_probe_id(struct task *t) /* 0 for NULL */
{
    return !t ? 0 : LSRT_LIKELY(t->probe_id) ? t->probe_id : lsrt_task_tell(t);
}
static inline const char *lsrt_task_probe_name(const struct task *t)
{
    return t->name == t->text ? t->text : NULL;
}

static inline bool lsrt_task_cancelled(const struct task *t)
{
    return t->state == TASK_DONE && t->result == -1 && t->error == ECANCELED;
}

/* cancel.c */
void lsrt_task_cancel(struct loop *l, struct task *t, const char *why); /* or what it waits for */
/* The same, but when it waits for `spared` it is told itself. */
void lsrt_task_cancel_but(struct loop *l, struct task *t, const char *why, const struct task *spared);
void lsrt_task_cancel_here(struct loop *l, struct task *t, const char *why); /* it, not what it waits for */
void lsrt_cancel_through(struct loop *l, struct gate *g, const char *why);
/* Takes a cancel of the running task back that was made when `told` was as given; true: it was told since. */
bool lsrt_task_uncancel(struct task *t, uint32_t told);

/* exception.c */
#define LSRT_HOOK_EXCEPTIONS (1u << 30)
void lsrt_exceptions_watch(struct loop *l);
void lsrt_exceptions_switch(struct loop *l, struct task *from, struct task *to);

/* guard.c */
void lsrt_guard_watch(struct loop *l);
void lsrt_guard_end(struct loop *l);

/* fd.c */
void lsrt_fd_event(struct loop *l, uint64_t data, uint32_t events);
ls_ns lsrt_fd_doubts(struct loop *l); /* checks the doubts that are due; when to come back, or LS_NEVER */
void lsrt_fds_free(struct loop *l);

/* dump.c: ls_dump_all finds a loop between these two */
void lsrt_dump_join(struct loop *l);
void lsrt_dump_leave(struct loop *l);
void lsrt_dump_forget(void); /* all of them */

/* fork.c */
void lsrt_fork_watch(void);
bool lsrt_forked(void); /* this is a child whose thread had a loop in the parent */
_Noreturn void lsrt_fork_end(intptr_t result); /* the function of the task that forked has returned in the child */

/* post.c */
void lsrt_remotes_end(struct loop *l); /* no answer comes any more */

/* trace.c */
void lsrt_allow_switch(struct loop *l, struct task *from, struct task *to);

/* debug.c: what LOOPSCOPE_DEBUG=1 says.  lsrt_debug_init sets l->debug; the others are called only while it is set. */
#define LSRT_HOOK_DEBUG (1u << 31)
void lsrt_debug_init(struct loop *l);
bool lsrt_debug_wanted(void); /* the environment's answer; for threads without a loop */
void lsrt_debug_say(const char *format, ...) __attribute__((format(printf, 1, 2))); /* one line; keeps errno */
void lsrt_debug_misuse(struct loop *l, const char *text); /* l may be NULL */
void lsrt_debug_switch(struct loop *l, struct task *from, struct task *to);
void lsrt_debug_call(struct loop *l, struct ls_site *site); /* a callback begins (NULL), or is over */
void lsrt_debug_stacks(struct loop *l);                     /* a task has got its stack */
void lsrt_debug_allow(struct loop *l, bool begins);
void lsrt_debug_free(struct loop *l, struct task *t);      /* its last handle is given back */
void lsrt_debug_cancelled(struct task *t); /* because main is over */
void lsrt_debug_overdue(struct task *t);   /* the grace is over, and it is not */
void lsrt_debug_abandoned(struct task *t);
void lsrt_debug_held(struct task *t, struct object *o); /* it is over, or abandoned, and has not given it back */
void lsrt_debug_future(struct object *o, int error); /* it failed, and goes unseen */
void lsrt_debug_loop_end(struct loop *l); /* before its tasks and objects go */

/* The next number that the seed gives (xorshift64); only while there is one. */
static inline uint64_t lsrt_random(struct loop *l)
{
    l->seed ^= l->seed << 13;
    l->seed ^= l->seed >> 7;
    return l->seed ^= l->seed << 17;
}

/* The public result of an errno. */
static inline int lsrt_result(int error)
{
    if (!error)
        return 0;
    errno = error;
    return -1;
}

#endif

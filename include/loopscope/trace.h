/* trace.h - what a program says about itself in the trace: spans, marks, counters, allowed blocks; and what its tasks
 * do right now: ls_tasks_foreach, ls_dump.
 *
 * Spans, marks and counters are a load and a branch while nothing records; ls_markf does not format then. */
#ifndef LOOPSCOPE_TRACE_H
#define LOOPSCOPE_TRACE_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* LS_SPAN("parse") { ... }    A named stretch of this task (table `mark`: t, dur, task, thread), what it waits for
 * included.  It ends with the block, however that is left: at its end, by break or continue (which leave the block, as
 * they leave a loop), return, goto, a C++ exception.  Spans nest.  The name must live as long as the block. */
#define LS_SPAN(name) LS_BLOCK_(ls_span, (name), __COUNTER__)

/* LS_ALLOW_BLOCK("reads its configuration") { ... }    This task may block its loop in the block, because of `why`: the
 * stalls are kept, but marked as allowed.  The allowance is the task's: it rests while the task waits and others run.
 * Left as a span is; nests, the innermost counts.  `why` must live as long as the block. */
#define LS_ALLOW_BLOCK(why) LS_BLOCK_(ls_allow, (why), __COUNTER__)

/* A point of this task: table `mark`, dur = 0, value NULL.  The name is copied; longer than 200 bytes, it is cut. */
static inline void ls_mark(const char *name);
/*     void ls_markf(const char *format, ...); */
#define ls_markf(...) (ls_probe_on() ? ls_markf_at(__VA_ARGS__) : (void)0)
/* The value that `name` has from now on: table `mark`, dur = 0.  Not NaN, which is kept as NULL. */
static inline void ls_counter(const char *name, double value);

enum ls_task_state { LS_TASK_READY, LS_TASK_RUNNING, LS_TASK_WAITING, LS_TASK_DONE, LS_TASK_ABANDONED };

struct ls_task_info {
    struct ls_task *task; /* good until fn returns; ls_ref makes it yours */
    const char *name;
    enum ls_task_state state;
    enum ls_why why;    /* WAITING: for this ... */
    const char *target; /* ... task or object of this name, NULL: none */
    int fd;             /* ... or on this fd, -1: none */
    ls_ns since;        /* WAITING: the time of the loop's last poll before it; 0 not known */
    const struct ls_site *spawned_at, *waits_at; /* file, line, function; waits_at NULL when it does not wait */
    size_t stack_used, stack_size;               /* bytes: the most it ever used, what it has; 0: not begun */
};

/* Calls fn for each task of this thread's loop that is not over, in no particular order.  When fn returns anything but
 * 0, that is the result and the rest is left out; else 0.  -1: no loop (EPERM), fn is NULL (EINVAL).  fn may spawn,
 * cancel and wait; the strings and sites are good until it does. */
int ls_tasks_foreach(int (*fn)(const struct ls_task_info *info, void *arg), void *arg);

/* Writes this thread's loop to fd for people to read: every task, as a tree of who awaits whom, with its state, since
 * when, what it waits for (and who holds that), where it waits and was spawned, the most of its stack that was used;
 * then the objects and their state.  -1: no loop (EPERM), or write's errno.  It allocates nothing and uses no stdio, so
 * that a debugger may call it at any point (gdb: `call (int)ls_dump(2)`); from a signal handler it is as safe as can
 * be: what the thread was just changing may be shown half done. */
int ls_dump(int fd);
/* The same for every loop of the process.  Other threads' loops are read while they run: for a debugger that has
 * stopped them (gdb: `set scheduler-locking on`), or as a last resort. */
int ls_dump_all(int fd);

/* Private part: what the macros call. */
struct ls_span {
    const char *name;
    uint64_t start; /* 0: nothing recorded then */
};
struct ls_allow {
    const char *outer; /* the allowance around this one */
};
struct ls_allow ls_allow_begin(const char *why);
void ls_allow_end(struct ls_allow *allow);
void ls_markf_at(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline struct ls_span ls_span_begin(const char *name)
{
    struct ls_span span = { name, ls_probe_on() ? ls_probe_now() : 0 };
    return span;
}
static inline void ls_span_end(struct ls_span *span)
{
    if (__builtin_expect(span->start != 0, 0))
        ls_probe_mark(span->name, __builtin_nan(""), span->start);
}
static inline void ls_mark(const char *name)
{
    ls_probe_mark(name, __builtin_nan(""), 0);
}
static inline void ls_counter(const char *name, double value)
{
    ls_probe_mark(name, value, 0);
}

/* A block with something to do at its end, whichever way it is left.  The loop has no condition, so that the compiler
 * knows the block to run: `int f(void) { LS_SPAN("x") { return 1; } }` has no path without a return. */
#define LS_BLOCK_(kind, arg, id) LS_BLOCK_2_(kind, arg, id)
#define LS_BLOCK_2_(kind, arg, id)                                                                   \
    for (struct kind ls_block_##id __attribute__((cleanup(kind##_end), unused)) = kind##_begin(arg);; \
         (__extension__({ goto ls_over_##id; })))                                                    \
        if (0) {                                                                                     \
            ls_over_##id: break;                                                                     \
        } else

#ifdef __cplusplus
}
#endif
#endif

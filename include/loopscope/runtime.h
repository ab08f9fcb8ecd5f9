/* runtime.h - an event loop with coroutines that can be watched: every task, await and wake of a program written with
 * it is in the trace, without one line of tracing code.
 *
 * One loop a thread.  A task is a coroutine with a stack of its own; an ordinary C function is one when it is spawned.
 * Tasks are cooperative: one runs until it awaits something (every call below that takes a deadline, and ls_yield).
 *
 *     static intptr_t fetch(void *arg)
 *     {
 *         ls_sleep(1 * LS_SEC);                   // this task waits, the loop runs the others
 *         return (intptr_t)arg;
 *     }
 *     static intptr_t app(void *arg)
 *     {
 *         struct ls_task *t[3];
 *         for (long i = 0; i < 3; i++)
 *             t[i] = ls_spawn(fetch, (void *)i, "fetch-%ld", i);
 *         intptr_t out[3];
 *         return ls_gather(t, 3, out, LS_NEVER);  // results in the order of the tasks, not of their end
 *     }
 *     int main(void) { return (int)ls_run(app, NULL, NULL); }
 *
 * Link with -lloopscope-rt -lloopscope -lpthread.  (The headers need POSIX: cc's default; with -std=c11: -D_GNU_SOURCE.)
 * Compile with -fstack-clash-protection, as pkg-config says: else an array larger than what is left of a stack may reach
 * over the guard page, into the stack of another task.
 *
 * Conventions.  `int` results are 0, or -1 with errno.  The last argument of what waits is a deadline: absolute, in ns
 * (ls_after(ns), LS_NEVER; a deadline that has passed tries once and does not wait).  What waits may fail with
 *     ETIMEDOUT  the deadline passed        ECANCELED  ls_cancel was called (once for each call), or main is over
 *     EPERM      not inside a task, or a handle of another thread's loop
 * A task fails by returning -1 with errno set (EIO, when it is 0); that errno is kept for whoever awaits it.
 * A handle used wrongly (twice, after its end, on another thread) is an error, never a crash: ls_error_text() names it,
 * and LOOPSCOPE_DEBUG=1 in the environment prints it.  A task that overflows its stack gets SIGSEGV from the guard page
 * below it; LOOPSCOPE_DEBUG=1 names the task first. */
#ifndef LOOPSCOPE_RUNTIME_H
#define LOOPSCOPE_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <loopscope/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t ls_ns; /* nanoseconds: a span, or a time on the loop's clock: CLOCK_MONOTONIC */

#define LS_US    ((ls_ns)1000)
#define LS_MS    ((ls_ns)1000000)
#define LS_SEC   ((ls_ns)1000000000)
#define LS_NEVER UINT64_MAX

struct ls_task; /* a handle, never to be dereferenced */
typedef intptr_t ls_fn(void *arg);

struct ls_opts {
    const char *name;  /* of the loop in the trace; NULL: "loop" */
    size_t stack_size; /* of each task, guard page included; 0: 64 KiB */
    uint64_t seed;     /* != 0: ready tasks run in an order that this number decides, to shake out ordering bugs */
    /* Time stands still while a task runs, and jumps to the next deadline when all wait: a test of an hour takes
     * milliseconds and goes the same way each time.  A wait for something outside (an fd, a thread, a process, a signal)
     * takes as long as it does, and that much passes. */
    bool virtual_time;
    ls_ns close_grace; /* what the tasks have for their clean-up when main is over; 0: 5 s, LS_NEVER: no end */
};

/* Runs fn as task "main" on a new loop of this thread, and returns what it returned; -1 and errno (EBUSY: this thread
 * has a loop already) when it could not start.  When fn is over, each task that is left is cancelled, once, and runs to
 * its end: its clean-up awaits, spawns, opens groups and asks threads as ever, for opts.close_grace on the loop's clock.
 * After that, and at once when they all wait for one another, every await returns ECANCELED and nothing is spawned; a
 * task that goes on awaiting all the same is abandoned (LOOPSCOPE_DEBUG=1 names it).
 * A child of fork(2) has no loop, whatever the parent's tasks do: what waits fails with EPERM there, ls_run makes a new
 * loop, and when the function of the task that forked returns, the child exits with its result.
 *     intptr_t ls_run(ls_fn *fn, void *arg, const struct ls_opts *opts); */
#define ls_run(fn, arg, ...) ls_run_at(LS_SITE(#fn), (fn), (arg), __VA_ARGS__) /* a literal of opts has commas */

/* Starts a task: it is ready at once and runs when the others have had their turn.  The name is printf style (NULL: the
 * function's name).  The handle must be given back: by ls_await or ls_gather when they succeed, or by ls_detach.
 * NULL and errno when there is no memory, or main is over and the grace, too (ECANCELED).
 *     struct ls_task *ls_spawn(ls_fn *fn, void *arg, const char *name, ...); */
#define ls_spawn(fn, arg, ...) ls_spawn_at(LS_SITE(#fn), (fn), (arg), __VA_ARGS__)

/*     int ls_sleep(ls_ns ns);    int ls_sleep_until(ls_ns time);    int ls_yield(void); */
#define ls_sleep(ns)         ls_sleep_at(LS_SITE(__func__), ls_after(ns))
#define ls_sleep_until(time) ls_sleep_at(LS_SITE(__func__), (time))
#define ls_yield()           ls_yield_at(LS_SITE(__func__))

/* The loop calls fn(arg) at a time, between tasks.  fn must not wait (EPERM); it may spawn, wake, set, put, cancel.  Calls
 * of the same time come in the order they were asked for.  Those still due when the loop ends are not made.  NULL and
 * errno: ENOMEM, ECANCELED (main is over and the grace, too).  ls_timer_cancel: -1, ESRCH: it was called or cancelled already.
 *     struct ls_timer *ls_call_later(ls_ns ns, void (*fn)(void *), void *arg);
 *     struct ls_timer *ls_call_at(ls_ns time, void (*fn)(void *), void *arg); */
struct ls_timer; /* a handle; nothing need be done with it */
#define ls_call_later(ns, fn, arg) ls_call_at_at(LS_SITE(#fn), ls_after(ns), (fn), (arg))
#define ls_call_at(time, fn, arg)  ls_call_at_at(LS_SITE(#fn), (time), (fn), (arg))
int ls_timer_cancel(struct ls_timer *timer);

struct ls_task *ls_self(void);                  /* the running task; NULL outside.  Not a reference */
const char *ls_task_name(struct ls_task *task); /* NULL when the handle is not valid */
ls_ns ls_now(void);                             /* the loop's clock; CLOCK_MONOTONIC outside of one */
ls_ns ls_after(ls_ns ns);                       /* ls_now() + ns, LS_NEVER when that is too far */
const char *ls_error_text(void);                /* what was wrong with the last handle used wrongly on this thread */

/* Private part: what the macros call. */
intptr_t ls_run_at(struct ls_site *site, ls_fn *fn, void *arg, const struct ls_opts *opts);
struct ls_task *ls_spawn_at(struct ls_site *site, ls_fn *fn, void *arg, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
int ls_sleep_at(struct ls_site *site, ls_ns time);
int ls_yield_at(struct ls_site *site);
struct ls_timer *ls_call_at_at(struct ls_site *site, ls_ns time, void (*fn)(void *), void *arg);

#ifdef __cplusplus
}
#endif

/* The rest of the runtime; each may be included alone. */
#include <loopscope/file.h>
#include <loopscope/io.h>
#include <loopscope/process.h>
#include <loopscope/stream.h>
#include <loopscope/sync.h>
#include <loopscope/tasks.h>
#include <loopscope/thread.h>
#include <loopscope/trace.h>

#endif

/* probe.h - report loops, tasks, awaits and wakes to loopscope, from any runtime.
 *
 * Link with -lloopscope.  About ten calls; each is one predictable branch (<= 1 ns) while nothing records.
 * A program is recorded when it runs under `loopscope record`, or when LOOPSCOPE_RECORD=FILE is in its
 * environment.  All calls are made by the thread they speak about, never block, allocate or fail: when the
 * ring is full the event is dropped and counted.  Ids are 32 bits, unique in the session, 0 = none.
 *
 * One scheduling point costs one timestamp: ls_probe_switch says at once who stops, why, and who runs next.
 *
 * An adapter's story (two are in examples/adapters/):
 *     ls_probe_loop("mine");                                  first: what a thread tells before this is dropped
 *     id = ls_probe_task_new(parent, site, "name");           ready; 0 while nothing records: ask again when it runs
 *     for (;;) {
 *         ls_probe_poll_enter(); n = epoll_wait(...); ls_probe_poll_exit(n, max, timeout);
 *         ls_probe_wake(id, 0);                               whoever becomes ready, before it runs
 *         ls_probe_switch(0, LS_WHY_SPAWN, 0, NULL, id);      from the loop: why, target and site say nothing
 *         ls_probe_switch(id, LS_WHY_FD, fd, site, other);    and so on from one to the next, at last to 0
 *     }
 *     ls_probe_task_end(id, ...); ls_probe_switch(id, LS_WHY_END, 0, NULL, 0);
 *     ls_probe_loop_end();
 * What is easily missed.  A yield needs no wake.  A task that ends without having run (cancelled) needs no switch.  Where
 * a library calls back inside its own poll, the poll is over when the first callback begins.  Why a task waits is told
 * when it stops, and cannot be changed while it waits.  Tasks without a stack of their own need no ls_probe_stack.
 * Between poll_enter and _exit the preload takes the thread's calls for part of the poll; a poll outside of
 * ls_probe_loop .. _end it may take for a loop of its own. */
#ifndef LOOPSCOPE_PROBE_H
#define LOOPSCOPE_PROBE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a task is suspended.  The names (table `why` of a trace) are these in lower case; append only. */
enum ls_why {
    LS_WHY_SPAWN, LS_WHY_YIELD, LS_WHY_SLEEP, LS_WHY_FD, LS_WHY_TASK, LS_WHY_GROUP, LS_WHY_LOCK, LS_WHY_COND,
    LS_WHY_EVENT, LS_WHY_SEM, LS_WHY_QUEUE_PUT, LS_WHY_QUEUE_GET, LS_WHY_CHAN_SEND, LS_WHY_CHAN_RECV,
    LS_WHY_SELECT, LS_WHY_BARRIER, LS_WHY_FUTURE, LS_WHY_THREAD, LS_WHY_DNS, LS_WHY_CHILD, LS_WHY_SIGNAL,
    LS_WHY_FILE, LS_WHY_USER, LS_WHY_END, /* END: the task is over, ls_probe_task_end came just before */
    LS_WHYS
};
enum ls_outcome { LS_OUTCOME_OK = 1, LS_OUTCOME_ERROR, LS_OUTCOME_CANCELLED };
enum ls_object_kind {
    LS_OBJECT_LOCK = 1, LS_OBJECT_QUEUE, LS_OBJECT_CHANNEL, LS_OBJECT_TIMER, LS_OBJECT_FD, LS_OBJECT_EVENT,
    LS_OBJECT_COND, LS_OBJECT_SEM, LS_OBJECT_BARRIER, LS_OBJECT_FUTURE, LS_OBJECT_GROUP, LS_OBJECT_POOL, LS_OBJECT_OTHER,
    LS_OBJECT_RWLOCK, LS_OBJECT_STREAM, LS_OBJECT_SERVER, LS_OBJECT_PROCESS, LS_OBJECT_SIGNAL, LS_OBJECT_FILE,
    LS_OBJECT_SELECT, /* a wait for whichever of its members comes first */
    LS_OBJECT_KINDS
};

/* A call site: static, made by LS_SITE() at no run-time cost; sent once, then named by id.  From a language that has its
 * places at run time: one for each place, that is never moved or freed. */
struct ls_site {
    const char *function, *file;
    uint32_t line;
    uint32_t id; /* private: set (atomically) when it is first sent */
};
#define LS_SITE_INIT(fn) { (fn), __FILE__, __LINE__, 0 }
#define LS_SITE(function)                                        \
    (__extension__({                                             \
        static struct ls_site ls_site_ = LS_SITE_INIT(function); \
        &ls_site_;                                               \
    }))

/* 1 while something records.  Read it before preparing arguments that cost something. */
extern int ls_recording;
static inline int ls_probe_on(void)
{
    return __builtin_expect(__atomic_load_n(&ls_recording, __ATOMIC_RELAXED), 0);
}

/* This thread is a loop from now on; call again after it was stopped.  name is copied, may be NULL. */
void ls_probe_loop(const char *name);
void ls_probe_loop_end(void);
/* This thread is no loop, but tells something, too: its marks get a lane of their own.  Cheap when it was said before. */
void ls_probe_thread(void);
/* Around the call that waits for events: what is between two of them is one iteration.
 * ready: events returned (-1 error; 1 where only "some" is known), asked: their limit (0 unknown), timeout in ns, -1 = none. */
void ls_probe_poll_enter(void);
void ls_probe_poll_exit(int ready, int asked, int64_t timeout_ns);

/* A new task; it is ready at once.  name is copied and may be NULL (then the site's function names it). */
uint32_t ls_probe_task_new(uint32_t parent, struct ls_site *site, const char *name);
/* The same, but it is born waiting for `target` because of `why`: a timer, or a handle whose callback is its first step. */
uint32_t ls_probe_task_waiting(uint32_t parent, struct ls_site *site, const char *name, enum ls_why why, uint64_t target);
void ls_probe_task_end(uint32_t task, enum ls_outcome outcome, int64_t result);
void ls_probe_task_observed(uint32_t task); /* somebody took its result */
void ls_probe_task_detached(uint32_t task); /* nobody means to take it */
/* `from` (0 = the loop) stops running, waits for `target` because of `why` at `site` (may be NULL); `to` runs. */
void ls_probe_switch(uint32_t from, enum ls_why why, uint64_t target, struct ls_site *site, uint32_t to);
/* The same, and ls_probe_stack(stack[0], stack[1]) in one call; NULL: the thread's own. */
void ls_probe_switch_stack(uint32_t from, enum ls_why why, uint64_t target, struct ls_site *site, uint32_t to,
                           const char *const stack[2]);
/* `task` is over and `to` runs: ls_probe_task_end, _task_observed (when observed), _wake(woken, task) when woken is not 0
 * and _switch(task, LS_WHY_END, 0, NULL, to) in one event.  Not for a task whose site was never sent. */
void ls_probe_finish(uint32_t task, enum ls_outcome outcome, int64_t result, uint32_t woken, int observed, uint32_t to,
                     const char *const stack[2]);
/* `task` became ready; waker: the task that made it so, 0 = the loop (timer, fd). */
void ls_probe_wake(uint32_t task, uint32_t waker);
/* By a timer that was due late_ns ago, while the loop was busy, or by an event that the poll gave late_ns ago, when others
 * were called back first: the task counts as ready since then. */
void ls_probe_wake_late(uint32_t task, uint64_t late_ns);
/* The stack that the current task runs on, so that a stack copy stays inside it; 0, 0 = the thread's own. */
void ls_probe_stack(const void *lo, const void *hi);

/* Something tasks wait on.  fd: -1 when it is none. */
uint32_t ls_probe_object_new(enum ls_object_kind kind, const char *name, struct ls_site *site, int fd);
void ls_probe_object_end(uint32_t object);
/* `task` holds (1) the lock `object`, or gave it back (0); needed only while somebody waits for it, so that the trace can
 * name the holder. */
void ls_probe_hold(uint32_t object, uint32_t task, int held);
/* What a wait on `object` waits for: n tasks or objects.  Told once, before the wait. */
void ls_probe_members(uint32_t object, const uint32_t ids[], unsigned n);
/* Until the next call with NULL this thread may block its loop, because of `why`: its stalls are kept, marked as allowed. */
void ls_probe_allow(const char *why);
/* A point (start == 0) or a span on this thread's timeline.  ls_probe_now() gives `start`. */
uint64_t ls_probe_now(void);
void ls_probe_mark(const char *name, double value, uint64_t start);
/* The same for what this thread did for a task of another one. */
void ls_probe_mark_for(uint32_t task, const char *name, double value, uint64_t start);

/* The check comes first and inline, so that a probe costs a load and a branch while nothing records; arguments are
 * not evaluated then.  (ls_probe_wake)(t, w) calls the function itself. */
#ifndef LS_PROBE_PLAIN
#define ls_probe_loop(name)                     (ls_probe_on() ? ls_probe_loop(name) : (void)0)
#define ls_probe_loop_end()                     (ls_probe_on() ? ls_probe_loop_end() : (void)0)
#define ls_probe_thread()                       (ls_probe_on() ? ls_probe_thread() : (void)0)
#define ls_probe_poll_enter()                   (ls_probe_on() ? ls_probe_poll_enter() : (void)0)
#define ls_probe_poll_exit(r, asked, timeout)   (ls_probe_on() ? ls_probe_poll_exit(r, asked, timeout) : (void)0)
#define ls_probe_task_new(parent, site, name)   (ls_probe_on() ? ls_probe_task_new(parent, site, name) : 0u)
#define ls_probe_task_waiting(parent, site, name, why, target) \
    (ls_probe_on() ? ls_probe_task_waiting(parent, site, name, why, target) : 0u)
#define ls_probe_task_end(task, outcome, res)   (ls_probe_on() ? ls_probe_task_end(task, outcome, res) : (void)0)
#define ls_probe_task_observed(task)            (ls_probe_on() ? ls_probe_task_observed(task) : (void)0)
#define ls_probe_switch(from, why, tgt, st, to) (ls_probe_on() ? ls_probe_switch(from, why, tgt, st, to) : (void)0)
#define ls_probe_wake(task, waker)              (ls_probe_on() ? ls_probe_wake(task, waker) : (void)0)
#define ls_probe_wake_late(task, late_ns)       (ls_probe_on() ? ls_probe_wake_late(task, late_ns) : (void)0)
#define ls_probe_stack(lo, hi)                  (ls_probe_on() ? ls_probe_stack(lo, hi) : (void)0)
#define ls_probe_object_new(kind, nm, site, fd) (ls_probe_on() ? ls_probe_object_new(kind, nm, site, fd) : 0u)
#define ls_probe_object_end(object)             (ls_probe_on() ? ls_probe_object_end(object) : (void)0)
#define ls_probe_task_detached(task)            (ls_probe_on() ? ls_probe_task_detached(task) : (void)0)
#define ls_probe_hold(object, task, held)       (ls_probe_on() ? ls_probe_hold(object, task, held) : (void)0)
#define ls_probe_members(object, ids, n)        (ls_probe_on() ? ls_probe_members(object, ids, n) : (void)0)
#define ls_probe_allow(why)                     (ls_probe_on() ? ls_probe_allow(why) : (void)0)
#define ls_probe_finish(task, outcome, result, woken, observed, to, stack) \
    (ls_probe_on() ? ls_probe_finish(task, outcome, result, woken, observed, to, stack) : (void)0)
#define ls_probe_switch_stack(from, why, target, site, to, stack) \
    (ls_probe_on() ? ls_probe_switch_stack(from, why, target, site, to, stack) : (void)0)
#define ls_probe_mark(name, value, start)       (ls_probe_on() ? ls_probe_mark(name, value, start) : (void)0)
#define ls_probe_mark_for(task, name, value, start) \
    (ls_probe_on() ? ls_probe_mark_for(task, name, value, start) : (void)0)
#endif

#ifdef __cplusplus
}
#endif
#endif

/* loop.c - the poll of one thread's loop, its clock, and ls_run.
 *
 * A turn: poll, wake what is ready, run tasks until none is ready or the next poll is due.  Tasks switch to one another
 * directly (schedule.h); the loop's own stack only polls.  Everything runs on the loop's thread. */
#include "runtime/tasks/more.h"
#include "schedule.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "runtime/thread/inbox.h"
#include "runtime/thread/pool.h"

#define EVENTS_A_POLL 256
#define VIRTUAL_START LS_SEC
#define CLOSE_GRACE   (5 * LS_SEC)

_Thread_local struct loop *lsrt_here;
static _Thread_local char error_text[512];

ls_ns lsrt_now(void)
{
    return lsrt_here && lsrt_here->virtual_time ? lsrt_here->clock : clock_read(CLOCK_MONOTONIC);
}

int lsrt_misuse(int error, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(error_text, sizeof error_text, format, ap);
    va_end(ap);
    if (lsrt_here ? lsrt_here->debug : lsrt_debug_wanted())
        lsrt_debug_misuse(lsrt_here, error_text);
    errno = error;
    return -1;
}

struct loop *lsrt_not_inside(const char *call)
{
    if (lsrt_here && lsrt_here->calling)
        lsrt_misuse(EPERM, "%s: a callback of the loop must not wait: spawn a task for it", call);
    else if (lsrt_forked())
        lsrt_misuse(EPERM, "%s: in a forked child: the loop is the parent's; ls_run makes a new one", call);
    else
        lsrt_misuse(EPERM,
                    lsrt_here
                        ? "%s: not inside a task: call it from a function that ls_run or ls_spawn runs"
                        : "%s: this thread runs no loop: ls_run starts one, ls_post and ls_run_threadsafe reach one",
                    call);
    return NULL;
}

struct loop *lsrt_on_loop(const char *call)
{
    return lsrt_here && lsrt_here->calling ? lsrt_here : lsrt_inside(call);
}

/* epoll_pwait2 counts in ns; where it is missing, epoll_wait's ms are rounded up, so that no deadline comes early. */
static int wait_events(struct loop *l, struct epoll_event *events, int64_t timeout)
{
    if (!l->no_pwait2) {
        struct timespec t = { .tv_sec = timeout / (int64_t)LS_SEC, .tv_nsec = timeout % (int64_t)LS_SEC };
        int n = epoll_pwait2(l->epoll, events, EVENTS_A_POLL, timeout < 0 ? NULL : &t, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        l->no_pwait2 = true;
    }
    int64_t ms = timeout < 0 ? -1 : (timeout + (int64_t)LS_MS - 1) / (int64_t)LS_MS;
    return epoll_wait(l->epoll, events, EVENTS_A_POLL, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static int64_t poll_timeout(struct loop *l)
{
    ls_ns next = lsrt_fd_doubts(l);
    if (l->ready || l->done_calls)
        return 0;
    if (l->close_due < next)
        next = l->close_due;
    if (l->timers.count && l->timers.at[0].when < next)
        next = l->timers.at[0].when;
    if (next == LS_NEVER)
        return -1;
    ls_ns now = lsrt_now();
    ls_ns timeout = next > now ? next - now : 0;
    return timeout > INT64_MAX ? INT64_MAX : (int64_t)timeout;
}

/* Virtual time passes here only.  When nobody outside may wake a task, it jumps to the next timer; else the wait takes
 * what it takes, and the clock goes on by that. */
static int wait_virtual(struct loop *l, struct epoll_event *events, int64_t timeout)
{
    int n = wait_events(l, events, 0);
    if (n || !timeout)
        return n;
    if (!l->outside && !l->reachable && timeout > 0) {
        l->clock += (ls_ns)timeout;
        return 0;
    }
    ls_ns start = clock_read(CLOCK_MONOTONIC);
    n = wait_events(l, events, timeout);
    ls_ns took = clock_read(CLOCK_MONOTONIC) - start;
    l->clock += timeout >= 0 && (!n || took > (ls_ns)timeout) ? (ls_ns)timeout : took;
    return n;
}

static void fire_timers(struct loop *l)
{
    ls_ns now = l->fired = lsrt_now();
    uint32_t last = l->timers.seq; /* what a callback adds now is for the next turn, so that a turn ends */
    while (l->timers.count && l->timers.at[0].when <= now &&
           !lsrt_timer_added_since(&l->timers, l->timers.at[0].node, last)) {
        ls_ns when = l->timers.at[0].when;
        l->late = when < l->polled ? now - when : 0; /* due while the loop was busy: the task was ready since then */
        struct timer_node *node = l->timers.at[0].node;
        lsrt_timer_remove(&l->timers, node);
        if (node->fire)
            node->fire(l, node);
        else
            lsrt_wake(l, (struct task *)(void *)((char *)node - offsetof(struct task, deadline)), ETIMEDOUT);
    }
    l->late = 0;
}

/* All wait for one another.  A loop that refuses has told all that wait for anything else. */
static bool is_stuck(const struct loop *l)
{
    return !l->ready && !l->done_calls && (l->refusing || (!l->timers.count && !l->outside && !l->reachable));
}

static void poll_once(struct loop *l)
{
    if (is_stuck(l)) {
        if (!l->refusing) {
            lsrt_misuse(EDEADLK, "deadlock: every task waits for another task");
            ls_probe_mark("deadlock", 0, 0); /* `loopscope tree` shows this moment */
        }
        if (l->closing)
            lsrt_close_stuck(l);
        else
            lsrt_wake(l, l->main, EDEADLK);
    }
    struct epoll_event events[EVENTS_A_POLL];
    int64_t timeout = poll_timeout(l);
    if (ls_probe_on())
        l->polled = lsrt_now();
    ls_probe_poll_enter();
    int n = l->virtual_time ? wait_virtual(l, events, timeout) : wait_events(l, events, timeout);
    ls_probe_poll_exit(n, EVENTS_A_POLL, timeout);
    l->dispatched = 0;
    l->tick = l->virtual_time ? l->clock : clock_read(CLOCK_MONOTONIC_COARSE);
    for (int i = 0; i < n; i++) {
        uint64_t data = events[i].data.u64;
        if (data == LSRT_INBOX_EVENT)
            lsrt_inbox_drain(l);
        else if (data & LSRT_OBJECT_EVENT)
            lsrt_object_event(l, data, events[i].events);
        else
            lsrt_fd_event(l, data, events[i].events);
    }
    if (l->done_calls)
        lsrt_done_calls_run(l);
    if (l->timers.count)
        fire_timers(l);
    if (l->closing)
        lsrt_close_look(l);
}

/* Until the main task is over; when the loop is closing, until no task lives, nor a callback that may spawn one. */
static bool over(struct loop *l)
{
    return l->closing ? l->live == 0 && (l->refusing || !l->done_calls) : l->main->state == TASK_DONE;
}

static void run(struct loop *l)
{
    while (!over(l)) {
        struct task *t = l->dispatched ? NULL : next_task(l); /* once a turn: tasks go on to one another */
        if (!t) {
            if (!over(l)) /* the last one may have ended before it began */
                poll_once(l);
            continue;
        }
        hook_switch(l, NULL, t);
        if (ls_probe_on())
            trace_switch(NULL, LS_WHY_SPAWN, 0, NULL, t);
        l->current = t;
        t->state = TASK_RUNNING;
        ctx_switch(&l->ctx, &t->ctx, 0);
    }
}

static void loop_free(struct loop *l)
{
    lsrt_guard_end(l);
    lsrt_pools_free(l);
    lsrt_objects_free(l);
    lsrt_fds_free(l);
    lsrt_stack_pool_free(&l->stacks);
    lsrt_calls_free(l);
    lsrt_tasks_free(l);
    lsrt_timers_free(&l->timers);
    if (l->epoll >= 0)
        close(l->epoll);
    free(l);
}

static struct loop *loop_new(const struct ls_opts *opts)
{
    static _Atomic uint32_t ids; /* only made different; orders nothing, so relaxed */
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->id = (uint16_t)(atomic_fetch_add_explicit(&ids, 1, memory_order_relaxed) % LSRT_LOOPS_MAX + 1);
    l->ready_end = &l->ready;
    l->done_end = &l->done_calls;
    l->doubt = -1;
    snprintf(l->name, sizeof l->name, "%s", opts->name ? opts->name : "loop");
    l->seed = opts->seed;
    l->virtual_time = opts->virtual_time;
    l->close_grace = opts->close_grace ? opts->close_grace : CLOSE_GRACE;
    l->close_due = LS_NEVER;
    l->clock = VIRTUAL_START;
    lsrt_stack_pool_init(&l->stacks, opts->stack_size);
    lsrt_debug_init(l);
    lsrt_exceptions_watch(l);
#ifdef LSRT_ASAN
    pthread_attr_t attr;
    void *lo;
    if (!pthread_getattr_np(pthread_self(), &attr)) {
        pthread_attr_getstack(&attr, &lo, &l->ctx.size);
        l->ctx.lo = lo;
        pthread_attr_destroy(&attr);
    }
#endif
#ifdef LSRT_TSAN
    l->ctx.fiber = __tsan_get_current_fiber();
#endif
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        int error = errno;
        loop_free(l);
        errno = error;
        return NULL;
    }
    if (l->debug)
        lsrt_guard_watch(l);
    return l;
}

intptr_t ls_run_at(struct ls_site *site, ls_fn *fn, void *arg, const struct ls_opts *opts)
{
    if (lsrt_here)
        return lsrt_misuse(EBUSY, "ls_run: this thread has a loop already");
    if (!fn)
        return lsrt_misuse(EINVAL, "ls_run: the function is NULL");
    static const struct ls_opts defaults;
    struct loop *l = loop_new(opts ? opts : &defaults);
    if (!l)
        return -1;
    lsrt_fork_watch();
    lsrt_here = l;
    l->tid = gettid();
    l->began = lsrt_now();
    lsrt_dump_join(l);
    ls_probe_loop(l->name);
    intptr_t result = -1;
    int error = ENOMEM;
    if (ls_spawn_at(site, fn, arg, "main")) {
        run(l);
        result = l->main->result;
        if (ls_probe_on()) /* by whoever called ls_run */
            ls_probe_task_observed(lsrt_task_probe_id(l->main));
        error = l->main->error;
        lsrt_close(l);
        run(l);
        l->refusing = true;
        if (l->done_calls)
            lsrt_done_calls_run(l);
    }
    ls_probe_loop_end();
    l->closing = l->refusing = true;
    lsrt_pools_join(l);
    lsrt_inbox_close(l);
    lsrt_remotes_end(l);
    if (l->debug)
        lsrt_debug_loop_end(l);
    lsrt_dump_leave(l);
    loop_free(l);
    lsrt_here = NULL;
    if (result == -1)
        errno = error;
    return result;
}

ls_ns ls_now(void)
{
    return lsrt_now();
}

ls_ns ls_after(ls_ns ns)
{
    ls_ns now = lsrt_now();
    return ns >= LS_NEVER - now ? LS_NEVER : now + ns;
}

const char *ls_error_text(void)
{
    return error_text;
}

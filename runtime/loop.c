/* loop.c - the scheduler and the poll of one thread's loop; ls_run, sleep and yield.
 *
 * A turn: poll, wake what is ready, run tasks until none is ready or the next poll is due.  Tasks switch to one another
 * directly; the loop's own stack only polls.  Everything runs on the loop's thread. */
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "object.h"

#define EVENTS_A_POLL 256
#define TASKS_A_TURN  256  /* so many at most between two polls */
#define LOOK_EVERY    4    /* tasks between two looks at the coarse clock: a few long ones end the turn, too */
#define REFUSALS_MAX  1000 /* awaits that a closing loop refuses a task before it gives the task up */

static _Thread_local struct loop *here;
static _Thread_local char error_text[192];

struct loop *lsrt_loop(void)
{
    return here;
}

static ls_ns clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (ls_ns)t.tv_sec * LS_SEC + (ls_ns)t.tv_nsec;
}

ls_ns lsrt_now(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

int lsrt_misuse(int error, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(error_text, sizeof error_text, format, ap);
    va_end(ap);
    if (here ? here->debug : lsrt_debug_wanted())
        lsrt_debug_misuse(here, error_text);
    errno = error;
    return -1;
}

struct loop *lsrt_inside(const char *call)
{
    if (here && here->current)
        return here;
    lsrt_misuse(EPERM, "%s: not inside a task: call it from a function that ls_run or ls_spawn runs", call);
    return NULL;
}

void lsrt_ready(struct loop *l, struct task *t)
{
    t->state = TASK_READY;
    if (l->seed) { /* an order of its own, decided by the seed: xorshift64 */
        l->seed ^= l->seed << 13;
        l->seed ^= l->seed >> 7;
        l->seed ^= l->seed << 17;
        if (l->seed & 1 && l->ready) {
            t->next = l->ready;
            l->ready = t;
            return;
        }
    }
    t->next = NULL;
    *l->ready_end = t;
    l->ready_end = &t->next;
}

void lsrt_wake(struct loop *l, struct task *t, int code)
{
    if (t->state != TASK_PARKED)
        return;
    t->code = code;
    lsrt_timer_remove(&l->timers, &t->deadline);
    lsrt_ready(l, t);
    if (!ls_probe_on())
        return;
    if (l->late)
        ls_probe_wake_late(lsrt_task_probe_id(t), l->late);
    else
        ls_probe_wake(lsrt_task_probe_id(t), lsrt_task_probe_id(l->current));
}

/* The task to run now; NULL when it is the loop's turn: none is ready, or a poll is due. */
static struct task *next_task(struct loop *l)
{
    if (++l->dispatched % LOOK_EVERY == 0 &&
        (l->dispatched >= TASKS_A_TURN || clock_read(CLOCK_MONOTONIC_COARSE) != l->tick))
        return NULL;
    for (;;) {
        struct task *t = l->ready;
        if (!t)
            return NULL;
        if (!(l->ready = t->next))
            l->ready_end = &l->ready;
        if (!t->stack)
            lsrt_task_begin(l, t);
        if (t->stack)
            return t;
    }
}

/* What is seldom wanted at a switch; NULL is the loop itself. */
static inline void hook_switch(struct loop *l, struct task *from, struct task *to)
{
    if (__builtin_expect(l->switch_hook == 0, 1))
        return;
    if (l->switch_hook & LSRT_HOOK_DEBUG)
        lsrt_debug_switch(l, from, to);
    lsrt_allow_switch(l, from, to);
}

static void trace_switch(struct task *from, enum ls_why why, uint64_t target, struct ls_site *site, struct task *to)
{
    ls_probe_switch(lsrt_task_probe_id(from), why, target, site, lsrt_task_probe_id(to));
    ls_probe_stack(to ? to->stack->lo : NULL, to ? to->stack->hi : NULL);
}

static uint64_t probe_target(struct on on)
{
    switch (on.kind) {
    case ON_TASK: return lsrt_task_probe_id(on.task);
    case ON_OBJECT: return lsrt_object_probe_id(on.object);
    case ON_FD: return (uint64_t)on.fd;
    default: return 0;
    }
}

/* The running task stops (it is PARKED or READY by now) and the next one runs. */
static void leave(struct loop *l, enum ls_why why, uint64_t target, struct ls_site *site)
{
    struct task *self = l->current, *to = next_task(l);
    hook_switch(l, self, to);
    if (ls_probe_on())
        trace_switch(self, why, target, site, to);
    l->current = to;
    if (to)
        to->state = TASK_RUNNING;
    if (to != self)
        ctx_switch(&self->ctx, to ? &to->ctx : &l->ctx, 0);
}

void lsrt_leave_for_good(struct loop *l)
{
    struct task *self = l->current, *to = self == l->main ? NULL : next_task(l);
    hook_switch(l, self, to);
    if (ls_probe_on())
        trace_switch(self, LS_WHY_END, 0, NULL, to);
    lsrt_stack_put(&l->stacks, self->stack); /* after next_task: a task that begins must not get this stack yet */
    self->stack = NULL;
    l->current = to;
    if (to)
        to->state = TASK_RUNNING;
    ctx_switch(&self->ctx, to ? &to->ctx : &l->ctx, 1);
    abort(); /* not reached: nobody switches to a task that is over */
}

/* The running task was cancelled, or the loop is closing: it is told so instead of waiting. */
static int refuse(struct loop *l, struct task *self)
{
    self->cancel = false;
    self->cancelled = true;
    if (l->closing && ++self->refused > REFUSALS_MAX) {
        if (l->debug)
            lsrt_debug_abandoned(l, self);
        self->state = TASK_ABANDONED;
        l->live--;
        leave(l, LS_WHY_USER, 0, NULL); /* never comes back */
    }
    return ECANCELED;
}

int lsrt_park(struct loop *l, enum ls_why why, struct on on, struct ls_site *site, ls_ns deadline)
{
    struct task *self = l->current;
    self->at = site;
    if (self->cancel || l->closing)
        return refuse(l, self);
    if (deadline != LS_NEVER) {
        if (deadline <= lsrt_now())
            return ETIMEDOUT;
        if (lsrt_timer_add(&l->timers, &self->deadline, deadline))
            return ENOMEM;
    }
    bool outside = why == LS_WHY_FD || why == LS_WHY_THREAD;
    l->outside += outside;
    self->state = TASK_PARKED;
    self->why = (uint8_t)why;
    self->on = on;
    self->since = l->tick;
    self->code = 0;
    leave(l, why, ls_probe_on() ? probe_target(on) : 0, site);
    l->outside -= outside;
    return self->code;
}

int ls_yield_at(struct ls_site *site)
{
    struct loop *l = lsrt_inside("ls_yield");
    if (!l)
        return -1;
    struct task *self = l->current;
    self->at = site;
    if (self->cancel || l->closing)
        return lsrt_result(refuse(l, self));
    lsrt_ready(l, self);
    leave(l, LS_WHY_YIELD, 0, site);
    return 0;
}

int ls_sleep_at(struct ls_site *site, ls_ns time)
{
    struct loop *l = lsrt_inside("ls_sleep");
    if (!l)
        return -1;
    if (time <= lsrt_now())
        return ls_yield_at(site);
    int code = lsrt_park(l, LS_WHY_SLEEP, on_nothing(), site, time);
    return lsrt_result(code == ETIMEDOUT ? 0 : code);
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
    if (l->ready)
        return 0;
    if (l->timers.count && l->timers.at[0].when < next)
        next = l->timers.at[0].when;
    if (next == LS_NEVER)
        return -1;
    ls_ns now = lsrt_now();
    ls_ns timeout = next > now ? next - now : 0;
    return timeout > INT64_MAX ? INT64_MAX : (int64_t)timeout;
}

static void poll_once(struct loop *l)
{
    if (!l->ready && !l->timers.count && !l->outside) {
        lsrt_misuse(EDEADLK, "deadlock: every task waits for another task");
        lsrt_wake(l, l->main, EDEADLK);
    }
    struct epoll_event events[EVENTS_A_POLL];
    int64_t timeout = poll_timeout(l);
    if (ls_probe_on())
        l->polled = lsrt_now();
    ls_probe_poll_enter();
    int n = wait_events(l, events, timeout);
    ls_probe_poll_exit(n, EVENTS_A_POLL, timeout);
    l->dispatched = 0;
    l->tick = clock_read(CLOCK_MONOTONIC_COARSE);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == LSRT_POOL_EVENT)
            lsrt_pool_collect(l);
        else
            lsrt_fd_event(l, events[i].data.u64, events[i].events);
    }
    if (l->timers.count) {
        ls_ns now = lsrt_now();
        while (l->timers.count && l->timers.at[0].when <= now) {
            ls_ns when = l->timers.at[0].when;
            l->late =
                when < l->polled ? now - when : 0; /* due while the loop was busy: the task was ready since then */
            struct timer_node *node = l->timers.at[0].node;
            lsrt_timer_remove(&l->timers, node);
            if (node->fire)
                node->fire(l, node);
            else
                lsrt_wake(l, (struct task *)(void *)((char *)node - offsetof(struct task, deadline)), ETIMEDOUT);
        }
        l->late = 0;
    }
}

/* Until the main task is over; when the loop is closing, until no task lives. */
static bool over(struct loop *l)
{
    return l->closing ? l->live == 0 : l->main->state == TASK_DONE;
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
    lsrt_pool_free(l);
    lsrt_objects_free(l);
    lsrt_fds_free(l);
    lsrt_stack_pool_free(&l->stacks);
    lsrt_tasks_free(l);
    free(l->timers.at);
    if (l->epoll >= 0)
        close(l->epoll);
    free(l);
}

static struct loop *loop_new(const struct ls_opts *opts)
{
    static _Atomic uint16_t ids; /* only made different; orders nothing, so relaxed */
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->id = (uint16_t)(atomic_fetch_add_explicit(&ids, 1, memory_order_relaxed) + 1);
    l->ready_end = &l->ready;
    l->doubt = -1;
    l->seed = opts->seed;
    lsrt_stack_pool_init(&l->stacks, opts->stack_size);
    lsrt_debug_init(l);
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
        loop_free(l);
        return NULL;
    }
    return l;
}

intptr_t ls_run_at(struct ls_site *site, ls_fn *fn, void *arg, const struct ls_opts *opts)
{
    if (here)
        return lsrt_misuse(EBUSY, "ls_run: this thread has a loop already");
    static const struct ls_opts defaults;
    struct loop *l = loop_new(opts ? opts : &defaults);
    if (!l)
        return -1;
    here = l;
    ls_probe_loop(opts && opts->name ? opts->name : "loop");
    intptr_t result = -1;
    int error = ENOMEM;
    if (ls_spawn_at(site, fn, arg, "main")) {
        run(l);
        result = l->main->result;
        error = l->main->error;
        l->closing = true;
        lsrt_task_cancel_all(l);
        run(l);
    }
    ls_probe_loop_end();
    if (l->debug)
        lsrt_debug_loop_end(l);
    loop_free(l);
    here = NULL;
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

/* dump.c - what a loop and its tasks do right now: ls_tasks_foreach for programs, ls_dump for people.
 *
 * ls_dump writes with write(2) from a buffer on the stack: no malloc, no stdio of its own, and it changes but one thing,
 * the number in each task that says whether this dump has shown it.  (The objects describe themselves with snprintf.)
 * ls_dump_all finds the loops of other threads in `loops`. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/core/loop.h"
#include "runtime/core/object.h"
#include "runtime/tasks/gate.h"
#include "runtime/tasks/group.h"

#define LOOPS      128 /* more are only in their own thread's dump */
#define DEPTH_MAX  24  /* of the tree; what is deeper begins a tree of its own */
#define CIRCLE_MAX 1000

/* Each loop from its start to its end.  A slot is taken by compare-and-swap and given back by a store; who reads a slot
 * from another thread has stopped the loop, or takes the risk. */
static struct loop *_Atomic loops[LOOPS];

void lsrt_dump_join(struct loop *l)
{
    for (size_t i = 0; i < LOOPS; i++) {
        struct loop *none = NULL;
        if (atomic_compare_exchange_strong(&loops[i], &none, l))
            return;
    }
}

void lsrt_dump_leave(struct loop *l)
{
    for (size_t i = 0; i < LOOPS; i++)
        if (atomic_load(&loops[i]) == l)
            atomic_store(&loops[i], NULL);
}

void lsrt_dump_forget(void)
{
    for (size_t i = 0; i < LOOPS; i++)
        atomic_store(&loops[i], NULL);
}

/* What is written, gathered into few calls. */
struct out {
    int fd, error;
    size_t used;
    char text[1024];
};

static void flush(struct out *o)
{
    size_t done = 0;
    while (done < o->used && !o->error) {
        ssize_t n = write(o->fd, o->text + done, o->used - done);
        struct pollfd p = { .fd = o->fd, .events = POLLOUT };
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN && poll(&p, 1, 1000) == 1)
            continue;
        else if (errno != EINTR)
            o->error = errno;
    }
    o->used = 0;
}

static void put(struct out *o, const char *s)
{
    for (; *s; s++) {
        if (o->used == sizeof o->text)
            flush(o);
        o->text[o->used++] = *s;
    }
}

static void put_number(struct out *o, uint64_t n)
{
    char digits[24], *at = digits + sizeof digits;
    *--at = 0;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    put(o, at);
}

static void put_count(struct out *o, uint64_t n, const char *one, const char *many)
{
    put_number(o, n);
    put(o, " ");
    put(o, n == 1 ? one : many);
}

/* n / unit with one digit after the point when there is one. */
static void put_ratio(struct out *o, uint64_t n, uint64_t unit)
{
    put_number(o, n / unit);
    if (n % unit * 10 / unit) {
        put(o, ".");
        put_number(o, n % unit * 10 / unit);
    }
}

static void put_span(struct out *o, ls_ns ns)
{
    static const struct {
        ls_ns below, unit;
        const char *name;
    } scales[] = { { LS_MS, LS_US, " us" },
                   { LS_SEC, LS_MS, " ms" },
                   { 120 * LS_SEC, LS_SEC, " s" },
                   { 7200 * LS_SEC, 60 * LS_SEC, " min" },
                   { LS_NEVER, 3600 * LS_SEC, " h" } };
    size_t i = 0;
    while (ns >= scales[i].below && scales[i].below != LS_NEVER)
        i++;
    put_ratio(o, ns, scales[i].unit);
    put(o, scales[i].name);
}

static void put_site(struct out *o, const struct ls_site *site)
{
    const char *file = strrchr(site->file, '/');
    put(o, file ? file + 1 : site->file);
    put(o, ":");
    put_number(o, site->line);
}

/* noun 'name'; 'name' alone when it begins with the noun, as "gather of 2" does. */
static void put_named(struct out *o, const char *noun, const char *name)
{
    if (strncmp(name, noun, strlen(noun))) {
        put(o, noun);
        put(o, " ");
    }
    put(o, "'");
    put(o, name);
    put(o, "'");
}

static bool alive(const struct task *t)
{
    return t->state == TASK_READY || t->state == TASK_RUNNING || t->state == TASK_PARKED || t->state == TASK_ABANDONED;
}

/* What a task does with what it waits on; between "waits" and the name of that. */
static const char *verb(const struct task *t)
{
    if (!t->stack && t->group)
        return "for its turn in ";
    switch (t->why) {
    case LS_WHY_QUEUE_PUT: return "to put into ";
    case LS_WHY_QUEUE_GET: return "to get from ";
    case LS_WHY_CHAN_SEND: return "to send on ";
    case LS_WHY_CHAN_RECV: return "to receive from ";
    case LS_WHY_THREAD: return "for a thread of ";
    case LS_WHY_DNS: return "for a name from ";
    case LS_WHY_BARRIER: return "at ";
    default: return "for ";
    }
}

static void put_target(struct out *o, const struct task *t)
{
    switch (t->on.kind) {
    case ON_TASK: put_named(o, "task", t->on.task->name); return;
    case ON_FD:
        put(o, "fd ");
        put_number(o, (uint64_t)t->on.fd);
        if (fcntl(t->on.fd, F_GETFD) < 0)
            put(o, " (closed)");
        return;
    case ON_OBJECT: {
        const struct object *x = t->on.object;
        char text[96] = "";
        put_named(o, x->ops->noun, x->name);
        if (x->ops->describe)
            x->ops->describe(x, text, sizeof text);
        if (*text) {
            put(o, " (");
            put(o, text);
            put(o, ")");
        }
        return;
    }
    default: put(o, "something"); return;
    }
}

static void put_wait(struct out *o, struct loop *l, const struct task *t, ls_ns now)
{
    bool sleeps = t->why == LS_WHY_SLEEP;
    ls_ns since = t->since ? t->since : l->began;
    put(o, sleeps ? ": sleeps" : ": waits");
    if (now >= since + LS_US) {
        put(o, " ");
        put_span(o, now - since);
    }
    if (!sleeps) {
        put(o, " ");
        put(o, verb(t));
        put_target(o, t);
    }
    if (t->deadline.place && t->deadline.place <= l->timers.count) {
        ls_ns when = l->timers.at[t->deadline.place - 1].when;
        put(o, sleeps ? ", is to wake in " : ", deadline in ");
        put_span(o, when > now ? when - now : 0);
    }
}

static void put_task(struct out *o, struct loop *l, struct task *t, unsigned depth, ls_ns now)
{
    for (unsigned i = 0; i <= depth; i++)
        put(o, "  ");
    put(o, t->name);
    switch (t->state) {
    case TASK_RUNNING: put(o, ": runs"); break;
    case TASK_READY: put(o, t->stack ? ": ready" : ": ready to begin"); break;
    case TASK_PARKED: put_wait(o, l, t, now); break;
    default: put(o, ": abandoned"); break;
    }
    if (t->cancel || (t->state == TASK_READY && t->code == ECANCELED))
        put(o, ", is to be cancelled");
    else if (t->cancels)
        put(o, ", was told of its cancel");
    if (t->at && t->at != t->site) {
        put(o, t->state == TASK_PARKED ? ", at " : ", last waited at ");
        put_site(o, t->at);
        put(o, " in ");
        put(o, t->at->function);
    }
    put(o, "; spawned at ");
    put_site(o, t->site);
    if (t->stack) {
        put(o, "; stack ");
        put_ratio(o, lsrt_stack_high_water(t->stack), 1024);
        put(o, " of ");
        put_number(o, (uint64_t)(t->stack->hi - t->stack->lo) / 1024);
        put(o, " KiB");
    }
    put(o, "\n");
}

struct dump {
    struct out out;
    struct loop *loop;
    ls_ns now;
    uint32_t number;
};

static void dump_tree(struct dump *d, struct task *t, unsigned depth);

/* Those it awaits, and those of the group that it closes. */
static void dump_awaited(struct dump *d, struct task *parent, unsigned depth)
{
    const struct gate *g = parent->state == TASK_PARKED ? parent->gate : NULL;
    for (size_t i = 0; g && i < g->n; i++)
        if (g->member[i].link)
            dump_tree(d, g->member[i].target, depth);
    for (struct task *t = parent->joining ? lsrt_group_first(parent) : NULL; t; t = t->group_next)
        dump_tree(d, t, depth);
}

static void dump_tree(struct dump *d, struct task *t, unsigned depth)
{
    if (t->dumped == d->number) {
        for (unsigned i = 0; i <= depth; i++)
            put(&d->out, "  ");
        put(&d->out, t->name);
        put(&d->out, ": see above\n");
        return;
    }
    if (!alive(t) || depth > DEPTH_MAX)
        return;
    t->dumped = d->number;
    put_task(&d->out, d->loop, t, depth, d->now);
    dump_awaited(d, t, depth + 1);
}

/* The one task that t cannot go on without; NULL when there is none, or several. */
static struct task *blocker(const struct task *t)
{
    if (t->state != TASK_PARKED)
        return NULL;
    if (t->on.kind == ON_TASK)
        return t->on.task;
    if (t->on.kind == ON_OBJECT && t->on.object->ops->holder)
        return t->on.object->ops->holder(t->on.object);
    return NULL;
}

/* Says who waits in a circle, once: at the task of the lowest index. */
static void dump_circle(struct dump *d, struct task *t)
{
    struct task *u = t;
    for (unsigned n = 0; n < CIRCLE_MAX; n++) {
        if (!(u = blocker(u)) || u->index < t->index)
            return;
        if (u == t)
            break;
    }
    if (u != t)
        return;
    struct out *o = &d->out;
    put(o, "  circle: ");
    put(o, t->name);
    do {
        put(o, " waits for ");
        if (u->on.kind == ON_OBJECT) {
            put_named(o, u->on.object->ops->noun, u->on.object->name);
            put(o, " held by ");
        }
        u = blocker(u);
        put(o, u->name);
        put(o, u == t ? "\n" : " that");
    } while (u != t);
}

static void dump_head(struct dump *d)
{
    struct loop *l = d->loop;
    uint32_t running = 0, ready = 0, waiting = 0, over = 0;
    for (uint32_t i = 0; i < l->task_count; i++) {
        const struct task *t = lsrt_task_at(l, i);
        running += t->state == TASK_RUNNING;
        ready += t->state == TASK_READY;
        waiting += t->state == TASK_PARKED;
        over += t->state == TASK_DONE;
    }
    struct out *o = &d->out;
    put(o, "loop '");
    put(o, l->name);
    put(o, "' (thread ");
    put_number(o, (uint64_t)l->tid);
    put(o, l->closing ? ", closing): " : "): ");
    put_count(o, l->live, "task", "tasks");
    put(o, running ? ", 1 running, " : ", none running, ");
    put_number(o, ready);
    put(o, " ready, ");
    put_number(o, waiting);
    put(o, " waiting; ");
    if (over) {
        put_number(o, over);
        put(o, " over and not yet awaited; ");
    }
    put_count(o, l->timers.count, "timer", "timers");
    put(o, "\n");
}

static void dump_objects(struct dump *d)
{
    struct out *o = &d->out;
    for (struct object *x = lsrt_object_next(d->loop, 0); x; x = lsrt_object_next(d->loop, x->index + 1)) {
        char text[96] = "";
        put(o, "  ");
        put_named(o, x->ops->noun, x->name);
        if (x->ops->describe)
            x->ops->describe(x, text, sizeof text);
        if (*text) {
            put(o, ": ");
            put(o, text);
        }
        put(o, "; made at ");
        put_site(o, x->site);
        put(o, "\n");
    }
}

static int dump_loop(struct loop *l, int fd)
{
    struct dump d = { .out.fd = fd, .loop = l, .number = ++l->dumps };
    int error = errno;
    d.now = lsrt_now();
    dump_head(&d);
    for (uint32_t i = 0; i < l->task_count; i++) { /* those that nobody awaits are the roots */
        struct task *t = lsrt_task_at(l, i);
        if (alive(t) && !t->waiters && !t->group)
            dump_tree(&d, t, 0);
    }
    for (uint32_t i = 0; i < l->task_count; i++) { /* of an open group, too deep, or in a circle */
        struct task *t = lsrt_task_at(l, i);
        if (alive(t) && t->dumped != d.number)
            dump_tree(&d, t, 0);
    }
    for (uint32_t i = 0; i < l->task_count; i++)
        dump_circle(&d, lsrt_task_at(l, i));
    dump_objects(&d);
    flush(&d.out);
    errno = error;
    return d.out.error;
}

int ls_dump(int fd)
{
    struct loop *l = lsrt_loop();
    if (!l)
        return lsrt_misuse(EPERM, "ls_dump: this thread has no loop");
    return lsrt_result(dump_loop(l, fd));
}

int ls_dump_all(int fd)
{
    int error = 0;
    for (size_t i = 0; i < LOOPS && !error; i++) {
        struct loop *l = atomic_load(&loops[i]);
        if (l)
            error = dump_loop(l, fd);
    }
    return lsrt_result(error);
}

static struct ls_task_info info_of(struct loop *l, struct task *t)
{
    static const enum ls_task_state states[] = { [TASK_READY] = LS_TASK_READY,
                                                 [TASK_RUNNING] = LS_TASK_RUNNING,
                                                 [TASK_PARKED] = LS_TASK_WAITING,
                                                 [TASK_ABANDONED] = LS_TASK_ABANDONED };
    bool waits = t->state == TASK_PARKED;
    struct ls_task_info info = {
        .task = lsrt_task_handle(l, t), .name = t->name, .state = states[t->state], .fd = -1, .spawned_at = t->site
    };
    if (t->stack) {
        info.stack_used = lsrt_stack_high_water(t->stack);
        info.stack_size = (size_t)(t->stack->hi - t->stack->lo);
    }
    if (waits) {
        info.why = t->why;
        info.since = t->since ? t->since : l->began;
        info.waits_at = t->at;
        if (t->on.kind == ON_FD)
            info.fd = t->on.fd;
        else if (t->on.kind == ON_TASK)
            info.target = t->on.task->name;
        else if (t->on.kind == ON_OBJECT)
            info.target = t->on.object->name;
    }
    return info;
}

int ls_tasks_foreach(int (*fn)(const struct ls_task_info *info, void *arg), void *arg)
{
    struct loop *l = lsrt_loop();
    if (!l)
        return lsrt_misuse(EPERM, "ls_tasks_foreach: this thread has no loop");
    if (!fn)
        return lsrt_misuse(EINVAL, "ls_tasks_foreach: the function is NULL");
    int status = 0;
    for (uint32_t i = 0; i < l->task_count && !status; i++) {
        struct task *t = lsrt_task_at(l, i);
        if (!alive(t))
            continue;
        struct ls_task_info info = info_of(l, t);
        t->refs++; /* so that its handle is good in fn, also when all others were given back */
        t->lent++;
        status = fn(&info, arg);
        t->lent--;
        lsrt_task_unref(l, t);
    }
    return status;
}

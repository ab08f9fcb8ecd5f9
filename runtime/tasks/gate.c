/* gate.c - see gate.h.  Runs on the loop's thread. */
#include "gate.h"

#include <errno.h>
#include <stdio.h>

#include "group.h"
#include "runtime/core/loop.h"
#include "runtime/core/object.h"
#include "runtime/sync/holder.h"

#define SEARCH_STEPS 256 /* a longer circle is found by the loop, when nothing is left to run */
#define SEARCH_WIDTH 32

size_t lsrt_task_needs(const struct task *t, struct task *ret[], size_t room)
{
    size_t count = 0;
    if (t->state != TASK_PARKED)
        return 0;
    const struct gate *g = t->gate;
    for (size_t i = 0; g && (!g->any || g->n == 1) && i < g->n && count < room; i++)
        if (g->member[i].link)
            ret[count++] = g->member[i].target;
    for (struct task *u = t->joining ? lsrt_group_first(t) : NULL; u && count < room; u = u->group_next)
        ret[count++] = u;
    if (!lsrt_has_end(t) && count < room && (ret[count] = lsrt_holder_of(t->on)))
        count++;
    return count;
}

int lsrt_gate_deadlock(struct loop *l, struct task *t, const char *call)
{
    struct task *self = l->current, *todo[SEARCH_WIDTH];
    if (t != self && t->state != TASK_PARKED)
        return 0;
    size_t count = 1;
    todo[0] = t;
    for (int steps = 0; count && steps < SEARCH_STEPS; steps++) {
        struct task *u = todo[--count];
        if (t == self)
            return lsrt_misuse(EDEADLK, "%s: task '%s' would wait for itself", call, self->name);
        if (u == self)
            return lsrt_misuse(EDEADLK, "%s: task '%s' would wait for itself through '%s'", call, self->name, t->name);
        if (!u->deadline.place) /* else it goes on.  (A scope's cancel would go through this await, and in a circle.) */
            count += lsrt_task_needs(u, todo + count, SEARCH_WIDTH - count);
    }
    return 0;
}

static void waiter_link(struct waiter *w, struct task *t, struct gate *g)
{
    w->gate = g;
    w->target = t;
    w->next = t->waiters;
    w->link = &t->waiters;
    if (w->next)
        w->next->link = &w->next;
    t->waiters = w;
}

int lsrt_gate_link(struct loop *l, struct gate *g, struct ls_task *const tasks[], size_t n, const char *call)
{
    g->task = l->current;
    for (size_t i = 0; i < n; i++) {
        struct task *t = lsrt_task_of(l, tasks[i], call);
        if (!t)
            goto undo;
        if (t != l->current && g->exclusive && t->awaiters + t->lent >= t->refs) {
            if (t->lent)
                lsrt_misuse(EBUSY, "%s: the handle of task '%s' is its group's: ls_ref it first", call, t->name);
            else
                lsrt_misuse(EBUSY, "%s: somebody awaits task '%s' already", call, t->name);
            goto undo;
        }
        if ((!g->any || n == 1 || t == l->current) && lsrt_gate_deadlock(l, t, call))
            goto undo;
        struct waiter *w = &g->member[g->n++];
        *w = (struct waiter){ .gate = g, .target = t };
        if (t->state != TASK_DONE)
            waiter_link(w, t, g);
        t->awaiters += g->exclusive;
    }
    return 0;
undo:;
    int error = errno;
    lsrt_gate_unlink(g);
    errno = error;
    return -1;
}

void lsrt_gate_unlink(struct gate *g)
{
    for (size_t i = 0; i < g->n; i++) {
        struct waiter *w = &g->member[i];
        if (g->exclusive)
            w->target->awaiters--;
        if (!w->link)
            continue;
        *w->link = w->next;
        if (w->next)
            w->next->link = w->link;
        w->link = NULL;
    }
}

/* One of the members is over. */
static void count_end(struct gate *g, const struct task *t)
{
    if (g->left)
        g->left--;
    if (t->result == -1 && g->first_failure && !g->failed && !(g->skip_cancelled && lsrt_task_cancelled(t))) {
        g->failed = true;
        g->error = t->error;
    }
}

/* After a cancel went through, all the members have to be over. */
static bool is_open(const struct gate *g)
{
    if (!g->cancelled)
        return !g->left || g->failed;
    for (size_t i = 0; i < g->n; i++)
        if (g->member[i].link)
            return false;
    return true;
}

void lsrt_gates_open(struct loop *l, struct task *t)
{
    struct waiter *first = NULL; /* who came first is woken first */
    for (struct waiter *w = t->waiters, *next; w; w = next) {
        next = w->next;
        w->next = first;
        first = w;
    }
    t->waiters = NULL;
    for (struct waiter *w = first; w; w = w->next) {
        w->link = NULL;
        count_end(w->gate, t);
        if (is_open(w->gate))
            lsrt_wake(l, w->gate->task, 0);
    }
}

static const struct object_ops all_ops = { .kind = LS_OBJECT_GROUP, .noun = "gather" };
static const struct object_ops any_ops = { .kind = LS_OBJECT_SELECT, .noun = "wait" };

static void tell_members(const struct gate *g, struct object *o)
{
    uint32_t ids[64];
    unsigned n = 0;
    for (size_t i = 0; i < g->n; i++) {
        ids[n++] = lsrt_task_probe_id(g->member[i].target);
        if (n == 64 || i + 1 == g->n) {
            ls_probe_members(lsrt_object_probe_id(o), ids, n);
            n = 0;
        }
    }
}

static int park_on_many(struct loop *l, struct gate *g, const char *noun, struct ls_site *site, ls_ns deadline)
{
    struct object o = { .ops = g->any ? &any_ops : &all_ops, .site = site };
    snprintf(o.name, sizeof o.name, "%s of %zu", noun, g->n);
    if (ls_probe_on())
        tell_members(g, &o);
    int code = lsrt_park(l, LS_WHY_GROUP, on_object(&o), site, deadline);
    if (o.probe_id)
        ls_probe_object_end(o.probe_id);
    return code;
}

int lsrt_gate_park(struct loop *l, struct gate *g, const char *noun, struct ls_site *site, ls_ns deadline)
{
    struct task *self = l->current;
    int code = 0;
    for (size_t i = 0; i < g->n; i++)
        if (!g->member[i].link) /* over already */
            count_end(g, g->member[i].target);
    if (!is_open(g)) {
        if (g->through && self->cancel && !l->closing) { /* as if it came while this task waits */
            self->cancel = 0;
            lsrt_cancel_through(l, g, self->cancel_why);
        }
        self->gate = g;
        code = noun ? park_on_many(l, g, noun, site, deadline)
                    : lsrt_park(l, LS_WHY_TASK, on_task(g->member[0].target), site, deadline);
        self->gate = NULL;
    }
    return g->cancelled ? lsrt_gate_told(self, code) : code;
}

int lsrt_gate_told(struct task *self, int code)
{
    if (code != ECANCELED) { /* else the loop has */
        self->told++;
        self->cancel = 0; /* with what came since it opened */
    }
    return ECANCELED;
}

intptr_t lsrt_task_take(struct loop *l, struct task *t)
{
    intptr_t result = t->result;
    if (!t->observed && ls_probe_on())
        ls_probe_task_observed(lsrt_task_probe_id(t));
    t->observed = true;
    lsrt_task_unref(l, t);
    return result;
}

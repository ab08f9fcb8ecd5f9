/* timeout.c - scopes in which a task has until a deadline.  Runs on the loop's thread.
 *
 * The caller's `struct ls_timeout` is only a name, its address: a function may return with a scope open, and its stack
 * frame is no place for a timer then.  A task's open scopes are a list, and so are the loop's; those that ended wait to
 * be used again.  An expiry is a cancel of the task, and the scope's end takes that cancel back: if then no more cancels
 * are left than there were at the begin, the expiry was all that happened. */
#include <errno.h>
#include <stdlib.h>

#include "more.h"
#include "runtime/core/loop.h"

struct scope {
    struct timer_node node; /* first */
    const struct ls_timeout *name;
    struct task *task;
    struct scope *outer;
    struct scope *next, **link; /* among the loop's */
    uint32_t told;              /* the task's, when it expired */
    uint16_t cancels;           /* those that the task had been told of at the begin */
    bool expired;
};

static void expire(struct loop *l, struct scope *s)
{
    s->expired = true;
    s->told = s->task->told;
    lsrt_task_cancel(l, s->task, "a timeout expired");
}

static void fire(struct loop *l, struct timer_node *n)
{
    expire(l, (struct scope *)(void *)n);
}

static int arm(struct loop *l, struct scope *s, ls_ns deadline)
{
    if (deadline == LS_NEVER)
        return 0;
    if (deadline > lsrt_now())
        return lsrt_timer_add(&l->timers, &s->node, deadline);
    expire(l, s);
    return 0;
}

/* The open scope of any task that lies there; else as scope_of. */
static struct scope *scope_anywhere(struct loop *l, const struct ls_timeout *scope, const char *call)
{
    for (struct scope *s = l->current ? l->current->scopes : NULL; s; s = s->outer)
        if (s->name == scope)
            return s;
    for (struct scope *s = l->scopes; s; s = s->next)
        if (s->name == scope)
            return s;
    lsrt_misuse(EINVAL, "%s: not an open timeout", call);
    return NULL;
}

/* The open scope of the running task that lies there; NULL after setting errno and the error text. */
static struct scope *scope_of(struct loop *l, const struct ls_timeout *scope, const char *call)
{
    struct scope *s = l->current->scopes;
    while (s && s->name != scope)
        s = s->outer;
    if (!s)
        lsrt_misuse(EINVAL, "%s: not an open timeout of task '%s'", call, l->current->name);
    return s;
}

static struct scope *scope_new(struct loop *l)
{
    struct scope *s = l->free_scopes;
    if (!s)
        return malloc(sizeof *s);
    l->free_scopes = s->next;
    return s;
}

static void scope_put(struct loop *l, struct scope *s)
{
    s->next = l->free_scopes;
    l->free_scopes = s;
}

void lsrt_scopes_free(struct loop *l)
{
    for (struct scope *s; (s = l->scopes);) {
        l->scopes = s->next;
        free(s);
    }
    for (struct scope *s; (s = l->free_scopes);) {
        l->free_scopes = s->next;
        free(s);
    }
}

int ls_timeout_begin(struct ls_timeout *scope, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_timeout_begin");
    if (!l)
        return -1;
    if (!scope)
        return lsrt_misuse(EINVAL, "ls_timeout_begin: the timeout is NULL");
    struct task *t = l->current;
    for (struct scope *u = t->scopes; u; u = u->outer)
        if (u->name == scope)
            return lsrt_misuse(EBUSY, "ls_timeout_begin: this timeout of task '%s' was begun already", t->name);
    struct scope *s = scope_new(l);
    if (!s)
        return lsrt_result(ENOMEM);
    *s = (struct scope){ .node.fire = fire, .name = scope, .task = t, .cancels = (uint16_t)(t->cancels - t->cancel) };
    int error = arm(l, s, deadline);
    if (error) {
        scope_put(l, s);
        return lsrt_result(error);
    }
    s->outer = t->scopes;
    t->scopes = s;
    s->next = l->scopes;
    s->link = &l->scopes;
    if (s->next)
        s->next->link = &s->next;
    l->scopes = s;
    return 0;
}

int ls_timeout_reschedule(struct ls_timeout *scope, ls_ns deadline)
{
    struct loop *l = lsrt_on_loop("ls_timeout_reschedule");
    struct scope *s = l ? scope_anywhere(l, scope, "ls_timeout_reschedule") : NULL;
    if (!s)
        return -1;
    if (s->expired)
        return lsrt_result(EALREADY);
    lsrt_timer_remove(&l->timers, &s->node);
    return lsrt_result(arm(l, s, deadline));
}

/* The innermost; true: it has interrupted the task, and nobody else has. */
static bool end(struct loop *l, struct task *t)
{
    struct scope *s = t->scopes;
    t->scopes = s->outer;
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    lsrt_timer_remove(&l->timers, &s->node);
    bool alone = s->expired && lsrt_task_uncancel(t, s->told) && t->cancels <= s->cancels;
    scope_put(l, s);
    return alone;
}

int ls_timeout_end(struct ls_timeout *scope)
{
    struct loop *l = lsrt_inside("ls_timeout_end");
    struct scope *s = l ? scope_of(l, scope, "ls_timeout_end") : NULL;
    if (!s)
        return -1;
    struct task *t = l->current;
    while (t->scopes != s) /* begun after it, and left without an end */
        end(l, t);
    return lsrt_result(end(l, t) ? ETIMEDOUT : 0);
}

int ls_timeout_expired(const struct ls_timeout *scope)
{
    struct loop *l = lsrt_on_loop("ls_timeout_expired");
    struct scope *s = l ? scope_anywhere(l, scope, "ls_timeout_expired") : NULL;
    return s ? s->expired : -1;
}

void lsrt_scopes_end(struct loop *l, struct task *t)
{
    while (t->scopes)
        end(l, t);
}

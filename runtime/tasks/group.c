/* group.c - tasks that end together.  Runs on the loop's thread.
 *
 * A group has one reference to each of its tasks until that is over, and is itself over when its opener has closed it:
 * ls_group_close returns when no task is left, so no task ever sees its group gone.  With a limit, the tasks beyond it
 * are PARKED before their first run, in a queue through `next`. */
#include "group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "more.h"
#include "runtime/core/loop.h"
#include "runtime/core/object.h"
#include "runtime/core/waitq.h"

struct group {
    struct object object;
    struct task *opener;
    struct group *outer; /* opened before by the same task */
    struct task *first, **end;
    size_t count, running, limit; /* limit 0: none */
    struct task *queue, **queue_end;
    struct waitq rooms; /* who waits for the group to have room */
    bool ending;        /* it is being cancelled: no new ones */
    bool closing;
    bool asked;       /* the opener was cancelled by a failure, when it was told so often: */
    uint32_t told;    /* before that */
    uint16_t cancels; /* the opener's, at the open */
    int error;        /* of the first failure */
    struct ls_group_error *errors;
    size_t error_count, error_room;
};

static void group_destroy(struct loop *l, struct object *o)
{
    (void)l;
    free(((struct group *)(void *)o)->errors);
}

static void group_describe(const struct object *o, char *text, size_t size)
{
    const struct group *g = (const struct group *)(const void *)o;
    snprintf(text, size, "%zu tasks, %zu wait for their turn%s", g->count, g->count - g->running,
             g->ending ? ", being cancelled" : "");
}

static const struct object_ops group_ops = { .kind = LS_OBJECT_GROUP,
                                             .noun = "group",
                                             .size = sizeof(struct group),
                                             .destroy = group_destroy,
                                             .describe = group_describe };

struct task *lsrt_group_first(const struct task *t)
{
    for (const struct group *g = t->more ? t->more->groups : NULL; g; g = g->outer)
        if (g->closing)
            return g->first;
    return NULL;
}

struct ls_group *ls_group_open_at(struct ls_site *site, const char *name)
{
    struct loop *l = lsrt_inside("ls_group_open");
    struct more *m = l ? lsrt_more(l->current) : NULL;
    struct group *g = m ? lsrt_object_new(l, &group_ops, site, name) : NULL;
    if (!g)
        return NULL;
    g->opener = l->current;
    g->cancels = l->current->cancels;
    g->end = &g->first;
    g->queue_end = &g->queue;
    g->outer = m->groups;
    m->groups = g;
    return lsrt_object_handle(l, g);
}

static struct group *group_of(struct loop *l, struct ls_group *group, const char *call)
{
    return l ? lsrt_object_of(l, group, &group_ops, call) : NULL;
}

static bool has_room(const struct group *g)
{
    return !g->limit || g->running < g->limit;
}

/* Off the queue of those that wait for their turn; it runs soon. */
void lsrt_group_begin(struct loop *l, struct task *t)
{
    struct group *g = t->group;
    struct task **link = &g->queue;
    while (*link != t)
        link = &(*link)->next;
    if (!(*link = t->next))
        g->queue_end = link;
    g->running++;
    lsrt_wake(l, t, 0);
}

/* Lets those run that may, and those spawn that wait for room. */
static void move_up(struct loop *l, struct group *g)
{
    while (g->queue && has_room(g))
        lsrt_group_begin(l, g->queue);
    if (!g->queue && has_room(g))
        for (size_t room = g->limit ? g->limit - g->running : SIZE_MAX; room && waitq_serve(l, &g->rooms); room--)
            ;
}

static void tell_member(struct group *g, struct task *t)
{
    uint32_t id = lsrt_task_probe_id(t);
    ls_probe_members(lsrt_object_probe_id(&g->object), &id, 1);
}

struct ls_task *ls_group_spawn_at(struct ls_site *site, struct ls_group *group, ls_fn *fn, void *arg, const char *name,
                                  ...)
{
    struct loop *l = lsrt_on_loop("ls_group_spawn");
    struct group *g = group_of(l, group, "ls_group_spawn");
    if (!g)
        return NULL;
    if (!fn) {
        lsrt_misuse(EINVAL, "ls_group_spawn: the function is NULL");
        return NULL;
    }
    if (g->ending) {
        lsrt_misuse(ECANCELED, "ls_group_spawn: group '%s' is being cancelled", g->object.name);
        return NULL;
    }
    va_list ap;
    va_start(ap, name);
    struct task *t = lsrt_task_new(l, site, fn, arg, name, ap);
    va_end(ap);
    if (!t)
        return NULL;
    t->lent = 1; /* its one reference is the group's */
    t->group = g;
    t->group_next = NULL;
    t->group_link = g->end;
    *g->end = t;
    g->end = &t->group_next;
    g->count++;
    bool turn = has_room(g) && !g->queue;
    if (ls_probe_on())
        t->probe_id = turn ? ls_probe_task_new(t->parent, site, lsrt_task_probe_name(t))
                           : ls_probe_task_waiting(t->parent, site, lsrt_task_probe_name(t), LS_WHY_GROUP,
                                                   lsrt_object_probe_id(&g->object));
    if (ls_probe_on() && g->closing)
        tell_member(g, t);
    if (turn) {
        g->running++;
        lsrt_ready(l, t);
    } else {
        t->state = TASK_PARKED;
        t->why = LS_WHY_GROUP;
        t->on = on_object(&g->object);
        t->since = l->tick;
        t->at = site;
        t->next = NULL;
        *g->queue_end = t;
        g->queue_end = &t->next;
    }
    return lsrt_task_handle(l, t);
}

static void refuse_room(struct loop *l, struct group *g)
{
    for (struct wait *w; (w = waitq_first(&g->rooms));) {
        waitq_remove(&g->rooms, w);
        lsrt_wake(l, w->task, ECANCELED);
    }
}

static void end_all(struct loop *l, struct group *g, const char *why)
{
    if (g->ending)
        return;
    g->ending = true;
    for (struct task *t = g->first; t; t = t->group_next)
        lsrt_task_cancel_but(l, t, why, g->opener); /* which waits for them */
    refuse_room(l, g);
}

void lsrt_groups_end(struct task *t)
{
    for (struct group *g = t->more ? t->more->groups : NULL; g; g = g->outer)
        g->ending = true;
}

/* Keeps the error of a task; without memory only the first errno. */
static void keep_error(struct group *g, const struct task *t)
{
    if (!g->error)
        g->error = t->error;
    if (g->error_count == g->error_room) {
        size_t room = g->error_room ? 2 * g->error_room : 4;
        struct ls_group_error *errors = realloc(g->errors, room * sizeof *errors);
        if (!errors)
            return;
        g->errors = errors;
        g->error_room = room;
    }
    struct ls_group_error *e = &g->errors[g->error_count++];
    snprintf(e->name, sizeof e->name, "%s", t->name);
    e->error = t->error;
}

void lsrt_group_left(struct loop *l, struct task *t)
{
    struct group *g = t->group;
    *t->group_link = t->group_next;
    if (t->group_next)
        t->group_next->group_link = t->group_link;
    else
        g->end = t->group_link;
    t->group = NULL;
    t->refs--; /* who calls frees the task */
    t->lent--;
    g->count--;
    g->running--;
    if (t->state == TASK_DONE) {
        t->observed = true;
        if (ls_probe_on())
            ls_probe_task_observed(lsrt_task_probe_id(t));
        if (t->result == -1 && !lsrt_task_cancelled(t)) {
            keep_error(g, t);
            if (!g->ending && !g->closing) {
                g->asked = true;
                g->told = g->opener->told;
                lsrt_task_cancel(l, g->opener, "a task of its group failed");
            }
            end_all(l, g, "another task of the group failed");
        }
    }
    move_up(l, g);
    if (!g->count && g->closing)
        lsrt_wake(l, g->opener, 0);
}

/* A task of the group that waits for the opener would never end. */
static int circle(struct loop *l, struct group *g)
{
    for (struct task *t = g->first; t; t = t->group_next)
        if (t->gate && lsrt_gate_deadlock(l, t, "ls_group_close"))
            return EDEADLK;
    return 0;
}

/* Until no task is left; 0, or errno of the first thing that came in between, which cancelled them. */
static int wait_all(struct loop *l, struct group *g, struct ls_site *site, ls_ns deadline)
{
    struct task *self = l->current;
    if (ls_probe_on())
        for (struct task *t = g->first; t; t = t->group_next)
            tell_member(g, t);
    int error = circle(l, g);
    if (error)
        end_all(l, g, "its group's end would wait for itself");
    g->closing = self->joining = true;
    while (g->count) {
        int code = lsrt_park(l, LS_WHY_GROUP, on_object(&g->object), site, error ? LS_NEVER : deadline);
        if (!code)
            continue;
        if (!error)
            error = code;
        if (code == EDEADLK) /* none of them can go on: once more for those that were cancelled before */
            g->ending = false;
        end_all(l, g, code == ETIMEDOUT ? "the deadline of the group passed" : self->cancel_why);
    }
    self->joining = false;
    return error;
}

static void unlink_group(struct more *m, struct group *g)
{
    struct group **link = &m->groups;
    while (*link != g)
        link = &(*link)->outer;
    *link = g->outer;
}

/* 0 or errno of the whole; the group is gone. */
static int close_group(struct loop *l, struct group *g, struct ls_site *site, ls_ns deadline)
{
    struct task *self = l->current;
    if (g->asked) /* this is where its cancel was to bring the opener */
        lsrt_task_uncancel(self, g->told);
    int error = wait_all(l, g, site, deadline);
    if (!error && g->ending)
        error = ECANCELED;
    if (g->error) {
        error = g->error;
        if (self->cancels > g->cancels) /* somebody's cancel, that the failure hides: told at the next await */
            self->cancel = 1;
    }
    unlink_group(self->more, g);
    free(self->more->errors);
    self->more->errors = g->errors;
    self->more->error_count = g->error_count;
    g->errors = NULL;
    refuse_room(l, g);
    lsrt_object_free(l, g);
    return error;
}

int ls_group_close_at(struct ls_site *site, struct ls_group *group, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_group_close");
    struct group *g = group_of(l, group, "ls_group_close");
    if (!g)
        return -1;
    if (g->opener != l->current)
        return lsrt_misuse(EPERM, "ls_group_close: group '%s' was opened by task '%s', not by '%s'", g->object.name,
                           g->opener->name, l->current->name);
    return lsrt_result(close_group(l, g, site, deadline));
}

void lsrt_groups_close(struct loop *l, struct task *t)
{
    while (t->more->groups) {
        struct group *g = t->more->groups;
        lsrt_misuse(EINVAL, "task '%s' returned with group '%s' open: its tasks are cancelled", t->name,
                    g->object.name);
        end_all(l, g, "the opener of the group returned");
        close_group(l, g, g->object.site, LS_NEVER);
    }
}

int ls_group_room_at(struct ls_site *site, struct ls_group *group, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_group_room");
    struct group *g = group_of(l, group, "ls_group_room");
    if (!g)
        return -1;
    while (!g->ending && (g->queue || !has_room(g))) {
        struct wait w;
        int code = waitq_park(l, &g->rooms, &w, LS_WHY_GROUP, &g->object, site, deadline);
        if (code)
            return lsrt_result(code);
        if (!(g = group_of(l, group, "ls_group_room"))) /* its opener may have closed it meanwhile */
            return -1;
    }
    return lsrt_result(g->ending ? ECANCELED : 0);
}

int ls_group_limit(struct ls_group *group, size_t n)
{
    struct loop *l = lsrt_on_loop("ls_group_limit");
    struct group *g = group_of(l, group, "ls_group_limit");
    if (!g)
        return -1;
    g->limit = n;
    move_up(l, g);
    return 0;
}

int ls_group_cancel(struct ls_group *group, const char *why)
{
    struct loop *l = lsrt_on_loop("ls_group_cancel");
    struct group *g = group_of(l, group, "ls_group_cancel");
    if (!g)
        return -1;
    end_all(l, g, why);
    return 0;
}

ssize_t ls_group_count(struct ls_group *group)
{
    struct loop *l = lsrt_on_loop("ls_group_count");
    struct group *g = group_of(l, group, "ls_group_count");
    return g ? (ssize_t)g->count : -1;
}

ssize_t ls_group_errors(struct ls_group *group, struct ls_group_error errors[], size_t n)
{
    struct loop *l = group ? lsrt_on_loop("ls_group_errors") : lsrt_inside("ls_group_errors");
    struct group *g = group ? group_of(l, group, "ls_group_errors") : NULL;
    if (!l || (group && !g))
        return -1;
    const struct more *m = group ? NULL : l->current->more;
    const struct ls_group_error *from = g ? g->errors : m ? m->errors : NULL;
    size_t count = g ? g->error_count : m ? m->error_count : 0;
    if (count && n)
        memcpy(errors, from, (n < count ? n : count) * sizeof *errors);
    return (ssize_t)count;
}

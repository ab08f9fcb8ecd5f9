/* cancel.c - asking tasks to end.  Runs on the loop's thread.
 *
 * t->cancels counts the calls, less what ls_uncancel took back; t->cancel those of them that the task was not told yet:
 * they are told together, by one ECANCELED, and t->told counts that. */
#include "runtime/core/loop.h"

#include <errno.h>

#include "gate.h"
#include "more.h"

static void add_one(uint16_t *count)
{
    if (*count < UINT16_MAX)
        ++*count;
}

/* Tells the task itself: now, when it waits, else at its next await. */
void lsrt_task_cancel_here(struct loop *l, struct task *t, const char *why)
{
    t->cancel_why = why;
    if (t->state == TASK_PARKED && t->stack) {
        t->told++;
        lsrt_wake(l, t, ECANCELED);
    } else if (t->state == TASK_READY && t->code == ECANCELED) { /* about to be told already: both at once */
        t->told++;
    } else {
        add_one(&t->cancel);
        if (t->state == TASK_PARKED)
            lsrt_group_begin(l, t);
    }
}

/* The tasks that a cancel has still to go on from; linked through `next`, which a PARKED task has no other use for. */
struct through {
    struct task *first, **end;
    uint32_t pass;
    const char *why;
    const struct task *spared; /* a cancel does not go on to it: who waits for it is told instead */
};

static bool goes_through(const struct gate *g, const struct task *spared)
{
    if (!g || !g->through)
        return false;
    for (size_t i = 0; spared && i < g->n; i++)
        if (g->member[i].link && g->member[i].target == spared)
            return false;
    return true;
}

/* For t itself, or for what it waits for: then it is put on the list, once. */
static void cancel_or_list(struct loop *l, struct through *x, struct task *t)
{
    if (t->state != TASK_READY && t->state != TASK_RUNNING && t->state != TASK_PARKED)
        return;
    struct gate *g = t->state == TASK_PARKED ? t->gate : NULL;
    bool on = goes_through(g, x->spared);
    if (on && g->pass == x->pass)
        return;
    add_one(&t->cancels);
    if (!on) {
        lsrt_task_cancel_here(l, t, x->why);
        return;
    }
    g->pass = x->pass;
    t->cancel_why = x->why;
    t->next = NULL;
    *x->end = t;
    x->end = &t->next;
}

static void through_members(struct loop *l, struct through *x, struct gate *g)
{
    g->cancelled = true;
    for (size_t i = 0; i < g->n; i++)
        if (g->member[i].link)
            cancel_or_list(l, x, g->member[i].target);
}

/* No recursion: a chain of awaits may be as long as it likes. */
static void through_all(struct loop *l, struct through *x)
{
    while (x->first) {
        struct task *t = x->first;
        if (!(x->first = t->next))
            x->end = &x->first;
        through_members(l, x, t->gate);
    }
}

void lsrt_task_cancel_but(struct loop *l, struct task *t, const char *why, const struct task *spared)
{
    struct through x = { .end = &x.first, .pass = ++l->cancel_pass, .why = why, .spared = spared };
    cancel_or_list(l, &x, t);
    through_all(l, &x);
}

void lsrt_task_cancel(struct loop *l, struct task *t, const char *why)
{
    lsrt_task_cancel_but(l, t, why, NULL);
}

void lsrt_cancel_through(struct loop *l, struct gate *g, const char *why)
{
    struct through x = { .end = &x.first, .pass = ++l->cancel_pass, .why = why };
    g->pass = x.pass;
    through_members(l, &x, g);
    through_all(l, &x);
}

bool lsrt_task_uncancel(struct task *t, uint32_t told)
{
    bool was_told = t->told != told;
    if (t->cancels)
        t->cancels--;
    if (!was_told && t->cancel)
        t->cancel--;
    if (t->cancel > t->cancels)
        t->cancel = t->cancels;
    return was_told;
}

int ls_cancel(struct ls_task *task, const char *why)
{
    struct loop *l = lsrt_on_loop("ls_cancel");
    struct task *t = l ? lsrt_task_of(l, task, "ls_cancel") : NULL;
    if (!t)
        return -1;
    if (t->state == TASK_DONE)
        return lsrt_result(ESRCH);
    lsrt_task_cancel(l, t, why);
    return 0;
}

const char *ls_cancel_why(void)
{
    struct loop *l = lsrt_inside("ls_cancel_why");
    return l ? l->current->cancel_why : NULL;
}

int ls_cancelling(struct ls_task *task)
{
    struct loop *l = lsrt_on_loop("ls_cancelling");
    struct task *t = l ? lsrt_task_of(l, task, "ls_cancelling") : NULL;
    return t ? t->cancels : -1;
}

int ls_uncancel(void)
{
    struct loop *l = lsrt_inside("ls_uncancel");
    if (!l)
        return -1;
    struct task *t = l->current;
    if (t->cancels)
        t->cancels--;
    if (t->cancel > t->cancels)
        t->cancel = t->cancels;
    return t->cancels;
}

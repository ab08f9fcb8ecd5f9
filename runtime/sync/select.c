/* select.c - ls_select: waits on several channels, queues and events at once.  Runs on the loop's thread.
 *
 * A case that cannot go on has a wait in its object's queue; all of them are of one task, so the first object that serves
 * one takes the task out of the others' reach, too (it is PARKED no longer). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mailbox.h"
#include "sync.h"

#define FEW 8 /* cases without malloc */

struct choice {
    struct object *object; /* NULL: never goes on */
    struct wait wait;
};

/* The objects of the cases: 0, or -1 and errno. */
static int look_up(struct ls_case cases[], size_t n, struct choice *ret)
{
    static const struct object_ops *const ops[] = { [LS_CASE_SEND] = &lsrt_chan_ops,
                                                    [LS_CASE_RECV] = &lsrt_chan_ops,
                                                    [LS_CASE_PUT] = &lsrt_queue_ops,
                                                    [LS_CASE_GET] = &lsrt_queue_ops,
                                                    [LS_CASE_EVENT] = &lsrt_event_ops };
    for (size_t i = 0; i < n; i++) {
        unsigned kind = cases[i].kind;
        if (kind > LS_CASE_EVENT)
            return lsrt_misuse(EINVAL, "ls_select: case %zu is of no kind", i);
        ret[i].object = cases[i].on ? lsrt_sync_of(cases[i].on, ops[kind], "ls_select") : NULL;
        if (cases[i].on && !ret[i].object)
            return -1;
    }
    return 0;
}

/* 0, EPIPE, or EAGAIN: it would have to wait. */
static int try(struct loop *l, const struct ls_case *c, struct object *o)
{
    switch (c->kind) {
    case LS_CASE_SEND:
    case LS_CASE_PUT: return lsrt_mailbox_put(l, (struct mailbox *)o, c->item);
    case LS_CASE_RECV:
    case LS_CASE_GET: return lsrt_mailbox_take(l, (struct mailbox *)o, c->item);
    default: return ((struct event *)o)->set ? 0 : EAGAIN;
    }
}

static struct waitq *queue_of(const struct ls_case *c, struct object *o)
{
    switch (c->kind) {
    case LS_CASE_SEND:
    case LS_CASE_PUT: return &((struct mailbox *)o)->givers;
    case LS_CASE_RECV:
    case LS_CASE_GET: return &((struct mailbox *)o)->takers;
    default: return &((struct event *)o)->waiters;
    }
}

/* Which case is tried first.  Without a seed it is chance that comes out the same each time; taking turns would not do:
 * where two selects alternate, each would have the same turns for ever. */
static size_t first_of(struct loop *l, size_t n)
{
    uint32_t x = ++l->selects * 0x9e3779b9u; /* the counter, mixed (the finalizer of MurmurHash3) */
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return n ? (l->seed ? lsrt_random(l) : x ^ x >> 16) % n : 0;
}

static const struct object_ops select_ops = { .kind = LS_OBJECT_SELECT, .noun = "select" };

static void tell_members(struct object *select, const struct choice *choices, size_t n)
{
    uint32_t few[FEW], *ids = n > FEW ? malloc(n * sizeof *ids) : few;
    unsigned members = 0;
    if (!ids)
        return;
    for (size_t i = 0; i < n; i++)
        if (choices[i].object)
            ids[members++] = lsrt_object_probe_id(choices[i].object);
    ls_probe_members(lsrt_object_probe_id(select), ids, members);
    if (ids != few)
        free(ids);
}

/* Waits until a case was served: its index, or -1 and *ret_error. */
static int wait_for_one(struct loop *l, struct ls_case cases[], struct choice *choices, size_t n, struct ls_site *site,
                        ls_ns deadline, int *ret_error)
{
    struct object select = { .ops = &select_ops, .site = site };
    int served = -1;
    snprintf(select.name, sizeof select.name, "select of %zu", n);
    if (ls_probe_on())
        tell_members(&select, choices, n);
    for (size_t i = 0; i < n; i++) {
        choices[i].wait.item = cases[i].item;
        if (choices[i].object)
            waitq_add(queue_of(&cases[i], choices[i].object), &choices[i].wait, l->current);
    }
    *ret_error = lsrt_park(l, LS_WHY_SELECT, on_object(&select), site, deadline);
    for (size_t i = 0; i < n; i++) {
        if (!choices[i].object)
            continue;
        if (choices[i].wait.served) /* its object may be gone already */
            served = (int)i;
        else
            waitq_remove(queue_of(&cases[i], choices[i].object), &choices[i].wait);
    }
    if (select.probe_id)
        ls_probe_object_end(select.probe_id);
    if (served >= 0)
        *ret_error = choices[served].wait.code;
    return served;
}

int ls_select_at(struct ls_site *site, struct ls_case cases[], size_t n, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_select");
    if (!l)
        return -1;
    struct choice few[FEW], *choices = n > FEW ? malloc(n * sizeof *choices) : few;
    if (!choices)
        return -1;
    int index = -1, error = look_up(cases, n, choices) ? errno : EAGAIN;
    for (size_t i = 0, at = first_of(l, n); i < n && error == EAGAIN; i++, at = at + 1 < n ? at + 1 : 0)
        if (choices[at].object && (error = try(l, &cases[at], choices[at].object)) != EAGAIN)
            index = (int)at;
    if (error == EAGAIN)
        index = wait_for_one(l, cases, choices, n, site, deadline, &error);
    if (choices != few)
        free(choices);
    if (index < 0 || (error && error != EPIPE))
        return lsrt_result(error);
    cases[index].error = error;
    return index;
}

/* barrier.c - ls_barrier: tasks that go on together, round after round.  Runs on the loop's thread. */
#include <errno.h>
#include <stdio.h>

#include "sync.h"

struct barrier {
    struct object object;
    struct waitq waiters;
    size_t parties;
    bool broken;
};

static void barrier_describe(const struct object *o, char *text, size_t size)
{
    const struct barrier *b = (const struct barrier *)o;
    snprintf(text, size, "%s%zu of %zu wait", b->broken ? "broken, " : "", b->waiters.count, b->parties);
}

static const struct object_ops barrier_ops = {
    .kind = LS_OBJECT_BARRIER, .noun = "barrier", .size = sizeof(struct barrier), .describe = barrier_describe
};

struct ls_barrier *ls_barrier_new_at(struct ls_site *site, const char *name, size_t n)
{
    if (!n) {
        lsrt_misuse(EINVAL, "ls_barrier_new: a barrier for no task");
        return NULL;
    }
    struct barrier *b = lsrt_sync_new(&barrier_ops, site, name);
    if (!b)
        return NULL;
    b->parties = n;
    return lsrt_object_handle(lsrt_here, b);
}

int ls_barrier_wait_at(struct ls_site *site, struct ls_barrier *barrier, ls_ns deadline)
{
    struct barrier *b = lsrt_sync_inside(barrier, &barrier_ops, "ls_barrier_wait");
    if (!b)
        return -1;
    struct loop *l = lsrt_here;
    if (b->broken)
        return lsrt_result(EPIPE);
    if (waitq_count(&b->waiters) + 1 < b->parties) {
        struct wait w;
        int code = waitq_park(l, &b->waiters, &w, LS_WHY_BARRIER, &b->object, site, deadline);
        return code ? lsrt_result(code) : (int)(intptr_t)w.item;
    }
    intptr_t index = 0;
    for (struct wait *w; (w = waitq_serve(l, &b->waiters)); index++)
        w->item = (void *)index;
    return (int)index;
}

static int break_it(struct ls_barrier *barrier, bool broken, const char *call)
{
    struct barrier *b = lsrt_sync_of(barrier, &barrier_ops, call);
    if (!b)
        return -1;
    b->broken = broken;
    while (waitq_serve_code(lsrt_here, &b->waiters, EPIPE))
        ;
    return 0;
}

int ls_barrier_reset(struct ls_barrier *barrier)
{
    return break_it(barrier, false, "ls_barrier_reset");
}

int ls_barrier_abort(struct ls_barrier *barrier)
{
    return break_it(barrier, true, "ls_barrier_abort");
}

int ls_barrier_broken(struct ls_barrier *barrier)
{
    struct barrier *b = lsrt_sync_of(barrier, &barrier_ops, "ls_barrier_broken");
    return b ? b->broken : -1;
}

ssize_t ls_barrier_waiting(struct ls_barrier *barrier)
{
    struct barrier *b = lsrt_sync_of(barrier, &barrier_ops, "ls_barrier_waiting");
    return b ? (ssize_t)waitq_count(&b->waiters) : -1;
}

int ls_barrier_free(struct ls_barrier *barrier)
{
    struct barrier *b = lsrt_sync_of(barrier, &barrier_ops, "ls_barrier_free");
    return b ? lsrt_sync_free(b, b->waiters.count, "ls_barrier_free") : -1;
}

/* event.c - ls_event: a flag that tasks wait for.  Runs on the loop's thread. */
#include <stdio.h>

#include "sync.h"

static void event_describe(const struct object *o, char *text, size_t size)
{
    const struct event *e = (const struct event *)o;
    snprintf(text, size, "%s, %zu wait", e->set ? "set" : "clear", e->waiters.count);
}

const struct object_ops lsrt_event_ops = {
    .kind = LS_OBJECT_EVENT, .noun = "event", .size = sizeof(struct event), .describe = event_describe
};

struct ls_event *ls_event_new_at(struct ls_site *site, const char *name)
{
    struct event *e = lsrt_sync_new(&lsrt_event_ops, site, name);
    return e ? lsrt_object_handle(lsrt_here, e) : NULL;
}

int ls_event_wait_at(struct ls_site *site, struct ls_event *event, ls_ns deadline)
{
    struct event *e = lsrt_sync_inside(event, &lsrt_event_ops, "ls_event_wait");
    if (!e)
        return -1;
    struct wait w;
    return e->set ? 0 : lsrt_result(waitq_park(lsrt_here, &e->waiters, &w, LS_WHY_EVENT, &e->object, site, deadline));
}

int ls_event_set(struct ls_event *event)
{
    struct event *e = lsrt_sync_of(event, &lsrt_event_ops, "ls_event_set");
    if (!e)
        return -1;
    e->set = true;
    while (waitq_serve(lsrt_here, &e->waiters))
        ;
    return 0;
}

int ls_event_clear(struct ls_event *event)
{
    struct event *e = lsrt_sync_of(event, &lsrt_event_ops, "ls_event_clear");
    if (!e)
        return -1;
    e->set = false;
    return 0;
}

int ls_event_is_set(struct ls_event *event)
{
    struct event *e = lsrt_sync_of(event, &lsrt_event_ops, "ls_event_is_set");
    return e ? e->set : -1;
}

int ls_event_free(struct ls_event *event)
{
    struct event *e = lsrt_sync_of(event, &lsrt_event_ops, "ls_event_free");
    return e ? lsrt_sync_free(e, e->waiters.count, "ls_event_free") : -1;
}

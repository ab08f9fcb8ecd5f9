/* queue.c - ls_queue: work handed from tasks to tasks, and the count of what is done.  Runs on the loop's thread. */
#include <errno.h>
#include <stdio.h>

#include "mailbox.h"
#include "sync.h"

struct queue {
    struct mailbox box;
    struct waitq joiners;
    uint64_t done; /* of what was put */
};

static void queue_describe(const struct object *o, char *text, size_t size)
{
    const struct queue *q = (const struct queue *)o;
    char limit[32] = "";
    if (q->box.max != SIZE_MAX)
        snprintf(limit, sizeof limit, " of %zu", q->box.max);
    snprintf(text, size, "%s%zu%s items, %zu not done, %zu wait to get, %zu to put, %zu to join",
             q->box.closed ? "shut down, " : "", q->box.count, limit, (size_t)(q->box.accepted - q->done),
             q->box.takers.count, q->box.givers.count, q->joiners.count);
}

const struct object_ops lsrt_queue_ops = { .kind = LS_OBJECT_QUEUE,
                                           .noun = "queue",
                                           .size = sizeof(struct queue),
                                           .destroy = lsrt_mailbox_destroy,
                                           .describe = queue_describe };

static struct queue *queue_new(struct ls_site *site, const char *name, enum order order, size_t item_size, size_t max,
                               ls_compare *compare)
{
    struct queue *q = lsrt_sync_new(&lsrt_queue_ops, site, name);
    if (!q)
        return NULL;
    lsrt_mailbox_init(&q->box, order, item_size, max ? max : SIZE_MAX);
    q->box.compare = compare;
    return lsrt_object_handle(lsrt_here, q);
}

struct ls_queue *ls_queue_new_at(struct ls_site *site, const char *name, size_t item_size, size_t max, int lifo)
{
    return (struct ls_queue *)queue_new(site, name, lifo ? LIFO : FIFO, item_size, max, NULL);
}

struct ls_queue *ls_queue_new_priority_at(struct ls_site *site, const char *name, size_t item_size, size_t max,
                                          ls_compare *compare)
{
    if (compare)
        return (struct ls_queue *)queue_new(site, name, PRIORITY, item_size, max, compare);
    lsrt_misuse(EINVAL, "ls_queue_new_priority: no function that compares");
    return NULL;
}

int ls_queue_put_at(struct ls_site *site, struct ls_queue *queue, const void *item, ls_ns deadline)
{
    struct queue *q = lsrt_sync_inside(queue, &lsrt_queue_ops, "ls_queue_put");
    return q ? lsrt_result(lsrt_mailbox_give(lsrt_here, &q->box, item, LS_WHY_QUEUE_PUT, site, deadline)) : -1;
}

int ls_queue_get_at(struct ls_site *site, struct ls_queue *queue, void *ret_item, ls_ns deadline)
{
    struct queue *q = lsrt_sync_inside(queue, &lsrt_queue_ops, "ls_queue_get");
    return q ? lsrt_result(lsrt_mailbox_get(lsrt_here, &q->box, ret_item, LS_WHY_QUEUE_GET, site, deadline)) : -1;
}

int ls_queue_put_nowait(struct ls_queue *queue, const void *item)
{
    struct queue *q = lsrt_sync_of(queue, &lsrt_queue_ops, "ls_queue_put_nowait");
    return q ? lsrt_result(lsrt_mailbox_put(lsrt_here, &q->box, item)) : -1;
}

int ls_queue_get_nowait(struct ls_queue *queue, void *ret_item)
{
    struct queue *q = lsrt_sync_of(queue, &lsrt_queue_ops, "ls_queue_get_nowait");
    return q ? lsrt_result(lsrt_mailbox_take(lsrt_here, &q->box, ret_item)) : -1;
}

ssize_t ls_queue_size(struct ls_queue *queue)
{
    struct queue *q = lsrt_sync_of(queue, &lsrt_queue_ops, "ls_queue_size");
    return q ? (ssize_t)q->box.count : -1;
}

int ls_queue_empty(struct ls_queue *queue)
{
    struct queue *q = lsrt_sync_of(queue, &lsrt_queue_ops, "ls_queue_empty");
    return q ? q->box.count == 0 : -1;
}

int ls_queue_full(struct ls_queue *queue)
{
    struct queue *q = lsrt_sync_of(queue, &lsrt_queue_ops, "ls_queue_full");
    return q ? q->box.count >= q->box.max : -1;
}

/* n more are done: 0, or EINVAL when fewer were to be done. */
static int done(struct queue *q, uint64_t n)
{
    if (q->box.accepted - q->done < n)
        return EINVAL;
    q->done += n;
    if (q->done == q->box.accepted)
        while (waitq_serve(lsrt_here, &q->joiners))
            ;
    return 0;
}

int ls_queue_task_done(struct ls_queue *queue)
{
    struct queue *q = lsrt_sync_of(queue, &lsrt_queue_ops, "ls_queue_task_done");
    if (!q)
        return -1;
    if (!done(q, 1))
        return 0;
    return lsrt_misuse(EINVAL, "ls_queue_task_done: called more often than items were put into queue '%s'",
                       q->box.object.name);
}

int ls_queue_join_at(struct ls_site *site, struct ls_queue *queue, ls_ns deadline)
{
    struct queue *q = lsrt_sync_inside(queue, &lsrt_queue_ops, "ls_queue_join");
    if (!q)
        return -1;
    struct wait w; /* the event is that all is done */
    return q->done == q->box.accepted
               ? 0
               : lsrt_result(waitq_park(lsrt_here, &q->joiners, &w, LS_WHY_EVENT, &q->box.object, site, deadline));
}

int ls_queue_shutdown(struct ls_queue *queue, int now)
{
    struct queue *q = lsrt_sync_of(queue, &lsrt_queue_ops, "ls_queue_shutdown");
    if (!q)
        return -1;
    lsrt_mailbox_close(lsrt_here, &q->box);
    size_t left = now ? q->box.count : 0;
    uint64_t undone = q->box.accepted - q->done;
    if (now)
        q->box.count = 0;
    done(q, left < undone ? left : undone);
    return 0;
}

int ls_queue_free(struct ls_queue *queue)
{
    struct queue *q = lsrt_sync_of(queue, &lsrt_queue_ops, "ls_queue_free");
    return q ? lsrt_sync_free(q, q->box.takers.count + q->box.givers.count + q->joiners.count, "ls_queue_free") : -1;
}

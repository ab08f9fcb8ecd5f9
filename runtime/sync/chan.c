/* chan.c - ls_chan: Go's channels.  Runs on the loop's thread. */
#include <errno.h>
#include <stdio.h>

#include "mailbox.h"
#include "sync.h"

struct chan {
    struct mailbox box;
};

static void chan_describe(const struct object *o, char *text, size_t size)
{
    const struct mailbox *m = &((const struct chan *)o)->box;
    snprintf(text, size, "%s%zu of %zu items, %zu wait to receive, %zu to send", m->closed ? "closed, " : "", m->count,
             m->max, m->takers.count, m->givers.count);
}

const struct object_ops lsrt_chan_ops = { .kind = LS_OBJECT_CHANNEL,
                                          .noun = "channel",
                                          .size = sizeof(struct chan),
                                          .destroy = lsrt_mailbox_destroy,
                                          .describe = chan_describe };

struct ls_chan *ls_chan_new_at(struct ls_site *site, const char *name, size_t item_size, size_t capacity)
{
    struct chan *c = lsrt_sync_new(&lsrt_chan_ops, site, name);
    if (!c)
        return NULL;
    lsrt_mailbox_init(&c->box, FIFO, item_size, capacity);
    if (lsrt_mailbox_reserve(&c->box, capacity)) {
        lsrt_object_free(lsrt_here, c);
        errno = ENOMEM;
        return NULL;
    }
    return lsrt_object_handle(lsrt_here, c);
}

int ls_chan_send_at(struct ls_site *site, struct ls_chan *chan, const void *item, ls_ns deadline)
{
    struct chan *c = lsrt_sync_inside(chan, &lsrt_chan_ops, "ls_chan_send");
    return c ? lsrt_result(lsrt_mailbox_give(lsrt_here, &c->box, item, LS_WHY_CHAN_SEND, site, deadline)) : -1;
}

/* 1: an item; 0: closed and drained. */
static int received(int error)
{
    return !error ? 1 : error == EPIPE ? 0 : lsrt_result(error);
}

int ls_chan_recv_at(struct ls_site *site, struct ls_chan *chan, void *ret_item, ls_ns deadline)
{
    struct chan *c = lsrt_sync_inside(chan, &lsrt_chan_ops, "ls_chan_recv");
    return c ? received(lsrt_mailbox_get(lsrt_here, &c->box, ret_item, LS_WHY_CHAN_RECV, site, deadline)) : -1;
}

int ls_chan_try_send(struct ls_chan *chan, const void *item)
{
    struct chan *c = lsrt_sync_of(chan, &lsrt_chan_ops, "ls_chan_try_send");
    return c ? lsrt_result(lsrt_mailbox_put(lsrt_here, &c->box, item)) : -1;
}

int ls_chan_try_recv(struct ls_chan *chan, void *ret_item)
{
    struct chan *c = lsrt_sync_of(chan, &lsrt_chan_ops, "ls_chan_try_recv");
    return c ? received(lsrt_mailbox_take(lsrt_here, &c->box, ret_item)) : -1;
}

ssize_t ls_chan_size(struct ls_chan *chan)
{
    struct chan *c = lsrt_sync_of(chan, &lsrt_chan_ops, "ls_chan_size");
    return c ? (ssize_t)c->box.count : -1;
}

int ls_chan_close(struct ls_chan *chan)
{
    struct chan *c = lsrt_sync_of(chan, &lsrt_chan_ops, "ls_chan_close");
    if (!c)
        return -1;
    if (c->box.closed)
        return lsrt_misuse(EPIPE, "ls_chan_close: channel '%s' is closed already", c->box.object.name);
    lsrt_mailbox_close(lsrt_here, &c->box);
    return 0;
}

int ls_chan_free(struct ls_chan *chan)
{
    struct chan *c = lsrt_sync_of(chan, &lsrt_chan_ops, "ls_chan_free");
    return c ? lsrt_sync_free(c, c->box.takers.count + c->box.givers.count, "ls_chan_free") : -1;
}

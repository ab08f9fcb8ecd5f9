/* mailbox.h - what queues and channels have in common: items that are copied in and out, and tasks that wait at both ends.
 *
 * Whoever puts while somebody waits to take copies straight into the taker's memory; so takers wait only while it is
 * empty, givers only while it is full, and nothing is ever between two owners.  A wait's item is where the item comes from
 * or goes to.  Runs on the loop's thread. */
#ifndef LSRT_MAILBOX_H
#define LSRT_MAILBOX_H

#include <loopscope/sync.h>

#include "runtime/core/object.h"
#include "runtime/core/waitq.h"

struct mailbox {
    struct object object;
    struct waitq takers, givers;
    enum order { FIFO, LIFO, PRIORITY } order;
    bool closed;
    size_t item_size;
    size_t max;    /* items that wait here at most */
    char *slots;   /* FIFO: a ring; LIFO: a stack; PRIORITY: a binary heap */
    size_t stride; /* of a slot: the item, and for PRIORITY its number */
    size_t room, count, first;
    uint64_t accepted; /* items ever put */
    ls_compare *compare;
};

void lsrt_mailbox_init(struct mailbox *m, enum order order, size_t item_size, size_t max);
void lsrt_mailbox_destroy(struct loop *l, struct object *o);
/* Without waiting: 0, EAGAIN, EPIPE (closed; for take: and empty), put also ENOMEM. */
int lsrt_mailbox_put(struct loop *l, struct mailbox *m, const void *item);
int lsrt_mailbox_take(struct loop *l, struct mailbox *m, void *ret_item);
/* The same, waiting until it can be done: ETIMEDOUT, ECANCELED instead of EAGAIN. */
int lsrt_mailbox_give(struct loop *l, struct mailbox *m, const void *item, enum ls_why why, struct ls_site *site,
                      ls_ns deadline);
int lsrt_mailbox_get(struct loop *l, struct mailbox *m, void *ret_item, enum ls_why why, struct ls_site *site,
                     ls_ns deadline);
/* Makes room for n items: 0, ENOMEM. */
int lsrt_mailbox_reserve(struct mailbox *m, size_t n);
/* No more puts; who waits at either end gets EPIPE. */
void lsrt_mailbox_close(struct loop *l, struct mailbox *m);

/* For select: those of queue.c and chan.c. */
extern const struct object_ops lsrt_queue_ops, lsrt_chan_ops;

#endif

/* sync.h - what the files of loopscope/sync.h share.  Everything belongs to the loop's thread. */
#ifndef LSRT_SYNC_H
#define LSRT_SYNC_H

#include <loopscope/sync.h>

#include "runtime/core/object.h"
#include "runtime/core/schedule.h"
#include "runtime/core/waitq.h"

/* A new object of this thread's loop; NULL and errno. */
void *lsrt_sync_new(const struct object_ops *ops, struct ls_site *site, const char *name);
/* The object of a handle, of this thread's loop, inside a task or not; NULL, errno and the error text. */
static inline void *lsrt_sync_of(const void *handle, const struct object_ops *ops, const char *call)
{
    struct loop *l = lsrt_here;
    if (LSRT_UNLIKELY(!l || !l->current) && !(l = lsrt_on_loop(call)))
        return NULL;
    return lsrt_object_of(l, handle, ops, call);
}
/* The same for what waits: inside a task only. */
static inline void *lsrt_sync_inside(const void *handle, const struct object_ops *ops, const char *call)
{
    struct loop *l = lsrt_here;
    if (LSRT_UNLIKELY(!l || !l->current) && !(l = lsrt_inside(call)))
        return NULL;
    return lsrt_object_of(l, handle, ops, call);
}
/* Frees it when no task waits for it; 0, or EBUSY (-1, errno). */
int lsrt_sync_free(void *object, size_t waiting, const char *call);

struct event {
    struct object object;
    struct waitq waiters;
    bool set;
};
extern const struct object_ops lsrt_event_ops;

/* lock.c, for conditions */
struct lock;
struct lock *lsrt_lock_held(const struct ls_lock *handle, const char *call); /* by the running task; else NULL and errno */
void lsrt_lock_release(struct loop *l, struct lock *k);
/* Has the lock again, however often it is cancelled meanwhile: 0, or ECANCELED when it was.  Without the lock: EDEADLK,
 * EOWNERDEAD, EINVAL (it was freed). */
int lsrt_lock_again(struct loop *l, const struct ls_lock *handle, struct ls_site *site, const char *call);

#endif

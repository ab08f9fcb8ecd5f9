/* lock.c - ls_lock: one holder at a time, handed over to the first that waits.  Runs on the loop's thread.
 *
 * When nobody holds it, nobody waits: who releases it while somebody waits makes that one its holder. */
#include <errno.h>
#include <stdio.h>

#include "holder.h"
#include "sync.h"

struct lock {
    struct object object;
    struct waitq waiters;
    struct holder holder;
};

static void lock_describe(const struct object *o, char *text, size_t size)
{
    const struct lock *k = (const struct lock *)o;
    if (!k->holder.task)
        snprintf(text, size, "free");
    else
        snprintf(text, size, "held by '%s'%s, %zu wait", holder_name(&k->holder),
                 holder_is_over(&k->holder) ? ", which is over" : "", k->waiters.count);
}

static struct task *lock_holder(const struct object *o)
{
    const struct lock *k = (const struct lock *)o;
    return k->holder.task && k->holder.task->generation == k->holder.generation ? k->holder.task : NULL;
}

static int orphan(const struct lock *k, const char *call)
{
    lsrt_misuse(EOWNERDEAD, "%s: lock '%s' was not given back by '%s', which is over", call, k->object.name,
                holder_name(&k->holder));
    return EOWNERDEAD;
}

static void lock_orphaned(struct loop *l, struct object *o, struct task *t)
{
    struct lock *k = (struct lock *)o;
    if (k->holder.task != t || k->holder.generation != t->generation)
        return;
    t->holds--;
    holder_tell(o, &k->holder, false);
    if (l->debug)
        lsrt_debug_held(t, o);
    while (waitq_serve_code(l, &k->waiters, EOWNERDEAD))
        ;
}

static const struct object_ops lock_ops = { .kind = LS_OBJECT_LOCK,
                                            .noun = "lock",
                                            .size = sizeof(struct lock),
                                            .describe = lock_describe,
                                            .holder = lock_holder,
                                            .orphaned = lock_orphaned };

/* Why the running task may not wait for it: it holds it, its holder is over, or the wait would never end; else 0. */
static inline int refuse(struct loop *l, struct lock *k, bool for_good, const char *call)
{
    if (holder_is_over(&k->holder))
        return orphan(k, call);
    if (k->holder.task == l->current) {
        lsrt_misuse(EDEADLK, "%s: task '%s' holds lock '%s' already", call, l->current->name, k->object.name);
        return EDEADLK;
    }
    return for_good && k->holder.task->state == TASK_PARKED ? lsrt_deadlock(l, &k->object, call) : 0;
}

/* The running task waits until the lock is its own; deadline NULL: whatever happens, lsrt_park_anyway. */
static inline int wait_for(struct loop *l, struct lock *k, struct ls_site *site, const ls_ns *deadline)
{
    struct wait w;
    holder_tell(&k->object, &k->holder, true);
    waitq_add(&k->waiters, &w, l->current);
    int code = deadline ? lsrt_park(l, LS_WHY_LOCK, on_object(&k->object), site, *deadline)
                        : lsrt_park_anyway(l, LS_WHY_LOCK, on_object(&k->object), site);
    waitq_remove(&k->waiters, &w);
    if (code && !w.served && !waitq_first(&k->waiters)) /* served: the lock may be gone */
        holder_tell(&k->object, &k->holder, false);
    return code;
}

void lsrt_lock_release(struct loop *l, struct lock *k)
{
    holder_drop(&k->object, &k->holder);
    struct wait *next = waitq_serve(l, &k->waiters);
    if (!next)
        return;
    holder_take(&k->holder, next->task);
    if (ls_probe_on() && waitq_first(&k->waiters))
        holder_tell(&k->object, &k->holder, true);
}

struct lock *lsrt_lock_held(const struct ls_lock *handle, const char *call)
{
    struct lock *k = lsrt_sync_inside(handle, &lock_ops, call);
    if (!k || k->holder.task == lsrt_here->current)
        return k;
    lsrt_misuse(EPERM, k->holder.task ? "%s: lock '%s' is held by '%s', not by this task" : "%s: lock '%s' is not held",
                call, k->object.name, k->holder.task ? holder_name(&k->holder) : "");
    return NULL;
}

int lsrt_lock_again(struct loop *l, const struct ls_lock *handle, struct ls_site *site, const char *call)
{
    for (int result = 0;;) {
        struct lock *k = lsrt_object_of(l, handle, &lock_ops, call); /* anew: it may have been freed meanwhile */
        if (!k)
            return errno;
        if (!k->holder.task) {
            holder_take(&k->holder, l->current);
            return result;
        }
        int code = refuse(l, k, true, call);
        if (!code && !(code = wait_for(l, k, site, NULL)))
            return result;
        if (code != ECANCELED)
            return code;
        result = ECANCELED;
    }
}

struct ls_lock *ls_lock_new_at(struct ls_site *site, const char *name)
{
    struct lock *k = lsrt_sync_new(&lock_ops, site, name);
    return k ? lsrt_object_handle(lsrt_here, k) : NULL;
}

int ls_lock_acquire_at(struct ls_site *site, struct ls_lock *lock, ls_ns deadline)
{
    struct lock *k = lsrt_sync_inside(lock, &lock_ops, "ls_lock_acquire");
    if (!k)
        return -1;
    struct loop *l = lsrt_here;
    if (!k->holder.task) {
        holder_take(&k->holder, l->current);
        return 0;
    }
    int code = refuse(l, k, deadline == LS_NEVER, "ls_lock_acquire");
    return lsrt_result(code ? code : wait_for(l, k, site, &deadline));
}

int ls_lock_try(struct ls_lock *lock)
{
    struct lock *k = lsrt_sync_inside(lock, &lock_ops, "ls_lock_try");
    if (!k)
        return -1;
    struct loop *l = lsrt_here;
    if (k->holder.task) {
        int code = refuse(l, k, false, "ls_lock_try");
        return lsrt_result(code ? code : EAGAIN);
    }
    holder_take(&k->holder, l->current);
    return 0;
}

int ls_lock_release(struct ls_lock *lock)
{
    struct lock *k = lsrt_sync_of(lock, &lock_ops, "ls_lock_release");
    if (!k)
        return -1;
    struct loop *l = lsrt_here;
    if (!k->holder.task)
        return lsrt_misuse(EPERM, "ls_lock_release: lock '%s' is not held", k->object.name);
    if (k->holder.task != l->current && !holder_is_over(&k->holder))
        return lsrt_misuse(EPERM, "ls_lock_release: lock '%s' is held by '%s', not by this task", k->object.name,
                           holder_name(&k->holder));
    lsrt_lock_release(l, k);
    return 0;
}

struct ls_task *ls_lock_holder(struct ls_lock *lock)
{
    struct lock *k = lsrt_sync_of(lock, &lock_ops, "ls_lock_holder");
    return k && k->holder.task && !holder_is_over(&k->holder) ? lsrt_task_handle(lsrt_here, k->holder.task) : NULL;
}

int ls_lock_free(struct ls_lock *lock)
{
    struct lock *k = lsrt_sync_of(lock, &lock_ops, "ls_lock_free");
    if (!k)
        return -1;
    if (k->holder.task && !holder_is_over(&k->holder))
        return lsrt_misuse(EBUSY, "ls_lock_free: lock '%s' is held by '%s'", k->object.name, holder_name(&k->holder));
    return lsrt_sync_free(k, k->waiters.count, "ls_lock_free");
}

/* cond.c - ls_cond: waits until others, under the same lock, have changed something.  Runs on the loop's thread. */
#include <errno.h>
#include <stdio.h>

#include "sync.h"

struct cond {
    struct object object;
    struct waitq waiters;
    struct ls_lock *lock; /* of those who wait */
};

static void cond_describe(const struct object *o, char *text, size_t size)
{
    const struct cond *c = (const struct cond *)o;
    snprintf(text, size, "%zu wait", c->waiters.count);
}

static const struct object_ops cond_ops = {
    .kind = LS_OBJECT_COND, .noun = "condition", .size = sizeof(struct cond), .describe = cond_describe
};

struct ls_cond *ls_cond_new_at(struct ls_site *site, const char *name)
{
    struct cond *c = lsrt_sync_new(&cond_ops, site, name);
    return c ? lsrt_object_handle(lsrt_here, c) : NULL;
}

int ls_cond_wait_at(struct ls_site *site, struct ls_cond *cond, struct ls_lock *lock, ls_ns deadline)
{
    struct cond *c = lsrt_sync_inside(cond, &cond_ops, "ls_cond_wait");
    struct lock *k = c ? lsrt_lock_held(lock, "ls_cond_wait") : NULL;
    if (!k)
        return -1;
    if (waitq_count(&c->waiters) && c->lock != lock)
        return lsrt_misuse(EINVAL, "ls_cond_wait: others wait for condition '%s' with another lock", c->object.name);
    struct loop *l = lsrt_here;
    struct wait w;
    c->lock = lock;
    lsrt_lock_release(l, k);
    int code = waitq_park(l, &c->waiters, &w, LS_WHY_COND, &c->object, site, deadline);
    int again = lsrt_lock_again(l, lock, site, "ls_cond_wait");
    if (again && w.served) /* it was meant for one that makes use of it */
        ls_cond_notify(cond, 1);
    return lsrt_result(again ? again : code);
}

int ls_cond_wait_for_at(struct ls_site *site, struct ls_cond *cond, struct ls_lock *lock, int (*predicate)(void *arg),
                        void *arg, ls_ns deadline)
{
    while (!predicate(arg))
        if (ls_cond_wait_at(site, cond, lock, deadline))
            return errno == ETIMEDOUT && predicate(arg) ? 0 : -1;
    return 0;
}

int ls_cond_notify(struct ls_cond *cond, size_t n)
{
    struct cond *c = lsrt_sync_of(cond, &cond_ops, "ls_cond_notify");
    if (!c)
        return -1;
    int served = 0;
    for (; n > 0 && waitq_serve(lsrt_here, &c->waiters); n--)
        served++;
    return served;
}

int ls_cond_notify_all(struct ls_cond *cond)
{
    return ls_cond_notify(cond, SIZE_MAX);
}

int ls_cond_free(struct ls_cond *cond)
{
    struct cond *c = lsrt_sync_of(cond, &cond_ops, "ls_cond_free");
    return c ? lsrt_sync_free(c, c->waiters.count, "ls_cond_free") : -1;
}

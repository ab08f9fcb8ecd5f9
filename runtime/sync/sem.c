/* sem.c - ls_sem: a count of permits, handed over to the first that waits.  Runs on the loop's thread.
 *
 * As asyncio's: nobody overtakes.  While a task that was handed a permit has not run yet, whoever comes waits behind it,
 * even when there are more permits; it lets them go on when it runs. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "sync.h"

struct sem {
    struct object object;
    struct waitq waiters;
    size_t value, bound;
    size_t handed; /* permits whose new holders have not run yet */
};

static void sem_describe(const struct object *o, char *text, size_t size)
{
    const struct sem *s = (const struct sem *)o;
    snprintf(text, size, "%zu left, %zu wait", s->value, s->waiters.count);
}

static const struct object_ops sem_ops = {
    .kind = LS_OBJECT_SEM, .noun = "semaphore", .size = sizeof(struct sem), .describe = sem_describe
};

struct ls_sem *ls_sem_new_at(struct ls_site *site, const char *name, size_t value, size_t bound)
{
    if (value > (bound ? bound : SSIZE_MAX)) {
        lsrt_misuse(EINVAL, "ls_sem_new: %zu permits, and no more than %zu allowed", value, bound ? bound : SSIZE_MAX);
        return NULL;
    }
    struct sem *s = lsrt_sync_new(&sem_ops, site, name);
    if (!s)
        return NULL;
    s->value = value;
    s->bound = bound ? bound : SSIZE_MAX; /* ls_sem_value could not tell of more */
    return lsrt_object_handle(lsrt_here, s);
}

/* Permits that are there go to those who wait. */
static void hand_over(struct loop *l, struct sem *s)
{
    while (s->value && waitq_serve(l, &s->waiters)) {
        s->value--;
        s->handed++;
    }
}

static bool take(struct sem *s)
{
    if (!s->value || s->handed)
        return false;
    s->value--;
    return true;
}

int ls_sem_acquire_at(struct ls_site *site, struct ls_sem *sem, ls_ns deadline)
{
    struct sem *s = lsrt_sync_inside(sem, &sem_ops, "ls_sem_acquire");
    if (!s)
        return -1;
    if (take(s))
        return 0;
    struct loop *l = lsrt_here;
    struct wait w;
    int code = waitq_park(l, &s->waiters, &w, LS_WHY_SEM, &s->object, site, deadline);
    if (w.served && !--s->handed)
        hand_over(l, s);
    return lsrt_result(code);
}

int ls_sem_try(struct ls_sem *sem)
{
    struct sem *s = lsrt_sync_of(sem, &sem_ops, "ls_sem_try");
    if (!s)
        return -1;
    return take(s) ? 0 : lsrt_result(EAGAIN);
}

int ls_sem_release(struct ls_sem *sem)
{
    struct sem *s = lsrt_sync_of(sem, &sem_ops, "ls_sem_release");
    if (!s)
        return -1;
    if (s->value == s->bound)
        return lsrt_misuse(EOVERFLOW, "ls_sem_release: semaphore '%s' has all its %zu permits already", s->object.name,
                           s->bound);
    s->value++;
    hand_over(lsrt_here, s);
    return 0;
}

ssize_t ls_sem_value(struct ls_sem *sem)
{
    struct sem *s = lsrt_sync_of(sem, &sem_ops, "ls_sem_value");
    return s ? (ssize_t)s->value : -1;
}

int ls_sem_free(struct ls_sem *sem)
{
    struct sem *s = lsrt_sync_of(sem, &sem_ops, "ls_sem_free");
    return s ? lsrt_sync_free(s, s->waiters.count + s->handed, "ls_sem_free") : -1;
}

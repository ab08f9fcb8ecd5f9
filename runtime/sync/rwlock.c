/* rwlock.c - ls_rwlock: many readers or one writer, phase-fair (Brandenburg and Anderson, "Spin-Based Reader-Writer
 * Synchronization for Multiprocessor Real-Time Systems", 2010).  Runs on the loop's thread.
 *
 * Readers wait only while somebody writes or waits to write; when nobody holds it, nobody waits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holder.h"
#include "sync.h"

#define FEW 4 /* holders without malloc */

struct rwlock {
    struct object object;
    struct waitq readers, writers;
    struct holder *holders; /* `few` or malloc'ed: one writer, or readers in no order */
    size_t count, room;
    bool writing;
    struct holder few[FEW];
};

static void rwlock_describe(const struct object *o, char *text, size_t size)
{
    const struct rwlock *k = (const struct rwlock *)o;
    char held[96] = "free";
    if (k->writing)
        snprintf(held, sizeof held, "written by '%s'", holder_name(k->holders));
    else if (k->count)
        snprintf(held, sizeof held, "read by %zu ('%s'%s)", k->count, holder_name(k->holders),
                 k->count > 1 ? ", ..." : "");
    snprintf(text, size, "%s, %zu wait to read, %zu to write", held, k->readers.count, k->writers.count);
}

/* One of several readers is not enough: all of them have to give it back. */
static struct task *rwlock_holder(const struct object *o)
{
    const struct rwlock *k = (const struct rwlock *)o;
    return k->count == 1 && k->holders->task->generation == k->holders->generation ? k->holders->task : NULL;
}

static void rwlock_destroy(struct loop *l, struct object *o)
{
    struct rwlock *k = (struct rwlock *)o;
    (void)l;
    if (k->holders != k->few)
        free(k->holders);
}

static void tell(struct rwlock *k, bool waited_for)
{
    for (size_t i = 0; i < k->count; i++)
        holder_tell(&k->object, &k->holders[i], waited_for);
}
static bool waited_for(struct rwlock *k)
{
    return waitq_first(&k->readers) || waitq_first(&k->writers);
}

static void add(struct rwlock *k, struct task *t, bool writing)
{
    k->writing = writing;
    holder_take(&k->holders[k->count++], t);
}

/* There is room for n holders: 0 or ENOMEM. */
static int reserve(struct rwlock *k, size_t n)
{
    if (n <= k->room)
        return 0;
    struct holder *holders = calloc(2 * n, sizeof *holders);
    if (!holders)
        return ENOMEM;
    memcpy(holders, k->holders, k->count * sizeof *holders);
    if (k->holders != k->few)
        free(k->holders);
    k->holders = holders;
    k->room = 2 * n;
    return 0;
}

/* All readers that wait; whoever waits has made room for itself. */
static void admit_readers(struct loop *l, struct rwlock *k)
{
    for (struct wait *w; (w = waitq_serve(l, &k->readers));)
        add(k, w->task, false);
}

/* A holder leaves: the other kind has its turn. */
static void drop(struct loop *l, struct rwlock *k, struct holder *h)
{
    bool wrote = k->writing;
    holder_drop(&k->object, h);
    *h = k->holders[--k->count];
    if (k->count)
        return;
    k->writing = false;
    if (wrote)
        admit_readers(l, k);
    struct wait *w = k->count ? NULL : waitq_serve(l, &k->writers);
    if (w)
        add(k, w->task, true);
    else
        admit_readers(l, k);
    if (k->count && waited_for(k))
        tell(k, true);
}

/* An end of a reader gives it back; what a writer left is not to be trusted. */
static void rwlock_orphaned(struct loop *l, struct object *o, struct task *t)
{
    struct rwlock *k = (struct rwlock *)o;
    size_t i = 0;
    while (i < k->count && (k->holders[i].task != t || k->holders[i].generation != t->generation))
        i++;
    if (i == k->count)
        return;
    if (l->debug)
        lsrt_debug_held(t, o);
    t->holds--;
    if (!k->writing) {
        drop(l, k, &k->holders[i]);
        return;
    }
    tell(k, false);
    while (waitq_serve_code(l, &k->readers, EOWNERDEAD) || waitq_serve_code(l, &k->writers, EOWNERDEAD))
        ;
}

static const struct object_ops rwlock_ops = { .kind = LS_OBJECT_RWLOCK,
                                              .noun = "rwlock",
                                              .size = sizeof(struct rwlock),
                                              .destroy = rwlock_destroy,
                                              .describe = rwlock_describe,
                                              .holder = rwlock_holder,
                                              .orphaned = rwlock_orphaned };

static struct holder *holding(struct rwlock *k, const struct task *t)
{
    for (size_t i = k->count; i-- > 0;)
        if (k->holders[i].task == t && !holder_is_over(&k->holders[i]))
            return &k->holders[i];
    return NULL;
}

static bool free_for(struct rwlock *k, bool to_write)
{
    return !k->count || (!to_write && !k->writing && !waitq_first(&k->writers));
}

/* Why the running task can neither have it nor wait for it; 0: it can. */
static int refuse(struct loop *l, struct rwlock *k, bool for_good, const char *call)
{
    if (k->writing && holder_is_over(k->holders)) {
        lsrt_misuse(EOWNERDEAD, "%s: rwlock '%s' was not given back by '%s', which is over", call, k->object.name,
                    holder_name(k->holders));
        return EOWNERDEAD;
    }
    if (holding(k, l->current)) {
        lsrt_misuse(EDEADLK, "%s: task '%s' holds rwlock '%s' already", call, l->current->name, k->object.name);
        return EDEADLK;
    }
    return for_good && k->count && k->holders->task->state == TASK_PARKED ? lsrt_deadlock(l, &k->object, call) : 0;
}

static int acquire(struct ls_site *site, struct ls_rwlock *lock, bool to_write, ls_ns deadline, const char *call)
{
    struct rwlock *k = lsrt_sync_inside(lock, &rwlock_ops, call);
    if (!k)
        return -1;
    struct loop *l = lsrt_here;
    bool at_once = free_for(k, to_write);
    int error = refuse(l, k, !at_once && deadline == LS_NEVER, call);
    if (!error && !to_write)
        error = reserve(k, k->count + k->readers.count + 1);
    if (error)
        return lsrt_result(error);
    if (at_once) {
        add(k, l->current, to_write);
        return 0;
    }
    struct wait w;
    tell(k, true);
    error = waitq_park(l, to_write ? &k->writers : &k->readers, &w, LS_WHY_LOCK, &k->object, site, deadline);
    if (!error || w.served)
        return lsrt_result(error);
    if (to_write && !k->writing && !waitq_first(&k->writers)) /* it was this writer that kept readers out */
        admit_readers(l, k);
    if (!waited_for(k))
        tell(k, false);
    return lsrt_result(error);
}

static int try(struct ls_rwlock *lock, bool to_write, const char *call)
{
    struct rwlock *k = lsrt_sync_inside(lock, &rwlock_ops, call);
    if (!k)
        return -1;
    struct loop *l = lsrt_here;
    int error = refuse(l, k, false, call);
    if (!error && !free_for(k, to_write))
        error = EAGAIN;
    if (!error && !(error = reserve(k, k->count + k->readers.count + 1)))
        add(k, l->current, to_write);
    return lsrt_result(error);
}

struct ls_rwlock *ls_rwlock_new_at(struct ls_site *site, const char *name)
{
    struct rwlock *k = lsrt_sync_new(&rwlock_ops, site, name);
    if (!k)
        return NULL;
    k->holders = k->few;
    k->room = FEW;
    return lsrt_object_handle(lsrt_here, k);
}

int ls_rwlock_read_at(struct ls_site *site, struct ls_rwlock *lock, ls_ns deadline)
{
    return acquire(site, lock, false, deadline, "ls_rwlock_read");
}

int ls_rwlock_write_at(struct ls_site *site, struct ls_rwlock *lock, ls_ns deadline)
{
    return acquire(site, lock, true, deadline, "ls_rwlock_write");
}

int ls_rwlock_try_read(struct ls_rwlock *lock)
{
    return try(lock, false, "ls_rwlock_try_read");
}

int ls_rwlock_try_write(struct ls_rwlock *lock)
{
    return try(lock, true, "ls_rwlock_try_write");
}

int ls_rwlock_release(struct ls_rwlock *lock)
{
    struct rwlock *k = lsrt_sync_of(lock, &rwlock_ops, "ls_rwlock_release");
    if (!k)
        return -1;
    struct loop *l = lsrt_here;
    struct holder *h = k->writing && holder_is_over(k->holders) ? k->holders : holding(k, l->current);
    if (!h)
        return lsrt_misuse(EPERM, "ls_rwlock_release: this task does not hold rwlock '%s'", k->object.name);
    drop(l, k, h);
    return 0;
}

int ls_rwlock_free(struct ls_rwlock *lock)
{
    struct rwlock *k = lsrt_sync_of(lock, &rwlock_ops, "ls_rwlock_free");
    if (!k)
        return -1;
    if (k->count && !(k->writing && holder_is_over(k->holders)))
        return lsrt_misuse(EBUSY, "ls_rwlock_free: rwlock '%s' is held by '%s'", k->object.name,
                           holder_name(k->holders));
    return lsrt_sync_free(k, k->readers.count + k->writers.count, "ls_rwlock_free");
}

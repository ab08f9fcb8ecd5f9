/* object.h - what tasks wait on: locks, queues, futures, streams.  Belongs to one loop, freed with it at the latest.
 *
 * Each kind of object embeds `struct object` as its first member.  A public handle is a number (loop, generation, index)
 * behind the pointer type of its kind, as a task's: one that is spent, made up, of another kind or another thread is found
 * out by comparing, and never followed. */
#ifndef LSRT_OBJECT_H
#define LSRT_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loopscope/probe.h>

#include "loop.h"

struct object_ops {
    enum ls_object_kind kind;
    const char *noun; /* "lock": in messages */
    size_t size;      /* of the whole struct */
    /* What is left to do when the object goes: by its free function, or by the end of its loop.  It must wake nobody that
     * is not parked on it, and not wait.  May be NULL. */
    void (*destroy)(struct loop *l, struct object *o);
    /* What it watches (lsrt_object_watch) is ready.  On the loop's own stack: it must not wait. */
    void (*event)(struct loop *l, struct object *o, uint32_t events);
    /* Its state in a few words for ls_dump, "held by 'writer', 2 wait".  May be NULL. */
    void (*describe)(const struct object *o, char *text, size_t size);
    /* The task that holds it and must give it back, NULL when none does; for ls_dump and LOOPSCOPE_DEBUG=1.  May be NULL. */
    struct task *(*holder)(const struct object *o);
    /* Task t ended, or was abandoned, and may have held it; holder.h.  May be NULL. */
    void (*orphaned)(struct loop *l, struct object *o, struct task *t);
};

struct object {
    const struct object_ops *ops;
    struct ls_site *site; /* where it was made */
    uint32_t index, generation;
    uint32_t probe_id; /* 0: not in the trace yet */
    bool own;          /* the runtime made it for itself: nobody else frees it */
    char name[36];
};

/* The objects of a loop, by index. */
struct object_seat {
    struct object *object;
    uintptr_t handle;    /* 0: free */
    uint32_t generation; /* of the object, or of the next one */
    uint32_t next_free;  /* index + 1 */
};
struct object_table {
    struct object_seat *seats;
    uint32_t count, room, free; /* free: index + 1 */
};

/* A zeroed object of ops->size with a name (copied; NULL: the noun).  NULL and ENOMEM. */
void *lsrt_object_new(struct loop *l, const struct object_ops *ops, struct ls_site *site, const char *name);
void lsrt_object_free(struct loop *l, void *object); /* its handles are spent */
void lsrt_object_retire(struct loop *l, struct object *o); /* its handles are spent, but it stays */
void *lsrt_object_handle(struct loop *l, const void *object);
/* NULL, errno and the error text: what is wrong with the handle. */
void *lsrt_object_refuse(struct loop *l, const void *handle, const struct object_ops *ops, const char *call);
/* The object of a handle, when it is a living one of `ops` and of this loop; else NULL, errno and the error text. */
static inline void *lsrt_object_of(struct loop *l, const void *handle, const struct object_ops *ops, const char *call)
{
    const struct object_table *t = l->objects;
    uint32_t index = (uint32_t)(uintptr_t)handle & LSRT_INDEX_MASK;
    if (__builtin_expect(handle && t && index < t->count, 1)) {
        const struct object_seat *seat = &t->seats[index];
        if (__builtin_expect(seat->handle == (uintptr_t)handle && seat->object->ops == ops, 1))
            return seat->object;
    }
    return lsrt_object_refuse(l, handle, ops, call);
}
/* Its id in the trace, told there at the first use; call it only while ls_probe_on(). */
uint32_t lsrt_object_probe_id(struct object *o);
/* Has the loop's epoll watch an fd (events as for epoll_ctl) for the object, until it is closed.  0 or errno. */
int lsrt_object_watch(struct loop *l, const struct object *o, int fd, uint32_t events);
#define LSRT_OBJECT_EVENT (1ull << 31) /* in the data of its epoll events; an fd's number is below */
void lsrt_object_event(struct loop *l, uint64_t data, uint32_t events);
/* The living objects in turn: start with 0 and go on with the index + 1 of the last; NULL: no more. */
struct object *lsrt_object_next(struct loop *l, uint32_t index);
void lsrt_objects_free(struct loop *l);

#endif

/* object.c - see object.h: the table of a loop's objects.  Runs on the loop's thread. */
#include "object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "loop.h"

static struct object_table *table_with_room(struct loop *l)
{
    struct object_table *t = l->objects;
    if (!t && !(t = l->objects = calloc(1, sizeof *t)))
        return NULL;
    if (t->free || t->count < t->room)
        return t;
    uint32_t room = t->room ? 2 * t->room : 32;
    if (room > LSRT_INDEX_MASK)
        return NULL;
    struct object_seat *seats = realloc(t->seats, room * sizeof *seats);
    if (!seats)
        return NULL;
    t->seats = seats;
    t->room = room;
    return t;
}

void *lsrt_object_new(struct loop *l, const struct object_ops *ops, struct ls_site *site, const char *name)
{
    struct object_table *t = table_with_room(l);
    struct object *o = t ? calloc(1, ops->size) : NULL;
    if (!o) {
        errno = ENOMEM;
        return NULL;
    }
    uint32_t index = t->free ? t->free - 1 : t->count;
    struct object_seat *seat = &t->seats[index];
    if (t->free)
        t->free = seat->next_free;
    else {
        t->count++;
        seat->generation = 1;
    }
    seat->object = o;
    seat->handle = lsrt_handle(l, HANDLE_OBJECT, seat->generation, index);
    o->ops = ops;
    o->site = site;
    o->index = index;
    o->generation = seat->generation;
    strncpy(o->name, name ? name : ops->noun, sizeof o->name - 1);
    return o;
}

void lsrt_object_free(struct loop *l, void *object)
{
    struct object *o = object;
    struct object_seat *seat = &l->objects->seats[o->index];
    if (o->ops->destroy)
        o->ops->destroy(l, o);
    if (o->probe_id)
        ls_probe_object_end(o->probe_id);
    seat->object = NULL;
    seat->handle = 0;
    seat->generation = (seat->generation + 1) & LSRT_INDEX_MASK;
    seat->next_free = l->objects->free;
    l->objects->free = o->index + 1;
    free(o);
}

void lsrt_object_retire(struct loop *l, struct object *o)
{
    struct object_seat *seat = &l->objects->seats[o->index];
    o->generation = seat->generation = (seat->generation + 1) & LSRT_INDEX_MASK;
    seat->handle = lsrt_handle(l, HANDLE_OBJECT, seat->generation, o->index);
}

void *lsrt_object_handle(struct loop *l, const void *object)
{
    return (void *)l->objects->seats[((const struct object *)object)->index].handle;
}

void *lsrt_object_refuse(struct loop *l, const void *handle, const struct object_ops *ops, const char *call)
{
    uintptr_t h = (uintptr_t)handle;
    uint32_t index = (uint32_t)h & LSRT_INDEX_MASK;
    const struct object_seat *seat = l->objects && index < l->objects->count ? &l->objects->seats[index] : NULL;
    if (!h)
        lsrt_misuse(EINVAL, "%s: the %s is NULL", call, ops->noun);
    else if (lsrt_handle_kind(h) != HANDLE_OBJECT)
        lsrt_misuse(EINVAL, "%s: not a %s%s", call, ops->noun,
                    lsrt_handle_kind(h) == HANDLE_TASK && lsrt_handle_loop(h) ? ", but perhaps a task" : "");
    else if (lsrt_handle_loop(h) != l->id)
        lsrt_misuse(EPERM, "%s: this %s is of another loop (%u, this is %u): it belongs to its thread", call, ops->noun,
                    lsrt_handle_loop(h), l->id);
    else if (seat && seat->handle == h)
        lsrt_misuse(EINVAL, "%s: not a %s: '%s' is a %s", call, ops->noun, seat->object->name, seat->object->ops->noun);
    else
        lsrt_misuse(EINVAL, "%s: this %s was freed already", call, ops->noun);
    return NULL;
}

uint32_t lsrt_object_probe_id(struct object *o)
{
    if (!o->probe_id)
        o->probe_id = ls_probe_object_new(o->ops->kind, o->name, o->site, -1);
    return o->probe_id;
}

int lsrt_object_watch(struct loop *l, const struct object *o, int fd, uint32_t events)
{
    struct epoll_event e = { .events = events,
                             .data.u64 = (uint64_t)o->generation << 32 | LSRT_OBJECT_EVENT | o->index };
    if (!epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e))
        return 0;
    return errno == EEXIST && !epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &e) ? 0 : errno; /* it was retired since */
}

void lsrt_object_event(struct loop *l, uint64_t data, uint32_t events)
{
    const struct object_seat *seat = &l->objects->seats[data & LSRT_INDEX_MASK];
    if (seat->object && seat->generation == data >> 32) /* not one that went a moment ago */
        seat->object->ops->event(l, seat->object, events);
}

struct object *lsrt_object_next(struct loop *l, uint32_t index)
{
    while (l->objects && index < l->objects->count) {
        struct object *o = l->objects->seats[index++].object;
        if (o)
            return o;
    }
    return NULL;
}

void lsrt_objects_free(struct loop *l)
{
    struct object_table *t = l->objects;
    if (!t)
        return;
    for (struct object *o; (o = lsrt_object_next(l, 0));)
        lsrt_object_free(l, o);
    free(t->seats);
    free(t);
    l->objects = NULL;
}

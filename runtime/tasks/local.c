/* local.c - values that a task has, and its children inherit.  Runs on the loop's thread.
 *
 * A task's values are a snapshot: an array that it shares with those it inherited it from or gave it to, until one of
 * them sets a value and takes a copy.  A spawn so costs a count, and nothing where no values are.  A value is shared by
 * the snapshots that hold it, and destroyed with the last. */
#include <errno.h>
#include <stdlib.h>

#include "more.h"
#include "runtime/core/loop.h"

struct value {
    uint32_t refs;
    const struct ls_local *key;
    void *value;
};
struct locals {
    uint32_t refs, count, room;
    struct value *values[];
};

static void value_drop(struct value *v)
{
    if (--v->refs)
        return;
    if (v->key->destroy)
        v->key->destroy(v->value);
    free(v);
}

struct locals *lsrt_locals_share(struct locals *s)
{
    s->refs++;
    return s;
}

void lsrt_locals_drop(struct locals *s)
{
    if (--s->refs)
        return;
    for (uint32_t i = 0; i < s->count; i++)
        value_drop(s->values[i]);
    free(s);
}

/* The task's own snapshot, with room for one more; NULL: no memory. */
static struct locals *own(struct task *t)
{
    struct locals *old = t->locals;
    if (old && old->refs == 1 && old->count < old->room)
        return old;
    uint32_t room = old ? old->count + 4 : 4;
    struct locals *s = malloc(sizeof *s + room * sizeof *s->values);
    if (!s)
        return NULL;
    s->refs = 1;
    s->room = room;
    s->count = old ? old->count : 0;
    for (uint32_t i = 0; i < s->count; i++) {
        s->values[i] = old->values[i];
        s->values[i]->refs++;
    }
    if (old)
        lsrt_locals_drop(old);
    return t->locals = s;
}

static uint32_t place_of(const struct locals *s, const struct ls_local *key)
{
    uint32_t i = 0;
    while (s && i < s->count && s->values[i]->key != key)
        i++;
    return i;
}

int ls_local_set(const struct ls_local *key, void *value)
{
    struct loop *l = lsrt_inside("ls_local_set");
    if (!l)
        return -1;
    if (!key)
        return lsrt_misuse(EINVAL, "ls_local_set: the key is NULL");
    struct task *t = l->current;
    uint32_t i = place_of(t->locals, key);
    bool there = t->locals && i < t->locals->count;
    if (!value && !there)
        return 0;
    struct value *v = value ? malloc(sizeof *v) : NULL;
    struct locals *s = v || !value ? own(t) : NULL;
    if (!s) {
        free(v);
        return lsrt_result(ENOMEM);
    }
    struct value *before = there ? s->values[i] : NULL;
    if (v)
        *v = (struct value){ .refs = 1, .key = key, .value = value };
    if (v && there)
        s->values[i] = v;
    else if (v)
        s->values[s->count++] = v;
    else
        s->values[i] = s->values[--s->count];
    if (before)
        value_drop(before); /* last: destroy may look at the task's values */
    return 0;
}

void *ls_local_get(const struct ls_local *key)
{
    struct loop *l = lsrt_loop();
    const struct locals *s = l && l->current ? l->current->locals : NULL;
    uint32_t i = place_of(s, key);
    return s && i < s->count ? s->values[i]->value : NULL;
}

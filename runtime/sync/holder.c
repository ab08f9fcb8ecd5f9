/* holder.c - see holder.h: waits that go in a circle, and tasks that end holding a lock.  Runs on the loop's thread. */
#include "holder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/tasks/gate.h"

#define LOOK_AT 64 /* tasks; a longer circle is found by the loop, when nothing is left to run */

/* The tasks that a wait needs, and those that they need, and so on: a row, each with the place of the one it came from. */
struct search {
    struct task *task[LOOK_AT];
    int from[LOOK_AT];
    int count;
};

static void search_add(struct search *s, struct task *t, int from)
{
    for (int i = 0; i < s->count; i++)
        if (s->task[i] == t)
            return;
    if (s->count == LOOK_AT)
        return;
    s->task[s->count] = t;
    s->from[s->count++] = from;
}

/* The place of `self` in the row, -1: it is not there. */
static int search_for(struct search *s, const struct task *self)
{
    for (int i = 0; i < s->count; i++) {
        if (s->task[i] == self)
            return i;
        struct task *needed[LOOK_AT];
        size_t n = lsrt_has_end(s->task[i]) ? 0 : lsrt_task_needs(s->task[i], needed, LOOK_AT);
        for (size_t k = 0; k < n; k++)
            search_add(s, needed[k], i);
    }
    return -1;
}

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + used, size - used, format, ap);
    va_end(ap);
}

/* "lock 'x' held by 'b'", or "task 'b'": t waits on `on` and so for `needed` */
static void append_step(char *text, size_t size, struct on on, const struct task *needed)
{
    if (lsrt_holder_of(on))
        append(text, size, "%s '%s' held by '%s'", on.object->ops->noun, on.object->name, needed->name);
    else
        append(text, size, "task '%s'", needed->name);
}

int lsrt_deadlock(struct loop *l, struct object *o, const char *call)
{
    struct task *self = l->current;
    struct search s; /* large: only the count is set */
    s.count = 0;
    if (self->scopes || !lsrt_holder_of(on_object(o)))
        return 0;
    search_add(&s, lsrt_holder_of(on_object(o)), -1);
    int end = search_for(&s, self), path[LOOK_AT], n = 0;
    if (end < 0)
        return 0;
    for (int i = end; i >= 0; i = s.from[i])
        path[n++] = i;
    char text[400];
    snprintf(text, sizeof text, "deadlock: task '%s' waits for ", self->name);
    for (struct on on = on_object(o); n > 0; on = s.task[path[n]]->on) {
        append_step(text, sizeof text, on, s.task[path[--n]]);
        if (n)
            append(text, sizeof text, " which waits for ");
    }
    lsrt_misuse(EDEADLK, "%s: %s", call, text);
    ls_probe_mark(text, 0, 0); /* the report repeats it */
    return EDEADLK;
}

void lsrt_holder_ended(struct loop *l, struct task *t)
{
    for (struct object *o = lsrt_object_next(l, 0); o && t->holds; o = lsrt_object_next(l, o->index + 1))
        if (o->ops->orphaned)
            o->ops->orphaned(l, o, t);
}

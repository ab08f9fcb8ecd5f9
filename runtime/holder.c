/* holder.c - see holder.h: waits that go in a circle, and tasks that end holding a lock.  Runs on the loop's thread. */
#include "holder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The one task that has to do something before a wait on `on` can end; NULL: it may be anybody. */
static struct task *waits_for(struct on on)
{
    if (on.kind == ON_TASK)
        return on.task;
    return on.kind == ON_OBJECT && on.object->ops->holder ? on.object->ops->holder(on.object) : NULL;
}

/* What a task that is parked for good waits for. */
static struct on parked_on(const struct task *t)
{
    return t->state == TASK_PARKED && !t->deadline.place ? t->on : on_nothing();
}

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + used, size - used, format, ap);
    va_end(ap);
}

int lsrt_deadlock(struct loop *l, struct task *self, struct on on, const char *call)
{
    struct task *t = waits_for(on);
    uint32_t steps = 0; /* a circle without `self` would have no end */
    while (t && t != self && steps++ < l->task_count)
        t = waits_for(parked_on(t));
    if (t != self)
        return 0;
    char text[400];
    snprintf(text, sizeof text, "task '%s' waits for ", self->name);
    for (struct on step = on;; step = t->on) {
        t = waits_for(step);
        if (step.kind == ON_OBJECT)
            append(text, sizeof text, "%s '%s' held by '%s'", step.object->ops->noun, step.object->name, t->name);
        else
            append(text, sizeof text, "task '%s'", t->name);
        if (t == self)
            break;
        append(text, sizeof text, " which waits for ");
    }
    lsrt_misuse(EDEADLK, "%s: deadlock: %s", call, text);
    return EDEADLK;
}

void lsrt_holder_ended(struct loop *l, struct task *t)
{
    for (struct object *o = lsrt_object_next(l, 0); o && t->holds; o = lsrt_object_next(l, o->index + 1))
        if (o->ops->orphaned)
            o->ops->orphaned(l, o, t);
}

/* holder.h - who holds a lock: told to the trace while others wait, found when waits go in a circle, missed when it ends.
 *
 * An object that tasks hold has the ops `holder` and `orphaned`.  A task counts what it holds (task->holds), so that the
 * end of one that holds nothing costs a compare.  Runs on the loop's thread. */
#ifndef LSRT_HOLDER_H
#define LSRT_HOLDER_H

#include "runtime/core/loop.h"
#include "runtime/core/object.h"

struct holder {
    struct task *task;   /* NULL: nobody */
    uint32_t generation; /* the task's, to see that it is over */
    uint32_t told;       /* its probe id, while the trace believes that it holds it */
};

static inline void holder_take(struct holder *h, struct task *t)
{
    *h = (struct holder){ .task = t, .generation = t->generation };
    t->holds++;
}
/* The holder ended, or was given up, without giving it back. */
static inline bool holder_is_over(const struct holder *h)
{
    return h->task->generation != h->generation || h->task->state >= TASK_DONE;
}
/* Its name, as long as it is known. */
static inline const char *holder_name(const struct holder *h)
{
    const struct task *t = h->task;
    bool known = t->generation == h->generation || (t->state == TASK_FREE && t->generation == h->generation + 1);
    return known ? t->name : "a task that is over";
}
/* Tells the trace, or takes it back. */
static inline void holder_tell(struct object *o, struct holder *h, bool waited_for)
{
    if (waited_for == (h->told != 0) || !ls_probe_on())
        return;
    uint32_t task = waited_for ? lsrt_task_probe_id(h->task) : h->told;
    ls_probe_hold(lsrt_object_probe_id(o), task, waited_for);
    h->told = waited_for ? task : 0;
}
static inline void holder_drop(struct object *o, struct holder *h)
{
    holder_tell(o, h, false);
    if (!holder_is_over(h))
        h->task->holds--;
    h->task = NULL;
}

/* The one task that has to give back what a wait on `on` is for; NULL: it may be anybody. */
static inline struct task *lsrt_holder_of(struct on on)
{
    return on.kind == ON_OBJECT && on.object->ops->holder ? on.object->ops->holder(on.object) : NULL;
}
/* Its wait comes to an end by itself. */
static inline bool lsrt_has_end(const struct task *t)
{
    return t->deadline.place || t->scopes;
}
/* EDEADLK and the error text with the circle, when the running task, were it to wait for o for good, would wait for itself
 * through holders and awaited tasks, none of which has a deadline or a timeout; else 0.  Looks at so many tasks only. */
int lsrt_deadlock(struct loop *l, struct object *o, const char *call);
/* A task that holds something is over. */
void lsrt_holder_ended(struct loop *l, struct task *t);

#endif

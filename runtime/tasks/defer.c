/* defer.c - clean-up that a task leaves for its end.  Runs on the loop's thread, in the task. */
#include <errno.h>
#include <stdlib.h>

#include "more.h"
#include "runtime/core/loop.h"

struct defer {
    struct defer *before;
    void (*fn)(void *arg);
    void *arg;
};

int ls_defer(void (*fn)(void *arg), void *arg)
{
    struct loop *l = lsrt_inside("ls_defer");
    if (!l)
        return -1;
    if (!fn)
        return lsrt_misuse(EINVAL, "ls_defer: the function is NULL");
    struct more *m = lsrt_more(l->current);
    struct defer *d = m ? malloc(sizeof *d) : NULL;
    if (!d)
        return lsrt_result(ENOMEM);
    *d = (struct defer){ m->defers, fn, arg };
    m->defers = d;
    return 0;
}

/* The last one, off the list; it is freed. */
static struct defer pop(struct more *m)
{
    struct defer *d = m->defers, copy = *d;
    m->defers = d->before;
    free(d);
    return copy;
}

int ls_defer_pop(int run)
{
    struct loop *l = lsrt_inside("ls_defer_pop");
    if (!l)
        return -1;
    struct more *m = l->current->more;
    if (!m || !m->defers)
        return lsrt_result(ENOENT);
    struct defer d = pop(m);
    if (run)
        d.fn(d.arg);
    return 0;
}

void lsrt_defers_run(struct task *t)
{
    while (t->more->defers) {
        struct defer d = pop(t->more);
        d.fn(d.arg);
    }
}

void lsrt_defers_free(struct more *m)
{
    while (m->defers)
        pop(m);
}

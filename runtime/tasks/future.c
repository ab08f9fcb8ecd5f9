/* future.c - a value that somebody will have.  Runs on the loop's thread. */
#include <errno.h>
#include <stdio.h>

#include "runtime/core/loop.h"
#include "runtime/core/object.h"
#include "runtime/core/waitq.h"

struct answer {
    intptr_t value;
    int error; /* when it is -1 */
};
struct future {
    struct object object;
    struct waitq waiters; /* item: a struct answer of the one who waits, so that the future may go before it runs */
    struct answer answer;
    bool decided;
    bool observed; /* somebody has had the answer */
};

static void describe(const struct object *o, char *text, size_t size)
{
    const struct future *f = (const struct future *)(const void *)o;
    if (f->decided)
        snprintf(text, size, "decided");
    else
        snprintf(text, size, "open, %zu wait", f->waiters.count);
}

static void destroy(struct loop *l, struct object *o)
{
    const struct future *f = (const struct future *)(void *)o;
    if (l->debug && f->answer.value == -1 && f->answer.error != ECANCELED && !f->observed)
        lsrt_debug_future(o, f->answer.error);
}

static const struct object_ops future_ops = {
    .kind = LS_OBJECT_FUTURE, .noun = "future", .size = sizeof(struct future), .destroy = destroy, .describe = describe
};

struct ls_future *ls_future_new_at(struct ls_site *site, const char *name)
{
    struct loop *l = lsrt_on_loop("ls_future_new");
    struct future *f = l ? lsrt_object_new(l, &future_ops, site, name) : NULL;
    return f ? lsrt_object_handle(l, f) : NULL;
}

int ls_future_await_at(struct ls_site *site, struct ls_future *future, intptr_t *ret_value, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_future_await");
    struct future *f = l ? lsrt_object_of(l, future, &future_ops, "ls_future_await") : NULL;
    if (!f)
        return -1;
    struct answer answer = f->answer;
    if (!f->decided) {
        struct wait w = { .item = &answer };
        int code = waitq_park(l, &f->waiters, &w, LS_WHY_FUTURE, &f->object, site, deadline);
        if (code)
            return lsrt_result(code);
    } else
        f->observed = true;
    if (ret_value)
        *ret_value = answer.value;
    if (answer.value == -1)
        errno = answer.error;
    return 0;
}

static int decide(struct ls_future *future, struct answer answer, const char *call)
{
    struct loop *l = lsrt_on_loop(call);
    struct future *f = l ? lsrt_object_of(l, future, &future_ops, call) : NULL;
    if (!f)
        return -1;
    if (f->decided)
        return lsrt_misuse(EALREADY, "%s: future '%s' is decided already", call, f->object.name);
    f->decided = true;
    f->answer = answer;
    for (struct wait *w; (w = waitq_serve(l, &f->waiters)); f->observed = true)
        *(struct answer *)w->item = answer;
    return 0;
}

int ls_future_set(struct ls_future *future, intptr_t value)
{
    return decide(future, (struct answer){ .value = value }, "ls_future_set");
}

int ls_future_fail(struct ls_future *future, int error)
{
    if (error <= 0)
        return lsrt_misuse(EINVAL, "ls_future_fail: %d is no errno", error);
    return decide(future, (struct answer){ -1, error }, "ls_future_fail");
}

int ls_future_cancel(struct ls_future *future)
{
    return decide(future, (struct answer){ -1, ECANCELED }, "ls_future_cancel");
}

int ls_future_done(struct ls_future *future)
{
    struct loop *l = lsrt_on_loop("ls_future_done");
    struct future *f = l ? lsrt_object_of(l, future, &future_ops, "ls_future_done") : NULL;
    return f ? f->decided : -1;
}

int ls_future_free(struct ls_future *future)
{
    struct loop *l = lsrt_on_loop("ls_future_free");
    struct future *f = l ? lsrt_object_of(l, future, &future_ops, "ls_future_free") : NULL;
    if (!f)
        return -1;
    if (f->waiters.count)
        return lsrt_misuse(EBUSY, "ls_future_free: %zu tasks wait for future '%s'", f->waiters.count, f->object.name);
    lsrt_object_free(l, f);
    return 0;
}

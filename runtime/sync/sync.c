/* sync.c - see sync.h: handles in, handles out.  Runs on the loop's thread. */
#include "sync.h"

#include <errno.h>

void *lsrt_sync_new(const struct object_ops *ops, struct ls_site *site, const char *name)
{
    struct loop *l = lsrt_on_loop(site->function);
    return l ? lsrt_object_new(l, ops, site, name) : NULL;
}

int lsrt_sync_free(void *object, size_t waiting, const char *call)
{
    struct object *o = object;
    if (waiting)
        return lsrt_misuse(EBUSY, "%s: %zu task%s for %s '%s'", call, waiting, waiting == 1 ? " waits" : "s wait",
                           o->ops->noun, o->name);
    lsrt_object_free(lsrt_here, o);
    return 0;
}

/* many.h - room for the waiters of n tasks: a few on the stack of the task that waits, which is small, more on the
 * heap. */
#ifndef LSRT_MANY_H
#define LSRT_MANY_H

#include <stdint.h>
#include <stdlib.h>

#include "gate.h"

struct many {
    struct waiter *waiters, few[8];
};

static inline int many_get(struct many *m, size_t n) /* 0, or -1 and errno ENOMEM */
{
    m->waiters = n <= 8 ? m->few : calloc(n, sizeof *m->waiters);
    return m->waiters ? 0 : -1;
}
static inline void many_put(struct many *m)
{
    if (m->waiters != m->few)
        free(m->waiters);
}

#endif

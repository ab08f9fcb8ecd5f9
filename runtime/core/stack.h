/* stack.h - a pool of coroutine stacks, cut from slabs, with a guard page below each.  Belongs to one loop. */
#ifndef LSRT_STACK_H
#define LSRT_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "context.h"

struct stack {
    struct stack *next; /* in the free list */
    union {
        struct {
            char *lo, *hi; /* what a task may use: the guard is below lo */
        };
        char *bounds[2]; /* the same, for the probe */
    };
#ifdef LSRT_TSAN
    void *fiber; /* TSan's, made once a stack: its tasks follow one another, like calls of one thread */
#endif
    uint32_t valgrind_id;
};

struct slab {
    struct slab *next;
    char *base;
    size_t count;
    struct stack stacks[]; /* apart from the stacks, so that an unused one costs no page */
};

enum guard { GUARD_MADVISE, GUARD_MPROTECT, GUARD_NONE };

struct stack_pool {
    size_t size; /* of one stack with its guard: a multiple of the page */
    struct stack *free;
    struct slab *slabs;
    size_t count, used_of_newest; /* stacks cut so far; how many of the newest slab */
    enum guard guard;             /* the best that worked */
};

void lsrt_stack_pool_init(struct stack_pool *p, size_t size);
/* A stack, NULL (ENOMEM) when there is no memory.  Its tops are staggered, so that equal frames of many tasks do not
 * fall into the same cache sets. */
struct stack *lsrt_stack_get(struct stack_pool *p);
/* Bytes of it that were ever used, by its task or one before that had it; for ls_dump: no malloc, no page is touched that
 * was not. */
size_t lsrt_stack_high_water(const struct stack *s);
void lsrt_stack_put(struct stack_pool *p, struct stack *s); /* the caller may still run on it until the next get */
void lsrt_stack_pool_free(struct stack_pool *p);

#endif

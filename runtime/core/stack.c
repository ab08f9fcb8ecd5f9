/* stack.c - see stack.h.  A fresh mmap per task would cost as much as 700 pooled tasks; mprotect guards split the
 * mapping, and vm.max_map_count ends them at some 32,000 stacks, so MADV_GUARD_INSTALL (Linux 6.13) comes first. */
#include "stack.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "context.h"

#if defined __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(lo, hi) 0
#define VALGRIND_STACK_DEREGISTER(id)   ((void)(id))
#define VALGRIND_DISABLE_ERROR_REPORTING
#define VALGRIND_ENABLE_ERROR_REPORTING
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#ifdef LSRT_TSAN
#define FIBER_NEW(s)  ((s)->fiber = __tsan_create_fiber(0))
#define FIBER_FREE(s) __tsan_destroy_fiber((s)->fiber)
#else
#define FIBER_NEW(s)  ((void)(s))
#define FIBER_FREE(s) ((void)(s))
#endif

#define SLAB_MIN   16
#define SLAB_MAX   1024              /* 64 MiB of address space, nothing of it used yet */
#define SIZE_LIMIT ((size_t)1 << 47) /* more than there can be: ENOMEM, and a slab's size does not overflow */
#define STAGGER    128               /* bytes; two cache lines, which processors prefetch in pairs */

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void lsrt_stack_pool_init(struct stack_pool *p, size_t size)
{
    size_t page = page_size();
    if (!size)
        size = 64 * 1024;
    if (size > SIZE_LIMIT)
        size = SIZE_LIMIT;
#if defined LSRT_ASAN || defined LSRT_TSAN
    size *= 4; /* their frames are larger */
#endif
    if (size < page + 12 * 1024)
        size = page + 12 * 1024;
    *p = (struct stack_pool){ .size = (size + page - 1) & ~(page - 1) };
}

static struct slab *slab_new(struct stack_pool *p)
{
    size_t n = p->count < SLAB_MIN ? SLAB_MIN : p->count > SLAB_MAX ? SLAB_MAX : p->count;
    struct slab *s = malloc(sizeof *s + n * sizeof s->stacks[0]);
    if (!s)
        return NULL;
    s->base = MAP_FAILED;
    for (; n; n /= 2) { /* a tight RLIMIT_AS may still allow a few */
        s->base = mmap(NULL, n * p->size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
        if (s->base != MAP_FAILED)
            break;
    }
    if (s->base == MAP_FAILED) {
        free(s);
        errno = ENOMEM;
        return NULL;
    }
    /* A huge page would make the first touch of one stack cost all of 2 MiB. */
    madvise(s->base, n * p->size, MADV_NOHUGEPAGE);
    s->count = n;
    s->next = p->slabs;
    p->slabs = s;
    p->used_of_newest = 0;
    return s;
}

static void guard_install(struct stack_pool *p, char *at)
{
    size_t page = page_size();
    if (p->guard == GUARD_MADVISE && madvise(at, page, MADV_GUARD_INSTALL))
        p->guard = GUARD_MPROTECT;
    if (p->guard == GUARD_MPROTECT && mprotect(at, page, PROT_NONE))
        p->guard = GUARD_NONE; /* vm.max_map_count reached: those from here on have none */
}

struct stack *lsrt_stack_get(struct stack_pool *p)
{
    struct stack *s = p->free;
    if (s) {
        p->free = s->next;
#ifdef LSRT_ASAN
        __asan_unpoison_memory_region(s->lo, (size_t)(s->hi - s->lo)); /* the last frames of its last task */
#endif
        return s;
    }
    struct slab *slab = p->slabs;
    if ((!slab || p->used_of_newest == slab->count) && !(slab = slab_new(p)))
        return NULL;
    char *base = slab->base + p->used_of_newest * p->size;
    s = &slab->stacks[p->used_of_newest++];
    guard_install(p, base);
    s->next = NULL;
    s->lo = base + page_size();
    s->hi = base + p->size - p->count++ % 16 * STAGGER; /* half a page at most: a parked task shall need one page */
    FIBER_NEW(s);
    s->valgrind_id = VALGRIND_STACK_REGISTER(s->lo, base + p->size);
    return s;
}

/* The first word of a page that is not 0: fresh stacks are.  (Sanitizers watch the frames that lie there.) */
__attribute__((no_sanitize("address", "thread"))) static const char *first_used(const char *at, const char *end)
{
    const volatile uintptr_t *word = (const volatile uintptr_t *)(const void *)at;
    while ((const char *)word < end && !*word)
        word++;
    return (const char *)word < end ? (const char *)word : NULL;
}

size_t lsrt_stack_high_water(const struct stack *s)
{
    unsigned char resident[64];
    size_t page = page_size(), step = sizeof resident * page, used = 0;
    VALGRIND_DISABLE_ERROR_REPORTING;
    for (const char *at = s->lo; at < s->hi && !used; at += step) {
        size_t n = (size_t)(s->hi - at) < step ? (size_t)(s->hi - at) : step;
        if (mincore((void *)(uintptr_t)at, n, resident))
            break;
        for (size_t i = 0; i * page < n && !used; i++) {
            const char *from = at + i * page, *to = from + page < s->hi ? from + page : s->hi;
            const char *found = resident[i] & 1 ? first_used(from, to) : NULL;
            used = found ? (size_t)(s->hi - found) : 0;
        }
    }
    VALGRIND_ENABLE_ERROR_REPORTING;
    return used;
}

void lsrt_stack_put(struct stack_pool *p, struct stack *s)
{
    s->next = p->free;
    p->free = s;
}

void lsrt_stack_pool_free(struct stack_pool *p)
{
    struct slab *slab = p->slabs;
    size_t used = p->used_of_newest; /* the older slabs are used up */
    while (slab) {
        struct slab *next = slab->next;
        for (size_t i = 0; i < used; i++) {
            VALGRIND_STACK_DEREGISTER(slab->stacks[i].valgrind_id);
            FIBER_FREE(&slab->stacks[i]);
        }
#ifdef LSRT_ASAN
        __asan_unpoison_memory_region(slab->base, slab->count * p->size); /* frames of tasks that were abandoned */
#endif
        munmap(slab->base, slab->count * p->size);
        free(slab);
        slab = next;
        used = slab ? slab->count : 0;
    }
    p->slabs = NULL;
    p->free = NULL;
}

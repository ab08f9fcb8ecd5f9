/* context.c - makes a stack that lsrt_switch can go to; and lsrt_switch itself where there is no assembler for it. */
#include "context.h"

#include <stdint.h>
#include <string.h>

#if (defined __x86_64__ || defined __aarch64__) && !defined LSRT_UCONTEXT

void lsrt_entry(void);

void lsrt_ctx_init(struct ctx *c, char *lo, char *top, void (*fn)(void *), void *arg)
{
    /* The frame that lsrt_switch restores: see the order of its pops. */
#if defined __x86_64__
    uint64_t frame[9] = { [3] = (uintptr_t)arg, [4] = (uintptr_t)fn, [6] = (uintptr_t)lsrt_entry };
    _Static_assert(sizeof frame == 56 + 16, "%rsp is a multiple of 16 at lsrt_entry");
    c->sp = top - sizeof frame;
#else
    uint64_t frame[20] = { [1] = (uintptr_t)lsrt_entry, [2] = (uintptr_t)fn, [3] = (uintptr_t)arg };
    c->sp = top - sizeof frame;
#endif
    memcpy(c->sp, frame, sizeof frame);
#ifdef LSRT_ASAN
    c->lo = lo;
    c->size = (size_t)(top - lo);
#endif
    (void)lo;
}

#else

#include <ucontext.h>

static void begin(unsigned hi, unsigned lo)
{
    void **start = (void **)((uintptr_t)hi << 16 << 16 | lo);
    ((void (*)(void *))start[0])(start[1]);
}

void lsrt_ctx_init(struct ctx *c, char *lo, char *top, void (*fn)(void *), void *arg)
{
    void **start = (void **)(top - 2 * sizeof(void *));
    ucontext_t *u = (ucontext_t *)(((uintptr_t)start - sizeof *u) & ~(uintptr_t)63);
    start[0] = (void *)fn;
    start[1] = arg;
    getcontext(u);
    u->uc_stack.ss_sp = lo;
    u->uc_stack.ss_size = (size_t)((char *)u - lo);
    u->uc_link = NULL;
    uintptr_t p = (uintptr_t)start;
    makecontext(u, (void (*)(void))begin, 2, (unsigned)(p >> 16 >> 16), (unsigned)p);
    c->sp = u;
#ifdef LSRT_ASAN
    c->lo = lo;
    c->size = (size_t)(top - lo);
#endif
}

void lsrt_switch(void **save, void *to)
{
    ucontext_t self; /* on the stack that is left: it lives as long as that stack is suspended */
    *save = &self;
    swapcontext(&self, to);
}

#endif

/* context.c - makes a stack that can be switched to; and lsrt_switch itself where there is no assembler for it. */
#include "context.h"

#include <string.h>

#if (defined __x86_64__ || defined __aarch64__) && !defined LSRT_UCONTEXT

extern const char lsrt_entry[];

void lsrt_ctx_init(struct ctx *c, char *lo, char *top, void (*fn)(void))
{
#if defined __x86_64__
    /* As if lsrt_entry had called fn, which finds the stack as after a call: 8 below a multiple of 16. */
    c->sp = top - 16 - 8;
    c->fp = NULL;
    c->pc = (void *)(uintptr_t)fn;
    *(const void **)c->sp = lsrt_entry;
#else
    /* The frame that lsrt_switch restores: see the order of its loads. */
    uint64_t frame[20] = { [1] = (uintptr_t)lsrt_entry, [2] = (uintptr_t)fn };
    c->sp = top - sizeof frame;
    memcpy(c->sp, frame, sizeof frame);
#endif
#ifdef LSRT_ASAN
    c->lo = lo;
    c->size = (size_t)(top - lo);
#endif
    (void)lo;
}

#else

#include <ucontext.h>

void lsrt_ctx_init(struct ctx *c, char *lo, char *top, void (*fn)(void))
{
    ucontext_t *u = (ucontext_t *)(((uintptr_t)top - sizeof *u) & ~(uintptr_t)63);
    getcontext(u);
    u->uc_stack.ss_sp = lo;
    u->uc_stack.ss_size = (size_t)((char *)u - lo);
    u->uc_link = NULL;
    makecontext(u, fn, 0);
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

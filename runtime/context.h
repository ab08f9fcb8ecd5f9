/* context.h - a suspended stack, and the switch from one to another; tells ASan and TSan, which must know.
 *
 * x86-64 and aarch64 switch in assembler (switch_*.S), the rest by ucontext (context.c).  All on the loop's thread. */
#ifndef LSRT_CONTEXT_H
#define LSRT_CONTEXT_H

#include <stddef.h>

#if defined __SANITIZE_ADDRESS__
#define LSRT_ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define LSRT_ASAN 1
#endif
#endif
#if defined __SANITIZE_THREAD__
#define LSRT_TSAN 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define LSRT_TSAN 1
#endif
#endif
#ifdef LSRT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LSRT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct ctx {
    void *sp; /* where lsrt_switch left it; NULL: has not begun, or is over */
#ifdef LSRT_ASAN
    const void *lo; /* the stack, for ASan */
    size_t size;
    void *fake; /* ASan's own stack of it */
#endif
#ifdef LSRT_TSAN
    void *fiber; /* TSan's idea of it; belongs to struct stack */
#endif
};

void lsrt_switch(void **save, void *to);
/* Prepares a stack whose first switch calls fn(arg); fn must not return.  top is 16-byte aligned. */
void lsrt_ctx_init(struct ctx *c, char *lo, char *top, void (*fn)(void *), void *arg);

/* Leaves `from` (the running one) for `to`.  last: `from` will never run again. */
static inline void ctx_switch(struct ctx *from, struct ctx *to, int last)
{
    (void)last;
#ifdef LSRT_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->lo, to->size);
#endif
#ifdef LSRT_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    lsrt_switch(&from->sp, to->sp);
#ifdef LSRT_ASAN
    __sanitizer_finish_switch_fiber(from->fake, NULL, NULL);
#endif
}

/* The first thing that runs on a new stack. */
static inline void ctx_entered(void)
{
#ifdef LSRT_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}

#endif

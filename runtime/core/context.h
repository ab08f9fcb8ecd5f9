/* context.h - a suspended stack, and the switch from one to another; tells ASan and TSan, which must know.
 *
 * x86-64 switches inline (below), aarch64 in assembler (switch_aarch64.S), the rest by ucontext (context.c).  All on the
 * loop's thread. */
#ifndef LSRT_CONTEXT_H
#define LSRT_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

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

#if defined __x86_64__ && !defined LSRT_UCONTEXT
#define LSRT_INLINE_SWITCH 1
#endif

struct ctx { /* valid while it is suspended */
    void *sp;
#ifdef LSRT_INLINE_SWITCH
    void *fp, *pc;
#endif
#ifdef LSRT_ASAN
    const void *lo; /* the stack, for ASan */
    size_t size;
    void *fake; /* ASan's own stack of it */
#endif
#ifdef LSRT_TSAN
    void *fiber; /* TSan's idea of it; belongs to struct stack */
#endif
};

/* Prepares a stack whose first switch jumps to fn, which must not return.  top is 16-byte aligned. */
void lsrt_ctx_init(struct ctx *c, char *lo, char *top, void (*fn)(void));

#ifdef LSRT_INLINE_SWITCH
/* Inline, for two reasons.  The compiler saves just what is alive (all registers are clobbered).  And there is no call
 * whose return the processor would predict: an out-of-line switch leaves through a jump, its own return address stays on
 * the return stack, and every `ret` that follows is guessed wrong, at several times the cost of the switch.
 *
 * The CFI is true at every instruction.  Where the other stack is already ours but its code does not run yet, this is a
 * frame of nothing, called from there: CFA %rsp, return address %rcx, frame pointer %rdx.  An unwinder looks a suspended
 * stack up at pc - 1: the nop, whose rules are those of the function around. */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#define LSRT_CFI(x) x "\n\t"
#else
#define LSRT_CFI(x)
#endif
#if defined __CET__ && __CET__ & 1
#define LSRT_LANDING "endbr64\n\t"
#else
#define LSRT_LANDING
#endif
#ifdef __AVX512F__
#define LSRT_AVX512 \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", \
        "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define LSRT_AVX512
#endif
static inline __attribute__((always_inline)) void ctx_jump(struct ctx *from, struct ctx *to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, (%%rdi)\n\t"
                     "movq %%rbp, 8(%%rdi)\n\t"
                     "movq %%rax, 16(%%rdi)\n\t"
                     "movq 8(%%rsi), %%rdx\n\t"
                     "movq 16(%%rsi), %%rcx\n\t"
                     "movq (%%rsi), %%rsp\n\t"
                     LSRT_CFI(".cfi_remember_state")
                     LSRT_CFI(".cfi_def_cfa %%rsp, 0")
                     LSRT_CFI(".cfi_register %%rip, %%rcx")
                     LSRT_CFI(".cfi_register %%rbp, %%rdx")
                     "movq %%rdx, %%rbp\n\t"
                     "jmpq *%%rcx\n\t"
                     LSRT_CFI(".cfi_restore_state")
                     "nop\n"
                     "1:\t" LSRT_LANDING
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
                       "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                       "xmm13", "xmm14", "xmm15" LSRT_AVX512, "cc", "memory");
}
#else
void lsrt_switch(void **save, void *to);
static inline void ctx_jump(struct ctx *from, struct ctx *to)
{
    lsrt_switch(&from->sp, to->sp);
}
#endif

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
    ctx_jump(from, to);
#ifdef LSRT_ASAN
    __sanitizer_finish_switch_fiber(from->fake, NULL, NULL);
#endif
}

#if defined LSRT_INLINE_SWITCH && !defined LSRT_ASAN && !defined LSRT_TSAN
/* ctx_switch for a tail call: switch_x86_64.S. */
#define LSRT_SWITCH_LAST 1
int lsrt_switch_last(struct ctx *from, struct ctx *to);
#endif

/* The first thing that runs on a new stack. */
static inline void ctx_entered(void)
{
#ifdef LSRT_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}

#endif

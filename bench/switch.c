/* switch.c - one way of a switch between two stacks: ours, a bare one, boost.context's and swapcontext, in turn.
 *
 * The bare one is what a switch out of line can be at best: pushes, pops and `jmp`.
 * link: -lboost_context
 */
#include "bench/bench.h"

#include <sys/mman.h>
#include <ucontext.h>

#include "runtime/core/context.h"

#define BURST  20000
#define ROUNDS 101
#define STACK  65536

struct boost { /* boost/context/detail/fcontext.hpp, as C sees it */
    void *fcontext, *data;
};
struct boost jump_fcontext(void *to, void *data);
void *make_fcontext(void *top, size_t size, void (*fn)(struct boost));

static struct ctx ours[2];
static struct boost theirs;
static ucontext_t posix[2];
static void *bare[2];

void bare_switch(void **save, void *to);
#if defined __x86_64__
__asm__(".text\n.globl bare_switch\n.type bare_switch, @function\n.p2align 4\nbare_switch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\npopq %rcx\njmpq *%rcx\n"
        ".size bare_switch, .-bare_switch\n");
static void *bare_init(char *top, void (*fn)(void))
{
    void **sp = (void **)(void *)top - 9;
    for (int i = 0; i < 9; i++)
        sp[i] = NULL;
    sp[6] = (void *)(uintptr_t)fn;
    return sp;
}
#else
static void *bare_init(char *top, void (*fn)(void))
{
    (void)top, (void)fn;
    printf("switch: the bare switch is written for x86-64\n");
    exit(77);
}
void bare_switch(void **save, void *to)
{
    (void)save, (void)to;
}
#endif

static void ours_fn(void)
{
    for (;;)
        ctx_switch(&ours[1], &ours[0], 0);
}
static void bare_fn(void)
{
    for (;;)
        bare_switch(&bare[1], bare[0]);
}
static void boost_fn(struct boost t)
{
    for (;;)
        t = jump_fcontext(t.fcontext, NULL);
}
static void posix_fn(void)
{
    for (;;)
        swapcontext(&posix[1], &posix[0]);
}

static char *stack_new(void)
{
    char *lo = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (lo == MAP_FAILED)
        exit(77);
    return lo;
}

static double burst(int what)
{
    int n = what == 3 ? BURST / 20 : BURST;
    uint64_t t = bench_now();
    for (int i = 0; i < n; i++)
        switch (what) {
        case 0: ctx_switch(&ours[0], &ours[1], 0); break;
        case 1: bare_switch(&bare[0], bare[1]); break;
        case 2: theirs = jump_fcontext(theirs.fcontext, NULL); break;
        case 3: swapcontext(&posix[0], &posix[1]); break;
        }
    return (double)(bench_now() - t) / n / 2;
}

int main(void)
{
    static double v[4][ROUNDS];
    char *lo = stack_new();
    lsrt_ctx_init(&ours[1], lo, lo + STACK, ours_fn);
    bare[1] = bare_init(stack_new() + STACK, bare_fn);
    /* It restores the floating-point status, which is slow when the two differ: inexact on both sides, then. */
    static volatile double three = 3, third;
    third = 1 / three;
    (void)third;
    theirs.fcontext = make_fcontext(stack_new() + STACK, STACK, boost_fn);
    getcontext(&posix[1]);
    posix[1].uc_stack.ss_sp = stack_new();
    posix[1].uc_stack.ss_size = STACK;
    makecontext(&posix[1], posix_fn, 0);
    for (int r = -3; r < ROUNDS; r++)
        for (int what = 0; what < 4; what++) {
            double ns = burst(what);
            if (r >= 0)
                v[what][r] = ns;
        }
    double us = bench_median(v[0], ROUNDS);
    static const char *const peer[] = { NULL, "bare push/pop + jmp", "boost.context", "swapcontext" };
    static const char *const goal[] = { NULL, "<= 1.25", "<= 1", "" };
    for (int what = 1; what < 4; what++) {
        double them = bench_median(v[what], ROUNDS);
        bench_row(what == 1 ? "switch, one way, ns" : "", peer[what], them, us, us / them, goal[what]);
    }
    return 0;
}

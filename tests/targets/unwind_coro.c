/* unwind_coro.c - burns CPU on a coroutine's stack, made with glibc's makecontext. */
#include <stdlib.h>
#include <ucontext.h>

static ucontext_t loop, coroutine;
static volatile unsigned long work;

__attribute__((noinline)) static void coro_leaf(void)
{
    for (;;)
        for (int i = 0; i < 1000; i++)
            work += (unsigned long)i * work;
}

__attribute__((noinline)) static void coro_body(void)
{
    coro_leaf();
    work++;
}

int main(void)
{
    size_t size = 65536;
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = malloc(size);
    coroutine.uc_stack.ss_size = size;
    coroutine.uc_link = &loop;
    makecontext(&coroutine, coro_body, 0);
    swapcontext(&loop, &coroutine);
    return 0;
}

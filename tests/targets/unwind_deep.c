/* unwind_deep.c - burns CPU at the end of a known chain of calls: main, deep_a, deep_b, deep_c, ten times over.
 * The tests compile it with and without CFI, frame pointers and debug information.  "signal": burns in a handler. */
#include <signal.h>
#include <string.h>

static volatile unsigned long work;

__attribute__((noinline)) void deep_c(int n);
__attribute__((noinline)) void deep_a(int n);
__attribute__((noinline)) void deep_b(int n);

static inline __attribute__((always_inline)) void burn_inlined(void)
{
    for (int i = 0; i < 1000; i++)
        work += (unsigned long)i * work;
}

void deep_c(int n)
{
    if (n > 0)
        deep_a(n - 1);
    for (;;)
        burn_inlined();
}

void deep_b(int n)
{
    char local[64];
    memset(local, n, sizeof local);
    deep_c(n);
    work += (unsigned long)local[n];
}

void deep_a(int n)
{
    deep_b(n);
    work++;
}

static void on_signal(int number)
{
    (void)number;
    deep_a(0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "signal")) {
        signal(SIGUSR1, on_signal);
        raise(SIGUSR1);
    }
    deep_a(9);
    work++;
    return 0;
}

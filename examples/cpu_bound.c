/* cpu_bound.c - coroutines do not make a computation faster: four of them share one loop, and one CPU.
 *
 *     cpu_bound            four coroutines that hash and yield       cpu_bound threads    the same on four threads
 * In the trace: with coroutines the loop is busy all the time and each task's queue time is three times its run time;
 * with threads the loop is idle, the tasks wait (why = thread), and the jobs run side by side on lanes of their own. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <loopscope/runtime.h>

#define TASKS  4
#define SLICES 40

static volatile uint64_t sum; /* so that the compiler computes it */

static uint64_t hash(uint64_t x, long rounds)
{
    while (rounds--)
        x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
    return x;
}

static intptr_t hash_and_yield(void *seed)
{
    uint64_t x = (uintptr_t)seed;
    for (int i = 0; i < SLICES && !ls_yield(); i++)
        x = hash(x, 600000); /* about 1 ms: nobody is stalled, and nobody is faster */
    sum = x;
    return 0;
}

static intptr_t hash_all(void *seed)
{
    sum = hash((uintptr_t)seed, SLICES * 600000L);
    return 0;
}

static intptr_t hash_on_thread(void *seed)
{
    return ls_to_thread(hash_all, seed, NULL, LS_NEVER);
}

static intptr_t app(void *threads)
{
    struct ls_task *t[TASKS];
    ls_ns start = ls_now();
    for (intptr_t i = 0; i < TASKS; i++)
        t[i] = threads ? ls_spawn(hash_on_thread, (void *)(i + 1), "hash %ld", (long)i + 1)
                       : ls_spawn(hash_and_yield, (void *)(i + 1), "hash %ld", (long)i + 1);
    int failed = ls_gather(t, TASKS, NULL, LS_NEVER);
    printf("%d hashes in %s: %.0f ms\n", TASKS, threads ? "threads" : "coroutines", (double)(ls_now() - start) / 1e6);
    return failed;
}

int main(int argc, char **argv)
{
    return (int)ls_run(app, argc > 1 && !strcmp(argv[1], "threads") ? argv : NULL, NULL);
}

/* long_computation.c - a long computation in a coroutine: it never awaits, so nobody else runs.
 *
 * The report: three stalls of about 100 ms, cause `cpu`, in hash.  Cured in long_computation_cured.c. */
#include <stdint.h>
#include <stdio.h>

#include <loopscope/runtime.h>

/* What a reader sees: a task that wants to run every 10 ms, and how late it came at worst. */
static intptr_t ticker(void *worst)
{
    for (ls_ns next = ls_after(10 * LS_MS); !ls_sleep_until(next); next = ls_after(10 * LS_MS))
        if (ls_now() - next > *(ls_ns *)worst)
            *(ls_ns *)worst = ls_now() - next;
    return 0;
}

static volatile uint64_t sum; /* so that the compiler computes it */

static uint64_t hash(uint64_t x, long rounds)
{
    while (rounds--)
        x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
    return x;
}

static intptr_t compute(void *arg)
{
    sum += hash((uintptr_t)arg, 60000000);
    return 0;
}

static intptr_t app(void *arg)
{
    (void)arg;
    ls_ns worst = 0;
    struct ls_task *tick = ls_spawn(ticker, &worst, NULL);
    for (int i = 0; i < 3; i++) {
        ls_sleep(50 * LS_MS);
        compute(&worst);
    }
    ls_sleep(20 * LS_MS);
    ls_cancel(tick, NULL);
    ls_await(tick, NULL, LS_NEVER);
    printf("long_computation: the ticker came %.0f ms late at worst\n", (double)worst / 1e6);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

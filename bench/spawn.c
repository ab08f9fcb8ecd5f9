/* spawn.c - what a task costs from its spawn to its end, its stack from the pool; untraced and, under `loopscope
 * record`, traced in turn (six events: new, two switches, a wake, end, observed). */
#include "bench/bench.h"

#include <loopscope/runtime.h>

#define BURST  5000
#define ROUNDS 51

static volatile uint64_t sink;

static intptr_t nothing(void *arg)
{
    return (intptr_t)arg;
}

static double burst(int traced)
{
    __atomic_store_n(&ls_recording, traced, __ATOMIC_RELAXED);
    uint64_t t = bench_now();
    for (int i = 0; i < BURST; i++)
        ls_await(ls_spawn(nothing, NULL, NULL), NULL, LS_NEVER);
    double ns = (double)(bench_now() - t) / BURST;
    bench_pause_ms(4);
    return ns;
}

static intptr_t app(void *arg)
{
    static double v[3][ROUNDS];
    int on = *(int *)arg;
    for (int r = -3; r < ROUNDS; r++) {
        uint64_t t = bench_now();
        for (int i = 0; i < BURST; i++)
            sink = bench_ticks();
        double limit = (double)(bench_now() - t) / BURST, plain = burst(0), traced = on ? burst(1) : 0;
        if (r >= 0)
            v[0][r] = limit, v[1][r] = plain, v[2][r] = traced;
    }
    __atomic_store_n(&ls_recording, on, __ATOMIC_RELAXED);
    double limit = bench_median(v[0], ROUNDS), plain = bench_median(v[1], ROUNDS), traced = bench_median(v[2], ROUNDS);
    bench_row("spawn to end, untraced, ns", "rdtsc", limit, plain, plain / limit, "<= 6");
    if (on)
        bench_row("spawn to end, traced, ns", "rdtsc", limit, traced, traced / limit, "<= 14");
    return 0;
}

int main(void)
{
    int on = ls_probe_on();
    return (int)ls_run(app, &on, NULL);
}

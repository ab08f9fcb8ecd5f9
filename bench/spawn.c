/* spawn.c - what a task costs from its spawn to its end, awaited, its stack from the pool; untraced and, under
 * `loopscope record`, traced in turn, beside State Threads' create and join.
 * link: -lst
 */
#include "bench/bench.h"
#include "bench/peers.h"

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

static double st_burst(void)
{
    uint64_t t = bench_now();
    for (int i = 0; i < BURST; i++)
        st_spawn_join();
    return (double)(bench_now() - t) / BURST;
}

static intptr_t app(void *arg)
{
    static double v[4][ROUNDS];
    st_ring_init(1);
    int on = *(int *)arg;
    for (int r = -3; r < ROUNDS; r++) {
        uint64_t t = bench_now();
        for (int i = 0; i < BURST; i++)
            sink = bench_ticks();
        double limit = (double)(bench_now() - t) / BURST, plain = burst(0), traced = on ? burst(1) : 0, st = st_burst();
        if (r >= 0)
            v[0][r] = limit, v[1][r] = plain, v[2][r] = traced, v[3][r] = st;
    }
    __atomic_store_n(&ls_recording, on, __ATOMIC_RELAXED);
    double limit = bench_median(v[0], ROUNDS), plain = bench_median(v[1], ROUNDS), traced = bench_median(v[2], ROUNDS),
           st = bench_median(v[3], ROUNDS);
    bench_row("spawn to end, untraced, ns", "State Threads", st, plain, plain / st, "<= 0.6");
    if (on) {
        bench_row("spawn to end, traced, ns", "State Threads untraced", st, traced, traced / st, "<= 0.6");
        bench_row("", "rdtsc", limit, traced, traced / limit, "");
    }
    return 0;
}

int main(void)
{
    int on = ls_probe_on();
    return (int)ls_run(app, &on, NULL);
}

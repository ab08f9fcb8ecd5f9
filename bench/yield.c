/* yield.c - what a yield costs: between 2 and between 1001 tasks; untraced and, under `loopscope record`, traced in turn.
 *
 * The limit of a traced one is the time stamp.  Bursts with a pause after each, so that the recorder keeps up. */
#include "bench/bench.h"

#include <loopscope/runtime.h>

#define BURST  40000
#define ROUNDS 51

static volatile uint64_t sink;

static intptr_t yielder(void *arg)
{
    while (!ls_yield())
        ;
    return (intptr_t)arg;
}

static double burst(int tasks, int traced)
{
    __atomic_store_n(&ls_recording, traced, __ATOMIC_RELAXED);
    int turns = BURST / tasks;
    uint64_t t = bench_now();
    for (int i = 0; i < turns; i++)
        ls_yield();
    double ns = (double)(bench_now() - t) / turns / tasks;
    bench_pause_ms(4);
    return ns;
}

static intptr_t app(void *arg)
{
    static double v[3][ROUNDS];
    int on = *(int *)arg;
    ls_detach(ls_spawn(yielder, NULL, "yielder"));
    for (int tasks = 2; tasks <= 1001; tasks += 999) {
        for (int r = -3; r < ROUNDS; r++) {
            uint64_t t = bench_now();
            for (int i = 0; i < BURST; i++)
                sink = bench_ticks();
            double limit = (double)(bench_now() - t) / BURST, plain = burst(tasks, 0),
                   traced = on ? burst(tasks, 1) : 0;
            if (r >= 0)
                v[0][r] = limit, v[1][r] = plain, v[2][r] = traced;
        }
        double limit = bench_median(v[0], ROUNDS), plain = bench_median(v[1], ROUNDS),
               traced = bench_median(v[2], ROUNDS);
        char what[64];
        snprintf(what, sizeof what, "yield, %d tasks, untraced, ns", tasks);
        bench_row(what, "rdtsc", limit, plain, plain / limit, "<= 1.1");
        snprintf(what, sizeof what, "yield, %d tasks, traced, ns", tasks);
        if (on)
            bench_row(what, "rdtsc", limit, traced, traced / limit, "<= 1.5");
        for (int i = 2; i < 1001 && tasks == 2; i++)
            ls_detach(ls_spawn(yielder, NULL, "yielder"));
    }
    __atomic_store_n(&ls_recording, on, __ATOMIC_RELAXED);
    return 0;
}

int main(void)
{
    int on = ls_probe_on();
    return (int)ls_run(app, &on, NULL);
}

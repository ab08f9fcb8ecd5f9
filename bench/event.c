/* event.c - what one recorded event costs: a bare rdtsc, our probe, an LTTng-UST tracepoint, in turn.
 *
 * Run under `loopscope record` (bench/run does), so that a live recorder drains the ring.  Bursts of 50,000 with a pause
 * after each: flat out, 100 M events/s overrun any ring, and a dropped event would be measured instead.
 * link: -llttng-ust -ldl
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench/lttng_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/bench.h"
#include "loopscope/probe.h"

#define BURST  50000
#define ROUNDS 101
#define FIVE(x) \
    do {        \
        x;      \
        x;      \
        x;      \
        x;      \
        x;      \
    } while (0) /* the loop around it is not what is measured */

static volatile uint64_t sink;

static double burst(int what, uint32_t task)
{
    uint64_t t = bench_now();
    switch (what) {
    case 0:
        for (int i = 0; i < BURST; i += 5)
            FIVE(sink = bench_ticks());
        break;
    case 1:
        for (int i = 0; i < BURST; i += 5)
            FIVE(ls_probe_wake(task, 0));
        break;
    case 2:
        for (int i = 0; i < BURST; i += 5)
            FIVE(lttng_ust_tracepoint(loopscope_bench, event, (uint64_t)i, task, 0));
        break;
    }
    return (double)(bench_now() - t) / BURST;
}

int main(void)
{
    static double v[3][ROUNDS];
    if (!ls_probe_on()) {
        fprintf(stderr, "event: nothing records; run it under `loopscope record`\n");
        return 77;
    }
    ls_probe_loop("bench");
    uint32_t task = ls_probe_task_new(0, NULL, "bench");
    for (int r = -3; r < ROUNDS; r++)
        for (int what = 0; what < 3; what++) {
            double ns = burst(what, task);
            if (r >= 0)
                v[what][r] = ns;
            bench_pause_ms(4); /* the recorder empties the ring */
        }
    double limit = bench_median(v[0], ROUNDS), us = bench_median(v[1], ROUNDS), lttng = bench_median(v[2], ROUNDS);
    bench_row("one recorded event, ns", "rdtsc", limit, us, us / limit, "<= 1.25");
    bench_row("", "LTTng-UST", lttng, us, us / lttng, "<= 0.20");
    return 0;
}

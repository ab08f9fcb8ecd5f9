/* yield.c - what a yield costs: between 2 and between 1001 tasks; untraced and, under `loopscope record`, traced in turn.
 *
 * The peer is the better of a ring of as many State Threads, each waking the next by a condition, and of swapcontext; a traced yield (suspend and
 * resume stored) shall cost less than its untraced one.  Bursts with a pause after each, so that the recorder keeps up.
 * link: -lst
 */
#include "bench/bench.h"
#include "bench/peers.h"

#include <ucontext.h>

#include <loopscope/runtime.h>

#define BURST  40000
#define ROUNDS 51

static volatile uint64_t sink;
static ucontext_t posix[2];

static intptr_t yielder(void *arg)
{
    while (!ls_yield())
        ;
    return (intptr_t)arg;
}
static void posix_fn(void)
{
    for (;;)
        swapcontext(&posix[1], &posix[0]);
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
static double stamps(void)
{
    uint64_t t = bench_now();
    for (int i = 0; i < BURST; i++)
        sink = bench_ticks();
    return (double)(bench_now() - t) / BURST;
}
static double st_burst(int threads)
{
    int turns = BURST / threads;
    uint64_t t = bench_now();
    for (int i = 0; i < turns; i++)
        st_ring_go();
    return (double)(bench_now() - t) / turns / threads;
}
static double posix_burst(void)
{
    uint64_t t = bench_now();
    for (int i = 0; i < BURST / 20; i++)
        swapcontext(&posix[0], &posix[1]);
    return (double)(bench_now() - t) / (BURST / 10);
}

static intptr_t app(void *arg)
{
    static double v[5][ROUNDS];
    int on = *(int *)arg;
    getcontext(&posix[1]);
    posix[1].uc_stack.ss_sp = malloc(65536);
    posix[1].uc_stack.ss_size = 65536;
    makecontext(&posix[1], posix_fn, 0);
    ls_detach(ls_spawn(yielder, NULL, "yielder"));
    for (int tasks = 2; tasks <= 1001; tasks += 999) {
        st_ring_init(tasks);
        for (int r = -3; r < ROUNDS; r++) {
            double ns[5] = { stamps(), st_burst(tasks), posix_burst(), burst(tasks, 0), on ? burst(tasks, 1) : 0 };
            for (int i = 0; i < 5 && r >= 0; i++)
                v[i][r] = ns[i];
        }
        double limit = bench_median(v[0], ROUNDS), st = bench_median(v[1], ROUNDS), swap = bench_median(v[2], ROUNDS),
               plain = bench_median(v[3], ROUNDS), traced = bench_median(v[4], ROUNDS);
        double peer = st < swap ? st : swap;
        char what[64];
        snprintf(what, sizeof what, "yield, %d tasks, untraced, ns", tasks);
        bench_row(what, "State Threads", st, plain, plain / st, plain / peer <= 0.6 ? "<= 0.60" : "<= 0.60 MISSED");
        bench_row("", "swapcontext", swap, plain, plain / swap, "");
        snprintf(what, sizeof what, "yield, %d tasks, traced, ns", tasks);
        if (on) {
            bench_row(what, "the best untraced", peer, traced, traced / peer, "< 1");
            bench_row("", "rdtsc", limit, traced, traced / limit, "");
        }
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

/* read.c - what the preload adds to one interposed 1-byte read on a loop thread, in rdtsc; and a probe while nothing
 * records.  Run under `loopscope record` (bench/run does): libc's own read, found past the preload, is the peer.
 * link: -ldl
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/bench.h"
#include "loopscope/probe.h"

#define BURST  20000
#define ROUNDS 101

static ssize_t (*libc_read)(int, void *, size_t);
static volatile uint64_t sink;
static uint32_t nobody;

static double burst(int what, int fd)
{
    char c;
    uint64_t t = bench_now();
    for (int i = 0; i < BURST; i++) {
        if (what == 0)
            sink = bench_ticks();
        else if (what == 1)
            sink = (uint64_t)libc_read(fd, &c, 1);
        else
            sink = (uint64_t)read(fd, &c, 1);
    }
    return (double)(bench_now() - t) / BURST;
}

/* A probe call that nothing records: the loop itself is subtracted. */
static double probe_off(void)
{
    double v[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t t = bench_now();
        for (int i = 0; i < BURST * 10; i++) {
            if (ls_probe_on())
                ls_probe_wake(nobody, 0);
            __asm__ volatile("" ::: "memory");
        }
        uint64_t with = bench_now() - t;
        t = bench_now();
        for (int i = 0; i < BURST * 10; i++)
            __asm__ volatile("" ::: "memory");
        v[r] = ((double)with - (double)(bench_now() - t)) / (BURST * 10);
    }
    return bench_median(v, ROUNDS);
}

int main(void)
{
    static double v[3][ROUNDS];
    if (!ls_probe_on()) {
        bench_row("a probe, nothing recording, ns", "1 ns", 1, probe_off(), probe_off(), "<= 1");
        return 0;
    }
    struct epoll_event e;
    int ep = epoll_create1(0), fd = open("/dev/zero", O_RDONLY);
    libc_read = (ssize_t(*)(int, void *, size_t))dlsym(dlopen("libc.so.6", RTLD_LAZY), "read");
    for (int r = -3; r < ROUNDS; r++)
        for (int what = 0; what < 3; what++) {
            epoll_wait(ep, &e, 1, 1); /* a turn of the loop, so that no burst is a stall */
            double ns = burst(what, fd);
            if (r >= 0)
                v[what][r] = ns;
        }
    double rdtsc = bench_median(v[0], ROUNDS), bare = bench_median(v[1], ROUNDS), ours = bench_median(v[2], ROUNDS);
    bench_row("one interposed read, ns added", "rdtsc", rdtsc, ours - bare, (ours - bare) / rdtsc, "<= 3.5");
    bench_row("", "bare read", bare, ours, ours / bare, "");
    return 0;
}

/* bench.h - what the benchmark programs share: clocks, medians, and the one form of a result line. */
#ifndef LOOPSCOPE_BENCH_H
#define LOOPSCOPE_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t bench_ticks(void)
{
#if defined __x86_64__
    return __builtin_ia32_rdtsc();
#else
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#endif
}

static inline uint64_t bench_now(void) /* ns */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void bench_pause_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static int bench_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double bench_median(double *v, int n) /* sorts v */
{
    qsort(v, (size_t)n, sizeof *v, bench_order);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* what | peer or limit: its figure | ours | ours / theirs | goal */
static inline void bench_row(const char *what, const char *peer, double theirs, double ours, double ratio, const char *goal)
{
    printf("%-34s %-22s %10.2f %10.2f %8.3f   %s\n", what, peer, theirs, ours, ratio, goal);
    fflush(stdout);
}

#endif

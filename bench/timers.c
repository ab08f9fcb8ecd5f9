/* timers.c - CPU time of a one-shot timer, from its adding to its call: a million are pending, due in 1 to 500 ms.
 *
 * Beside it a bare 4-ary heap of 16-byte entries, and libuv; in turn, in one process.
 * link: -luv
 */
#include "bench/bench.h"

#include <unistd.h>
#include <uv.h>

#include <loopscope/runtime.h>

#define N      1000000
#define ROUNDS 5

static long fired;
static uint64_t seed = 88172645463325252u;

static uint64_t due_ms(void) /* the same row for each */
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return 1 + seed % 500;
}
static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct entry {
    uint64_t when, what;
};
static struct entry *heap;
static size_t count;

static void push(struct entry x)
{
    size_t i = count++;
    for (; i && heap[(i - 1) / 4].when > x.when; i = (i - 1) / 4)
        heap[i] = heap[(i - 1) / 4];
    heap[i] = x;
}
static void pop(void)
{
    struct entry x = heap[--count];
    size_t i = 0;
    for (size_t first; (first = 4 * i + 1) < count;) {
        size_t least = first;
        for (size_t k = first + 1; k < count && k < first + 4; k++)
            if (heap[k].when < heap[least].when)
                least = k;
        if (heap[least].when >= x.when)
            break;
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = x;
}
static void bare(void)
{
    heap = calloc(N, sizeof *heap);
    uint64_t now = bench_now();
    for (long i = 0; i < N; i++)
        push((struct entry){ now + due_ms() * 1000000, (uint64_t)i });
    while (count) {
        now = bench_now();
        for (; count && heap[0].when <= now; fired++)
            pop();
        usleep(1000);
    }
    free(heap);
}

static void uv_fired(uv_timer_t *t)
{
    (void)t;
    fired++;
}
static void libuv(void)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    uv_timer_t *t = calloc(N, sizeof *t);
    for (long i = 0; i < N; i++) {
        uv_timer_init(&loop, &t[i]);
        uv_timer_start(&t[i], uv_fired, due_ms(), 0);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    free(t); /* without uv_close: that would be its time, too; the loop is not used again */
}

static void ours_fired(void *arg)
{
    (void)arg;
    fired++;
}
static intptr_t app(void *arg)
{
    for (long i = 0; i < N; i++)
        if (!ls_call_later(due_ms() * LS_MS, ours_fired, arg))
            return 1;
    for (long goal = fired + N - fired % N; fired < goal;)
        ls_sleep(20 * LS_MS);
    return 0;
}
static void ours(void)
{
    if (ls_run(app, NULL, NULL))
        exit(1);
}

int main(void)
{
    static void (*const what[3])(void) = { bare, libuv, ours };
    static double v[3][ROUNDS];
    for (int r = -1; r < ROUNDS; r++)
        for (int i = 0; i < 3; i++) {
            seed = 88172645463325252u;
            double t = cpu();
            what[i]();
            if (r >= 0)
                v[i][r] = (cpu() - t) / N;
        }
    if (fired != 3L * N * (ROUNDS + 1))
        printf("timers: %ld fired\n", fired);
    double heap4 = bench_median(v[0], ROUNDS), uv = bench_median(v[1], ROUNDS), us = bench_median(v[2], ROUNDS);
    bench_row("one-shot timer, CPU ns", "4-ary heap alone", heap4, us, us / heap4, "<= 2");
    bench_row("", "libuv", uv, us, us / uv, "<= 0.33");
    return 0;
}

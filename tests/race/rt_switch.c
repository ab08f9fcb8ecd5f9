/* rt_switch.c - the switch alone, as a plain program: registers, floating point and unwinding.  Runs under
 * qemu-aarch64, too; exit 0 when all is right. */
#include <execinfo.h>
#include <stdio.h>

#include <loopscope/runtime.h>

static intptr_t mix(void *arg)
{
    /* More live values than there are caller-saved registers: the switch must keep them all. */
    uint64_t n = (uintptr_t)arg, v[12];
    double d[10];
    for (unsigned i = 0; i < 12; i++)
        v[i] = n * (i + 3);
    for (unsigned i = 0; i < 10; i++)
        d[i] = (double)n / (i + 1);
    for (int round = 0; round < 1000; round++) {
        ls_yield();
        for (unsigned i = 0; i < 12; i++)
            v[i] = v[i] * 3 + i;
        for (unsigned i = 0; i < 10; i++)
            d[i] = d[i] * 0.5 + i;
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < 12; i++)
        sum ^= v[i];
    for (unsigned i = 0; i < 10; i++)
        sum += (uint64_t)(d[i] * 1000);
    return (intptr_t)(sum >> 1);
}

static __attribute__((noinline)) int frames(int depth)
{
    void *at[64];
    int n = depth ? frames(depth - 1) : backtrace(at, 64);
    __asm__ volatile("" ::: "memory");
    return n;
}
static intptr_t unwind(void *arg)
{
    ls_yield();
    return frames((int)(intptr_t)arg);
}

static intptr_t app(void *arg)
{
    enum { N = 50 };
    struct ls_task *t[N];
    intptr_t out[N], alone, short_one, long_one;
    (void)arg;
    if (ls_await(ls_spawn(mix, (void *)7, NULL), &alone, LS_NEVER))
        return 1;
    for (int i = 0; i < N; i++)
        t[i] = ls_spawn(mix, (void *)(intptr_t)(i % 2 ? 7 : i + 100), NULL);
    if (ls_gather(t, N, out, LS_NEVER))
        return 2;
    for (int i = 1; i < N; i += 2)
        if (out[i] != alone)
            return 3;
    ls_await(ls_spawn(unwind, (void *)0, NULL), &short_one, LS_NEVER);
    ls_await(ls_spawn(unwind, (void *)20, NULL), &long_one, LS_NEVER);
    printf("rt_switch: %ld frames, 20 deeper: %ld\n", (long)short_one, (long)long_one);
    return short_one > 1 && long_one == short_one + 20 ? 0 : 4;
}

int main(void)
{
    intptr_t wrong = ls_run(app, NULL, NULL);
    printf("rt_switch: %s\n", wrong ? "failed" : "ok");
    return (int)wrong;
}

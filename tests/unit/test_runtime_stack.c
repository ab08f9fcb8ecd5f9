/* Coroutine stacks: they can be unwound, also at each instruction of a switch; they are reused, and guarded. */
#include <criterion/criterion.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include <loopscope/runtime.h>

extern const char lsrt_entry[]; /* of the runtime's static library: where each stack ends */

static int at_entry(const void *pc)
{
    return (const char *)pc >= lsrt_entry && (const char *)pc <= lsrt_entry + 16;
}

static __attribute__((noinline)) intptr_t deep(int n, int *ret_frames)
{
    if (n) {
        intptr_t r = deep(n - 1, ret_frames);
        __asm__ volatile("" ::: "memory"); /* no tail call: each level is a frame */
        return r;
    }
    void *frames[64];
    *ret_frames = backtrace(frames, 64);
    return at_entry(frames[*ret_frames - 1]) ? 0 : 1;
}
static intptr_t unwinds(void *ret_frames)
{
    ls_yield();
    return deep(10, ret_frames);
}
static intptr_t unwind_app(void *ret_frames)
{
    intptr_t result;
    return ls_await(ls_spawn(unwinds, ret_frames, NULL), &result, LS_NEVER) ? 2 : result;
}
Test(runtime_stack, an_unwind_ends_at_the_entry)
{
    int frames = 0;
    cr_assert_eq(ls_run(unwind_app, &frames, NULL), 0);
    cr_assert(frames >= 13 && frames < 20, "%d frames", frames); /* backtrace's caller, 11 x deep, unwinds, the entry */
}

#ifdef __x86_64__
/* Single steps two tasks that switch to one another; the handler unwinds at each instruction: in the runtime, in the
 * switch, on both sides of it. */
static volatile int stepping, steps, wrong, stacks;
static char *thread_stack; /* the loop polls there: an unwind of it ends elsewhere */
static const void *wrong_at;

static void on_step(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    ucontext_t *u = context;
    static char *last;
    if (!stepping)
        u->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
    void *frames[64];
    int n = backtrace(frames, 64);
    steps++;
    char *sp = (char *)u->uc_mcontext.gregs[REG_RSP];
    int coroutine = sp > thread_stack || sp < thread_stack - (1 << 20);
    stacks += sp > last + 8192 || sp < last - 8192;
    last = sp;
    if (n < 4 || coroutine != at_entry(frames[n - 1])) {
        wrong++;
        wrong_at = (const void *)u->uc_mcontext.gregs[REG_RIP];
    }
}
static intptr_t stepped(void *arg)
{
    (void)arg;
    ls_yield(); /* both have begun */
    ls_yield();
    if (!stepping) { /* the flag is the thread's: the second goes on stepping */
        stepping = 1;
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
    }
    ls_yield();
    ls_sleep(LS_MS); /* by way of the loop's own stack */
    stepping = 0;
    __asm__ volatile("nop");
    return 0;
}
static intptr_t step_app(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(stepped, arg, "a"), ls_spawn(stepped, arg, "b") };
    return ls_gather(t, 2, NULL, LS_NEVER);
}
Test(runtime_stack, an_unwind_works_at_each_instruction_of_a_switch)
{
    void *warm[4];
    thread_stack = (char *)(warm + 4);
    backtrace(warm, 4); /* loads libgcc, which must not happen in a handler */
    struct sigaction a = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
    sigaction(SIGTRAP, &a, NULL);
    struct ls_opts opts = { .stack_size = 256 * 1024 };
    cr_assert_eq(ls_run(step_app, NULL, &opts), 0);
    cr_assert(steps > 200 && stacks >= 6, "%d steps, %d switches", steps, stacks);
    cr_assert_eq(wrong, 0, "%d of %d unwinds were wrong, one at lsrt_entry%+ld", wrong, steps,
                 (long)((const char *)wrong_at - lsrt_entry));
}
#endif

static intptr_t address(void *arg)
{
    char c;
    *(uintptr_t *)arg = (uintptr_t)&c; /* NOLINT: the address only */
    return 0;
}
static intptr_t reuse_app(void *arg)
{
    (void)arg;
    uintptr_t seen[1000], different = 0;
    for (int i = 0; i < 1000; i++) {
        if (ls_await(ls_spawn(address, &seen[i], NULL), NULL, LS_NEVER))
            return -1;
        int k = 0;
        while (seen[k] != seen[i])
            k++;
        different += k == i;
    }
    return (intptr_t)different;
}
Test(runtime_stack, stacks_are_reused)
{
    intptr_t different = ls_run(reuse_app, NULL, NULL);
    cr_assert(different >= 1 && different <= 2, "%ld stacks for 1000 tasks, one after the other", (long)different);
}

static __attribute__((noinline)) int fall(int n)
{
    volatile char frame[1000];
    frame[n % 1000] = (char)n;
    return n ? fall(n - 1) + frame[(n + 1) % 1000] : 0;
}
static intptr_t overflow(void *arg)
{
    return fall((int)(intptr_t)arg);
}
#ifndef __SANITIZE_ADDRESS__ /* it takes the signal, and its stack frames are larger */
Test(runtime_stack, an_overflow_hits_the_guard, .signal = SIGSEGV)
{
    ls_run(overflow, (void *)1000, NULL);
}
#endif
Test(runtime_stack, a_larger_stack_holds_more)
{
    struct ls_opts opts = { .stack_size = 4 << 20 };
    ls_run(overflow, (void *)1000, &opts);
}

#ifndef __SANITIZE_ADDRESS__ /* its own memory would be counted */
static intptr_t parked(void *arg)
{
    (void)arg;
    return ls_sleep(LS_SEC * 1000);
}
static long rss_kb(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * 4;
}
static intptr_t park_app(void *arg)
{
    (void)arg;
    long before = rss_kb();
    for (int i = 0; i < 40000; i++) /* more than vm.max_map_count allows mprotect guards for */
        if (ls_detach(ls_spawn(parked, NULL, "p")))
            return -1;
    ls_sleep(LS_MS);
    return (rss_kb() - before) * 1024 / 40000;
}
Test(runtime_stack, forty_thousand_parked_tasks_need_a_page_each)
{
    intptr_t bytes = ls_run(park_app, NULL, NULL);
    cr_assert(bytes > 0 && bytes < 4700, "%ld bytes a task", (long)bytes);
}
#endif

static intptr_t nothing(void *arg)
{
    return (intptr_t)arg;
}
Test(runtime_stack, one_of_any_size_or_an_error, .timeout = 20)
{
#ifdef __SANITIZE_ADDRESS__ /* it marks every byte, of four times as much: minutes */
    const size_t large = (size_t)1 << 26;
#else
    const size_t large = (size_t)1 << 30;
#endif
    const size_t sizes[] = {
        1, 4096, 1 << 20, large, ((size_t)1 << 60) + 4096, ((size_t)1 << 58) + 4096, SIZE_MAX, SIZE_MAX - 4096
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct ls_opts opts = { .stack_size = sizes[i] };
        errno = 0;
        intptr_t result = ls_run(nothing, (void *)5, &opts);
        cr_assert(result == 5 || (result == -1 && errno == ENOMEM), "%zu: %ld, errno %d", sizes[i], (long)result,
                  errno);
        cr_assert(result == 5 || i > 2, "%zu: %ld, errno %d", sizes[i], (long)result, errno);
    }
}

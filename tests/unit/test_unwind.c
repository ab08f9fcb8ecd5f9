/* test_unwind.c - stacks of real programs, taken by ptrace and walked from the copy: each must reach its end. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/grab.h"
#include "tracer/record/symbol.h"
#include "tracer/record/unwind.h"

struct run { /* one target and what is needed to look at it */
    char path[64];
    pid_t pid;
    struct module_files *files;
    struct module_map *map;
    struct unwinder *unwinder;
    struct symbolizer *symbolizer;
    struct unwound frames;
};

static void compile(struct run *r, const char *source, const char *flags)
{
    memset(r, 0, sizeof *r);
    strcpy(r->path, "/tmp/loopscope-unwind-XXXXXX");
    int fd = mkstemp(r->path);
    cr_assert(fd >= 0);
    close(fd);
    cr_assert_eq(grab_compile(source, flags, r->path), 0, "%s %s does not compile", source, flags);
}

static void start(struct run *r, const char *arg)
{
    char *argv[] = { r->path, (char *)(uintptr_t)arg, NULL };
    r->pid = grab_spawn(argv);
    cr_assert_eq(grab_wait_busy(r->pid), 0);
    r->files = module_files_new();
    r->map = module_map_open(r->files, r->pid);
    cr_assert_not_null(r->map);
    r->unwinder = unwinder_new();
    r->symbolizer = symbolizer_new();
}

static void finish(struct run *r)
{
    unwinder_free(r->unwinder);
    symbolizer_free(r->symbolizer);
    module_map_close(r->map);
    module_files_free(r->files);
    if (r->pid)
        grab_kill(r->pid);
    unlink(r->path);
}

static void take(struct run *r, unsigned size)
{
    struct stack_copy *c = grab_stack(r->pid, size);
    cr_assert_not_null(c);
    unwind_stack(r->unwinder, r->map, c, &r->frames);
    free(c);
}

static const char *name(struct run *r, int i)
{
    struct symbol s[SYMBOL_INLINES];
    struct module_ref ref;
    int n = symbolize(r->symbolizer, r->map, r->frames.ip[i], r->frames.exact[i], s, &ref);
    return s[n - 1].function ? s[n - 1].function : "?";
}

static bool has(struct run *r, const char *function)
{
    for (int i = 0; i < r->frames.n; i++)
        if (!strcmp(name(r, i), function))
            return true;
    return false;
}

/* The chain that unwind_deep makes: deep_c, deep_b, deep_a ten times, main, and libc to its end. */
static void expect_deep(struct run *r)
{
    static const char *const chain[] = { "deep_c", "deep_b", "deep_a" };
    cr_assert_not(r->frames.partial, "%d frames, the last %s", r->frames.n, name(r, r->frames.n - 1));
    cr_assert_geq(r->frames.n, 32);
    for (int i = 0; i < 30; i++)
        cr_assert_str_eq(name(r, i), chain[i % 3], "frame %d", i);
    cr_assert_str_eq(name(r, 30), "main");
    cr_assert_str_eq(name(r, r->frames.n - 1), "_start");
}

static void deep_with(const char *flags)
{
    struct run r;
    compile(&r, "unwind_deep.c", flags);
    start(&r, NULL);
    for (int i = 0; i < 5; i++) {
        take(&r, 8192);
        expect_deep(&r);
    }
    finish(&r);
}

Test(unwind, optimised_without_frame_pointer)
{
    deep_with("-O2 -fomit-frame-pointer");
}
Test(unwind, not_optimised)
{
    deep_with("-O0");
}
Test(unwind, frame_pointers_without_cfi)
{
    deep_with("-O2 -fno-asynchronous-unwind-tables -fno-omit-frame-pointer");
}
Test(unwind, debug_frame_only)
{
    deep_with("-O2 -g -fno-asynchronous-unwind-tables -fomit-frame-pointer");
}
Test(unwind, no_eh_frame_hdr)
{
    deep_with("-O2 -Wl,--no-eh-frame-hdr");
}
Test(unwind, static_program)
{
    deep_with("-O2 -static");
}

Test(unwind, neither_cfi_nor_frame_pointer_is_partial)
{
    struct run r;
    compile(&r, "unwind_deep.c", "-O2 -fno-asynchronous-unwind-tables -fomit-frame-pointer");
    start(&r, NULL);
    take(&r, 8192);
    cr_assert(r.frames.partial);
    cr_assert_geq(r.frames.n, 1);
    cr_assert_str_eq(name(&r, 0), "deep_c");
    finish(&r);
}

Test(unwind, through_a_signal_handler)
{
    struct run r;
    compile(&r, "unwind_deep.c", "-O2");
    start(&r, "signal");
    take(&r, 8192);
    cr_assert_not(r.frames.partial);
    cr_assert(has(&r, "raise") && has(&r, "main") && has(&r, "_start"));
    finish(&r);
}

Test(unwind, glibc_coroutine_ends_at_its_root)
{
    struct run r;
    compile(&r, "unwind_coro.c", "-O2");
    start(&r, NULL);
    take(&r, 8192);
    cr_assert_not(r.frames.partial);
    cr_assert_str_eq(name(&r, 0), "coro_leaf");
    cr_assert_str_eq(name(&r, 1), "coro_body");
    const char *root = name(&r, r.frames.n - 1);
    cr_assert(!strcmp(root, "__start_context") || !strcmp(root, "?"), "%s",
              root); /* "?": without libc's debug symbols */
    cr_assert_eq(r.frames.n, 3);
    finish(&r);
}

Test(unwind, boost_coroutine_ends_at_its_root)
{
    struct run r;
    compile(&r, "unwind_boost.cpp", "-O2 -lboost_context");
    start(&r, NULL);
    take(&r, 8192);
    cr_assert_not(r.frames.partial);
    cr_assert(has(&r, "boost_body"));
    cr_assert_str_eq(name(&r, r.frames.n - 1), "make_fcontext");
    finish(&r);
}

/* Until the target has run for a while: on a busy machine it may not have, and two samples would be one. */
static void let_run(pid_t pid)
{
    clockid_t clock;
    struct timespec t, first = { 0 };
    cr_assert_eq(clock_getcpuclockid(pid, &clock), 0);
    clock_gettime(clock, &first);
    do {
        usleep(100);
        cr_assert_eq(clock_gettime(clock, &t), 0);
    } while ((t.tv_sec - first.tv_sec) * 1000000000L + t.tv_nsec - first.tv_nsec < 50000);
}

Test(unwind, cpp_exceptions)
{
    struct run r;
    int whole = 0;
    compile(&r, "unwind_throw.cpp", "-O2");
    start(&r, NULL);
    for (int i = 0; i < 100; i++) {
        let_run(r.pid);
        take(&r, 8192);
        whole += !r.frames.partial && has(&r, "_start");
    }
    cr_assert_geq(whole, 90, "%d of 100 whole", whole); /* libgcc's landing code has wrong CFI: no unwinder gets all */
    finish(&r);
}

/* The return address of a function's last call is where another piece of code begins, with another rule. */
Test(unwind, a_sample_on_a_return_address_spoils_no_later_one)
{
    struct run r;
    struct stack_copy *c = NULL;
    int n = 0;
    compile(&r, "unwind_throw.cpp", "-O2");
    start(&r, NULL);
    for (int i = 0; i < 500 && !n; i++) {
        free(c);
        c = grab_stack(r.pid, 8192);
        unwind_stack(r.unwinder, r.map, c, &r.frames);
        n = !r.frames.partial && r.frames.n > 4 && has(&r, "__cxa_throw") ? r.frames.n : 0;
    }
    cr_assert_gt(n, 0);
    struct unwinder *fresh = unwinder_new();
    struct unwound whole = r.frames;
    for (int i = 1; i < n; i++) { /* first the odd sample, then the real one */
        struct ls_regs regs = c->regs;
        c->regs.r[LS_REG_IP] = whole.ip[i];
        unwind_stack(fresh, r.map, c, &r.frames);
        c->regs = regs;
    }
    unwind_stack(fresh, r.map, c, &r.frames);
    cr_assert_not(r.frames.partial);
    cr_assert_eq(r.frames.n, n);
    cr_assert_arr_eq(r.frames.ip, whole.ip, (size_t)n * sizeof *whole.ip);
    unwinder_free(fresh);
    free(c);
    finish(&r);
}

Test(unwind, a_cut_copy_is_continued_in_the_living_process)
{
    struct run r;
    compile(&r, "unwind_deep.c", "-O2");
    start(&r, NULL);
    take(&r, 512);
    expect_deep(&r);
    finish(&r);
}

Test(unwind, a_cut_copy_of_a_dead_process_is_partial)
{
    struct run r;
    compile(&r, "unwind_deep.c", "-O2");
    start(&r, NULL);
    struct stack_copy *c = grab_stack(r.pid, 512);
    grab_kill(r.pid);
    r.pid = 0;
    unwind_stack(r.unwinder, r.map, c, &r.frames);
    cr_assert(r.frames.partial);
    cr_assert_geq(r.frames.n, 3);
    cr_assert_str_eq(name(&r, 1), "deep_b");
    free(c);
    finish(&r);
}

Test(unwind, killed_before_unwinding)
{
    struct run r;
    compile(&r, "unwind_deep.c", "-O2");
    start(&r, NULL);
    struct stack_copy *c = grab_stack(r.pid, 32768);
    grab_kill(r.pid);
    r.pid = 0;
    unwind_stack(r.unwinder, r.map, c, &r.frames);
    expect_deep(&r);
    free(c);
    finish(&r);
}

Test(unwind, deleted_program)
{
    struct run r;
    compile(&r, "unwind_deep.c", "-O2");
    char *argv[] = { r.path, NULL };
    pid_t pid = grab_spawn(argv);
    cr_assert_eq(grab_wait_busy(pid), 0);
    unlink(r.path);
    r.pid = pid;
    r.files = module_files_new();
    r.map = module_map_open(r.files, pid);
    r.unwinder = unwinder_new();
    r.symbolizer = symbolizer_new();
    take(&r, 8192);
    expect_deep(&r);
    finish(&r);
}

Test(unwind, only_ip_and_sp)
{
    struct run r;
    compile(&r, "unwind_deep.c", "-O2 -fomit-frame-pointer");
    start(&r, NULL);
    struct stack_copy *c = grab_stack(r.pid, 8192);
    for (int i = 0; i < LS_NREGS; i++)
        if (i != LS_REG_IP && i != LS_REG_SP)
            c->regs.r[i] = 0x4141414141414141;
    c->only_ip_sp = true;
    unwind_stack(r.unwinder, r.map, c, &r.frames);
    expect_deep(&r);
    free(c);
    finish(&r);
}

Test(unwind, garbage_leaves_frame_0)
{
    struct run r;
    compile(&r, "unwind_deep.c", "-O2");
    start(&r, NULL);
    struct stack_copy *c = calloc(1, sizeof *c);
    c->pid = c->tid = r.pid;
    c->regs.r[LS_REG_IP] = 0x123;
    c->regs.r[LS_REG_SP] = 0x7ffffffffff8;
    unwind_stack(r.unwinder, r.map, c, &r.frames);
    cr_assert_eq(r.frames.n, 1);
    cr_assert_eq(r.frames.ip[0], 0x123);
    cr_assert(r.frames.partial);
    free(c);
    finish(&r);
}

Test(unwind, maps_of_many_processes_do_not_mix)
{
    struct run r[10];
    for (int i = 0; i < 10; i++) { /* more than the unwinder keeps spaces for */
        compile(&r[i], "unwind_deep.c", i % 2 ? "-O0" : "-O2");
        start(&r[i], NULL);
    }
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 10; i++) {
            struct unwinder *own = r[i].unwinder;
            r[i].unwinder = r[0].unwinder;
            take(&r[i], 8192);
            expect_deep(&r[i]);
            r[i].unwinder = own;
        }
    for (int i = 9; i >= 0; i--)
        finish(&r[i]);
}

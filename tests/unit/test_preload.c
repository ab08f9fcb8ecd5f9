/* test_preload.c - the preload from outside: runs tests/targets/preload_cases under it and reads what came through the
 * rings.  Nothing is preloaded into this program itself.  LOOPSCOPE_BUILD names the build directory (build). */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/lib/fake_arena.h"

#define MS 1000000ull

static char preload[512], cases[512];

static const char *built(char *out, const char *name)
{
    const char *build = getenv("LOOPSCOPE_BUILD");
    char file[400];
    snprintf(file, sizeof(file), "%s/%s", build ? build : "build", name);
    cr_assert(realpath(file, out), "%s is not built", file);
    return out;
}

static struct fake_arena run_from(const char *name, uint64_t ring_records, uint64_t call_min)
{
    struct fake_arena f;
#ifdef __SANITIZE_ADDRESS__
    cr_skip_test("ASan's runtime would have to come before the preload");
#endif
    char *argv[] = { (char *)built(cases, "tests/targets/preload_cases"), (char *)name, NULL };
    cr_assert_eq(fake_arena_make(&f, 256, ring_records, 20 * MS, call_min), 0);
    int status = fake_arena_run(&f, built(preload, "libloopscope-preload.so"), argv);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %#x", name, (unsigned)status);
    return f;
}
static struct fake_arena run(const char *name, uint64_t ring_records)
{
    return run_from(name, ring_records, 1 * MS);
}
static int loops(struct fake_arena *f)
{
    int n = 0;
    for (uint32_t i = 0; i < f->arena->slots; i++)
        n += ls_arena_slot(f->arena, i)->generation != 0;
    return n;
}
/* The first event of this kind and call that is left in slot 0. */
static struct fake_event *find(struct fake_arena *f, enum ls_event_kind kind, unsigned call)
{
    static struct fake_event e;
    int r;
    while ((r = fake_arena_next(f, 0, &e)) == 1)
        if (e.head.kind == kind && (!call || e.head.aux == call))
            return &e;
    cr_assert_eq(r, 0, "broken framing");
    return NULL;
}

Test(preload, tells_a_long_call_with_its_stack)
{
    struct fake_arena f = run("calls", 1 << 15);
    cr_assert_eq(atomic_load(&f.arena->processes), 1u);
    struct fake_event *e = find(&f, EV_LOOP, 0);
    cr_assert(e && e->head.flags == LOOP_EPOLL);
    e = find(&f, EV_CALL, CALL_usleep);
    cr_assert_not_null(e);
    struct ls_slot *slot = ls_arena_slot(f.arena, 0);
    cr_assert(e->has_more && e->has_stack && !e->stack_cut);
    cr_assert_geq(e->head.a, f.arena->ticks_per_sec / 1000 * 5);
    cr_assert_eq(e->stack_sp, e->regs.r[LS_REG_SP]);
    cr_assert_eq(e->stack_sp + e->stack_size, slot->stack_hi);
    uint64_t word;
    bool found = false; /* the caller's return address is in the copy, so an unwind can get there */
    for (uint32_t i = 0; i + 8 <= e->stack_size; i += 8) {
        memcpy(&word, e->stack + i, 8);
        found |= word == e->more.a;
    }
    cr_assert(found);
    fake_arena_free(&f);
}

Test(preload, gives_a_forked_child_its_own_slot)
{
    struct fake_arena f = run("fork", 1 << 15);
    cr_assert_eq(loops(&f), 2);
    cr_assert_eq(atomic_load(&f.arena->processes), 2u);
    cr_assert_neq(ls_arena_slot(f.arena, 0)->pid, ls_arena_slot(f.arena, 1)->pid);
    cr_assert_eq(fake_arena_count(&f, 0, EV_POLL, 0), 6);
    cr_assert_eq(fake_arena_count(&f, 1, EV_POLL, 0), 4);
    fake_arena_free(&f);
}

Test(preload, notices_a_raw_clone)
{
    struct fake_arena f = run("clone", 1 << 15);
    cr_assert_eq(loops(&f), 2);
    cr_assert_eq(fake_arena_count(&f, 0, EV_CALL, CALL_usleep), 0, "the child wrote into the parent's ring");
    cr_assert_eq(fake_arena_count(&f, 1, EV_POLL, 0), 4);
    fake_arena_free(&f);
}

Test(preload, survives_vfork_cancel_and_longjmp)
{
    struct fake_arena f = run("vfork", 1 << 15);
    cr_assert_eq(fake_arena_count(&f, 0, EV_LOOP, 0), 1, "a close in the child ended the parent's loop");
    fake_arena_free(&f);
    f = run("vfork", 1 << 15);
    cr_assert_not_null(find(&f, EV_CALL, CALL_usleep));
    fake_arena_free(&f);
    f = run("cancel", 1 << 15);
    cr_assert_eq(atomic_load(&ls_arena_slot(f.arena, 0)->state), (unsigned)SLOT_ENDED);
    fake_arena_free(&f);
    f = run("longjmp", 1 << 15);
    cr_assert_not_null(find(&f, EV_CALL, CALL_usleep), "the jump left a guard on");
    fake_arena_free(&f);
}

Test(preload, makes_no_system_call_that_a_sandbox_kills_for)
{
    struct fake_arena f = run("sandbox", 1 << 15);
    cr_assert_not_null(find(&f, EV_CALL, CALL_usleep));
    fake_arena_free(&f);
}

Test(preload, leaves_bad_pointers_to_the_kernel)
{
    struct fake_arena f = run("bad_pointers", 1 << 15);
    fake_arena_free(&f);
    f = run("bad_sets", 1 << 15);
    cr_assert_eq(loops(&f), 1);
    cr_assert_geq(fake_arena_count(&f, 0, EV_POLL, 0), 12);
    fake_arena_free(&f);
}

Test(preload, tells_calls_for_names_links_and_c11_locks)
{
    static const enum ls_call calls[] = { CALL_mkdirat,       CALL_faccessat,  CALL_symlink,    CALL_readlink,
                                          CALL_symlinkat,     CALL_readlinkat, CALL_link,       CALL_linkat,
                                          CALL_getpwnam,      CALL_getpwuid,   CALL_getpwnam_r, CALL_getpwuid_r,
                                          CALL_getgrnam,      CALL_getgrgid,   CALL_getgrnam_r, CALL_getgrgid_r,
                                          CALL_getgrouplist,  CALL_syslog,     CALL_mtx_lock,   CALL_cnd_timedwait,
                                          CALL_mtx_timedlock, CALL_thrd_sleep, CALL_thrd_join };
    struct fake_arena f = run_from("names", 1 << 15, 0);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) { /* in the order of the program */
        struct fake_event *e = find(&f, EV_CALL, calls[i]);
        cr_assert(e, "%s was not told", ls_call_name(calls[i]));
        cr_expect(calls[i] != CALL_getpwnam || strcmp(e->text, "root") == 0, "%s", e->text);
    }
    fake_arena_free(&f);
}

Test(preload, reads_no_more_of_a_set_than_the_kernel)
{
    struct fake_arena f = run("wide_select", 1 << 15);
    fake_arena_free(&f);
}

Test(preload, keeps_the_ring_whole_under_a_signal_storm)
{
    struct fake_arena f = run("storm", 1 << 15);
    int polls = fake_arena_count(&f, 0, EV_POLL, 0);
    cr_assert_eq((uint64_t)polls + atomic_load(&ls_arena_slot(f.arena, 0)->lost), 20000u);
    fake_arena_free(&f);
}

Test(preload, takes_another_poll_for_a_call)
{
    struct fake_arena f = run("polls", 1 << 15);
    struct fake_event *e = find(&f, EV_CALL, CALL_poll);
    cr_assert(e && e->head.flags == EV_CALL_POLL && e->head.id == 3);
    fake_arena_free(&f);
    f = run("select", 1 << 15);
    e = find(&f, EV_CALL, CALL_select);
    cr_assert(e && e->head.flags == EV_CALL_POLL);
    fake_arena_free(&f);
    f = run("nested", 1 << 15);
    cr_assert_eq(fake_arena_count(&f, 0, EV_CALL, CALL_epoll_wait), 3);
    fake_arena_free(&f);
}

Test(preload, takes_no_waiter_for_a_loop)
{
    struct fake_arena f = run("waiter", 1 << 15);
    cr_assert_eq(loops(&f), 0);
    fake_arena_free(&f);
}

Test(preload, names_the_owner_of_a_lock)
{
    struct fake_arena f = run("mutex", 1 << 15);
    struct fake_event *e = find(&f, EV_CALL, CALL_pthread_mutex_lock);
    cr_assert(e && e->has_more && e->more.b != 0);
    cr_assert_gt((int32_t)e->more.time, 0);
    cr_assert_neq((int32_t)e->more.time, ls_arena_slot(f.arena, 0)->tid);
    fake_arena_free(&f);
}

Test(preload, ends_the_slots_of_threads)
{
    struct fake_arena f = run("threads", 8);
    cr_assert_eq(loops(&f), 200);
    for (uint32_t i = 0; i < 200; i++)
        cr_assert_eq(atomic_load(&ls_arena_slot(f.arena, i)->state), (unsigned)SLOT_ENDED);
    fake_arena_free(&f);
}

Test(preload, counts_what_a_full_ring_drops)
{
    struct fake_arena f = run("busy", 8);
    cr_assert_eq(atomic_load(&ls_arena_slot(f.arena, 0)->lost), 2001u - 8);
    cr_assert_eq(fake_arena_count(&f, 0, EV_POLL, 0), 7);
    fake_arena_free(&f);
}

Test(preload, leaves_memory_and_descriptors_to_the_program)
{
    const char *names[] = { "rlimit", "mlockall", "descriptors" };
    for (int i = 0; i < 3; i++) {
        struct fake_arena f = run(names[i], 1 << 18);
        fake_arena_free(&f);
    }
}

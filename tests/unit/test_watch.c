/* test_watch.c - the watchdog over an arena of the test's own and children that play loops. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fake_loop.h"
#include "tracer/call.h"
#include "tracer/record/proc.h"
#include "tracer/record/watch.h"

#define MS        1000000ull
#define THRESHOLD (20 * MS)

/* Takes the note of turn n; waits while the watchdog says "not yet". */
static int take(struct watch *w, struct ls_arena *a, uint32_t slot, int n, struct watch_note *ret_note)
{
    int r = 0;
    cr_assert(fake_wait_turn(a, slot, n));
    for (int i = 0; i < 3000 && r == 0; i++) {
        r = watch_take(w, slot, ls_arena_slot(a, slot)->generation, fake_board_of(a, slot)->since[n], ret_note);
        if (r == 0)
            usleep(1000);
    }
    return r;
}

static ns_t length(struct ls_arena *a, uint32_t slot, int n)
{
    return fake_board_of(a, slot)->end[n] - fake_board_of(a, slot)->since[n];
}

/* One stall that `act` makes, seen by a watchdog: its note. */
static struct watch_note note_of(enum fake_act act, int ms, struct ls_arena **ret_arena)
{
    struct ls_arena *a = fake_arena(4);
    struct watch *w = watch_start(a, THRESHOLD);
    struct fake_step script[] = { { FAKE_POLL, 60 }, { act, ms }, { FAKE_POLL, 0 }, { FAKE_END, 0 } };
    pid_t p = fake_loop(a, 1, script, 1);
    struct watch_note note;
    cr_assert_eq(take(w, a, 1, 1, &note), 1);
    cr_expect_eq(watch_take(w, 1, note.generation, note.since, &note), -1, "a note is taken once");
    watch_stop(w);
    fake_kill(p);
    cr_expect_eq(note.pid, p);
    cr_expect_eq(note.tid, p);
    cr_expect_eq(fake_board_of(a, 1)->interrupted, 0, "a sleep was cut short");
    *ret_arena = a;
    return note;
}

Test(watch, a_loop_that_computes_is_sampled)
{
    struct ls_arena *a;
    struct watch_note n = note_of(FAKE_SPIN, 130, &a);
    ns_t dur = length(a, 1, 1);
    cr_expect(n.sched_known);
    cr_expect_geq(n.cpu + n.runq, dur * 8 / 10, "cpu %lu runq %lu of %lu", n.cpu, n.runq, dur);
    cr_expect_leq(n.cpu + n.runq, dur * 11 / 10, "cpu %lu runq %lu of %lu", n.cpu, n.runq, dur);
    cr_expect_gt(n.looks_running, 0);
    cr_expect_eq(n.looks_sleeping, 0);
    cr_expect_geq(n.n_samples, 2);
    cr_expect_null(n.no_stack);
    for (int i = 0; i < n.n_samples; i++) {
        cr_expect_not(n.samples[i]->only_ip_sp);
        cr_expect_gt(n.samples[i]->size, 256);
        cr_expect_neq(n.samples[i]->regs.r[LS_REG_IP], 0);
        cr_expect(n.samples[i]->time >= n.since && n.samples[i]->time <= n.since + dur);
    }
    watch_note_clear(&n);
}

Test(watch, a_loop_that_sleeps_is_not_touched)
{
    struct ls_arena *a;
    struct watch_note n = note_of(FAKE_SLEEP, 130, &a);
    cr_expect_leq(n.cpu, 10 * MS);
    cr_expect_gt(n.looks_sleeping, 0);
    cr_expect_eq(n.looks_running, 0);
    cr_expect(n.sleep_syscall == SYS_nanosleep || n.sleep_syscall == SYS_clock_nanosleep);
    cr_expect_eq(n.n_samples, 1, "the same sleep needs one stack");
    cr_expect(n.n_samples && n.samples[0]->only_ip_sp && n.samples[0]->size > 256);
    watch_note_clear(&n);
}

Test(watch, a_wrapped_call_is_left_alone)
{
    struct ls_arena *a;
    struct watch_note n = note_of(FAKE_CALL, 60, &a);
    cr_expect_gt(n.looks_in_call, 0);
    cr_expect_eq(n.looks_running + n.looks_sleeping, 0);
    cr_expect_eq(n.n_samples, 0);
    cr_expect_eq(n.hang_call, CALL_nanosleep);
    cr_expect_eq(n.hang_arg, 5);
    watch_note_clear(&n);
}

Test(watch, a_stopped_process)
{
    struct ls_arena *a = fake_arena(2);
    struct watch *w = watch_start(a, THRESHOLD);
    struct fake_step script[] = { { FAKE_POLL, 40 }, { FAKE_STOP, 0 }, { FAKE_POLL, 0 }, { FAKE_END, 0 } };
    pid_t p = fake_loop(a, 0, script, 1);
    int status;
    cr_assert_eq(waitpid(p, &status, WUNTRACED), p);
    cr_assert(WIFSTOPPED(status));
    usleep(200000);
    kill(p, SIGCONT);
    struct watch_note n;
    cr_assert_eq(take(w, a, 0, 1, &n), 1);
    cr_expect_geq(n.stopped, 120 * MS, "stopped %lu", n.stopped);
    cr_expect_leq(n.stopped, 260 * MS, "stopped %lu", n.stopped);
    cr_expect_gt(n.looks_stopped, 0);
    cr_expect_eq(n.n_samples, 0);
    watch_note_clear(&n);
    watch_stop(w);
    fake_kill(p);
}

Test(watch, a_short_turn_has_no_note)
{
    struct ls_arena *a = fake_arena(2);
    struct watch *w = watch_start(a, THRESHOLD);
    struct fake_step script[] = { { FAKE_POLL, 40 }, { FAKE_SLEEP, 5 }, { FAKE_POLL, 40 }, { FAKE_END, 0 } };
    pid_t p = fake_loop(a, 0, script, 1);
    struct watch_note n;
    cr_expect_eq(take(w, a, 0, 1, &n), -1);
    watch_stop(w);
    fake_kill(p);
}

Test(watch, no_stall_a_little_over_the_threshold_is_missed)
{
    struct ls_arena *a = fake_arena(2);
    struct watch *w = watch_start(a, THRESHOLD);
    struct fake_step script[] = { { FAKE_POLL, 7 }, { FAKE_SLEEP, 26 }, { FAKE_POLL, 0 },  { FAKE_SLEEP, 3 },
                                  { FAKE_POLL, 0 }, { FAKE_SLEEP, 26 }, { FAKE_POLL, 31 }, { FAKE_SLEEP, 26 },
                                  { FAKE_POLL, 0 }, { FAKE_END, 0 } };
    pid_t p = fake_loop(a, 0, script, 10);
    int missed = 0, stalls = 0;
    for (int i = 1; i < 50; i++) {
        struct watch_note n;
        cr_assert(fake_wait_turn(a, 0, i));
        if (length(a, 0, i) < THRESHOLD * 12 / 10)
            continue;
        int r = take(w, a, 0, i, &n);
        stalls++;
        missed += r != 1;
        if (r != 1)
            continue;
        cr_expect_leq(n.cpu, 8 * MS, "asleep all the time, not %lu ns on a CPU", n.cpu);
        watch_note_clear(&n);
    }
    cr_expect_geq(stalls, 25);
    cr_expect_eq(missed, 0, "%d of %d missed", missed, stalls);
    watch_stop(w);
    fake_kill(p);
}

Test(watch, work_before_the_stall_is_not_counted)
{
    struct ls_arena *a = fake_arena(2);
    struct watch *w = watch_start(a, THRESHOLD);
    struct fake_step script[] = { { FAKE_POLL, 30 }, { FAKE_SPIN, 15 },   { FAKE_POLL, 0 }, { FAKE_SPIN, 15 },
                                  { FAKE_POLL, 0 },  { FAKE_SLEEP, 100 }, { FAKE_POLL, 0 }, { FAKE_SPIN, 15 },
                                  { FAKE_POLL, 0 },  { FAKE_END, 0 } };
    pid_t p = fake_loop(a, 0, script, 5);
    struct watch_note n = { 0 };
    int i = 3; /* the turn that sleeps; a busy machine may let the watchdog miss one */
    while (take(w, a, 0, i, &n) != 1 && i < 3 + 4 * 5)
        i += 5;
    cr_assert_eq(fake_board_of(a, 0)->since[i], n.since, "it saw none of five");
    cr_expect_leq(n.cpu, 40 * MS, "cpu %lu", n.cpu);
    watch_note_clear(&n);
    watch_stop(w);
    fake_kill(p);
}

Test(watch, a_hang_is_seen_while_it_lasts_and_after_a_kill)
{
    struct ls_arena *a = fake_arena(2);
    struct watch *w = watch_start(a, THRESHOLD);
    struct fake_step script[] = { { FAKE_POLL, 30 }, { FAKE_FOREVER, 0 }, { FAKE_END, 0 } };
    pid_t p = fake_loop(a, 0, script, 1);
    struct watch_note n[4], taken;
    int found = 0;
    for (int i = 0; i < 3000 && !found; i++, usleep(1000))
        found = watch_ongoing(w, 150 * MS, n, 4);
    cr_assert_eq(found, 1);
    cr_expect_eq(n[0].hang_call, CALL_read);
    cr_expect_eq(n[0].hang_arg, 5);
    cr_expect_eq(n[0].n_samples, 0);
    cr_expect_eq(watch_take(w, 0, n[0].generation, n[0].since, &taken), 0);
    fake_kill(p);
    int r = 0;
    for (int i = 0; i < 1000 && !r; i++, usleep(1000))
        r = watch_take(w, 0, n[0].generation, n[0].since, &taken);
    cr_assert_eq(r, 1);
    cr_expect_eq(taken.n_samples, 1, "a call that does not return is looked at from outside");
    watch_note_clear(&taken);
    watch_stop(w);
}

Test(watch, a_liar_gets_nobody_stopped)
{
    struct ls_arena *a = fake_arena(2);
    pid_t victim = fork();
    if (victim == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody spinning */
        munmap(a, ls_arena_size(2, 8) + 2 * sizeof(struct fake_board));
        for (;;)
            fake_spin(1000);
    }
    usleep(50000);
    struct watch *w = watch_start(a, THRESHOLD);
    struct ls_slot *s = ls_arena_slot(a, 0);
    atomic_store(&s->since, fake_now());
    atomic_store(&s->word, LS_WORD(ACT_BUSY, 0, 1));
    fake_claim(s, victim, victim);
    struct watch_note n[2];
    int found = 0;
    for (int i = 0; i < 3000 && !found; i++, usleep(1000))
        found = watch_ongoing(w, 150 * MS, n, 2);
    cr_assert_eq(found, 1);
    cr_expect_eq(n[0].cpu, 0, "nothing is read of a stranger");
    cr_expect_not_null(n[0].no_stack);
    cr_expect_eq(watch_stats(w).samples + watch_stats(w).refused, 0);
    watch_stop(w);
    fake_kill(victim);
}

Test(watch, an_exec_ends_the_right_to_look)
{
    struct ls_arena *a = fake_arena(2);
    struct watch *w = watch_start(a, THRESHOLD);
    pid_t p = fork();
    if (p == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* exec keeps it */
        struct ls_slot *s = ls_arena_slot(a, 0);
        fake_claim(s, getpid(), getpid());
        usleep(60000);
        atomic_store(&s->since, fake_now());
        atomic_store(&s->word, LS_WORD(ACT_BUSY, 0, 1));
        execl("/bin/sh", "sh", "-c", "while :; do :; done", (char *)NULL);
        _exit(1);
    }
    struct ls_slot *s = ls_arena_slot(a, 0);
    for (int i = 0; i < 10000 && atomic_load(&s->state) != SLOT_ENDED; i++)
        usleep(1000);
    cr_assert_eq(atomic_load(&s->state), (unsigned)SLOT_ENDED, "the loop has ended, and its thread could not say so");
    struct watch_note n;
    int ongoing = 1;
    for (int i = 0; i < 3000 && ongoing; i++, usleep(1000))
        ongoing = watch_ongoing(w, 0, &n, 1);
    cr_assert_eq(ongoing, 0);
    uint64_t samples = watch_stats(w).samples; /* perhaps one or two before the exec */
    usleep(300000);
    cr_expect_eq(watch_stats(w).samples, samples);
    watch_stop(w);
    fake_kill(p);
}

Test(watch, a_hostile_arena_neither_crashes_nor_spins_it)
{
    struct ls_arena *a = fake_arena(64);
    struct watch *w = watch_start(a, THRESHOLD);
    unsigned seed = 3;
    ticks_t end = fake_now() + 700 * MS, start = fake_now();
    while (fake_now() < end) {
        struct ls_slot *s = ls_arena_slot(a, (uint32_t)rand_r(&seed) % 64);
        static const int32_t who[] = { 0, -1, 1, 2147483647 };
        s->generation = (uint32_t)rand_r(&seed) % 3;
        s->pid = who[rand_r(&seed) % 4];
        s->tid = who[rand_r(&seed) % 4];
        atomic_store(&s->since, rand_r(&seed) % 2 ? (ticks_t)rand_r(&seed) << 40
                                                  : fake_now() - (ticks_t)rand_r(&seed) % (90 * MS));
        atomic_store(&s->call_since, (ticks_t)rand_r(&seed) << 33);
        atomic_store(&s->word, LS_WORD(rand_r(&seed) % 6, rand_r(&seed), rand_r(&seed)));
        atomic_store(&s->state, (uint32_t)rand_r(&seed) % 5);
        a->slots = a->clock = a->ticks_per_sec = (uint32_t)rand_r(&seed);
    }
    struct watch_stats st = watch_stats(w);
    cr_expect_leq(st.cpu, (fake_now() - start) * 6 / 10, "used %lu ns", st.cpu);
    cr_expect_eq(st.samples, 0);
    watch_stop(w);
}

Test(watch, idle_loops_cost_next_to_nothing)
{
    struct ls_arena *a = fake_arena(256);
    struct watch *w = watch_start(a, THRESHOLD);
    struct fake_step script[] = { { FAKE_POLL, 1 }, { FAKE_END, 0 } };
    pid_t p[4];
    for (uint32_t i = 0; i < 4; i++)
        p[i] = fake_loop(a, i, script, 1);
    usleep(200000);
    ns_t before = watch_stats(w).cpu;
    usleep(1000000);
    ns_t used = watch_stats(w).cpu - before;
    cr_expect_leq(used, 4 * MS, "0.4 %% of a core is the limit; used %lu us in a second", used / 1000);
    cr_log_info("idle: %lu us of a second\n", used / 1000);
    watch_stop(w);
    for (int i = 0; i < 4; i++)
        fake_kill(p[i]);
}

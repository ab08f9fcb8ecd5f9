/* test_probe.c - ring, gap, groups and ids of the probe, on an arena of the test's own.  The probe's sources are part of
 * this program (they are hidden in the library), and its constructor finds no session here. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "tests/lib/fake_arena.h"
#include "tracer/probe/ring.h"

#include "tracer/probe/api.c"
#include "tracer/probe/attach.c"
#include "tracer/probe/ring.c"
#include "tracer/probe/slot.c"
#include "tracer/probe/start.c"

static struct fake_arena f;

static void attach_to(uint32_t slots, uint64_t records)
{
    cr_assert_eq(fake_arena_make(&f, slots, records, 20000000, 1000000), 0);
    probe_process.arena = f.arena;
    probe_process.slots = slots;
    probe_process.ring_offset = f.arena->ring_offset;
    probe_process.ring_records = f.arena->ring_records;
    probe_process.tsc = f.arena->clock == LS_CLOCK_TSC;
    probe_process.pid = getpid();
    probe_page.alive = 1;
}
static void let_go(void)
{
    probe_page.alive = 0; /* our end must not be told to an arena that has gone */
    fake_arena_free(&f);
}
static struct fake_event *next(void)
{
    static struct fake_event e;
    int r = fake_arena_next(&f, 0, &e);
    cr_assert_geq(r, 0, "broken framing");
    return r ? &e : NULL;
}

Test(probe, claims_a_slot_and_says_who_it_is)
{
    attach_to(4, 64);
    ls_probe_loop("main");
    struct ls_slot *s = ls_arena_slot(f.arena, 0);
    char here;
    cr_assert_eq(atomic_load(&s->state), (unsigned)SLOT_LIVE);
    cr_assert_eq(s->pid, getpid());
    cr_assert_eq(s->tid, gettid());
    cr_assert(s->stack_lo < (uintptr_t)&here && (uintptr_t)&here < s->stack_hi);
    cr_assert_eq(LS_WORD_ACT(atomic_load(&s->word)), ACT_BUSY);
    struct fake_event *e = next();
    cr_assert(e && e->head.kind == EV_LOOP && e->head.flags == LOOP_RUNTIME && !strcmp(e->text, "main"));
    let_go();
}

static uint64_t lo, hi;
static void *stack_of_thread(void *unused)
{
    find_stack(&lo, &hi);
    return unused;
}
Test(probe, knows_the_stack_of_a_thread)
{
    pthread_t t;
    pthread_attr_t attr;
    void *block;
    size_t size, room = 1 << 20;
    pthread_attr_init(&attr);
    cr_assert_eq(posix_memalign(&block, 4096, room), 0);
    pthread_attr_setstack(&attr, block, room);
    pthread_create(&t, &attr, stack_of_thread, NULL);
    pthread_join(t, NULL);
    cr_assert_eq(lo, (uintptr_t)block);
    cr_assert(hi > lo && hi <= lo + room);
    pthread_attr_destroy(&attr);
    free(block);
    pthread_create(&t, NULL, stack_of_thread, NULL);
    pthread_getattr_np(t, &attr);
    pthread_attr_getstack(&attr, &block, &size);
    pthread_join(t, NULL);
    pthread_attr_destroy(&attr);
    cr_assert(lo <= (uintptr_t)block && hi > (uintptr_t)block && hi <= (uintptr_t)block + size);
}

Test(probe, drops_and_tells_the_gap)
{
    attach_to(1, 8);
    ls_probe_loop(NULL);
    for (uint32_t i = 1; i <= 100; i++)
        ls_probe_wake(i, 0);
    cr_assert_eq(atomic_load(&ls_arena_slot(f.arena, 0)->lost), 93u);
    for (int i = 0; i < 8; i++)
        cr_assert_not_null(next());
    cr_assert_null(next());
    int tries = 0;
    while (!next() && tries++ < 2 * RING_PATIENCE)
        ls_probe_wake(1000, 0);
    cr_assert_lt(tries, RING_PATIENCE + 1, "it must look at the tail again");
    let_go();
}

Test(probe, writes_the_gap_before_what_follows)
{
    attach_to(1, 8);
    ls_probe_loop(NULL);
    for (uint32_t i = 0; i < 8 + RING_PATIENCE; i++)
        ls_probe_wake(1, 0);
    while (next())
        ;
    uint64_t lost = atomic_load(&ls_arena_slot(f.arena, 0)->lost);
    struct fake_event *e = NULL;
    for (int i = 0; i < RING_PATIENCE && !e; i++) {
        ls_probe_wake(7, 0);
        e = next();
    }
    cr_assert(e && e->head.kind == EV_GAP);
    cr_assert_geq(e->head.a, lost);
    cr_assert_eq(e->head.a, atomic_load(&ls_arena_slot(f.arena, 0)->lost));
    cr_assert_leq(e->head.b, e->head.time);
    e = next();
    cr_assert(e && e->head.kind == EV_WAKE && e->head.id == 7);
    let_go();
}

Test(probe, publishes_a_group_whole_across_the_end_of_the_ring)
{
    attach_to(1, 16);
    char name[100];
    memset(name, 'x', sizeof(name));
    name[99] = 0;
    ls_probe_loop(NULL);
    next();
    for (int i = 0; i < 40; i++) {
        name[0] = (char)('a' + i % 26);
        uint32_t id = ls_probe_object_new(LS_OBJECT_LOCK, name, NULL, -1);
        struct fake_event *e = next();
        cr_assert(e && e->head.kind == EV_OBJECT_NEW && e->head.id == id);
        cr_assert_str_eq(e->text, name);
        cr_assert_null(next());
    }
    let_go();
}

Test(probe, sends_a_site_once)
{
    static struct ls_site site = LS_SITE_INIT("fetch");
    attach_to(1, 64);
    ls_probe_loop(NULL);
    next();
    ls_probe_switch(1, LS_WHY_SLEEP, 0, &site, 2);
    ls_probe_switch(2, LS_WHY_SLEEP, 0, &site, 1);
    struct fake_event *e = next();
    cr_assert(e && e->head.kind == EV_SITE && e->head.id == site.id && e->head.a == site.line);
    cr_assert_str_eq(e->text, "fetch");
    cr_assert_str_eq(e->text + 6, site.file);
    e = next();
    cr_assert(e && e->head.kind == EV_SWITCH && e->head.a == (1u | (uint64_t)site.id << 32) && e->head.id == 2);
    e = next();
    cr_assert(e && e->head.kind == EV_SWITCH && e->head.id == 1);
    let_go();
}

Test(probe, counts_the_event_of_a_handler_that_meets_a_push)
{
    attach_to(1, 64);
    ls_probe_loop(NULL);
    next();
    probe_self.pushing = 1;
    probe_self.quick = 0;
    ls_probe_wake(1, 0); /* as a signal handler in the middle of a push would */
    ring_release(&probe_self);
    ls_probe_wake(2, 0);
    struct fake_event *e = next();
    cr_assert(e && e->head.kind == EV_GAP && e->head.a == 1);
    e = next();
    cr_assert(e && e->head.kind == EV_WAKE && e->head.id == 2);
    let_go();
}

Test(probe, is_silent_when_recording_is_off)
{
    attach_to(1, 64);
    ls_probe_loop(NULL);
    next();
    atomic_store(&f.arena->on, 0);
    cr_assert_eq(ls_probe_task_new(0, NULL, "t"), 0u);
    for (int i = 0; i < 200; i++) /* into the ring until it is full, then nowhere; nobody reads, nothing is lost */
        ls_probe_switch(0, LS_WHY_YIELD, 0, NULL, 1);
    cr_assert_leq(atomic_load(&ls_arena_slot(f.arena, 0)->head), 64u);
    cr_assert_eq(atomic_load(&ls_arena_slot(f.arena, 0)->lost), 0u);
    let_go();
}

Test(probe, refuses_when_all_slots_are_taken)
{
    attach_to(1, 64);
    atomic_store(&ls_arena_slot(f.arena, 0)->state, SLOT_LIVE);
    ls_probe_loop(NULL);
    cr_assert_null(probe_self.slot);
    cr_assert_eq(atomic_load(&f.arena->refused), 1u);
    let_go();
}

Test(probe, refuses_a_damaged_header)
{
    attach_to(2, 64);
    struct ls_arena a = *f.arena;
    cr_assert(header_good(&a, f.size));
    cr_assert_not(header_good(&a, f.size - 1));
    a.ring_records = 63;
    cr_assert_not(header_good(&a, f.size));
    a = *f.arena;
    a.slots = 0;
    cr_assert_not(header_good(&a, f.size));
    a = *f.arena;
    a.ring_offset += 8;
    cr_assert_not(header_good(&a, f.size));
    let_go();
}

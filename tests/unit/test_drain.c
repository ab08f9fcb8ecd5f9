/* test_drain.c - the reader's side of the rings: what is taken, what is refused, what is spilled, who is ended.
 * The tests play the target: they write slots as a probe does. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/record/drain.h"

#define SLOTS   4u
#define RECORDS 1024u
#define WAIT    10000 /* ms; far more than is needed */

static struct ls_arena *arena;
static struct drain *d;

static void make_arena(uint64_t records)
{
    size_t size = ls_arena_size(SLOTS, records);
    arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *arena = (struct ls_arena){ .slots = SLOTS, .ring_records = records, .clock = LS_CLOCK_MONOTONIC };
    arena->ring_offset = size - (size_t)SLOTS * records * sizeof(struct ls_event);
}
static void setup(void)
{
    make_arena(RECORDS);
}
static void teardown(void)
{
    drain_free(d);
}
TestSuite(drain, .init = setup, .fini = teardown, .timeout = 60);

static struct ls_slot *claim(uint32_t i, uint32_t generation, int32_t pid, int32_t tid)
{
    struct ls_slot *s = ls_arena_slot(arena, i);
    s->generation = generation;
    s->pid = pid;
    s->tid = tid;
    atomic_store(&s->lost, 0);
    atomic_store(&s->state, SLOT_LIVE);
    return s;
}
static void push(uint32_t slot, const struct ls_event *e, size_t n)
{
    struct ls_slot *s = ls_arena_slot(arena, slot);
    uint64_t head = atomic_load(&s->head);
    for (size_t i = 0; i < n; i++)
        ls_arena_ring(arena, slot)[(head + i) & (arena->ring_records - 1)] = e[i];
    atomic_store(&s->head, head + n);
}
static void push_wakes(uint32_t slot, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        push(slot, &(struct ls_event){ .kind = EV_WAKE, .id = from + i, .time = 1 }, 1);
}
static struct batch next(void)
{
    struct batch b = { 0 };
    cr_assert_eq(drain_next(d, WAIT, &b), 1, "a batch comes");
    return b;
}
static void expect(enum batch_kind kind)
{
    struct batch b = next();
    cr_assert_eq(b.kind, kind, "kind %d", b.kind);
    drain_release(d, &b);
}
/* Takes batches of events until n came, all in order from `from`. */
static void expect_wakes(uint32_t from, uint32_t n)
{
    for (uint32_t seen = 0; seen < n;) {
        struct batch b = next();
        cr_assert_eq(b.kind, BATCH_EVENTS, "kind %d", b.kind);
        for (size_t i = 0; i < b.n; i++, seen++)
            cr_assert_eq(b.events[i].id, from + seen);
        drain_release(d, &b);
    }
}

Test(drain, a_thread_begins_sends_and_ends)
{
    struct ls_slot *s = claim(2, 5, 111, 112);
    push_wakes(2, 0, 3);
    atomic_store(&s->word, LS_WORD(ACT_POLL, 0, 9));
    atomic_store(&s->since, 33);
    atomic_store(&s->lost, 4);
    atomic_store(&s->state, SLOT_ENDED);
    d = drain_start(arena, "/tmp", 1 << 20);
    struct batch b = next();
    cr_assert_eq(b.kind, BATCH_THREAD_BEGIN);
    cr_assert_eq(b.slot, 2);
    cr_assert_eq(b.generation, 5);
    cr_assert_eq(b.pid, 111);
    cr_assert_eq(b.tid, 112);
    drain_release(d, &b);
    expect_wakes(0, 3);
    b = next();
    cr_assert_eq(b.kind, BATCH_THREAD_END);
    cr_assert_eq(b.since, 33);
    cr_assert_eq(LS_WORD_ACT(b.word), ACT_POLL);
    cr_assert_eq(b.lost, 4);
    drain_release(d, &b);
    drain_stop(d);
    cr_assert_eq(drain_next(d, 0, &b), -1);
    cr_assert_eq(atomic_load(&s->state), SLOT_FREE);
    cr_assert_eq(atomic_load(&s->tail), atomic_load(&s->head), "the next claim starts here");
    struct drain_stats st = drain_stats(d);
    cr_assert_eq(st.events, 3);
    cr_assert_eq(st.lost, 4);
    cr_assert_eq(st.live, 0);
    cr_assert_eq(st.queued, 0);
}

Test(drain, a_reused_slot_is_another_thread)
{
    struct ls_slot *s = claim(0, 1, 111, 111);
    d = drain_start(arena, "/tmp", 1 << 20);
    for (uint32_t g = 1; g <= 5; g++) {
        expect(BATCH_THREAD_BEGIN);
        push_wakes(0, g * 1000, 700); /* wraps round the ring */
        atomic_store(&s->state, SLOT_ENDED);
        expect_wakes(g * 1000, 700);
        expect(BATCH_THREAD_END);
        for (int i = 0; atomic_load(&s->state) != SLOT_FREE && i < WAIT; i++)
            usleep(1000);
        cr_assert_eq(atomic_load(&s->state), SLOT_FREE);
        claim(0, g + 1, 111, 111);
    }
}

Test(drain, what_a_stopped_recording_left_is_taken_along)
{
    struct ls_slot *s = claim(1, 1, 111, 111);
    d = drain_start(arena, "/tmp", 1 << 20);
    expect(BATCH_THREAD_BEGIN);
    push_wakes(1, 0, 900);
    drain_stop(d);
    expect_wakes(0, 900);
    expect(BATCH_THREAD_END);
    struct batch b;
    cr_assert_eq(drain_next(d, WAIT, &b), -1);
    cr_assert_eq(atomic_load(&s->state), SLOT_LIVE, "the thread lives on and keeps its slot");
}

Test(drain, a_head_that_ran_away_is_not_believed)
{
    struct ls_slot *s = claim(0, 1, 111, 111);
    atomic_store(&s->head, 1u << 30);
    d = drain_start(arena, "/tmp", 1 << 20);
    expect(BATCH_THREAD_BEGIN);
    struct batch b = next();
    cr_assert_eq(b.kind, BATCH_BAD);
    cr_assert_eq(b.n, RECORDS);
    drain_release(d, &b);
    push_wakes(0, 5, 10);
    expect_wakes(5, 10);
    atomic_store(&s->head, 17); /* and one that went back */
    expect(BATCH_BAD);
    push_wakes(0, 50, 10);
    expect_wakes(50, 10);
}

Test(drain, a_broken_group_is_skipped_with_all_that_was_published)
{
    struct ls_event e[] = { { .kind = EV_WAKE, .id = 1 },
                            { .kind = EV_SITE, .id = 2 },
                            { .kind = EV_TEXT, .id = 4000, .aux = 125 },
                            { .kind = EV_WAKE, .id = 3 } };
    struct ls_event cut[] = { { .kind = EV_CALL, .aux = 1 },
                              { .kind = EV_MORE },
                              { .kind = EV_STACK, .id = 32, .aux = 10 } };
    claim(0, 1, 111, 111);
    push(0, e, 4);
    d = drain_start(arena, "/tmp", 1 << 20);
    expect(BATCH_THREAD_BEGIN);
    expect_wakes(1, 1);
    struct batch b = next();
    cr_assert_eq(b.kind, BATCH_BAD);
    cr_assert_eq(b.n, 3);
    drain_release(d, &b);
    push(0, cut, 3); /* its records were never published */
    b = next();
    cr_assert_eq(b.kind, BATCH_BAD);
    cr_assert_eq(b.n, 3);
    drain_release(d, &b);
    cr_assert_eq(drain_stats(d).bad, 6);
}

Test(drain, a_group_is_never_cut)
{
    enum { GROUP = 2 + 1 + 9 + 1024 }; /* the longest stack */
    struct ls_event *g = calloc(GROUP, sizeof *g);
    g[0] = (struct ls_event){ .kind = EV_CALL, .aux = 1 };
    g[1] = (struct ls_event){ .kind = EV_MORE };
    g[2] = (struct ls_event){ .kind = EV_STACK, .id = EV_STACK_MAX, .aux = 9 + 1024 };
    make_arena(8192);
    claim(0, 1, 111, 111);
    for (int i = 0; i < 7; i++)
        push(0, g, GROUP);
    d = drain_start(arena, "/tmp", 1 << 24);
    expect(BATCH_THREAD_BEGIN);
    for (size_t seen = 0; seen < 7 * GROUP;) {
        struct batch b = next();
        cr_assert_eq(b.kind, BATCH_EVENTS);
        cr_assert_eq(b.n % GROUP, 0);
        seen += b.n;
        drain_release(d, &b);
    }
    free(g);
}

Test(drain, a_text_is_never_cut_off)
{
    /* A head that may have a text is a whole group without: where a batch ends, that must not be the reason.  Groups of
     * three after 0, 1 and 2 records put that end behind each record of a group. */
    enum { GROUPS = 4000 };
    const struct ls_event wake = { .kind = EV_WAKE, .id = 1 },
                          task[3] = { { .kind = EV_TASK_NEW, .id = 2 }, { .kind = EV_TEXT, .id = 4, .aux = 1 } };
    make_arena(16384);
    for (uint32_t ahead = 0; ahead < 3; ahead++) {
        claim(ahead, 1, 111, (int)(111 + ahead));
        for (uint32_t i = 0; i < ahead; i++)
            push(ahead, &wake, 1);
        for (int i = 0; i < GROUPS; i++)
            push(ahead, task, 3);
    }
    d = drain_start(arena, "/tmp", 1 << 24);
    for (size_t seen = 0; seen < 3 * 3 * GROUPS + 3;) {
        struct batch b = next();
        cr_assert(b.kind == BATCH_EVENTS || b.kind == BATCH_THREAD_BEGIN, "kind %d", b.kind);
        for (size_t i = 0; b.kind == BATCH_EVENTS && i < b.n; i++)
            cr_assert(b.events[i].kind != EV_TASK_NEW || (i + 2 < b.n && b.events[i + 1].kind == EV_TEXT));
        seen += b.kind == BATCH_EVENTS ? b.n : 0;
        drain_release(d, &b);
    }
    cr_assert_eq(drain_stats(d).bad, 0);
}

Test(drain, a_time_that_is_yet_to_come_counts_as_now)
{
    claim(0, 1, 111, 111);
    push(0, &(struct ls_event){ .kind = EV_WAKE, .time = UINT64_MAX }, 1);
    d = drain_start(arena, "/tmp", 1 << 20);
    expect(BATCH_THREAD_BEGIN);
    struct batch b = next();
    cr_assert_eq(b.events[0].time, b.time);
    drain_release(d, &b);
}

Test(drain, what_has_no_room_in_memory_comes_back_from_disk_in_order)
{
    claim(0, 1, 111, 111);
    struct ls_slot *s = ls_arena_slot(arena, 0);
    d = drain_start(arena, "/tmp", 4096); /* 128 records */
    for (uint32_t i = 0; i < 20; i++) {
        push_wakes(0, i * 500, 500);
        for (int k = 0; atomic_load(&s->tail) != atomic_load(&s->head) && k < WAIT; k++)
            usleep(1000);
    }
    cr_assert_gt(drain_stats(d).spilled, 5000);
    expect(BATCH_THREAD_BEGIN);
    expect_wakes(0, 10000);
    cr_assert_eq(drain_stats(d).queued, 0);
}

Test(drain, where_nothing_can_be_spilled_the_ring_keeps_it)
{
    claim(0, 1, 111, 111);
    struct ls_slot *s = ls_arena_slot(arena, 0);
    d = drain_start(arena, "/nowhere", 1024);
    push_wakes(0, 0, 500);
    for (int k = 0; atomic_load(&s->tail) == 0 && k < WAIT; k++)
        usleep(1000);
    push_wakes(0, 500, 500);
    push_wakes(0, 1000, 24);
    expect(BATCH_THREAD_BEGIN);
    expect_wakes(0, 1024); /* as memory gets free, it comes */
    cr_assert_eq(drain_stats(d).spilled, 0);
}

Test(drain, a_process_told_as_gone_is_ended_at_once)
{
    claim(0, 1, 999111, 999111);
    claim(1, 1, 999222, 999222);
    d = drain_start(arena, "/tmp", 1 << 20);
    expect(BATCH_THREAD_BEGIN);
    expect(BATCH_THREAD_BEGIN);
    push_wakes(0, 7, 2);
    drain_process_gone(d, 999111);
    expect_wakes(7, 2);
    struct batch b = next();
    cr_assert_eq(b.kind, BATCH_THREAD_END);
    cr_assert_eq(b.slot, 0);
    drain_release(d, &b);
    cr_assert_eq(drain_stats(d).live, 1);
}

Test(drain, a_thread_that_was_dead_before_we_saw_it_is_found)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    claim(1, 1, pid, pid);
    d = drain_start(arena, "/tmp", 1 << 20);
    expect(BATCH_THREAD_BEGIN);
    expect(BATCH_THREAD_END);
}

Test(drain, a_thread_that_died_without_a_word_is_found)
{
    int hold[2];
    char c;
    cr_assert_eq(pipe(hold), 0);
    pid_t child = fork();
    if (!child) {
        close(hold[1]);
        _exit((int)read(hold[0], &c, 1));
    }
    claim(0, 1, child, child);
    d = drain_start(arena, "/tmp", 1 << 20);
    expect(BATCH_THREAD_BEGIN);
    close(hold[1]);
    waitpid(child, NULL, 0);
    expect(BATCH_THREAD_END);
    for (int k = 0; atomic_load(&ls_arena_slot(arena, 0)->state) != SLOT_FREE && k < WAIT; k++)
        usleep(1000);
    cr_assert_eq(atomic_load(&ls_arena_slot(arena, 0)->state), SLOT_FREE);
}

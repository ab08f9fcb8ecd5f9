/* fuzz_ring.c - random ring records through drain, assemble and store, as a hostile target would write them: valid groups,
 * broken ones, raw noise, heads that run away, threads that come and go.  No crash, no hang, and a valid file.
 * link: -lsqlite3 -lm
 *
 * usage: fuzz_ring [RECORDS] [SEED] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tracer/call.h"
#include "tracer/record/assemble.h"
#include "tracer/record/drain.h"
#include "tracer/record/store.h"

#define SLOTS   4u
#define RECORDS 4096u
#define BATCHES 64 /* records a push, at most */

static uint64_t x = 1;
static uint64_t rnd(uint64_t n)
{
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return (x >> 11) % n;
}

static const uint8_t heads[] = { EV_GAP,     EV_LOOP,       EV_POLL,       EV_CALL, EV_TASK_NEW, EV_TASK_END, EV_OBSERVED,
                                 EV_SWITCH,  EV_WAKE,       EV_OBJECT_NEW, EV_MARK, EV_OBJECT_END, EV_SITE, EV_FINISH,
                                 EV_HOLD,    EV_MEMBER,     EV_DETACHED,   EV_ALLOW };

/* One random event; most are nearly right, so that the state machine is reached, not only its doors. */
static struct ls_event event(ticks_t now)
{
    struct ls_event e = { .time = now - rnd(1000), .kind = (uint8_t)(rnd(5000) ? heads[rnd(sizeof heads)] : rnd(256)), .flags = (uint8_t)rnd(26),
                          .aux = (uint16_t)rnd(60), .id = (uint32_t)rnd(40), .a = rnd(40) | rnd(8) << 32, .b = rnd(50) };
    switch (e.kind) {
    case EV_POLL: e.a = e.time - rnd(500); e.flags = (uint8_t)rnd(LOOP_KINDS); break;
    case EV_GAP: e.b = e.time - rnd(500); break;
    case EV_LOOP: e.flags = (uint8_t)rnd(LOOP_KINDS); break;
    case EV_SWITCH: e.flags = (uint8_t)rnd(25); break;
    case EV_FINISH: e.flags = (uint8_t)rnd(5); e.a = rnd(40) | rnd(40) << 32; break;
    case EV_HOLD: case EV_ALLOW: e.flags = (uint8_t)rnd(2); break;
    case EV_MEMBER: e.a |= rnd(40) << 32; break;
    default: break;
    }
    if (rnd(200) == 0)
        ((unsigned char *)&e)[rnd(sizeof e)] ^= (unsigned char)(1u << rnd(8));
    if (rnd(400) == 0)
        e.time = e.a = e.b = x * 0x9e3779b97f4a7c15u;
    return e;
}

static bool takes_text(unsigned kind)
{
    return kind == EV_LOOP || kind == EV_TASK_NEW || kind == EV_OBJECT_NEW || kind == EV_MARK || kind == EV_CALL || kind == EV_ALLOW;
}

/* A group with the attachments its kind takes, mostly framed as it should be. */
static size_t group(struct ls_event *to, ticks_t now)
{
    size_t n = 1;
    to[0] = event(now);
    if (to[0].kind == EV_CALL && rnd(2000))
        to[n++] = (struct ls_event){ .time = rnd(9999), .kind = EV_MORE, .id = (uint32_t)rnd(140), .a = x, .b = x >> 7 };
    bool text = to[0].kind == EV_SITE ? rnd(2000) : rnd(2000) ? takes_text(to[0].kind) && rnd(2) : rnd(2);
    if (text) {
        uint32_t size = (uint32_t)rnd(100), raw = ev_raw_records(size) + (rnd(2000) == 0);
        to[n++] = (struct ls_event){ .kind = EV_TEXT, .id = size, .aux = (uint16_t)raw };
        for (uint32_t i = 0; i < raw; i++, n++)
            for (size_t k = 0; k < sizeof *to; k++)
                ((unsigned char *)&to[n])[k] = (unsigned char)(rnd(10) ? 'a' + rnd(26) : rnd(256));
    }
    if (to[0].kind == EV_CALL && rnd(3) == 0) {
        uint32_t size = (uint32_t)rnd(200);
        to[n++] = (struct ls_event){ .kind = EV_STACK, .id = size, .aux = (uint16_t)(9 + ev_raw_records(size)), .a = x };
        memset(to + n, (int)rnd(256), (9 + ev_raw_records(size)) * sizeof *to);
        n += 9 + ev_raw_records(size);
    }
    return n;
}

/* --- the recorder's side, shortened ---------------------------------------------------------------------------------- */

struct sink {
    struct store *store;
    struct { int64_t thread; } slot[SLOTS];
    int64_t threads;
    uint64_t stack_bytes;
};

static void on_loop(void *c, const struct row_loop *r, int64_t t) { (void)t; store_loop(((struct sink *)c)->store, r); }
static void on_loop_end(void *c, int64_t loop, int64_t t)
{
    store_loop(((struct sink *)c)->store, &(struct row_loop){ .id = loop, .thread = ROW_NULL, .t = ROW_NULL, .t_end = t });
}
static void on_iteration(void *c, const struct row_iteration *r, int64_t t, ticks_t since, bool gap)
{
    (void)t, (void)since;
    if (r->poll < 0 || (gap ? r->busy != ROW_NULL : r->busy < 0))
        abort();
    store_iteration(((struct sink *)c)->store, r);
}
static void on_call(void *c, const struct assembled_call *r)
{
    struct sink *s = c;
    if (r->call >= CALL_COUNT || r->row.dur < 0)
        abort();
    for (uint32_t i = 0; r->stack && i < r->stack->id; i++) /* every byte that is claimed is there */
        s->stack_bytes += ((const unsigned char *)(r->stack + 1))[sizeof(struct ls_regs) + i];
    store_call(s->store, &r->row);
}
static void on_step(void *c, const struct row_step *r)
{
    if (r->run < 0 || (r->wait != ROW_NULL && r->wait < 0) || (r->queue != ROW_NULL && r->queue < 0))
        abort();
    store_step(((struct sink *)c)->store, r);
}
static void on_task(void *c, const struct row_task *r) { store_task(((struct sink *)c)->store, r); }
static void on_object(void *c, const struct row_object *r) { store_object(((struct sink *)c)->store, r); }
static void on_object_end(void *c, int64_t id, int64_t t)
{
    store_object(((struct sink *)c)->store, &(struct row_object){ .id = id, .process = ROW_NULL, .site = ROW_NULL,
                                                                  .fd = ROW_NULL, .t = ROW_NULL, .t_end = t });
}
static void on_site(void *c, const struct row_site *r) { store_site(((struct sink *)c)->store, r); }
static void on_mark(void *c, const struct row_mark *r) { store_mark(((struct sink *)c)->store, r); }
static void on_gap(void *c, const struct row_gap *r) { store_gap(((struct sink *)c)->store, r); }

static void on_later(void *c, int64_t task, bool observed, bool detached)
{
    store_task_later(((struct sink *)c)->store, task, observed, detached);
}
static void on_hold(void *c, const struct row_hold *r)
{
    if (r->t_end != ROW_NULL && r->t_end < r->t)
        abort();
    store_hold(((struct sink *)c)->store, r);
}
static void on_member(void *c, const struct row_member *r) { store_member(((struct sink *)c)->store, r); }
static void on_allow(void *c, const struct row_allow *r)
{
    if (r->t_end != ROW_NULL && r->t_end < r->t)
        abort();
    store_allow(((struct sink *)c)->store, r);
}

static void consume(struct drain *d, struct assembler *a, struct sink *s, int wait)
{
    struct batch b;
    while (drain_next(d, wait, &b) == 1) {
        int64_t *thread = &s->slot[b.slot].thread;
        if (b.kind == BATCH_THREAD_BEGIN) {
            *thread = ++s->threads;
            assembler_thread(a, *thread, 1);
        } else if (b.kind == BATCH_EVENTS) {
            assembler_feed(a, *thread, b.events, b.n);
        } else if (b.kind == BATCH_THREAD_END) {
            assembler_thread_end(a, *thread, b.word, b.since, b.time);
        }
        drain_release(d, &b);
    }
}

int main(int argc, char **argv)
{
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    char path[64], old[80], text[200];
    struct sink s = { 0 };
    struct clock_map clock;
    struct ls_event e[BATCHES];
    size_t size = ls_arena_size(SLOTS, RECORDS);
    struct ls_arena *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    x = seed * 2654435769u + 88172645463325252ull;
    snprintf(path, sizeof path, "/tmp/fuzz-ring-%d.db", (int)getpid());
    snprintf(old, sizeof old, "%s.old", path);
    clock_start(&clock, LS_CLOCK_MONOTONIC);
    *arena = (struct ls_arena){ .slots = SLOTS, .ring_records = RECORDS, .clock = LS_CLOCK_MONOTONIC };
    arena->ring_offset = size - (size_t)SLOTS * RECORDS * sizeof(struct ls_event);
    struct assemble_sink sink = { &s, on_loop, on_loop_end, on_iteration, on_call, on_step, on_task, on_task, on_object,
                                  on_object_end, on_site, on_mark, on_gap, on_later, on_hold, on_member, on_allow };
    if (store_create(path, &s.store) < 0)
        return 1;
    store_meta_int(s.store, "threshold_ns", 300);
    struct assembler *a = assembler_new(&sink, &clock);
    struct drain *d = drain_start(arena, "/tmp", 1 << 20);

    for (uint64_t sent = 0; sent < records;) {
        uint32_t i = (uint32_t)rnd(SLOTS);
        struct ls_slot *slot = ls_arena_slot(arena, i);
        uint32_t state = atomic_load(&slot->state);
        if (state == SLOT_FREE) {
            slot->generation++;
            slot->pid = slot->tid = (int32_t)(rnd(2) ? getpid() : 77777777);
            atomic_store(&slot->state, SLOT_LIVE);
        } else if (state == SLOT_LIVE && rnd(2000) == 0) {
            atomic_store(&slot->word, x);
            atomic_store(&slot->since, rnd(2) ? clock_now(LS_CLOCK_MONOTONIC) : x);
            atomic_store(&slot->state, SLOT_ENDED);
        }
        size_t n = group(e, clock_now(LS_CLOCK_MONOTONIC));
        uint64_t head = atomic_load(&slot->head);
        for (int k = 0; head + n - atomic_load(&slot->tail) > RECORDS && k < 3; k++)
            consume(d, a, &s, 2);
        for (size_t k = 0; k < n; k++)
            ls_arena_ring(arena, i)[(head + k) & (RECORDS - 1)] = e[k];
        atomic_store_explicit(&slot->head, rnd(5000) ? head + n : rnd(3) ? head + rnd(n + 1) : x, memory_order_release);
        sent += n;
        store_commit(s.store, false);
    }
    for (uint32_t i = 0; i < SLOTS; i++)
        atomic_store(&ls_arena_slot(arena, i)->state, SLOT_ENDED);
    drain_stop(d);
    consume(d, a, &s, 0);
    struct drain_stats st = drain_stats(d);
    drain_free(d);
    assembler_finish(a, clock_now(LS_CLOCK_MONOTONIC));
    assembler_free(a);
    int r = store_finish(s.store);
    store_close(s.store);
    if (r == 0)
        r = store_repair(path, text, sizeof text); /* checks it whole */
    printf("fuzz_ring: seed %llu: %llu records, %llu groups taken, %llu skipped, file: %s\n", (unsigned long long)seed,
           (unsigned long long)records, (unsigned long long)st.events, (unsigned long long)st.bad, r ? "BAD" : text);
    unlink(path);
    unlink(old);
    return r != 0;
}

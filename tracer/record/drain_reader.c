/* drain_reader.c - the reader's side of every slot: threads that begin, write and end.
 *
 * It copies first and checks the copy, because the target may change what is in the ring at any time; it keeps its own
 * tails, because the arena is the target's to write.  What has no room in the queue stays in the ring, and when that is
 * full the target drops and counts; then a GAP record says so.  Owns the lanes and the tail of every slot.  Drain's
 * thread. */
#include "drain_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "group.h"
#include "proc.h"

#define TRICKLE 64u /* records a pass: less than that is nearly nothing */

_Static_assert(CHUNK > 8 + (EV_TEXT_MAX + EV_STACK_MAX + sizeof(struct ls_regs)) / sizeof(struct ls_event),
               "a chunk holds any group");

struct lane {        /* what we know of one slot */
    bool tracked;    /* a thread is in it, and its BEGIN was sent */
    bool known_here; /* /proc had this thread when it began: its end can be seen there */
    bool replaced;   /* another slot says it is the same thread: the process called exec */
    bool suspect;    /* looked dead at the last check, when head and word were: */
    uint64_t suspect_head, suspect_word;
    uint32_t generation;
    int32_t pid, tid;
    uint64_t tail; /* ours; the arena's copy is for the writer */
    uint64_t lost;
};

struct reader {
    struct ls_arena *arena;
    uint32_t slots; /* copies: the arena's header is the target's to write */
    uint64_t ring_records, ring_offset;
    enum ls_clock clock;
    struct lane *lane;
    struct queue *queue;
    drain_back *back; /* NULL: nobody has to be told */
    void *back_ctx;
};

struct reader *reader_new(struct ls_arena *arena, struct queue *queue, drain_back *back, void *back_ctx)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct reader){ .arena = arena,
                          .slots = arena->slots,
                          .ring_records = arena->ring_records,
                          .ring_offset = arena->ring_offset,
                          .clock = (enum ls_clock)arena->clock,
                          .queue = queue,
                          .back = back,
                          .back_ctx = back_ctx };
    r->lane = calloc(r->slots, sizeof *r->lane);
    if (!r->lane) {
        free(r);
        return NULL;
    }
    return r;
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    free(r->lane);
    free(r);
}

/* --- taking records ----------------------------------------------------------------------------------------------- */

static struct ls_event *ring_of(const struct reader *r, uint32_t slot)
{
    return (struct ls_event *)((char *)r->arena + r->ring_offset) + (size_t)slot * r->ring_records;
}

static struct item *item_new(struct reader *r, enum batch_kind kind, uint32_t slot)
{
    struct item *it = calloc(1, sizeof *it);
    if (!it)
        return NULL;
    const struct lane *l = &r->lane[slot];
    it->batch = (struct batch){ .kind = kind,
                                .slot = slot,
                                .generation = l->generation,
                                .pid = l->pid,
                                .tid = l->tid,
                                .time = clock_now(r->clock) };
    return it;
}

static void count_lost(struct reader *r, struct lane *l, const struct ls_slot *s)
{
    /* The thread's relaxed counter; it needs no partner, a late value is only late. */
    uint64_t lost = atomic_load_explicit(&s->lost, memory_order_relaxed);
    if (lost == l->lost)
        return;
    queue_count(r->queue, (struct queue_counts){ .lost = lost > l->lost ? lost - l->lost : 0 });
    l->lost = lost;
}

static void tell_bad(struct reader *r, uint32_t slot, uint64_t n)
{
    struct item *it = item_new(r, BATCH_BAD, slot);
    queue_count(r->queue, (struct queue_counts){ .bad = n });
    if (!it)
        return;
    it->batch.n = (size_t)n;
    queue_put(r->queue, it);
}

/* How many records at the start of events[0 .. n) are whole groups.  *ret_bad: the one after them is no group.  `more`
 * follow: then a group that ends with the last record may go on in them, with a text, and is left for the next time.
 * No event can be later than now: a time that is counts as now, so that one bad record cannot push time forward. */
static size_t whole_groups(struct ls_event *events, size_t n, bool more, ticks_t now, uint64_t *ret_groups,
                           bool *ret_bad)
{
    size_t i = 0;
    *ret_groups = 0;
    *ret_bad = false;
    while (i < n) {
        struct group g;
        long size = group_read(events + i, n - i, &g);
        if (size < 1) {
            *ret_bad = size == GROUP_BAD;
            break;
        }
        if (more && i && i + (size_t)size == n)
            break;
        if (events[i].time > now)
            events[i].time = now;
        i += (size_t)size;
        ++*ret_groups;
    }
    return i;
}

static void take_up_to(struct reader *r, uint32_t slot, uint64_t tail)
{
    r->lane[slot].tail = tail;
    /* Ensure our reads of the records are done before the writer, which acquires tail, may write over them. */
    atomic_store_explicit(&ls_arena_slot(r->arena, slot)->tail, tail, memory_order_release);
}

/* Copies the next n records; they may go round the end of the ring. */
static void copy_out(const struct reader *r, uint32_t slot, size_t n, struct ls_event *ret_events)
{
    const struct ls_event *ring = ring_of(r, slot);
    size_t at = (size_t)(r->lane[slot].tail & (r->ring_records - 1)), first = (size_t)r->ring_records - at;
    if (first > n)
        first = n;
    memcpy(ret_events, ring + at, first * sizeof *ring);
    memcpy(ret_events + first, ring, (n - first) * sizeof *ring);
}

/* Takes one batch out of a ring.  Returns how many records are known to remain; *ret_taken: 0 when it was empty. */
static uint64_t take(struct reader *r, uint32_t slot, size_t *ret_taken)
{
    struct lane *l = &r->lane[slot];
    struct ls_slot *s = ls_arena_slot(r->arena, slot);
    /* Ensure the records up to head can be seen: the thread release-stores head after it wrote them. */
    uint64_t head = atomic_load_explicit(&s->head, memory_order_acquire), there = head - l->tail;

    *ret_taken = 0;
    count_lost(r, l, s);
    if (!there)
        return 0;
    if (r->back)
        r->back(r->back_ctx, slot, head);
    if (there > r->ring_records) { /* it wrote over what was not taken, or went back: nothing here can be believed */
        *ret_taken = 1;
        take_up_to(r, slot, head);
        tell_bad(r, slot, r->ring_records);
        return 0;
    }
    size_t n = there < CHUNK ? (size_t)there : CHUNK;
    bool pooled, bad;
    struct ls_event *to = queue_buffer(r->queue, n, &pooled);
    struct item *it = item_new(r, BATCH_EVENTS, slot);
    if (!to || !it) {
        queue_buffer_free(r->queue, to, pooled);
        free(it);
        return there;
    }
    copy_out(r, slot, n, to);
    uint64_t groups, skip = 0;
    size_t good = whole_groups(to, n, n < there, it->batch.time, &groups, &bad);
    if (bad || (good < n && n == there)) /* a group is published as one: where all of it should be, half is a lie */
        skip = there - good;
    *ret_taken = good + (size_t)skip;
    take_up_to(r, slot, l->tail + good + skip);
    if (good) {
        it->batch.n = good;
        it->events = to;
        it->pooled = pooled;
        queue_count(r->queue, (struct queue_counts){ .events = groups });
        queue_put(r->queue, it);
    } else {
        queue_buffer_free(r->queue, to, pooled);
        free(it);
    }
    if (skip)
        tell_bad(r, slot, skip);
    return there - good - skip;
}

/* --- threads that begin and end ----------------------------------------------------------------------------------- */

static bool in_proc(int32_t pid, int32_t tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", pid, tid);
    return access(path, F_OK) == 0;
}

/* The numbers may be of another pid namespace, where they are small: here those are init and kernel threads, which have
 * no program that can be read. */
static bool known_here(int32_t pid, int32_t tid)
{
    char path[64], exe[8];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    return pid > 1 && readlink(path, exe, sizeof exe) > 0 && in_proc(pid, tid);
}

static void begin(struct reader *r, uint32_t slot)
{
    struct lane *l = &r->lane[slot];
    struct ls_slot *s = ls_arena_slot(r->arena, slot);
    int32_t pid = s->pid, tid = s->tid;
    bool known = known_here(pid, tid);

    /* Its first self is over when a thread claims a second slot: that was an exec. */
    for (uint32_t i = 0; known && i < r->slots; i++) {
        if (r->lane[i].known_here && r->lane[i].pid == pid && r->lane[i].tid == tid)
            r->lane[i].replaced = r->lane[i].tracked;
    }
    *l = (struct lane){
        .tracked = true, .known_here = known, .generation = s->generation, .pid = pid, .tid = tid, .tail = l->tail
    };
    struct item *it = item_new(r, BATCH_THREAD_BEGIN, slot);
    if (!it) {
        l->tracked = false; /* again at the next pass */
        return;
    }
    queue_count(r->queue, (struct queue_counts){ .live = 1 });
    if (r->back)
        r->back(r->back_ctx, slot, l->tail);
    it->batch.loop_kind = s->loop_kind;
    it->batch.start = s->start;
    it->batch.stack_lo = s->stack_lo;
    it->batch.stack_hi = s->stack_hi;
    queue_put(r->queue, it);
}

/* The ring is empty and nobody writes there any more. */
static void end(struct reader *r, uint32_t slot)
{
    struct lane *l = &r->lane[slot];
    struct ls_slot *s = ls_arena_slot(r->arena, slot);
    struct item *it = item_new(r, BATCH_THREAD_END, slot);
    count_lost(r, l, s);
    if (it) {
        /* The last word and since of a thread that has gone: ordered by the acquire of its state or by its death. */
        it->batch.word = atomic_load_explicit(&s->word, memory_order_acquire);
        it->batch.left = atomic_load_explicit(&s->left, memory_order_relaxed); /* ordered as the word above */
        it->batch.since = atomic_load_explicit(&s->since, memory_order_relaxed);
        it->batch.lost = l->lost;
        queue_put(r->queue, it);
    }
    l->tracked = false;
    queue_count(r->queue, (struct queue_counts){ .live = -1 });
}

/* Ensure that who claims the slot (acquire, compare-and-swap from FREE) sees the tail at which it has to start. */
static void set_free(struct ls_slot *s, uint32_t from)
{
    atomic_compare_exchange_strong_explicit(&s->state, &from, SLOT_FREE, memory_order_release, memory_order_relaxed);
}

/* Takes all that was there when it was called; more than a ring cannot be there. */
static void take_all(struct reader *r, uint32_t slot)
{
    size_t taken = 1;
    for (uint64_t total = 0; taken && total < r->ring_records; total += taken)
        take(r, slot, &taken);
}

static void bury(struct reader *r, uint32_t slot, uint32_t state)
{
    take_all(r, slot);
    end(r, slot);
    set_free(ls_arena_slot(r->arena, slot), state);
}

struct inner_pids { /* of one check; read when first needed */
    pid_t *pid;
    int n;
    bool read;
};

/* Does a process in another pid namespace call itself so?  When that cannot be found out, it may. */
static bool lives_elsewhere(struct inner_pids *inner, int32_t pid)
{
    if (!inner->read) {
        inner->read = true;
        inner->n = proc_inner_pids(&inner->pid);
    }
    for (int i = 0; i < inner->n; i++)
        if (inner->pid[i] == pid)
            return true;
    return inner->n < 0;
}

/* A thread is dead when /proc does not have it at two checks, and it did nothing in between.  (Two, because inside a
 * pid namespace another thread may have borne its number.)  One that /proc never had was dead before we saw it, or it is
 * in such a namespace. */
static bool looks_dead(struct lane *l, const struct ls_slot *s, struct inner_pids *inner)
{
    uint64_t head = atomic_load_explicit(&s->head, memory_order_relaxed); /* compared only, no record is read by it */
    uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed); /* likewise */
    bool dead = l->replaced || !in_proc(l->pid, l->tid);
    bool sure = dead && l->suspect && head == l->suspect_head && word == l->suspect_word &&
                (l->replaced || l->known_here || !lives_elsewhere(inner, l->pid));
    l->suspect = dead;
    l->suspect_head = head;
    l->suspect_word = word;
    return sure;
}

void reader_check_dead(struct reader *r)
{
    struct inner_pids inner = { 0 };
    for (uint32_t i = 0; i < r->slots; i++) {
        if (r->lane[i].tracked && looks_dead(&r->lane[i], ls_arena_slot(r->arena, i), &inner))
            bury(r, i, SLOT_LIVE);
        else if (r->lane[i].tracked &&
                 r->back) /* there may be memory again, for a writer that stopped for want of it */
            r->back(r->back_ctx, i, r->lane[i].tail);
    }
    free(inner.pid);
}

void reader_process_gone(struct reader *r, int32_t pid)
{
    for (uint32_t i = 0; i < r->slots; i++) {
        if (r->lane[i].tracked && r->lane[i].pid == pid)
            bury(r, i, SLOT_LIVE);
    }
}

/* --- all slots ---------------------------------------------------------------------------------------------------- */

bool reader_pass(struct reader *r, unsigned *ret_fill)
{
    bool busy = false, room = queue_has_room(r->queue);
    *ret_fill = 0;
    for (uint32_t i = 0; i < r->slots; i++) {
        struct ls_slot *s = ls_arena_slot(r->arena, i);
        struct lane *l = &r->lane[i];
        /* Ensure the identity can be seen: the thread release-stores LIVE after it, and ENDED after its last record. */
        uint32_t state = atomic_load_explicit(&s->state, memory_order_acquire);
        bool there = state == SLOT_LIVE || state == SLOT_ENDED;
        if (l->tracked && (!there || s->generation != l->generation)) {
            take_all(r, i);
            end(r, i);
            busy = true;
        }
        if (there && !l->tracked) {
            begin(r, i);
            busy = true;
        }
        if (!l->tracked || !room)
            continue;
        size_t taken;
        uint64_t rest = take(r, i, &taken), fill = (taken + rest) * 8 / r->ring_records;
        busy |= taken >= TRICKLE || fill;
        if (fill > *ret_fill)
            *ret_fill = (unsigned)fill;
        if (state == SLOT_ENDED && !rest) {
            bury(r, i, SLOT_ENDED);
            busy = true;
        }
        room = queue_has_room(r->queue);
    }
    return busy;
}

void reader_finish(struct reader *r)
{
    for (uint32_t i = 0; i < r->slots; i++) {
        if (r->lane[i].tracked) {
            take_all(r, i);
            end(r, i);
        }
    }
}

bool reader_is_crowded(const struct reader *r)
{
    return queue_stats(r->queue).live * 2 > r->slots;
}

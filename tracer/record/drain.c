/* drain.c - one thread that takes the records out of the rings and queues them for the storing thread.
 *
 * Owns the reader's side of every slot, the queue and its spill file.  It copies first and checks the copy, because the
 * target may change what is in the ring at any time; it keeps its own tails, because the arena is the target's to write.
 * It never waits for the storing thread: what has no room in memory or on disk stays in the ring, and when that is full
 * the target drops and counts.  Then a GAP record says so. */
#include "drain.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "group.h"
#include "proc.h"
#include "spill.h"

#define CHUNK       4096u       /* records a batch at most; more than the longest group has */
#define POOL_MAX    32          /* free chunks that are kept */
#define GONE_MAX    64          /* processes told as gone between two passes */
#define MS          1000000ull
#define CHECK_EVERY (1000 * MS) /* look for threads that died without a word */
#define CHOKE       (100 * MS)  /* the disk is full: try it again after this */
#define NAP_MAX     (20 * MS)
#define NAP_LATE    (10 * MS)   /* while it is not yet sure that nothing goes on */
#define CALM        (1000 * MS) /* nearly nothing came for this long: naps get longer */
#define TRICKLE     64u         /* records a pass: less than that is nearly nothing */

_Static_assert(CHUNK > 8 + (EV_TEXT_MAX + EV_STACK_MAX + sizeof(struct ls_regs)) / sizeof(struct ls_event),
               "a chunk holds any group");

struct item {
    struct batch batch;
    struct item *next;
    struct ls_event *events; /* NULL: none, or in the spill file at `at` */
    off_t at;
    bool spilled, pooled;
};

struct lane {                /* what we know of one slot */
    bool tracked;            /* a thread is in it, and its BEGIN was sent */
    bool known_here;         /* /proc had this thread when it began: its end can be seen there */
    bool replaced;           /* another slot says it is the same thread: the process called exec */
    bool suspect;            /* looked dead at the last check, when head and word were: */
    uint64_t suspect_head, suspect_word;
    uint32_t generation;
    int32_t pid, tid;
    uint64_t tail;           /* ours; the arena's copy is for the writer */
    uint64_t lost;
};

struct drain {
    struct ls_arena *arena;
    uint32_t slots;          /* copies: the arena's header is the target's to write */
    uint64_t ring_records, ring_offset;
    enum ls_clock clock;
    struct lane *lane;
    size_t memory_max;
    ns_t choked;             /* no room before this time */
    void (*back)(void *ctx, uint32_t slot, uint64_t head); /* NULL: nobody has to be told */
    void *back_ctx;

    pthread_t thread;
    bool joined;
    ns_t cpu;                /* of the thread, once it was joined */

    pthread_mutex_t lock;    /* guards all below */
    pthread_cond_t filled, poke; /* a batch was queued; the thread has something to do */
    int filled_fd;           /* eventfd, the same as `filled` for who waits with poll; -1: cannot be had */
    struct item *first, **last;
    struct ls_event *pool[POOL_MAX];
    int pooled;
    size_t memory;           /* bytes of events queued in memory */
    struct drain_stats stats;
    int32_t gone[GONE_MAX];
    int n_gone;
    bool stopping, done;

    pthread_mutex_t spill_lock; /* guards spill; never taken while holding lock */
    struct spill spill;
};

static ns_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ns_t)t.tv_sec * 1000000000u + (ns_t)t.tv_nsec;
}

static struct ls_event *ring_of(const struct drain *d, uint32_t slot)
{
    return (struct ls_event *)((char *)d->arena + d->ring_offset) + (size_t)slot * d->ring_records;
}

/* --- the queue -------------------------------------------------------------------------------------------------- */

/* A buffer for n records; few records get their own, so that a slow reader is not charged for empty chunks. */
static struct ls_event *buffer_get(struct drain *d, size_t n, bool *ret_pooled)
{
    struct ls_event *e = NULL;
    *ret_pooled = n > CHUNK / 4;
    if (!*ret_pooled)
        return malloc(n * sizeof *e);
    pthread_mutex_lock(&d->lock);
    if (d->pooled)
        e = d->pool[--d->pooled];
    pthread_mutex_unlock(&d->lock);
    return e ? e : malloc(CHUNK * sizeof *e);
}

static void buffer_put(struct drain *d, struct ls_event *e, bool pooled)
{
    if (e && pooled) {
        pthread_mutex_lock(&d->lock);
        if (d->pooled < POOL_MAX) {
            d->pool[d->pooled++] = e;
            e = NULL;
        }
        pthread_mutex_unlock(&d->lock);
    }
    free(e);
}

static bool memory_full(struct drain *d)
{
    pthread_mutex_lock(&d->lock);
    bool full = d->memory >= d->memory_max;
    pthread_mutex_unlock(&d->lock);
    return full;
}

/* Moves the events of a batch to the spill file; when that has no room either, nothing more is taken for a while. */
static void spill_item(struct drain *d, struct item *it)
{
    size_t size = it->batch.n * sizeof(struct ls_event);
    pthread_mutex_lock(&d->spill_lock);
    int r = spill_write(&d->spill, it->events, size, &it->at);
    pthread_mutex_unlock(&d->spill_lock);
    if (r < 0) {
        d->choked = now_ns() + CHOKE;
        return;
    }
    buffer_put(d, it->events, it->pooled);
    it->events = NULL;
    it->spilled = true;
    pthread_mutex_lock(&d->lock);
    d->stats.spilled += it->batch.n;
    pthread_mutex_unlock(&d->lock);
}

static void tell_filled(struct drain *d)
{
    uint64_t one = 1;
    if (d->filled_fd >= 0 && write(d->filled_fd, &one, sizeof one) < 0)
        return; /* it is full of tellings: told */
}

static void enqueue(struct drain *d, struct item *it)
{
    if (it->events && memory_full(d))
        spill_item(d, it);
    it->batch.owner = it;
    it->next = NULL;
    pthread_mutex_lock(&d->lock);
    bool first = !d->first;
    *d->last = it;
    d->last = &it->next;
    d->stats.queued += it->batch.n * sizeof(struct ls_event) * (it->batch.kind == BATCH_EVENTS);
    d->memory += it->events ? it->batch.n * sizeof(struct ls_event) : 0;
    pthread_cond_signal(&d->filled);
    pthread_mutex_unlock(&d->lock);
    if (first)
        tell_filled(d);
}

static struct item *item_new(struct drain *d, enum batch_kind kind, uint32_t slot)
{
    struct item *it = calloc(1, sizeof *it);
    if (!it)
        return NULL;
    const struct lane *l = &d->lane[slot];
    it->batch = (struct batch){ .kind = kind, .slot = slot, .generation = l->generation, .pid = l->pid, .tid = l->tid,
                                .time = clock_now(d->clock) };
    return it;
}

/* --- taking records --------------------------------------------------------------------------------------------- */

static void count_lost(struct drain *d, struct lane *l, const struct ls_slot *s)
{
    /* The thread's relaxed counter; it needs no partner, a late value is only late. */
    uint64_t lost = atomic_load_explicit(&s->lost, memory_order_relaxed);
    if (lost == l->lost)
        return;
    pthread_mutex_lock(&d->lock);
    d->stats.lost += lost > l->lost ? lost - l->lost : 0;
    pthread_mutex_unlock(&d->lock);
    l->lost = lost;
}

static void tell_bad(struct drain *d, uint32_t slot, uint64_t n)
{
    struct item *it = item_new(d, BATCH_BAD, slot);
    pthread_mutex_lock(&d->lock);
    d->stats.bad += n;
    pthread_mutex_unlock(&d->lock);
    if (!it)
        return;
    it->batch.n = (size_t)n;
    enqueue(d, it);
}

/* How many records at the start of events[0 .. n) are whole groups.  *ret_bad: the one after them is no group.
 * No event can be later than now: a time that is counts as now, so that one bad record cannot push time forward. */
static size_t whole_groups(struct ls_event *events, size_t n, ticks_t now, uint64_t *ret_groups, bool *ret_bad)
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
        if (events[i].time > now)
            events[i].time = now;
        i += (size_t)size;
        ++*ret_groups;
    }
    return i;
}

static void take_up_to(struct drain *d, uint32_t slot, uint64_t tail)
{
    d->lane[slot].tail = tail;
    /* Ensure our reads of the records are done before the writer, which acquires tail, may write over them. */
    atomic_store_explicit(&ls_arena_slot(d->arena, slot)->tail, tail, memory_order_release);
}

/* Takes one batch out of a ring.  Returns how many records are known to remain; *ret_taken: 0 when it was empty. */
static uint64_t take(struct drain *d, uint32_t slot, size_t *ret_taken)
{
    struct lane *l = &d->lane[slot];
    struct ls_slot *s = ls_arena_slot(d->arena, slot);
    /* Ensure the records up to head can be seen: the thread release-stores head after it wrote them. */
    uint64_t head = atomic_load_explicit(&s->head, memory_order_acquire), there = head - l->tail;

    *ret_taken = 0;
    count_lost(d, l, s);
    if (!there)
        return 0;
    if (d->back)
        d->back(d->back_ctx, slot, head);
    if (there > d->ring_records) { /* it wrote over what was not taken, or went back: nothing here can be believed */
        *ret_taken = 1;
        take_up_to(d, slot, head);
        tell_bad(d, slot, d->ring_records);
        return 0;
    }
    size_t n = there < CHUNK ? (size_t)there : CHUNK;
    bool pooled, bad;
    struct ls_event *to = buffer_get(d, n, &pooled), *ring = ring_of(d, slot);
    struct item *it = item_new(d, BATCH_EVENTS, slot);
    if (!to || !it) {
        buffer_put(d, to, pooled);
        free(it);
        return there;
    }
    size_t at = (size_t)(l->tail & (d->ring_records - 1)), first = (size_t)d->ring_records - at;
    if (first > n)
        first = n;
    memcpy(to, ring + at, first * sizeof *to);
    memcpy(to + first, ring, (n - first) * sizeof *to);

    uint64_t groups, skip = 0;
    size_t good = whole_groups(to, n, it->batch.time, &groups, &bad);
    if (bad || (good < n && n == there)) /* a group is published as one: where all of it should be, half is a lie */
        skip = there - good;
    *ret_taken = good + (size_t)skip;
    take_up_to(d, slot, l->tail + good + skip);
    if (good) {
        it->batch.n = good;
        it->events = to;
        it->pooled = pooled;
        pthread_mutex_lock(&d->lock);
        d->stats.events += groups;
        pthread_mutex_unlock(&d->lock);
        enqueue(d, it);
    } else {
        buffer_put(d, to, pooled);
        free(it);
    }
    if (skip)
        tell_bad(d, slot, skip);
    return there - good - skip;
}

/* --- threads that begin and end --------------------------------------------------------------------------------- */

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

static void begin(struct drain *d, uint32_t slot)
{
    struct lane *l = &d->lane[slot];
    struct ls_slot *s = ls_arena_slot(d->arena, slot);
    int32_t pid = s->pid, tid = s->tid;
    bool known = known_here(pid, tid);

    /* Its first self is over when a thread claims a second slot: that was an exec. */
    for (uint32_t i = 0; known && i < d->slots; i++) {
        if (d->lane[i].known_here && d->lane[i].pid == pid && d->lane[i].tid == tid)
            d->lane[i].replaced = d->lane[i].tracked;
    }
    *l = (struct lane){ .tracked = true, .known_here = known, .generation = s->generation, .pid = pid,
                        .tid = tid, .tail = l->tail };
    struct item *it = item_new(d, BATCH_THREAD_BEGIN, slot);
    if (!it) {
        l->tracked = false; /* again at the next pass */
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->stats.live++;
    pthread_mutex_unlock(&d->lock);
    if (d->back)
        d->back(d->back_ctx, slot, l->tail);
    it->batch.loop_kind = s->loop_kind;
    it->batch.start = s->start;
    it->batch.stack_lo = s->stack_lo;
    it->batch.stack_hi = s->stack_hi;
    enqueue(d, it);
}

/* The ring is empty and nobody writes there any more. */
static void end(struct drain *d, uint32_t slot)
{
    struct lane *l = &d->lane[slot];
    struct ls_slot *s = ls_arena_slot(d->arena, slot);
    struct item *it = item_new(d, BATCH_THREAD_END, slot);
    count_lost(d, l, s);
    if (it) {
        /* The last word and since of a thread that has gone: ordered by the acquire of its state or by its death. */
        it->batch.word = atomic_load_explicit(&s->word, memory_order_acquire);
        it->batch.left = atomic_load_explicit(&s->left, memory_order_relaxed); /* ordered as the word above */
        it->batch.since = atomic_load_explicit(&s->since, memory_order_relaxed);
        it->batch.lost = l->lost;
        enqueue(d, it);
    }
    l->tracked = false;
    pthread_mutex_lock(&d->lock);
    d->stats.live--;
    pthread_mutex_unlock(&d->lock);
}

/* Ensure that who claims the slot (acquire, compare-and-swap from FREE) sees the tail at which it has to start. */
static void set_free(struct ls_slot *s, uint32_t from)
{
    atomic_compare_exchange_strong_explicit(&s->state, &from, SLOT_FREE, memory_order_release, memory_order_relaxed);
}

/* Takes all that was there when it was called; more than a ring cannot be there. */
static void take_all(struct drain *d, uint32_t slot)
{
    size_t taken = 1;
    for (uint64_t total = 0; taken && total < d->ring_records; total += taken)
        take(d, slot, &taken);
}

static void bury(struct drain *d, uint32_t slot, uint32_t state)
{
    take_all(d, slot);
    end(d, slot);
    set_free(ls_arena_slot(d->arena, slot), state);
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

static void check_dead(struct drain *d)
{
    struct inner_pids inner = { 0 };
    for (uint32_t i = 0; i < d->slots; i++) {
        if (d->lane[i].tracked && looks_dead(&d->lane[i], ls_arena_slot(d->arena, i), &inner))
            bury(d, i, SLOT_LIVE);
        else if (d->lane[i].tracked && d->back) /* there may be memory again, for a writer that stopped for want of it */
            d->back(d->back_ctx, i, d->lane[i].tail);
    }
    free(inner.pid);
}

static void bury_gone(struct drain *d)
{
    int32_t gone[GONE_MAX];
    pthread_mutex_lock(&d->lock);
    int n = d->n_gone;
    memcpy(gone, d->gone, (size_t)n * sizeof *gone);
    d->n_gone = 0;
    pthread_mutex_unlock(&d->lock);
    for (int k = 0; k < n; k++) {
        for (uint32_t i = 0; i < d->slots; i++) {
            if (d->lane[i].tracked && d->lane[i].pid == gone[k])
                bury(d, i, SLOT_LIVE);
        }
    }
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

/* One look at every slot.  *ret_fill: the fullest ring, in 1/8; returns whether more than a trickle was there. */
static bool pass(struct drain *d, unsigned *ret_fill)
{
    bool busy = false, room = !memory_full(d) || now_ns() >= d->choked;
    *ret_fill = 0;
    for (uint32_t i = 0; i < d->slots; i++) {
        struct ls_slot *s = ls_arena_slot(d->arena, i);
        struct lane *l = &d->lane[i];
        /* Ensure the identity can be seen: the thread release-stores LIVE after it, and ENDED after its last record. */
        uint32_t state = atomic_load_explicit(&s->state, memory_order_acquire);
        bool there = state == SLOT_LIVE || state == SLOT_ENDED;
        if (l->tracked && (!there || s->generation != l->generation)) {
            take_all(d, i);
            end(d, i);
            busy = true;
        }
        if (there && !l->tracked) {
            begin(d, i);
            busy = true;
        }
        if (!l->tracked || !room)
            continue;
        size_t taken;
        uint64_t rest = take(d, i, &taken), fill = (taken + rest) * 8 / d->ring_records;
        busy |= taken >= TRICKLE || fill;
        if (fill > *ret_fill)
            *ret_fill = (unsigned)fill;
        if (state == SLOT_ENDED && !rest) {
            bury(d, i, SLOT_ENDED);
            busy = true;
        }
        room = !memory_full(d) || now_ns() >= d->choked;
    }
    return busy;
}

/* How long to sleep.  Busy: 2 ms, so that batches are worth their cost; 1 ms or none as rings fill; else ever longer. */
static ns_t next_nap(ns_t nap, bool busy, unsigned fill, ns_t calm_for)
{
    if (busy)
        return fill >= 4 ? 0 : fill >= 1 ? 1 * MS : 2 * MS;
    ns_t most = calm_for > CALM ? NAP_MAX : NAP_LATE;
    nap = nap < MS ? 2 * MS : nap * 2;
    return nap > most ? most : nap;
}

static void sleep_for(struct drain *d, ns_t nap)
{
    ns_t until = now_ns() + nap;
    struct timespec t = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
    pthread_mutex_lock(&d->lock);
    if (!d->stopping && !d->n_gone)
        pthread_cond_timedwait(&d->poke, &d->lock, &t);
    pthread_mutex_unlock(&d->lock);
}

static bool is_stopping(struct drain *d)
{
    pthread_mutex_lock(&d->lock);
    bool stopping = d->stopping;
    pthread_mutex_unlock(&d->lock);
    return stopping;
}

static void *drain_main(void *arg)
{
    struct drain *d = arg;
    ns_t nap = 0, checked = now_ns(), last_busy = checked;
    unsigned fill;

    /* Ahead of the storing thread when both want one core: a late look at a full ring costs events.  Best effort. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), -5);
    while (!is_stopping(d)) {
        bool busy = pass(d, &fill);
        ns_t now = now_ns();
        if (busy)
            last_busy = now;
        bury_gone(d);
        /* Only this thread counts them.  Where slots are wanted, the dead must not keep them for long. */
        if (now - checked >= (d->stats.live * 2 > d->slots ? CHECK_EVERY / 4 : CHECK_EVERY)) {
            check_dead(d);
            checked = now;
        }
        nap = next_nap(nap, busy, fill, now - last_busy);
        if (nap)
            sleep_for(d, nap);
    }
    /* What is in the rings now comes along even if there is no room for it: there is no later. */
    d->choked = 0;
    pass(d, &fill);
    for (uint32_t i = 0; i < d->slots; i++) {
        if (d->lane[i].tracked) {
            take_all(d, i);
            end(d, i);
        }
    }
    pthread_mutex_lock(&d->lock);
    d->done = true;
    pthread_cond_broadcast(&d->filled);
    pthread_mutex_unlock(&d->lock);
    tell_filled(d);
    return NULL;
}

/* --- the way in ------------------------------------------------------------------------------------------------- */

struct drain *drain_start(struct ls_arena *arena, const char *spill_dir, size_t memory_max)
{
    return drain_start_backed(arena, spill_dir, memory_max, NULL, NULL);
}

struct drain *drain_start_backed(struct ls_arena *arena, const char *spill_dir, size_t memory_max,
                                 void (*back)(void *ctx, uint32_t slot, uint64_t head), void *ctx)
{
    struct drain *d = calloc(1, sizeof *d);
    pthread_condattr_t attr;
    if (!d)
        return NULL;
    d->arena = arena;
    d->slots = arena->slots;
    d->ring_records = arena->ring_records;
    d->ring_offset = arena->ring_offset;
    d->clock = (enum ls_clock)arena->clock;
    d->memory_max = memory_max;
    d->back = back;
    d->back_ctx = ctx;
    d->last = &d->first;
    d->lane = calloc(d->slots, sizeof *d->lane);
    if (!d->lane)
        goto no_memory;
    spill_init(&d->spill, spill_dir);
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->spill_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->filled, &attr);
    pthread_cond_init(&d->poke, &attr);
    pthread_condattr_destroy(&attr);
    d->filled_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    errno = pthread_create(&d->thread, NULL, drain_main, d);
    if (!errno)
        return d;
    if (d->filled_fd >= 0)
        close(d->filled_fd);
    free(d->lane);
no_memory:
    free(d);
    return NULL;
}

int drain_next(struct drain *d, int timeout_ms, struct batch *ret_batch)
{
    ns_t until = now_ns() + (ns_t)(timeout_ms > 0 ? timeout_ms : 0) * MS;
    struct timespec t = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };

    pthread_mutex_lock(&d->lock);
    while (!d->first && !d->done && timeout_ms > 0) {
        if (pthread_cond_timedwait(&d->filled, &d->lock, &t) == ETIMEDOUT)
            break;
    }
    struct item *it = d->first;
    bool done = d->done;
    uint64_t told;
    if (!it && d->filled_fd >= 0 && read(d->filled_fd, &told, sizeof told) < 0)
        errno = 0; /* nobody had told */
    if (it) {
        d->first = it->next;
        if (!d->first)
            d->last = &d->first;
    }
    pthread_mutex_unlock(&d->lock);
    if (!it)
        return done ? -1 : 0;

    if (it->spilled) {
        size_t n = it->batch.n;
        it->events = buffer_get(d, n, &it->pooled);
        pthread_mutex_lock(&d->spill_lock);
        int r = it->events ? spill_read(&d->spill, it->at, it->events, n * sizeof *it->events) : -ENOMEM;
        pthread_mutex_unlock(&d->spill_lock);
        if (r < 0) /* the disk gave back nothing: these records are skipped, and that is said */
            it->batch.kind = BATCH_BAD;
        pthread_mutex_lock(&d->lock);
        d->stats.bad += r < 0 ? n : 0;
        d->memory += it->events ? n * sizeof *it->events : 0;
        d->stats.queued -= r < 0 ? n * sizeof *it->events : 0;
        pthread_mutex_unlock(&d->lock);
    }
    it->batch.events = it->events;
    *ret_batch = it->batch;
    return 1;
}

int drain_fd(const struct drain *d)
{
    return d->filled_fd;
}

void drain_release(struct drain *d, struct batch *batch)
{
    struct item *it = batch->owner;
    if (!it)
        return;
    size_t size = it->batch.n * sizeof(struct ls_event);
    pthread_mutex_lock(&d->lock);
    d->stats.queued -= it->batch.kind == BATCH_EVENTS ? size : 0;
    d->memory -= it->events ? size : 0;
    pthread_mutex_unlock(&d->lock);
    buffer_put(d, it->events, it->pooled);
    free(it);
    batch->owner = NULL;
    batch->events = NULL;
}

void drain_process_gone(struct drain *d, int32_t pid)
{
    pthread_mutex_lock(&d->lock);
    if (d->n_gone < GONE_MAX)
        d->gone[d->n_gone++] = pid;
    pthread_cond_signal(&d->poke);
    pthread_mutex_unlock(&d->lock);
}

static ns_t thread_cpu(const struct drain *d)
{
    clockid_t clock;
    struct timespec t;
    if (d->joined || pthread_getcpuclockid(d->thread, &clock) || clock_gettime(clock, &t))
        return d->cpu;
    return (ns_t)t.tv_sec * 1000000000u + (ns_t)t.tv_nsec;
}

void drain_stop(struct drain *d)
{
    if (d->joined)
        return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_signal(&d->poke);
    while (!d->done)
        pthread_cond_wait(&d->filled, &d->lock);
    pthread_mutex_unlock(&d->lock);
    d->cpu = thread_cpu(d);
    pthread_join(d->thread, NULL);
    d->joined = true;
}

struct drain_stats drain_stats(struct drain *d)
{
    pthread_mutex_lock(&d->lock);
    struct drain_stats stats = d->stats;
    pthread_mutex_unlock(&d->lock);
    stats.cpu = thread_cpu(d);
    return stats;
}

void drain_free(struct drain *d)
{
    struct batch b;
    if (!d)
        return;
    drain_stop(d);
    while (drain_next(d, 0, &b) > 0)
        drain_release(d, &b);
    for (int i = 0; i < d->pooled; i++)
        free(d->pool[i]);
    if (d->filled_fd >= 0)
        close(d->filled_fd);
    spill_close(&d->spill);
    pthread_cond_destroy(&d->filled);
    pthread_cond_destroy(&d->poke);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->spill_lock);
    free(d->lane);
    free(d);
}

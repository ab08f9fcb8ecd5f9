/* slot.c - how a thread gets its slot and ring, and how it loses them: exit, fork, a shrinking address space.
 *
 * A claim makes no syscall (the target may live under a strict seccomp filter by then): the thread's id is read
 * from a mutex that it locks, its stack from the C library's own record of the thread. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ring.h"

#define GONE_MAX     4096u /* slots beyond this are not used; the default is 256 */
#define PATIENCE     4096u
#define MAIN_STACK   (100ull << 20) /* the kernel keeps at least 128 MiB below the main stack free of mappings */
#define THREAD_WORDS 256

__thread struct probe_self probe_self;
struct probe_process probe_process;
struct probe_page probe_page __attribute__((aligned(4096)));

static uint64_t rings_gone[GONE_MAX / 64]; /* bit = ring unmapped here; under probe_process.busy */

extern void *__libc_stack_end;

ticks_t probe_monotonic(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (ticks_t)ts.tv_sec * 1000000000u + (ticks_t)ts.tv_nsec;
}

/* An error-checking mutex records the kernel's id of its owner, so the thread can read its own without a syscall. */
static int32_t thread_id(void)
{
    pthread_mutex_t m = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    if (pthread_mutex_lock(&m) != 0)
        return 0;
    int32_t tid = m.__data.__owner;
    pthread_mutex_unlock(&m);
    return tid;
}

/* The C library keeps (block, size) of a thread's stack in its descriptor, at the top of that very stack; where
 * exactly is private, so look for the pair that describes where we are.  pthread_getattr_np would allocate, ask the
 * kernel, and for the main thread read /proc. */
__attribute__((no_sanitize("address", "undefined"))) static void find_stack(uint64_t *ret_lo, uint64_t *ret_hi)
{
    uint64_t sp = (uintptr_t)__builtin_frame_address(0), self = (uintptr_t)pthread_self();
    uint64_t end = (uintptr_t)__libc_stack_end;
    *ret_lo = *ret_hi = 0;
    if (sp < end && end - sp < MAIN_STACK) {
        *ret_lo = end - MAIN_STACK;
        *ret_hi = end;
        return;
    }
    if (sp >= self)
        return;
    const uint64_t *words = (const uint64_t *)(uintptr_t)self;
    for (int i = 0; i + 1 < THREAD_WORDS; i++) {
        uint64_t block = words[i], size = words[i + 1];
        if (block && block % 4096 == 0 && size < (1ull << 40) && block < sp && self < block + size &&
            block + size - self < 8192) {
            *ret_lo = block;
            *ret_hi = self;
            return;
        }
    }
}

/* Since when, the first time counts: exit() calls what may call it again. */
static void set_left(struct ls_slot *slot, ticks_t now)
{
    if (!now || !atomic_load_explicit(&slot->left, memory_order_relaxed))
        atomic_store_explicit(&slot->left, now, memory_order_relaxed); /* read by watch and drain */
}

static void thread_over(void *unused)
{
    (void)unused;
    struct probe_self *s = &probe_self;
    s->gone = 1;
    s->armed = 0;
    if (!s->slot || !probe_page.alive)
        return;
    struct ls_slot *slot = s->slot;
    set_left(slot, probe_now()); /* its last turn ended here */
    s->slot = NULL;
    s->quick = 0;
    atomic_store_explicit(&slot->state, SLOT_ENDED, memory_order_release); /* drain's acquire: head is final */
}

void probe_leaving(bool leaving)
{
    ticks_t now = probe_now();
    bool sure = false;
    for (uint32_t i = 0; probe_page.alive && i < probe_process.slots; i++) {
        struct ls_slot *slot = ls_arena_slot(probe_process.arena, i);
        if (atomic_load_explicit(&slot->state, memory_order_acquire) != SLOT_LIVE || slot->pid != probe_process.pid)
            continue;
        if (!sure && getpid() != probe_process.pid)
            return; /* a child of vfork, in our memory: it is the one that leaves */
        sure = true;
        set_left(slot, leaving ? now : 0);
    }
}

void probe_key(void)
{
    /* Beyond the first 32 keys the C library would allocate at the first use: then the recorder finds the end of
     * the thread by itself, a little later. */
    if (pthread_key_create(&probe_process.key, thread_over) != 0)
        return;
    probe_process.has_key = probe_process.key < 32;
    if (!probe_process.has_key)
        pthread_key_delete(probe_process.key);
}

static struct ls_slot *take_slot(uint32_t *ret_index)
{
    struct ls_arena *arena = probe_process.arena;
    for (uint32_t i = 0; i < probe_process.slots; i++) {
        struct ls_slot *slot = ls_arena_slot(arena, i);
        uint32_t state = SLOT_FREE;
        if (rings_gone[i / 64] >> (i % 64) & 1)
            continue;
        /* Pairs with the recorder's release of FREE: its tail is final then. */
        if (atomic_load_explicit(&slot->state, memory_order_relaxed) == SLOT_FREE &&
            atomic_compare_exchange_strong_explicit(&slot->state, &state, SLOT_CLAIMED, memory_order_acq_rel,
                                                    memory_order_relaxed)) {
            *ret_index = i;
            return slot;
        }
    }
    return NULL;
}

static bool enter_process(void)
{
    return atomic_exchange_explicit(&probe_process.busy, 1, memory_order_acquire) == 0; /* leave_process's release */
}
static void leave_process(void)
{
    atomic_store_explicit(&probe_process.busy, 0, memory_order_release);
}

static struct ls_event *ring_of(uint32_t slot)
{
    char *rings = (char *)probe_process.arena + probe_process.ring_offset;
    return (struct ls_event *)(void *)rings + slot * probe_process.ring_records;
}

bool probe_claim(enum ls_loop_kind kind, const char *name)
{
    struct probe_self *s = &probe_self;
    struct ls_arena *arena = probe_process.arena;
    uint32_t index = 0;

    if (s->gone || s->pushing || !arena || !atomic_load_explicit(&arena->on, memory_order_relaxed))
        return false;
    if (s->patience && --s->patience)
        return false;
    if (!enter_process())
        return false; /* another thread is at it: at the next poll, then */
    struct ls_slot *slot = take_slot(&index);
    if (!slot) {
        leave_process();
        if (!s->patience)
            atomic_fetch_add_explicit(&arena->refused, 1, memory_order_relaxed); /* a number for the report */
        s->patience = PATIENCE;
        return false;
    }
    if (!s->tid)
        s->tid = thread_id();
    slot->generation++;
    slot->pid = probe_process.pid;
    slot->tid = s->tid;
    slot->loop_kind = kind;
    find_stack(&slot->stack_lo, &slot->stack_hi);
    s->since = slot->start = probe_now();
    s->turn = 0;
    uint64_t tail = atomic_load_explicit(&slot->tail, memory_order_acquire);
    atomic_store_explicit(&slot->word, LS_WORD(ACT_NONE, 0, 0), memory_order_relaxed);
    atomic_store_explicit(&slot->since, s->since, memory_order_relaxed);
    atomic_store_explicit(&slot->call_since, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->call_arg, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->task, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->coro_lo, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->coro_hi, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->allow, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->lost, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->left, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->head, tail, memory_order_relaxed);
    atomic_store_explicit(&slot->state, SLOT_LIVE, memory_order_release); /* the recorder's acquire: all of the above */
    s->ring = ring_of(index);
    s->mask = probe_process.ring_records - 1;
    s->head = tail;
    s->limit = s->quick = s->lost = s->skipped = s->interrupted = s->patience = 0;
    s->slot = slot;
    leave_process();
    if (probe_process.has_key)
        pthread_setspecific(probe_process.key, slot);
    probe_kind(kind, name, s->since);
    return true;
}

void probe_kind(enum ls_loop_kind kind, const char *name, ticks_t now)
{
    struct probe_self *s = &probe_self;
    s->loop.kind = (uint8_t)kind;
    s->slot->loop_kind = kind;
    ring_push_text(s, (struct ls_event){ .time = now, .kind = EV_LOOP, .flags = (uint8_t)kind }, name,
                   name ? (uint32_t)strnlen(name, EV_TEXT_MAX) : 0);
}

uint32_t probe_more_ids(void)
{
    struct probe_self *s = &probe_self;
    s->next_id = atomic_fetch_add_explicit(&probe_process.arena->next_id, 64, memory_order_relaxed);
    s->end_id = s->next_id + 64;
    return s->next_id++;
}

void probe_declare(void)
{
    int error = errno;
    /* Yama lets only ancestors look at us, and a daemon's child has lost them.  Harmless where Yama is not. */
    prctl(PR_SET_PTRACER, (unsigned long)probe_process.arena->recorder_pid, 0, 0, 0);
    errno = error;
}

void probe_attached(void)
{
    atomic_fetch_add_explicit(&probe_process.arena->processes, 1, memory_order_relaxed); /* a number for --selftest */
}

void probe_forked(void)
{
    probe_page.alive = 1;
    memset(&probe_self, 0, sizeof(probe_self));
    probe_process.pid = getpid();       /* the one system call: it may live under a seccomp filter by now */
    probe_self.tid = probe_process.pid; /* the one thread of a new process */
    leave_process();                    /* another thread of the parent may have been in there */
    probe_attached();
}

void probe_shrink(uint32_t spare, uint64_t bytes)
{
    struct ls_arena *arena = probe_process.arena;
    if (!arena)
        return;
    if (!probe_page.alive)
        probe_forked();
    uint64_t ring = probe_process.ring_records * sizeof(struct ls_event);
    if (ring % 4096 != 0)
        return; /* rings this small are no burden */
    int error = errno;
    while (!enter_process())
        ; /* a claim takes microseconds */
    for (uint32_t i = 0; i < probe_process.slots; i++) {
        struct ls_slot *slot = ls_arena_slot(arena, i);
        uint32_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
        bool ours = state != SLOT_FREE && slot->pid == probe_process.pid;
        if (rings_gone[i / 64] >> (i % 64) & 1 || ours)
            continue;
        if (state == SLOT_FREE && spare && bytes >= ring) {
            spare--;
            bytes -= ring;
            continue;
        }
        rings_gone[i / 64] |= 1ull << (i % 64);
        munmap(ring_of(i), ring);
    }
    leave_process();
    errno = error;
}

/* self.h - what the probe keeps inside the target: one block a process, one block a thread, and the page that tells
 * a forked child from its parent.
 *
 * The thread's block is written by its thread alone (and by signal handlers that run on it), so nothing in it is
 * atomic.  Everything here is hidden: a program that links libloopscope.so and runs under the preload has two copies,
 * and only the preload's is ever used, because its ls_* interpose (attach.c). */
#ifndef LOOPSCOPE_PROBE_SELF_H
#define LOOPSCOPE_PROBE_SELF_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "../arena.h"

#define PROBE_HIDDEN __attribute__((visibility("hidden")))
#define likely(x)    __builtin_expect(!!(x), 1)
#define unlikely(x)  __builtin_expect(!!(x), 0)

/* Where a thread polls, by which its loop is known again.  place: return address and stack depth of the poll, for
 * poll and select, whose sets change; key: the epoll descriptor, the ring, or the first descriptor of the set. */
struct probe_habit {
    uint8_t kind;     /* enum ls_loop_kind */
    bool has_key;     /* key was seen */
    bool key_changed; /* the first descriptor was not always the same, so closing it says nothing */
    int key;
    uint32_t score;   /* how sure we are, while it is a candidate (preload/poll.c) */
    uint64_t place;
};

#define PROBE_SETS 4

/* What select was given. */
struct probe_sets {
    const void *set[3];
    int n;
};

struct probe_self {
    struct ls_slot *slot; /* NULL until this thread is a loop */
    struct ls_event *ring;
    uint64_t mask, head;
    uint64_t limit;       /* head may go up to here before the tail is read again; 0 = look first */
    uint64_t quick;       /* the same for ring_emit's short way; 0 in a push, without slot, without TSC */
    ticks_t since;        /* the poll returned, or was entered */
    uint32_t turn;
    uint8_t armed;        /* in a busy period and in no wrapped call: the only thing a wrapper looks at */
    uint8_t pushing;      /* inside a push: a signal handler's event would tear it, so it is counted instead */
    uint8_t polling;      /* between poll entry and return */
    uint8_t gone;         /* the thread is being torn down: no new slot */
    uint8_t stack_taken;  /* in this busy period */
    uint8_t stack_cut;    /* the last copy was too short */
    uint16_t patience;    /* polls to go before asking for a slot again, after all were taken */
    uint32_t skipped;     /* events dropped since the last look at the tail */
    uint64_t lost;        /* events to be told in the next EV_GAP */
    ticks_t lost_since;
    uint32_t interrupted; /* events of signal handlers that met `pushing`; exchanged atomically with them */
    int32_t tid;
    uint32_t next_id, end_id; /* block of ids of this thread */
    struct probe_habit loop, former, candidate;
    struct probe_sets accepted[PROBE_SETS]; /* by the kernel, lately: may be read before it does (preload/poll.c) */
    uint32_t next_accepted;
};

struct probe_process {
    struct ls_arena *arena; /* NULL: nothing records */
    ticks_t call_min, threshold;
    uint64_t ring_offset, ring_records; /* the arena's, as it was found good: another user may write there, too */
    uint32_t slots;         /* whose rings are mapped */
    bool tsc;
    bool has_key;
    pthread_key_t key;
    int32_t pid;
    _Atomic uint32_t busy;  /* a claim or a shrink is under way in this process; taken and left by the same thread */
};

/* MADV_WIPEONFORK: reads 0 in a child however it was made (fork, clone), without one instruction run there. */
struct probe_page {
    volatile uint32_t alive;
    char rest[4096 - sizeof(uint32_t)];
};

PROBE_HIDDEN extern __thread struct probe_self probe_self __attribute__((tls_model("initial-exec")));
PROBE_HIDDEN extern struct probe_process probe_process;
PROBE_HIDDEN extern struct probe_page probe_page;

PROBE_HIDDEN ticks_t probe_monotonic(void); /* slot.c */
static inline ticks_t probe_now(void)
{
#if defined __x86_64__
    if (likely(probe_process.tsc))
        return __builtin_ia32_rdtsc();
#endif
    return probe_monotonic();
}

/* slot.c.  Makes this thread a loop: a slot, its ring, and EV_LOOP.  false: none was free, or nothing records. */
PROBE_HIDDEN bool probe_claim(enum ls_loop_kind kind, const char *name);
/* EV_LOOP again: the kind has changed, or (LOOP_NONE) the loop was left. */
PROBE_HIDDEN void probe_kind(enum ls_loop_kind kind, const char *name, ticks_t now);
/* This is a child of the process that attached: forget the parent's slots.  At the next poll or probe. */
PROBE_HIDDEN void probe_forked(void);
/* Unmaps rings that this process does not use, all but `spare`, at most `bytes` kept: before mlockall, RLIMIT_AS. */
PROBE_HIDDEN void probe_shrink(uint32_t spare, uint64_t bytes);
/* The process is about to end, or to become another program; false: it did not after all.  Whoever asks is not in a
 * vfork child. */
PROBE_HIDDEN void probe_leaving(bool leaving);
PROBE_HIDDEN void probe_declare(void);  /* PR_SET_PTRACER; not inherited, so at once in a child of fork */
PROBE_HIDDEN void probe_attached(void); /* one more in arena->processes */
PROBE_HIDDEN uint32_t probe_more_ids(void);
PROBE_HIDDEN void probe_key(void);
static inline uint32_t probe_id(void)
{
    struct probe_self *s = &probe_self;
    return likely(s->next_id != s->end_id) ? s->next_id++ : probe_more_ids();
}
/* start.c.  Starts the recorder for LOOPSCOPE_RECORD and puts its session into the environment. */
PROBE_HIDDEN const char *probe_start_recorder(const char *file);

/* The state word.  The values come first, the release store of the word last; the watchdog reads word, values and word
 * again (watch.h).  A value newer than its word only makes a period look shorter, for one look. */
static inline void probe_enter_poll(struct probe_self *s, ticks_t now)
{
    s->armed = 0;
    s->polling = 1;
    if (unlikely(s->pushing || !s->quick)) { /* a handler may have left a push by longjmp */
        s->pushing = 0;
        s->limit = s->quick = 0; /* look at the tail again */
    }
    s->since = now;
    atomic_store_explicit(&s->slot->since, now, memory_order_relaxed);
    atomic_store_explicit(&s->slot->word, LS_WORD(ACT_POLL, 0, ++s->turn), memory_order_release);
}
static inline void probe_leave_poll(struct probe_self *s, ticks_t now)
{
    s->since = now;
    s->stack_taken = 0;
    s->polling = 0;
    atomic_store_explicit(&s->slot->since, now, memory_order_relaxed);
    atomic_store_explicit(&s->slot->word, LS_WORD(ACT_BUSY, 0, ++s->turn), memory_order_release);
    s->armed = 1;
}
static inline void probe_idle(struct probe_self *s)
{
    s->armed = 0;
    s->polling = 0;
    atomic_store_explicit(&s->slot->word, LS_WORD(ACT_NONE, 0, ++s->turn), memory_order_release);
}
/* The slot of this thread, when an event may be written now. */
static inline bool probe_ready(struct probe_self *s)
{
    if (likely(s->slot && probe_page.alive))
        return likely(atomic_load_explicit(&probe_process.arena->on, memory_order_relaxed)); /* set by the recorder */
    if (s->slot)
        probe_forked();
    return false;
}

#endif

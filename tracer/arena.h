/* arena.h - the session's shared memory: what every process of the target's tree maps and the recorder watches.
 *
 * Layout: one struct ls_arena (header), `slots` x struct ls_slot, then `slots` rings of `ring_records` records each.
 * The file is sparse: a ring that nobody writes costs nothing.  A process maps a prefix (all of it, unless
 * RLIMIT_AS is tight), keeps no descriptor, and inherits the mapping over fork.
 *
 * Ownership of a slot: FREE -> (thread, CAS) CLAIMED -> (thread) LIVE -> (thread at its exit) ENDED
 *                      -> (recorder, when drained) FREE.  The recorder also frees the slots of threads that died.
 * Each field has one writer; which one is said.  The recorder never trusts what the target writes. */
#ifndef LOOPSCOPE_ARENA_H
#define LOOPSCOPE_ARENA_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"

#define LS_ARENA_MAGIC   0x4c53434f41524531ull /* "LSCOARE1" */
#define LS_ARENA_VERSION 3u
#define LS_SESSION_ENV   "LOOPSCOPE_SESSION" /* path of the arena file */
#define LS_SLOTS_DEFAULT 256u
#define LS_RING_DEFAULT  (8u << 20) /* bytes a ring */

enum ls_clock { LS_CLOCK_MONOTONIC = 0, LS_CLOCK_TSC = 1 };

enum ls_slot_state { SLOT_FREE, SLOT_CLAIMED, SLOT_LIVE, SLOT_ENDED };

/* What a thread is doing, in the low byte of slot->word. */
enum ls_activity {
    ACT_NONE,    /* not in a loop yet, or its loop was left */
    ACT_POLL,    /* asleep (or about to be) in its poll, since slot->since */
    ACT_BUSY,    /* running between two polls, since slot->since */
    ACT_CALL     /* busy, and inside a wrapped call, since slot->call_since */
};
/* word = activity | call << 8 | turn << 32.  `turn` counts state changes of the loop (poll entries and returns). */
#define LS_WORD(act, call, turn) ((uint64_t)(act) | (uint64_t)(call) << 8 | (uint64_t)(uint32_t)(turn) << 32)
#define LS_WORD_ACT(w)           ((unsigned)((w)&0xff))
#define LS_WORD_CALL(w)          ((unsigned)((w) >> 8 & 0xffff))
#define LS_WORD_TURN(w)          ((uint32_t)((w) >> 32))

struct ls_slot {
    /* identity: written by the thread between CLAIMED and LIVE, read after an acquire of state */
    _Alignas(64) _Atomic uint32_t state;
    uint32_t generation; /* raised at each claim, so that a reused slot is not taken for its former thread */
    int32_t pid, tid;    /* as the target sees them: another number inside a pid namespace */
    uint64_t stack_lo, stack_hi; /* the thread's stack, 0 when unknown */
    ticks_t start;
    uint32_t loop_kind; /* enum ls_loop_kind; LOOP_NONE while it is not a loop */

    /* the state word: stored (relaxed values, release word) by the thread; the watchdog reads word, values, word again */
    _Alignas(64) _Atomic uint64_t word;
    _Atomic ticks_t since;      /* ACT_POLL: poll entered; ACT_BUSY and ACT_CALL: poll returned */
    _Atomic ticks_t call_since; /* ACT_CALL: the call was entered */
    _Atomic uint64_t call_arg;  /* ACT_CALL: fd, or the address of the lock */
    _Atomic uint64_t task;      /* linked-in runtime: the task that runs, 0 = none */
    _Atomic uint64_t coro_lo, coro_hi; /* the coroutine stack it runs on; 0 = the thread's own */
    _Atomic ticks_t left;       /* != 0: since when its process is in exit() or exec: its last turn ended then */
    _Atomic uint64_t allow;     /* != 0: a blocking section the program declared (LS_ALLOW_BLOCK) */

    /* the ring, writer's side */
    _Alignas(64) _Atomic uint64_t head; /* records written; release-stored by the thread, acquired by drain;
                                           a claim starts it at the tail it finds, so nobody else resets it */
    _Atomic uint64_t lost;              /* events dropped since the claim (a group counts as one), by the thread */

    /* the ring, reader's side */
    _Alignas(64) _Atomic uint64_t tail; /* records taken; release-stored by drain, acquired by the thread when full */
    _Atomic uint64_t holes; /* first lap: the first record that has no memory behind it; 0: all have.  Release-stored by
                               the recorder, acquired by the thread when it reaches its limit: it never writes there */
};

struct ls_arena {
    uint64_t magic;
    uint32_t version, slots;
    uint64_t ring_records;  /* a ring; a power of two, >= 8 */
    uint64_t ring_offset;   /* of ring 0 from the start of the arena; page aligned */
    uint32_t clock;         /* enum ls_clock */
    int32_t recorder_pid;
    ticks_t threshold;      /* a loop busy for longer stalls */
    ticks_t call_min;       /* a call shorter than this is not stored */
    uint64_t ticks_per_sec; /* roughly; exact conversion is the recorder's */

    _Alignas(64) _Atomic uint32_t on; /* recorder: 1 while it records; 0: probes return at once */
    _Alignas(64) _Atomic uint32_t next_id;  /* targets: tasks, objects and sites take blocks of ids here; starts at 1 */
    _Atomic uint32_t refused;         /* targets: threads that found no slot */
    _Atomic uint32_t processes;       /* targets: processes that attached, for --selftest */
};

static inline size_t ls_arena_slots_offset(void)
{
    return (sizeof(struct ls_arena) + 4095) & ~(size_t)4095;
}
static inline struct ls_slot *ls_arena_slot(struct ls_arena *a, uint32_t i)
{
    return (struct ls_slot *)((char *)a + ls_arena_slots_offset()) + i;
}
static inline struct ls_event *ls_arena_ring(struct ls_arena *a, uint32_t i)
{
    return (struct ls_event *)((char *)a + a->ring_offset) + (size_t)i * a->ring_records;
}
static inline size_t ls_arena_size(uint32_t slots, uint64_t ring_records)
{
    size_t head = (ls_arena_slots_offset() + slots * sizeof(struct ls_slot) + 4095) & ~(size_t)4095;
    return head + (size_t)slots * ring_records * sizeof(struct ls_event);
}

#endif

/* ring.h - writing into this thread's ring: one record inline, a group through ring.c.
 *
 * One writer (the thread), one reader (the recorder's drain).  head is ours: its release store pairs with drain's
 * acquire.  tail is drain's: it is read (acquire) only when the cached limit is reached, and while the ring stays full
 * only every RING_PATIENCE drops, because reading a line that the reader writes costs more than the event. */
#ifndef LOOPSCOPE_PROBE_RING_H
#define LOOPSCOPE_PROBE_RING_H

#include "self.h"

#define RING_PATIENCE 64

/* Looks for room for n records, and writes the EV_GAP that is due; false: the event was counted as lost. */
PROBE_HIDDEN bool ring_room(struct probe_self *s, uint32_t n, ticks_t now);
PROBE_HIDDEN void ring_interrupted(struct probe_self *s);

static inline struct ls_event *ring_at(struct probe_self *s, uint64_t i)
{
    return &s->ring[i & s->mask];
}

/* Field by field: a copy of the whole would go through the stack, and stall on its narrow stores. */
static inline void ring_write(struct ls_event *to, const struct ls_event *event)
{
    to->time = event->time;
    to->kind = event->kind;
    to->flags = event->flags;
    to->aux = event->aux;
    to->id = event->id;
    to->a = event->a;
    to->b = event->b;
}

/* The end of a push; a handler that met it has lowered the limit, so that the next push adds up what was lost. */
static inline void ring_release(struct probe_self *s)
{
    s->quick = likely(probe_process.tsc) ? s->limit : 0;
    s->pushing = 0;
}

/* A handler inside a push of its thread: `pushing` is on, or `quick` off though ring_release has set it. */
static inline bool ring_busy(const struct probe_self *s)
{
    return s->pushing || (s->quick == 0 && s->limit != 0 && probe_process.tsc);
}

static inline bool ring_enter(struct probe_self *s, uint32_t n, ticks_t now)
{
    if (unlikely(ring_busy(s))) {
        ring_interrupted(s);
        return false;
    }
    s->pushing = 1;
    s->quick = 0;
    atomic_signal_fence(memory_order_seq_cst); /* a handler sees `pushing` before any part of the record */
    if (likely(s->head + n <= s->limit) || ring_room(s, n, now))
        return true;
    ring_release(s);
    return false;
}
static inline void ring_leave(struct probe_self *s, uint64_t n)
{
    uint64_t head = s->head + n;
    atomic_signal_fence(memory_order_seq_cst);
    s->head = head;
    atomic_store_explicit(&s->slot->head, head, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
}

static inline bool ring_push(struct probe_self *s, struct ls_event event)
{
    if (unlikely(!ring_enter(s, 1, event.time)))
        return false;
    ring_write(ring_at(s, s->head), &event);
    ring_leave(s, 1);
    ring_release(s);
    return true;
}

/* An event of the linked-in runtime, now; head as EVENT_HEAD packs it.  The usual case is a leaf without a call, so that
 * nothing need be saved around it: that keeps an event within a quarter of its timestamp. */
#define EVENT_HEAD(kind, flags, aux, id)                                                                               \
    ((uint64_t)(uint8_t)(kind) | (uint64_t)(uint8_t)(flags) << 8 | (uint64_t)(uint16_t)(aux) << 16 | (uint64_t)(id) << 32)
_Static_assert(offsetof(struct ls_event, kind) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "one store");
PROBE_HIDDEN void ring_emit_slow(uint64_t head, uint64_t a, uint64_t b);

/* `quick` is 0 in a push, without a slot, and without TSC.  Whether anybody still records is looked at when the ring is
 * full: until then the event goes where nobody reads it. */
static inline bool ring_fast(const struct probe_self *s)
{
#if defined __x86_64__
    return likely(s->head < s->quick && probe_page.alive);
#else
    (void)s;
    return false;
#endif
}
/* The time, where `quick` says that the arena's clock is the TSC: its halves are stored as rdtsc gives them.  The line 64
 * records ahead is asked for, for writing, because the reader's core has it.  Together a tenth of an event's cost. */
static inline void ring_stamp(struct ls_event *e)
{
#if defined __x86_64__
    __asm__ volatile("rdtsc\n\tmovl %%eax, (%0)\n\tmovl %%edx, 4(%0)\n\tprefetchw 2048(%0)"
                     :
                     : "r"(e)
                     : "eax", "edx", "memory");
#else
    (void)e;
#endif
}

/* After ring_fast said yes. */
static inline void ring_emit_fast(struct probe_self *s, uint64_t head, uint64_t a, uint64_t b)
{
    s->quick = 0;
    atomic_signal_fence(memory_order_seq_cst); /* as in ring_enter */
    struct ls_event *e = ring_at(s, s->head); /* read again: kept in a register from ring_fast on it costs 1 ns more */
    ring_stamp(e);
    *(uint64_t *)(void *)&e->kind = head;
    e->a = a;
    e->b = b;
    ring_leave(s, 1);
    s->quick = s->limit; /* as in ring_release */
}
static inline void ring_emit(struct probe_self *s, uint64_t head, uint64_t a, uint64_t b)
{
    if (likely(ring_fast(s)))
        ring_emit_fast(s, head, a, b);
    else
        ring_emit_slow(head, a, b);
}

/* A group: ring_group_begin reserves n records (or counts one lost event), the puts fill them in order, and
 * ring_group_end publishes all of them at once. */
struct ring_group {
    struct probe_self *s;
    uint64_t n, at;
};
PROBE_HIDDEN bool ring_group_begin(struct ring_group *g, struct probe_self *s, uint32_t n, ticks_t now);
PROBE_HIDDEN void ring_group_put(struct ring_group *g, struct ls_event event);
PROBE_HIDDEN void ring_group_bytes(struct ring_group *g, const void *bytes, uint32_t len);
PROBE_HIDDEN void ring_group_text(struct ring_group *g, const char *text, uint32_t len);
PROBE_HIDDEN void ring_group_end(struct ring_group *g);
/* Records that EV_TEXT of this length takes, head included; 0 for no text. */
static inline uint32_t ring_text_records(uint32_t len)
{
    return len ? 1 + ev_raw_records(len) : 0;
}
/* One event with a text behind it (len 0: without). */
PROBE_HIDDEN bool ring_push_text(struct probe_self *s, struct ls_event event, const char *text, uint32_t len);

#endif

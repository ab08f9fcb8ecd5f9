/* ring.c - the slow side of the ring: full, gaps, groups.  Runs on the thread that owns the ring, in the target. */
#include "ring.h"

#include <string.h>

static void count_loss(struct probe_self *s, uint64_t n, ticks_t now)
{
    if (!s->lost)
        s->lost_since = now;
    s->lost += n;
    s->limit = s->quick = 0;
    uint64_t all = atomic_load_explicit(&s->slot->lost, memory_order_relaxed);
    atomic_store_explicit(&s->slot->lost, all + n, memory_order_relaxed); /* read by drain, as a number only */
}

void ring_interrupted(struct probe_self *s)
{
    /* We are a signal handler inside the thread's own push: it adds these up when it next looks for room. */
    __atomic_fetch_add(&s->interrupted, 1, __ATOMIC_RELAXED);
    s->limit = 1; /* no room, and not 0: that push is still under way */
}

bool ring_room(struct probe_self *s, uint32_t n, ticks_t now)
{
    if (unlikely(s->interrupted))
        count_loss(s, __atomic_exchange_n(&s->interrupted, 0, __ATOMIC_RELAXED), now);
    if (s->skipped) {
        s->skipped--;
        count_loss(s, 1, now);
        return false;
    }
    uint64_t capacity = s->mask + 1;
    uint64_t tail = atomic_load_explicit(&s->slot->tail, memory_order_acquire); /* drain's release */
    uint64_t used = s->head - tail;
    uint64_t need = n + (s->lost != 0);
    uint64_t holes = atomic_load_explicit(&s->slot->holes, memory_order_acquire); /* the recorder's release */
    if (used > capacity || capacity - used < need || (holes && s->head + need > holes)) {
        count_loss(s, 1, now);
        if (used == capacity)
            s->skipped = RING_PATIENCE - 1;
        return false;
    }
    s->limit = tail + capacity;
    if (holes && holes < s->limit) /* a store there may be a SIGBUS: /dev/shm may be full */
        s->limit = holes;
    if (s->lost) {
        *ring_at(s, s->head) = (struct ls_event){ .time = now, .kind = EV_GAP, .a = s->lost, .b = s->lost_since };
        s->head++; /* published with the event that follows */
        s->lost = 0;
    }
    return true;
}

void ring_emit_slow(uint64_t head, uint64_t a, uint64_t b)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s))
        return;
    ring_push(s, (struct ls_event){ .time = probe_now(),
                                    .kind = (uint8_t)head,
                                    .flags = (uint8_t)(head >> 8),
                                    .aux = (uint16_t)(head >> 16),
                                    .id = (uint32_t)(head >> 32),
                                    .a = a,
                                    .b = b });
}

bool ring_group_begin(struct ring_group *g, struct probe_self *s, uint32_t n, ticks_t now)
{
    if (!ring_enter(s, n, now))
        return false;
    *g = (struct ring_group){ s, n, 0 };
    return true;
}

void ring_group_put(struct ring_group *g, struct ls_event event)
{
    *ring_at(g->s, g->s->head + g->at++) = event;
}

/* By words and without the C library: the bytes may be a stack that a sanitizer guards. */
__attribute__((no_sanitize("address", "undefined"))) void ring_group_bytes(struct ring_group *g, const void *bytes,
                                                                           uint32_t len)
{
    const char *from = bytes;
    for (uint32_t done = 0; done < len; done += sizeof(struct ls_event)) {
        uint64_t *to = (uint64_t *)(void *)ring_at(g->s, g->s->head + g->at++);
        uint32_t part = len - done < sizeof(struct ls_event) ? len - done : (uint32_t)sizeof(struct ls_event);
        if (part < sizeof(struct ls_event)) {
            char rest[sizeof(struct ls_event)] = { 0 };
            for (uint32_t i = 0; i < part; i++)
                rest[i] = from[done + i];
            memcpy(to, rest, sizeof(rest));
        } else {
            for (int i = 0; i < 4; i++)
                __builtin_memcpy(&to[i], from + done + 8 * i, 8);
        }
    }
}

void ring_group_text(struct ring_group *g, const char *text, uint32_t len)
{
    if (!len)
        return;
    ring_group_put(g, (struct ls_event){ .kind = EV_TEXT, .id = len, .aux = (uint16_t)ev_raw_records(len) });
    ring_group_bytes(g, text, len);
}

void ring_group_end(struct ring_group *g)
{
    ring_leave(g->s, g->n);
    ring_release(g->s);
}

bool ring_push_text(struct probe_self *s, struct ls_event event, const char *text, uint32_t len)
{
    struct ring_group g;
    if (len > EV_TEXT_MAX)
        len = EV_TEXT_MAX;
    if (1 + ring_text_records(len) > s->mask)
        len = 0; /* a ring of 8 records has no room for it, ever */
    if (!ring_group_begin(&g, s, 1 + ring_text_records(len), event.time))
        return false;
    ring_group_put(&g, event);
    ring_group_text(&g, text, len);
    ring_group_end(&g);
    return true;
}

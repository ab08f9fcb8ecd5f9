/* api.c - probe.h: what a runtime linked into the target tells.  Runs on the thread it speaks about. */
#include "api.h"

#include <sched.h>
#include <string.h>

#include "ring.h"

static uint32_t text_length(const char *text)
{
    return text ? (uint32_t)strnlen(text, EV_TEXT_MAX) : 0;
}

/* Sends a site at its first use.  Two threads may both send it, under two ids; one of them stays. */
static uint32_t send_site(struct probe_self *s, struct ls_site *site, ticks_t now)
{
    char text[EV_TEXT_MAX];
    uint32_t function = text_length(site->function), file = text_length(site->file);
    if (function > EV_TEXT_MAX / 2 - 1)
        function = EV_TEXT_MAX / 2 - 1;
    if (file > EV_TEXT_MAX / 2)
        file = EV_TEXT_MAX / 2;
    if (function)
        memcpy(text, site->function, function);
    text[function] = 0;
    if (file)
        memcpy(text + function + 1, site->file, file);
    uint32_t id = probe_id();
    struct ls_event event = { .time = now, .kind = EV_SITE, .id = id, .a = site->line };
    if (!ring_push_text(s, event, text, function + 1 + file))
        return 0; /* the ring is full: it is sent with the next use */
    uint32_t none = 0;
    /* Pairs with the load in site_id: the id is all that is handed over. */
    if (!__atomic_compare_exchange_n(&site->id, &none, id, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return none;
    return id;
}

static inline uint32_t site_id(struct probe_self *s, struct ls_site *site, ticks_t now)
{
    if (!site)
        return 0;
    uint32_t id = __atomic_load_n(&site->id, __ATOMIC_RELAXED);
    return likely(id) ? id : send_site(s, site, now);
}

/* A runtime asks once: while another thread is at it, it is tried again. */
static bool claim(enum ls_loop_kind kind, const char *name)
{
    struct probe_self *s = &probe_self;
    s->patience = 0;
    for (int tries = 0; tries < 10000; tries++) {
        if (probe_claim(kind, name))
            return true;
        if (s->patience || s->gone || s->pushing ||
            !atomic_load_explicit(&probe_process.arena->on, memory_order_relaxed)) /* as probe_claim reads it */
            return false;
        sched_yield();
    }
    return false;
}

void ls_probe_loop(const char *name)
{
    struct probe_self *s = &probe_self;
    if (!probe_process.arena)
        return;
    if (!probe_page.alive)
        probe_forked();
    if (!s->slot) {
        if (!claim(LOOP_RUNTIME, name))
            return;
    } else {
        s->since = probe_now();
        probe_kind(LOOP_RUNTIME, name, s->since);
    }
    probe_leave_poll(s, s->since); /* busy from EV_LOOP on: until its first poll it runs what is ready */
}

void ls_probe_thread(void)
{
    struct probe_self *s = &probe_self;
    if (!probe_process.arena)
        return;
    if (!probe_page.alive)
        probe_forked();
    if (!s->slot)
        claim(LOOP_NONE, NULL);
}

void ls_probe_loop_end(void)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s))
        return;
    probe_idle(s);
    probe_kind(LOOP_NONE, NULL, probe_now());
}

void ls_probe_poll_enter(void)
{
    struct probe_self *s = &probe_self;
    if (likely(probe_ready(s)))
        probe_enter_poll(s, probe_now());
}

void ls_probe_poll_exit(int ready, int asked, int64_t timeout_ns)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s) || !s->polling)
        return;
    ticks_t entered = s->since, now = probe_now();
    probe_leave_poll(s, now);
    ring_push(s, (struct ls_event){ .time = now,
                                    .kind = EV_POLL,
                                    .flags = s->loop.kind,
                                    .aux = ready < 0        ? EV_READY_ERROR
                                           : ready > 0xfffe ? 0xfffe
                                                            : (uint16_t)ready,
                                    .id = asked > 0 ? (uint32_t)asked : 0,
                                    .a = entered,
                                    .b = (uint64_t)timeout_ns });
}

uint32_t ls_probe_task_new(uint32_t parent, struct ls_site *site, const char *name)
{
    struct probe_self *s = &probe_self;
    uint64_t at = site && !name ? __atomic_load_n(&site->id, __ATOMIC_RELAXED) : 0;
    if (unlikely(!at || !ring_fast(s)))
        return ls_probe_task_waiting(parent, site, name, LS_WHY_SPAWN, 0);
    uint32_t id = probe_id();
    ring_emit_fast(s, EVENT_HEAD(EV_TASK_NEW, LS_WHY_SPAWN, 0, id), parent | at << 32, 0);
    return id;
}

uint32_t ls_probe_task_waiting(uint32_t parent, struct ls_site *site, const char *name, enum ls_why why,
                               uint64_t target)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s))
        return 0;
    ticks_t now = probe_now();
    uint32_t id = probe_id();
    struct ls_event event = { .time = now, .kind = EV_TASK_NEW, .flags = (uint8_t)why, .id = id, .b = target };
    event.a = parent | (uint64_t)site_id(s, site, now) << 32;
    if (name)
        ring_push_text(s, event, name, text_length(name));
    else
        ring_push(s, event);
    return id;
}

void ls_probe_task_end(uint32_t task, enum ls_outcome outcome, int64_t result)
{
    if (likely(task))
        ring_emit(&probe_self, EVENT_HEAD(EV_TASK_END, outcome, 0, task), (uint64_t)result, 0);
}

void ls_probe_task_observed(uint32_t task)
{
    if (likely(task))
        ring_emit(&probe_self, EVENT_HEAD(EV_OBSERVED, 0, 0, task), 0, 0);
}

/* A switch whose site has not been sent yet, or in a thread that has no ring. */
__attribute__((noinline)) static void switch_slow(uint32_t from, enum ls_why why, uint64_t target, struct ls_site *site,
                                                  uint32_t to)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s))
        return;
    ticks_t now = probe_now();
    atomic_store_explicit(&s->slot->task, to, memory_order_relaxed);
    ring_push(s, (struct ls_event){ .time = now,
                                    .kind = EV_SWITCH,
                                    .flags = (uint8_t)why,
                                    .id = to,
                                    .a = from | (uint64_t)site_id(s, site, now) << 32,
                                    .b = target });
}

void ls_probe_switch(uint32_t from, enum ls_why why, uint64_t target, struct ls_site *site, uint32_t to)
{
    struct probe_self *s = &probe_self;
    uint64_t id = site ? __atomic_load_n(&site->id, __ATOMIC_RELAXED) : 0;
    if (unlikely(!ring_fast(s) || (site && !id))) {
        switch_slow(from, why, target, site, to);
        return;
    }
    atomic_store_explicit(&s->slot->task, to, memory_order_relaxed); /* read by the watchdog, as a hint */
    ring_emit_fast(s, EVENT_HEAD(EV_SWITCH, why, 0, to), from | id << 32, target);
}

/* Read by the watchdog without order: it checks that the stack pointer lies between them. */
static inline void set_stack(struct probe_self *s, const void *lo, const void *hi)
{
    atomic_store_explicit(&s->slot->coro_lo, (uintptr_t)lo, memory_order_relaxed);
    atomic_store_explicit(&s->slot->coro_hi, (uintptr_t)hi, memory_order_relaxed);
}

void ls_probe_switch_stack(uint32_t from, enum ls_why why, uint64_t target, struct ls_site *site, uint32_t to,
                           const char *const stack[2])
{
    struct probe_self *s = &probe_self;
    uint64_t id = site ? __atomic_load_n(&site->id, __ATOMIC_RELAXED) : 0;
    if (unlikely(!ring_fast(s) || (site && !id))) {
        switch_slow(from, why, target, site, to);
        if (probe_ready(s))
            set_stack(s, stack ? stack[0] : NULL, stack ? stack[1] : NULL);
        return;
    }
    atomic_store_explicit(&s->slot->task, to, memory_order_relaxed); /* as in ls_probe_switch */
    set_stack(s, stack ? stack[0] : NULL, stack ? stack[1] : NULL);
    ring_emit_fast(s, EVENT_HEAD(EV_SWITCH, why, 0, to), from | id << 32, target);
}

void ls_probe_finish(uint32_t task, enum ls_outcome outcome, int64_t result, uint32_t woken, int observed, uint32_t to,
                     const char *const stack[2])
{
    struct probe_self *s = &probe_self;
    if (unlikely(!ring_fast(s) && !probe_ready(s)))
        return;
    atomic_store_explicit(&s->slot->task, to, memory_order_relaxed); /* as in ls_probe_switch */
    set_stack(s, stack ? stack[0] : NULL, stack ? stack[1] : NULL);
    ring_emit(s, EVENT_HEAD(EV_FINISH, outcome, observed ? EV_FINISH_OBSERVED : 0, to), task | (uint64_t)woken << 32,
              (uint64_t)result);
}

void ls_probe_task_detached(uint32_t task)
{
    if (likely(task))
        ring_emit(&probe_self, EVENT_HEAD(EV_DETACHED, 0, 0, task), 0, 0);
}

void ls_probe_hold(uint32_t object, uint32_t task, int held)
{
    if (likely(object && task))
        ring_emit(&probe_self, EVENT_HEAD(EV_HOLD, held != 0, 0, object), task, 0);
}

void ls_probe_members(uint32_t object, const uint32_t ids[], unsigned n)
{
    for (unsigned i = 0; object && i < n; i += 4) {
        uint64_t four[4] = { ids[i], i + 1 < n ? ids[i + 1] : 0, i + 2 < n ? ids[i + 2] : 0,
                             i + 3 < n ? ids[i + 3] : 0 };
        ring_emit(&probe_self, EVENT_HEAD(EV_MEMBER, 0, 0, object), four[0] | four[1] << 32, four[2] | four[3] << 32);
    }
}

void ls_probe_allow(const char *why)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s))
        return;
    ring_push_text(s, (struct ls_event){ .time = probe_now(), .kind = EV_ALLOW, .flags = why != NULL }, why,
                   text_length(why));
}

void ls_probe_wake(uint32_t task, uint32_t waker)
{
    ring_emit(&probe_self, EVENT_HEAD(EV_WAKE, 0, 0, task), waker, 0); /* task 0: nobody is woken, and it is not read */
}

void ls_probe_wake_late(uint32_t task, uint64_t late_ns)
{
    if (likely(task))
        ring_emit(&probe_self, EVENT_HEAD(EV_WAKE, 0, 0, task), 0, late_ns);
}

void ls_probe_stack(const void *lo, const void *hi)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s))
        return;
    set_stack(s, lo, hi);
}

uint32_t ls_probe_object_new(enum ls_object_kind kind, const char *name, struct ls_site *site, int fd)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s))
        return 0;
    ticks_t now = probe_now();
    uint32_t id = probe_id();
    struct ls_event event = { .time = now, .kind = EV_OBJECT_NEW, .aux = (uint16_t)kind, .id = id };
    event.a = site_id(s, site, now);
    event.b = (uint64_t)(int64_t)fd;
    ring_push_text(s, event, name, text_length(name));
    return id;
}

void ls_probe_object_end(uint32_t object)
{
    if (object)
        ring_emit(&probe_self, EVENT_HEAD(EV_OBJECT_END, 0, 0, object), 0, 0);
}

uint64_t ls_probe_now(void)
{
    return probe_process.arena ? probe_now() : 0;
}

void ls_probe_mark_for(uint32_t task, const char *name, double value, uint64_t start)
{
    struct probe_self *s = &probe_self;
    if (!probe_ready(s))
        return;
    ticks_t now = probe_now();
    struct ls_event event = { .time = start ? start : now, .kind = EV_MARK, .id = task };
    event.a = start && now > start ? now - start : 0;
    memcpy(&event.b, &value, sizeof(value));
    ring_push_text(s, event, name, text_length(name));
}

void ls_probe_mark(const char *name, double value, uint64_t start)
{
    struct probe_self *s = &probe_self;
    if (probe_ready(s)) /* the task is our own store */
        ls_probe_mark_for((uint32_t)atomic_load_explicit(&s->slot->task, memory_order_relaxed), name, value, start);
}

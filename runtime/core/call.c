/* call.c - functions that the loop calls later, between tasks.  Runs on the loop's thread.
 *
 * Calls lie in chunks that are never moved, and a handle is a number, as a task's. */
#include <errno.h>
#include <stdlib.h>

#include "loop.h"

#define CALLS_A_CHUNK 256

struct call {
    struct timer_node node; /* first */
    uint32_t index, generation;
    union {
        void (*fn)(void *arg);
        struct call *next_free;
    };
    void *arg;
    struct ls_site *site;
};

struct call_table {
    struct call **chunks;
    uint32_t count, chunk_count, chunk_room;
    struct call *free;
};

static struct call *call_new(struct loop *l)
{
    struct call_table *c = l->calls;
    if (!c && !(c = l->calls = calloc(1, sizeof *c)))
        return NULL;
    struct call *call = c->free;
    if (call) {
        c->free = call->next_free;
        return call;
    }
    if (c->count == c->chunk_count * CALLS_A_CHUNK) {
        if (c->count > LSRT_INDEX_MASK - CALLS_A_CHUNK) {
            errno = ENOMEM;
            return NULL;
        }
        if (c->chunk_count == c->chunk_room) {
            uint32_t room = c->chunk_room ? 2 * c->chunk_room : 4;
            struct call **chunks = realloc(c->chunks, room * sizeof *chunks);
            if (!chunks)
                return NULL;
            c->chunks = chunks;
            c->chunk_room = room;
        }
        if (!(c->chunks[c->chunk_count] = calloc(CALLS_A_CHUNK, sizeof *call)))
            return NULL;
        c->chunk_count++;
    }
    call = &c->chunks[c->count / CALLS_A_CHUNK][c->count % CALLS_A_CHUNK];
    call->index = c->count++;
    call->generation = 1;
    return call;
}

static void call_free(struct loop *l, struct call *call)
{
    call->generation = (call->generation + 1) & LSRT_INDEX_MASK; /* its handle is spent */
    call->next_free = l->calls->free;
    l->calls->free = call;
}

void lsrt_call(struct loop *l, struct ls_site *site, void (*fn)(void *), void *arg)
{
    uint64_t start = ls_probe_on() ? ls_probe_now() : 0;
    if (l->debug)
        lsrt_debug_call(l, NULL);
    l->calling++;
    fn(arg);
    if (LSRT_UNLIKELY(lsrt_here != l))
        lsrt_fork_end(0);
    l->calling--;
    if (l->debug)
        lsrt_debug_call(l, site);
    if (start)
        ls_probe_mark(site->function, 0, start);
}

static void fire(struct loop *l, struct timer_node *n)
{
    struct call *call = (struct call *)(void *)n;
    void (*fn)(void *) = call->fn;
    void *arg = call->arg;
    struct ls_site *site = call->site;
    call_free(l, call); /* before the call: what it does with its own handle is as after it */
    lsrt_call(l, site, fn, arg);
}

struct ls_timer *ls_call_at_at(struct ls_site *site, ls_ns time, void (*fn)(void *), void *arg)
{
    struct loop *l = lsrt_on_loop("ls_call_at");
    if (!l)
        return NULL;
    if (!fn) {
        lsrt_misuse(EINVAL, "ls_call_at: the function is NULL");
        return NULL;
    }
    if (l->refusing) {
        errno = ECANCELED;
        return NULL;
    }
    struct call *call = call_new(l);
    if (!call)
        return NULL;
    if (time <
        l->fired) /* behind those that are due: else one that asks for the past again and again is always first */
        time = l->fired;
    if (lsrt_timer_add(&l->timers, &call->node, time)) {
        call_free(l, call);
        errno = ENOMEM;
        return NULL;
    }
    call->node.fire = fire;
    call->fn = fn;
    call->arg = arg;
    call->site = site;
    return (struct ls_timer *)lsrt_handle(l, HANDLE_TIMER, call->generation, call->index);
}

int ls_timer_cancel(struct ls_timer *timer)
{
    struct loop *l = lsrt_on_loop("ls_timer_cancel");
    if (!l)
        return -1;
    uintptr_t h = (uintptr_t)timer;
    uint32_t index = (uint32_t)h & LSRT_INDEX_MASK, generation = (uint32_t)(h >> LSRT_INDEX_BITS) & LSRT_INDEX_MASK;
    if (!timer)
        return lsrt_misuse(EINVAL, "ls_timer_cancel: the timer is NULL");
    if (lsrt_handle_kind(h) == HANDLE_TIMER && lsrt_handle_loop(h) != l->id)
        return lsrt_misuse(EPERM, "ls_timer_cancel: this timer is of another loop (%u, this is %u)",
                           lsrt_handle_loop(h), l->id);
    if (lsrt_handle_kind(h) != HANDLE_TIMER || !l->calls || index >= l->calls->count)
        return lsrt_misuse(EINVAL, "ls_timer_cancel: not a timer");
    struct call *call = &l->calls->chunks[index / CALLS_A_CHUNK][index % CALLS_A_CHUNK];
    if (call->generation != generation || !call->node.place)
        return lsrt_result(ESRCH);
    lsrt_timer_remove(&l->timers, &call->node);
    call_free(l, call);
    return 0;
}

void lsrt_calls_free(struct loop *l)
{
    struct call_table *c = l->calls;
    if (!c)
        return;
    for (uint32_t i = 0; i < c->chunk_count; i++)
        free(c->chunks[i]);
    free(c->chunks);
    free(c);
    l->calls = NULL;
}

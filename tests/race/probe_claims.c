/* probe_claims.c - many threads claim and give back few slots at once: no slot has two owners, and none is lost.  Plain
 * program, for ThreadSanitizer; the main thread is the recorder that frees what has ended.
 *
 * link: -lpthread */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/fake_arena.h"

#include "tests/lib/fake_arena.c"
#include "tracer/probe/api.c"
#include "tracer/probe/attach.c"
#include "tracer/probe/ring.c"
#include "tracer/probe/slot.c"
#include "tracer/probe/start.c"

#define SLOTS   3
#define THREADS 4
#define ROUNDS  200

static _Atomic int owners[SLOTS], failed, claims, finished;

static void *one_loop(void *unused)
{
    ls_probe_loop(NULL);
    struct ls_slot *slot = probe_self.slot;
    if (slot) {
        int i = (int)(slot - ls_arena_slot(probe_process.arena, 0));
        if (atomic_fetch_add(&owners[i], 1) != 0)
            atomic_store(&failed, 1);
        for (uint32_t k = 1; k < 20; k++)
            ls_probe_wake(k, 0);
        atomic_fetch_add(&claims, 1);
        atomic_fetch_sub(&owners[i], 1);
    }
    return unused; /* the key's destructor ends the slot */
}
static void *many(void *unused)
{
    pthread_t t;
    for (int i = 0; i < ROUNDS; i++)
        if (pthread_create(&t, NULL, one_loop, NULL) == 0)
            pthread_join(t, NULL);
    atomic_fetch_add(&finished, 1);
    return unused;
}

int main(void)
{
    struct fake_arena f;
    pthread_t t[THREADS];
    int freed = 0;
    if (fake_arena_make(&f, SLOTS, 64, 20000000, 1000000) != 0)
        return 1;
    probe_process.arena = f.arena;
    probe_process.slots = SLOTS;
    probe_process.ring_offset = f.arena->ring_offset;
    probe_process.ring_records = f.arena->ring_records;
    probe_process.tsc = f.arena->clock == LS_CLOCK_TSC;
    probe_page.alive = 1;
    probe_key();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, many, NULL);
    for (int last = 0; !last;) {
        last = atomic_load(&finished) == THREADS;
        for (uint32_t i = 0; i < SLOTS; i++) {
            struct ls_slot *s = ls_arena_slot(f.arena, i);
            if (atomic_load_explicit(&s->state, memory_order_acquire) != SLOT_ENDED)
                continue;
            atomic_store(&s->tail, atomic_load(&s->head));
            atomic_store_explicit(&s->state, SLOT_FREE, memory_order_release);
            freed++;
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    int n = atomic_load(&claims);
    if (atomic_load(&failed) || n == 0 || n != freed) {
        printf("%d claims, %d freed, failed %d\n", n, freed, atomic_load(&failed));
        return 1;
    }
    probe_page.alive = 0; /* our end must not be told to an arena that has gone */
    fake_arena_free(&f);
    return 0;
}

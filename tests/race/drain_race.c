/* drain_race.c - four threads write rings as a probe does (and end, and claim again) while drain takes them and a
 * consumer reads slowly, with little memory: under ThreadSanitizer, and every record must come once and in order.
 * link: -l:librecord.a -lm */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tracer/record/drain.h"

#define WRITERS 4u
#define RECORDS 512u
#define LIVES   20u
#define EVENTS  5000u

static struct ls_arena *arena;

static void *writer(void *arg)
{
    uint32_t slot = (uint32_t)(uintptr_t)arg;
    struct ls_slot *s = ls_arena_slot(arena, slot);
    for (uint32_t life = 1; life <= LIVES; life++) {
        uint32_t from = SLOT_FREE;
        while (!atomic_compare_exchange_weak(&s->state, &from, SLOT_CLAIMED)) {
            from = SLOT_FREE;
            usleep(100);
        }
        uint64_t head = atomic_load(&s->tail);
        s->generation++;
        s->pid = (int32_t)getpid();
        s->tid = (int32_t)(1000000 + slot);
        atomic_store_explicit(&s->state, SLOT_LIVE, memory_order_release);
        for (uint32_t i = 0; i < EVENTS; i++) {
            while (head - atomic_load_explicit(&s->tail, memory_order_acquire) >= RECORDS)
                usleep(50);
            ls_arena_ring(arena, slot)[head & (RECORDS - 1)] =
                (struct ls_event){ .kind = EV_WAKE, .id = i, .a = life, .time = 1 };
            atomic_store_explicit(&s->head, ++head, memory_order_release);
        }
        atomic_store_explicit(&s->state, SLOT_ENDED, memory_order_release);
    }
    return NULL;
}

int main(void)
{
    pthread_t t[WRITERS];
    uint32_t next_id[WRITERS] = { 0 }, life[WRITERS] = { 0 }, ended = 0;
    size_t size = ls_arena_size(WRITERS, RECORDS);
    arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *arena = (struct ls_arena){ .slots = WRITERS, .ring_records = RECORDS, .clock = LS_CLOCK_MONOTONIC };
    arena->ring_offset = size - (size_t)WRITERS * RECORDS * sizeof(struct ls_event);

    struct drain *d = drain_start(arena, "/tmp", 32768);
    for (uintptr_t i = 0; i < WRITERS; i++)
        pthread_create(&t[i], NULL, writer, (void *)i);
    while (ended < WRITERS * LIVES) {
        struct batch b;
        int r = drain_next(d, 20000, &b);
        if (r != 1) {
            fprintf(stderr, "drain_race: nothing came for 20 s (%u threads ended)\n", ended);
            return 1;
        }
        if (b.kind == BATCH_THREAD_BEGIN) {
            life[b.slot]++;
            next_id[b.slot] = 0;
        }
        for (size_t i = 0; b.kind == BATCH_EVENTS && i < b.n; i++) {
            if (b.events[i].id != next_id[b.slot] || b.events[i].a != life[b.slot]) {
                fprintf(stderr, "drain_race: slot %u life %u: record %u where %u was due\n", b.slot, life[b.slot],
                        b.events[i].id, next_id[b.slot]);
                return 1;
            }
            next_id[b.slot]++;
        }
        if (b.kind == BATCH_BAD || (b.kind == BATCH_THREAD_END && next_id[b.slot] != EVENTS)) {
            fprintf(stderr, "drain_race: slot %u life %u: %u records\n", b.slot, life[b.slot], next_id[b.slot]);
            return 1;
        }
        ended += b.kind == BATCH_THREAD_END;
        if (b.n % 7 == 0)
            usleep(300);
        drain_release(d, &b);
        (void)drain_stats(d);
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_join(t[i], NULL);
    struct drain_stats st = drain_stats(d);
    drain_free(d);
    if (st.events != (uint64_t)WRITERS * LIVES * EVENTS || st.bad || st.live) {
        fprintf(stderr, "drain_race: %llu events, %llu bad, %u live\n", (unsigned long long)st.events,
                (unsigned long long)st.bad, st.live);
        return 1;
    }
    printf("drain_race: %llu events, %llu spilled\n", (unsigned long long)st.events, (unsigned long long)st.spilled);
    return 0;
}

/* probe_ring.c - one writer, one reader, a small ring: nothing is torn, doubled or out of order, and what is missing is
 * told by EV_GAP.  Plain program, for ThreadSanitizer.  The probe's sources are part of it (they are hidden in the
 * library); the writer uses them as a linked-in runtime does, the reader is tests/lib/fake_arena.
 *
 * link: -lpthread */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fake_arena.h"
#include "tracer/probe/ring.h"

#include "tests/lib/fake_arena.c"
#include "tracer/probe/api.c"
#include "tracer/probe/attach.c"
#include "tracer/probe/ring.c"
#include "tracer/probe/slot.c"
#include "tracer/probe/start.c"

#define EVENTS 400000u

static struct fake_arena f;
static _Atomic int written; /* set by the writer after its last event; the reader then empties the ring once more */

static void *write_all(void *unused)
{
    char name[64];
    ls_probe_loop("writer");
    for (uint32_t i = 1; i <= EVENTS; i++) {
        if (i % 7) {
            ls_probe_wake(i, ~i);
        } else {
            memset(name, 'a' + (int)(i % 26), sizeof(name));
            name[63] = 0;
            ls_probe_mark(name, i, 0);
        }
    }
    atomic_store(&written, 1);
    return unused;
}

int main(void)
{
    pthread_t writer;
    static struct fake_event e;
    uint64_t seen = 0, lost = 0, last = 0;
    if (fake_arena_make(&f, 1, 64, 20000000, 1000000) != 0)
        return 1;
    probe_process.arena = f.arena;
    probe_process.slots = 1;
    probe_process.ring_offset = f.arena->ring_offset;
    probe_process.ring_records = f.arena->ring_records;
    probe_process.tsc = f.arena->clock == LS_CLOCK_TSC;
    probe_page.alive = 1;
    pthread_create(&writer, NULL, write_all, NULL);
    for (;;) {
        int end = atomic_load(&written), r = fake_arena_next(&f, 0, &e);
        if (r < 0) {
            printf("broken framing after %lu events\n", (unsigned long)seen);
            return 1;
        }
        if (r == 0 && end)
            break;
        if (r == 0)
            continue;
        if (e.head.kind == EV_GAP) {
            lost += e.head.a;
            continue;
        }
        seen++;
        if (e.head.kind == EV_WAKE) {
            if (e.head.id <= last || (uint32_t)e.head.a != (uint32_t)~e.head.id) {
                printf("event %u after %lu, waker %#lx\n", e.head.id, (unsigned long)last, (unsigned long)e.head.a);
                return 1;
            }
            last = e.head.id;
        } else if (e.head.kind == EV_MARK) {
            double value;
            memcpy(&value, &e.head.b, sizeof(value));
            for (uint32_t i = 0; i < e.text_len; i++)
                if (e.text[i] != 'a' + (int)((uint32_t)value % 26)) {
                    printf("a torn name in mark %.0f\n", value);
                    return 1;
                }
        }
    }
    pthread_join(writer, NULL);
    uint64_t dropped = atomic_load(&ls_arena_slot(f.arena, 0)->lost);
    probe_page.alive = 0; /* our end must not be told to an arena that has gone */
    fake_arena_free(&f);
    if (seen + dropped != EVENTS + 1u || lost > dropped) {
        printf("seen %lu + dropped %lu of %u, told %lu\n", (unsigned long)seen, (unsigned long)dropped, EVENTS + 1,
               (unsigned long)lost);
        return 1;
    }
    return 0;
}

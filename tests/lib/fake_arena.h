/* fake_arena.h - a session without a recorder: a test makes the arena, runs a program under the preload (or linked with
 * the probe), and reads the rings itself.  One process, one thread; the file is removed by fake_arena_free. */
#ifndef TESTS_FAKE_ARENA_H
#define TESTS_FAKE_ARENA_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tracer/arena.h"
#include "tracer/call.h"

struct fake_arena {
    struct ls_arena *arena;
    size_t size;
    char path[128];
};

/* An event as the recorder would assemble it: the head and its attachments. */
struct fake_event {
    struct ls_event head, more;
    bool has_more;
    char text[EV_TEXT_MAX + 1];
    uint32_t text_len;
    bool has_stack, stack_cut;
    struct ls_regs regs;
    uint64_t stack_sp;
    uint32_t stack_size;
    unsigned char stack[EV_STACK_MAX];
};

/* call_min and threshold in ns.  0, or -1 after a line on stderr. */
int fake_arena_make(struct fake_arena *f, uint32_t slots, uint64_t ring_records, uint64_t threshold, uint64_t call_min);
void fake_arena_free(struct fake_arena *f);
/* Takes the next event of a slot, whatever its state: 1, 0 when there is none, -1 when the framing is broken. */
int fake_arena_next(struct fake_arena *f, uint32_t slot, struct fake_event *ret_event);
/* Empties a ring; the number of events of this kind (EV_CALL: of this call, 0 = any). */
int fake_arena_count(struct fake_arena *f, uint32_t slot, enum ls_event_kind kind, unsigned call);
/* Writes every event of every slot in use, one a line. */
void fake_arena_print(struct fake_arena *f, FILE *out);
/* Runs argv with LD_PRELOAD = preload (NULL: without) and the session in its environment.  wait status, -1 no fork. */
int fake_arena_run(struct fake_arena *f, const char *preload, char *const argv[]);

#endif

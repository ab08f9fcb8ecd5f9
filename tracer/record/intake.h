/* intake.h - what comes out of the rings becomes rows: each slot's thread gets its row, its events go through assemble,
 * and what assemble makes goes to the store and, for what can be a stall, to stalls.  Used by the storing thread. */
#ifndef LOOPSCOPE_INTAKE_H
#define LOOPSCOPE_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "assemble.h"
#include "clock.h"
#include "drain.h"
#include "process.h"
#include "stalls.h"
#include "store.h"

struct intake_options { /* all owned by the caller and alive as long as the intake */
    struct store *store;
    struct stalls *stalls;
    struct process_table *processes;
    const struct clock_map *clock;
    uint32_t slots;
};

struct intake {
    struct intake_options o;
    struct assembler *assembler;
    struct slot_owner *owners; /* by slot index */
    int64_t threads, loops;    /* rows so far */
    bool full;                 /* set by the caller: events are only counted from now on */
    uint64_t skipped, bad;     /* events: counted while full; broken */
};

int intake_open(struct intake *in, const struct intake_options *options); /* 0 or -ENOMEM */
void intake_close(struct intake *in);
void intake_batch(struct intake *in, const struct batch *b);
/* After the last batch: tasks that live on get their state. */
void intake_finish(struct intake *in);
/* A row of `gap`, now. */
void intake_gap(struct intake *in, int64_t thread, int64_t lost, const char *reason);

#endif

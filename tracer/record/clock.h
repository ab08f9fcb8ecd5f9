/* clock.h - ticks to nanoseconds, from (ticks, CLOCK_MONOTONIC) pairs taken by the recorder.  No TSC here is read by
 * anyone but clock_now and the probes. */
#ifndef LOOPSCOPE_CLOCK_H
#define LOOPSCOPE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "../arena.h"

#define CLOCK_PAIRS 64

struct clock_map {
    enum ls_clock kind;
    int n;                              /* pairs, oldest first; thinned out when full */
    struct { ticks_t ticks; ns_t ns; } pair[CLOCK_PAIRS];
    ticks_t t0;                         /* the start of the recording */
};

/* Chooses the TSC when the kernel uses it as clocksource and it is constant and nonstop, else CLOCK_MONOTONIC. */
enum ls_clock clock_choose(void);
ticks_t clock_now(enum ls_clock kind);
/* Starts a map: measures the rate (about 2 ms), sets t0 = now. */
void clock_start(struct clock_map *c, enum ls_clock kind);
/* Adds a pair; call about once a second. */
void clock_sync(struct clock_map *c);
/* ns since t0; negative before it.  And a duration.  And ticks per second. */
int64_t clock_ns(const struct clock_map *c, ticks_t t);
int64_t clock_duration(const struct clock_map *c, ticks_t from, ticks_t to);
uint64_t clock_ticks_per_sec(const struct clock_map *c);

#endif

/* clock.h - ticks to nanoseconds, from (ticks, CLOCK_MONOTONIC) pairs taken by the recorder.  No TSC here is read by
 * anyone but clock_now and the probes.
 *
 * The map is a chain of straight lines.  A new pair never moves the past: the next line starts where the last one had
 * arrived, and leans so that it meets CLOCK_MONOTONIC again a second later.  So one tick is one nanosecond value for
 * ever, and differences of converted times add up exactly.  Used by one thread. */
#ifndef LOOPSCOPE_CLOCK_H
#define LOOPSCOPE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "../arena.h"

#define CLOCK_PAIRS 64

struct clock_pair {
    ticks_t ticks;
    double ns;                          /* of the recording; what the map says at `ticks` */
    double rate;                        /* ns a tick from here on */
};

struct clock_map {
    enum ls_clock kind;                 /* LS_CLOCK_MONOTONIC: a tick is a nanosecond, no pairs are needed */
    int n;                              /* pairs, oldest first; thinned out when full */
    struct clock_pair pair[CLOCK_PAIRS];
    ticks_t t0;                         /* the start of the recording */
    double nominal;                     /* ns a tick, as measured at the start */
    ticks_t last_ticks;                 /* the last true pair, */
    ns_t last_ns, first_ns;             /* and CLOCK_MONOTONIC at t0 */
};

/* Chooses the TSC when the kernel uses it as clocksource and it is constant and nonstop, else CLOCK_MONOTONIC. */
enum ls_clock clock_choose(void);
ticks_t clock_now(enum ls_clock kind);
/* Starts a map: measures the rate (about 2 ms), sets t0 = now. */
void clock_start(struct clock_map *c, enum ls_clock kind);
/* Adds a pair; call about once a second. */
void clock_sync(struct clock_map *c);
/* The pure halves of the two above, for tests: a clock of `rate` ns a tick that starts at (ticks, ns); a pair. */
void clock_begin(struct clock_map *c, ticks_t ticks, ns_t ns, double rate);
void clock_add(struct clock_map *c, ticks_t ticks, ns_t ns);
/* ns since t0; negative before it.  And a duration.  And ticks per second. */
int64_t clock_ns(const struct clock_map *c, ticks_t t);
int64_t clock_duration(const struct clock_map *c, ticks_t from, ticks_t to);
uint64_t clock_ticks_per_sec(const struct clock_map *c);

#endif

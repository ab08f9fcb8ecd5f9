/* watch_stall.h - a stall that goes on now, as the watchdog sees it: looks at a thread, and the evidence that they add
 * up to.  Private to watch*.c.  Pure: it reads neither /proc nor the arena, and no clock.
 *
 * The watchdog's thread owns a stall.  Its note is read by others too, so who changes it holds the watchdog's mutex. */
#ifndef LOOPSCOPE_WATCH_STALL_H
#define LOOPSCOPE_WATCH_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "proc.h"
#include "watch.h"

struct look { /* one reading of a thread */
    ticks_t time;
    uint64_t word;
    bool known, asleep; /* asleep: in its poll, so its clocks stand still */
    struct proc_reading proc;
    bool quota;                /* throttled is known */
    ns_t throttled, suspended; /* running totals */
};

struct snapshot { /* of the state word and its values, which belong together */
    uint64_t word;
    ticks_t since, call_since;
    uint64_t call_arg, allow;
};

struct stall {
    struct watch_note note;
    struct look base, last;
    int step;       /* the next sample's place in the series */
    long asleep_nr; /* the last stack taken of a sleeping thread: not taken twice */
    uint64_t asleep_sp, asleep_pc;
};

/* The reading to count from: that of a loop that slept in the poll before is exact; else the one nearest to since.
 * before, last: two readings outside stalls, of different turns; now: the first look at this one. */
struct look stall_baseline(const struct look *before, const struct look *last, const struct snapshot *s,
                           const struct look *now);
/* The counters so far; the last look was `since_last` ago.  The mutex is held. */
void stall_add(struct stall *st, const struct look *l, ns_t since_last);
/* Counts one look by what it saw.  sc: valid when it sleeps outside a wrapped call.  The mutex is held. */
void stall_count(struct stall *st, const struct snapshot *s, const struct look *l, const struct proc_syscall *sc,
                 const char *wchan);
/* `l`, the first look after the stall, with the time for which its counters stand.  s: what came after the stall. */
struct look stall_end(const struct stall *st, const struct snapshot *s, const struct look *l);
/* When its next sample is due: 1, 1.5, 2, 3, 4, 6, 8 ... x threshold after its start. */
ticks_t stall_sample_due(const struct stall *st, ticks_t threshold);

#endif

/* clock.c - ticks to nanoseconds.  Owns nothing but the map it is given; used by one thread of the recorder.
 * The conversion is called two or three times an event, so it is a multiplication, not a division. */
#include "clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#if defined __x86_64__
#include <x86intrin.h>
#endif

#define NS_PER_SEC 1000000000ull
#define SLEW_NS    1e9   /* a deviation is made good over this long */
#define SLEW_MAX   1e-3  /* and by this share of the rate at most, so that time never runs backwards */
#define RATE_DRIFT 1e-2  /* a rate further off than this is no drift: the machine slept, or was migrated */

static ns_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ns_t)t.tv_sec * NS_PER_SEC + (ns_t)t.tv_nsec;
}

/* 1 when a line of FILE that contains `where` also has the word. */
static int file_has(const char *file, const char *where, const char *word)
{
    char line[4096];
    int found = 0;
    FILE *f = fopen(file, "re");
    if (!f)
        return 0;
    while (!found && fgets(line, sizeof line, f))
        found = strstr(line, where) && strstr(line, word);
    fclose(f);
    return found;
}

enum ls_clock clock_choose(void)
{
#if defined __x86_64__
    if (file_has("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc", "tsc") &&
        file_has("/proc/cpuinfo", "flags", " constant_tsc") && file_has("/proc/cpuinfo", "flags", " nonstop_tsc"))
        return LS_CLOCK_TSC;
#endif
    return LS_CLOCK_MONOTONIC;
}

ticks_t clock_now(enum ls_clock kind)
{
#if defined __x86_64__
    if (kind == LS_CLOCK_TSC)
        return __rdtsc();
#endif
    (void)kind;
    return monotonic();
}

/* A pair is as good as the time between its two readings: the narrowest of a few tries. */
static void take_pair(enum ls_clock kind, ticks_t *ret_ticks, ns_t *ret_ns)
{
    ticks_t best = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        ticks_t before = clock_now(kind);
        ns_t ns = monotonic();
        ticks_t after = clock_now(kind);
        if (after - before < best) {
            best = after - before;
            *ret_ticks = before + best / 2;
            *ret_ns = ns;
        }
    }
}

void clock_begin(struct clock_map *c, ticks_t ticks, ns_t ns, double rate)
{
    memset(c, 0, sizeof *c);
    c->kind = LS_CLOCK_TSC;
    c->t0 = c->last_ticks = ticks;
    c->first_ns = c->last_ns = ns;
    c->nominal = rate;
    c->pair[0] = (struct clock_pair){ ticks, 0, rate };
    c->n = 1;
}

void clock_start(struct clock_map *c, enum ls_clock kind)
{
    ticks_t t1, t2;
    ns_t n1, n2;
    struct timespec pause = { 0, 2000000 };

    take_pair(kind, &t1, &n1);
    if (kind == LS_CLOCK_TSC)
        nanosleep(&pause, NULL);
    take_pair(kind, &t2, &n2);
    double rate = kind == LS_CLOCK_TSC && t2 > t1 ? (double)(n2 - n1) / (double)(t2 - t1) : 1.0;
    clock_begin(c, t2, n2, rate);
    c->kind = kind;
}

/* What the line that holds at tick t says. */
static double map_at(const struct clock_map *c, ticks_t t)
{
    int i = c->n - 1;
    while (i > 0 && t < c->pair[i].ticks)
        i--;
    const struct clock_pair *p = &c->pair[i];
    return p->ns + (double)(int64_t)(t - p->ticks) * p->rate;
}

/* Makes room: the older half loses every second pair.  There the map moves, but only by what a second's slew had
 * corrected, which is far less than a microsecond. */
static void thin_out(struct clock_map *c)
{
    int kept = 1;
    for (int i = 2; i < c->n; i++) {
        if (i < c->n / 2 && i % 2)
            continue;
        c->pair[kept++] = c->pair[i];
    }
    c->n = kept;
    for (int i = 0; i + 1 < c->n; i++)
        c->pair[i].rate = (c->pair[i + 1].ns - c->pair[i].ns) / (double)(c->pair[i + 1].ticks - c->pair[i].ticks);
}

void clock_add(struct clock_map *c, ticks_t ticks, ns_t ns)
{
    const struct clock_pair *last = &c->pair[c->n - 1];
    if (ticks <= last->ticks || ticks <= c->last_ticks || ns <= c->last_ns)
        return;
    double rate = (double)(ns - c->last_ns) / (double)(ticks - c->last_ticks);
    double here = map_at(c, ticks);
    if (fabs(rate / c->nominal - 1) > RATE_DRIFT) {
        /* One of the two clocks stood still.  The ticks are what the probes saw: go on from them. */
        rate = last->rate;
        c->first_ns = ns - (ns_t)here;
    }
    double off = (double)(ns - c->first_ns) - here;
    double lean = fmax(-SLEW_MAX, fmin(SLEW_MAX, off / SLEW_NS));
    if (c->n == CLOCK_PAIRS)
        thin_out(c);
    c->pair[c->n++] = (struct clock_pair){ ticks, here, rate * (1 + lean) };
    c->last_ticks = ticks;
    c->last_ns = ns;
}

void clock_sync(struct clock_map *c)
{
    ticks_t ticks;
    ns_t ns;
    if (c->kind == LS_CLOCK_MONOTONIC)
        return;
    take_pair(c->kind, &ticks, &ns);
    clock_add(c, ticks, ns);
}

/* Ticks come from the target: any value must give a number that can still be added to another. */
#define NS_FAR (INT64_MAX / 8)

int64_t clock_ns(const struct clock_map *c, ticks_t t)
{
    if (c->kind == LS_CLOCK_MONOTONIC) {
        int64_t d = (int64_t)(t - c->t0);
        return d > NS_FAR ? NS_FAR : d < -NS_FAR ? -NS_FAR : d;
    }
    double ns = map_at(c, t);
    if (ns >= (double)NS_FAR)
        return NS_FAR;
    if (ns <= -(double)NS_FAR)
        return -NS_FAR;
    return (int64_t)(ns < 0 ? ns - 0.5 : ns + 0.5);
}

int64_t clock_duration(const struct clock_map *c, ticks_t from, ticks_t to)
{
    return clock_ns(c, to) - clock_ns(c, from);
}

uint64_t clock_ticks_per_sec(const struct clock_map *c)
{
    if (c->kind == LS_CLOCK_MONOTONIC)
        return NS_PER_SEC;
    return (uint64_t)(1e9 / c->nominal + 0.5);
}

/* human.c - how numbers, times and names look to people.  Pure. */
#include "human.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

/* A value of one to three digits before the point: one digit after it below 100, none when it would be a zero. */
static struct human scaled(double value, const char *unit)
{
    struct human t;
    double tenths = floor(value * 10 + 0.5);
    if (value >= 99.95 || fmod(tenths, 10) == 0)
        snprintf(t.s, sizeof t.s, "%.0f %s", floor(value + 0.5), unit);
    else
        snprintf(t.s, sizeof t.s, "%.1f %s", tenths / 10, unit);
    return t;
}

struct human human_duration(int64_t ns)
{
    struct human t;
    if (ns == NOT_KNOWN)
        return (struct human){ "-" };
    if (ns < 0) {
        struct human positive = human_duration(ns == INT64_MIN + 1 ? INT64_MAX : -ns);
        snprintf(t.s, sizeof t.s, "-%.*s", HUMAN_SIZE - 2, positive.s);
        return t;
    }
    double v = (double)ns;
    if (ns < 1000)
        return scaled(v, "ns");
    if (v < 999.5e3)
        return scaled(v / 1e3, "us");
    if (v < 999.5e6)
        return scaled(v / 1e6, "ms");
    if (v < 59.95e9)
        return scaled(v / 1e9, "s");
    int64_t s = (ns - 1) / NS_PER_S + 1; /* whole seconds, up */
    if (s < 3600)
        snprintf(t.s, sizeof t.s, "%" PRId64 " m %02" PRId64 " s", s / 60, s % 60);
    else
        snprintf(t.s, sizeof t.s, "%" PRId64 " h %02" PRId64 " m", s / 3600, s / 60 % 60);
    return t;
}

struct human human_count(int64_t n)
{
    struct human t;
    if (n == NOT_KNOWN)
        return (struct human){ "-" };
    if (n >= 999950000)
        return scaled((double)n / 1e9, "G");
    if (n >= 1000000)
        return scaled((double)n / 1e6, "M");
    if (n >= 1000)
        snprintf(t.s, sizeof t.s, "%" PRId64 ",%03" PRId64, n / 1000, n % 1000);
    else
        snprintf(t.s, sizeof t.s, "%" PRId64, n);
    return t;
}

struct human human_percent(double share)
{
    struct human t;
    if (!(share > 0)) /* NaN too */
        return (struct human){ "0 %" };
    if (share < 0.005)
        return (struct human){ "<1 %" };
    if (share < 1 && share >= 0.995)
        return (struct human){ ">99 %" };
    snprintf(t.s, sizeof t.s, "%.0f %%", fmin(share, 1e6) * 100);
    return t;
}

struct human human_offset(int64_t ns)
{
    struct human t;
    if (ns == NOT_KNOWN)
        return (struct human){ "-" };
    const char *sign = ns < 0 ? "-" : "";
    uint64_t ms = (ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns) / 1000000, s = ms / 1000;
    ms %= 1000;
    if (s < 60)
        snprintf(t.s, sizeof t.s, "%s%" PRIu64 ".%03" PRIu64 " s", sign, s, ms);
    else if (s < 3600)
        snprintf(t.s, sizeof t.s, "%s%" PRIu64 ":%02" PRIu64 ".%03" PRIu64, sign, s / 60, s % 60, ms);
    else
        snprintf(t.s, sizeof t.s, "%s%" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64, sign, s / 3600, s / 60 % 60,
                 s % 60, ms);
    return t;
}

struct human human_clock(int64_t realtime_ns)
{
    struct human t;
    struct tm tm;
    time_t s = (time_t)(realtime_ns / NS_PER_S);
    if (realtime_ns < 0 || !localtime_r(&s, &tm))
        return (struct human){ "-" };
    snprintf(t.s, sizeof t.s, "%02d:%02d:%02d.%03d", tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100,
             (int)(realtime_ns % NS_PER_S / 1000000));
    return t;
}

struct human human_date(int64_t realtime_ns)
{
    struct human t;
    struct tm tm;
    time_t s = (time_t)(realtime_ns / NS_PER_S);
    if (realtime_ns < 0 || !localtime_r(&s, &tm) || strftime(t.s, sizeof t.s, "%Y-%m-%d", &tm) == 0)
        return (struct human){ "-" };
    return t;
}

struct human human_plural(int64_t n, const char *one, const char *many)
{
    struct human t;
    snprintf(t.s, sizeof t.s, "%.12s %.17s", human_count(n).s, n == 1 ? one : many);
    return t;
}

/* Length of the UTF-8 sequence at `p`: 1..4, or 0 when it is none (overlong, surrogate, cut short, too big). */
static int sequence(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    int n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static bool starts_character(unsigned char c)
{
    return (c & 0xc0) != 0x80;
}

int human_width(const char *utf8)
{
    int n = 0;
    for (const char *p = utf8; *p; p++)
        n += starts_character((unsigned char)*p);
    return n;
}

/* What acts on a terminal instead of being shown: C0, DEL, C1, line ends of Unicode's own, and what turns the direction of
 * the text around, with which a name could make the rest of its line read as something else. */
static bool acts(const unsigned char *p)
{
    if (*p < 0x20 || *p == 0x7f)
        return true;
    if (*p == 0xc2 || *p == 0xd8)
        return *p == 0xc2 ? p[1] < 0xa0 : p[1] == 0x9c;
    if (*p != 0xe2)
        return false;
    return (p[1] == 0x80 && ((p[2] & 0xfe) == 0x8e || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
           (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

void human_clean(const char *in, char *ret_out, int size)
{
    const unsigned char *p = (const unsigned char *)in;
    int n = 0;
    while (*p) {
        int length = sequence(p);
        bool shown = length > 0 && !acts(p);
        if (n + (shown ? length : 1) >= size)
            break;
        if (shown)
            memcpy(ret_out + n, p, (size_t)length);
        else
            ret_out[n] = *p == '\n' || *p == '\t' ? ' ' : '?';
        n += shown ? length : 1;
        p += length > 0 ? length : 1;
    }
    ret_out[n] = 0;
}

/* The byte at which column `column` begins. */
static char *at_column(char *utf8, int column)
{
    char *p = utf8;
    for (; *p; p++)
        if (starts_character((unsigned char)*p) && column-- == 0)
            break;
    return p;
}

void human_cut(char *utf8, int width)
{
    if (width < 2 || human_width(utf8) <= width)
        return;
    strcpy(at_column(utf8, width - 2), ".."); /* what is cut off is at least three columns, so this fits */
}

void human_cut_left(char *utf8, int width)
{
    int have = human_width(utf8);
    if (width < 2 || have <= width)
        return;
    char *keep = at_column(utf8, have - width + 2);
    memmove(utf8 + 2, keep, strlen(keep) + 1);
    memcpy(utf8, "..", 2);
}

const char *human_scan_duration(const char *in, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 } };
    char *end;
    if (!isdigit((unsigned char)*in)) /* strtod also takes blanks, signs, "inf" and "nan" */
        return NULL;
    double value = strtod(in, &end);
    const char *p = end;
    while (*p == ' ')
        p++;
    size_t length = 0;
    while (isalpha((unsigned char)p[length]))
        length++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (length != strlen(units[i].name) || strncmp(p, units[i].name, length) != 0)
            continue;
        if (value * units[i].ns > 9e18)
            return NULL;
        *ret_ns = (int64_t)(value * units[i].ns + 0.5);
        return p + length;
    }
    if (value != 0 || (end[0] && isalpha((unsigned char)end[0])))
        return NULL;
    *ret_ns = 0;
    return end;
}

int human_scan_moment(const char *in, int64_t t0_realtime_ns, int64_t *ret_t)
{
    int64_t t;
    const char *end = human_scan_duration(in, &t);
    if (end && *end == 0) {
        *ret_t = t;
        return 0;
    }
    int hour, minute, used = 0;
    double second = 0;
    if (sscanf(in, "%2d:%2d%n", &hour, &minute, &used) != 2 || used < 3)
        return -1;
    if (in[used] == ':') {
        char *stop;
        if (!isdigit((unsigned char)in[used + 1]))
            return -1;
        second = strtod(in + used + 1, &stop);
        used = (int)(stop - in);
    }
    if (in[used] || hour < 0 || hour > 23 || minute < 0 || minute > 59 || !(second < 61) || t0_realtime_ns < 0)
        return -1;
    time_t start = (time_t)(t0_realtime_ns / NS_PER_S);
    struct tm tm;
    if (!localtime_r(&start, &tm))
        return -1;
    tm.tm_hour = hour;
    tm.tm_min = minute;
    tm.tm_sec = 0;
    tm.tm_isdst = -1;
    int64_t day = (int64_t)mktime(&tm) * NS_PER_S + (int64_t)(second * 1e9 + 0.5);
    /* Half a day before the start or more is the next day: a recording that runs over midnight. */
    if (day < t0_realtime_ns - 12 * 3600 * NS_PER_S)
        day += 24 * 3600 * NS_PER_S;
    *ret_t = day - t0_realtime_ns;
    return 0;
}

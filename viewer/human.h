/* human.h - how numbers, times and names look to people, the same in every viewer; and the way back from what people
 * type.  Pure: no I/O, no state but the caller's buffers. */
#ifndef LOOPSCOPE_HUMAN_H
#define LOOPSCOPE_HUMAN_H

#include <stdbool.h>
#include <stdint.h>

/* A value that the trace does not know (NULL in the file). */
#define NOT_KNOWN INT64_MIN

/* Room for any of the short texts below. */
#define HUMAN_SIZE 32
struct human {
    char s[HUMAN_SIZE];
};

/* These return a struct, so that several fit into one printf: human_duration(ns).s */
struct human human_duration(int64_t ns);  /* "61.8 ms", "850 ns", "1.2 s", "2 m 05 s", "3 h 12 m"; "-" when not known */
struct human human_count(int64_t n);      /* "1,204", "9.8 M"; "-" when not known */
struct human human_percent(double share); /* 0.934 -> "93 %", 0.004 -> "<1 %", 0.999 -> ">99 %" */
struct human human_offset(int64_t ns);    /* a moment, counted from the start: "12.345 s", "3:12.345", "1:02:03.456" */
struct human human_clock(int64_t realtime_ns); /* the same on the wall clock: "14:03:11.250", local time */
struct human human_date(int64_t realtime_ns);  /* and its day: "2026-11-20" */

/* "1 task", "2 tasks", "1,204 tasks". */
struct human human_plural(int64_t n, const char *one, const char *many);

/* Columns that UTF-8 text takes on a terminal (a code point is one). */
int human_width(const char *utf8);

/* Copies `in`, safe to show: control characters and bytes that are no UTF-8 become '?'.  Always ends in 0.  ret_out may be
 * `in`. */
void human_clean(const char *in, char *ret_out, int size);

/* Shortens in place to at most `width` columns: "abcdef" -> "abc..", or from the left for paths: "..def". */
void human_cut(char *utf8, int width);
void human_cut_left(char *utf8, int width);

/* "20ms", "1.5s", "2h": a number with a unit (ns us ms s m h), blanks allowed between; a bare 0 is 0.
 * Returns where it stopped reading, NULL when there is no duration. */
const char *human_scan_duration(const char *in, int64_t *ret_ns);

/* What --from and --to take: "12.5s" from the start, or "14:03", "14:03:11", "14:03:11.250" on the wall clock of the
 * day (or the next) the recording began, t0_realtime_ns.  0, or -1 when it is neither. */
int human_scan_moment(const char *in, int64_t t0_realtime_ns, int64_t *ret_t);

#endif

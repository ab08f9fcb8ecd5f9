/* text.h - numbers and names as people read them, and text cut to a width.  Pure. */
#ifndef LOOPSCOPE_TUI_TEXT_H
#define LOOPSCOPE_TUI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "viewer/query_timeline.h"

enum { TEXT_MAX = 64 }; /* enough for each of the numbers below */

char *text_duration(char ret[TEXT_MAX], tns_t d);           /* "61.8 ms", "850 ns", "2 m 05 s" */
char *text_time(char ret[TEXT_MAX], tns_t t, tns_t column);  /* "12.475 913 s"; ns too when a column is that fine */
char *text_count(char ret[TEXT_MAX], int64_t n);           /* "9,812,440" */
char *text_count_short(char ret[TEXT_MAX], int64_t n);     /* "9.8 M" */

/* Columns that UTF-8 text takes on the screen.  What is not printable counts as one. */
int text_width(const char *text);
/* Copies `text` cut to `columns`; what is cut leaves `mark` ("…" or "~") behind.  Returns the columns used. */
int text_cut(char *ret, size_t size, const char *text, int columns, const char *mark);

#endif

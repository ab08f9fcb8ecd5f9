/* text.h - moments as the timeline shows them, and text cut to a width (all else about numbers: viewer/human.h).  Pure. */
#ifndef LOOPSCOPE_TUI_TEXT_H
#define LOOPSCOPE_TUI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "viewer/human.h"
#include "viewer/query_timeline.h"

enum { TEXT_MAX = 64 };

char *text_time(char ret[TEXT_MAX], tns_t t, tns_t column);  /* "12.475 913 s"; ns too when a column is that fine */

/* Columns that UTF-8 text takes on the screen.  What is not printable counts as one. */
int text_width(const char *text);
/* Copies `text` cut to `columns`; what is cut leaves `mark` ("…" or "~") behind.  Returns the columns used. */
int text_cut(char *ret, size_t size, const char *text, int columns, const char *mark);

#endif

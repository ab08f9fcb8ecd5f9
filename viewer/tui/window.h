/* window.h - the stretch of time on the screen, and the cursor in it.  Pure.
 *
 * A column is a whole number of ns, so that a pan by k columns moves every span by exactly k columns. */
#ifndef LOOPSCOPE_TUI_WINDOW_H
#define LOOPSCOPE_TUI_WINDOW_H

#include "viewer/query_timeline.h"

struct window {
    tns_t from, per; /* the left edge, and ns a column */
    tns_t t;         /* the cursor */
    int w;           /* columns */
    tns_t duration;  /* of the trace */
};

tns_t window_end(const struct window *win);
int window_column(const struct window *win);      /* of the cursor, always inside */
void window_all(struct window *win);              /* the whole trace */
/* Half or twice the time a column, the cursor stays in its column. */
void window_zoom(struct window *win, bool in);
/* The window moves, the cursor with it. */
void window_pan(struct window *win, int columns);
/* The cursor moves; the window follows when it must, by an eighth. */
void window_step(struct window *win, int columns);
void window_go(struct window *win, tns_t t);
/* [from, to) takes `tenths` of the window's width, in the middle; the cursor moves onto it when it was outside. */
void window_fit(struct window *win, tns_t from, tns_t to, int tenths);
/* Another width: the same stretch of time, the cursor at the same share of it. */
void window_resize(struct window *win, int w);

#endif

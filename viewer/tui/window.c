/* window.c - the stretch of time on the screen, and the cursor in it.  Pure. */
#include "window.h"

static tns_t clamp(tns_t x, tns_t low, tns_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* ns a column so that all of the trace is on the screen. */
static tns_t whole(const struct window *win)
{
    return (win->duration + win->w - 1) / win->w;
}

static void keep_inside(struct window *win)
{
    win->per = clamp(win->per, 1, whole(win));
    win->t = clamp(win->t, 0, win->duration - 1);
    tns_t last = win->duration - win->per * win->w;
    win->from = clamp(win->from, 0, last > 0 ? last : 0);
}

tns_t window_end(const struct window *win)
{
    return win->from + win->per * win->w;
}

int window_column(const struct window *win)
{
    return (int)clamp((win->t - win->from) / win->per, 0, win->w - 1);
}

void window_all(struct window *win)
{
    win->per = whole(win);
    win->from = 0;
    keep_inside(win);
}

void window_zoom(struct window *win, bool in)
{
    int column = window_column(win);

    win->per = in ? win->per / 2 : clamp(win->per, 1, whole(win)) * 2;
    win->per = clamp(win->per, 1, whole(win));
    win->from = win->t - column * win->per;
    keep_inside(win);
}

void window_pan(struct window *win, int columns)
{
    tns_t before = win->from;

    win->from += columns * win->per;
    keep_inside(win);
    /* At an end of the trace the window stays and the cursor goes on alone. */
    win->t += win->from != before ? win->from - before : columns * win->per;
    keep_inside(win);
}

static void follow(struct window *win)
{
    tns_t eighth = win->w / 8 * win->per;

    keep_inside(win);
    if (win->t < win->from)
        win->from -= (win->from - win->t + win->per - 1) / win->per * win->per + eighth;
    else if (win->t >= window_end(win))
        win->from += (win->t - window_end(win)) / win->per * win->per + win->per + eighth;
    keep_inside(win);
}

void window_step(struct window *win, int columns)
{
    win->t += columns * win->per;
    follow(win);
}

void window_go(struct window *win, tns_t t)
{
    win->t = t;
    follow(win);
}

void window_fit(struct window *win, tns_t from, tns_t to, int tenths)
{
    tns_t length = to > from ? to - from : 1;
    tns_t columns = win->w * tenths / 10;

    win->per = (length + columns - 1) / (columns > 0 ? columns : 1);
    win->per = clamp(win->per, 1, whole(win));
    win->from = from + length / 2 - win->w / 2 * win->per;
    if (win->t < from || win->t >= from + length)
        win->t = from;
    keep_inside(win);
}

void window_resize(struct window *win, int w)
{
    tns_t length = win->per * win->w;
    double share = win->w > 0 ? (double)window_column(win) / win->w : 0;

    if (w <= 0 || w == win->w)
        return;
    win->w = w;
    win->per = clamp((length + w - 1) / w, 1, whole(win));
    win->from = win->t - (tns_t)(share * w) * win->per;
    keep_inside(win);
}

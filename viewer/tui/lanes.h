/* lanes.h - from spans to columns: what one row of the timeline shows.  Pure; a row costs its width and no more. */
#ifndef LOOPSCOPE_TUI_LANES_H
#define LOOPSCOPE_TUI_LANES_H

#include <stdbool.h>

#include "viewer/query_timeline.h"

enum { LANES_WIDTH_MAX = 512, LANES_EIGHTHS = 8 };

struct column {
    unsigned char state;     /* enum span_state: the worst one in this column */
    bool stall_start;        /* a stall begins here */
    bool born, ended;
    tns_t run;               /* running time in this column, <= its width in time */
};

/* `w` columns of `per` ns each, from `from` on. */
struct columns {
    tns_t from, per;
    int w;
    struct column at[LANES_WIDTH_MAX];
};

void lanes_clear(struct columns *c, tns_t from, tns_t per, int w);
/* A span_fn: `columns` is a struct columns.  What is outside is left out. */
void lanes_add(void *columns, const struct span *span);
/* Where the lane's life begins and ends, for task lanes. */
void lanes_mark_life(struct columns *c, tns_t born, tns_t ended);
/* Moves the window by k columns (later when k > 0).  The columns that come in are empty: [*ret_first, *ret_end). */
void lanes_shift(struct columns *c, int k, int *ret_first, int *ret_end);
/* The share of the column spent running, in eighths, at least one when there was any. */
int lanes_eighths(const struct columns *c, int x);

/* The first, and the distance of the axis' ticks, so that labels of `label_w` columns fit: 1, 2 or 5 times 10^n ns. */
tns_t lanes_tick(tns_t per, int label_w);

#endif

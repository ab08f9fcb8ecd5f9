/* detail.h - what there is to say about the selected lane at the cursor: the pane, and the same as a screen. */
#ifndef LOOPSCOPE_TUI_DETAIL_H
#define LOOPSCOPE_TUI_DETAIL_H

#include "view.h"

/* The pane at x, y: `w` columns, `h` lines.  Few lines join the stack into one; many give it one line a frame. */
void detail_draw(struct view *v, int x, int y, int w, int h);

/* The stretch of time the cursor is on: a stall, else a step, a call, a turn of the loop.  False when there is none. */
bool detail_span(struct view *v, tns_t *ret_from, tns_t *ret_to);

#endif

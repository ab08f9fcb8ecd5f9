/* layout.h - where everything goes on a screen of a given size.  Pure: a function of width and height alone. */
#ifndef LOOPSCOPE_TUI_LAYOUT_H
#define LOOPSCOPE_TUI_LAYOUT_H

#include <stdbool.h>

enum { LAYOUT_MIN_W = 40, LAYOUT_MIN_H = 10 };

struct layout {
    int w, h;
    bool too_small;          /* then nothing below means anything */
    bool wide;               /* room for "busy 93%", long tabs, hints in words */
    int header_y, hints_y;
    int tabs_y, minimap_y, axis_y; /* -1 = not shown; the minimap has two rows */
    int label_w;             /* of a lane's label, the mark of the selected one included */
    int plot_x, plot_w;      /* columns of time */
    int lanes_y, lanes_h;
    int detail_x, detail_y, detail_w, detail_h; /* without its title row; detail_h 0 = not shown */
    bool detail_right;       /* beside the lanes, not below */
};

struct layout layout_timeline(int w, int h);

#endif

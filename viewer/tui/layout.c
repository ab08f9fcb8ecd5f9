/* layout.c - where everything goes.  Each step down gives up what is needed least: the minimap, then words in the
 * hints, then the detail pane, then the tabs.  Pure. */
#include "layout.h"

struct layout layout_timeline(int w, int h)
{
    struct layout l = { .w = w, .h = h, .tabs_y = -1, .minimap_y = -1 };

    l.too_small = w < LAYOUT_MIN_W || h < LAYOUT_MIN_H;
    if (l.too_small)
        return l;
    l.wide = w >= 100;
    l.detail_right = w >= 160 && h >= 20;
    l.label_w = w >= 110 ? 23 : w >= 80 ? 18 : w >= 60 ? 14 : 12;

    int y = 1; /* below the header */
    if (h >= 14)
        l.tabs_y = y++;
    if (h >= 28) {
        l.minimap_y = y;
        y += 2;
    }
    l.axis_y = y++;
    l.lanes_y = y;
    l.hints_y = h - 1;

    if (l.detail_right) {
        l.detail_w = w / 3 < 72 ? w / 3 : 72;
        l.detail_x = w - l.detail_w;
        l.detail_y = l.lanes_y;
        l.detail_h = l.hints_y - l.detail_y;
        l.lanes_h = l.detail_h;
    } else {
        bool room = w >= 70 && h >= 20;
        l.detail_w = w;
        l.detail_h = !room ? 0 : h >= 28 ? 4 : 3;
        l.detail_y = l.hints_y - l.detail_h;
        l.lanes_h = l.hints_y - l.lanes_y - (room ? l.detail_h + 1 : 0); /* 1: the pane's title */
    }
    l.plot_x = l.label_w + 1; /* 1: the line between label and plot */
    l.plot_w = w - l.plot_x - (l.detail_right ? l.detail_w + 1 : 0);
    return l;
}

/* test_layout.c - where things go, at every size a terminal can have. */
#include <criterion/criterion.h>

#include "viewer/tui/layout.h"

Test(layout, too_small_below_40x10)
{
    cr_assert(layout_timeline(39, 10).too_small);
    cr_assert(layout_timeline(40, 9).too_small);
    cr_assert(!layout_timeline(40, 10).too_small);
    cr_assert(layout_timeline(1, 1).too_small);
}

Test(layout, nothing_overlaps_or_leaves_the_screen_at_any_size)
{
    for (int w = 40; w <= 400; w++)
        for (int h = 10; h <= 120; h++) {
            struct layout l = layout_timeline(w, h);
            int used[128] = { 0 };
            used[l.header_y]++;
            used[l.hints_y]++;
            used[l.axis_y]++;
            if (l.tabs_y >= 0)
                used[l.tabs_y]++;
            if (l.minimap_y >= 0) {
                used[l.minimap_y]++;
                used[l.minimap_y + 1]++;
            }
            for (int i = 0; i < l.lanes_h; i++)
                used[l.lanes_y + i]++;
            if (l.detail_h && !l.detail_right)
                for (int i = -1; i < l.detail_h; i++)
                    used[l.detail_y + i]++;
            for (int y = 0; y < h; y++)
                cr_assert_eq(used[y], 1, "%dx%d: row %d is used %d times", w, h, y, used[y]);
            cr_assert_geq(l.lanes_h, 6, "%dx%d", w, h);
            cr_assert_geq(l.plot_w, 24, "%dx%d", w, h);
            cr_assert_leq(l.plot_x + l.plot_w + (l.detail_right ? l.detail_w : 0), w, "%dx%d", w, h);
        }
}

Test(layout, gives_up_the_least_needed_first)
{
    struct layout big = layout_timeline(120, 35), usual = layout_timeline(80, 24), small = layout_timeline(60, 16),
                  least = layout_timeline(40, 10);

    cr_assert(big.minimap_y > 0 && big.wide && big.detail_h == 4);
    cr_assert(usual.minimap_y < 0 && !usual.wide && usual.detail_h == 3 && usual.tabs_y > 0);
    cr_assert(small.detail_h == 0 && small.tabs_y > 0);
    cr_assert(least.tabs_y < 0 && least.detail_h == 0);
}

Test(layout, detail_goes_to_the_right_of_a_very_wide_screen)
{
    cr_assert(!layout_timeline(159, 40).detail_right);
    cr_assert(layout_timeline(160, 40).detail_right);
}

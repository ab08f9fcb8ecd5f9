/* test_window.c - the window over the trace: its edges, its cursor, and what a zoom, a pan and a resize keep. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "viewer/tui/window.h"

static uint64_t seed = 88172645463325252u;
static int64_t random_below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

Test(window, zoom_keeps_the_cursor_in_its_column)
{
    struct window w = { .w = 96, .duration = 38412000000 };
    window_all(&w);
    window_go(&w, 20000000000);
    for (int i = 0; i < 60; i++) {
        int before = window_column(&w);
        window_zoom(&w, true);
        cr_assert_eq(window_column(&w), before);
    }
    cr_assert_eq(w.per, 1);
}

Test(window, any_walk_keeps_the_cursor_in_sight_and_in_the_trace)
{
    struct window w = { .w = 40, .duration = 1000003 };
    window_all(&w);
    for (int i = 0; i < 20000; i++) {
        switch (random_below(7)) {
        case 0: window_zoom(&w, true); break;
        case 1: window_zoom(&w, false); break;
        case 2: window_pan(&w, (int)random_below(80) - 40); break;
        case 3: window_step(&w, (int)random_below(80) - 40); break;
        case 4: window_go(&w, random_below(w.duration * 2) - w.duration / 2); break;
        case 5: window_fit(&w, random_below(w.duration), random_below(w.duration), 3); break;
        case 6: window_resize(&w, 24 + (int)random_below(300)); break; /* layout gives no less */
        }
        cr_assert(w.t >= 0 && w.t < w.duration);
        cr_assert(w.per >= 1 && w.from >= 0);
        cr_assert(w.t >= w.from && w.t < window_end(&w));
        cr_assert(window_column(&w) >= 0 && window_column(&w) < w.w);
    }
}

Test(window, resize_keeps_time_and_share)
{
    struct window w = { .w = 100, .duration = 10000000 };
    window_all(&w);
    w.per = 1000;
    w.from = 2000000;
    w.t = 2050000;
    window_resize(&w, 50);
    cr_assert_eq(w.t, 2050000);
    cr_assert_eq(window_column(&w), 25);
    window_resize(&w, 100);
    cr_assert_eq(window_column(&w), 50);
    cr_assert_eq(w.per, 1000);
}

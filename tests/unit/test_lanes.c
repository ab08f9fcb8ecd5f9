/* test_lanes.c - spans become columns: shares add up, the worst state wins, nothing bad is lost. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "viewer/tui/lanes.h"

static struct columns c;

static uint64_t seed = 88172645463325252u;
static int64_t random_below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

static void add(enum span_state state, tns_t t, tns_t end)
{
    struct span s = { .t = t, .end = end, .state = state, .run = state == SPAN_RUN ? end - t : 0 };
    lanes_add(&c, &s);
}

Test(lanes, running_time_is_shared_out_without_loss)
{
    for (int round = 0; round < 500; round++) {
        tns_t per = 1 + random_below(1000), at = 0, sum = 0, got = 0;
        lanes_clear(&c, 0, per, 100);
        while (at < per * 100) {
            tns_t run = 1 + random_below(per * 3), end = at + run < per * 100 ? at + run : per * 100;
            add(SPAN_RUN, at, end);
            sum += end - at;
            at = end + random_below(per * 2);
        }
        for (int x = 0; x < c.w; x++) {
            cr_assert_leq(c.at[x].run, per);
            got += c.at[x].run;
        }
        cr_assert_eq(got, sum, "per %ld", (long)per);
    }
}

Test(lanes, a_stall_is_visible_at_every_zoom)
{
    for (tns_t per = 1; per < ((tns_t)1 << 50); per *= 2) {
        tns_t t = 40 * per + random_below(per);
        lanes_clear(&c, 0, per, 100);
        add(SPAN_RUN, 0, 100 * per);
        add(SPAN_STALL, t, t + 1);
        add(SPAN_READY, 0, 100 * per);
        cr_assert_eq(c.at[40].state, SPAN_STALL);
        cr_assert(c.at[40].stall_start);
        cr_assert_eq(c.at[39].state, SPAN_RUN);
    }
}

Test(lanes, the_worst_state_wins_in_any_order)
{
    lanes_clear(&c, 0, 10, 1);
    for (enum span_state s = SPAN_STALL; s > SPAN_NONE; s--)
        add(s, 0, 10);
    cr_assert_eq(c.at[0].state, SPAN_STALL);
    lanes_clear(&c, 0, 10, 1);
    add(SPAN_TIMER, 0, 5);
    add(SPAN_READY, 5, 6);
    add(SPAN_LOCK, 6, 10);
    cr_assert_eq(c.at[0].state, SPAN_READY);
}

Test(lanes, spans_outside_change_nothing)
{
    lanes_clear(&c, 1000, 10, 50);
    add(SPAN_STALL, 0, 1000);
    add(SPAN_STALL, 1500, 2000);
    add(SPAN_STALL, 1200, 1200);
    add(SPAN_STALL, INT64_MIN + 1, INT64_MIN + 5);
    add(SPAN_STALL, INT64_MAX - 5, INT64_MAX);
    for (int x = 0; x < c.w; x++)
        cr_assert_eq(c.at[x].state, SPAN_NONE);
    add(SPAN_STALL, INT64_MIN + 1, INT64_MAX);
    for (int x = 0; x < c.w; x++)
        cr_assert_eq(c.at[x].state, SPAN_STALL);
}

Test(lanes, a_summary_spreads_its_running_time_evenly)
{
    struct span s = { .t = 0, .end = 100, .state = SPAN_RUN, .run = 50 };
    lanes_clear(&c, 0, 50, 2);
    lanes_add(&c, &s);
    cr_assert_eq(c.at[0].run, 25);
    cr_assert_eq(c.at[1].run, 25);
    cr_assert_eq(lanes_eighths(&c, 0), 4);
}

Test(lanes, the_smallest_run_still_shows)
{
    lanes_clear(&c, 0, 1000000, 1);
    cr_assert_eq(lanes_eighths(&c, 0), 0);
    add(SPAN_RUN, 5, 6);
    cr_assert_eq(lanes_eighths(&c, 0), 1);
}

Test(lanes, a_shift_keeps_what_stays_in_sight)
{
    int first, end;
    for (int k = -120; k <= 120; k++) {
        lanes_clear(&c, 1000, 10, 100);
        for (int x = 0; x < 100; x++)
            c.at[x].run = x + 1;
        lanes_shift(&c, k, &first, &end);
        cr_assert_eq(c.from, 1000 + k * 10);
        for (int x = 0; x < 100; x++) {
            bool fresh = x + k < 0 || x + k >= 100;
            cr_assert_eq(c.at[x].run, fresh ? 0 : x + k + 1);
            cr_assert_eq(fresh, x >= first && x < end);
        }
    }
}

Test(lanes, ticks_leave_room_for_their_labels)
{
    for (tns_t per = 1; per < ((tns_t)1 << 40); per = per * 3 + 1) {
        tns_t step = lanes_tick(per, 16);
        cr_assert_geq(step / per, 16);
        cr_assert_leq(step / per, 16 * 5);
    }
}

/* test_summary.c - lod rows: every 32 spans one, and the worst and the longest survive at every level. */
#include <criterion/criterion.h>

#include "loopscope/probe.h"
#include "tracer/record/summary.h"

static struct row_lod row[20000];
static int rows;

static void keep(void *ctx, const struct row_lod *r)
{
    (void)ctx;
    row[rows++] = *r;
}

static struct summary *start(void)
{
    rows = 0;
    struct summary *s = summary_new(keep, NULL);
    summary_threshold(s, 1000);
    return s;
}

static void feed(struct summary *s, int64_t task, int n, int64_t long_one)
{
    for (int64_t i = 0; i < n; i++)
        summary_step(s, &(struct row_step){ .id = i + 1, .task = task, .t = i * 100 + 30, .wait = 20, .queue = 10,
                                            .run = i == long_one ? 5000 : 40, .why = LS_WHY_FD });
}

static int at_level(int64_t level, int64_t *ret_n)
{
    int count = 0;
    *ret_n = 0;
    for (int i = 0; i < rows; i++) {
        if (row[i].level == level) {
            count++;
            *ret_n += row[i].n;
        }
    }
    return count;
}

Test(summary, a_short_lane_has_no_rows)
{
    struct summary *s = start();
    feed(s, 7, 31, -1);
    summary_close_all(s);
    cr_assert_eq(rows, 0);
    summary_free(s);
}

Test(summary, a_row_stands_for_32_spans)
{
    struct summary *s = start();
    feed(s, 7, 32, 5);
    cr_assert_eq(rows, 1);
    cr_assert_eq(row[0].lane, -7);
    cr_assert_eq(row[0].level, 1);
    cr_assert_eq(row[0].t, 0, "the wait of the first span belongs to it");
    cr_assert_eq(row[0].n, 32);
    cr_assert_eq(row[0].run, 31 * 40 + 5000);
    cr_assert_eq(row[0].queue, 320);
    cr_assert_eq(row[0].wait, 640);
    cr_assert_eq(row[0].worst, WORST_STALL);
    cr_assert_eq(row[0].longest, 6);
    summary_free(s);
}

Test(summary, every_level_covers_the_lane_and_keeps_the_stall)
{
    struct summary *s = start();
    int64_t n;
    feed(s, 3, 5000, 4321);
    summary_close(s, -3);
    cr_assert_eq(at_level(1, &n), (5000 + 31) / 32);
    cr_assert_eq(n, 5000);
    cr_assert_eq(at_level(2, &n), 5);
    cr_assert_eq(n, 5000);
    cr_assert_eq(at_level(3, &n), 0, "one row would say no more than five");
    for (int level = 1; level <= 2; level++) {
        int found = 0;
        for (int i = 0; i < rows; i++)
            found += row[i].level == level && row[i].longest == 4322 && row[i].worst == WORST_STALL;
        cr_assert_eq(found, 1);
    }
    summary_free(s);
}

Test(summary, loops_and_lost_parts)
{
    struct summary *s = start();
    for (int64_t i = 0; i < 33; i++)
        summary_iteration(s, &(struct row_iteration){ .id = i + 1, .loop = 2, .t = i * 10, .poll = 4,
                                                      .busy = i == 3 ? ROW_NULL : 6 });
    summary_close_all(s);
    cr_assert_eq(rows, 2);
    cr_assert_eq(row[0].lane, 2);
    cr_assert_eq(row[0].run, 31 * 6);
    cr_assert_eq(row[0].worst, WORST_GAP);
    cr_assert_eq(row[1].n, 1);
    summary_free(s);
}

Test(summary, keys_stay_unique_when_time_stands_still)
{
    struct summary *s = start();
    for (int64_t i = 0; i < 200; i++)
        summary_step(s, &(struct row_step){ .id = i, .task = 1, .t = 50 });
    for (int i = 1; i < rows; i++)
        cr_assert_gt(row[i].t, row[i - 1].t);
    summary_free(s);
}

Test(summary, many_lanes_come_and_go)
{
    struct summary *s = start();
    for (int64_t task = 1; task <= 3000; task++)
        feed(s, task, 3, -1);
    for (int64_t task = 1; task <= 3000; task += 2)
        summary_close(s, -task);
    for (int64_t task = 2; task <= 3000; task += 2)
        feed(s, task, 30, -1); /* 33 now: one row each, so no lane was lost or mixed up */
    cr_assert_eq(rows, 1500);
    summary_free(s);
}

Test(summary, extreme_numbers_do_not_overflow)
{
    struct summary *s = start();
    for (int i = 0; i < 100; i++)
        summary_step(s, &(struct row_step){ .id = i, .task = INT64_MAX, .t = i % 2 ? INT64_MAX : INT64_MIN + 1,
                                            .wait = INT64_MAX, .queue = INT64_MAX, .run = INT64_MAX });
    summary_close_all(s);
    cr_assert_gt(rows, 0);
    summary_free(s);
}

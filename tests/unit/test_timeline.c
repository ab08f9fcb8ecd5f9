/* test_timeline.c - what the timeline reads of a trace: the same picture with summaries and without, and every stall at
 * every zoom. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/lib/fixture.h"
#include "viewer/query_timeline.h"
#include "viewer/tui/lanes.h"

static struct trace *trace;
static struct timeline *tl;

static void open_fixture(const char *sql, const char *more)
{
    char error[256] = "";
    const char *path = fixture_temp("timeline.db");
    cr_assert_eq(fixture_build(sql, path), 0);
    if (more)
        cr_assert_eq(fixture_run(path, more), 0);
    cr_assert_eq(trace_open(path, TRACE_AS_IS, &trace, error, sizeof error), 0, "%s", error);
    cr_assert_eq(timeline_open(trace, &tl, error, sizeof error), 0, "%s", error);
}

static void close_fixture(void)
{
    timeline_close(tl);
    trace_close(trace);
}

static uint64_t seed = 88172645463325252u;
static int64_t random_below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

static void read_lane(struct columns *c, const struct lane *lane, tns_t from, tns_t per, int w)
{
    lanes_clear(c, from, per, w);
    cr_assert_eq(timeline_spans(tl, lane, from, from + per * w, per, lanes_add, c), 0);
}

/* The windows of one run, over two lanes: a loop, and a task with summaries. */
enum { W = 96, WINDOWS = 60 };
static struct columns pictures[WINDOWS * 2];

static void take_pictures(struct columns *into)
{
    static const struct lane lanes[2] = {
        { .kind = LANE_LOOP, .id = 0, .born = NS_NONE, .ended = NS_NONE, .stalls = true },
        { .kind = LANE_TASK, .id = 9, .born = NS_NONE, .ended = NS_NONE },
    };
    struct timeline_facts f;

    timeline_facts(tl, &f);
    seed = 1;
    for (int i = 0; i < WINDOWS; i++) {
        tns_t per = (f.duration / W) >> random_below(22);
        tns_t from = random_below(f.duration - per * W + 1);
        for (int l = 0; l < 2; l++)
            read_lane(&into[i * 2 + l], &lanes[l], from, per, W);
    }
}

Test(timeline, summaries_show_what_the_rows_show)
{
    static struct columns with[WINDOWS * 2];

    open_fixture("tests/fixtures/view_shop.sql", NULL);
    take_pictures(with);
    close_fixture();
    open_fixture("tests/fixtures/view_shop.sql", "DELETE FROM lod");
    take_pictures(pictures);
    close_fixture();
    for (int i = 0; i < WINDOWS * 2; i++) {
        double a = 0, b = 0;
        for (int x = 0; x < W; x++) {
            a += (double)with[i].at[x].run;
            b += (double)pictures[i].at[x].run;
            cr_assert_eq(with[i].at[x].state == SPAN_STALL, pictures[i].at[x].state == SPAN_STALL);
        }
        /* What a summary spreads over the edge of the window may differ, by less than a column at each side. */
        double column = (double)with[i].per;
        cr_assert(a - b < 2 * column && b - a < 2 * column, "window %d: %g of %g ns run", i, a, b);
    }
}

Test(timeline, no_stall_disappears_at_any_zoom)
{
    struct columns c;
    struct stall s;
    struct lane *loops;
    int n_loops;
    struct timeline_facts f;

    open_fixture("tests/fixtures/view_shop.sql", NULL);
    timeline_facts(tl, &f);
    cr_assert_eq(timeline_loops(tl, &loops, &n_loops), 0);
    cr_assert_eq(n_loops, 2);
    for (int64_t n = 1; timeline_stall_nth(tl, n, &s); n++)
        for (tns_t per = f.duration / W + 1; per > 0; per /= 3) {
            tns_t from = s.t - random_below(W) * per;
            read_lane(&c, &loops[s.loop], from, per, W);
            cr_assert_eq(c.at[(s.t - from) / per].state, SPAN_STALL, "stall %ld at %ld ns a column", (long)n, (long)per);
            struct lane task;
            cr_assert(timeline_task(tl, s.task, &task));
            task.stalls = true;
            read_lane(&c, &task, from, per, W);
            cr_assert_eq(c.at[(s.t - from) / per].state, SPAN_STALL);
        }
    free(loops);
    close_fixture();
}

Test(timeline, thousands_of_stalls_fill_every_column)
{
    struct columns c;
    struct lane *loops;
    int n;

    open_fixture("tests/fixtures/view_redis.sql",
                 "DELETE FROM stall; WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n+1 FROM i WHERE n<19999)"
                 " INSERT INTO stall(loop, t, dur, cause) SELECT 1, n*400000, 100000, 'cpu' FROM i;"
                 " CREATE INDEX by_loop ON stall(loop, t)");
    cr_assert_eq(timeline_loops(tl, &loops, &n), 0);
    read_lane(&c, &loops[0], 0, 80000000, 100);
    for (int x = 0; x < 100; x++)
        cr_assert_eq(c.at[x].state, SPAN_STALL);
    free(loops);
    close_fixture();
}

Test(timeline, a_stall_that_is_allowed_says_why_and_an_earlier_trace_is_read)
{
    struct stall stall;

    open_fixture("tests/fixtures/view_redis.sql", "UPDATE stall SET allowed = 'reads its dump'");
    cr_assert(timeline_stall_nth(tl, 1, &stall));
    cr_expect_str_eq(stall.allowed, "reads its dump");
    close_fixture();
    open_fixture("tests/fixtures/view_redis.sql", "ALTER TABLE stall DROP COLUMN allowed");
    cr_assert(timeline_stall_nth(tl, 1, &stall));
    cr_expect_str_eq(stall.allowed, "");
    close_fixture();
}

Test(timeline, calls_are_lanes_when_there_are_no_tasks)
{
    struct lane *lanes;
    int n;

    open_fixture("tests/fixtures/view_redis.sql", NULL);
    cr_assert_eq(timeline_loops(tl, &lanes, &n), 0);
    cr_assert_eq(n, 4);
    cr_assert_eq(lanes[0].kind, LANE_LOOP);
    cr_assert_str_eq(lanes[1].name, "clock_nanosleep");
    cr_assert_eq(lanes[2].kind, LANE_CAUSE);
    cr_assert_str_eq(lanes[3].name, "fsync");
    cr_assert(lanes[1].stalls && lanes[2].stalls && lanes[3].stalls);
    free(lanes);
    close_fixture();
}

Test(timeline, tasks_are_ordered_by_stall_then_by_the_wait_behind_it)
{
    struct lane *tasks;
    int n;
    int64_t total;

    open_fixture("tests/fixtures/view_shop.sql", NULL);
    tns_t a = 12440000000, b = 12540000000;
    cr_assert_eq(timeline_tasks(tl, a, b, a, b, 1000, &tasks, &n, &total), 0);
    cr_assert_eq(n, total);
    cr_assert_eq(tasks[0].id, 412);
    cr_assert(tasks[0].stalls);
    for (int i = 0; i < n; i++)
        cr_assert((tasks[i].born == NS_NONE || tasks[i].born < b) && (tasks[i].ended == NS_NONE || tasks[i].ended > a));
    free(tasks);
    close_fixture();
}

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

Test(timeline, an_interrupted_question_says_so)
{
    struct columns c;
    struct lane lane = { .kind = LANE_LOOP, .id = 0, .born = NS_NONE, .ended = NS_NONE };

    open_fixture("tests/fixtures/view_shop.sql", "DELETE FROM lod");
    timeline_interrupt(tl, yes, NULL);
    lanes_clear(&c, 0, 400000000, W);
    cr_assert_lt(timeline_spans(tl, &lane, 0, 38400000000, 400000000, lanes_add, &c), 0);
    timeline_interrupt(tl, NULL, NULL);
    cr_assert_eq(timeline_spans(tl, &lane, 0, 38400000000, 400000000, lanes_add, &c), 0);
    close_fixture();
}

Test(timeline, a_trace_of_nothing_is_no_trouble)
{
    struct timeline_facts f;
    struct lane *lanes = NULL;
    struct stall s;
    int n;

    open_fixture("tests/fixtures/empty.sql", "DELETE FROM meta; DELETE FROM loop; DELETE FROM iteration");
    timeline_facts(tl, &f);
    cr_assert_gt(f.duration, 0);
    cr_assert_eq(timeline_loops(tl, &lanes, &n), 0);
    cr_assert_eq(n, 0);
    cr_assert(!timeline_stall_worst(tl, &s));
    free(lanes);
    close_fixture();
}

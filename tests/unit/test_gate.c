/* test_gate.c - --fail-if: the grammar, its errors, and what it says over lost events. */
#include <criterion/criterion.h>
#include <string.h>

#include "viewer/gate.h"

static struct report_stall stalls[] = { { .dur = 61800000, .cause = "call" }, { .dur = 38100000, .cause = "cpu" },
                                        { .dur = 24200000, .cause = "lock" } };
static struct report_loop loops[] = {
    { .iterations = 100, .busy = 930, .poll = 70, .busy_p50 = 80000, .busy_p99 = 4100000, .busy_max = 61800000 },
    { .iterations = 100, .busy = 10, .poll = 990, .busy_p50 = 10000, .busy_p99 = 20000, .busy_max = 30000 },
};
static struct report_call calls[] = { { .name = "fsync", .n = 1, .longest = 61500000 },
                                      { .name = "getaddrinfo", .n = 12, .longest = 15200000 } };

static enum gate_result eval(const char *text, int64_t lost)
{
    struct report_data d = { .stalls = stalls, .n_stalls = 3, .loops = loops, .n_loops = 2, .calls = calls, .n_calls = 2,
                             .session.lost = lost };
    struct gate *g = NULL;
    char error[300];
    cr_assert_eq(gate_parse(text, &g, error, sizeof error), 0, "%s", error);
    enum gate_result r = gate_eval(g, &d);
    gate_free(g);
    return r;
}

Test(gate, each_metric)
{
    static const char *const is[] = {
        "stall>50ms", "stall>=61.8ms", "stalls>2", "stalls = 3", "stall.total>124ms", "stall.cpu>38ms", "stall.fault=0",
        "busy>90%", "iteration.p50<81us", "iteration.p99>4ms", "iteration.max>60ms", "call>61ms", "calls=13",
        "call.getaddrinfo>0", "call.read=0", "lost=0", "loops=2", "stalls!=4", "stalls==3", "stall > 50 ms",
    };
    static const char *const is_not[] = { "stall>62ms", "stalls>3", "stall.total>125ms", "stall.cpu>40ms", "busy>94%",
                                          "call.read>0", "lost>0", "stall<61.8ms" };
    for (size_t i = 0; i < sizeof is / sizeof *is; i++)
        cr_expect_eq(eval(is[i], 0), GATE_TRUE, "%s", is[i]);
    for (size_t i = 0; i < sizeof is_not / sizeof *is_not; i++)
        cr_expect_eq(eval(is_not[i], 0), GATE_FALSE, "%s", is_not[i]);
}

Test(gate, and_binds_tighter_than_or)
{
    cr_expect_eq(eval("stalls=3 or stalls=4 and stalls=5", 0), GATE_TRUE);
    cr_expect_eq(eval("(stalls=3 or stalls=4) and stalls=5", 0), GATE_FALSE);
    cr_expect_eq(eval("stalls=4 and stalls=5 or stalls=3", 0), GATE_TRUE);
}

Test(gate, over_lost_events_only_what_is_certain_is_claimed)
{
    cr_expect_eq(eval("stall>50ms", 9), GATE_TRUE, "more events could not make it shorter");
    cr_expect_eq(eval("stall>70ms", 9), GATE_NOT_DETERMINED);
    cr_expect_eq(eval("stall<50ms", 9), GATE_FALSE);
    cr_expect_eq(eval("stall<70ms", 9), GATE_NOT_DETERMINED);
    cr_expect_eq(eval("stalls=3", 9), GATE_NOT_DETERMINED);
    cr_expect_eq(eval("busy>90%", 9), GATE_NOT_DETERMINED);
    cr_expect_eq(eval("lost>0", 9), GATE_TRUE);
    cr_expect_eq(eval("stall>70ms or lost>0", 9), GATE_TRUE);
    cr_expect_eq(eval("stall>70ms and lost=0", 9), GATE_FALSE);
    cr_expect_eq(eval("stall>70ms and lost>0", 9), GATE_NOT_DETERMINED);
}

Test(gate, errors_are_one_line_that_shows_where)
{
    static const char *const wrong[][2] = {
        { "", "expected stall" },           { "stal>5ms", "'stal>5ms'" },      { "stall", "expected one of" },
        { "stall>", "duration like" },      { "stall>50", "duration like" },   { "stalls>3ms", "'and', 'or'" },
        { "busy>90", "share like" },        { "(stall>1ms", "expected ')'" },  { "stall>1ms)", "'and', 'or'" },
        { "stall>1ms and", "at 'the end'" }, { "call.getadrinfo>0", "has this name at 'call.getadrinfo" },
        { "stall.cpuu>1ms", "a cause" }, { "stall>1ms stall>2ms", "'and', 'or'" }, { "stall=>1ms", "duration" },
        { "lost>-1", "count like" },        { "or", "at 'or'" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct gate *g = NULL;
        char error[300];
        cr_expect_eq(gate_parse(wrong[i][0], &g, error, sizeof error), -1, "'%s' was taken", wrong[i][0]);
        cr_expect(strstr(error, wrong[i][1]), "'%s' says: %s", wrong[i][0], error);
        cr_expect(!strchr(error, '\n'));
        gate_free(g);
    }
}

Test(gate, a_thousand_brackets_are_refused_and_not_followed)
{
    char text[1001], error[300];
    struct gate *g = NULL;
    memset(text, '(', 1000);
    text[1000] = 0;
    cr_expect_eq(gate_parse(text, &g, error, sizeof error), -1);
    cr_expect(strstr(error, "too many brackets"));
}

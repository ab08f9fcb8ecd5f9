/* cmd_report.c - `loopscope report`: the stalls of a recording, worst harm first; or as JSON; or as a gate for CI. */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../viewer/gate.h"
#include "../viewer/report.h"
#include "command.h"
#include "pager.h"

#define JSON_TASKS 10000 /* in --json; the report itself shows -n of them */

struct values {
    int64_t top;
    const char *by, *from, *to;
    const char *fail_if[OPTION_LIST_MAX];
    bool json;
};

#define AT(field) offsetof(struct values, field)

static const struct option options[] = {
    { "number", 'n', OPT_COUNT, AT(top), "N", "show N stalls, calls and tasks, each (10)", NULL },
    { "by", 0, OPT_TEXT, AT(by), "WHAT", "group the stalls by place, task or loop", "place|task|loop" },
    { "json", 0, OPT_FLAG, AT(json), NULL, "write one JSON document, complete, times in ns", NULL },
    { "fail-if", 0, OPT_LIST, AT(fail_if), "EXPR", "exit 1 when EXPR is true, as 'stall>50ms or call.fsync>0'", NULL },
    { "from", 0, OPT_TEXT, AT(from), "TIME", "begin there: 12.5s from the start, or 14:03:11 by the clock", NULL },
    { "to", 0, OPT_TEXT, AT(to), "TIME", "end there", NULL },
    { .name = NULL },
};

static void defaults(void *v)
{
    struct values *values = v;
    values->top = 10;
    values->by = "place";
}

/* --from and --to into a range.  0, or the exit code after a complaint. */
static int read_range(const struct values *v, struct trace *t, struct report_range *ret_range)
{
    const char *texts[] = { v->from, v->to }, *names[] = { "--from", "--to" };
    int64_t *moments[] = { &ret_range->from, &ret_range->to };
    for (int i = 0; i < 2; i++)
        if (texts[i] && human_scan_moment(texts[i], report_t0(t), moments[i]) != 0)
            return complain(2, "report: %s: '%s' is no time; use 12.5s from the start, or 14:03:11", names[i],
                            texts[i]);
    if (ret_range->from >= ret_range->to)
        return complain(2, "report: --from is not before --to: nothing lies between");
    return 0;
}

/* Parses all the expressions before anything is read or printed.  0, or the exit code after a complaint. */
static int read_gates(const struct values *v, struct gate **ret_gates, int *ret_n)
{
    char error[300];
    for (*ret_n = 0; *ret_n < OPTION_LIST_MAX && v->fail_if[*ret_n]; ++*ret_n)
        if (gate_parse(v->fail_if[*ret_n], &ret_gates[*ret_n], error, sizeof error) != 0)
            return complain(2, "report: --fail-if: %s; see 'loopscope help report'", error);
    return 0;
}

/* What the gates say, on stderr; 1 when one is true. */
static int judge_gates(const struct values *v, struct gate *const *gates, int n, const struct report_data *d)
{
    int code = 0;
    for (int i = 0; i < n; i++) {
        switch (gate_eval(gates[i], d)) {
        case GATE_TRUE:
            code = 1;
            complain(0, "report: failed: %s", v->fail_if[i]);
            break;
        case GATE_NOT_DETERMINED:
            complain(0, "report: %s: not determined: %s events were lost; add 'or lost>0' to fail then", v->fail_if[i],
                     human_count(d->session.lost).s);
            break;
        case GATE_FALSE: break;
        }
    }
    if (n && !code && !d->n_loops)
        complain(0, "report: no event loop was seen: nothing could fail; add 'or loops<1' to fail then");
    return code;
}

static int print(const struct values *v, struct trace *t, const struct report_data *d)
{
    struct report_options o = { .top = v->top < 100000 ? (int)v->top : 100000,
                                .width = page_width(),
                                .colour = page_wants_colour() };
    o.by = strcmp(v->by, "task") == 0 ? BY_TASK : strcmp(v->by, "loop") == 0 ? BY_LOOP : BY_PLACE;
    if (v->json)
        return report_json(stdout, t, d, &o);
    pid_t pager = pager_start();
    if (pager)
        signal(SIGPIPE, SIG_IGN); /* a reader who leaves early has read enough */
    int error = report_text(stdout, t, d, &o);
    pager_finish(pager);
    return error;
}

static int report(const struct values *v, const char *path, struct gate *const *gates, int n_gates)
{
    struct report_range range = { INT64_MIN, INT64_MAX, v->json ? JSON_TASKS : v->top < 100000 ? (int)v->top : 100000 };
    struct report_data *d = NULL;
    struct trace *t = NULL;
    char error[700];
    int code;
    if (trace_open(path, TRACE_FINISHED, &t, error, sizeof error) != 0)
        return complain(2, "%s", error);
    code = read_range(v, t, &range);
    if (code == 0 && report_load(t, &range, &d, error, sizeof error) != 0)
        code = complain(2, "%s", error);
    if (code == 0 && v->from && d->session.duration != NOT_KNOWN && range.from > d->session.duration)
        code =
            complain(2, "report: --from is after the end: the trace lasts %s", human_duration(d->session.duration).s);
    if (code == 0 && print(v, t, d) != 0)
        code = complain(2, "report: out of memory");
    if (code == 0)
        code = judge_gates(v, gates, n_gates, d);
    report_free(d);
    trace_close(t);
    return code;
}

static int run(const void *values, int argc, char **argv)
{
    const struct values *v = values;
    struct gate *gates[OPTION_LIST_MAX] = { NULL };
    int n = 0, code = read_gates(v, gates, &n);
    if (code == 0)
        code = report(v, argc > 0 ? argv[0] : "loopscope.db", gates, n);
    for (int i = 0; i < n; i++)
        gate_free(gates[i]);
    return code;
}

const struct command cmd_report = {
    .name = "report",
    .args = "[FILE]",
    .summary = "what blocked the loops, worst harm first",
    .about = "Reads FILE (loopscope.db) and says in one line whether a loop was blocked, then where: stalls\n"
             "by place in the code, each with its cause, who had to wait, the stack and a remedy; then the\n"
             "loops, the short blocking calls, the tasks that waited most, those that failed and who awaited them,\n"
             "results that nobody took, and how far to trust it all.\n"
             "\n"
             "--fail-if makes it a gate: exit 1 when the expression is true.  It compares\n"
             "  stall  stalls  stall.total  stall.CAUSE     longest stall, how many, their sum, longest of a cause\n"
             "  busy  iteration.p50  .p99  .max             the busiest loop, its busy time a turn\n"
             "  call  calls  call.NAME  lost  loops         blocking calls on a loop, events lost, loops seen\n"
             "  unobserved  never_awaited                   tasks whose error, or result, nobody took\n"
             "with > >= < <= = != and a value (50ms, 3, 90%), joined by and, or and brackets:\n"
             "  loopscope report --fail-if 'stall>50ms or call.getaddrinfo>0'\n"
             "Where no loop was seen nothing is true of it: 'stall>50ms or loops<1' fails then, too.",
    .options = options,
    .values_size = sizeof(struct values),
    .defaults = defaults,
    .run = run,
    .max_args = 1,
    .usage_exit = 2,
};

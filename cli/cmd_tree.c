/* cmd_tree.c - `loopscope tree [FILE]`: who awaits whom at one moment, and the deadlocks in it. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "../viewer/query_report.h"
#include "../viewer/tree.h"
#include "command.h"
#include "pager.h"

#define LIMIT     200
#define LIMIT_MAX 100000

struct values {
    const char *at;
    int64_t limit;
    bool json, fail_on_deadlock;
};

#define AT(field) offsetof(struct values, field)

static const struct option options[] = {
    { "at", 0, OPT_TEXT, AT(at), "TIME", "at that moment: 1.5s from the start, or 14:03:11", NULL },
    { "limit", 'n', OPT_COUNT, AT(limit), "N", "show N lines at most (200)", NULL },
    { "json", 0, OPT_FLAG, AT(json), NULL, "write one JSON document, complete, times in ns", NULL },
    { "fail-on-deadlock", 0, OPT_FLAG, AT(fail_on_deadlock), NULL, "exit 1 when there is a deadlock", NULL },
    { .name = NULL },
};

static int print(const struct values *v, struct trace *t, const struct tree *tree)
{
    struct page page = { stdout, page_width(), page_wants_colour() };
    int64_t lines = v->limit ? v->limit : LIMIT;
    if (v->json)
        return tree_json(stdout, t, tree);
    pid_t pager = pager_start();
    if (pager)
        signal(SIGPIPE, SIG_IGN); /* a reader who leaves early has read enough */
    int error = tree_text(&page, t, tree, lines < LIMIT_MAX ? lines : LIMIT_MAX);
    pager_finish(pager);
    return error;
}

static int run(const void *values, int argc, char **argv)
{
    const struct values *v = values;
    struct task_list *list = NULL;
    struct tree *tree = NULL;
    struct trace *t = NULL;
    char error[700];
    int64_t at = NOT_KNOWN;
    int code = 0;
    if (trace_open(argc ? argv[0] : "loopscope.db", TRACE_FINISHED, &t, error, sizeof error) != 0)
        return complain(2, "tree: %s", error);
    if (v->at && human_scan_moment(v->at, report_t0(t), &at) != 0)
        code = complain(2, "tree: --at: '%s' is no time; use 1.5s from the start, or 14:03:11", v->at);
    if (code == 0 && tasks_alive(t, at, &list, error, sizeof error) != 0)
        code = complain(2, "tree: %s", error);
    if (code == 0 && (!(tree = tree_new(list)) || print(v, t, tree) != 0))
        code = complain(2, "tree: out of memory");
    if (code == 0 && v->fail_on_deadlock && tree_deadlocks(tree) > 0)
        code = 1;
    tree_free(tree);
    tasks_free(list);
    trace_close(t);
    return code;
}

const struct command cmd_tree = {
    .name = "tree",
    .args = "[FILE]",
    .summary = "who awaits whom at one moment, and where that is a deadlock",
    .about = "Each task stands under those that await it: through an await, a group, a gather, or a lock that it\n"
             "holds.  Where the waits go in a circle nobody in it can go on, and it is named:\n"
             "  deadlock: a #2 -> lock 'x' held by b #3 -> lock 'y' held by a #2\n"
             "Without --at it is the end of the recording; when all tasks had ended by then, the moment at which\n"
             "a loop found that it was in a deadlock, or the one before a loop was closed over tasks still alive.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
    .max_args = 1,
    .usage_exit = 2,
};

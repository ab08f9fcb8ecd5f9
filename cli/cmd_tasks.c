/* cmd_tasks.c - `loopscope tasks [FILE]`: what became of each task, and what it waited for. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../viewer/query_report.h"
#include "../viewer/tasks.h"
#include "command.h"
#include "pager.h"

#define LIMIT      50
#define JSON_LIMIT 10000
#define LIMIT_MAX  100000

struct values {
    const char *at, *sort, *state;
    int64_t limit;
    bool json;
};

#define AT(field) offsetof(struct values, field)

static const struct option options[] = {
    { "at", 0, OPT_TEXT, AT(at), "TIME", "their states at that moment: 1.5s from the start, or 14:03:11", NULL },
    { "sort", 0, OPT_TEXT, AT(sort), "BY", "most of this first (queue)", "run|queue|wait|longest|life" },
    { "state", 0, OPT_TEXT, AT(state), "STATE", "only those in this state",
      "running|ready|waiting|done|alive|ok|error|cancelled" },
    { "limit", 'n', OPT_COUNT, AT(limit), "N", "show N tasks at most (50)", NULL },
    { "json", 0, OPT_FLAG, AT(json), NULL, "write one JSON document, times in ns", NULL },
    { .name = NULL },
};

static enum task_sort sort_named(const char *name)
{
    static const char *const names[] = { [SORT_QUEUE] = "queue",
                                         [SORT_RUN] = "run",
                                         [SORT_WAIT] = "wait",
                                         [SORT_LONGEST] = "longest",
                                         [SORT_LIFE] = "life" };
    for (int i = 0; name && i <= SORT_LIFE; i++)
        if (strcmp(names[i], name) == 0)
            return (enum task_sort)i;
    return SORT_QUEUE;
}

static int print(const struct values *v, struct trace *t, struct task_list *list, const struct task_query *q)
{
    struct page page = { stdout, page_width(), page_wants_colour() };
    if (v->json)
        return tasks_json(stdout, t, list);
    pid_t pager = pager_start();
    if (pager)
        signal(SIGPIPE, SIG_IGN); /* a reader who leaves early has read enough */
    int error = tasks_text(&page, t, list, q);
    pager_finish(pager);
    return error;
}

static int run(const void *values, int argc, char **argv)
{
    const struct values *v = values;
    struct task_query q = { .at = NOT_KNOWN,
                            .sort = sort_named(v->sort),
                            .state = v->state,
                            .limit = v->limit  ? v->limit
                                     : v->json ? JSON_LIMIT
                                               : LIMIT };
    struct task_list *list = NULL;
    struct trace *t = NULL;
    char error[700];
    int code = 0;
    if (!v->json && q.limit > LIMIT_MAX)
        q.limit = LIMIT_MAX;
    if (trace_open(argc ? argv[0] : "loopscope.db", TRACE_FINISHED, &t, error, sizeof error) != 0)
        return complain(2, "tasks: %s", error);
    if (v->at && human_scan_moment(v->at, report_t0(t), &q.at) != 0)
        code = complain(2, "tasks: --at: '%s' is no time; use 1.5s from the start, or 14:03:11", v->at);
    if (code == 0 && tasks_load(t, &q, &list, error, sizeof error) != 0)
        code = complain(2, "tasks: %s", error);
    if (code == 0 && print(v, t, list, &q) != 0)
        code = complain(2, "tasks: out of memory");
    tasks_free(list);
    trace_close(t);
    return code;
}

const struct command cmd_tasks = {
    .name = "tasks",
    .args = "[FILE]",
    .summary = "every task: state, outcome, where its time went, what it waits for",
    .about = "A task is always in one of three states: it runs, it is ready but others run (queue), or it waits.\n"
             "The table says how long it was in each, its longest run in one piece, and what it waits for: the\n"
             "lock and who holds it, the task, the queue, the descriptor.  --at looks at an earlier moment; the\n"
             "times are those of its whole life.  Tasks are seen in programs that are linked with the loopscope\n"
             "runtime, or call probe.h.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
    .max_args = 1,
    .usage_exit = 2,
};

/* test_tree.c - `tasks` and `tree` as people and programs read them: whole texts compared with tests/unit/expected/, on the
 * waits of tests/fixtures/waits.sql.  UPDATE_EXPECTED=1 writes them anew; read the difference before you commit it. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/fixture.h"
#include "viewer/gate.h"
#include "viewer/report.h"
#include "viewer/task_words.h"
#include "viewer/tasks.h"
#include "viewer/tree.h"

#define MS INT64_C(1000000)

/* What an earlier loopscope would have written of it. */
static const char earlier[] =
    "DROP TABLE hold; DROP TABLE member; DROP TABLE allow; DROP INDEX step_await; DROP INDEX task_alive;"
    "ALTER TABLE task DROP COLUMN detached; ALTER TABLE task DROP COLUMN queue_max;"
    "ALTER TABLE stall DROP COLUMN allowed";

static struct trace *trace_of(const char *name, const char *sql)
{
    char source[200], error[500];
    const char *path = fixture_temp("tree.db");
    struct trace *t = NULL;
    setenv("TZ", "UTC", 1);
    tzset();
    snprintf(source, sizeof source, "tests/fixtures/%s.sql", name);
    cr_assert(fixture_build(source, path) == 0 && (!sql || fixture_run(path, sql) == 0));
    cr_assert_eq(trace_open(path, TRACE_FINISHED, &t, error, sizeof error), 0, "%s", error);
    return t;
}

struct text {
    char *text;
    size_t size;
    struct page page;
};

static void text_open(struct text *x, int width)
{
    x->page = (struct page){ .f = open_memstream(&x->text, &x->size), .width = width };
}
static char *text_close(struct text *x)
{
    fclose(x->page.f);
    return x->text;
}

static char *tree_of(const char *name, const char *sql, int64_t at, int64_t lines, int width, bool json)
{
    struct trace *t = trace_of(name, sql);
    struct task_list *list;
    struct text x;
    char error[500];
    cr_assert_eq(tasks_alive(t, at, &list, error, sizeof error), 0, "%s", error);
    struct tree *tree = tree_new(list);
    text_open(&x, width);
    cr_assert_eq(json ? tree_json(x.page.f, t, tree) : tree_text(&x.page, t, tree, lines), 0);
    tree_free(tree);
    tasks_free(list);
    trace_close(t);
    return text_close(&x);
}

static char *tasks_of(const char *name, const char *sql, struct task_query q, bool json)
{
    struct trace *t = trace_of(name, sql);
    struct task_list *list;
    struct text x;
    char error[500];
    cr_assert_eq(tasks_load(t, &q, &list, error, sizeof error), 0, "%s", error);
    text_open(&x, 110);
    cr_assert_eq(json ? tasks_json(x.page.f, t, list) : tasks_text(&x.page, t, list, &q), 0);
    tasks_free(list);
    trace_close(t);
    return text_close(&x);
}

static void same_as_file(char *have, const char *name)
{
    char path[200], *want = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "tests/unit/expected/%s.txt", name);
    if (getenv("UPDATE_EXPECTED")) {
        FILE *f = fopen(path, "w");
        cr_assert(f && fputs(have, f) >= 0 && fclose(f) == 0);
    }
    FILE *f = fopen(path, "r");
    cr_assert(f && getdelim(&want, &size, '\0', f) > 0, "%s is missing", path);
    fclose(f);
    cr_expect_str_eq(have, want, "%s differs; it is now:\n%s", path, have);
    free(want);
    free(have);
}

Test(tree, shows_who_waits_for_whom_and_names_the_deadlocks)
{
    same_as_file(tree_of("waits", NULL, NOT_KNOWN, 200, 110, false), "tree_waits");
}

Test(tree, an_earlier_moment)
{
    same_as_file(tree_of("waits", NULL, 550 * MS, 200, 110, false), "tree_waits_550ms");
}

Test(tree, few_lines_say_what_they_leave_out)
{
    char *text = tree_of("waits", NULL, NOT_KNOWN, 3, 110, false);
    cr_expect(strstr(text, "tasks that are not shown"), "%s", text);
    free(text);
}

Test(tree, no_line_is_wider_than_the_page)
{
    for (int width = 60; width <= 140; width += 20) {
        char *text = tree_of("waits", NULL, NOT_KNOWN, 200, width, false), *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));)
            cr_expect_leq(human_width(line), width, "%s", line);
        free(text);
    }
}

Test(tree, a_name_that_is_cut_is_cut_between_characters)
{
    for (int before = 0; before < 4; before++) {
        char sql[200], clean[1000];
        snprintf(sql, sizeof sql, "UPDATE task SET name = '%.*s' || replace(hex(zeroblob(30)), '00', char(128512))",
                 before, "abc");
        char *text = tree_of("waits", sql, NOT_KNOWN, 200, 140, false), *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));) {
            human_clean(line, clean, sizeof clean);
            cr_expect_str_eq(line, clean);
        }
        free(text);
    }
}

Test(tree, who_was_given_the_lock_is_in_no_deadlock)
{
    char *text = tree_of("waits", "UPDATE task SET state = 'ready' WHERE id = 4", NOT_KNOWN, 200, 110, false);
    cr_expect(strstr(text, "late #4") && !strstr(text, "late #4 ->"), "%s", text);
    cr_expect(!strstr(strstr(text, "late #4"), "DEADLOCK: ready"), "%s", text);
    free(text);
}

Test(tree, a_conclusion_over_a_gap_says_so)
{
    static const char lost[] =
        "INSERT INTO gap(thread, t, t_end, lost, reason) VALUES(1, 600000000, 600000000, 7, 'full')";
    char *text = tree_of("waits", lost, NOT_KNOWN, 200, 110, false);
    cr_expect(strstr(text, "7 events were lost"), "%s", text);
    free(text);
    text = tree_of("waits", lost, 550 * MS, 200, 110, false); /* before they were */
    cr_expect(!strstr(text, "lost: "), "%s", text);
    free(text);
    text = tree_of("waits", lost, NOT_KNOWN, 0, 0, true);
    json_t *root = json_loads(text, 0, NULL);
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(root, "moment"), "events_lost")), 7);
    json_decref(root);
    free(text);
}

Test(tree, json_has_the_same)
{
    char *text = tree_of("waits", NULL, NOT_KNOWN, 0, 0, true);
    json_t *root = json_loads(text, 0, NULL), *deadlocks = json_object_get(root, "deadlocks");
    cr_assert(root);
    cr_expect_eq(json_integer_value(json_object_get(root, "alive")), 48);
    cr_expect_eq(json_array_size(deadlocks), 2);
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(deadlocks, 0), "words")),
                     "a #2 -> lock 'y' held by b #3 -> lock 'x' held by a #2");
    cr_expect_eq(json_array_size(json_object_get(json_array_get(deadlocks, 0), "tasks")), 2);
    json_decref(root);
    free(text);
}

/* Writers of every kind of nonsense: a task that awaits itself, ids that are nobody's, circles of awaits. */
Test(tree, circles_of_awaits_are_found_and_end)
{
    char *text = tree_of("waits",
                         "UPDATE task SET why = 4, target = id + 1 WHERE id BETWEEN 21 AND 60;"
                         "UPDATE task SET target = 21 WHERE id = 60; UPDATE task SET why = 4, target = 6 WHERE id = 6;"
                         "UPDATE task SET why = 4, target = 4711 WHERE id = 8",
                         NOT_KNOWN, 200, 110, false);
    cr_expect(strstr(text, "-> client 2 #22"), "%s", text);
    cr_expect(strstr(text, "-> 32 more -> client 1 #21"), "%s", text);
    cr_expect(strstr(text, "reader 1 #6 -> reader 1 #6"), "%s", text);
    free(text);
}

Test(tree, a_chain_deeper_than_the_page_goes_on_below)
{
    char *text = tree_of("waits",
                         "UPDATE task SET why = 4, target = id + 1 WHERE id BETWEEN 21 AND 60;"
                         "UPDATE task SET why = 2, target = NULL WHERE id = 60",
                         NOT_KNOWN, 200, 110, false);
    cr_expect(!strstr(text, "not shown"), "%s", text);
    for (int id = 21; id <= 60; id++) {
        char row[32];
        bool top = (id - 21) % 8 == 0;
        snprintf(row, sizeof row, "%s client %d #%d ", top ? "\n" : "`-", id - 20, id);
        cr_expect(strstr(text, row), "%s in: %s", row, text);
    }
    free(text);
}

Test(tree, whoever_can_go_on_is_in_no_deadlock)
{
    /* b waits with a timeout no more: it sleeps, so a and main only wait for it */
    char *text =
        tree_of("waits", "UPDATE task SET why = 2, target = NULL WHERE id = 3; DELETE FROM hold WHERE object = 104",
                NOT_KNOWN, 200, 110, false);
    cr_expect_not(strstr(text, "deadlock"), "%s", text);
    free(text);
}

Test(tree, the_default_moment)
{
    static const struct {
        const char *sql, *says;
    } cases[] = {
        { "DELETE FROM task WHERE t_end IS NULL", "Before the loop was closed (0.899 s): 2 tasks" },
        { "DELETE FROM task WHERE t_end IS NULL;" /* another thread's, cancelled later: the loop was closed before */
          "INSERT INTO task(id, process, loop, parent, name, t, t_end, outcome)"
          " VALUES (900, 1, 2, 0, 'asked', 1000000000, 1500000000, 'ok'),"
          " (901, 1, 2, 0, 'given up', 1000000000, 1600000000, 'cancelled')",
          "Before the loop was closed (0.899 s): 2 tasks" },
        { "DELETE FROM task WHERE t_end IS NULL OR id = 77", "No task of 8 was alive at the end" },
        { "DELETE FROM task WHERE t_end IS NULL; INSERT INTO mark(t, dur, name) VALUES (550000000, 0, 'deadlock')",
          "When a loop found a deadlock (0.550 s): 5 tasks" },
        { "DELETE FROM task", "No tasks: nothing that was recorded" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = tree_of("waits", cases[i].sql, NOT_KNOWN, 200, 110, false);
        cr_expect(strncmp(text, cases[i].says, strlen(cases[i].says)) == 0, "%s", text);
        free(text);
    }
}

Test(tree, a_moment_after_the_end_is_refused)
{
    struct trace *t = trace_of("waits", NULL);
    struct task_list *list = NULL;
    char error[500] = "";
    cr_expect_eq(tasks_alive(t, 3000 * MS, &list, error, sizeof error), -1);
    cr_expect(strstr(error, "after the end: the trace lasts 2 s"), "%s", error);
    trace_close(t);
}

/* --- tasks --- */

#define QUERY(...)               \
    (struct task_query)          \
    {                            \
        .limit = 12, __VA_ARGS__ \
    }

Test(tasks, reads_as_expected)
{
    same_as_file(tasks_of("waits", NULL, QUERY(.at = NOT_KNOWN, .sort = SORT_WAIT), false), "tasks_waits");
    same_as_file(tasks_of("waits", NULL, QUERY(.sort = SORT_LIFE, .at = 550 * MS, .state = "waiting"), false),
                 "tasks_waits_550ms");
}

Test(tasks, states_select)
{
    static const struct {
        const char *state;
        int64_t at;
        int n;
    } cases[] = {
        { NULL, NOT_KNOWN, 57 },       { "alive", NOT_KNOWN, 48 }, { "waiting", NOT_KNOWN, 47 },
        { "running", NOT_KNOWN, 1 },   { "done", NOT_KNOWN, 9 },   { "error", NOT_KNOWN, 4 },
        { "cancelled", NOT_KNOWN, 1 }, { "error", 650 * MS, 2 },   { "done", 3 * MS, 0 },
        { "alive", 2500000, 52 },      { "ready", 2 * MS, 1 },     { "running", 298 * MS, 1 },
        { "ok", 100 * MS, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace *t = trace_of("waits", NULL);
        struct task_query q = { .at = cases[i].at, .state = cases[i].state, .limit = 1 };
        struct task_list *list;
        char error[500];
        cr_assert_eq(tasks_load(t, &q, &list, error, sizeof error), 0, "%s", error);
        cr_expect_eq(list->found, cases[i].n, "%s at %lld: %lld", cases[i].state ? cases[i].state : "all",
                     (long long)cases[i].at, (long long)list->found);
        cr_expect_leq(list->n_tasks, 1);
        tasks_free(list);
        trace_close(t);
    }
}

Test(tasks, an_earlier_trace_and_one_without_tasks_are_read)
{
    char *text = tasks_of("waits", earlier, QUERY(.at = NOT_KNOWN), false);
    cr_expect(strstr(text, "lock 'y'") && !strstr(text, "held by"), "%s", text);
    free(text);
    text = tree_of("waits", earlier, NOT_KNOWN, 200, 110, false);
    cr_expect(strstr(text, "client * x 40") && !strstr(text, "deadlock:"), "%s", text);
    free(text);
    text = tasks_of("redis", NULL, QUERY(.at = NOT_KNOWN), false);
    cr_expect(strncmp(text, "No tasks", 8) == 0, "%s", text);
    free(text);
}

Test(tasks, names_lose_their_numbers)
{
    char text[20];
    task_pattern("client 4812-b7", text, sizeof text);
    cr_expect_str_eq(text, "client *-b*");
    task_pattern("", text, sizeof text);
    cr_expect_str_eq(text, "");
    task_pattern("a very long name that does not fit", text, sizeof text);
    cr_expect_eq(strlen(text), 19);
}

/* --- what the report says of them --- */

static char *report_of(const char *sql, bool json, const char *expression, int *ret_gate)
{
    struct trace *t = trace_of("waits", sql);
    struct report_range range = { INT64_MIN, INT64_MAX, 10 };
    struct report_options o = { .top = 10, .width = 110 };
    struct report_data *d;
    struct gate *gate;
    struct text x;
    char error[500];
    cr_assert_eq(report_load(t, &range, &d, error, sizeof error), 0, "%s", error);
    d->session.path = "trace.db";
    text_open(&x, 110);
    cr_assert_eq((json ? report_json : report_text)(x.page.f, t, d, &o), 0);
    if (expression) {
        cr_assert_eq(gate_parse(expression, &gate, error, sizeof error), 0, "%s", error);
        *ret_gate = gate_eval(gate, d);
        gate_free(gate);
    }
    report_free(d);
    trace_close(t);
    return text_close(&x);
}

Test(tasks, the_report_names_what_failed_who_awaited_it_and_what_nobody_took)
{
    same_as_file(report_of(NULL, false, NULL, NULL), "report_waits");
}

Test(tasks, the_report_of_an_earlier_trace_leaves_out_what_it_cannot_know)
{
    char *text = report_of(earlier, false, NULL, NULL);
    cr_expect_not(strstr(text, "never awaited"), "%s", text);
    cr_expect_not(strstr(text, "awaited by"), "%s", text);
    cr_expect(strstr(text, "TASKS THAT FAILED"), "%s", text);
    free(text);
}

Test(tasks, json_has_chains_groups_and_what_is_allowed)
{
    char *text = report_of(NULL, true, NULL, NULL);
    json_t *root = json_loads(text, 0, NULL), *failures = json_object_get(root, "failures");
    cr_assert_eq(json_array_size(failures), 2);
    json_t *second = json_array_get(failures, 1), *chain = json_object_get(second, "awaited_by");
    cr_expect_str_eq(json_string_value(json_object_get(second, "error_name")), "ENOENT");
    cr_assert_eq(json_array_size(chain), 3);
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(chain, 0), "name")), "load alice");
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(chain, 2), "await_at")), "main waits.c:10");
    cr_expect_eq(json_array_size(json_object_get(root, "allowed")), 1);
    cr_expect_eq(json_array_size(json_object_get(root, "stalls")), 1);
    json_decref(root);
    free(text);
}

Test(tasks, a_gate_sees_them_and_ignores_what_is_allowed)
{
    static const struct {
        const char *expression;
        enum gate_result result;
    } cases[] = {
        { "unobserved>0", GATE_TRUE }, { "unobserved>1", GATE_FALSE }, { "never_awaited=3", GATE_TRUE },
        { "stall>60ms", GATE_FALSE },  { "stalls=1", GATE_TRUE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int result;
        free(report_of(NULL, false, cases[i].expression, &result));
        cr_expect_eq(result, (int)cases[i].result, "%s", cases[i].expression);
    }
}

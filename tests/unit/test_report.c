/* test_report.c - the report as people and programs read it: whole texts compared with tests/unit/expected/.
 * UPDATE_EXPECTED=1 writes them anew; read the difference before you commit it. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/fixture.h"
#include "viewer/report.h"

static const char *const fixtures[] = { "redis", "python", "node", "nginx", "tasks", "gaps", "empty" };
#define FIXTURES (sizeof fixtures / sizeof *fixtures)

struct wanted {
    struct report_options o;
    int64_t from, to;
    bool json;
};

/* The report of a fixture, plus more SQL; free() it. */
static char *report_of(const char *name, const char *sql, struct wanted w)
{
    char source[200], error[500], *text = NULL;
    size_t size = 0;
    const char *path = fixture_temp("trace.db");
    struct trace *t = NULL;
    struct report_data *d = NULL;
    struct report_range range = { w.to ? w.from : INT64_MIN, w.to ? w.to : INT64_MAX, 10 };
    setenv("TZ", "UTC", 1);
    tzset();
    snprintf(source, sizeof source, "tests/fixtures/%s.sql", name);
    cr_assert(fixture_build(source, path) == 0 && (!sql || fixture_run(path, sql) == 0));
    cr_assert_eq(trace_open(path, TRACE_FINISHED, &t, error, sizeof error), 0, "%s", error);
    cr_assert_eq(report_load(t, &range, &d, error, sizeof error), 0, "%s", error);
    d->session.path = "trace.db"; /* not where this test happens to keep it */
    FILE *out = open_memstream(&text, &size);
    cr_assert_eq((w.json ? report_json : report_text)(out, t, d, &w.o), 0);
    fclose(out);
    report_free(d);
    trace_close(t);
    return text;
}

static struct wanted at_width(int width)
{
    return (struct wanted){ .o = { .top = 10, .width = width } };
}

static void same_as_file(const char *have, const char *name)
{
    char path[200], *want = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "tests/unit/expected/%s.txt", name);
    if (getenv("UPDATE_EXPECTED")) {
        FILE *f = fopen(path, "w");
        cr_assert(f && fputs(have, f) >= 0 && fclose(f) == 0);
        return;
    }
    FILE *f = fopen(path, "r");
    cr_assert(f && getdelim(&want, &size, '\0', f) > 0, "%s is missing", path);
    fclose(f);
    cr_expect_str_eq(have, want, "%s differs; it is now:\n%s", path, have);
    free(want);
}

Test(report, reads_as_expected_at_80_columns)
{
    for (size_t i = 0; i < FIXTURES; i++) {
        char name[100], *text = report_of(fixtures[i], NULL, at_width(80));
        snprintf(name, sizeof name, "report_%s", fixtures[i]);
        same_as_file(text, name);
        free(text);
    }
}

Test(report, reads_as_expected_at_120_columns)
{
    char *text = report_of("tasks", NULL, at_width(120));
    same_as_file(text, "report_tasks_120");
    free(text);
}

Test(report, no_line_is_wider_than_the_page)
{
    for (size_t i = 0; i < FIXTURES; i++)
        for (int width = 60; width <= 140; width += 20) {
            char *text = report_of(fixtures[i], NULL, at_width(width)), *rest = text;
            for (char *line; (line = strsep(&rest, "\n"));) {
                cr_expect_leq(human_width(line), width, "%s at %d: '%s'", fixtures[i], width, line);
                size_t n = strlen(line);
                cr_expect(n == 0 || line[n - 1] != ' ', "%s at %d: blank at the end of '%s'", fixtures[i], width, line);
            }
            free(text);
        }
}

Test(report, a_killed_recorder_is_told_after_the_repair_too)
{
    char *text = report_of("redis", "INSERT OR REPLACE INTO meta VALUES('ended_by', 'killed')", at_width(100));
    cr_expect(strstr(text, "the recorder was killed: what came after its last commit is not here"), "%s", text);
    cr_expect(!strstr(text, "no events lost"));
    cr_expect(!strstr(text, "was ended by"));
    free(text);
}

Test(report, a_computation_without_a_stack_says_its_share_once)
{
    char *text = report_of("redis",
                           "UPDATE stall SET cause = 'cpu', cpu = dur, stack = NULL, fingerprint = NULL, call = NULL, "
                           "detail = 'on a CPU 89 % of the time'",
                           at_width(100));
    cr_expect(strstr(text, "on a CPU 89 % of the time"), "%s", text);
    cr_expect(!strstr(text, "of it"), "%s", text);
    free(text);
}

Test(report, the_verdict_names_the_longest_stall_beside_the_worst_harm)
{
    /* Ninety ready events had to wait for the 150 ms; the 400 ms held up nobody. */
    char *text = report_of("redis",
                           "UPDATE stall SET dur = 400000000, victims = 1 WHERE id = (SELECT max(id) FROM stall); "
                           "UPDATE stall SET victims = 90 WHERE call IS NOT NULL",
                           at_width(100));
    cr_expect(strstr(text,
                     "; worst harm: 150 ms, in nanosleep called from\ndebugCommand (debug.c:842); longest: 400 ms, "
                     "computing in stringmatchlen_impl (util.c:64).\n"),
              "%s", text);
    free(text);
    text = report_of("redis", NULL, at_width(100));
    cr_expect(strstr(text, "; worst 150 ms, in ") && !strstr(text, "longest: "), "%s", text);
    free(text);
}

Test(report, a_program_that_crashed_is_said_to_have)
{
    char *text = report_of("redis", "INSERT INTO meta VALUES('exit_signal', 11)", at_width(100));
    cr_expect(strstr(text, "\nThe program was killed by signal 11 (Segmentation fault).\n\nSTALLS"), "%s", text);
    free(text);
    text = report_of("redis",
                     "INSERT INTO meta VALUES('exit_signal', 11);"
                     "INSERT INTO task(id, name, state) VALUES(5, 'deep', 'running'), (6, 'other', 'waiting')",
                     at_width(100));
    cr_expect(strstr(text, " (Segmentation fault) while task deep #5 ran.\n"), "%s", text);
    free(text);
    text = report_of("empty", "DELETE FROM meta WHERE key = 'exit_status'; INSERT INTO meta VALUES('exit_signal', 9)",
                     at_width(100));
    cr_expect(strstr(text, "\nThe program was killed by signal 9 (Killed).\n"), "%s", text);
    free(text);
    text = report_of("redis", "INSERT INTO meta VALUES('exit_signal', 15)", at_width(100));
    cr_expect(!strstr(text, "killed by signal"), "%s", text);
    free(text);
}

Test(report, goes_by_the_name_of_the_command_when_its_loops_had_no_time_for_one)
{
    char *text = report_of("nginx", "UPDATE process SET exe = '', cmdline = '' WHERE id > 1", at_width(100));
    cr_expect(strncmp(text, "nginx (3 processes", 18) == 0, "%s", text);
    free(text);
    text = report_of("nginx", "UPDATE process SET exe = NULL, cmdline = NULL", at_width(100));
    cr_expect(strncmp(text, "nginx (3 processes", 18) == 0, "%s", text);
    free(text);
}

Test(report, a_thread_without_a_name_is_a_plain_number)
{
    char *text = report_of("nginx", "UPDATE thread SET name = NULL WHERE tid = 7001", at_width(100));
    cr_expect(strstr(text, " tid 7001 "), "%s", text);
    free(text);
}

Test(report, a_read_inside_spawn_is_the_childs_start)
{
    char *text = report_of("node", "UPDATE frame SET function = 'uv_spawn' WHERE function = 'uv_fs_read'", at_width(100));
    cr_expect(strstr(text, "=> Forking a big process") && !strstr(text, "synchronous read"), "%s", text);
    free(text);
}

Test(report, groups_by_task_and_by_loop)
{
    struct wanted w = at_width(100);
    w.o.by = BY_TASK;
    char *text = report_of("tasks", NULL, w);
    cr_expect(strstr(text, "#412 checkout: 1 stall, 61.8 ms in all"));
    cr_expect(strstr(text, "#77 mailer: 2 stalls, 46.1 ms in all"));
    free(text);
    w.o.by = BY_LOOP;
    text = report_of("nginx", NULL, w);
    cr_expect(strstr(text, "loop 2 (pid 7002): 2 stalls, 2.1 s in all"));
    free(text);
}

Test(report, a_quiet_recording_says_so_and_how_long_the_longest_turn_was)
{
    char *text = report_of("redis", "DELETE FROM stall; UPDATE iteration SET busy = 700000 WHERE busy > 10000000",
                           at_width(100));
    cr_expect(
        strstr(text, "\nNo stall: the loop was never busy for longer than 20 ms; the longest busy period was 712 us"));
    cr_expect(!strstr(text, "STALLS over"));
    free(text);
}

Test(report, over_lost_events_quiet_is_not_determined)
{
    char *text = report_of("gaps", "DELETE FROM stall", at_width(120));
    cr_expect(strstr(text, "not determined"));
    cr_expect(strstr(text, "124,412"));
    free(text);
}

Test(report, shows_n_and_tells_how_many_more)
{
    struct wanted w = at_width(100);
    w.o.top = 1;
    char *text = report_of("redis", NULL, w);
    cr_expect(strstr(text, "and 4 more in 2 places, 338 ms in all: -n 3 shows them"));
    free(text);
}

Test(report, colour_only_when_asked_and_never_from_the_trace)
{
    struct wanted w = at_width(100);
    const char *evil =
        "UPDATE stall SET detail = char(27) || '[2J' || char(10) || 'x'; UPDATE thread SET name = char(155)";
    char *text = report_of("redis", evil, w);
    cr_expect(!strchr(text, '\033'));
    cr_expect(strstr(text, "?[2J x"));
    free(text);
    w.o.colour = true;
    text = report_of("redis", evil, w);
    cr_expect(strstr(text, "\033[1m"));
    cr_expect(!strstr(text, "\033[2J"));
    free(text);
}

Test(report, json_is_complete_and_versioned)
{
    struct wanted w = at_width(100);
    json_error_t e;
    w.json = true;
    for (size_t i = 0; i < FIXTURES; i++) {
        char *text = report_of(fixtures[i], NULL, w);
        json_t *root = json_loads(text, 0, &e);
        cr_assert(root, "%s: %s", fixtures[i], e.text);
        cr_expect_eq(json_integer_value(json_object_get(root, "loopscope_report")), 1);
        cr_expect(json_is_string(json_object_get(root, "verdict")));
        cr_expect(json_is_array(json_object_get(root, "trust")));
        json_decref(root);
        free(text);
    }
    char *text = report_of("tasks", NULL, w);
    json_t *root = json_loads(text, 0, &e), *place = json_array_get(json_object_get(root, "places"), 0);
    cr_expect_eq(json_array_size(json_object_get(root, "stalls")), 4);
    cr_expect_eq(json_integer_value(json_object_get(place, "longest_ns")), 61800000);
    cr_expect_eq(json_integer_value(json_object_get(place, "victims")), 14);
    cr_expect_eq(json_array_size(json_object_get(place, "stack")), 5, "noise is kept");
    cr_expect(json_is_null(json_object_get(json_array_get(json_object_get(root, "stalls"), 3), "stack")));
    json_decref(root);
    free(text);
}

/* --- stacks -------------------------------------------------------------------------------------------------------- */

static struct report_frame frame(const char *function, int64_t noise)
{
    struct report_frame f = { .noise = noise, .module = "/usr/lib/libx.so", .address = 0x1234 };
    snprintf(f.function, sizeof f.function, "%s", function);
    return f;
}

static void collapses_to(const struct report_frame *frames, int n, const char *want)
{
    char pieces[16][PLACE_PIECE], have[16 * PLACE_PIECE] = "";
    int count = place_stack(frames, n, pieces, 16);
    for (int i = 0; i < count; i++) {
        strcat(have, i ? " < " : "");
        strcat(have, pieces[i]);
    }
    cr_expect_str_eq(have, want);
}

Test(report, a_stack_keeps_the_users_frames_and_folds_the_rest)
{
    struct report_frame f[] = { frame("ls_wrap_read", NOISE_PROBE), frame("read", NOISE_LIBC),
                                frame("load", NOISE_USER),          frame("uv_run", NOISE_RUNTIME),
                                frame("apply", NOISE_LIBRARY),      frame("serve", NOISE_USER),
                                frame("main", NOISE_USER),          frame("_start", NOISE_LIBC) };
    collapses_to(f, 8, "load < .. < serve");
}

Test(report, main_is_shown_when_it_is_all_there_is)
{
    struct report_frame f[] = { frame("usleep", NOISE_PROBE), frame("main", NOISE_USER), frame("_start", NOISE_LIBC) };
    collapses_to(f, 3, "main");
}

Test(report, a_stack_names_the_library_function_that_was_called)
{
    struct report_frame f[] = { frame("do_dump", NOISE_LIBRARY), frame("json_dumps", NOISE_LIBRARY),
                                frame("build", NOISE_USER) };
    collapses_to(f, 3, "json_dumps < build");
}

Test(report, frames_without_a_name_give_way_to_those_that_have_one)
{
    struct report_frame f[] = { frame("", NOISE_USER), frame("", NOISE_USER), frame("call", NOISE_USER),
                                frame("", NOISE_USER) };
    collapses_to(f, 4, "libx.so+0x1234 < .. < call");
    cr_expect_eq(place_culprit(f, 4), 2);
}

Test(report, the_blamed_frame_is_the_one_the_detail_names)
{
    struct report_frame f[] = { frame("decrRefCount", NOISE_USER), frame("call", NOISE_USER),
                                frame("callIn", NOISE_USER) };
    cr_expect_eq(place_blamed(f, 3, "call (100 % of 7 samples)"), 1);
    cr_expect_eq(place_blamed(f, 3, "callIn (100 % of 7 samples)"), 2);
    cr_expect_eq(place_blamed(f, 3, "read(fd 3)"), 0);
}

Test(report, a_stack_without_users_frames_shows_the_best_there_is)
{
    struct report_frame f[] = { frame("clock_nanosleep", NOISE_LIBC), frame("time_sleep", NOISE_RUNTIME),
                                frame("_PyEval_EvalFrameDefault", NOISE_RUNTIME), frame("_start", NOISE_LIBC) };
    collapses_to(f, 4, "time_sleep");
    struct report_frame idle[] = { frame("nanosleep", NOISE_LIBC), frame("", NOISE_RUNTIME),
                                   frame("_start", NOISE_LIBC) };
    collapses_to(idle, 3, "");
    cr_expect_eq(place_culprit(idle, 3), -1);
    struct report_frame bare[] = { frame("", NOISE_USER) };
    collapses_to(bare, 1, "libx.so+0x1234");
    collapses_to(bare, 0, "");
}

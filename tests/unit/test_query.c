/* test_query.c - opening a trace: each way a file can be wrong is one line that says what next; and what the report
 * reads from one. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "viewer/place.h"
#include "viewer/query_report.h"

static const struct report_range all = { INT64_MIN, INT64_MAX, 10 };

static struct trace *open_or_die(const char *path)
{
    struct trace *t = NULL;
    char error[500];
    cr_assert_eq(trace_open(path, TRACE_FINISHED, &t, error, sizeof error), 0, "%s", error);
    return t;
}

static struct report_data *load_or_die(struct trace *t, struct report_range range)
{
    struct report_data *d = NULL;
    char error[500];
    cr_assert_eq(report_load(t, &range, &d, error, sizeof error), 0, "%s", error);
    return d;
}

static const char *build(const char *name)
{
    char sql[200];
    const char *path = fixture_temp("trace.db");
    snprintf(sql, sizeof sql, "tests/fixtures/%s.sql", name);
    cr_assert_eq(fixture_build(sql, path), 0);
    return path;
}

static void refused(const char *path, const char *words)
{
    struct trace *t = NULL;
    char error[500] = "";
    cr_expect_eq(trace_open(path, TRACE_FINISHED, &t, error, sizeof error), -1, "opened");
    cr_expect(strstr(error, words), "says '%s', not '%s'", error, words);
    cr_expect(!strchr(error, '\n'));
    cr_expect_null(t);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

Test(query, a_file_that_is_no_trace_is_refused_in_words)
{
    const char *path = fixture_temp("wrong.db");
    refused(path, "no such file; make one with `loopscope record");
    write_file(path, "");
    refused(path, "empty file");
    write_file(path, "This is a text, longer than the sixteen bytes that SQLite looks at first.\n");
    refused(path, "not a loopscope trace");
    refused("/tmp", "not a regular file");
}

Test(query, another_database_and_another_format_are_refused)
{
    const char *path = build("empty");
    fixture_run(path, "PRAGMA application_id = 7");
    refused(path, "an SQLite file, but not a loopscope trace");
    path = build("empty");
    fixture_run(path, "PRAGMA user_version = 2");
    refused(path, "newer loopscope (format 2, this one reads 1); update loopscope");
    fixture_run(path, "PRAGMA user_version = 0");
    refused(path, "unknown format 0");
}

Test(query, a_truncated_trace_gives_one_line)
{
    const char *path = build("redis");
    struct trace *t = NULL;
    struct report_data *d = NULL;
    char error[500] = "";
    cr_assert_eq(truncate(path, 40960), 0);
    if (trace_open(path, TRACE_FINISHED, &t, error, sizeof error) == 0)
        cr_expect_eq(report_load(t, &all, &d, error, sizeof error), -1);
    cr_expect(strstr(error, "damaged") && strstr(error, "loopscope repair"), "says '%s'", error);
    trace_close(t);
}

Test(query, a_file_cut_short_in_wal_mode_opens_in_a_directory_we_cannot_write)
{
    const char *path = build("gaps");
    cr_assert_eq(fixture_run(path, "PRAGMA journal_mode=WAL"), 0);
    char dir[500];
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
    chmod(dir, 0555);
    pid_t child = fork();
    if (child == 0) {
        struct trace *t = NULL;
        char error[500];
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(0); /* not root: the directory's mode alone must do */
        _exit(trace_open(path, TRACE_FINISHED, &t, error, sizeof error) == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    chmod(dir, 0755);
    cr_expect_eq(status, 0);
}

Test(query, a_recorder_that_died_is_not_waited_for)
{
    const char *path = build("gaps"); /* not finalized; a pid that does not exist */
    char sql[200];
    fixture_run(path, "INSERT INTO meta VALUES('finishing', 1)");
    trace_close(open_or_die(path));
    /* Its pid was taken by another since: we live, but began at another time. */
    snprintf(sql, sizeof sql, "UPDATE meta SET value = %d WHERE key = 'recorder_pid'", getpid());
    fixture_run(path, sql);
    struct trace *t = open_or_die(path);
    struct report_data *d = load_or_die(t, all);
    cr_expect(!d->session.recording && !d->session.finalized);
    report_free(d);
    trace_close(t);
}

Test(query, a_file_that_is_being_finished_is_waited_for, .timeout = 20)
{
    const char *path = build("gaps");
    fixture_run(path, "INSERT INTO meta VALUES('finishing', 1); DELETE FROM meta WHERE key = 'recorder_start'");
    pid_t recorder = fork();
    if (recorder == 0) {
        nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
        fixture_run(path, "UPDATE meta SET value = 1 WHERE key = 'finalized'");
        pause(); /* it lives on: only the file tells that it is done */
    }
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE meta SET value = %d WHERE key = 'recorder_pid'", recorder);
    fixture_run(path, sql);
    struct trace *t = open_or_die(path);
    struct report_data *d = load_or_die(t, all);
    kill(recorder, SIGKILL);
    waitpid(recorder, NULL, 0);
    cr_expect(d->session.finalized);
    report_free(d);
    trace_close(t);
}

Test(query, a_program_that_still_runs_is_not_waited_for, .timeout = 10)
{
    const char *path = build("gaps");
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE meta SET value = %d WHERE key = 'recorder_pid'; DELETE FROM meta WHERE key = "
                              "'recorder_start'", getpid());
    fixture_run(path, sql);
    struct trace *t = open_or_die(path);
    struct report_data *d = load_or_die(t, all);
    cr_expect(d->session.recording);
    report_free(d);
    trace_close(t);
}

Test(query, loops_are_summed_over_their_iterations)
{
    struct trace *t = open_or_die(build("empty"));
    trace_close(t);
    const char *path = build("empty");
    fixture_run(path, "INSERT INTO thread VALUES (5,1,77,'io',0,NULL); INSERT INTO loop VALUES (3,5,'epoll',NULL,0,NULL);"
                      "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < 1000)"
                      "INSERT INTO iteration SELECT i, 3, i*1000000, 400000, i*100, 0, 8, 0 FROM n;"
                      "INSERT INTO iteration VALUES (2000,3,2000000000,60000000,5,8,8,40000000)");
    t = open_or_die(path);
    struct report_data *d = load_or_die(t, all);
    cr_assert_eq(d->n_loops, 1);
    const struct report_loop *l = &d->loops[0];
    cr_expect_eq(l->iterations, 1001);
    cr_expect_eq(l->busy, 100 * 1000 * 1001 / 2 + 5);
    cr_expect_eq(l->poll, 400000 * INT64_C(1000) + 60000000);
    cr_expect_eq(l->busy_max, 100000);
    cr_expect_eq(l->busy_max_t, 1000400000);
    cr_expect_eq(l->empty_polls, 1000);
    cr_expect_eq(l->full_polls, 1);
    cr_expect_eq(l->late_polls, 1);
    cr_expect_eq(l->late_max, 20000000);
    cr_expect(l->busy_p50 > 49500 && l->busy_p50 < 50500, "p50 %" PRId64, l->busy_p50);
    cr_expect(l->busy_p99 > 98000 && l->busy_p99 < 100000, "p99 %" PRId64, l->busy_p99);
    report_free(d);
    trace_close(t);
}

Test(query, a_range_leaves_out_what_lies_outside)
{
    struct trace *t = open_or_die(build("redis"));
    struct report_data *d = load_or_die(t, (struct report_range){ 24000000000, 26050000000, 10 });
    cr_expect_eq(d->n_stalls, 2, "one inside, one that reaches in");
    cr_expect_eq(d->stalls[1].dur, 84200000, "with its true length");
    cr_expect(d->loops[0].iterations > 200 && d->loops[0].iterations < 215);
    report_free(d);
    trace_close(t);
}

Test(query, who_waited_after_a_foreign_stall_is_the_next_poll)
{
    struct trace *t = open_or_die(build("redis"));
    struct report_data *d = load_or_die(t, all);
    cr_expect_eq(d->stalls[0].victims, 49);
    cr_expect_eq(d->stalls[0].victim_sum, NOT_KNOWN);
    report_free(d);
    trace_close(t);
}

Test(query, places_group_by_fingerprint_and_rank_by_harm)
{
    struct trace *t = open_or_die(build("redis"));
    struct report_data *d = load_or_die(t, all);
    struct place *p = NULL;
    int n = 0;
    cr_assert_eq(place_group(d, BY_PLACE, &p, &n), 0);
    cr_assert_eq(n, 3);
    cr_expect_str_eq(d->stalls[p[0].worst].fingerprint, "f-sleep");
    cr_expect_str_eq(d->stalls[p[2].worst].fingerprint, "f-lua");
    cr_expect_eq(p[2].n, 3);
    cr_expect_eq(p[2].total, 61800000 + 84200000 + 73100000);
    cr_expect_eq(p[2].longest, 84200000);
    free(p);
    report_free(d);
    trace_close(t);
}

Test(query, a_stack_in_a_circle_ends)
{
    const char *path = build("redis");
    struct report_frame frames[REPORT_FRAMES];
    fixture_run(path, "UPDATE stack SET parent = 12 WHERE id = 1");
    struct trace *t = open_or_die(path);
    cr_expect_eq(report_stack(t, 12, frames, REPORT_FRAMES), REPORT_FRAMES);
    cr_expect_eq(report_stack(t, 999, frames, REPORT_FRAMES), 0);
    trace_close(t);
}

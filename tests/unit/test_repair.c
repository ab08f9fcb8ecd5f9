/* test_repair.c - a trace whose recorder died becomes a finished one; what is none, or damaged, is one clear line. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/record/store.h"

static char dir[64], path[96], text[200];

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/test-repair-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/t.db", dir);
}
static void teardown(void)
{
    char rm[128];
    snprintf(rm, sizeof rm, "rm -rf %s", dir);
    cr_assert_eq(system(rm), 0);
}
TestSuite(repair, .init = setup, .fini = teardown, .timeout = 60);

static struct store *some_rows(void)
{
    struct store *s;
    if (store_create(path, &s) < 0)
        return NULL;
    store_meta_int(s, "threshold_ns", 1000);
    store_task(s, &(struct row_task){ .id = 1,
                                      .process = 1,
                                      .loop = 1,
                                      .t = 0,
                                      .t_end = ROW_NULL,
                                      .steps = ROW_NULL,
                                      .run = ROW_NULL,
                                      .queue = ROW_NULL,
                                      .wait = ROW_NULL,
                                      .run_max = ROW_NULL, .run_max_site = ROW_NULL, .queue_max = ROW_NULL });
    for (int64_t i = 1; i <= 100; i++)
        store_step(s, &(struct row_step){
                          .id = i, .task = 1, .loop = 1, .t = i * 1000, .queue = 5, .run = i == 50 ? 2000 : 7 });
    return s;
}
static void recorder_killed(void)
{
    pid_t child = fork();
    if (!child) {
        struct store *s = some_rows();
        if (!s)
            _exit(1);
        store_commit(s, true);
        raise(SIGKILL);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(WIFSIGNALED(status));
}
static long long ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    long long v = -1;
    cr_assert_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return v;
}
static void fill(const char *bytes, size_t n)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
    close(fd);
}

Test(repair, a_killed_recorders_file_is_finished)
{
    char wal[128];
    recorder_killed();
    cr_assert_eq(store_repair(path, text, sizeof text), 0, "%s", text);
    cr_expect(strstr(text, "100 steps"), "%s", text);
    cr_expect_eq(ask("SELECT value FROM meta WHERE key='finalized'"), 1);
    cr_expect_eq(ask("SELECT steps FROM task"), 100);
    cr_expect_eq(ask("SELECT sum(n) FROM lod WHERE level=1"), 100);
    cr_expect_eq(ask("SELECT longest FROM lod WHERE worst=7"), 50);
    cr_expect_eq(ask("SELECT value FROM meta WHERE key='duration_ns'"), 100007);
    cr_expect_eq(ask("SELECT value='killed' FROM meta WHERE key='ended_by'"), 1, "the report says so ever after");
    snprintf(wal, sizeof wal, "%s-wal", path);
    cr_expect_neq(access(wal, F_OK), 0, "one file again");
}

Test(repair, a_second_time_changes_nothing)
{
    recorder_killed();
    cr_assert_eq(store_repair(path, text, sizeof text), 0);
    cr_assert_eq(store_repair(path, text, sizeof text), 0);
    cr_expect(strstr(text, "nothing to repair"), "%s", text);
    cr_expect_eq(ask("SELECT sum(n) FROM lod WHERE level=1"), 100);
}

Test(repair, a_file_that_is_being_recorded_is_left_alone)
{
    struct store *s = some_rows();
    store_commit(s, true);
    int status;
    pid_t child = fork(); /* locks belong to processes: only another one is kept out */
    if (!child)
        _exit(store_repair(path, text, sizeof text) == -EBUSY ? 0 : 1);
    waitpid(child, &status, 0);
    cr_expect_eq(status, 0);
    store_close(s);
}

Test(repair, what_is_no_trace_says_so)
{
    cr_expect_eq(store_repair(path, text, sizeof text), -ENOENT);
    fill("hello, I am a text file and have been one for a long time, so do not write to me", 80);
    cr_expect_lt(store_repair(path, text, sizeof text), 0);
    cr_expect(strstr(text, "not a loopscope trace"), "%s", text);
    unlink(path);
    sqlite3 *db;
    sqlite3_open(path, &db);
    sqlite3_exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL);
    sqlite3_close(db);
    cr_expect_lt(store_repair(path, text, sizeof text), 0);
    cr_expect(strstr(text, "not a loopscope trace"), "%s", text);
    fill("", 0);
    cr_expect_lt(store_repair(path, text, sizeof text), 0);
}

Test(repair, a_damaged_file_is_one_line)
{
    recorder_killed();
    cr_assert_eq(store_repair(path, text, sizeof text), 0);
    char page[512];
    memset(page, 0xa5, sizeof page);
    for (off_t at = 65536; at < 65536 * 30; at += 65536) {
        int fd = open(path, O_WRONLY);
        if (at + 512 < lseek(fd, 0, SEEK_END))
            cr_assert_eq(pwrite(fd, page, sizeof page, at), (ssize_t)sizeof page);
        close(fd);
    }
    cr_expect_lt(store_repair(path, text, sizeof text), 0);
    cr_expect(strstr(text, "damaged"), "%s", text);
    cr_expect_not(strchr(text, '\n'));
}

Test(repair, a_file_of_an_earlier_loopscope_is_finished)
{
    sqlite3 *db;
    recorder_killed();
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db,
                              "DROP TABLE hold; DROP TABLE member; DROP TABLE allow;"
                              "ALTER TABLE task DROP COLUMN detached; ALTER TABLE task DROP COLUMN queue_max; ALTER TABLE stall DROP COLUMN allowed",
                              NULL, NULL, NULL),
                 SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    cr_assert_eq(store_repair(path, text, sizeof text), 0, "%s", text);
    cr_expect_eq(ask("SELECT value FROM meta WHERE key = 'finalized'"), 1);
    cr_expect_eq(ask("SELECT count(*) FROM meta WHERE key = 'unfinished'"), 0);
    cr_expect_eq(ask("SELECT count(*) FROM hold, member, allow"), 0);
    cr_expect_eq(ask("SELECT count(*) FROM task WHERE detached IS NULL"), 1);
}

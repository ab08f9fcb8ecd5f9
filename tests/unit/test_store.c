/* test_store.c - the trace file: what goes in comes out, what is derived is right, and a full disk costs rows only. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loopscope/probe.h"
#include "tracer/record/store.h"

static char dir[64], path[96];
static struct store *s;

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/test-store-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/t.db", dir);
    cr_assert_eq(store_create(path, &s), 0);
}
static void teardown(void)
{
    char rm[128];
    store_close(s);
    snprintf(rm, sizeof rm, "rm -rf %s", dir);
    cr_assert_eq(system(rm), 0);
}
TestSuite(store, .init = setup, .fini = teardown, .timeout = 120);

/* The one value of a query, as text. */
static const char *ask(const char *sql)
{
    static char text[256];
    sqlite3 *db;
    sqlite3_stmt *q;
    cr_assert_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    snprintf(text, sizeof text, "%s",
             sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0) ? (const char *)sqlite3_column_text(q, 0)
                                                                        : "(nothing)");
    sqlite3_finalize(q);
    sqlite3_close(db);
    return text;
}
static void step(int64_t id, int64_t task, int64_t t, int64_t queue, int64_t run)
{
    store_step(s, &(struct row_step){ .id = id,
                                      .task = task,
                                      .loop = 1,
                                      .t = t,
                                      .wait = 5,
                                      .queue = queue,
                                      .run = run,
                                      .why = LS_WHY_FD,
                                      .target = ROW_NULL,
                                      .site = 1,
                                      .waker = 0 });
}
static struct row_task a_task(int64_t id)
{
    return (struct row_task){ .id = id,
                              .process = 1,
                              .loop = 1,
                              .parent = 0,
                              .site = 1,
                              .t = 0,
                              .t_end = ROW_NULL,
                              .error = ROW_NULL,
                              .why = ROW_NULL,
                              .target = ROW_NULL,
                              .wait_site = ROW_NULL,
                              .since = ROW_NULL,
                              .steps = ROW_NULL,
                              .run = ROW_NULL,
                              .queue = ROW_NULL,
                              .wait = ROW_NULL,
                              .run_max = ROW_NULL, .run_max_site = ROW_NULL, .queue_max = ROW_NULL };
}

Test(store, rows_can_be_read_while_it_is_written)
{
    for (int64_t i = 1; i <= 2500; i++) /* more than a batch, and a part of one */
        step(i, i % 7, i * 100, i % 3 ? 10 : ROW_NULL, 20);
    store_commit(s, true);
    cr_expect_str_eq(ask("SELECT count(*) FROM step"), "2500");
    cr_expect_str_eq(
        ask("SELECT task||' '||loop||' '||t||' '||wait||' '||queue||' '||run||' '||why||' '||site||' '||waker"
            " FROM step WHERE id=2000"),
        "5 1 200000 5 10 20 3 1 0");
    cr_expect_str_eq(ask("SELECT count(*) FROM step WHERE queue IS NULL"), "833");
    cr_expect_str_eq(ask("SELECT value FROM meta WHERE key='finalized'"), "0");
}

Test(store, a_later_row_completes_an_earlier_one)
{
    struct row_task k = a_task(4);
    k.name = "fetch";
    store_task(s, &k);
    k = a_task(4);
    k.t = ROW_NULL;
    k.t_end = 900;
    k.state = "done";
    k.outcome = "ok";
    k.steps = 3;
    store_task(s, &k);
    store_commit(s, true);
    cr_expect_str_eq(ask("SELECT name||' '||t||' '||t_end||' '||state||' '||steps FROM task"), "fetch 0 900 done 3");
    cr_expect_str_eq(ask("SELECT count(*) FROM task"), "1");
}

Test(store, ids_with_holes_are_kept)
{
    step(1, 1, 1, 1, 1);
    step(2, 1, 2, 1, 1);
    step(10, 1, 3, 1, 1);
    step(11, 1, 4, 1, 1);
    store_commit(s, true);
    step(12, 1, 5, 1, 1);
    store_commit(s, true);
    cr_expect_str_eq(ask("SELECT group_concat(id) FROM step"), "1,2,10,11,12");
}

Test(store, finish_leaves_one_plain_finished_file)
{
    char wal[128];
    for (int64_t i = 1; i <= 100; i++) {
        step(i, 1, i * 100, 10, 20);
        store_iteration(s, &(struct row_iteration){ .id = i,
                                                    .loop = 1,
                                                    .t = i * 100,
                                                    .poll = 1,
                                                    .busy = 30,
                                                    .ready = 1,
                                                    .max_ready = ROW_NULL,
                                                    .timeout = -1 });
    }
    store_site(s, &(struct row_site){ .id = 1, .line = 7, .function = "serve", .file = "a.c" });
    struct row_task k = a_task(1);
    store_task(s, &k);
    cr_assert_eq(store_finish(s), 0);
    snprintf(wal, sizeof wal, "%s-wal", path);
    cr_expect_neq(access(wal, F_OK), 0);
    cr_expect_str_eq(ask("PRAGMA journal_mode"), "delete");
    cr_expect_str_eq(ask("PRAGMA integrity_check"), "ok");
    cr_expect_str_eq(ask("SELECT value FROM meta WHERE key='finalized'"), "1");
    cr_expect_str_eq(ask("SELECT name FROM task"), "serve", "a task without a name has its function's");
    cr_expect_str_eq(ask("SELECT steps||' '||run||' '||queue||' '||wait||' '||run_max FROM task"),
                     "100 2000 1000 500 20");
    cr_expect_str_eq(
        ask("SELECT group_concat(lane||':'||n) FROM (SELECT lane, sum(n) AS n FROM lod WHERE level=1 GROUP BY"
            " lane)"),
        "-1:100,1:100");
    cr_expect(strstr(ask("SELECT detail FROM (SELECT 1 AS detail)"), "1"));
    cr_expect_str_eq(ask("SELECT count(*) FROM sqlite_master WHERE type='index' AND name='step_task'"), "1");
}

Test(store, victims_of_a_stall_are_those_that_were_ready)
{
    struct row_task k = a_task(1);
    store_task(s, &k);
    store_stall(s, &(struct row_stall){ .id = 1,
                                        .loop = 1,
                                        .thread = 1,
                                        .iteration = 1,
                                        .task = 1,
                                        .t = 1000,
                                        .dur = 500,
                                        .cause = "cpu",
                                        .cpu = ROW_NULL,
                                        .runq = ROW_NULL,
                                        .blocked = ROW_NULL,
                                        .majflt = ROW_NULL,
                                        .call = ROW_NULL,
                                        .stack = ROW_NULL,
                                        .victims = ROW_NULL,
                                        .victim_sum = ROW_NULL,
                                        .victim_max = ROW_NULL });
    step(1, 1, 1000, 0, 400);  /* the culprit itself */
    step(2, 2, 1400, 300, 50); /* ready at 1100, ran inside the stall: 300 */
    step(3, 3, 1600, 700, 50); /* ready at 900, ran after it: all 500 of it */
    step(4, 4, 1700, 150, 50); /* ready at 1550: not held up by it */
    step(5, 2, 1800, 320, 50); /* task 2 again, ready at 1480: 20 more */
    cr_assert_eq(store_finish(s), 0);
    cr_expect_str_eq(ask("SELECT victims||' '||victim_sum||' '||victim_max FROM stall"), "2 820 500");
    cr_expect_str_eq(ask("SELECT group_concat(task||':'||delayed) FROM (SELECT * FROM victim ORDER BY delayed)"),
                     "2:20,2:300,3:500");
}

Test(store, victims_of_a_foreign_loop_are_the_events_of_the_next_poll)
{
    store_stall(s, &(struct row_stall){ .id = 1,
                                        .loop = 1,
                                        .thread = 1,
                                        .iteration = 1,
                                        .task = ROW_NULL,
                                        .t = 1000,
                                        .dur = 500,
                                        .cause = "cpu",
                                        .cpu = ROW_NULL,
                                        .runq = ROW_NULL,
                                        .blocked = ROW_NULL,
                                        .majflt = ROW_NULL,
                                        .call = ROW_NULL,
                                        .stack = ROW_NULL,
                                        .victims = ROW_NULL,
                                        .victim_sum = ROW_NULL,
                                        .victim_max = ROW_NULL });
    struct row_iteration i = { .id = 1, .loop = 1, .t = 900, .poll = 100, .busy = 500, .ready = 1, .max_ready = 64 };
    store_iteration(s, &i);
    i = (struct row_iteration){ .id = 2, .loop = 1, .t = 1500, .poll = 0, .busy = 5, .ready = 4, .max_ready = 64 };
    store_iteration(s, &i);
    cr_assert_eq(store_finish(s), 0);
    cr_expect_str_eq(ask("SELECT victims||' '||victim_sum||' '||victim_max FROM stall"), "4 1000 500");
}

Test(store, an_existing_file_is_kept_once)
{
    char old[128];
    step(1, 1, 1, 1, 1);
    cr_assert_eq(store_finish(s), 0);
    store_close(s);
    cr_assert_eq(store_create(path, &s), 0);
    snprintf(old, sizeof old, "%s.old", path);
    cr_expect_eq(access(old, F_OK), 0);
    store_commit(s, true);
    cr_expect_str_eq(ask("SELECT count(*) FROM step"), "0");
    store_close(s);
    cr_assert_eq(store_create(path, &s), 0, "and again");
}

Test(store, an_unfinished_file_is_kept_with_its_log)
{
    char cmd[512];
    step(1, 7, 1, 1, 1);
    store_commit(s, true);
    /* As after kill -9: the bytes of file and log, and nobody who holds them. */
    snprintf(cmd, sizeof cmd, "cp %s %s/u.db && cp %s-wal %s/u.db-wal", path, dir, path, dir);
    cr_assert_eq(system(cmd), 0);
    struct store *again;
    char other[96], keep[96];
    snprintf(other, sizeof other, "%s/u.db", dir);
    cr_assert_eq(store_create(other, &again), 0);
    store_close(again);
    memcpy(keep, path, sizeof keep);
    snprintf(path, sizeof path, "%s/u.db.old", dir);
    cr_expect_str_eq(ask("SELECT task FROM step"), "7");
    memcpy(path, keep, sizeof path);
}

Test(store, what_cannot_be_created_says_why)
{
    struct store *none;
    cr_expect_eq(store_create("/nowhere/x.db", &none), -ENOENT);
    cr_expect_eq(store_create(dir, &none), -EISDIR);

    char fifo[96], moved[128];
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    snprintf(moved, sizeof moved, "%s.old", fifo);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_expect_eq(store_create(fifo, &none), -EINVAL, "nor is a device of the system moved away");
    cr_expect_neq(access(moved, F_OK), 0);
    cr_expect_eq(access(fifo, F_OK), 0);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit r = { bytes, RLIM_INFINITY };
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

Test(store, a_full_disk_costs_rows_is_said_and_ends)
{
    const char *text = NULL;
    int64_t id = 0;
    store_thread(s, &(struct row_thread){ .id = 1, .process = 1, .tid = 9, .t = 0, .t_end = ROW_NULL });
    for (; id < 5000; id++)
        step(id + 1, 1, id * 100, 10, 20);
    store_commit(s, true);
    limit_files(2 << 20); /* the disk fills up */
    for (; id < 200000; id++) {
        step(id + 1, 1, id * 100, 10, 20);
        if (id % 5000 == 0)
            store_commit(s, false);
    }
    store_commit(s, true);
    cr_assert_neq(store_error(s, &text), 0);
    cr_assert_not_null(text); /* a limit on file size is "I/O error" to SQLite, a full disk is a full disk */
    uint64_t lost = store_rows_lost(s);
    cr_assert_gt(lost, 0);
    limit_files(RLIM_INFINITY); /* room again */
    store_commit(s, true);
    for (; id < 201000; id++)
        step(id + 1, 1, id * 100, 10, 20);
    store_commit(s, true);
    cr_assert_eq(store_finish(s), 0);
    cr_expect_str_eq(ask("PRAGMA integrity_check"), "ok");
    cr_expect_str_eq(ask("SELECT max(id) FROM step"), "201000");
    cr_expect_str_eq(ask("SELECT reason IN ('disk full','write error') FROM gap"), "1");
    cr_expect_str_eq(ask("SELECT count(*) FROM thread"), "1");
    cr_expect_str_eq(
        ask("SELECT (SELECT count(*) FROM step) + (SELECT count(*) FROM lod) + (SELECT sum(lost) FROM gap) >="
            " 201000"),
        "1");
    cr_expect_str_eq(ask("SELECT count(*) FROM step WHERE id != t/100+1"), "0", "ids stay those that were given");
}

Test(store, a_disk_that_stays_full_leaves_a_valid_file)
{
    for (int64_t id = 0; id < 5000; id++)
        step(id + 1, 1, id * 100, 10, 20);
    store_commit(s, true);
    limit_files(600 << 10);
    for (int64_t id = 5000; id < 100000; id++)
        step(id + 1, 1, id * 100, 10, 20);
    store_commit(s, true);
    int r = store_finish(s);
    cr_expect_leq(r, 0);
    store_close(s);
    s = NULL;
    limit_files(RLIM_INFINITY);
    cr_expect_str_eq(ask("PRAGMA integrity_check"), "ok");
    cr_expect_geq(atoi(ask("SELECT count(*) FROM step")), 5000);
}

Test(store, a_step_takes_few_bytes)
{
    int64_t t = 3000000000, empty;
    store_commit(s, true);
    empty = store_size(s); /* a page for each table */
    for (int64_t i = 1; i <= 200000; i++, t += 500)
        store_step(s, &(struct row_step){ .id = i,
                                          .task = i % 2000,
                                          .loop = 1,
                                          .t = t,
                                          .wait = i % 2 ? 0 : 90000,
                                          .queue = 20000 + i % 30000,
                                          .run = 400 + i % 1000,
                                          .why = i % 2 ? 1 : 3,
                                          .target = i % 2 ? ROW_NULL : 5 + i % 400,
                                          .site = 1 + i % 40,
                                          .waker = i % 2 ? ROW_NULL : 0 });
    store_commit(s, true);
    store_close(s);
    s = NULL;
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    double bytes = (double)(st.st_size - empty) / 200000;
    cr_expect_leq(bytes, 37, "%.1f, summaries included", bytes);
}

Test(store, holds_members_and_allowed_blocks)
{
    struct row_task task = a_task(1);
    store_task(s, &task);
    store_task_later(s, 1, true, false);
    store_task_later(s, 1, false, true);
    store_task_later(s, 2, true, false);
    store_hold(s, &(struct row_hold){ .id = 1, .object = 5, .task = 1, .t = 10, .t_end = 20 });
    store_hold(s, &(struct row_hold){ .id = 2, .object = 5, .task = 2, .t = 20, .t_end = ROW_NULL });
    store_member(s, &(struct row_member){ .object = 6, .task = 1, .t = 10 });
    store_allow(s, &(struct row_allow){ .id = 1, .thread = 1, .t = 10, .t_end = ROW_NULL, .why = "reads its config" });
    store_allow(s, &(struct row_allow){ .id = 1, .thread = 1, .t = 10, .t_end = 90 });
    cr_assert_eq(store_finish(s), 0);
    cr_expect_str_eq(ask("SELECT observed||' '||detached FROM task"), "1 1", "and none was made of thin air");
    cr_expect_str_eq(ask("SELECT group_concat(id||' '||object||' '||task||' '||t||' '||coalesce(t_end,'-')) FROM hold"),
                     "1 5 1 10 20,2 5 2 20 -");
    cr_expect_str_eq(ask("SELECT object||' '||task||' '||t FROM member"), "6 1 10");
    cr_expect_str_eq(ask("SELECT id||' '||thread||' '||t||' '||t_end||' '||why FROM allow"),
                     "1 1 10 90 reads its config");
}

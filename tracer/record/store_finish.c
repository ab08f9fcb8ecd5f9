/* store_finish.c - the last work on a trace file: indexes, derived columns, statistics, one plain file.  Works on a
 * connection that nobody else writes to; used at the end of a recording and by repair.
 *
 * Each part stands for itself: what a full disk does not allow is left out, and the file is a trace all the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store_db.h"

/* What readers look up: the steps and stalls of a task, the turns, calls and stalls of a loop, the summaries of a lane.
 * All by time. */
static const char *const indexes[] = {
    "CREATE INDEX IF NOT EXISTS step_task ON step(task, t)",
    "CREATE INDEX IF NOT EXISTS iteration_loop ON iteration(loop, t)",
    "CREATE INDEX IF NOT EXISTS call_loop ON call(loop, t)",
    "CREATE INDEX IF NOT EXISTS stall_loop ON stall(loop, t)",
    "CREATE INDEX IF NOT EXISTS stall_task ON stall(task, t)",
    "CREATE INDEX IF NOT EXISTS sample_stall ON sample(stall)",
    "CREATE INDEX IF NOT EXISTS lod_lane ON lod(lane, level, t)",
    "CREATE INDEX IF NOT EXISTS hold_object ON hold(object, t)",
    "CREATE INDEX IF NOT EXISTS member_object ON member(object)",
    "CREATE INDEX IF NOT EXISTS member_task ON member(task)",
    "CREATE INDEX IF NOT EXISTS step_await ON step(target, t) WHERE why IN (4,5)", /* task, group: who awaited whom */
    "CREATE INDEX IF NOT EXISTS task_alive ON task(target) WHERE t_end IS NULL",
};

/* A recording that an earlier loopscope left unfinished has not all the tables and columns. */
static const char later_tables[] =
    "CREATE TABLE IF NOT EXISTS hold(id INTEGER PRIMARY KEY, object INT, task INT, t INT, t_end INT);"
    "CREATE TABLE IF NOT EXISTS member(object INT, task INT, t INT);"
    "CREATE TABLE IF NOT EXISTS allow(id INTEGER PRIMARY KEY, thread INT, t INT, t_end INT, why TEXT)";
static const struct {
    const char *table, *column;
} later_columns[] = {
    { "task", "detached INT" }, { "task", "run_max_site INT" }, { "task", "queue_max INT" }, { "stall", "allowed TEXT" }
};

static const char names[] =
    "UPDATE task SET name = (SELECT function FROM site WHERE site.id = task.site) WHERE name IS NULL";

/* Totals of tasks whose end was not written: only after a recorder that died. */
static const char totals[] =
    "UPDATE task SET (steps, run, queue, wait, run_max, queue_max) ="
    " (SELECT count(*), coalesce(sum(run),0), coalesce(sum(queue),0), coalesce(sum(wait),0), coalesce(max(run),0),"
    "         coalesce(max(queue),0)"
    "    FROM step WHERE step.task = task.id) WHERE steps IS NULL";

/* Of a loop whose tasks are known: those that were ready meanwhile, each once. */
static const char task_victims[] =
    "UPDATE stall SET (victims, victim_sum, victim_max) ="
    " (SELECT count(*), coalesce(sum(delayed),0), coalesce(max(delayed),0) FROM"
    "   (SELECT sum(delayed) AS delayed FROM temp.held WHERE stall = stall.id GROUP BY task))"
    " WHERE loop IN (SELECT loop FROM task)";

/* Of a foreign loop: the events that the next poll returned.  Each came at some unknown time in the stall, so each is
 * counted as half of it; the longest wait may have been all of it. */
static const char fd_victims[] =
    "UPDATE stall SET (victims, victim_sum, victim_max) ="
    " (SELECT max(ready,0), max(ready,0)*(stall.dur/2), iif(ready>0,stall.dur,0) FROM iteration i"
    "   WHERE i.loop = stall.loop AND i.t > stall.t ORDER BY i.t LIMIT 1)"
    " WHERE loop IS NOT NULL AND dur IS NOT NULL AND loop NOT IN (SELECT loop FROM task WHERE loop IS NOT NULL)";

/* `unfinished`: an index or a summary is missing, repair can still make it. */
static const char parts_missing[] = "DELETE FROM meta WHERE key='finishing';"
                                    "INSERT OR REPLACE INTO meta VALUES('finalized',1),('unfinished',1)";
static const char all_there[] = "DELETE FROM meta WHERE key IN ('finishing','unfinished');"
                                "INSERT OR REPLACE INTO meta VALUES('finalized',1)";

static int transaction(sqlite3 *db, int (*part)(sqlite3 *db, const void *arg), const void *arg)
{
    int rc = store_exec(db, "BEGIN");
    if (rc == SQLITE_OK)
        rc = part(db, arg);
    if (rc == SQLITE_OK)
        rc = store_exec(db, "COMMIT");
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(db))
        store_exec(db, "ROLLBACK");
    return rc;
}

static int run_sql(sqlite3 *db, const void *sql)
{
    return store_exec(db, sql);
}

/* --- victims ---------------------------------------------------------------------------------------------------- */

struct stall_span {
    int64_t id, loop, t, end, task;
};

static int by_loop_and_time(const void *a, const void *b)
{
    const struct stall_span *x = a, *y = b;
    if (x->loop != y->loop)
        return x->loop < y->loop ? -1 : 1;
    return x->t < y->t ? -1 : x->t > y->t;
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? (b > 0 ? INT64_MAX : INT64_MIN) : r;
}

static int64_t minus(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) ? (b < 0 ? INT64_MAX : INT64_MIN) : r;
}

/* The stalls of loops that have tasks, sorted. */
static int load_stalls(sqlite3 *db, struct stall_span **ret, size_t *ret_n)
{
    sqlite3_stmt *s;
    struct stall_span *v = NULL;
    size_t n = 0, room = 0;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT id, loop, t, dur, task FROM stall WHERE dur IS NOT NULL AND loop IN "
                                "(SELECT loop FROM task)",
                                -1, &s, NULL);
    while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        if (n == room) {
            room = room ? room * 2 : 64;
            struct stall_span *more = realloc(v, room * sizeof *v);
            if (!more) {
                rc = SQLITE_NOMEM;
                break;
            }
            v = more;
        }
        v[n++] = (struct stall_span){ .id = sqlite3_column_int64(s, 0),
                                      .loop = sqlite3_column_int64(s, 1),
                                      .t = sqlite3_column_int64(s, 2),
                                      .task = sqlite3_column_int64(s, 4),
                                      .end = plus(sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3)) };
    }
    sqlite3_finalize(s);
    if (n)
        qsort(v, n, sizeof *v, by_loop_and_time);
    *ret = v;
    *ret_n = n;
    return rc;
}

/* The last stall of that loop that began before t, or NULL. */
static const struct stall_span *last_before(const struct stall_span *v, size_t n, int64_t loop, int64_t t)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (v[mid].loop < loop || (v[mid].loop == loop && v[mid].t < t))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && v[lo - 1].loop == loop ? &v[lo - 1] : NULL;
}

static int put_held(sqlite3_stmt *put, const struct stall_span *stall, int64_t task, int64_t delayed)
{
    sqlite3_bind_int64(put, 1, stall->id);
    sqlite3_bind_int64(put, 2, task);
    sqlite3_bind_int64(put, 3, delayed);
    int rc = sqlite3_step(put);
    sqlite3_reset(put);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* One pass over the steps: who was ready while which stall lasted.  (The view `victim` says the same by a join, which
 * takes a pass for each stall.) */
static int find_held(sqlite3 *db, const struct stall_span *stalls, size_t n)
{
    sqlite3_stmt *steps = NULL, *put = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT task, loop, t, queue FROM step WHERE queue > 0", -1, &steps, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "INSERT INTO temp.held VALUES(?,?,?)", -1, &put, NULL);
    while (rc == SQLITE_OK && sqlite3_step(steps) == SQLITE_ROW) {
        int64_t task = sqlite3_column_int64(steps, 0), loop = sqlite3_column_int64(steps, 1);
        int64_t t = sqlite3_column_int64(steps, 2), ready = minus(t, sqlite3_column_int64(steps, 3));
        /* Stalls of one loop do not overlap: back from the last that can matter to the first that ended too early. */
        for (const struct stall_span *x = last_before(stalls, n, loop, t);
             x && x >= stalls && x->loop == loop && x->end > ready && rc == SQLITE_OK; x--) {
            int64_t to = t < x->end ? t : x->end, from = ready > x->t ? ready : x->t;
            if (task != x->task)
                rc = put_held(put, x, task, minus(to, from));
        }
    }
    sqlite3_finalize(steps);
    sqlite3_finalize(put);
    return rc;
}

static int victims(sqlite3 *db, const void *arg)
{
    struct stall_span *stalls;
    size_t n;
    (void)arg;
    int rc = load_stalls(db, &stalls, &n);
    if (rc == SQLITE_OK && n) {
        rc = store_exec(db, "CREATE TEMP TABLE held(stall INT, task INT, delayed INT)");
        if (rc == SQLITE_OK)
            rc = find_held(db, stalls, n);
        if (rc == SQLITE_OK)
            rc = store_exec(db, "CREATE INDEX temp.held_stall ON held(stall)");
        if (rc == SQLITE_OK)
            rc = store_exec(db, task_victims);
        store_exec(db, "DROP TABLE temp.held");
        /* For readers that name the victims of one stall; not worth its size in a trace without any. */
        if (rc == SQLITE_OK)
            rc = store_exec(db, "CREATE INDEX IF NOT EXISTS step_loop ON step(loop, t) WHERE queue > 0");
    }
    free(stalls);
    return rc == SQLITE_OK ? store_exec(db, fd_victims) : rc;
}

/* --- summaries again, from the rows ----------------------------------------------------------------------------- */

static void put_lod(void *ctx, const struct row_lod *r)
{
    sqlite3_stmt *s = ctx;
    const int64_t v[] = { r->lane, r->level, r->t, r->t_end, r->n, r->run, r->queue, r->wait, r->worst, r->longest };
    for (int i = 0; i < (int)(sizeof v / sizeof *v); i++)
        sqlite3_bind_int64(s, i + 1, v[i]);
    sqlite3_step(s); /* a failure shows when the transaction commits */
    sqlite3_reset(s);
}

static int64_t column(sqlite3_stmt *s, int i)
{
    return sqlite3_column_type(s, i) == SQLITE_NULL ? ROW_NULL : sqlite3_column_int64(s, i);
}

static int feed(sqlite3 *db, struct summary *sum)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db, "SELECT id, loop, t, poll, busy FROM iteration ORDER BY id", -1, &s, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        summary_iteration(sum, &(struct row_iteration){ .id = column(s, 0),
                                                        .loop = column(s, 1),
                                                        .t = column(s, 2),
                                                        .poll = column(s, 3),
                                                        .busy = column(s, 4) });
        rc = SQLITE_OK;
    }
    sqlite3_finalize(s);
    if (rc != SQLITE_DONE)
        return rc;
    rc = sqlite3_prepare_v2(db, "SELECT id, task, t, wait, queue, run, why FROM step ORDER BY id", -1, &s, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        summary_step(sum, &(struct row_step){ .id = column(s, 0),
                                              .task = column(s, 1),
                                              .t = column(s, 2),
                                              .wait = column(s, 3),
                                              .queue = column(s, 4),
                                              .run = column(s, 5),
                                              .why = column(s, 6) });
        rc = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int64_t one_int(sqlite3 *db, const char *sql, int64_t otherwise)
{
    sqlite3_stmt *s;
    int64_t v = otherwise;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW &&
        sqlite3_column_type(s, 0) != SQLITE_NULL)
        v = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return v;
}

static int rebuild_lod(sqlite3 *db, const void *arg)
{
    sqlite3_stmt *put;
    (void)arg;
    int rc = store_exec(db, "DELETE FROM lod");
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_prepare_v2(db,
                            "INSERT INTO lod(lane,level,t,t_end,n,run,queue,wait,worst,longest) "
                            "VALUES(?,?,?,?,?,?,?,?,?,?)",
                            -1, &put, NULL);
    struct summary *sum = rc == SQLITE_OK ? summary_new(put_lod, put) : NULL;
    if (sum) {
        summary_threshold(sum, one_int(db, "SELECT value FROM meta WHERE key='threshold_ns'", INT64_MAX));
        rc = feed(db, sum);
        summary_close_all(sum);
        summary_free(sum);
    } else if (rc == SQLITE_OK) {
        rc = SQLITE_NOMEM;
    }
    sqlite3_finalize(put);
    return rc;
}

int store_rebuild_lod(sqlite3 *db)
{
    return transaction(db, rebuild_lod, NULL);
}

static int bring_up_to_date(sqlite3 *db, const void *arg)
{
    char sql[160];
    (void)arg;
    int rc = store_exec(db, later_tables);
    for (size_t i = 0; i < sizeof later_columns / sizeof *later_columns && rc == SQLITE_OK; i++) {
        snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s') WHERE name || ' ' || type = '%s'",
                 later_columns[i].table, later_columns[i].column);
        if (one_int(db, sql, 1))
            continue;
        snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s", later_columns[i].table, later_columns[i].column);
        rc = store_exec(db, sql);
    }
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

/* One plain file: the log goes into it.  Not possible while somebody reads; the last reader does it then. */
static int to_one_file(sqlite3 *db)
{
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = store_exec(db, "PRAGMA journal_mode=DELETE");
    return rc;
}

int store_finish_db(sqlite3 *db)
{
    int first = SQLITE_OK, rc;
    to_one_file(db); /* before the large writes: they need not go through the log */
    store_exec(db, "PRAGMA synchronous=OFF; PRAGMA cache_size=-64000; PRAGMA temp_store=FILE; PRAGMA threads=2");
    transaction(db, bring_up_to_date, NULL);
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        if ((rc = transaction(db, run_sql, indexes[i])) != SQLITE_OK && first == SQLITE_OK)
            first = rc;
    }
    static const char *const updates[] = { names, totals };
    for (size_t i = 0; i < sizeof updates / sizeof *updates; i++) {
        if ((rc = transaction(db, run_sql, updates[i])) != SQLITE_OK && first == SQLITE_OK)
            first = rc;
    }
    if ((rc = transaction(db, victims, NULL)) != SQLITE_OK && first == SQLITE_OK)
        first = rc;
    if ((rc = transaction(db, run_sql, "PRAGMA analysis_limit=400; ANALYZE")) != SQLITE_OK && first == SQLITE_OK)
        first = rc;
    int error = store_errno(db, first);
    rc = transaction(db, run_sql, error ? parts_missing : all_there);
    if (rc != SQLITE_OK && !error)
        error = store_errno(db, rc);
    rc = to_one_file(db);
    return error ? error : rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? 0 : store_errno(db, rc);
}

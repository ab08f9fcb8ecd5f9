/* query_info.c - the SELECTs of `loopscope info`.  Owns nothing between calls. */
#include "query_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_db.h"

static int64_t number(struct trace *t, const char *sql, int64_t otherwise)
{
    sqlite3_stmt *s = query_prepare(t, sql, 0);
    int64_t value = query_step(s) ? query_int(s, 0, otherwise) : otherwise;

    sqlite3_finalize(s);
    return value;
}

char *query_meta(struct trace *t, const char *key)
{
    sqlite3_stmt *s = query_prepare(t, "SELECT value FROM meta WHERE key = ?", 0);
    char *value = NULL;

    if (s)
        sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    if (query_step(s) && sqlite3_column_text(s, 0))
        value = strdup((const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return value;
}

int query_facts(struct trace *t, struct trace_facts *ret_facts, char *ret_error, int error_size)
{
    struct trace_facts f = {
        .bytes = t->bytes,
        .finalized = t->finalized,
        .being_written = t->recorder_alive,
        .start = number(t, "SELECT CAST(value AS INT) FROM meta WHERE key = 't0_realtime_ns'", -1),
        .duration = number(t, "SELECT CAST(value AS INT) FROM meta WHERE key = 'duration_ns'", -1),
        .processes = number(t, "SELECT count(*) FROM process", -1),
        .threads = number(t, "SELECT count(*) FROM thread", -1),
        .loops = number(t, "SELECT count(*) FROM loop", -1),
        .tasks = number(t, "SELECT count(*) FROM task", -1),
        .rows_lost = number(t, "SELECT coalesce(sum(lost), 0) FROM gap", -1),
    };

    if (f.duration < 0) /* its recorder did not get to write it; ids rise with time, so the last rows tell */
        f.duration = number(t,
                            "SELECT max(coalesce((SELECT t + poll + busy FROM iteration ORDER BY id DESC LIMIT 1), 0),"
                            " coalesce((SELECT t + run FROM step ORDER BY id DESC LIMIT 1), 0),"
                            " coalesce((SELECT max(t + dur) FROM stall), 0))",
                            0);
    if (f.processes < 0 || f.threads < 0 || f.loops < 0 || f.tasks < 0 || f.rows_lost < 0) {
        snprintf(ret_error, (size_t)error_size, "%s: damaged: tables are missing or cannot be read", t->path);
        return -1;
    }
    *ret_facts = f;
    return 0;
}

void query_tables(struct trace *t, void (*table)(void *ctx, const char *name, int64_t rows), void *ctx)
{
    sqlite3_stmt *s = query_prepare(
        t, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid", 0);

    while (query_step(s)) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        char *sql = name ? sqlite3_mprintf("SELECT count(*) FROM \"%w\"", name) : NULL;
        if (sql)
            table(ctx, name, number(t, sql, -1));
        sqlite3_free(sql);
    }
    sqlite3_finalize(s);
}

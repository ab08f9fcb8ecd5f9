/* query_sql.c - runs what the user typed.  The connection is read-only (query.c); a statement that would write is
 * refused here with a better word than SQLite has.  Owns nothing between calls. */
#include "query_sql.h"

#include <stdio.h>
#include <stdlib.h>

#include "query_db.h"

const char *query_sql_version(void)
{
    return sqlite3_libversion();
}

/* All rows of one statement: SQLITE_DONE, SQLITE_ROW when the reader had enough, or an error. */
static int run(sqlite3_stmt *s, const struct sql_reader *reader)
{
    int n = sqlite3_column_count(s), code = SQLITE_NOMEM;
    const char **names = calloc((size_t)n, sizeof *names);
    struct sql_cell *cells = calloc((size_t)n, sizeof *cells);

    if (!names || !cells)
        goto out;
    for (int i = 0; i < n; i++)
        names[i] = sqlite3_column_name(s, i);
    code = SQLITE_ROW;
    if (!reader->columns(reader->ctx, n, names))
        goto out;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        for (int i = 0; i < n; i++) {
            int type = sqlite3_column_type(s, i);
            cells[i].number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
            cells[i].text = (const char *)sqlite3_column_text(s, i);
        }
        if (!reader->row(reader->ctx, n, cells))
            break;
    }
out:
    free(names);
    free(cells);
    return code;
}

int query_sql(struct trace *t, const char *sql, const struct sql_reader *reader, char *ret_error, int error_size)
{
    while (*sql) {
        sqlite3_stmt *s = NULL;
        int code = sqlite3_prepare_v2(t->db, sql, -1, &s, &sql);

        if (code == SQLITE_OK && s && !sqlite3_stmt_readonly(s)) {
            sqlite3_finalize(s);
            snprintf(ret_error, (size_t)error_size, "it would change the trace; work on a copy, with sqlite3");
            return -1;
        }
        if (code == SQLITE_OK && s && sqlite3_column_count(s) > 0)
            code = run(s, reader);
        else if (code == SQLITE_OK && s)
            code = sqlite3_step(s);
        if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) {
            snprintf(ret_error, (size_t)error_size, "%s", sqlite3_errmsg(t->db));
            sqlite3_finalize(s);
            return -1;
        }
        sqlite3_finalize(s);
        if (code == SQLITE_ROW)
            return 0;
    }
    return 0;
}

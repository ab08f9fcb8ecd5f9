/* query_db.h - private to query*.c: the SQLite handle behind struct trace, and the few helpers every query needs.
 * Nobody else includes this (`make layers`).  A trace is used by the thread that opened it. */
#ifndef LOOPSCOPE_QUERY_DB_H
#define LOOPSCOPE_QUERY_DB_H

#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "query.h"

struct trace {
    sqlite3 *db;
    char *path;
    int64_t bytes;      /* size of the file when it was opened */
    int64_t steps_left; /* see query_guard */
    bool finalized;
    bool recorder_alive;
    char failure[160];  /* see query_end */
};

/* Prepares `sql` and binds `n` int64 arguments; NULL when the file is damaged (a statement that cannot be prepared
 * finds no table) or memory is short.  The caller finalizes. */
sqlite3_stmt *query_prepare(struct trace *t, const char *sql, int n, ...);

/* The next row: true, or false at the end and on damage (query_error tells which). */
bool query_step(sqlite3_stmt *s);

/* A column, or `otherwise` when it is NULL or not a number. */
int64_t query_int(sqlite3_stmt *s, int column, int64_t otherwise);

/* From now on a statement that runs for longer than any healthy file of this size can need is stopped: pages of a
 * damaged file may refer to each other without end.  Off again with `on` false. */
void query_guard(struct trace *t, bool on);

/* Whether a trace, maybe of an earlier loopscope, has it. */
bool query_has_table(struct trace *t, const char *name); /* or index */
bool query_has_column(struct trace *t, const char *table, const char *column);

/* Finalizes, and keeps the first failure of any statement that ended here or could not be prepared in t->failure:
 * many queries, one look at the end. */
void query_end(struct trace *t, sqlite3_stmt *s);

/* The last error of the connection as text; NULL when the last step was fine. */
const char *query_error(struct trace *t);

#endif

/* query_sql.h - the user's own SELECT on a trace, row by row. */
#ifndef LOOPSCOPE_QUERY_SQL_H
#define LOOPSCOPE_QUERY_SQL_H

#include <stdbool.h>

#include "query.h"

struct sql_cell {
    const char *text; /* NULL when the value is NULL; valid until the next row */
    bool number;
};

struct sql_reader {
    void *ctx;
    /* Once a statement that returns rows, before its rows; then each row.  false stops: nobody reads any more. */
    bool (*columns)(void *ctx, int n, const char *const *names);
    bool (*row)(void *ctx, int n, const struct sql_cell *cells);
};

/* Runs the statements of `sql`, which cannot change the file.  0, or -1 and one line in ret_error. */
int query_sql(struct trace *t, const char *sql, const struct sql_reader *reader, char *ret_error, int error_size);

/* The version of SQLite that is in use: "3.40.1". */
const char *query_sql_version(void);

#endif

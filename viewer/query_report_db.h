/* query_report_db.h - private to query_*.c: sane values out of a file that may be damaged or hostile, and the parts that
 * the report is read in. */
#ifndef LOOPSCOPE_QUERY_REPORT_DB_H
#define LOOPSCOPE_QUERY_REPORT_DB_H

#include "query_db.h"
#include "query_pool.h"
#include "query_report.h"

#define TIME_MAX (INT64_MAX / 8) /* sums of a few of these do not overflow */
#define PUSH(d, what) pool_push((d)->pool, &(d)->what, &(d)->n_##what, sizeof *(d)->what)

/* --- values ---------------------------------------------------------------------------------------------------- */

static inline int64_t clip(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* A time or a length; NOT_KNOWN stays what it is. */
static inline int64_t time_of(sqlite3_stmt *s, int column)
{
    int64_t v = query_int(s, column, NOT_KNOWN);
    return v == NOT_KNOWN ? v : clip(v, 0, TIME_MAX);
}

static inline int64_t known(int64_t v, int64_t otherwise)
{
    return v == NOT_KNOWN ? otherwise : v;
}

static inline int64_t number(struct trace *t, const char *sql)
{
    sqlite3_stmt *s = query_prepare(t, sql, 0);
    int64_t v = query_step(s) ? query_int(s, 0, NOT_KNOWN) : NOT_KNOWN;
    query_end(t, s);
    return v;
}

/* query_report_tasks.c: d->tasks, at most max of them, groups, failures, unobserved. */
void report_load_tasks(struct trace *t, struct report_data *d, int max);

#endif

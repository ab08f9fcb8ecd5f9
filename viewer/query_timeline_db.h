/* query_timeline_db.h - private to query_timeline.c and query_spans.c: the statements of an open timeline. */
#ifndef LOOPSCOPE_QUERY_TIMELINE_DB_H
#define LOOPSCOPE_QUERY_TIMELINE_DB_H

#include "query_db.h"
#include "query_timeline.h"

enum { LOD_LEVELS = 10, WHY_MAX = 64, WHY_NAME = 16 }; /* 32^10 rows are more than a file can hold */

/* Statements that one frame runs often; each is prepared once. */
enum statement {
    Q_LOD_TOP,
    Q_LOD_BOTTOM,
    Q_ITERATIONS,
    Q_STEPS,
    Q_CALLS,
    Q_CALL_LONGEST,
    Q_GAPS,
    Q_TASK,
    Q_WHY,
    Q_STALL_IN_LOOP,
    Q_STALL_IN_TASK,
    Q_STALL_IN_CAUSE,
    Q_STALL_NEXT_LOOP,
    Q_STALL_NEXT_TASK,
    Q_STALL_NEXT_CAUSE,
    Q_STATEMENTS
};

struct timeline {
    struct trace *trace;
    tns_t duration;
    sqlite3_stmt *made[Q_STATEMENTS];
    sqlite3_stmt *lod[LOD_LEVELS];            /* one a level: the descent has one open on each */
    enum span_state why_state[WHY_MAX];       /* by why.id */
    char why_name[WHY_MAX][WHY_NAME];
    bool (*stop)(void *);
    void *stop_arg;
};

/* The statement, reset, with `n` int64 arguments bound; NULL when the file has no such table. */
sqlite3_stmt *timeline_use(struct timeline *tl, enum statement which, int n, ...);

/* a + b that stays at the ends: a damaged file may say anything. */
static inline tns_t tns_add(tns_t a, tns_t b)
{
    tns_t sum;
    return !__builtin_add_overflow(a, b, &sum) ? sum : b > 0 ? INT64_MAX : INT64_MIN;
}

#endif

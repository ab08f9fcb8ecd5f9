/* query_tasks_db.h - private to query_tasks.c and query_waits.c: the statements that a list of tasks keeps. */
#ifndef LOOPSCOPE_QUERY_TASKS_DB_H
#define LOOPSCOPE_QUERY_TASKS_DB_H

#include "query_report_db.h"
#include "query_tasks.h"

enum lookup { Q_LAST, Q_NEXT, Q_OBJECT, Q_TASK, Q_HOLD, Q_MEMBERS, LOOKUPS };

enum { MEMOS = 64 }; /* a power of two */

struct task_lookups {
    struct trace *trace;
    sqlite3_stmt *made[LOOKUPS];
    char why[64][16];        /* by why.id */
    struct task_target memo[MEMOS]; /* objects that were looked up, by id: many wait for the same */
};

struct task_lookups *task_lookups_new(struct trace *t); /* NULL: no memory */
void task_lookups_free(struct task_lookups *l);
/* The statement with its arguments, ready to step; NULL when the trace has not that table. */
sqlite3_stmt *task_look(struct task_lookups *l, enum lookup which, int64_t a, int64_t b);

static inline const char *why_name(const struct task_lookups *l, int64_t id)
{
    return id >= 0 && id < 64 ? l->why[id] : "";
}

static inline int64_t positive(int64_t v)
{
    return clip(v, 0, TIME_MAX);
}

#endif

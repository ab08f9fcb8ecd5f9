/* query_tasks.c - the SELECTs of `tasks` and `tree`, and of the chains of awaits in the report.
 *
 * A step is one row, wait -> queue -> run, told when it was over.  So what a task did at a moment is in two of its steps:
 * the last that had begun to run by then (does it run still?) and the one after it (for what did it wait?).  Both are one
 * look into the index on step(task, t), which the recorder makes at the end; of very many tasks a pass over all steps is
 * quicker. */
#include "query_tasks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_info.h"
#include "query_tasks_db.h"

#define TIME_MAX       (INT64_MAX / 8)
#define ALIVE_MAX      (4 << 20)
#define STEPS_A_LOOKUP 16 /* so many are read in a pass in the time of two look-ups */
#define ROOTS_LOOKED   8

/* A column of `task` that a trace of an earlier loopscope may not have: its name, or NULL. */
static const char *column_or_null(struct trace *t, const char *name)
{
    return query_has_column(t, "task", name) ? name : "NULL";
}

/* The two steps of a task around a moment; times NOT_KNOWN: there is none. */
struct around {
    int64_t last_t, last_run;
    int64_t next_t, next_wait, next_queue, next_why, next_target, next_site;
};
static const struct around nothing_around = { .last_t = NOT_KNOWN, .next_t = NOT_KNOWN };

/* What k did at `at`, from these steps; its row has told what it did at the end. */
static void state_from(const struct task_lookups *l, struct task_info *k, const struct around *a, int64_t at)
{
    if (k->t_end != NOT_KNOWN && k->t_end <= at) {
        k->state = TASK_DONE;
    } else if (a->last_t != NOT_KNOWN && at < a->last_t + positive(a->last_run)) {
        k->state = TASK_RUNNING;
        k->since = a->last_t;
        k->why = "";
        k->target = k->wait_site = NOT_KNOWN;
    } else if (a->next_t != NOT_KNOWN) {
        bool known = a->next_wait != NOT_KNOWN && a->next_queue != NOT_KNOWN;
        k->state = known && at >= a->next_t - a->next_queue ? TASK_READY : TASK_WAITING;
        k->since = known ? a->next_t - a->next_queue - a->next_wait : NOT_KNOWN;
        k->why = why_name(l, a->next_why);
        k->target = a->next_target;
        k->wait_site = a->next_site;
    } else if (k->t_end != NOT_KNOWN || k->since > at) { /* its steps were lost */
        k->state = TASK_WAITING;
        k->why = "";
        k->target = k->wait_site = k->since = NOT_KNOWN;
    }
}

/* By the index: two look-ups a task. */
static void look_up_states(struct task_list *list, int64_t at)
{
    for (int i = 0; i < list->n_tasks; i++) {
        struct task_info *k = &list->tasks[i];
        struct around a = nothing_around;
        sqlite3_stmt *s = task_look(list->lookups, Q_LAST, k->id, at);
        if (query_step(s)) {
            a.last_t = time_of(s, 0);
            a.last_run = query_int(s, 1, 0);
        }
        s = task_look(list->lookups, Q_NEXT, k->id, at);
        if (query_step(s)) {
            a.next_t = time_of(s, 0);
            a.next_wait = time_of(s, 1);
            a.next_queue = time_of(s, 2);
            a.next_why = query_int(s, 3, -1);
            a.next_target = query_int(s, 4, NOT_KNOWN);
            a.next_site = query_int(s, 5, NOT_KNOWN);
        }
        state_from(list->lookups, k, &a, at);
    }
}

static int by_id(const void *a, const void *b)
{
    const struct task_info *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* By one pass over all steps; the list is sorted by id. */
static void scan_states(struct trace *t, struct task_list *list, int64_t at)
{
    struct around *v = malloc(sizeof *v * ((size_t)list->n_tasks + 1));
    if (!v) {
        pool_fail(list->pool);
        return;
    }
    for (int i = 0; i < list->n_tasks; i++)
        v[i] = nothing_around;
    sqlite3_stmt *s = query_prepare(t, "SELECT task, t, run, wait, queue, why, target, site FROM step", 0);
    while (list->n_tasks && query_step(s)) {
        struct task_info key = { .id = query_int(s, 0, 0) };
        const struct task_info *k = bsearch(&key, list->tasks, (size_t)list->n_tasks, sizeof key, by_id);
        int64_t began = time_of(s, 1);
        if (!k || began == NOT_KNOWN)
            continue;
        struct around *a = &v[k - list->tasks];
        if (began <= at && began >= a->last_t) { /* NOT_KNOWN is below everything */
            a->last_t = began;
            a->last_run = query_int(s, 2, 0);
        } else if (began > at && (a->next_t == NOT_KNOWN || began < a->next_t)) {
            a->next_t = began;
            a->next_wait = time_of(s, 3);
            a->next_queue = time_of(s, 4);
            a->next_why = query_int(s, 5, -1);
            a->next_target = query_int(s, 6, NOT_KNOWN);
            a->next_site = query_int(s, 7, NOT_KNOWN);
        }
    }
    query_end(t, s);
    for (int i = 0; i < list->n_tasks; i++)
        state_from(list->lookups, &list->tasks[i], &v[i], at);
    free(v);
}

/* What all of the list did at `at`.  The list is sorted by id then, or as it was. */
static void find_states(struct trace *t, struct task_list *list, int64_t at)
{
    int64_t steps = positive(number(t, "SELECT max(id) FROM step"));
    if (query_has_table(t, "step_task") && list->n_tasks < steps / STEPS_A_LOOKUP) {
        look_up_states(list, at);
        return;
    }
    if (list->n_tasks)
        qsort(list->tasks, (size_t)list->n_tasks, sizeof *list->tasks, by_id);
    scan_states(t, list, at);
}

/* --- lists ---------------------------------------------------------------------------------------------------------- */

/* The columns that read_task reads; the totals of one that is alive go up to the end. */
static char *select_tasks(struct trace *t, const char *rest)
{
    return sqlite3_mprintf(
        "SELECT id, parent, loop, site, t, t_end, error, observed, %s, steps, run, queue,"
        " wait + CASE WHEN t_end IS NULL AND state = 'waiting' THEN max(?1 - since, 0) ELSE 0 END AS waited, run_max,"
        " %s, %s, name, outcome, state, why, target, wait_site, since, coalesce(t_end, ?1) - t AS life FROM task %s",
        column_or_null(t, "detached"), column_or_null(t, "run_max_site"), column_or_null(t, "queue_max"), rest);
}

static enum task_state state_named(const char *name)
{
    static const char *const names[] = TASK_STATE_NAMES;
    for (int i = 0; name && i <= TASK_DONE; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum task_state)i;
    return TASK_WAITING;
}

static void read_task(const struct task_list *list, sqlite3_stmt *s, struct task_info *k)
{
    k->id = query_int(s, 0, 0);
    k->parent = query_int(s, 1, NOT_KNOWN);
    k->loop = query_int(s, 2, NOT_KNOWN);
    k->site = query_int(s, 3, NOT_KNOWN);
    k->t = time_of(s, 4);
    k->t_end = time_of(s, 5);
    k->error = query_int(s, 6, NOT_KNOWN);
    k->observed = query_int(s, 7, 0) != 0;
    k->detached = query_int(s, 8, 0) != 0;
    k->steps = query_int(s, 9, NOT_KNOWN);
    k->run = time_of(s, 10);
    k->queue = time_of(s, 11);
    k->wait = time_of(s, 12);
    k->run_max = time_of(s, 13);
    k->run_max_site = query_int(s, 14, NOT_KNOWN);
    k->queue_max = time_of(s, 15);
    k->name = pool_text(list->pool, s, 16);
    k->outcome = pool_text(list->pool, s, 17);
    k->state = k->t_end != NOT_KNOWN ? TASK_DONE : state_named((const char *)sqlite3_column_text(s, 18));
    k->why = k->state == TASK_DONE || k->state == TASK_RUNNING ? "" : why_name(list->lookups, query_int(s, 19, -1));
    k->target = query_int(s, 20, NOT_KNOWN);
    k->wait_site = query_int(s, 21, NOT_KNOWN);
    k->since = time_of(s, 22);
}

static struct task_list *list_new(struct trace *t, char *ret_error, int error_size)
{
    struct task_list *list = calloc(1, sizeof *list);
    struct trace_facts facts;
    if (!list || !(list->pool = pool_new()) || !(list->lookups = task_lookups_new(t))) {
        snprintf(ret_error, (size_t)error_size, "%s: out of memory", t->path);
        tasks_free(list);
        return NULL;
    }
    list->moment.duration = number(t, "SELECT CAST(value AS INT) FROM meta WHERE key = 'duration_ns'");
    if (list->moment.duration == NOT_KNOWN && query_facts(t, &facts, ret_error, error_size) == 0)
        list->moment.duration = facts.duration;
    list->moment.duration = positive(list->moment.duration);
    list->moment.at = list->moment.duration;
    list->moment.why = MOMENT_END;
    list->finished = t->finalized;
    list->total = positive(number(t, "SELECT count(*) FROM task"));
    return list;
}

void tasks_free(struct task_list *list)
{
    if (!list)
        return;
    task_lookups_free(list->lookups);
    pool_free(list->pool);
    free(list->tasks);
    free(list);
}

/* 0, or -1 and a line: what went wrong while `list` was read, or that it is too early to ask for a moment. */
static int check(struct trace *t, const struct task_list *list, char *ret_error, int error_size)
{
    const char *error = *t->failure ? t->failure : pool_failed(list->pool) ? "out of memory" : NULL;
    if (!error)
        return 0;
    snprintf(ret_error, (size_t)error_size, "%s: damaged (%s); `loopscope repair` may save what is left", t->path,
             error);
    return -1;
}

/* Up to the moment, which is known by now. */
static void count_lost(struct trace *t, struct task_list *list)
{
    sqlite3_stmt *s = query_prepare(t, "SELECT CAST(total(lost) AS INT) FROM gap WHERE t <= ?1", 1, list->moment.at);
    list->lost = query_step(s) ? positive(query_int(s, 0, 0)) : 0;
    query_end(t, s);
}

static int check_moment(struct trace *t, const struct task_list *list, char *ret_error, int error_size)
{
    if (list->moment.why == MOMENT_ASKED && list->moment.at > list->moment.duration) {
        snprintf(ret_error, (size_t)error_size, "%s: --at is after the end: the trace lasts %s", t->path,
                 human_duration(list->moment.duration).s);
        return -1;
    }
    return 0;
}

/* The condition of a query, to stand after FROM task; ?1 is the end, ?2 the moment.  *ret_each: the state of each task at
 * the moment must be looked up and compared. */
static const char *condition(const struct task_query *q, bool *ret_each)
{
    static const struct {
        const char *state, *at_end, *at;
    } words[] = {
        { "done", "WHERE t_end IS NOT NULL", "WHERE t_end <= ?2" },
        { "alive", "WHERE t_end IS NULL", "WHERE t <= ?2 AND coalesce(t_end, ?2 + 1) > ?2" },
        { "ok", "WHERE outcome = 'ok'", "WHERE outcome = 'ok' AND t_end <= ?2" },
        { "error", "WHERE outcome = 'error'", "WHERE outcome = 'error' AND t_end <= ?2" },
        { "cancelled", "WHERE outcome = 'cancelled'", "WHERE outcome = 'cancelled' AND t_end <= ?2" },
        { "running", "WHERE t_end IS NULL AND state = 'running'", NULL },
        { "ready", "WHERE t_end IS NULL AND state = 'ready'", NULL },
        { "waiting", "WHERE t_end IS NULL AND coalesce(state, 'waiting') = 'waiting'", NULL },
    };
    bool ends = q->at == NOT_KNOWN;
    *ret_each = false;
    for (size_t i = 0; q->state && i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].state, q->state) != 0)
            continue;
        *ret_each = !ends && !words[i].at;
        return ends ? words[i].at_end : words[i].at ? words[i].at : words[1].at;
    }
    return ends ? "" : "WHERE t <= ?2";
}

static int64_t sort_value(const struct task_list *list, const struct task_info *k, enum task_sort by)
{
    switch (by) {
    case SORT_RUN: return k->run;
    case SORT_WAIT: return k->wait;
    case SORT_LONGEST: return k->run_max;
    case SORT_LIFE: return k->t == NOT_KNOWN ? k->t : (k->t_end == NOT_KNOWN ? list->moment.duration : k->t_end) - k->t;
    default: return k->queue;
    }
}

struct order {
    const struct task_list *list;
    enum task_sort by;
};

static int in_order(const void *a, const void *b, void *arg)
{
    const struct order *o = arg;
    int64_t x = sort_value(o->list, a, o->by), y = sort_value(o->list, b, o->by);
    return x != y ? (x > y ? -1 : 1) : by_id(a, b);
}

/* The tasks of a condition, all of them or the first by a column. */
static void read_tasks(struct trace *t, struct task_list *list, const char *where, const char *order, int64_t limit)
{
    char *rest = sqlite3_mprintf("%s ORDER BY %s LIMIT ?3", where, order), *sql = select_tasks(t, rest);
    sqlite3_stmt *s = query_prepare(t, sql ? sql : "", 3, list->moment.duration, list->moment.at, limit);
    while (query_step(s)) {
        struct task_info *k = pool_push(list->pool, &list->tasks, &list->n_tasks, sizeof *k);
        read_task(list, s, k);
    }
    query_end(t, s);
    sqlite3_free(rest);
    sqlite3_free(sql);
}

static int64_t count_tasks(struct trace *t, const struct task_list *list, const char *where)
{
    char *sql = sqlite3_mprintf("SELECT count(*), ?1, ?2 FROM task %s", where);
    sqlite3_stmt *s = query_prepare(t, sql ? sql : "", 2, list->moment.duration, list->moment.at);
    int64_t n = query_step(s) ? query_int(s, 0, 0) : 0;
    query_end(t, s);
    sqlite3_free(sql);
    return n;
}

/* Only those in that state stay. */
static void keep_state(struct task_list *list, enum task_state state)
{
    int kept = 0;
    for (int i = 0; i < list->n_tasks; i++)
        if (list->tasks[i].state == state)
            list->tasks[kept++] = list->tasks[i];
    list->n_tasks = kept;
}

static void read_query(struct trace *t, struct task_list *list, const struct task_query *q)
{
    static const char *const orders[] = { [SORT_QUEUE] = "queue DESC, id",
                                          [SORT_RUN] = "run DESC, id",
                                          [SORT_WAIT] = "waited DESC, id",
                                          [SORT_LONGEST] = "run_max DESC, id",
                                          [SORT_LIFE] = "life DESC, id" };
    bool each;
    const char *where = condition(q, &each);
    read_tasks(t, list, where, each ? "id" : orders[q->sort], each ? ALIVE_MAX : q->limit);
    if (q->at != NOT_KNOWN && !pool_failed(list->pool))
        find_states(t, list, q->at);
    if (each)
        keep_state(list, state_named(q->state));
    list->found = each ? list->n_tasks : count_tasks(t, list, where);
    if (list->n_tasks && !pool_failed(list->pool))
        qsort_r(list->tasks, (size_t)list->n_tasks, sizeof *list->tasks, in_order, &(struct order){ list, q->sort });
    if (list->n_tasks > q->limit)
        list->n_tasks = (int)q->limit;
}

int tasks_load(struct trace *t, const struct task_query *q, struct task_list **ret_list, char *ret_error,
               int error_size)
{
    struct task_list *list = list_new(t, ret_error, error_size);
    if (!list)
        return -1;
    if (q->at != NOT_KNOWN) {
        list->moment.at = q->at;
        list->moment.why = MOMENT_ASKED;
    }
    int result = check_moment(t, list, ret_error, error_size);
    if (result == 0) {
        query_guard(t, true);
        count_lost(t, list);
        read_query(t, list, q);
        query_guard(t, false);
        result = check(t, list, ret_error, error_size);
    }
    if (result != 0) {
        tasks_free(list);
        return -1;
    }
    *ret_list = list;
    return 0;
}

/* When nobody was alive at the end: the last deadlock that a loop noticed, or the moment before one was closed over tasks
 * that were still alive; these were cancelled then.  A loop is closed when its first task is over; others without a parent
 * are those that another thread, or a callback, spawned. */
static void find_moment(struct trace *t, struct task_moment *m)
{
    if (number(t, "SELECT 1 FROM task WHERE t_end IS NULL LIMIT 1") == 1)
        return;
    int64_t deadlock = number(t, "SELECT max(t) FROM mark WHERE name = 'deadlock'");
    if (deadlock != NOT_KNOWN) {
        m->at = positive(deadlock);
        m->why = MOMENT_DEADLOCK;
        return;
    }
    struct {
        int64_t id, loop, t_end;
    } root[ROOTS_LOOKED];
    int n = 0;
    sqlite3_stmt *s = query_prepare(t,
                                    "SELECT min(id), loop, t_end FROM task WHERE coalesce(parent, 0) = 0"
                                    " GROUP BY loop ORDER BY t_end DESC LIMIT ?1",
                                    1, (int64_t)ROOTS_LOOKED);
    for (; n < ROOTS_LOOKED && query_step(s); n++) {
        root[n].id = query_int(s, 0, 0);
        root[n].loop = query_int(s, 1, 0);
        root[n].t_end = positive(query_int(s, 2, 0));
    }
    query_end(t, s);
    for (int i = 0; i < n && m->why == MOMENT_END; i++) {
        s = query_prepare(t,
                          "SELECT 1 FROM task WHERE loop = ?2 AND t < ?3 AND t_end >= ?3 AND id <> ?1"
                          " AND outcome = 'cancelled' LIMIT 1",
                          3, root[i].id, root[i].loop, root[i].t_end);
        if (query_step(s) && root[i].t_end > 0) {
            m->at = root[i].t_end - 1;
            m->why = MOMENT_CLOSE;
        }
        query_end(t, s);
    }
}

int tasks_alive(struct trace *t, int64_t at, struct task_list **ret_list, char *ret_error, int error_size)
{
    struct task_list *list = list_new(t, ret_error, error_size);
    if (!list)
        return -1;
    query_guard(t, true);
    if (at != NOT_KNOWN) {
        list->moment.at = at;
        list->moment.why = MOMENT_ASKED;
    } else {
        find_moment(t, &list->moment);
    }
    int result = check_moment(t, list, ret_error, error_size);
    if (result == 0) {
        bool ends = list->moment.why == MOMENT_END;
        count_lost(t, list);
        read_tasks(t, list, ends ? "WHERE t_end IS NULL AND ?2 = ?2" : "WHERE t <= ?2 AND coalesce(t_end, ?2 + 1) > ?2",
                   "id", ALIVE_MAX);
        if (!ends && !pool_failed(list->pool))
            find_states(t, list, list->moment.at);
        list->found = list->n_tasks;
        result = check(t, list, ret_error, error_size);
    }
    query_guard(t, false);
    if (result != 0) {
        tasks_free(list);
        return -1;
    }
    *ret_list = list;
    return 0;
}

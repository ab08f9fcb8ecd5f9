/* query_tasks.c - the SELECTs of `tasks` and `tree`, and of the chains of awaits in the report.
 *
 * A step is one row, wait -> queue -> run, told when it was over.  So what a task did at a moment is in two of its steps:
 * the last that had begun to run by then (does it run still?) and the one after it (for what did it wait?).  Both are one
 * look into the index on step(task, t), which the recorder makes at the end. */
#include "query_tasks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_info.h"
#include "query_report_db.h"

#define TIME_MAX     (INT64_MAX / 8)
#define ALIVE_MAX    (4 << 20)
#define FEW_STEPS    100000 /* so many are found without an index */
#define MEMBERS_MAX  (1 << 20)
#define ROOTS_LOOKED 8

enum lookup { Q_LAST, Q_NEXT, Q_OBJECT, Q_TASK, Q_HOLD, Q_MEMBERS, LOOKUPS };
static const char *const lookup_sql[LOOKUPS] = {
    [Q_LAST] = "SELECT t, run FROM step WHERE task = ?1 AND t <= ?2 ORDER BY t DESC, id DESC LIMIT 1",
    [Q_NEXT] = "SELECT t, wait, queue, why, target, site FROM step WHERE task = ?1 AND t > ?2 ORDER BY t, id LIMIT 1",
    [Q_OBJECT] = "SELECT kind, name FROM object WHERE id = ?1",
    [Q_TASK] = "SELECT name, t_end FROM task WHERE id = ?1",
    [Q_HOLD] = "SELECT task FROM hold WHERE object = ?1 AND t <= ?2 AND coalesce(t_end, ?2 + 1) > ?2"
               " ORDER BY t DESC, id DESC LIMIT 1000",
    [Q_MEMBERS] = "SELECT m.task, k.id, k.t_end FROM member m LEFT JOIN task k ON k.id = m.task"
                  " WHERE m.object = ?1 AND m.t <= ?2",
};

struct task_lookups {
    struct trace *trace;
    sqlite3_stmt *made[LOOKUPS];
    char why[64][16];        /* by why.id */
    struct task_target memo; /* the object that was looked up last: many wait for the same */
};

/* A column of `task` that a trace of an earlier loopscope may not have: its name, or NULL. */
static const char *column_or_null(struct trace *t, const char *name)
{
    return query_has_column(t, "task", name) ? name : "NULL";
}

static int64_t positive(int64_t v)
{
    return clip(v, 0, TIME_MAX);
}

/* --- look-ups ------------------------------------------------------------------------------------------------------- */

static struct task_lookups *lookups_new(struct trace *t)
{
    struct task_lookups *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->trace = t;
    sqlite3_stmt *s = query_prepare(t, "SELECT id, name FROM why", 0);
    while (query_step(s)) {
        int64_t id = query_int(s, 0, -1);
        const char *name = (const char *)sqlite3_column_text(s, 1);
        if (id >= 0 && id < 64 && name)
            human_clean(name, l->why[id], sizeof *l->why);
    }
    query_end(t, s);
    return l;
}

static void lookups_free(struct task_lookups *l)
{
    if (!l)
        return;
    for (int i = 0; i < LOOKUPS; i++)
        query_end(l->trace, l->made[i]);
    free(l);
}

/* The statement with its arguments, ready to step; NULL when the trace has not that table. */
static sqlite3_stmt *look(struct task_lookups *l, enum lookup which, int64_t a, int64_t b)
{
    static const char *const tables[LOOKUPS] = { [Q_HOLD] = "hold", [Q_MEMBERS] = "member" };
    if (!l->made[which]) {
        if (tables[which] && !query_has_table(l->trace, tables[which]))
            return NULL;
        l->made[which] = query_prepare(l->trace, lookup_sql[which], 0);
    }
    sqlite3_stmt *s = l->made[which];
    if (!s)
        return NULL;
    l->trace->steps_left = 100 + l->trace->bytes / 256;
    sqlite3_reset(s);
    sqlite3_bind_int64(s, 1, a);
    if (sqlite3_bind_parameter_count(s) > 1)
        sqlite3_bind_int64(s, 2, b);
    return s;
}

static const char *why_name(const struct task_lookups *l, int64_t id)
{
    return id >= 0 && id < 64 ? l->why[id] : "";
}

/* What k did at `at`, from its steps; its row has told what it did at the end. */
static void state_at(struct task_lookups *l, struct task_info *k, int64_t at)
{
    sqlite3_stmt *s = look(l, Q_LAST, k->id, at);
    if (k->t_end != NOT_KNOWN && k->t_end <= at) {
        k->state = TASK_DONE;
        return;
    }
    if (query_step(s)) {
        int64_t began = time_of(s, 0);
        if (began != NOT_KNOWN && at < began + positive(query_int(s, 1, 0))) {
            k->state = TASK_RUNNING;
            k->since = began;
            k->why = "";
            k->target = k->wait_site = NOT_KNOWN;
            return;
        }
    }
    s = look(l, Q_NEXT, k->id, at);
    if (query_step(s)) {
        int64_t t = time_of(s, 0), wait = time_of(s, 1), queue = time_of(s, 2);
        bool known = t != NOT_KNOWN && wait != NOT_KNOWN && queue != NOT_KNOWN;
        k->state = known && at >= t - queue ? TASK_READY : TASK_WAITING;
        k->since = known ? t - queue - wait : NOT_KNOWN;
        k->why = why_name(l, query_int(s, 3, -1));
        k->target = query_int(s, 4, NOT_KNOWN);
        k->wait_site = query_int(s, 5, NOT_KNOWN);
    } else if (k->t_end != NOT_KNOWN || k->since > at) { /* its steps were lost */
        k->state = TASK_WAITING;
        k->why = "";
        k->target = k->wait_site = k->since = NOT_KNOWN;
    }
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
    if (!list || !(list->pool = pool_new()) || !(list->lookups = lookups_new(t))) {
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
    list->total = positive(number(t, "SELECT count(*) FROM task"));
    return list;
}

void tasks_free(struct task_list *list)
{
    if (!list)
        return;
    lookups_free(list->lookups);
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

static int check_moment(struct trace *t, const struct task_list *list, char *ret_error, int error_size)
{
    if (list->moment.why == MOMENT_ASKED && list->moment.at > list->moment.duration) {
        snprintf(ret_error, (size_t)error_size, "%s: --at is after the end: the trace lasts %s", t->path,
                 human_duration(list->moment.duration).s);
        return -1;
    }
    if (list->moment.why == MOMENT_END || query_has_table(t, "step_task") ||
        number(t, "SELECT coalesce(max(id), 0) FROM step") <= FEW_STEPS)
        return 0;
    snprintf(ret_error, (size_t)error_size,
             "%s: not finished: a moment can be looked up when the recording has ended%s", t->path,
             t->recorder_alive ? "" : "; `loopscope repair` ends one that was cut short");
    return -1;
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

int tasks_load(struct trace *t, const struct task_query *q, struct task_list **ret_list, char *ret_error,
               int error_size)
{
    static const char *const orders[] = { [SORT_QUEUE] = "queue",
                                          [SORT_RUN] = "run",
                                          [SORT_WAIT] = "waited",
                                          [SORT_LONGEST] = "run_max",
                                          [SORT_LIFE] = "life" };
    struct task_list *list = list_new(t, ret_error, error_size);
    bool each;
    if (!list)
        return -1;
    if (q->at != NOT_KNOWN) {
        list->moment.at = q->at;
        list->moment.why = MOMENT_ASKED;
    }
    if (check_moment(t, list, ret_error, error_size) != 0) {
        tasks_free(list);
        return -1;
    }
    const char *where = condition(q, &each);
    char *rest = sqlite3_mprintf("%s ORDER BY %s DESC, id LIMIT ?3", where, orders[q->sort]);
    char *sql = select_tasks(t, rest), *count = sqlite3_mprintf("SELECT count(*), ?1 FROM task %s", where);
    query_guard(t, true);
    sqlite3_stmt *s =
        query_prepare(t, sql ? sql : "", 3, list->moment.duration, list->moment.at, each ? INT64_MAX : q->limit);
    while (query_step(s)) {
        struct task_info k;
        read_task(list, s, &k);
        if (q->at != NOT_KNOWN)
            state_at(list->lookups, &k, q->at);
        if (each && k.state != state_named(q->state))
            continue;
        list->found++;
        if (list->n_tasks < q->limit)
            *(struct task_info *)pool_push(list->pool, &list->tasks, &list->n_tasks, sizeof k) = k;
    }
    query_end(t, s);
    if (!each) {
        s = query_prepare(t, count ? count : "", 2, list->moment.duration, list->moment.at);
        list->found = query_step(s) ? query_int(s, 0, 0) : 0;
        query_end(t, s);
    }
    query_guard(t, false);
    sqlite3_free(rest);
    sqlite3_free(sql);
    sqlite3_free(count);
    if (check(t, list, ret_error, error_size) != 0) {
        tasks_free(list);
        return -1;
    }
    *ret_list = list;
    return 0;
}

/* When nobody was alive at the end: the last deadlock that a loop noticed, or the moment before one was closed over tasks
 * that were still alive; these were cancelled then. */
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
                                    "SELECT id, loop, t_end FROM task WHERE coalesce(parent, 0) = 0"
                                    " ORDER BY t_end DESC LIMIT ?1",
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
        char *sql = select_tasks(t, ends ? "WHERE t_end IS NULL AND ?2 = ?2 ORDER BY id LIMIT ?3"
                                         : "WHERE t <= ?2 AND coalesce(t_end, ?2 + 1) > ?2 ORDER BY id LIMIT ?3");
        sqlite3_stmt *s =
            query_prepare(t, sql ? sql : "", 3, list->moment.duration, list->moment.at, (int64_t)ALIVE_MAX);
        while (query_step(s)) {
            struct task_info *k = pool_push(list->pool, &list->tasks, &list->n_tasks, sizeof *k);
            read_task(list, s, k);
            if (!ends)
                state_at(list->lookups, k, list->moment.at);
        }
        query_end(t, s);
        sqlite3_free(sql);
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

/* --- what they wait for --------------------------------------------------------------------------------------------- */

/* True when there is such a task; *ret_over: it has ended by then. */
static bool named_task(struct task_list *list, int64_t id, const char **ret_name, bool *ret_over)
{
    sqlite3_stmt *s = look(list->lookups, Q_TASK, id, 0);
    if (!query_step(s))
        return false;
    int64_t t_end = time_of(s, 1);
    *ret_name = pool_text(list->pool, s, 0);
    *ret_over = t_end != NOT_KNOWN && t_end <= list->moment.at;
    return true;
}

/* Of a lock that one task holds at a time only the last that was told can be right. */
static bool exclusive(const struct task_target *g)
{
    return strcmp(g->noun, "lock") == 0;
}

static void find_holders(struct task_list *list, struct task_target *g)
{
    sqlite3_stmt *s = look(list->lookups, Q_HOLD, g->id, list->moment.at);
    while (query_step(s)) {
        if (g->holders++ == 0)
            g->holder = query_int(s, 0, NOT_KNOWN);
        if (exclusive(g))
            break;
    }
    if (g->holder != NOT_KNOWN && !named_task(list, g->holder, &g->holder_name, &g->holder_over))
        g->holder_name = "";
}

static void count_members(struct task_list *list, struct task_target *g)
{
    sqlite3_stmt *s = look(list->lookups, Q_MEMBERS, g->id, list->moment.at);
    while (query_step(s) && g->members < MEMBERS_MAX) {
        int64_t t_end = time_of(s, 2);
        g->members++;
        g->members_over += t_end != NOT_KNOWN && t_end <= list->moment.at;
    }
}

struct task_target tasks_target(struct task_list *list, const struct task_info *k)
{
    struct task_target g = {
        .kind = TARGET_NONE, .id = k->target, .noun = "", .name = "", .holder = NOT_KNOWN, .holder_name = ""
    };
    bool over;
    if (k->target == NOT_KNOWN || k->state == TASK_DONE || k->state == TASK_RUNNING)
        return g;
    if (strcmp(k->why, "fd") == 0) {
        g.kind = TARGET_FD;
        g.noun = "fd";
        return g;
    }
    struct task_target *memo = &list->lookups->memo;
    bool task = strcmp(k->why, "task") == 0;
    if (!task && memo->kind == TARGET_OBJECT && memo->id == k->target)
        return *memo;
    sqlite3_stmt *s = task ? NULL : look(list->lookups, Q_OBJECT, k->target, 0);
    if (query_step(s)) {
        g.kind = TARGET_OBJECT;
        g.noun = pool_text(list->pool, s, 0);
        g.name = pool_text(list->pool, s, 1);
        find_holders(list, &g);
        count_members(list, &g);
        *memo = g;
    } else if (named_task(list, k->target, &g.name, &over)) {
        g.kind = TARGET_TASK;
        g.noun = "task";
    }
    return g;
}

void tasks_blockers(struct task_list *list, const struct task_info *k, const struct task_target *g,
                    void (*one)(void *ctx, int64_t id, bool holds), void *ctx)
{
    if (g->kind == TARGET_TASK) {
        one(ctx, k->target, false);
        return;
    }
    if (g->kind != TARGET_OBJECT)
        return;
    sqlite3_stmt *s = g->holders ? look(list->lookups, Q_HOLD, g->id, list->moment.at) : NULL;
    for (int n = 0; n < g->holders && query_step(s); n++)
        one(ctx, query_int(s, 0, 0), true);
    s = g->members ? look(list->lookups, Q_MEMBERS, g->id, list->moment.at) : NULL;
    for (int64_t n = 0; n < g->members && query_step(s); n++) {
        int64_t t_end = time_of(s, 2);
        if (query_int(s, 1, 0) && (t_end == NOT_KNOWN || t_end > list->moment.at))
            one(ctx, query_int(s, 0, 0), false);
    }
}

/* --- chains of awaits ----------------------------------------------------------------------------------------------- */

/* Who waited for `target`, a task or a group (why 4 and 5, as the index has it), at that moment. */
static bool waited_for(struct trace *t, int64_t target, int64_t at, struct task_await *ret)
{
    static const char *const sql[] = {
        "SELECT task, site FROM step WHERE why IN (4,5) AND target = ?1 AND t >= ?2 AND t - queue - wait <= ?2"
        " ORDER BY t LIMIT 1",
        "SELECT id, wait_site FROM task WHERE t_end IS NULL AND target = ?1 AND why IN (4,5) AND since <= ?2 LIMIT 1",
    };
    bool found = false;
    for (int i = 0; i < 2 && !found; i++) {
        sqlite3_stmt *s = query_prepare(t, sql[i], 2, target, at);
        if ((found = query_step(s)))
            *ret = (struct task_await){ .task = query_int(s, 0, 0), .site = query_int(s, 1, NOT_KNOWN) };
        query_end(t, s);
    }
    return found;
}

static bool awaiter(struct trace *t, int64_t id, int64_t at, bool members, struct task_await *ret)
{
    if (waited_for(t, id, at, ret))
        return true;
    bool found = false;
    sqlite3_stmt *s =
        members ? query_prepare(t, "SELECT object FROM member WHERE task = ?1 AND t <= ?2", 2, id, at) : NULL;
    while (!found && query_step(s))
        found = waited_for(t, query_int(s, 0, 0), at, ret);
    query_end(t, s);
    return found;
}

int tasks_awaited_by(struct trace *t, int64_t id, int64_t at, struct task_await *ret_chain, int max)
{
    bool members = query_has_table(t, "member_task");
    int n = 0;
    if (!query_has_table(t, "step_await"))
        return 0; /* a trace of an earlier loopscope, or one that is not finished: a scan for each link is too dear */
    while (n < max && awaiter(t, id, at, members, &ret_chain[n])) {
        struct task_await *a = &ret_chain[n];
        sqlite3_stmt *s = query_prepare(t, "SELECT name FROM task WHERE id = ?1", 1, a->task);
        const char *raw = query_step(s) ? (const char *)sqlite3_column_text(s, 0) : NULL;
        human_clean(raw ? raw : "", a->name, sizeof a->name);
        query_end(t, s);
        id = a->task;
        n++;
    }
    return n;
}

/* query_waits.c - what tasks wait for: the object and its name, who holds the lock, who is in the group; and the chains of
 * awaits in the report.  The statements are kept for as long as the list of tasks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_tasks_db.h"

#define MEMBERS_MAX (1 << 20)

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

/* --- look-ups ------------------------------------------------------------------------------------------------------- */

struct task_lookups *task_lookups_new(struct trace *t)
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

void task_lookups_free(struct task_lookups *l)
{
    if (!l)
        return;
    for (int i = 0; i < LOOKUPS; i++)
        query_end(l->trace, l->made[i]);
    free(l);
}

sqlite3_stmt *task_look(struct task_lookups *l, enum lookup which, int64_t a, int64_t b)
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

/* --- what they wait for --------------------------------------------------------------------------------------------- */

/* True when there is such a task; *ret_over: it has ended by then. */
static bool named_task(struct task_list *list, int64_t id, const char **ret_name, bool *ret_over)
{
    sqlite3_stmt *s = task_look(list->lookups, Q_TASK, id, 0);
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
    sqlite3_stmt *s = task_look(list->lookups, Q_HOLD, g->id, list->moment.at);
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
    sqlite3_stmt *s = task_look(list->lookups, Q_MEMBERS, g->id, list->moment.at);
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
    struct task_target *memo = &list->lookups->memo[k->target & (MEMOS - 1)];
    bool task = strcmp(k->why, "task") == 0;
    if (!task && memo->kind == TARGET_OBJECT && memo->id == k->target)
        return *memo;
    sqlite3_stmt *s = task ? NULL : task_look(list->lookups, Q_OBJECT, k->target, 0);
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
    sqlite3_stmt *s = g->holders ? task_look(list->lookups, Q_HOLD, g->id, list->moment.at) : NULL;
    for (int n = 0; n < g->holders && query_step(s); n++)
        one(ctx, query_int(s, 0, 0), true);
    s = g->members ? task_look(list->lookups, Q_MEMBERS, g->id, list->moment.at) : NULL;
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

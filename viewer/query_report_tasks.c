/* query_report_tasks.c - the report's SELECTs about tasks: the table is read once, and what is alike becomes one group, by
 * the name but for the numbers in it, and by where it was made.  A trace may have a million tasks; groups are bounded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_report_db.h"
#include "query_tasks.h"
#include "task_words.h"

#define GROUPS_MAX   4096 /* beyond these the rest is one group */
#define BUCKETS      8192 /* a power of two */
#define FAILURES_MAX 2000 /* tasks whose chain of awaits is looked at */
#define PATTERN      100

/* --- groups: a hash from (what, pattern, site, error) to an index ----------------------------------------------------- */

struct slot {
    uint64_t key; /* 0: free */
    int index;
};
struct grouping {
    struct slot slot[BUCKETS];
    int used;
};

static uint64_t key_of(int what, const char *pattern, int64_t site, int64_t error)
{
    uint64_t h = 14695981039346656037u + (uint64_t)what;
    for (const char *c = pattern; *c; c++)
        h = (h ^ (unsigned char)*c) * 1099511628211u;
    h = (h ^ (uint64_t)site) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ (uint64_t)error) * 0x9e3779b97f4a7c15u;
    return (h ^ h >> 31) | 1;
}

/* The index that is kept for a key; -1 in *ret the first time, for the caller to fill.  NULL: there are too many. */
static int *index_of(struct grouping *g, uint64_t key)
{
    uint64_t i = key & (BUCKETS - 1);
    while (g->slot[i].key && g->slot[i].key != key)
        i = (i + 1) & (BUCKETS - 1);
    if (!g->slot[i].key) {
        if (g->used == GROUPS_MAX)
            return NULL;
        g->used++;
        g->slot[i] = (struct slot){ key, -1 };
    }
    return &g->slot[i].index;
}

/* --- one row of the pass ---------------------------------------------------------------------------------------------- */

struct task_row {
    struct report_task k;
    int64_t t_end;
    bool observed, detached;
};

/* Columns in the order of read_row; totals from the rows of a whole recording, else counted from the steps of a range. */
static char *select_rows(struct trace *t, const struct report_data *d, bool summed, const char *rest)
{
    const char *detached =
        query_has_column(t, "task", "detached") ? "k.detached" : "1"; /* not known: nothing is said */
    bool maxima = summed && query_has_column(t, "task", "queue_max");
    if (summed)
        return sqlite3_mprintf(
            "SELECT k.id, k.parent, k.loop, k.site, k.steps, k.run, k.queue, k.wait, k.run_max, k.name,"
            " k.state, k.outcome, k.error, k.observed, %s, k.t_end, %s FROM task k %s",
            detached, maxima ? "k.run_max_site, k.queue_max" : "NULL, NULL", rest);
    return sqlite3_mprintf(
        "SELECT k.id, k.parent, k.loop, k.site, s.steps, s.run, s.queue, s.wait, s.run_max, k.name, k.state,"
        " CASE WHEN k.t_end < %lld THEN k.outcome END, k.error, k.observed, %s, k.t_end, NULL, s.queue_max"
        "  FROM (SELECT task, count(*) AS steps, total(run) AS run, total(queue) AS queue, total(wait) AS wait,"
        "               max(run) AS run_max, max(queue) AS queue_max FROM step"
        "         WHERE t - coalesce(queue, 0) < %lld AND t + coalesce(run, 0) > %lld GROUP BY task) s"
        "  JOIN task k ON k.id = s.task %s",
        d->to, detached, d->to, d->from, rest);
}

static void read_row(struct report_data *d, sqlite3_stmt *s, struct task_row *r, bool keep)
{
    struct report_task *k = &r->k;
    k->id = query_int(s, 0, 0);
    k->parent = query_int(s, 1, 0);
    k->loop_id = query_int(s, 2, NOT_KNOWN);
    k->site = query_int(s, 3, NOT_KNOWN);
    k->steps = query_int(s, 4, NOT_KNOWN);
    k->run = time_of(s, 5);
    k->queue = time_of(s, 6);
    k->wait = time_of(s, 7);
    k->run_max = time_of(s, 8);
    k->error = query_int(s, 12, NOT_KNOWN);
    k->run_max_site = query_int(s, 16, NOT_KNOWN);
    k->queue_max = time_of(s, 17);
    if (keep) {
        k->name = pool_text(d->pool, s, 9);
        k->state = pool_text(d->pool, s, 10);
        k->outcome = pool_text(d->pool, s, 11);
    } else { /* until the next row */
        const char *name = (const char *)sqlite3_column_text(s, 9), *outcome = (const char *)sqlite3_column_text(s, 11);
        k->name = name ? name : "";
        k->outcome = outcome ? outcome : "";
        k->state = "";
    }
    r->observed = query_int(s, 13, 0) != 0;
    r->detached = query_int(s, 14, 0) != 0;
    r->t_end = time_of(s, 15);
}

static void add(int64_t *sum, int64_t v)
{
    *sum = clip(*sum + known(v, 0), 0, TIME_MAX);
}

static void add_to_group(struct report_data *d, struct grouping *g, const struct task_row *r, const char *pattern)
{
    int *index = index_of(g, key_of(0, pattern, r->k.site, 0));
    bool rest = !index;
    if (rest &&
        !(index = index_of(g, key_of(9, "", 0, 0)))) /* taken before the table was full, see report_load_tasks */
        return;
    if (*index < 0) {
        *index = d->n_groups;
        struct report_group *fresh = PUSH(d, groups);
        *fresh = (struct report_group){ .pattern = pool_safe(d->pool, rest ? "(others)" : pattern),
                                        .site = rest ? NOT_KNOWN : r->k.site,
                                        .run_max = NOT_KNOWN,
                                        .run_max_site = NOT_KNOWN,
                                        .queue_max = NOT_KNOWN };
    }
    struct report_group *group = &d->groups[*index];
    if (!group->n || known(r->k.queue_max, 0) > known(group->queue_max, 0))
        group->worst = r->k.id;
    group->n++;
    group->ok += strcmp(r->k.outcome, "ok") == 0;
    group->failed += strcmp(r->k.outcome, "error") == 0;
    group->cancelled += strcmp(r->k.outcome, "cancelled") == 0;
    group->alive += r->t_end == NOT_KNOWN;
    add(&group->steps, r->k.steps);
    add(&group->run, r->k.run);
    add(&group->queue, r->k.queue);
    add(&group->wait, r->k.wait);
    if (r->k.run_max > group->run_max) { /* NOT_KNOWN is below everything */
        group->run_max = r->k.run_max;
        group->run_max_site = r->k.run_max_site;
    }
    if (r->k.queue_max > group->queue_max)
        group->queue_max = r->k.queue_max;
}

/* Which of the three it is, UNOBSERVED_KINDS: somebody looked, or nobody had to.  The first task of a loop has no parent:
 * its result is that of the loop, and whoever spawns from outside has no await. */
static enum report_unobserved_kind unobserved_kind(const struct task_row *r)
{
    if (r->observed || r->t_end == NOT_KNOWN)
        return UNOBSERVED_KINDS;
    if (strcmp(r->k.outcome, "error") == 0)
        return UNOBSERVED_ERROR;
    if (strcmp(r->k.outcome, "cancelled") == 0)
        return UNOBSERVED_CANCEL;
    return !r->detached && r->k.parent > 0 ? NEVER_AWAITED : UNOBSERVED_KINDS;
}

static void add_unobserved(struct report_data *d, struct grouping *g, const struct task_row *r, const char *pattern)
{
    enum report_unobserved_kind kind = unobserved_kind(r);
    if (kind == UNOBSERVED_KINDS)
        return;
    int64_t error = kind == UNOBSERVED_ERROR ? r->k.error : 0;
    int *index = index_of(g, key_of(1 + (int)kind, pattern, r->k.site, error));
    d->unobserved_n[kind]++;
    if (!index)
        return;
    if (*index < 0) {
        *index = d->n_unobserved;
        struct report_unobserved *fresh = PUSH(d, unobserved);
        *fresh = (struct report_unobserved){ .kind = kind,
                                             .pattern = pool_safe(d->pool, pattern),
                                             .id = r->k.id,
                                             .name = pool_safe(d->pool, r->k.name),
                                             .site = r->k.site,
                                             .error = error };
    }
    d->unobserved[*index].n++;
}

static void add_to_loop(struct report_data *d, const struct task_row *r)
{
    for (int i = 0; i < d->n_loops && i < 64; i++)
        if (d->loops[i].id == r->k.loop_id && known(r->k.queue, 0) > 0) {
            d->loops[i].tasks_queued++;
            add(&d->loops[i].tasks_queue, r->k.queue);
            return;
        }
}

/* --- failures ----------------------------------------------------------------------------------------------------------- */

struct failed {
    int64_t id, error;
    bool passed_on; /* it failed because the one it awaited did */
};

/* Its awaiters that failed with the same error only handed it on. */
static void mark_chain(struct trace *t, struct failed *v, int n, int i, int64_t at)
{
    struct task_await chain[AWAITS_MAX];
    int links = tasks_awaited_by(t, v[i].id, at, chain, AWAITS_MAX);
    for (int l = 0; l < links; l++)
        for (int k = i + 1; k < n; k++)
            if (v[k].id == chain[l].task && v[k].error == v[i].error)
                v[k].passed_on = true;
}

static int most_first(const void *a, const void *b)
{
    const struct report_failure *x = a, *y = b;
    if (!x->unobserved != !y->unobserved)
        return x->unobserved ? -1 : 1;
    return x->n != y->n ? (x->n > y->n ? -1 : 1) : x->id < y->id ? -1 : x->id > y->id;
}

static void load_failures(struct trace *t, struct report_data *d, struct grouping *g)
{
    struct failed *v = calloc(FAILURES_MAX, sizeof *v);
    int64_t *ended = calloc(FAILURES_MAX, sizeof *ended);
    int n = 0;
    sqlite3_stmt *s = query_prepare(t,
                                    "SELECT id, error, t_end, name, site, observed FROM task WHERE outcome = 'error'"
                                    " AND t_end >= ?1 AND t_end < ?2 ORDER BY t_end, id LIMIT ?3",
                                    3, d->from, d->to, (int64_t)FAILURES_MAX);
    if (!v || !ended)
        pool_fail(d->pool);
    for (; v && ended && n < FAILURES_MAX && query_step(s); n++) { /* first all ids: a chain leads to later ones */
        v[n] = (struct failed){ .id = query_int(s, 0, 0), .error = query_int(s, 1, NOT_KNOWN) };
        ended[n] = known(time_of(s, 2), 0);
    }
    for (int i = 0; i < n; i++)
        if (!v[i].passed_on)
            mark_chain(t, v, n, i, ended[i]);
    if (s)
        sqlite3_reset(s);
    for (int i = 0; i < n && query_step(s); i++) {
        char pattern[PATTERN];
        const char *name = (const char *)sqlite3_column_text(s, 3);
        if (v[i].passed_on)
            continue;
        task_pattern(name ? name : "", pattern, sizeof pattern);
        int64_t site = query_int(s, 4, NOT_KNOWN);
        int *index = index_of(g, key_of(5, pattern, site, v[i].error));
        if (!index)
            continue;
        if (*index < 0) {
            *index = d->n_failures;
            struct report_failure *fresh = PUSH(d, failures);
            *fresh = (struct report_failure){ .pattern = pool_safe(d->pool, pattern),
                                              .name = pool_safe(d->pool, name),
                                              .id = v[i].id,
                                              .site = site,
                                              .error = v[i].error,
                                              .t = ended[i] };
        }
        d->failures[*index].n++;
        d->failures[*index].unobserved += query_int(s, 5, 0) == 0;
    }
    query_end(t, s);
    free(v);
    free(ended);
    if (d->n_failures && !pool_failed(d->pool))
        qsort(d->failures, (size_t)d->n_failures, sizeof *d->failures, most_first);
}

/* --- all of it ---------------------------------------------------------------------------------------------------------- */

static int by_queue(const void *a, const void *b)
{
    const struct report_group *x = a, *y = b;
    return x->queue != y->queue ? (x->queue > y->queue ? -1 : 1) : x->run != y->run ? (x->run > y->run ? -1 : 1) : 0;
}

static int by_kind(const void *a, const void *b)
{
    const struct report_unobserved *x = a, *y = b;
    return x->kind != y->kind ? (int)x->kind - (int)y->kind
           : x->n != y->n     ? (x->n > y->n ? -1 : 1)
           : x->id < y->id    ? -1
                              : x->id > y->id;
}

static void load_groups(struct trace *t, struct report_data *d, bool summed, struct grouping *groups,
                        struct grouping *unobserved)
{
    char *sql = select_rows(t, d, summed, "");
    sqlite3_stmt *s = query_prepare(t, sql ? sql : "", 0);
    struct task_row r;
    index_of(groups, key_of(9, "", 0, 0)); /* a place for the rest */
    while (query_step(s)) {
        char pattern[PATTERN];
        read_row(d, s, &r, false);
        task_pattern(r.k.name, pattern, sizeof pattern);
        add_to_group(d, groups, &r, pattern);
        add_unobserved(d, unobserved, &r, pattern);
        add_to_loop(d, &r);
    }
    query_end(t, s);
    sqlite3_free(sql);
    if (pool_failed(d->pool))
        return;
    if (d->n_groups)
        qsort(d->groups, (size_t)d->n_groups, sizeof *d->groups, by_queue);
    if (d->n_unobserved)
        qsort(d->unobserved, (size_t)d->n_unobserved, sizeof *d->unobserved, by_kind);
}

static void load_top(struct trace *t, struct report_data *d, bool summed, int max)
{
    char *sql = select_rows(t, d, summed,
                            summed ? "ORDER BY k.queue DESC, k.run DESC LIMIT ?1"
                                   : "ORDER BY s.queue DESC, s.run DESC LIMIT ?1");
    sqlite3_stmt *s = query_prepare(t, sql ? sql : "", 1, (int64_t)max);
    struct task_row r;
    while (query_step(s)) {
        read_row(d, s, &r, true);
        struct report_task *k = PUSH(d, tasks);
        *k = r.k;
    }
    query_end(t, s);
    sqlite3_free(sql);
}

/* Waits that could not end, as the runtime noticed them; and tasks that did not end when their loop did: that is, when
 * its first task was over. */
static void load_dead_ends(struct trace *t, struct report_data *d)
{
    d->deadlock = d->refused_at = NOT_KNOWN;
    d->refused_words = d->abandoned_name = "";
    sqlite3_stmt *s = query_prepare(t,
                                    "SELECT name = 'deadlock', count(*), min(t), max(t), name FROM mark"
                                    " WHERE name = 'deadlock' OR name GLOB 'deadlock: *' GROUP BY 1",
                                    0);
    while (query_step(s)) {
        if (query_int(s, 0, 0)) {
            d->deadlock = query_int(s, 3, 0);
            continue;
        }
        d->refused = query_int(s, 1, 0);
        d->refused_at = query_int(s, 2, 0);
        d->refused_words = pool_text(d->pool, s, 4);
    }
    query_end(t, s);
    s = query_prepare(
        t,
        "SELECT count(*), max(k.name) FROM task k JOIN"
        " (SELECT loop, min(id), t_end FROM task WHERE coalesce(parent, 0) = 0 GROUP BY loop) first USING (loop)"
        " WHERE k.state = 'waiting' AND k.why = (SELECT id FROM why WHERE name = 'user') AND k.since >= first.t_end",
        0);
    if (query_step(s)) {
        d->abandoned = query_int(s, 0, 0);
        d->abandoned_name = pool_text(d->pool, s, 1);
    }
    query_end(t, s);
    d->last = NOT_KNOWN;
    d->last_name = "";
    s = query_prepare(t, "SELECT count(*), id, name FROM task WHERE state = 'running'", 0);
    if (query_step(s) && query_int(s, 0, 0) == 1) {
        d->last = query_int(s, 1, NOT_KNOWN);
        d->last_name = pool_text(d->pool, s, 2);
    }
    query_end(t, s);
}

void report_load_tasks(struct trace *t, struct report_data *d, int max)
{
    bool summed = !d->ranged && number(t, "SELECT count(*) FROM task WHERE queue IS NOT NULL") > 0;
    struct grouping *groups = calloc(1, sizeof *groups), *others = calloc(1, sizeof *others);
    load_top(t, d, summed, max);
    if (groups && others) {
        load_groups(t, d, summed, groups, others);
        load_failures(t, d, others);
    } else {
        pool_fail(d->pool);
    }
    free(groups);
    free(others);
    sqlite3_stmt *s = query_prepare(t, "SELECT count(*), max(name) FROM task WHERE steps = 0 AND state <> 'done'", 0);
    d->never_name = "";
    if (query_step(s)) {
        d->never_ran = query_int(s, 0, 0);
        d->never_name = pool_text(d->pool, s, 1);
    }
    query_end(t, s);
    load_dead_ends(t, d);
}

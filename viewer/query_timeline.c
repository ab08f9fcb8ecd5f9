/* query_timeline.c - who has a lane, which stalls there are, and the story behind one moment.
 * Owns the prepared statements of an open timeline; runs on the viewer's thread. */
#include "query_timeline_db.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STOP_EVERY = 10000, LANES_PER_LOOP = 40, HELD_SLACK = 50000000 };

/* Who was ready while loop ?1 was stalled in [?2, ?3) and ran by ?4, but not task ?5 itself; and for how long. */
#define HELD_UP                                                                                                        \
    "SELECT p.task, sum(min(p.t, ?3)-max(p.t-p.queue, ?2)) AS delayed FROM step p WHERE p.loop=?1 AND p.t>?2 AND"       \
    " p.t<=?4 AND p.t-p.queue<?3 AND p.queue>0 AND p.task<>?5 GROUP BY p.task"

/* The stalls of one lane follow each other, so the one over ?2 is the last that began before it, or there is none. */
#define NEXT_STALL(from_where)                                                                                         \
    "SELECT * FROM (SELECT * FROM (SELECT s.t, s.dur FROM stall s " from_where                                         \
    " AND s.t<=?2 ORDER BY s.t DESC LIMIT 1) WHERE t+coalesce(dur, 1<<62)>?2 UNION ALL SELECT * FROM (SELECT s.t, s.dur" \
    " FROM stall s " from_where " AND s.t>?2 ORDER BY s.t LIMIT 1)) ORDER BY t LIMIT 1"
#define LONGEST_STALL(lane)                                                                                            \
    STALL_COLUMNS "WHERE s." lane "=?1 AND s.t>=coalesce((SELECT max(t) FROM stall WHERE " lane "=?1 AND t<=?2), ?2)"  \
                  " AND s.t<?3 AND s.t+coalesce(s.dur, 1<<62)>?2 ORDER BY s.dur IS NULL DESC, s.dur DESC LIMIT 1"
/* A trace of an earlier loopscope has no column stall.allowed: `allowed` is that of the last table of the list then. */
#define STALL_COLUMNS                                                                                                  \
    "SELECT s.id, s.loop, s.task, s.call, s.stack, s.t, s.dur, s.cpu, s.runq, s.blocked, s.victims, s.suppressed,"     \
    " s.victim_sum, s.victim_max, s.in_gap, s.cause, s.detail, c.name, l.name, k.name,"                                \
    " (SELECT allowed FROM stall z WHERE z.id=s.id)"                                                                   \
    " FROM stall s LEFT JOIN call c ON c.id=s.call LEFT JOIN loop l ON l.id=s.loop LEFT JOIN task k ON k.id=s.task"  \
    " CROSS JOIN (SELECT NULL AS allowed) "
#define IN_CAUSE                                                                                                       \
    "LEFT JOIN call x ON x.id=s.call WHERE s.loop=?1 AND CASE WHEN ?4 THEN x.name ELSE iif(s.call IS NULL, s.cause, "  \
    "NULL) END=?3"
#define LONGEST_IN_CAUSE                                                                                               \
    STALL_COLUMNS "WHERE s.loop=?1 AND CASE WHEN ?5 THEN c.name ELSE iif(s.call IS NULL, s.cause, NULL) END=?4"        \
                  " AND s.t<?3 AND s.t+coalesce(s.dur, 1<<62)>?2 ORDER BY s.dur IS NULL DESC, s.dur DESC LIMIT 1"
#define TASK_COLUMNS                                                                                                   \
    "SELECT k.id, coalesce(k.name, f.function), k.t, k.t_end, k.state, k.why, k.since, k.target, f.file, f.line"       \
    " FROM task k LEFT JOIN site f ON f.id=k.site "

static const char *const sql[Q_STATEMENTS] = {
    [Q_LOD_TOP] = "SELECT level FROM lod WHERE lane=?1 ORDER BY level DESC LIMIT 1",
    [Q_LOD_BOTTOM] = "SELECT level FROM lod WHERE lane=?1 ORDER BY level LIMIT 1",
    [Q_ITERATIONS] = "SELECT t, poll, busy, ready, id FROM iteration WHERE loop=?1 AND t>=coalesce((SELECT max(t) FROM "
                     "iteration WHERE loop=?1 AND t<=?2), ?2) AND t<?3 ORDER BY t",
    [Q_STEPS] = "SELECT t, wait, queue, run, why, target, site, waker, loop FROM step WHERE task=?1 AND t>=coalesce((SELECT "
                "max(t) FROM step WHERE task=?1 AND t<=?2), ?2) ORDER BY t",
    [Q_CALLS] = "SELECT t, dur FROM call WHERE loop=?1 AND t>=coalesce((SELECT max(t) FROM call WHERE loop=?1 AND "
                "t<=?2), ?2) AND t<?3 AND name=?4 ORDER BY t",
    [Q_CALL_LONGEST] = "SELECT t, dur, name, fd, detail, stack FROM call WHERE loop=?1 AND t>=coalesce((SELECT max(t) "
                       "FROM call WHERE loop=?1 AND t<=?2), ?2) AND t<?3 AND t+dur>?2 AND name=?4 "
                       "ORDER BY dur DESC LIMIT 1",
    [Q_GAPS] = "SELECT t, t_end FROM gap WHERE thread=(SELECT thread FROM loop WHERE id=?1) AND t<?3 AND "
               "coalesce(t_end, 1<<62)>=?2",
    [Q_TASK] = TASK_COLUMNS "WHERE k.id=?1",
    [Q_WHY] = "SELECT id, name FROM why",
    [Q_STALL_IN_LOOP] = LONGEST_STALL("loop"),
    [Q_STALL_IN_TASK] = LONGEST_STALL("task"),
    [Q_STALL_IN_CAUSE] = LONGEST_IN_CAUSE,
    [Q_STALL_NEXT_LOOP] = NEXT_STALL("WHERE s.loop=?1"),
    [Q_STALL_NEXT_TASK] = NEXT_STALL("WHERE s.task=?1"),
    [Q_STALL_NEXT_CAUSE] = NEXT_STALL(IN_CAUSE),
};

sqlite3_stmt *timeline_use(struct timeline *tl, enum statement which, int n, ...)
{
    sqlite3_stmt *s = tl->made[which];
    va_list list;

    if (!s)
        s = tl->made[which] = query_prepare(tl->trace, sql[which], 0);
    if (!s)
        return NULL;
    sqlite3_reset(s);
    va_start(list, n);
    for (int i = 1; i <= n; i++)
        sqlite3_bind_int64(s, i, va_arg(list, int64_t));
    va_end(list);
    return s;
}

/* A text column into a fixed array, cut between characters. */
static void copy_text(char *ret, size_t size, sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    size_t n = text ? strnlen(text, size) : 0;

    if (n == size)
        for (n--; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
            ;
    if (n)
        memcpy(ret, text, n);
    ret[n] = 0;
}

static int64_t one_int(struct timeline *tl, const char *query, int64_t otherwise)
{
    sqlite3_stmt *s = query_prepare(tl->trace, query, 0);
    int64_t value = query_step(s) ? query_int(s, 0, otherwise) : otherwise;

    sqlite3_finalize(s);
    return value;
}

static int64_t meta(struct timeline *tl, const char *key, int64_t otherwise)
{
    sqlite3_stmt *s = query_prepare(tl->trace, "SELECT CAST(value AS INT) FROM meta WHERE key=?", 0);
    int64_t value = otherwise;

    if (s && sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC) == SQLITE_OK && query_step(s))
        value = query_int(s, 0, otherwise);
    sqlite3_finalize(s);
    return value;
}

static enum span_state state_of_why(const char *name)
{
    static const char *const locks[] = { "task", "group", "lock", "cond", "event", "sem", "queue_put", "queue_get",
                                         "chan_send", "chan_recv", "select", "barrier", "future" };

    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++)
        if (strcmp(name, locks[i]) == 0)
            return SPAN_LOCK;
    if (strcmp(name, "sleep") == 0)
        return SPAN_TIMER;
    return strcmp(name, "spawn") == 0 || strcmp(name, "yield") == 0 ? SPAN_READY : SPAN_IO;
}

static void load_whys(struct timeline *tl)
{
    sqlite3_stmt *s = timeline_use(tl, Q_WHY, 0);

    for (int i = 0; i < WHY_MAX; i++)
        tl->why_state[i] = SPAN_IO;
    while (query_step(s)) {
        int64_t id = query_int(s, 0, -1);
        if (id < 0 || id >= WHY_MAX)
            continue;
        copy_text(tl->why_name[id], WHY_NAME, s, 1);
        tl->why_state[id] = state_of_why(tl->why_name[id]);
    }
    if (s)
        sqlite3_reset(s);
}

/* A file that was never finished has no meta.duration_ns. */
static tns_t last_time(struct timeline *tl)
{
    return one_int(tl,
                   "SELECT max((SELECT coalesce(max(t+coalesce(poll,0)+coalesce(busy,0)), 1) FROM iteration),"
                   " (SELECT coalesce(max(t+coalesce(run,0)), 1) FROM step),"
                   " (SELECT coalesce(max(t+coalesce(dur,0)), 1) FROM stall))",
                   1);
}

int timeline_open(struct trace *trace, struct timeline **ret_timeline, char *ret_error, int error_size)
{
    struct timeline *tl = calloc(1, sizeof *tl);

    if (!tl) {
        snprintf(ret_error, (size_t)error_size, "no memory");
        return -1;
    }
    tl->trace = trace;
    tl->duration = meta(tl, "duration_ns", 0);
    if (tl->duration <= 0)
        tl->duration = last_time(tl);
    if (tl->duration <= 0)
        tl->duration = 1;
    load_whys(tl);
    *ret_timeline = tl;
    return 0;
}

void timeline_close(struct timeline *tl)
{
    if (!tl)
        return;
    timeline_interrupt(tl, NULL, NULL);
    for (int i = 0; i < Q_STATEMENTS; i++)
        sqlite3_finalize(tl->made[i]);
    for (int i = 0; i < LOD_LEVELS; i++)
        sqlite3_finalize(tl->lod[i]);
    free(tl);
}

static int asked_to_stop(void *arg)
{
    struct timeline *tl = arg;
    return tl->stop(tl->stop_arg);
}

void timeline_interrupt(struct timeline *tl, bool (*stop)(void *), void *arg)
{
    tl->stop = stop;
    tl->stop_arg = arg;
    sqlite3_progress_handler(tl->trace->db, stop ? STOP_EVERY : 0, stop ? asked_to_stop : NULL, tl);
}

void timeline_facts(struct timeline *tl, struct timeline_facts *ret_facts)
{
    struct timeline_facts f = { .duration = tl->duration };
    sqlite3_stmt *s = query_prepare(tl->trace, "SELECT replace(exe, rtrim(exe, replace(exe, '/', '')), '') FROM process "
                                               "ORDER BY id LIMIT 1", 0);

    if (query_step(s))
        copy_text(f.program, sizeof f.program, s, 0);
    sqlite3_finalize(s);
    f.threshold = meta(tl, "threshold_ns", 0);
    f.finished = meta(tl, "finalized", 0);
    f.events = meta(tl, "events", 0);
    f.lost = meta(tl, "lost", -1);
    if (f.lost < 0)
        f.lost = one_int(tl, "SELECT sum(lost) FROM gap", 0);
    f.loops = one_int(tl, "SELECT count(*) FROM loop", 0);
    f.tasks = one_int(tl, "SELECT count(*) FROM task", 0);
    f.stalls = one_int(tl, "SELECT count(*) FROM stall", 0);
    f.worst_stall = one_int(tl, "SELECT max(dur) FROM stall", 0);
    *ret_facts = f;
}

struct lane_list {
    struct lane *at;
    int n, room;
};

static struct lane *append(struct lane_list *list)
{
    if (list->n == list->room) {
        int room = list->room ? list->room * 2 : 32;
        struct lane *more = realloc(list->at, (size_t)room * sizeof *more);
        if (!more)
            return NULL;
        list->at = more;
        list->room = room;
    }
    struct lane *lane = &list->at[list->n++];
    *lane = (struct lane){ .born = NS_NONE, .ended = NS_NONE };
    return lane;
}

/* Under its loop: the calls that blocked it and the causes no call explains, worst first. */
static void append_calls(struct timeline *tl, int64_t loop, struct lane_list *list)
{
    static const char query[] =
        "SELECT name, is_call, sum(stalled)>0, sum(stalled) AS s, sum(total) AS n FROM ("
        " SELECT name, 1 AS is_call, 0 AS stalled, sum(dur) AS total FROM call WHERE loop=?1 GROUP BY name"
        " UNION ALL SELECT CASE WHEN c.id IS NULL THEN s.cause ELSE c.name END, c.id IS NOT NULL, sum(s.dur), sum(s.dur)"
        "  FROM stall s LEFT JOIN call c ON c.id=s.call WHERE s.loop=?1 GROUP BY 1, 2)"
        " WHERE name IS NOT NULL GROUP BY name, is_call ORDER BY s DESC, n DESC, name LIMIT ?2";
    sqlite3_stmt *s = query_prepare(tl->trace, query, 2, loop, (int64_t)LANES_PER_LOOP);
    struct lane *lane;

    while (query_step(s) && (lane = append(list))) {
        lane->kind = query_int(s, 1, 0) ? LANE_CALL : LANE_CAUSE;
        lane->id = loop;
        lane->stalls = query_int(s, 2, 0);
        copy_text(lane->name, sizeof lane->name, s, 0);
    }
    sqlite3_finalize(s);
}

int timeline_loops(struct timeline *tl, struct lane **ret_lanes, int *ret_n)
{
    struct lane_list list = { 0 };
    bool tasks = one_int(tl, "SELECT EXISTS(SELECT 1 FROM task)", 0);
    sqlite3_stmt *s = query_prepare(tl->trace, "SELECT id, name, t, t_end, EXISTS(SELECT 1 FROM stall WHERE loop=loop.id)"
                                               " FROM loop ORDER BY id", 0);
    struct lane *lane;

    while (query_step(s) && (lane = append(&list))) {
        int64_t id = lane->id = query_int(s, 0, 0);
        lane->kind = LANE_LOOP;
        copy_text(lane->name, sizeof lane->name, s, 1);
        lane->born = query_int(s, 2, NS_NONE);
        lane->ended = query_int(s, 3, NS_NONE);
        lane->stalls = query_int(s, 4, 0);
        if (!tasks)
            append_calls(tl, id, &list);
    }
    sqlite3_finalize(s);
    *ret_lanes = list.at;
    *ret_n = list.n;
    return 0;
}

static void read_task(sqlite3_stmt *s, struct lane *ret_lane)
{
    *ret_lane = (struct lane){ .kind = LANE_TASK, .id = query_int(s, 0, 0) };
    copy_text(ret_lane->name, sizeof ret_lane->name, s, 1);
    ret_lane->born = query_int(s, 2, NS_NONE);
    ret_lane->ended = query_int(s, 3, NS_NONE);
}

static bool read_stall(struct timeline *tl, sqlite3_stmt *s, struct stall *ret_stall)
{
    if (!query_step(s))
        return false;
    *ret_stall = (struct stall){
        .id = query_int(s, 0, 0),
        .loop = query_int(s, 1, 0),
        .task = query_int(s, 2, 0),
        .call = query_int(s, 3, 0),
        .stack = query_int(s, 4, 0),
        .t = query_int(s, 5, 0),
        .cpu = query_int(s, 7, NS_NONE),
        .runq = query_int(s, 8, NS_NONE),
        .blocked = query_int(s, 9, NS_NONE),
        .victims = query_int(s, 10, 0),
        .suppressed = query_int(s, 11, 0),
        .victim_sum = query_int(s, 12, 0),
        .victim_max = query_int(s, 13, 0),
        .in_gap = query_int(s, 14, 0),
    };
    ret_stall->dur = query_int(s, 6, tl->duration - ret_stall->t); /* one that has not ended */
    if (ret_stall->dur < 1)
        ret_stall->dur = 1;
    copy_text(ret_stall->cause, sizeof ret_stall->cause, s, 15);
    copy_text(ret_stall->detail, sizeof ret_stall->detail, s, 16);
    copy_text(ret_stall->call_name, sizeof ret_stall->call_name, s, 17);
    copy_text(ret_stall->loop_name, sizeof ret_stall->loop_name, s, 18);
    copy_text(ret_stall->task_name, sizeof ret_stall->task_name, s, 19);
    copy_text(ret_stall->allowed, sizeof ret_stall->allowed, s, 20);
    return true;
}

/* A task that a stall held up runs soon after it: looking further would scan the trace. */
static tns_t run_by(const struct stall *s)
{
    return tns_add(tns_add(s->t, s->dur), tns_add(s->dur, HELD_SLACK));
}

int timeline_tasks(struct timeline *tl, tns_t from, tns_t to, tns_t near_from, tns_t near_to, int max,
                   struct lane **ret_lanes, int *ret_n, int64_t *ret_total)
{
    static const char worst_here[] = STALL_COLUMNS "WHERE s.t<?2 AND s.t+s.dur>?1 ORDER BY s.dur DESC LIMIT 1";
    static const char query[] =
        "WITH held(task, delayed) AS MATERIALIZED (" HELD_UP "),"
        " own AS MATERIALIZED (SELECT task, sum(dur) AS stalled, sum(iif(t<?9 AND t+dur>?8, dur, 0)) AS here FROM stall"
        "  WHERE task IS NOT NULL GROUP BY task)"
        "SELECT k.id, coalesce(k.name, f.function), k.t, k.t_end, own.stalled, count(*) OVER ()"
        " FROM task k LEFT JOIN site f ON f.id=k.site LEFT JOIN own ON own.task=k.id LEFT JOIN held ON held.task=k.id"
        " WHERE coalesce(k.t, 0)<?7 AND coalesce(k.t_end, 1<<62)>?6"
        " ORDER BY own.here DESC, held.delayed DESC, own.stalled DESC, k.run DESC, k.id LIMIT ?10";
    struct lane_list list = { 0 };
    struct stall hot = { 0 };
    sqlite3_stmt *s = query_prepare(tl->trace, worst_here, 2, near_from, near_to);
    int64_t total = 0;
    struct lane *lane;

    if (!read_stall(tl, s, &hot))
        hot = (struct stall){ .loop = -1 };
    sqlite3_finalize(s);
    s = query_prepare(tl->trace, query, 10, hot.loop, hot.t, tns_add(hot.t, hot.dur), run_by(&hot), hot.task, from, to,
                      near_from, near_to, (int64_t)max);
    while (query_step(s) && (lane = append(&list))) {
        read_task(s, lane);
        lane->stalls = query_int(s, 4, 0) > 0;
        total = query_int(s, 5, 0);
    }
    sqlite3_finalize(s);
    *ret_lanes = list.at;
    *ret_n = list.n;
    *ret_total = total;
    return 0;
}

static bool find_stall(struct timeline *tl, const char *query, int64_t arg, struct stall *ret_stall)
{
    sqlite3_stmt *s = query_prepare(tl->trace, query, 1, arg);
    bool found = read_stall(tl, s, ret_stall);

    sqlite3_finalize(s);
    return found;
}

bool timeline_stall_worst(struct timeline *tl, struct stall *ret_stall)
{
    return find_stall(tl, STALL_COLUMNS "WHERE ?1=0 ORDER BY s.dur IS NULL DESC, s.dur DESC LIMIT 1", 0, ret_stall);
}

bool timeline_stall_nth(struct timeline *tl, int64_t n, struct stall *ret_stall)
{
    return n > 0 && find_stall(tl, STALL_COLUMNS "ORDER BY s.t, s.id LIMIT 1 OFFSET ?1", n - 1, ret_stall);
}

bool timeline_stall_after(struct timeline *tl, tns_t t, struct stall *ret_stall)
{
    return find_stall(tl, STALL_COLUMNS "WHERE s.t>?1 ORDER BY s.t LIMIT 1", t, ret_stall);
}

bool timeline_stall_before(struct timeline *tl, tns_t t, struct stall *ret_stall)
{
    return find_stall(tl, STALL_COLUMNS "WHERE s.t<?1 ORDER BY s.t DESC LIMIT 1", t, ret_stall);
}

bool timeline_stall_on(struct timeline *tl, const struct lane *lane, tns_t from, tns_t to, struct stall *ret_stall)
{
    enum statement which = lane->kind == LANE_LOOP   ? Q_STALL_IN_LOOP
                           : lane->kind == LANE_TASK ? Q_STALL_IN_TASK
                                                     : Q_STALL_IN_CAUSE;
    sqlite3_stmt *s = timeline_use(tl, which, 3, lane->id, from, to);

    if (s && which == Q_STALL_IN_CAUSE) {
        sqlite3_bind_text(s, 4, lane->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 5, lane->kind == LANE_CALL);
    }
    bool found = read_stall(tl, s, ret_stall);
    if (s)
        sqlite3_reset(s);
    return found;
}

bool timeline_task(struct timeline *tl, int64_t task, struct lane *ret_lane)
{
    sqlite3_stmt *s = timeline_use(tl, Q_TASK, 1, task);
    bool found = query_step(s);

    if (found)
        read_task(s, ret_lane);
    if (s)
        sqlite3_reset(s);
    return found;
}

static bool moment_of_loop(struct timeline *tl, int64_t loop, tns_t t, struct moment *m)
{
    sqlite3_stmt *s = timeline_use(tl, Q_ITERATIONS, 3, loop, t, tns_add(t, 1));

    if (!query_step(s))
        return false;
    tns_t start = query_int(s, 0, 0), busy = tns_add(start, query_int(s, 1, 0));
    m->run = query_int(s, 2, 0);
    m->wait = query_int(s, 1, 0);
    m->ready = query_int(s, 3, -1);
    m->state = t < busy ? SPAN_IO : SPAN_RUN;
    m->t = t < busy ? start : busy;
    m->end = t < busy ? busy : tns_add(busy, m->run);
    return t < m->end;
}

static bool moment_of_call(struct timeline *tl, const struct lane *lane, tns_t t, tns_t t_end, struct moment *m)
{
    sqlite3_stmt *s = timeline_use(tl, Q_CALL_LONGEST, 3, lane->id, t, t_end);

    if (s)
        sqlite3_bind_text(s, 4, lane->name, -1, SQLITE_STATIC);
    if (!query_step(s))
        return false;
    m->state = SPAN_RUN;
    m->t = query_int(s, 0, 0);
    m->run = query_int(s, 1, 0);
    m->end = tns_add(m->t, m->run);
    copy_text(m->what, sizeof m->what, s, 2);
    m->fd = query_int(s, 3, -1);
    copy_text(m->detail, sizeof m->detail, s, 4);
    m->stack = query_int(s, 5, 0);
    return true;
}

static bool moment_of_task(struct timeline *tl, int64_t task, tns_t t, struct moment *m)
{
    sqlite3_stmt *s = timeline_use(tl, Q_STEPS, 2, task, t);

    /* Two steps are enough: the last that began before t, and the next, which may have been waiting by then. */
    for (int i = 0; i < 2 && query_step(s); i++) {
        tns_t start = query_int(s, 0, 0);
        m->wait = query_int(s, 1, 0);
        m->queue = query_int(s, 2, 0);
        m->run = query_int(s, 3, 0);
        m->waker = query_int(s, 7, -1);
        m->loop = query_int(s, 8, 0);
        int64_t why = query_int(s, 4, -1);
        tns_t end = tns_add(start, m->run), ready = tns_add(start, -m->queue), asleep = tns_add(ready, -m->wait);
        if (t < asleep || t >= end)
            continue;
        m->state = t >= start ? SPAN_RUN : t >= ready ? SPAN_READY : why >= 0 && why < WHY_MAX ? tl->why_state[why] : SPAN_IO;
        m->t = t >= start ? start : t >= ready ? ready : asleep;
        m->end = t >= start ? end : t >= ready ? start : ready;
        if (why >= 0 && why < WHY_MAX)
            memcpy(m->what, tl->why_name[why], WHY_NAME);
        return true;
    }
    return false;
}

bool timeline_moment(struct timeline *tl, const struct lane *lane, tns_t t, tns_t t_end, struct moment *ret_moment)
{
    struct moment m = { .ready = -1, .fd = -1, .waker = -1 };
    bool found = lane->kind == LANE_LOOP   ? moment_of_loop(tl, lane->id, t, &m)
                 : lane->kind == LANE_CALL ? moment_of_call(tl, lane, t, t_end, &m)
                 : lane->kind == LANE_TASK ? moment_of_task(tl, lane->id, t, &m)
                                           : false;

    if (found)
        *ret_moment = m;
    for (int i = Q_ITERATIONS; i <= Q_CALL_LONGEST; i++)
        sqlite3_reset(tl->made[i]);
    return found;
}

int timeline_stack(struct timeline *tl, int64_t stack, struct frame *ret_frames, int max)
{
    static const char query[] =
        "WITH RECURSIVE up(depth, id) AS (SELECT 0, ?1 UNION ALL SELECT depth+1, stack.parent FROM up JOIN stack"
        " ON stack.id=up.id WHERE stack.parent IS NOT NULL AND stack.parent<>0 LIMIT ?2)"
        " SELECT coalesce(f.function, m.path || '+' || printf('0x%x', f.address)), f.file, f.line, f.noise"
        " FROM up JOIN stack ON stack.id=up.id JOIN frame f ON f.id=stack.frame LEFT JOIN module m ON m.id=f.module"
        " ORDER BY depth";
    sqlite3_stmt *s = stack ? query_prepare(tl->trace, query, 2, stack, (int64_t)max) : NULL;
    int n = 0;

    for (; n < max && query_step(s); n++) {
        copy_text(ret_frames[n].function, sizeof ret_frames[n].function, s, 0);
        copy_text(ret_frames[n].file, sizeof ret_frames[n].file, s, 1);
        ret_frames[n].line = query_int(s, 2, 0);
        ret_frames[n].noise = query_int(s, 3, 0);
    }
    sqlite3_finalize(s);
    return n;
}

int timeline_victims(struct timeline *tl, const struct stall *stall, struct victim *ret_victims, int max)
{
    static const char query[] = "SELECT h.task, coalesce(k.name, f.function), h.delayed FROM (" HELD_UP ") h"
                                " LEFT JOIN task k ON k.id=h.task LEFT JOIN site f ON f.id=k.site"
                                " ORDER BY h.delayed DESC, h.task LIMIT ?6";
    sqlite3_stmt *s = query_prepare(tl->trace, query, 6, stall->loop, stall->t, tns_add(stall->t, stall->dur),
                                    run_by(stall), stall->task, (int64_t)max);
    int n = 0;

    for (; n < max && query_step(s); n++) {
        ret_victims[n].task = query_int(s, 0, 0);
        copy_text(ret_victims[n].name, sizeof ret_victims[n].name, s, 1);
        ret_victims[n].delayed = query_int(s, 2, 0);
    }
    sqlite3_finalize(s);
    return n;
}

/* query_spans.c - what a lane did in a window, in as few rows as the picture needs: descend from the coarsest summary
 * until one is no wider than a column.  Runs on the viewer's thread; keeps no row.
 *
 * Each part of the window is drawn by exactly one level, so that nothing is counted twice.  Parts without a summary
 * (the last rows of a lane, a lane with few rows, a trace without summaries) come from the rows themselves. */
#include "query_timeline_db.h"

#include <errno.h>
#include <string.h>

struct walk {
    struct timeline *tl;
    const struct lane *lane;
    int64_t key;          /* of the lane in table lod */
    int bottom;           /* the finest level there is */
    tns_t column;
    span_fn *fn;
    void *arg;
};

static tns_t later(tns_t a, tns_t b)
{
    return a > b ? a : b;
}

static tns_t earlier(tns_t a, tns_t b)
{
    return a < b ? a : b;
}

static void emit(const struct walk *w, enum span_state state, tns_t t, tns_t end, tns_t from, tns_t to)
{
    struct span s = { .t = later(t, from), .end = earlier(end, to), .state = state };

    if (s.end <= s.t || state == SPAN_NONE)
        return;
    s.run = state == SPAN_RUN ? s.end - s.t : 0;
    w->fn(w->arg, &s);
}

/* A summary, or the part of it in [from, to): its running time falls evenly on it. */
static void emit_part(const struct walk *w, struct span row, tns_t from, tns_t to)
{
    if (row.run > row.end - row.t)
        row.run = row.end - row.t;
    if (from > row.t || to < row.end)
        row.run = (tns_t)((double)row.run * (double)(to - from) / (double)(row.end - row.t));
    if (row.state == SPAN_RUN && row.run == 0)
        row.run = 1; /* it did run */
    row.t = from;
    row.end = to;
    w->fn(w->arg, &row);
}

static int result(sqlite3_stmt *s, int code)
{
    sqlite3_reset(s);
    return code == SQLITE_INTERRUPT ? -EINTR : 0;
}

static int draw_iterations(const struct walk *w, tns_t from, tns_t to)
{
    sqlite3_stmt *s = timeline_use(w->tl, Q_ITERATIONS, 3, w->lane->id, from, to);
    int code = SQLITE_DONE;

    while (s && (code = sqlite3_step(s)) == SQLITE_ROW) {
        tns_t busy = tns_add(query_int(s, 0, 0), query_int(s, 1, 0));
        emit(w, SPAN_RUN, busy, tns_add(busy, query_int(s, 2, 0)), from, to);
    }
    return s ? result(s, code) : 0;
}

static enum span_state why_state(const struct timeline *tl, int64_t why)
{
    return why >= 0 && why < WHY_MAX ? tl->why_state[why] : SPAN_IO;
}

/* After the last step: what the task was doing when the trace ended. */
static void draw_tail(const struct walk *w, tns_t from, tns_t to)
{
    sqlite3_stmt *s = timeline_use(w->tl, Q_TASK, 1, w->lane->id);

    if (query_step(s)) {
        const char *state = (const char *)sqlite3_column_text(s, 4);
        tns_t end = earlier(query_int(s, 3, INT64_MAX), w->tl->duration), since = query_int(s, 6, end);
        enum span_state now = !state ? SPAN_NONE
                              : strcmp(state, "running") == 0 ? SPAN_RUN
                              : strcmp(state, "ready") == 0   ? SPAN_READY
                              : strcmp(state, "waiting") == 0 ? why_state(w->tl, query_int(s, 5, -1))
                                                              : SPAN_NONE;
        emit(w, now, since, end, from, to);
    }
    if (s)
        sqlite3_reset(s);
}

static int draw_steps(const struct walk *w, tns_t from, tns_t to)
{
    sqlite3_stmt *s = timeline_use(w->tl, Q_STEPS, 2, w->lane->id, from);
    int code = SQLITE_DONE;

    while (s && (code = sqlite3_step(s)) == SQLITE_ROW) {
        tns_t t = query_int(s, 0, 0), wait = query_int(s, 1, 0), queue = query_int(s, 2, 0), run = query_int(s, 3, 0);
        tns_t ready = tns_add(t, -later(queue, 0)), asleep = tns_add(ready, -later(wait, 0));
        if (asleep >= to)
            break; /* the steps of a task follow each other: so do all the rest */
        emit(w, why_state(w->tl, query_int(s, 4, -1)), asleep, ready, from, to);
        emit(w, SPAN_READY, ready, t, from, to);
        emit(w, SPAN_RUN, t, tns_add(t, run), from, to);
    }
    return s ? result(s, code) : 0;
}

static int draw_rows(const struct walk *w, tns_t from, tns_t to)
{
    return w->lane->kind == LANE_LOOP ? draw_iterations(w, from, to) : draw_steps(w, from, to);
}

static sqlite3_stmt *use_level(struct timeline *tl, int64_t key, int level, tns_t from, tns_t to)
{
    static const char sql[] = "SELECT t, t_end, run, worst FROM lod WHERE lane=?1 AND level=?2 AND t>=coalesce("
                              "(SELECT max(t) FROM lod WHERE lane=?1 AND level=?2 AND t<=?3), ?3) AND t<?4 ORDER BY t";

    if (!tl->lod[level])
        tl->lod[level] = query_prepare(tl->trace, sql, 0);
    if (tl->lod[level]) {
        sqlite3_reset(tl->lod[level]);
        sqlite3_bind_int64(tl->lod[level], 1, key);
        sqlite3_bind_int64(tl->lod[level], 2, level);
        sqlite3_bind_int64(tl->lod[level], 3, from);
        sqlite3_bind_int64(tl->lod[level], 4, to);
    }
    return tl->lod[level];
}

static int descend(const struct walk *w, int level, tns_t from, tns_t to)
{
    sqlite3_stmt *s = level < w->bottom ? NULL : use_level(w->tl, w->key, level, from, to);
    tns_t at = from; /* drawn up to here */
    int code, r = 0;

    if (!s)
        return draw_rows(w, from, to);
    while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct span row = { .t = query_int(s, 0, 0), .end = query_int(s, 1, 0), .run = query_int(s, 2, 0) };
        tns_t start = later(row.t, at), end = earlier(row.end, to);
        if (end <= start)
            continue;
        if (start > at)
            r = descend(w, level - 1, at, start);
        if (r == 0 && row.end - row.t > w->column) {
            r = descend(w, level - 1, start, end);
        } else if (r == 0) {
            int64_t worst = query_int(s, 3, 0);
            row.state = row.run > 0 ? SPAN_RUN : worst > SPAN_NONE && worst < SPAN_RUN ? (enum span_state)worst : SPAN_IO;
            if (w->lane->kind == LANE_TASK || row.state == SPAN_RUN) /* a loop that polls is no news */
                emit_part(w, row, start, end);
        }
        at = end;
    }
    r = r ? r : result(s, code);
    sqlite3_reset(s);
    return r == 0 && at < to ? descend(w, level - 1, at, to) : r;
}

static int level_of(struct timeline *tl, enum statement which, int64_t key, int otherwise)
{
    sqlite3_stmt *s = timeline_use(tl, which, 1, key);
    int64_t level = otherwise;

    if (query_step(s))
        level = query_int(s, 0, otherwise);
    if (s)
        sqlite3_reset(s);
    return level >= 0 && level < LOD_LEVELS ? (int)level : otherwise;
}

static int draw_calls(const struct walk *w, tns_t from, tns_t to)
{
    sqlite3_stmt *s = timeline_use(w->tl, Q_CALLS, 2, w->lane->id, from);
    int code = SQLITE_DONE;

    if (!s)
        return 0;
    sqlite3_bind_int64(s, 3, to);
    sqlite3_bind_text(s, 4, w->lane->name, -1, SQLITE_STATIC);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        tns_t t = query_int(s, 0, 0);
        emit(w, SPAN_RUN, t, tns_add(t, query_int(s, 1, 0)), from, to);
    }
    return result(s, code);
}

/* From stall to stall, at most two look-ups a column, however many there are. */
static int draw_stalls(const struct walk *w, tns_t from, tns_t to)
{
    bool by_loop = w->lane->kind == LANE_LOOP, by_task = w->lane->kind == LANE_TASK;
    enum statement next = by_loop ? Q_STALL_NEXT_LOOP : by_task ? Q_STALL_NEXT_TASK : Q_STALL_NEXT_CAUSE;
    tns_t at = from;

    while (at < to) {
        /* The first stall that ends after `at`: a lane's stalls follow each other. */
        sqlite3_stmt *s = timeline_use(w->tl, next, 2, w->lane->id, at);
        if (s && !by_loop && !by_task) {
            sqlite3_bind_text(s, 3, w->lane->name, -1, SQLITE_STATIC);
            sqlite3_bind_int64(s, 4, w->lane->kind == LANE_CALL);
        }
        int code = s ? sqlite3_step(s) : SQLITE_DONE;
        tns_t t = code == SQLITE_ROW ? query_int(s, 0, to) : to;
        tns_t end = code == SQLITE_ROW ? tns_add(t, query_int(s, 1, w->tl->duration - t)) : to;
        if (s)
            sqlite3_reset(s);
        if (code == SQLITE_INTERRUPT)
            return -EINTR;
        if (t >= to)
            return 0;
        if (end > at) {
            struct span stall = { .t = t, .end = end > t ? end : t + 1, .state = SPAN_STALL };
            w->fn(w->arg, &stall);
        }
        /* What else is in the last column of this one cannot be told apart from it. */
        tns_t column_end = from + (later(end, at + 1) - 1 - from) / w->column * w->column + w->column;
        at = later(column_end, at + 1);
    }
    return 0;
}

static int draw_gaps(const struct walk *w, tns_t from, tns_t to)
{
    sqlite3_stmt *s = timeline_use(w->tl, Q_GAPS, 3, w->lane->id, from, to);
    int code = SQLITE_DONE;

    while (s && (code = sqlite3_step(s)) == SQLITE_ROW) {
        tns_t t = query_int(s, 0, 0);
        emit(w, SPAN_GAP, t, later(query_int(s, 1, w->tl->duration), tns_add(t, 1)), from, to);
    }
    return s ? result(s, code) : 0;
}

int timeline_spans(struct timeline *tl, const struct lane *lane, tns_t from, tns_t to, tns_t column, span_fn *fn,
                   void *arg)
{
    struct walk w = { .tl = tl, .lane = lane, .column = column, .fn = fn, .arg = arg };
    bool rows = lane->kind == LANE_LOOP || lane->kind == LANE_TASK;
    tns_t a = later(from, later(lane->born, 0)), b = earlier(to, tl->duration);
    int r = 0;

    if (lane->ended != NS_NONE)
        b = earlier(b, lane->ended);
    if (a >= b)
        return 0;
    if (rows) {
        w.key = lane->kind == LANE_LOOP ? lane->id : -lane->id;
        int top = level_of(tl, Q_LOD_TOP, w.key, -1);
        w.bottom = top < 0 ? 0 : level_of(tl, Q_LOD_BOTTOM, w.key, 0);
        r = top < 0 ? draw_rows(&w, a, b) : descend(&w, top, a, b);
        if (r == 0 && lane->kind == LANE_TASK)
            draw_tail(&w, a, b);
    } else if (lane->kind == LANE_CALL) {
        r = draw_calls(&w, a, b);
    }
    if (r == 0 && lane->kind == LANE_LOOP)
        r = draw_gaps(&w, a, b);
    if (r == 0 && lane->stalls)
        r = draw_stalls(&w, from, to);
    return r;
}

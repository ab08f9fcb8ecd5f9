/* query_report.c - every SELECT of the report.  Linear in the size of the file: no index is relied on, percentiles
 * come from a histogram.  The rows of a damaged or hostile file are clipped to sane values here, once. */
#include "query_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_report_db.h"

#define DEFAULT_THRESHOLD INT64_C(20000000)
#define LATE              INT64_C(10000000) /* a timer this late is worth a word */

/* --- percentiles: a histogram with 128 steps to each power of two, so within 1 % --------------------------------- */

enum { STEP_BITS = 7, STEPS = 1 << STEP_BITS, BUCKETS = (64 - STEP_BITS + 1) * STEPS };
struct histogram {
    uint32_t count[BUCKETS];
};

static int bucket_of(uint64_t v)
{
    if (v < STEPS)
        return (int)v;
    int shift = 63 - __builtin_clzll(v) - STEP_BITS;
    return (shift + 1) * STEPS + (int)(v >> shift) - STEPS;
}

static int64_t bucket_middle(int b)
{
    if (b < STEPS)
        return b;
    int shift = b / STEPS - 1;
    return (int64_t)(((uint64_t)(b % STEPS + STEPS) << shift) + ((UINT64_C(1) << shift) >> 1));
}

static int64_t percentile(const struct histogram *h, int64_t n, double share)
{
    int64_t rank = (int64_t)((double)n * share), seen = 0;
    for (int b = 0; b < BUCKETS; b++) {
        seen += h->count[b];
        if (seen > rank)
            return bucket_middle(b);
    }
    return 0;
}

/* --- tables ---------------------------------------------------------------------------------------------------- */

static int64_t meta_int(struct trace *t, const char *key)
{
    sqlite3_stmt *s = query_prepare(t, "SELECT CAST(value AS INT) FROM meta WHERE key = ?1 AND value IS NOT NULL", 0);
    if (s)
        sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    int64_t v = query_step(s) ? query_int(s, 0, NOT_KNOWN) : NOT_KNOWN;
    query_end(t, s);
    return v;
}

static const char *meta_text(struct trace *t, struct pool *p, const char *key)
{
    sqlite3_stmt *s = query_prepare(t, "SELECT value FROM meta WHERE key = ?1", 0);
    if (s)
        sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    const char *text = query_step(s) ? pool_text(p, s, 0) : "";
    query_end(t, s);
    return text;
}

int64_t report_t0(struct trace *t)
{
    int64_t t0 = meta_int(t, "t0_realtime_ns");
    return t0 < 0 || t0 > INT64_MAX / 2 ? NOT_KNOWN : t0; /* a moment after it must not overflow */
}

/* The last moment the file knows of, for a recording that has not said how long it was. */
static int64_t last_moment(struct trace *t)
{
    static const char *const sources[] = {
        "SELECT t + coalesce(poll, 0) + coalesce(busy, 0) FROM iteration ORDER BY id DESC LIMIT 1",
        "SELECT t + coalesce(run, 0) FROM step ORDER BY id DESC LIMIT 1",
        "SELECT max(t + coalesce(dur, 0)) FROM stall",
        "SELECT max(t_end) FROM gap",
        "SELECT max(t_end) FROM process",
    };
    int64_t last = 0;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        int64_t v = clip(number(t, sources[i]), 0, TIME_MAX);
        last = v > last ? v : last;
    }
    return last;
}

static void load_session(struct trace *t, struct report_data *d)
{
    struct report_session *s = &d->session;
    s->path = pool_safe(d->pool, t->path);
    s->version = meta_text(t, d->pool, "loopscope_version");
    s->host = meta_text(t, d->pool, "host");
    s->kernel = meta_text(t, d->pool, "kernel");
    s->clock = meta_text(t, d->pool, "clock");
    s->argv = meta_text(t, d->pool, "argv");
    s->ended_by = meta_text(t, d->pool, "ended_by");
    s->attached = meta_int(t, "processes_attached");
    s->refused = meta_int(t, "threads_refused");
    s->t0_realtime = report_t0(t);
    s->duration = meta_int(t, "duration_ns");
    s->duration = s->duration == NOT_KNOWN ? last_moment(t) : clip(s->duration, 0, TIME_MAX);
    s->threshold = clip(known(meta_int(t, "threshold_ns"), DEFAULT_THRESHOLD), 1, TIME_MAX);
    s->call_min = meta_int(t, "call_min_ns");
    s->events = meta_int(t, "events");
    s->lost = meta_int(t, "lost");
    s->rows_lost = meta_int(t, "rows_lost");
    s->recorder_cpu = meta_int(t, "recorder_cpu_ns");
    s->exit_status = meta_int(t, "exit_status");
    s->exit_signal = meta_int(t, "exit_signal");
    s->finalized = t->finalized;
    s->recording = !t->finalized && t->recorder_alive;
    s->threads = number(t, "SELECT count(*) FROM thread");
    s->tasks = number(t, "SELECT count(*) FROM task");
    s->scripted = number(t, "SELECT count(*) FROM frame WHERE language IN ('python', 'js')");
}

static void load_processes(struct trace *t, struct report_data *d)
{
    sqlite3_stmt *s = query_prepare(
        t, "SELECT id, pid, parent, t, t_end, exit_status, exit_signal, exe, cmdline FROM process ORDER BY id", 0);
    while (query_step(s)) {
        struct report_process *p = PUSH(d, processes);
        p->id = query_int(s, 0, 0);
        p->pid = query_int(s, 1, NOT_KNOWN);
        p->parent = query_int(s, 2, NOT_KNOWN);
        p->t = time_of(s, 3);
        p->t_end = time_of(s, 4);
        p->exit_status = query_int(s, 5, NOT_KNOWN);
        p->exit_signal = query_int(s, 6, NOT_KNOWN);
        p->exe = pool_text(d->pool, s, 7);
        p->cmdline = pool_text(d->pool, s, 8);
    }
    query_end(t, s);
}

static int process_index(const struct report_data *d, int64_t id)
{
    for (int lo = 0, hi = d->n_processes; lo < hi;) {
        int mid = lo + (hi - lo) / 2;
        if (d->processes[mid].id == id)
            return mid;
        if (d->processes[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

static int loop_index(const struct report_data *d, int64_t id)
{
    for (int lo = 0, hi = d->n_loops; lo < hi;) {
        int mid = lo + (hi - lo) / 2;
        if (d->loops[mid].id == id)
            return mid;
        if (d->loops[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

static void load_loops(struct trace *t, struct report_data *d)
{
    sqlite3_stmt *s = query_prepare(t,
                                    "SELECT l.id, l.thread, h.tid, h.process, l.kind, l.name, h.name, l.t, l.t_end"
                                    "  FROM loop l LEFT JOIN thread h ON h.id = l.thread ORDER BY l.id",
                                    0);
    while (query_step(s)) {
        struct report_loop *l = PUSH(d, loops);
        l->id = query_int(s, 0, 0);
        l->thread = query_int(s, 1, NOT_KNOWN);
        l->tid = query_int(s, 2, NOT_KNOWN);
        l->process = process_index(d, query_int(s, 3, NOT_KNOWN));
        l->kind = pool_text(d->pool, s, 4);
        l->name = pool_text(d->pool, s, 5);
        l->thread_name = pool_text(d->pool, s, 6);
        l->t = time_of(s, 7);
        l->t_end = time_of(s, 8);
        l->busy_p50 = l->busy_p99 = l->busy_max = l->busy_max_t = NOT_KNOWN;
        if (l->process >= 0)
            d->processes[l->process].n_loops++;
    }
    query_end(t, s);
}

/* How much of [a, b) lies in the range. */
static int64_t inside(const struct report_data *d, int64_t a, int64_t b)
{
    int64_t lo = a > d->from ? a : d->from, hi = b < d->to ? b : d->to;
    return hi > lo ? hi - lo : 0;
}

static void add_iteration(const struct report_data *d, struct report_loop *l, struct histogram *h, sqlite3_stmt *s)
{
    int64_t at = known(time_of(s, 1), 0), poll = known(time_of(s, 2), 0), busy = known(time_of(s, 3), 0);
    int64_t ready = query_int(s, 4, 0), asked = query_int(s, 5, 0), timeout = query_int(s, 6, NOT_KNOWN);
    int64_t back = at + poll, end = back + busy;
    if (end < d->from || at >= d->to)
        return;
    l->poll = clip(l->poll + inside(d, at, back), 0, TIME_MAX);
    l->busy = clip(l->busy + inside(d, back, end), 0, TIME_MAX);
    l->empty_polls += timeout == 0 && ready == 0;
    l->full_polls += asked > 1 && ready == asked;
    if (timeout > 0 && timeout < TIME_MAX && poll > timeout + LATE) {
        l->late_polls++;
        l->late_max = poll - timeout > l->late_max ? poll - timeout : l->late_max;
    }
    l->iterations++;
    h->count[bucket_of((uint64_t)busy)]++;
    if (busy > l->busy_max) { /* NOT_KNOWN is below everything */
        l->busy_max = busy;
        l->busy_max_t = back;
    }
}

static void load_iterations(struct trace *t, struct report_data *d)
{
    struct histogram **h = calloc((size_t)d->n_loops + 1, sizeof *h);
    sqlite3_stmt *s = query_prepare(t, "SELECT loop, t, poll, busy, ready, max_ready, timeout FROM iteration", 0);
    int i = -1;
    if (!h)
        pool_fail(d->pool);
    while (h && query_step(s)) {
        int64_t id = query_int(s, 0, NOT_KNOWN);
        if (i < 0 || d->loops[i].id != id)
            i = loop_index(d, id);
        if (i < 0)
            continue;
        if (!h[i] && !(h[i] = calloc(1, sizeof **h))) {
            pool_fail(d->pool);
            break;
        }
        add_iteration(d, &d->loops[i], h[i], s);
    }
    query_end(t, s);
    for (i = 0; h && i < d->n_loops; i++) {
        struct report_loop *l = &d->loops[i];
        if (h[i] && l->iterations > 0) {
            l->busy_p50 = clip(percentile(h[i], l->iterations, 0.50), 0, l->busy_max);
            l->busy_p99 = clip(percentile(h[i], l->iterations, 0.99), 0, l->busy_max);
        }
        free(h[i]);
    }
    free(h);
}

static void load_stalls(struct trace *t, struct report_data *d)
{
    bool older = !query_has_column(t, "stall", "allowed");
    /* The poll after the stall tells how many events had gathered.  Its row comes soon after; no further than that,
     * so that a file whose loops do not fit costs no more. */
    char *sql = sqlite3_mprintf(
        "SELECT s.id, s.loop, s.thread, s.task, s.t, s.dur, s.cause, s.detail, s.fingerprint, k.name, k.site, s.cpu,"
        "       s.runq, s.blocked, s.majflt, s.call, c.name, s.stack, coalesce(s.victims, (SELECT i.ready"
        "         FROM iteration i WHERE i.id > s.iteration AND i.id < s.iteration + 256 AND i.loop = s.loop"
        "        ORDER BY i.id LIMIT 1)), s.victim_sum, s.victim_max, s.suppressed, s.in_gap, c.stack, %s"
        "  FROM stall s LEFT JOIN task k ON k.id = s.task LEFT JOIN call c ON c.id = s.call"
        " WHERE s.t < ?2 AND (s.dur IS NULL OR s.t + s.dur > ?1) ORDER BY s.id",
        older ? "NULL" : "s.allowed");
    sqlite3_stmt *s = query_prepare(t, sql ? sql : "", 2, d->from, d->to);
    while (query_step(s)) {
        const char *allowed = pool_text(d->pool, s, 24);
        struct report_stall *x = *allowed ? PUSH(d, allowed) : PUSH(d, stalls);
        x->allowed = allowed;
        x->id = query_int(s, 0, 0);
        x->loop_id = query_int(s, 1, NOT_KNOWN);
        x->loop = loop_index(d, x->loop_id);
        x->thread = query_int(s, 2, NOT_KNOWN);
        x->task = query_int(s, 3, NOT_KNOWN);
        x->t = known(time_of(s, 4), 0);
        x->ongoing = sqlite3_column_type(s, 5) == SQLITE_NULL;
        x->dur = x->ongoing ? clip(d->session.duration - x->t, 0, TIME_MAX) : known(time_of(s, 5), 0);
        x->cause = pool_text(d->pool, s, 6);
        x->detail = pool_text(d->pool, s, 7);
        x->fingerprint = pool_text(d->pool, s, 8);
        x->task_name = pool_text(d->pool, s, 9);
        x->task_site = query_int(s, 10, NOT_KNOWN);
        x->cpu = time_of(s, 11);
        x->runq = time_of(s, 12);
        x->blocked = time_of(s, 13);
        x->majflt = time_of(s, 14);
        x->call = query_int(s, 15, NOT_KNOWN);
        x->call_name = pool_text(d->pool, s, 16);
        x->stack = query_int(s, 17, query_int(s, 23, NOT_KNOWN));
        x->victims = time_of(s, 18);
        x->victim_sum = time_of(s, 19);
        x->victim_max = time_of(s, 20);
        x->suppressed = clip(query_int(s, 21, 0), 0, TIME_MAX);
        x->in_gap = query_int(s, 22, 0);
    }
    query_end(t, s);
    sqlite3_free(sql);
}

static struct report_stall *stall_by_id(struct report_data *d, int64_t id)
{
    for (int lo = 0, hi = d->n_stalls; lo < hi;) {
        int mid = lo + (hi - lo) / 2;
        if (d->stalls[mid].id == id)
            return &d->stalls[mid];
        if (d->stalls[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static void load_samples(struct trace *t, struct report_data *d)
{
    sqlite3_stmt *s = query_prepare(t, "SELECT stall, stack, partial FROM sample", 0);
    while (query_step(s)) {
        struct report_stall *x = stall_by_id(d, query_int(s, 0, NOT_KNOWN));
        bool partial = query_int(s, 2, 0) != 0;
        if (!x)
            continue;
        d->session.samples++;
        d->session.samples_partial += partial;
        x->n_samples += x->n_samples < INT32_MAX;
        x->partial |= partial && query_int(s, 1, NOT_KNOWN) == x->stack;
    }
    query_end(t, s);
}

static void load_calls(struct trace *t, struct report_data *d)
{
    /* Exactly one max(): SQLite then takes the bare columns from the row that has it. */
    sqlite3_stmt *s = query_prepare(
        t,
        "SELECT name, detail, dur >= ?3, count(*), total(dur), max(dur), fd, t, stack, loop, task FROM call"
        " WHERE t < ?2 AND t + dur > ?1 GROUP BY name, detail, dur >= ?3, CASE WHEN detail IS NULL THEN fd END"
        " ORDER BY total(dur) DESC",
        3, d->from, d->to, d->session.threshold);
    while (query_step(s)) {
        struct report_call *c = PUSH(d, calls);
        c->name = pool_text(d->pool, s, 0);
        c->detail = pool_text(d->pool, s, 1);
        c->over = query_int(s, 2, 0) != 0;
        c->n = query_int(s, 3, 0);
        c->total = known(time_of(s, 4), 0);
        c->longest = known(time_of(s, 5), 0);
        c->fd = query_int(s, 6, NOT_KNOWN);
        c->t = time_of(s, 7);
        c->stack = query_int(s, 8, NOT_KNOWN);
        c->loop_id = query_int(s, 9, NOT_KNOWN);
        c->task = query_int(s, 10, NOT_KNOWN);
    }
    query_end(t, s);
}

static void load_gaps(struct trace *t, struct report_data *d)
{
    sqlite3_stmt *s = query_prepare(t,
                                    "SELECT thread, t, t_end, lost, reason FROM gap"
                                    " WHERE coalesce(t, 0) < ?2 AND coalesce(t_end, ?2) >= ?1 ORDER BY t",
                                    2, d->from, d->to);
    int64_t lost = 0;
    while (query_step(s)) {
        struct report_gap *g = PUSH(d, gaps);
        g->thread = query_int(s, 0, NOT_KNOWN);
        g->t = time_of(s, 1);
        g->t_end = time_of(s, 2);
        g->lost = clip(query_int(s, 3, 0), 0, TIME_MAX);
        g->reason = pool_text(d->pool, s, 4);
        lost = clip(lost + g->lost, 0, TIME_MAX);
    }
    query_end(t, s);
    if (d->ranged || d->session.lost < lost) /* NOT_KNOWN is below everything */
        d->session.lost = lost;
}

static void load_notices(struct trace *t, struct report_data *d)
{
    sqlite3_stmt *s = query_prepare(t, "SELECT t, process, n, kind, text FROM notice ORDER BY id", 0);
    while (query_step(s)) {
        struct report_notice *n = PUSH(d, notices);
        n->t = time_of(s, 0);
        n->process = query_int(s, 1, NOT_KNOWN);
        n->n = query_int(s, 2, 1);
        n->kind = pool_text(d->pool, s, 3);
        n->text = pool_text(d->pool, s, 4);
    }
    query_end(t, s);
}

/* NULL, or why it cannot be read: the first failure of any query, kept by query_end. */
static const char *load_all(struct trace *t, struct report_data *d, const struct report_range *range)
{
    d->from = range->from > 0 ? range->from : 0;
    d->to = range->to;
    d->ranged = range->from > 0 || range->to < INT64_MAX;
    load_session(t, d);
    load_processes(t, d);
    load_loops(t, d);
    load_iterations(t, d);
    load_stalls(t, d);
    load_samples(t, d);
    load_calls(t, d);
    report_load_tasks(t, d, range->tasks_max);
    load_gaps(t, d);
    load_notices(t, d);
    if (d->to > d->session.duration)
        d->to = d->session.duration;
    return *t->failure ? t->failure : pool_failed(d->pool) ? "out of memory" : NULL;
}

int report_load(struct trace *t, const struct report_range *range, struct report_data **ret_data, char *ret_error,
                int error_size)
{
    struct report_data *d = calloc(1, sizeof *d);
    struct pool *pool = pool_new();
    const char *error = "out of memory";
    if (d && pool) {
        d->pool = pool;
        query_guard(t, true);
        error = load_all(t, d, range);
        if (error)
            snprintf(ret_error, (size_t)error_size, "%s: damaged (%s); `loopscope repair` may save what is left",
                     t->path, error);
        query_guard(t, false);
    } else {
        snprintf(ret_error, (size_t)error_size, "%s: out of memory", t->path);
        pool_free(pool);
        free(d);
        return -1;
    }
    if (error) {
        report_free(d);
        return -1;
    }
    *ret_data = d;
    return 0;
}

void report_free(struct report_data *d)
{
    if (!d)
        return;
    pool_free(d->pool);
    free(d->processes);
    free(d->loops);
    free(d->stalls);
    free(d->allowed);
    free(d->calls);
    free(d->tasks);
    free(d->groups);
    free(d->failures);
    free(d->unobserved);
    free(d->gaps);
    free(d->notices);
    free(d);
}

/* --- code ------------------------------------------------------------------------------------------------------ */

static void column_text(sqlite3_stmt *s, int column, char *ret_text, int size)
{
    const char *raw = (const char *)sqlite3_column_text(s, column);
    human_clean(raw ? raw : "", ret_text, size);
}

int report_stack(struct trace *t, int64_t id, struct report_frame *ret_frames, int max)
{
    sqlite3_stmt *s =
        query_prepare(t,
                      "SELECT k.parent, f.function, f.file, f.line, f.address, f.noise, f.language, m.path FROM stack k"
                      "  LEFT JOIN frame f ON f.id = k.frame LEFT JOIN module m ON m.id = f.module WHERE k.id = ?1",
                      0);
    int n = 0;
    while (s && id != NOT_KNOWN && n < max) { /* max also ends a circle of parents in a damaged file */
        sqlite3_bind_int64(s, 1, id);
        if (!query_step(s))
            break;
        struct report_frame *f = &ret_frames[n++];
        id = query_int(s, 0, NOT_KNOWN);
        column_text(s, 1, f->function, sizeof f->function);
        column_text(s, 2, f->file, sizeof f->file);
        f->line = query_int(s, 3, 0);
        f->address = query_int(s, 4, 0);
        f->noise = clip(query_int(s, 5, NOISE_USER), NOISE_USER, NOISE_PROBE);
        column_text(s, 6, f->language, sizeof f->language);
        column_text(s, 7, f->module, sizeof f->module);
        sqlite3_reset(s);
    }
    query_end(t, s);
    return n;
}

bool report_site(struct trace *t, int64_t id, struct report_frame *ret_frame)
{
    if (id == NOT_KNOWN || id == 0)
        return false;
    sqlite3_stmt *s = query_prepare(t, "SELECT function, file, line FROM site WHERE id = ?1", 1, id);
    bool found = query_step(s);
    if (found) {
        *ret_frame = (struct report_frame){ .line = query_int(s, 2, 0) };
        column_text(s, 0, ret_frame->function, sizeof ret_frame->function);
        column_text(s, 1, ret_frame->file, sizeof ret_frame->file);
    }
    query_end(t, s);
    return found;
}

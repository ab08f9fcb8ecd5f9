/* store.c - the trace file while it is written.  Owns the SQLite connection; used by the storing thread.
 *
 * Rows go in without any index; a commit comes every 200 ms, so that a reader sees the present and a crash costs little.
 * A failed write (full disk) costs the rows of one commit; the file stays valid, later rows are counted, and a try a
 * second tells whether there is room again.  Then a `gap` row says what is missing. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "../../include/loopscope/probe.h"
#include "store_db.h"

#define MS           1000000ull
#define COMMIT_EVERY (200 * MS)
#define RETRY_EVERY  (1000 * MS)
#define PAGE         65536
#define PAGE_SMALL   4096 /* where there is little room: each table and index takes a page at least */
#define LITTLE_ROOM  (64 << 20)
#define RESERVE_MAX  (32 << 20)
#define ROW_BYTES    40 /* in the file, about */

static const char schema[] = {
#include "schema.inc"
};

/* Columns in the order of the row's bind below; `update`: a later row with the same id completes the earlier one. */
static const struct {
    const char *name, *columns;
    bool update;
} tables[TABLES] = {
    [T_META] = { "meta", "key,value", true },
    [T_PROCESS] = { "process", "id,pid,parent,exe,cmdline,t,t_end,exit_status,exit_signal", true },
    [T_THREAD] = { "thread", "id,process,tid,name,t,t_end", true },
    [T_LOOP] = { "loop", "id,thread,kind,name,t,t_end", true },
    [T_TASK] = { "task",
                 "id,process,loop,parent,name,site,t,t_end,state,outcome,error,observed,detached,why,target,wait_site,"
                 "since,steps,run,queue,wait,run_max,run_max_site,queue_max",
                 true },
    [T_OBJECT] = { "object", "id,process,kind,name,site,fd,t,t_end", true },
    [T_ALLOW] = { "allow", "id,thread,t,t_end,why", true },
    [T_CALL] = { "call", "id,thread,loop,task,t,dur,name,fd,detail,result,error,stack", true },
    [T_MARK] = { "mark", "id,thread,task,t,dur,name,value,text", false },
    [T_GAP] = { "gap", "thread,t,t_end,lost,reason",
                false }, /* ids by SQLite: some of these rows are the store's own */
    [T_STALL] = { "stall",
                  "id,loop,thread,iteration,task,t,dur,cause,detail,cpu,runq,blocked,majflt,call,stack,"
                  "fingerprint,victims,victim_sum,victim_max,suppressed,in_gap,allowed",
                  true },
    [T_SAMPLE] = { "sample", "id,stall,thread,t,stack,partial", false },
    [T_MODULE] = { "module", "id,process,path,build_id,base,size", true },
    [T_FRAME] = { "frame", "id,module,address,function,file,line,language,noise", true },
    [T_STACK] = { "stack", "id,parent,frame", false },
    [T_SITE] = { "site", "id,function,file,line", true },
    [T_NOTICE] = { "notice", "id,t,process,n,kind,text", true },
};

static ns_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ns_t)t.tv_sec * 1000 * MS + (ns_t)t.tv_nsec;
}

int store_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int store_errno(sqlite3 *db, int rc)
{
    int os = sqlite3_system_errno(db);
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW: return 0;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_READONLY: return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH: return -EACCES;
    case SQLITE_CANTOPEN: return os ? -os : -ENOENT;
    default: return os ? -os : -EIO;
    }
}

/* --- failing and going on --------------------------------------------------------------------------------------- */

/* A write failed: what was not committed is gone.  The file is as it was at the last commit. */
static void fail(struct store *s, int rc)
{
    int error = store_errno(s->db, rc);
    bool full = error == -ENOSPC || error == -EDQUOT || error == -EFBIG;
    if (!s->error) {
        s->error = error;
        snprintf(s->error_text, sizeof s->error_text, "%s", full ? "the disk is full" : sqlite3_errmsg(s->db));
    }
    if (!s->failing) {
        s->failing = true;
        s->gap_from = s->committed_t;
        s->gap_reason = full ? "disk full" : "write error";
    }
    if (!sqlite3_get_autocommit(s->db))
        store_exec(s->db, "ROLLBACK");
    s->in_tx = false;
    s->lost += s->tx_rows;
    s->gap_lost += s->tx_rows;
    s->tx_rows = 0;
    store_batch_drop(&s->step);
    store_batch_drop(&s->iteration);
    store_batch_drop(&s->lod);
    store_batch_drop(&s->hold);
    store_batch_drop(&s->member);
    s->retry = now_ns() + RETRY_EVERY;
}

/* A row comes: is there a transaction that can take it? */
static bool ready(struct store *s)
{
    if (!s->in_tx && !(s->failing && now_ns() < s->retry)) {
        int rc = store_exec(s->db, "BEGIN");
        if (rc == SQLITE_OK)
            s->in_tx = true;
        else
            fail(s, rc);
    }
    if (!s->in_tx) {
        s->lost++;
        s->gap_lost++;
        return false;
    }
    s->tx_rows++;
    return true;
}

static int flush(struct store *s)
{
    int rc = store_batch_flush(&s->step);
    if (rc == SQLITE_OK)
        rc = store_batch_flush(&s->iteration);
    if (rc == SQLITE_OK)
        rc = store_batch_flush(&s->lod);
    if (rc == SQLITE_OK)
        rc = store_batch_flush(&s->hold);
    if (rc == SQLITE_OK)
        rc = store_batch_flush(&s->member);
    return rc;
}

static void put(struct store *s, enum table table, const char *format, ...);
static void write_task(struct store *s, const struct row_task *r);

static bool commit(struct store *s)
{
    if (!s->in_tx)
        return !s->failing;
    int rc = flush(s);
    if (rc == SQLITE_OK)
        rc = store_exec(s->db, "COMMIT");
    if (rc != SQLITE_OK) {
        fail(s, rc);
        return false;
    }
    s->in_tx = false;
    s->tx_rows = 0;
    s->committed_t = s->last_t;
    return true;
}

/* There is room again: the trace says what it lacks. */
static void tell_gap(struct store *s)
{
    s->failing = false;
    put(s, T_GAP, "iiiit", ROW_NULL, s->gap_from, s->last_t, (int64_t)s->gap_lost, s->gap_reason);
    if (commit(s)) {
        s->gap_lost = 0;
    } else { /* its own row is no loss */
        s->lost--;
        s->gap_lost--;
    }
}

void store_commit(struct store *s, bool now)
{
    ns_t t = now_ns();
    if (!now && t - s->committed < COMMIT_EVERY && s->tx_rows + newborns_count(s->newborns) < s->tx_max)
        return;
    s->committed = t;
    if (now)
        s->retry = 0;
    for (const struct row_task *r; (r = newborns_take(s->newborns, 0));)
        write_task(s, r);
    if (s->failing && !s->in_tx && t >= s->retry) {
        tell_gap(s);
        /* Where the log has filled the disk: what of it goes into the file makes room in the log, for the next try. */
        if (s->failing)
            sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    } else if (commit(s) && s->failing) {
        tell_gap(s);
    }
}

/* --- rows ------------------------------------------------------------------------------------------------------- */

static int bind(sqlite3_stmt *stmt, const char *format, va_list args)
{
    int rc = SQLITE_OK;
    for (int i = 1; *format && rc == SQLITE_OK; i++, format++) {
        if (*format == 't') {
            rc = sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else if (*format == 'd') {
            rc = sqlite3_bind_double(stmt, i, va_arg(args, double));
        } else {
            int64_t v = va_arg(args, int64_t);
            rc = v == ROW_NULL ? sqlite3_bind_null(stmt, i) : sqlite3_bind_int64(stmt, i, v);
        }
    }
    return rc;
}

static void run(struct store *s, sqlite3_stmt *stmt, const char *format, va_list args)
{
    if (!ready(s))
        return;
    int rc = bind(stmt, format, args);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if ((rc & 0xff) == SQLITE_CONSTRAINT) { /* an id twice: the first row stays */
        s->lost++;
        s->tx_rows--;
    } else if (rc != SQLITE_DONE) {
        fail(s, rc);
    }
}

/* One row; format: i int64_t (ROW_NULL is NULL), t text (NULL too), d double; a column each. */
static void put(struct store *s, enum table table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    run(s, s->insert[table], format, args);
    va_end(args);
}

/* The same with a statement that is no INSERT. */
static void update(struct store *s, sqlite3_stmt *stmt, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    run(s, stmt, format, args);
    va_end(args);
}

static void at(struct store *s, int64_t t)
{
    if (t != ROW_NULL && t > s->last_t)
        s->last_t = t;
}

void store_meta_text(struct store *s, const char *key, const char *value)
{
    put(s, T_META, "tt", key, value);
}

void store_meta_int(struct store *s, const char *key, int64_t value)
{
    if (strcmp(key, "threshold_ns") == 0)
        summary_threshold(s->summary, value);
    put(s, T_META, "ti", key, value);
}

void store_process(struct store *s, const struct row_process *r)
{
    put(s, T_PROCESS, "iiittiiii", r->id, r->pid, r->parent, r->exe, r->cmdline, r->t, r->t_end, r->exit_status,
        r->exit_signal);
}

void store_thread(struct store *s, const struct row_thread *r)
{
    put(s, T_THREAD, "iiitii", r->id, r->process, r->tid, r->name, r->t, r->t_end);
}

void store_loop(struct store *s, const struct row_loop *r)
{
    put(s, T_LOOP, "iittii", r->id, r->thread, r->kind, r->name, r->t, r->t_end);
}

static void write_task(struct store *s, const struct row_task *r)
{
    put(s, T_TASK, "iiiitiiittiiiiiiiiiiiiii", r->id, r->process, r->loop, r->parent, r->name, r->site, r->t, r->t_end,
        r->state, r->outcome, r->error, r->observed, r->detached, r->why, r->target, r->wait_site, r->since, r->steps,
        r->run, r->queue, r->wait, r->run_max, r->run_max_site, r->queue_max);
    if (r->t_end != ROW_NULL)
        summary_close(s->summary, -r->id);
}

void store_task(struct store *s, const struct row_task *r)
{
    const struct row_task *now = newborns_add(s->newborns, r);
    if (now)
        write_task(s, now);
}

void store_task_later(struct store *s, int64_t task, bool observed, bool detached)
{
    const struct row_task *kept = newborns_take(s->newborns, task);
    if (kept)
        write_task(s, kept);
    update(s, s->task_later, "iii", task, (int64_t)observed, (int64_t)detached);
}

_Static_assert(sizeof(struct row_step) == 11 * sizeof(int64_t), "the row as it is in memory is the row in the file");
_Static_assert(sizeof(struct row_iteration) == 8 * sizeof(int64_t), "likewise");
_Static_assert(sizeof(struct row_lod) == 10 * sizeof(int64_t), "likewise");
_Static_assert(sizeof(struct row_hold) == 5 * sizeof(int64_t), "likewise");
_Static_assert(sizeof(struct row_member) == 3 * sizeof(int64_t), "likewise");

static void put_batch(struct store *s, struct store_batch *b, const void *row)
{
    int64_t id;
    int rc;
    if (!ready(s))
        return;
    memcpy(&id, row, sizeof id);
    int64_t *cells = store_batch_row(b, id, &rc);
    if (cells)
        memcpy(cells, row, (size_t)b->columns * sizeof *cells);
    else
        fail(s, rc);
}

void store_step(struct store *s, const struct row_step *r)
{
    at(s, r->t);
    put_batch(s, &s->step, r);
    summary_step(s->summary, r);
}

void store_iteration(struct store *s, const struct row_iteration *r)
{
    at(s, r->t);
    put_batch(s, &s->iteration, r);
    summary_iteration(s->summary, r);
}

static void store_lod(void *ctx, const struct row_lod *r)
{
    struct store *s = ctx;
    put_batch(s, &s->lod, r);
}

void store_object(struct store *s, const struct row_object *r)
{
    put(s, T_OBJECT, "iittiiii", r->id, r->process, r->kind, r->name, r->site, r->fd, r->t, r->t_end);
}

void store_hold(struct store *s, const struct row_hold *r)
{
    put_batch(s, &s->hold, r);
}

void store_member(struct store *s, const struct row_member *r)
{
    put_batch(s, &s->member, r);
}

void store_allow(struct store *s, const struct row_allow *r)
{
    put(s, T_ALLOW, "iiiit", r->id, r->thread, r->t, r->t_end, r->why);
}

void store_call(struct store *s, const struct row_call *r)
{
    at(s, r->t);
    put(s, T_CALL, "iiiiiititiii", r->id, r->thread, r->loop, r->task, r->t, r->dur, r->name, r->fd, r->detail,
        r->result, r->error, r->stack);
}

void store_mark(struct store *s, const struct row_mark *r)
{
    put(s, T_MARK, "iiiiitdt", r->id, r->thread, r->task, r->t, r->dur, r->name, r->value, r->text);
}

void store_gap(struct store *s, const struct row_gap *r)
{
    at(s, r->t_end);
    put(s, T_GAP, "iiiit", r->thread, r->t, r->t_end, r->lost, r->reason);
}

void store_stall(struct store *s, const struct row_stall *r)
{
    put(s, T_STALL, "iiiiiiittiiiiiitiiiiit", r->id, r->loop, r->thread, r->iteration, r->task, r->t, r->dur, r->cause,
        r->detail, r->cpu, r->runq, r->blocked, r->majflt, r->call, r->stack, r->fingerprint, r->victims, r->victim_sum,
        r->victim_max, r->suppressed, r->in_gap, r->allowed);
}

void store_sample(struct store *s, const struct row_sample *r)
{
    put(s, T_SAMPLE, "iiiiii", r->id, r->stall, r->thread, r->t, r->stack, r->partial);
}

void store_module(struct store *s, const struct row_module *r)
{
    put(s, T_MODULE, "iittii", r->id, r->process, r->path, r->build_id, r->base, r->size);
}

void store_frame(struct store *s, const struct row_frame *r)
{
    put(s, T_FRAME, "iiittiti", r->id, r->module, r->address, r->function, r->file, r->line, r->language, r->noise);
}

void store_stack(struct store *s, const struct row_stack *r)
{
    put(s, T_STACK, "iii", r->id, r->parent, r->frame);
}

void store_site(struct store *s, const struct row_site *r)
{
    put(s, T_SITE, "itti", r->id, r->function, r->file, r->line);
}

void store_notice(struct store *s, const struct row_notice *r)
{
    put(s, T_NOTICE, "iiiitt", r->id, r->t, r->process, r->n, r->kind, r->text);
}

/* --- open and close --------------------------------------------------------------------------------------------- */

/* INSERT INTO t(a,b) VALUES(?,?), and what a second row with the same key changes: all that it knows. */
static int prepare(struct store *s, enum table table)
{
    char sql[2048], columns[512], *save;
    size_t n =
        (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s(%s) VALUES(", tables[table].name, tables[table].columns);
    for (const char *c = tables[table].columns; c; c = strchr(c + 1, ','))
        n += (size_t)snprintf(sql + n, sizeof sql - n, "%s", c == tables[table].columns ? "?" : ",?");
    n += (size_t)snprintf(sql + n, sizeof sql - n, ")");
    if (tables[table].update) {
        snprintf(columns, sizeof columns, "%s", tables[table].columns);
        char *key = strtok_r(columns, ",", &save);
        n += (size_t)snprintf(sql + n, sizeof sql - n, " ON CONFLICT(%s) DO UPDATE SET ", key);
        const char *comma = "";
        for (char *c; (c = strtok_r(NULL, ",", &save)); comma = ",")
            n += (size_t)snprintf(sql + n, sizeof sql - n, "%s%s=coalesce(excluded.%s,%s)", comma, c, c, c);
    }
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->insert[table], NULL);
}

static int fill_why(sqlite3 *db)
{
    static const char *const names[LS_WHYS] = { "spawn",     "yield",     "sleep",  "fd",      "task",      "group",
                                                "lock",      "cond",      "event",  "sem",     "queue_put", "queue_get",
                                                "chan_send", "chan_recv", "select", "barrier", "future",    "thread",
                                                "dns",       "child",     "signal", "file",    "user",      "end" };
    char sql[1024];
    size_t n = (size_t)snprintf(sql, sizeof sql, "INSERT INTO why VALUES");
    for (int i = 0; i < LS_WHYS; i++)
        n += (size_t)snprintf(sql + n, sizeof sql - n, "%s(%d,'%s')", i ? "," : "", i, names[i]);
    return store_exec(db, sql);
}

/* Does a process hold the file open as SQLite does?  (It locks bytes there, see "File Locking" of SQLite's manual.) */
static bool in_use(const char *path)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool used = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return used;
}

static int name_of(char *buf, size_t size, const char *path, const char *suffix)
{
    return (size_t)snprintf(buf, size, "%s%s", path, suffix) < size ? 0 : -ENAMETOOLONG;
}

/* FILE becomes FILE.old, with the log of a recording that was not finished; an older .old goes. */
static int keep_old(const char *path)
{
    char from[4200], to[4200], wal[4200];
    struct stat st;
    int r = name_of(wal, sizeof wal, path, "-wal");
    if (r < 0 || stat(path, &st) < 0)
        return r;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode)) /* root could move /dev/null away from everybody */
        return -EINVAL;
    if (access(wal, F_OK) == 0 && in_use(path))
        return -EBUSY;
    static const char *const stale[] = { ".old-wal", ".old-shm", ".old-journal", "-shm" };
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++) {
        if ((r = name_of(from, sizeof from, path, stale[i])) < 0)
            return r;
        unlink(from);
    }
    static const char *const moved[][2] = { { "-wal", ".old-wal" }, { "-journal", ".old-journal" }, { "", ".old" } };
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        name_of(from, sizeof from, path, moved[i][0]);
        name_of(to, sizeof to, path, moved[i][1]);
        if (rename(from, to) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

/* Room that is given back when the disk is full and the file has to be finished, in a file without a name. */
static off_t hold_reserve(struct store *s, int *ret_page)
{
    char dir[4200];
    struct statvfs fs;
    *ret_page = PAGE;
    snprintf(dir, sizeof dir, "%s", s->path);
    char *slash = strrchr(dir, '/');
    snprintf(slash ? slash + (slash == dir) : dir, 2, "%s", slash ? "" : ".");
    if (statvfs(dir, &fs) < 0 || !fs.f_blocks) /* a tmpfs without a limit says 0 */
        return RESERVE_MAX;
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize, share = room / 16;
    if (room < LITTLE_ROOM) {
        *ret_page = PAGE_SMALL;
        share = room / 6;
    }
    off_t size = share < RESERVE_MAX ? (off_t)share : RESERVE_MAX;
    s->reserve = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->reserve >= 0 && fallocate(s->reserve, 0, 0, size) < 0) {
        close(s->reserve);
        s->reserve = -1;
    }
    return size;
}

static void free_reserve(struct store *s)
{
    if (s->reserve >= 0)
        close(s->reserve);
    s->reserve = -1;
}

static int open_db(struct store *s)
{
    char pragmas[256];
    int page, rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return rc;
    /* The log is kept so small (in pages before it is taken into the file, and in rows a commit) that the reserve has
     * room for what it holds. */
    off_t reserve = hold_reserve(s, &page);
    long pages = (long)(reserve / page / 3), most = 128 * (PAGE / page);
    s->tx_max = (uint64_t)reserve / 3 / ROW_BYTES;
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA synchronous=OFF; PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA cache_size=-16000;"
             "PRAGMA wal_autocheckpoint=%ld; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF",
             page,
             pages < 4      ? 4
             : pages > most ? most
                            : pages);
    sqlite3_busy_timeout(s->db, 2000);
    rc = store_exec(s->db, pragmas);
    if (rc == SQLITE_OK)
        rc = store_exec(s->db, "BEGIN");
    if (rc == SQLITE_OK)
        rc = store_exec(s->db, schema);
    if (rc == SQLITE_OK)
        rc = fill_why(s->db);
    if (rc == SQLITE_OK)
        rc = store_exec(s->db, "INSERT INTO meta VALUES('finalized',0); COMMIT");
    for (int i = 0; i < TABLES && rc == SQLITE_OK; i++)
        rc = prepare(s, (enum table)i);
    if (rc == SQLITE_OK)
        rc = store_batch_open(&s->step, s->db, "step", "id,task,loop,t,wait,queue,run,why,target,site,waker", 11, 1);
    if (rc == SQLITE_OK)
        rc = store_batch_open(&s->iteration, s->db, "iteration", "id,loop,t,poll,busy,ready,max_ready,timeout", 8, 1);
    if (rc == SQLITE_OK)
        rc = store_batch_open(&s->lod, s->db, "lod", "lane,level,t,t_end,n,run,queue,wait,worst,longest", 10, 0);
    if (rc == SQLITE_OK)
        rc = store_batch_open(&s->hold, s->db, "hold", "id,object,task,t,t_end", 5, 1);
    if (rc == SQLITE_OK)
        rc = store_batch_open(&s->member, s->db, "member", "object,task,t", 3, 0);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(s->db,
                                "UPDATE task SET observed = max(coalesce(observed,0),?2),"
                                " detached = max(coalesce(detached,0),?3) WHERE id = ?1",
                                -1, SQLITE_PREPARE_PERSISTENT, &s->task_later, NULL);
    return rc;
}

int store_create(const char *path, struct store **ret_store)
{
    int r = keep_old(path);
    if (r < 0)
        return r;
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666); /* for an errno that says what is wrong */
    if (fd < 0)
        return -errno;
    close(fd);
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->reserve = -1;
    s->committed = now_ns();
    s->path = strdup(path);
    s->summary = summary_new(store_lod, s);
    s->newborns = newborns_new();
    if (!s->path || !s->summary || !s->newborns) {
        store_close(s);
        return -ENOMEM;
    }
    int rc = open_db(s);
    if (rc != SQLITE_OK) {
        r = store_errno(s->db, rc);
        store_close(s);
        return r;
    }
    *ret_store = s;
    return 0;
}

static int64_t size_of(const char *path, const char *suffix)
{
    char name[4200];
    struct stat st;
    return name_of(name, sizeof name, path, suffix) == 0 && stat(name, &st) == 0 ? st.st_size : 0;
}

int64_t store_size(struct store *s)
{
    return size_of(s->path, "") + size_of(s->path, "-wal");
}

int store_error(struct store *s, const char **ret_text)
{
    if (s->error && ret_text)
        *ret_text = s->error_text;
    return s->error;
}

uint64_t store_rows_lost(struct store *s)
{
    return s->lost;
}

static void close_rows(struct store *s)
{
    for (int i = 0; i < TABLES; i++) {
        sqlite3_finalize(s->insert[i]);
        s->insert[i] = NULL;
    }
    store_batch_close(&s->step);
    store_batch_close(&s->iteration);
    store_batch_close(&s->lod);
    store_batch_close(&s->hold);
    store_batch_close(&s->member);
    sqlite3_finalize(s->task_later);
    s->task_later = NULL;
}

void store_make_room(struct store *s)
{
    if (s->reserve < 0)
        return;
    free_reserve(s);
    store_commit(s, true);
    if (s->failing) { /* the log may still be too large for a row more; what of it goes into the file need not stay there */
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        store_commit(s, true);
    }
}

int store_finish(struct store *s)
{
    store_make_room(s);
    summary_close_all(s->summary);
    store_commit(s, true);
    close_rows(s);
    int r = store_finish_db(s->db);
    if (r < 0 && !s->error) {
        s->error = r;
        snprintf(s->error_text, sizeof s->error_text, "%s", strerror(-r));
    }
    return r;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    free_reserve(s);
    close_rows(s);
    if (s->db && !sqlite3_get_autocommit(s->db))
        store_exec(s->db, "ROLLBACK");
    sqlite3_close(s->db);
    summary_free(s->summary);
    newborns_free(s->newborns);
    free(s->path);
    free(s);
}

/* query.c - opens a trace for reading: is it one, whole, of our format, and is somebody still writing it?
 * Owns the SQLite connection.  Prints nothing: every failure is one line for the caller to say. */
#include "query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "human.h"
#include "query_db.h"
#include "query_info.h"

#define APPLICATION_ID 0x4C53434F /* schema.sql: PRAGMA application_id */
#define WAIT_SECONDS   600        /* how long a recorder may take to finish a file before we stop waiting */
#define GUARD_EVERY    (1 << 16)  /* virtual machine steps between two looks of the guard */

/* Why SQLite refused, in words a user can act on. */
static int refuse(const char *path, int code, const char *text, char *ret_error, int size)
{
    char why[300]; /* it may quote what is in the file */
    human_clean(text, why, sizeof why);
    if (code == SQLITE_NOTADB)
        snprintf(ret_error, (size_t)size, "%s: not a loopscope trace; give a file made by `loopscope record`", path);
    else if (code == SQLITE_CORRUPT)
        snprintf(ret_error, (size_t)size, "%s: damaged (%s); `loopscope repair` may save what is left", path, why);
    else
        snprintf(ret_error, (size_t)size, "%s: cannot be read: %s", path, why);
    return -1;
}

/* What the file system has to say, before SQLite is asked. */
static int check_file(const char *path, int64_t *ret_bytes, char *ret_error, int size)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno == ENOENT)
            snprintf(ret_error, (size_t)size, "%s: no such file; make one with `loopscope record -- COMMAND`", path);
        else
            snprintf(ret_error, (size_t)size, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(ret_error, (size_t)size, "%s: not a regular file; give a trace made by `loopscope record`", path);
        return -1;
    }
    if (access(path, R_OK) != 0) {
        snprintf(ret_error, (size_t)size, "%s: %s; run as the user who recorded it", path, strerror(errno));
        return -1;
    }
    if (st.st_size == 0) {
        snprintf(ret_error, (size_t)size, "%s: empty file; the recording never began, record again", path);
        return -1;
    }
    *ret_bytes = st.st_size;
    return 0;
}

/* file:PATH?immutable=1 with what is special in a URI escaped; allocates. */
static char *immutable_uri(const char *path)
{
    static const char tail[] = "?immutable=1";
    char *uri = malloc(strlen(path) * 3 + sizeof tail + 16);
    if (!uri)
        return NULL;
    char *p = uri + sprintf(uri, "file:%s", *path == '/' ? "" : "./");
    for (const char *c = path; *c; c++)
        p += strchr("%?#", *c) ? sprintf(p, "%%%02X", (unsigned char)*c) : sprintf(p, "%c", *c);
    strcpy(p, tail);
    return uri;
}

/* SQLite opens lazily: the first read tells what the file is. */
static int open_db(const char *path, int flags, sqlite3 **ret_db)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(path, &db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(db, 2000);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 64 << 20); /* no value of ours is longer; a hostile one may say it is */
        code = sqlite3_exec(db, "PRAGMA cell_size_check=1; PRAGMA query_only=1; SELECT count(*) FROM sqlite_schema",
                            NULL, NULL, NULL);
    }
    *ret_db = db;
    return code;
}

static void keep_failure(struct trace *t)
{
    const char *error = query_error(t);
    if (!*t->failure && error)
        human_clean(error, t->failure, sizeof t->failure);
}

void query_end(struct trace *t, sqlite3_stmt *s)
{
    if (s && sqlite3_finalize(s) != SQLITE_OK) /* it returns how the last step went */
        keep_failure(t);
}

sqlite3_stmt *query_prepare(struct trace *t, const char *sql, int n, ...)
{
    sqlite3_stmt *s = NULL;
    t->steps_left = 100 + t->bytes / 256;
    if (sqlite3_prepare_v2(t->db, sql, -1, &s, NULL) != SQLITE_OK) {
        keep_failure(t);
        return NULL;
    }
    va_list list;
    va_start(list, n);
    for (int i = 1; i <= n; i++)
        sqlite3_bind_int64(s, i, va_arg(list, int64_t));
    va_end(list);
    return s;
}

bool query_step(sqlite3_stmt *s)
{
    return s && sqlite3_step(s) == SQLITE_ROW;
}

int64_t query_int(sqlite3_stmt *s, int column, int64_t otherwise)
{
    int type = sqlite3_column_type(s, column);
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT ? sqlite3_column_int64(s, column) : otherwise;
}

bool query_has_table(struct trace *t, const char *name)
{
    sqlite3_stmt *s = query_prepare(t, "SELECT 1 FROM sqlite_schema WHERE name = ?1", 0);
    if (s)
        sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    bool has = query_step(s);
    query_end(t, s);
    return has;
}

bool query_has_column(struct trace *t, const char *table, const char *column)
{
    sqlite3_stmt *s = query_prepare(t, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2", 0);
    if (s) {
        sqlite3_bind_text(s, 1, table, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, column, -1, SQLITE_STATIC);
    }
    bool has = query_step(s);
    query_end(t, s);
    return has;
}

static int guard(void *trace)
{
    struct trace *t = trace;
    return --t->steps_left < 0;
}

void query_guard(struct trace *t, bool on)
{
    sqlite3_progress_handler(t->db, on ? GUARD_EVERY : 0, on ? guard : NULL, t);
}

const char *query_error(struct trace *t)
{
    int code = sqlite3_errcode(t->db);
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return NULL;
    return code == SQLITE_INTERRUPT ? "reading it does not end" : sqlite3_errmsg(t->db);
}

static int64_t one_int(struct trace *t, const char *sql, int64_t otherwise)
{
    sqlite3_stmt *s = query_prepare(t, sql, 0);
    int64_t value = query_step(s) ? query_int(s, 0, otherwise) : otherwise;
    sqlite3_finalize(s);
    return value;
}

/* Start time of a process in clock ticks since boot (/proc/PID/stat, field 22); -1 when there is none, or only its
 * remains that nobody has waited for.  A pid alone may have been taken by somebody else since. */
static int64_t process_start(int64_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return -1;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    char *p = strrchr(text, ')'); /* the name before it may hold blanks and brackets */
    if (p && p[1] == ' ' && (p[2] == 'Z' || p[2] == 'X'))
        return -1;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoll(p, NULL, 10) : -1;
}

static void look_at_recorder(struct trace *t)
{
    t->finalized = one_int(t, "SELECT CAST(value AS INT) FROM meta WHERE key = 'finalized'", 0) == 1;
    int64_t pid = one_int(t, "SELECT CAST(value AS INT) FROM meta WHERE key = 'recorder_pid'", -1);
    int64_t start = one_int(t, "SELECT CAST(value AS INT) FROM meta WHERE key = 'recorder_start'", -1);
    int64_t now = !t->finalized && pid > 0 ? process_start(pid) : -1;
    t->recorder_alive = now >= 0 && (start < 0 || start == now);
}

/* The recorder is at work on the last part: worth waiting for.  One that still records is not: it may do so for days. */
static bool being_finished(struct trace *t)
{
    return !t->finalized && t->recorder_alive &&
           one_int(t, "SELECT CAST(value AS INT) FROM meta WHERE key = 'finishing'", 0) == 1;
}

static int check_format(struct trace *t, const char *path, char *ret_error, int size)
{
    int64_t id = one_int(t, "PRAGMA application_id", 0), format = one_int(t, "PRAGMA user_version", 0);
    if (id != APPLICATION_ID)
        snprintf(ret_error, (size_t)size,
                 "%s: an SQLite file, but not a loopscope trace; give a file made by `loopscope record`", path);
    else if (format > TRACE_FORMAT)
        snprintf(ret_error, (size_t)size,
                 "%s: written by a newer loopscope (format %" PRId64 ", this one reads %d); update loopscope", path,
                 format, TRACE_FORMAT);
    else if (format < TRACE_FORMAT)
        snprintf(ret_error, (size_t)size, "%s: unknown format %" PRId64 "; record again", path, format);
    else
        return 0;
    return -1;
}

int trace_open(const char *path, enum trace_wait wait, struct trace **ret_trace, char *ret_error, int error_size)
{
    int64_t bytes;
    if (check_file(path, &bytes, ret_error, error_size) != 0)
        return -1;

    sqlite3 *db = NULL;
    int code = open_db(path, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, &db);
    if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY_DIRECTORY || code == SQLITE_READONLY) {
        /* A recording that was cut short is still in WAL mode, and its directory may not be ours to write to. */
        char *uri = immutable_uri(path);
        sqlite3_close(db);
        db = NULL;
        code = uri ? open_db(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, &db) : SQLITE_NOMEM;
        free(uri);
    }
    struct trace *t = calloc(1, sizeof *t);
    if (code != SQLITE_OK || !t || !(t->path = strdup(path))) {
        refuse(path, code, db && code ? sqlite3_errmsg(db) : "out of memory", ret_error, error_size);
        sqlite3_close(db);
        free(t);
        return -1;
    }
    t->db = db;
    t->bytes = bytes;
    if (check_format(t, path, ret_error, error_size) != 0) {
        trace_close(t);
        return -1;
    }
    look_at_recorder(t);
    for (int i = 0; wait == TRACE_FINISHED && i < WAIT_SECONDS * 10 && being_finished(t); i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
        look_at_recorder(t);
    }
    struct stat st;
    if (stat(path, &st) == 0)
        t->bytes = st.st_size;
    *ret_trace = t;
    return 0;
}

void trace_close(struct trace *t)
{
    if (!t)
        return;
    sqlite3_close(t->db);
    free(t->path);
    free(t);
}

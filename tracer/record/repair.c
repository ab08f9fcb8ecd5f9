/* repair.c - finishes a trace whose recorder died: SQLite takes its log into the file, then the derived parts are made.
 * Reads a file that anybody may have written: nothing in it is taken for true. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store_db.h"

#define APPLICATION_ID 0x4C53434F
#define FORMAT         1

static int one_text(sqlite3 *db, const char *sql, char *ret_text, size_t size)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        snprintf(ret_text, size, "%s", text ? text : "");
    }
    sqlite3_finalize(s);
    return rc;
}

static int64_t number(sqlite3 *db, const char *sql)
{
    char text[32] = "0";
    long long n = 0;
    one_text(db, sql, text, sizeof text);
    return sscanf(text, "%lld", &n) == 1 ? n : 0;
}

/* 0, or what keeps us from working on it, in *ret_text. */
static int check(sqlite3 *db, char *ret_text, size_t size)
{
    char first[160] = "";
    /* Nobody else may have it open for writing: an exclusive lock tells, and keeps it so. */
    int rc = store_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
    if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED) {
        snprintf(ret_text, size, "in use: it is still being recorded or read");
        return -EBUSY;
    }
    if ((rc & 0xff) == SQLITE_NOTADB) {
        snprintf(ret_text, size, "not a loopscope trace");
        return -EINVAL;
    }
    if (rc == SQLITE_OK && number(db, "PRAGMA application_id") != APPLICATION_ID) {
        snprintf(ret_text, size, "not a loopscope trace");
        return -EINVAL;
    }
    if (rc == SQLITE_OK && number(db, "PRAGMA user_version") > FORMAT) {
        snprintf(ret_text, size, "made by a newer loopscope");
        return -EINVAL;
    }
    if (rc == SQLITE_OK)
        rc = one_text(db, "PRAGMA integrity_check(1)", first, sizeof first);
    if (rc != SQLITE_ROW || strcmp(first, "ok") != 0) {
        first[strcspn(first, "\n")] = 0;
        snprintf(ret_text, size, "damaged: %s; `sqlite3 FILE .recover` may save rows of it",
                 *first ? first : sqlite3_errmsg(db));
        return -EIO;
    }
    return 0;
}

static int repair(sqlite3 *db, char *ret_text, size_t size)
{
    int r = check(db, ret_text, size);
    if (r < 0)
        return r;
    if (number(db, "SELECT value FROM meta WHERE key='finalized'") == 1 &&
        !number(db, "SELECT value FROM meta WHERE key='unfinished'")) {
        store_exec(db, "PRAGMA journal_mode=DELETE");
        snprintf(ret_text, size, "whole: nothing to repair");
        return 0;
    }
    r = store_errno(db, store_rebuild_lod(db));
    if (!r)
        r = store_errno(db, store_exec(db, "INSERT OR IGNORE INTO meta SELECT 'duration_ns', max(coalesce("
                                           "(SELECT t + coalesce(run,0) FROM step ORDER BY id DESC LIMIT 1), 0), coalesce("
                                           "(SELECT t + coalesce(poll,0) + coalesce(busy,0) FROM iteration ORDER BY id"
                                           " DESC LIMIT 1), 0))"));
    if (!r) /* a recorder that saw its end has said why */
        r = store_errno(db, store_exec(db, "INSERT OR IGNORE INTO meta SELECT 'ended_by', 'killed' WHERE NOT EXISTS"
                                           "(SELECT 1 FROM meta WHERE key = 'recorder_cpu_ns')"));
    if (!r)
        r = store_finish_db(db);
    if (r < 0) {
        snprintf(ret_text, size, "could not be finished: %s", r == -EIO ? sqlite3_errmsg(db) : strerror(-r));
        return r;
    }
    long long stalls = number(db, "SELECT count(*) FROM stall");
    snprintf(ret_text, size, "finished: %lld stall%s, %lld iterations, %lld steps; what came after the last commit is lost",
             stalls, stalls == 1 ? "" : "s", (long long)number(db, "SELECT count(*) FROM iteration"),
             (long long)number(db, "SELECT count(*) FROM step"));
    return 0;
}

int store_repair(const char *path, char *ret_text, int size)
{
    sqlite3 *db = NULL;
    int r;
    if (access(path, R_OK | W_OK) < 0) {
        r = -errno;
        snprintf(ret_text, (size_t)size, "%s", strerror(-r));
        return r;
    }
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        /* A hostile schema must not call functions, and a damaged page is an error, not a crash. */
        store_exec(db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON");
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        r = repair(db, ret_text, (size_t)size);
    } else {
        r = store_errno(db, rc);
        snprintf(ret_text, (size_t)size, "%s", sqlite3_errmsg(db));
    }
    sqlite3_close(db);
    return r;
}

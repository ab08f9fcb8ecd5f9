/* fixture.c - small traces for tests: SQL text run on top of the real schema. */
#include "fixture.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char schema[] =
#include "schema.inc"
    ;

/* The whole of a text file; allocates. */
static char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        fprintf(stderr, "fixture: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, '\0', f) < 0) {
        free(text);
        text = NULL;
        fprintf(stderr, "fixture: %s: empty or unreadable\n", path);
    }
    fclose(f);
    return text;
}

static int run(sqlite3 *db, const char *what, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK)
        return 0;
    fprintf(stderr, "fixture: %s: %s\n", what, error);
    sqlite3_free(error);
    return -1;
}

int fixture_build(const char *sql_path, const char *path)
{
    char *sql = slurp(sql_path);
    if (!sql)
        return -1;
    sqlite3 *db = NULL;
    int result = -1;
    unlink(path);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        fprintf(stderr, "fixture: %s: %s\n", path, sqlite3_errmsg(db));
    else if (run(db, "begin", "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; BEGIN") == 0 &&
             run(db, "schema", schema) == 0 && run(db, sql_path, sql) == 0 && run(db, "commit", "COMMIT") == 0)
        result = 0;
    sqlite3_close(db);
    free(sql);
    return result;
}

int fixture_run(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    int result = -1;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        fprintf(stderr, "fixture: %s: %s\n", path, sqlite3_errmsg(db));
    else
        result = run(db, path, "PRAGMA synchronous=OFF") == 0 ? run(db, path, sql) : -1;
    sqlite3_close(db);
    return result;
}

static char dir[PATH_MAX / 2];
static char temp[PATH_MAX];

static void remove_temp(void)
{
    unlink(temp);
    rmdir(dir);
}

const char *fixture_temp(const char *name)
{
    if (!*dir) {
        const char *base = getenv("TMPDIR");
        snprintf(dir, sizeof dir, "%s/loopscope-test-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(dir)) {
            fprintf(stderr, "fixture: %s: %s\n", dir, strerror(errno));
            exit(1);
        }
        atexit(remove_temp);
    }
    if (*temp)
        unlink(temp); /* one trace a process is enough */
    snprintf(temp, sizeof temp, "%s/%s", dir, name);
    return temp;
}

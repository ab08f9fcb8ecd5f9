/* store_batch.c - rows from an array into a table, at the speed SQLite has.  Used by the storing thread. */
#include "store_batch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

/* --- the array as a virtual table: no index, one scan --------------------------------------------------------------- */

struct array_table {
    sqlite3_vtab base;
    struct store_batch *batch;
};
struct array_cursor {
    sqlite3_vtab_cursor base;
    const struct store_batch *batch;
    const int64_t *row;
    int left;
};

static int array_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **error)
{
    (void)argc, (void)argv, (void)error;
    struct array_table *t = sqlite3_malloc(sizeof *t);
    if (!t)
        return SQLITE_NOMEM;
    *t = (struct array_table){ .batch = aux };
    *ret = &t->base;
    return sqlite3_declare_vtab(db, "CREATE TABLE x(c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10)");
}

static int array_disconnect(sqlite3_vtab *t)
{
    sqlite3_free(t);
    return SQLITE_OK;
}

static int array_best(sqlite3_vtab *t, sqlite3_index_info *info)
{
    (void)t;
    info->estimatedCost = STORE_BATCH_ROWS;
    return SQLITE_OK;
}

static int array_open(sqlite3_vtab *t, sqlite3_vtab_cursor **ret)
{
    struct array_cursor *c = sqlite3_malloc(sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    *c = (struct array_cursor){ .batch = ((struct array_table *)t)->batch };
    *ret = &c->base;
    return SQLITE_OK;
}

static int array_close(sqlite3_vtab_cursor *c)
{
    sqlite3_free(c);
    return SQLITE_OK;
}

static int array_filter(sqlite3_vtab_cursor *base, int plan, const char *name, int argc, sqlite3_value **argv)
{
    struct array_cursor *c = (struct array_cursor *)base;
    (void)plan, (void)name, (void)argc, (void)argv;
    c->row = c->batch->cells;
    c->left = c->batch->n;
    return SQLITE_OK;
}

static int array_next(sqlite3_vtab_cursor *base)
{
    struct array_cursor *c = (struct array_cursor *)base;
    c->row += c->batch->columns;
    c->left--;
    return SQLITE_OK;
}

static int array_eof(sqlite3_vtab_cursor *c)
{
    return ((struct array_cursor *)c)->left == 0;
}

static int array_column(sqlite3_vtab_cursor *c, sqlite3_context *to, int column)
{
    int64_t value = ((struct array_cursor *)c)->row[column];
    if (value != ROW_NULL)
        sqlite3_result_int64(to, value);
    return SQLITE_OK;
}

static int array_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *ret_id)
{
    *ret_id = ((struct array_cursor *)c)->left;
    return SQLITE_OK;
}

static const sqlite3_module array_module = {
    .xConnect = array_connect, .xDisconnect = array_disconnect, .xBestIndex = array_best, .xOpen = array_open,
    .xClose = array_close, .xFilter = array_filter, .xNext = array_next, .xEof = array_eof, .xColumn = array_column,
    .xRowid = array_rowid,
};

/* --- batches -------------------------------------------------------------------------------------------------------- */

static int prepare(struct store_batch *b, sqlite3 *db, const char *list, int first, sqlite3_stmt **ret)
{
    char sql[512];
    size_t n = (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s(%s) SELECT ", b->table, list);
    for (int i = first; i < b->columns; i++)
        n += (size_t)snprintf(sql + n, sizeof sql - n, "%sc%d", i > first ? "," : "", i);
    snprintf(sql + n, sizeof sql - n, " FROM %s_rows", b->table);
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
}

int store_batch_open(struct store_batch *b, sqlite3 *db, const char *table, const char *list, int columns, int has_id)
{
    char module[32];
    *b = (struct store_batch){ .table = table, .columns = columns };
    b->cells = malloc(sizeof *b->cells * STORE_BATCH_ROWS * (size_t)columns);
    if (!b->cells)
        return SQLITE_NOMEM;
    snprintf(module, sizeof module, "%s_rows", table);
    int rc = sqlite3_create_module(db, module, &array_module, b);
    if (rc == SQLITE_OK)
        rc = prepare(b, db, list, 0, &b->insert);
    if (rc == SQLITE_OK && has_id)
        rc = prepare(b, db, strchr(list, ',') + 1, 1, &b->append);
    return rc;
}

void store_batch_close(struct store_batch *b)
{
    sqlite3_finalize(b->append);
    sqlite3_finalize(b->insert);
    free(b->cells);
    memset(b, 0, sizeof *b);
}

void store_batch_drop(struct store_batch *b)
{
    b->n = 0;
    b->next_id = 0;
}

int store_batch_flush(struct store_batch *b)
{
    if (!b->n)
        return SQLITE_OK;
    int64_t last = b->cells[(size_t)(b->n - 1) * (size_t)b->columns];
    /* Appended ids are one more than the greatest in the table: right as long as the first one is. */
    bool follows = b->append && b->next_id && b->cells[0] == b->next_id;
    sqlite3_stmt *s = follows ? b->append : b->insert;
    int rc = sqlite3_step(s);
    rc = rc == SQLITE_DONE ? sqlite3_reset(s) : (sqlite3_reset(s), rc);
    if (rc == SQLITE_OK) {
        b->next_id = last + 1;
        b->n = 0;
    }
    return rc;
}

int64_t *store_batch_row(struct store_batch *b, int64_t id, int *ret_code)
{
    *ret_code = SQLITE_OK;
    if (b->append && b->n && id != b->cells[(size_t)(b->n - 1) * (size_t)b->columns] + 1) {
        if ((*ret_code = store_batch_flush(b)) != SQLITE_OK) /* ids with a hole do not go in by themselves */
            return NULL;
    }
    if (b->n == STORE_BATCH_ROWS && (*ret_code = store_batch_flush(b)) != SQLITE_OK)
        return NULL;
    return b->cells + (size_t)b->n++ * (size_t)b->columns;
}

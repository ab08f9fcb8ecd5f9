/* store_db.h - what store.c, store_finish.c and repair.c share.  Private to them. */
#ifndef LOOPSCOPE_STORE_DB_H
#define LOOPSCOPE_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "../event.h"
#include "newborn.h"
#include "store.h"
#include "store_batch.h"
#include "summary.h"

enum table {
    T_META, T_PROCESS, T_THREAD, T_LOOP, T_TASK, T_OBJECT, T_ALLOW, T_CALL, T_MARK, T_GAP, T_STALL, T_SAMPLE, T_MODULE, T_FRAME,
    T_STACK, T_SITE, T_NOTICE, TABLES
};

struct store {
    sqlite3 *db;
    char *path;
    struct store_batch step, iteration, lod, hold, member;
    sqlite3_stmt *insert[TABLES], *task_later;
    struct summary *summary;
    struct newborns *newborns;
    bool in_tx;
    ns_t committed;          /* when, by CLOCK_MONOTONIC */
    uint64_t tx_rows, tx_max; /* rows since the last commit; so many make one at once */
    int reserve;             /* a nameless file that holds room on the disk for the end; -1 */

    int error;               /* -errno of the first failure, 0 */
    char error_text[160];
    uint64_t lost;           /* rows, in all */
    bool failing;            /* the last write failed; */
    ns_t retry;              /* the next try is not before this */
    uint64_t gap_lost;       /* rows lost since it began to fail, */
    int64_t gap_from, last_t, committed_t; /* and times of rows: where that was; the last row's; the last committed */
    const char *gap_reason;
};

/* Runs SQL without results.  An SQLite code. */
int store_exec(sqlite3 *db, const char *sql);
/* -errno that fits an SQLite code (and errno of the failed call, for I/O). */
int store_errno(sqlite3 *db, int rc);
/* Indexes, derived columns, meta.finalized.  The file is closed for rows by now.  0 or -errno; what does not fit on the
 * disk is left out. */
int store_finish_db(sqlite3 *db);
/* Rebuilds table lod from the rows. */
int store_rebuild_lod(sqlite3 *db);

#endif

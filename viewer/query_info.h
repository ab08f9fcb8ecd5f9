/* query_info.h - what a trace is and how much is in it. */
#ifndef LOOPSCOPE_QUERY_INFO_H
#define LOOPSCOPE_QUERY_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "query.h"

#define TRACE_FORMAT 1 /* what this loopscope writes and reads; schema.sql: PRAGMA user_version */

struct trace_facts {
    int64_t bytes;       /* size of the file */
    int64_t duration;    /* ns; without meta.duration_ns: up to the last thing that happened */
    int64_t start;       /* wall clock at t = 0, ns since 1970; -1 not known */
    bool finalized;
    bool being_written;  /* its recorder is alive */
    int64_t processes, threads, loops, tasks;
    int64_t rows_lost;   /* events that a gap row tells of */
};

/* 0, or -1 and one line in ret_error: the file is damaged. */
int query_facts(struct trace *t, struct trace_facts *ret_facts, char *ret_error, int error_size);

/* A fact of the table meta; the caller frees it.  NULL when the trace does not have it. */
char *query_meta(struct trace *t, const char *key);

/* Every table with its number of rows, in the order of the schema. */
void query_tables(struct trace *t, void (*table)(void *ctx, const char *name, int64_t rows), void *ctx);

#endif

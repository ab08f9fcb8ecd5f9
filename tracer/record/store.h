/* store.h - the trace file: batches of prepared INSERTs into SQLite, no index until the end.  The only file of the
 * recorder that knows SQLite (with schema.sql).  Used by one thread.
 *
 * Each store_* call queues one row; they return nothing: the first error (disk full, I/O) is kept, later rows are
 * counted as lost, and store_error tells. */
#ifndef LOOPSCOPE_STORE_H
#define LOOPSCOPE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "rows.h"

struct store;

/* Creates FILE (an existing one is kept once as FILE.old).  0, or -errno / -SQLite code mapped to errno. */
int store_create(const char *path, struct store **ret_store);
void store_meta_text(struct store *s, const char *key, const char *value);
void store_meta_int(struct store *s, const char *key, int64_t value);
void store_process(struct store *s, const struct row_process *row);  /* insert or update by id, as all with an end */
void store_thread(struct store *s, const struct row_thread *row);
void store_loop(struct store *s, const struct row_loop *row);
void store_task(struct store *s, const struct row_task *row);
void store_task_later(struct store *s, int64_t task, bool observed, bool detached); /* learned after its end */
void store_step(struct store *s, const struct row_step *row);
void store_iteration(struct store *s, const struct row_iteration *row);
void store_object(struct store *s, const struct row_object *row);
void store_hold(struct store *s, const struct row_hold *row);     /* once, when it is over or never will be */
void store_member(struct store *s, const struct row_member *row);
void store_allow(struct store *s, const struct row_allow *row);
void store_call(struct store *s, const struct row_call *row);
void store_mark(struct store *s, const struct row_mark *row);
void store_gap(struct store *s, const struct row_gap *row);
void store_stall(struct store *s, const struct row_stall *row);
void store_sample(struct store *s, const struct row_sample *row);
void store_module(struct store *s, const struct row_module *row);
void store_frame(struct store *s, const struct row_frame *row);
void store_stack(struct store *s, const struct row_stack *row);
void store_site(struct store *s, const struct row_site *row);
void store_notice(struct store *s, const struct row_notice *row);
/* Commits when 200 ms have passed since the last commit, or always.  Readers see what is committed. */
void store_commit(struct store *s, bool now);
int64_t store_size(struct store *s);           /* bytes in the file by now */
int store_error(struct store *s, const char **ret_text); /* 0, or -errno of the first failure */
uint64_t store_rows_lost(struct store *s);
/* Gives back the room that was held for the end, so that the last rows, which say how it ended, fit on a full disk. */
void store_make_room(struct store *s);
/* Indexes, summaries, derived columns, ANALYZE, checkpoint, journal_mode=DELETE, finalized=1.  0 or -errno. */
int store_finish(struct store *s);
void store_close(struct store *s);
/* Finishes a file whose recorder died.  *ret_text: what was found, one line. */
int store_repair(const char *path, char *ret_text, int size);

#endif

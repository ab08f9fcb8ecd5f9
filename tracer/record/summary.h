/* summary.h - table lod while it grows: every 32 spans of a lane make one row, every 32 such rows one row above, and so
 * on.  Counting spans, not time, bounds its size whatever the shape of the load.  Pure; the rows go to a callback. */
#ifndef LOOPSCOPE_SUMMARY_H
#define LOOPSCOPE_SUMMARY_H

#include <stdint.h>

#include "rows.h"

#ifdef LOOPSCOPE_TINY
#define SUMMARY_FAN 2
#else
#define SUMMARY_FAN 32
#endif

/* lod.worst, from least to most severe.  The numbers are in the file; the viewer has the same. */
enum { WORST_NONE, WORST_TIMER, WORST_IO, WORST_LOCK, WORST_READY, WORST_RUN, WORST_GAP, WORST_STALL };

struct row_lod { int64_t lane, level, t, t_end, n, run, queue, wait, worst, longest; };

struct summary;

struct summary *summary_new(void (*emit)(void *ctx, const struct row_lod *row), void *ctx);
void summary_free(struct summary *s);
/* A span that ran longer than this is a stall. */
void summary_threshold(struct summary *s, int64_t ns);
void summary_step(struct summary *s, const struct row_step *row);
void summary_iteration(struct summary *s, const struct row_iteration *row);
/* No more spans come for this lane (loop.id, or -task.id): its open rows are told and its memory is freed. */
void summary_close(struct summary *s, int64_t lane);
void summary_close_all(struct summary *s);

#endif

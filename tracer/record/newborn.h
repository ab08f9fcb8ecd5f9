/* newborn.h - tasks whose beginning is not in the file yet.  A task that is over before the next commit, as most are that
 * serve one request, is written once, whole, and not inserted first and updated soon after.  Used by the storing thread. */
#ifndef LOOPSCOPE_NEWBORN_H
#define LOOPSCOPE_NEWBORN_H

#include <stddef.h>

#include "rows.h"

struct newborns;

struct newborns *newborns_new(void); /* NULL: no memory */
void newborns_free(struct newborns *n);
size_t newborns_count(const struct newborns *n);
/* A row of a task.  Returns the row that must be written now: this one, whole with what was kept of its task; or one that
 * had to make room; or NULL.  It is valid until the next call. */
const struct row_task *newborns_add(struct newborns *n, const struct row_task *row);
/* Takes out the row of this task, or (id 0) any row; NULL: there is none. */
const struct row_task *newborns_take(struct newborns *n, int64_t id);

#endif

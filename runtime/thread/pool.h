/* pool.h - work that threads do for a task: what ls_to_thread, files and names of hosts have in common. */
#ifndef LSRT_POOL_H
#define LSRT_POOL_H

#include "runtime/core/loop.h"

struct pool;

struct work {
    ls_fn *fn; /* runs on a thread */
    void *arg;
    ls_drop_fn *drop; /* frees arg and the result when the task gave up; on the loop's thread.  May be NULL */
    const char *name; /* of the job in the trace; copied */
    enum ls_why why;  /* of the wait ... */
    struct on on;     /* ... and on what; ON_NOTHING: the pool */
    bool must_run;    /* even when the task gave up before it began */
    struct ls_site *site;
    ls_ns deadline;
};

/* Runs the work on a pool (NULL: the loop's own, made at its first job) and waits.  0: fn is over, its result and errno
 * are in *ret_result and *ret_error (may be NULL).  Else errno of the wait, or why it could not begin, and drop was
 * called or will be. */
int lsrt_pool_run(struct loop *l, struct pool *p, const struct work *w, intptr_t *ret_result, int *ret_error);

/* The end of the loop: lsrt_pools_join waits until every job is over, lsrt_inbox_close brings them in, then _free. */
void lsrt_pools_join(struct loop *l);
void lsrt_pools_free(struct loop *l);

#endif

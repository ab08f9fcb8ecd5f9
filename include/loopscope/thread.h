/* thread.h - other threads: blocking work that they take off the loop (ls_to_thread, ls_pool_*), and a loop that they
 * give work to (ls_post, ls_run_threadsafe); and calls at a later time. */
#ifndef LOOPSCOPE_THREAD_H
#define LOOPSCOPE_THREAD_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs fn(arg) on a thread of the loop's own pool, where it may block.  0: it is over, *ret_result is what it returned
 * (may be NULL; when it is -1, errno is fn's).  -1: this task waits no longer.  Then fn never runs when it had not
 * begun; else it runs to its end and its result is dropped; so what arg points to must outlive fn.  ls_run returns
 * after every fn has.  In the trace: the wait, the job as a span on its thread's lane, and the length of the queue.
 *     int ls_to_thread(ls_fn *fn, void *arg, intptr_t *ret_result, ls_ns deadline); */
#define ls_to_thread(fn, arg, ret_result, deadline) \
    ls_pool_run_at(LS_SITE(__func__), NULL, (fn), #fn, (arg), NULL, (ret_result), (deadline))

/* Pools of their own, for work that must not wait behind other work, or not run all at once: a pool of one thread runs
 * its jobs one after the other, in the order of their asking.  Threads start when jobs need them, `threads` at most
 * (1..256); they block all signals, and are called NAME.1, NAME.2 ... (NULL: "pool").  EINVAL, ENOMEM.
 *     struct ls_pool *ls_pool_new(const char *name, unsigned threads); */
struct ls_pool;
#define ls_pool_new(name, threads) ls_pool_new_at(LS_SITE(__func__), (name), (threads))
/* As ls_to_thread; a pool NULL is the loop's own.  EAGAIN: no thread could be started, and there is none.
 *     int ls_pool_run(struct ls_pool *pool, ls_fn *fn, void *arg, intptr_t *ret_result, ls_ns deadline); */
#define ls_pool_run(pool, fn, arg, ret_result, deadline) \
    ls_pool_run_at(LS_SITE(__func__), (pool), (fn), #fn, (arg), NULL, (ret_result), (deadline))
/* As ls_pool_run, for an arg or a result that somebody must free.  0: both are yours.  -1: neither is: drop(arg,
 * result) is called once, on the loop's thread, when fn is over, or at once when it never runs (result -1).  It must
 * not wait.
 *     int ls_pool_run_drop(struct ls_pool *pool, ls_fn *fn, void *arg, ls_drop_fn *drop, intptr_t *ret_result,
 *                          ls_ns deadline); */
typedef void ls_drop_fn(void *arg, intptr_t result);
#define ls_pool_run_drop(pool, fn, arg, drop, ret_result, deadline) \
    ls_pool_run_at(LS_SITE(__func__), (pool), (fn), #fn, (arg), (drop), (ret_result), (deadline))
/* Ends a pool when its jobs are over: nothing is waited for.  EBUSY: a task waits for a job of it.  The end of the loop
 * frees what is left, and waits for the jobs that run. */
int ls_pool_free(struct ls_pool *pool);

/* This thread's loop, for other threads to post to: a number behind a pointer, never to be dereferenced, that may be
 * used on any thread at any time; after the loop's end it is known to be spent.  NULL (EPERM): no loop here. */
struct ls_loop;
struct ls_loop *ls_loop_self(void);

/* Runs fn(arg) on the loop's thread, between tasks; fn may do all but wait.  From any thread, this one included, and
 * from signal handlers: it takes no lock and no memory of malloc's (at most an mmap).  One thread's posts run in their
 * order. 0: fn runs, as the loop ends at the latest.  -1: it never does; ESRCH: the loop has ended; EINVAL: not a loop;
 * ENOMEM.
 *     int ls_post(struct ls_loop *loop, void (*fn)(void *arg), void *arg); */
#define ls_post(loop, fn, arg) ls_post_at(LS_SITE(#fn), (loop), (fn), (arg))

/* Runs fn(arg) as a task of another thread's loop and waits for its result, as ls_await does.  The calling thread
 * blocks; but when it is a task of another loop that calls, that task waits.  -1: its result will be dropped, and the
 * task is asked to end (ls_cancel); what arg points to must outlive it.  ESRCH: the loop has ended, or ended before fn
 * did. EDEADLK: it is this thread's own loop, which would wait for itself.
 *     int ls_run_threadsafe(struct ls_loop *loop, ls_fn *fn, void *arg, intptr_t *ret_result, ls_ns deadline); */
#define ls_run_threadsafe(loop, fn, arg, ret_result, deadline) \
    ls_run_threadsafe_at(LS_SITE(#fn), LS_SITE(__func__), (loop), (fn), (arg), (ret_result), (deadline))

/* Private part: what the macros call. */
struct ls_pool *ls_pool_new_at(struct ls_site *site, const char *name, unsigned threads);
int ls_pool_run_at(struct ls_site *site, struct ls_pool *pool, ls_fn *fn, const char *name, void *arg, ls_drop_fn *drop,
                   intptr_t *ret_result, ls_ns deadline);
int ls_post_at(struct ls_site *site, struct ls_loop *loop, void (*fn)(void *arg), void *arg);
int ls_run_threadsafe_at(struct ls_site *spawn, struct ls_site *site, struct ls_loop *loop, ls_fn *fn, void *arg,
                         intptr_t *ret_result, ls_ns deadline);

#ifdef __cplusplus
}
#endif
#endif

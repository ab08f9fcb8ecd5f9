/* tasks.h - structured concurrency: await, gather, wait, groups, timeouts, shields, cancellation, futures, locals.
 *
 * A task that is over has a result; it failed when that is -1, and errno goes with it.  "Cancelled" is one that failed
 * with ECANCELED, or was cancelled before it began.  A handle stands for one reference, which ls_await, ls_gather and
 * ls_next_done spend when they succeed; whatever returns -1 leaves the handles with the caller.
 *
 * What a cancel does to a wait, as in asyncio: it goes *through* ls_await and ls_gather to the tasks they wait for, and
 * the one who waits gets ECANCELED when those are over, however they ended (ls_result says it).  It goes *around*
 * ls_shield, ls_wait and ls_next_done: they return at once, the tasks run on.  A deadline never touches the tasks; inside
 * a timeout scope (below) its passing is a cancel.  A cancel is told by one ECANCELED, several that come together by one,
 * too; one that comes when the wait was over already is told at the next await, so no result is lost by it.  Look at the
 * result of each wait, of ls_yield and ls_sleep as well: who does not misses the cancel, and whoever reaps it waits. */
#ifndef LOOPSCOPE_TASKS_H
#define LOOPSCOPE_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One more reference: the handle may be awaited or detached once more.  Returns it, NULL when it is not valid. */
struct ls_task *ls_ref(struct ls_task *task);
/* Gives the handle back without waiting; the task runs on.  NULL is allowed. */
int ls_detach(struct ls_task *task);

/* Waits for the end of a task.  0: it is over, its result is in *ret_result (may be NULL; when it is -1, errno is the
 * task's), the handle is spent.  -1: it is not, the handle is still yours.  EINVAL: not a handle, or a spent one;
 * EBUSY: somebody else awaits it, or it is a group's (ls_ref it first); EDEADLK: it is this task itself, or one that
 * waits for this task, however many awaits, gathers and groups are between.  ls_shield is the same, but a cancel of
 * this task does not reach the other: for one that others share, or that must come to its end.
 *     int ls_await(struct ls_task *task, intptr_t *ret_result, ls_ns deadline);
 *     int ls_shield(struct ls_task *task, intptr_t *ret_result, ls_ns deadline); */
#define ls_await(task, ret_result, deadline)  ls_await_at(LS_SITE(__func__), (task), (ret_result), (deadline))
#define ls_shield(task, ret_result, deadline) ls_shield_at(LS_SITE(__func__), (task), (ret_result), (deadline))

/* Waits for n tasks; results in the order of `tasks`.  0: all are over, every handle is spent.  -1: all handles are
 * still yours.  ls_gather ends at the first task that fails, with its errno (the others run on: ls_reap ends them);
 * ls_gather_all waits for all, and the result of one that failed is its -errno.  ret_results may be NULL.  When this
 * task is cancelled, so are they, and ECANCELED comes when they are all over (asyncio's gather comes back at the
 * first).
 *     int ls_gather(struct ls_task *const tasks[], size_t n, intptr_t ret_results[], ls_ns deadline);
 *     int ls_gather_all(struct ls_task *const tasks[], size_t n, intptr_t ret_results[], ls_ns deadline); */
#define ls_gather(tasks, n, ret_results, deadline) \
    ls_gather_at(LS_SITE(__func__), (tasks), (n), (ret_results), (deadline), 0)
#define ls_gather_all(tasks, n, ret_results, deadline) \
    ls_gather_at(LS_SITE(__func__), (tasks), (n), (ret_results), (deadline), 1)

/* Cancels those of n tasks that are not over, waits for them all and gives the handles back; results and errors are
 * dropped.  What is to be done after a gather that failed or timed out.  A NULL among them is passed over.
 *     int ls_reap(struct ls_task *const tasks[], size_t n, const char *why, ls_ns deadline); */
#define ls_reap(tasks, n, why, deadline) ls_reap_at(LS_SITE(__func__), (tasks), (n), (why), (deadline))

/* Waits until one of n tasks is over, or one has failed (a cancelled one does not count; or all are over), or all are
 * over.  Handles stay yours, others may await the same tasks.  done[i] (may be NULL) says which are over: also when the
 * result is -1 because of the deadline.  n == 0: EINVAL.
 *     int ls_wait(struct ls_task *const tasks[], size_t n, enum ls_wait_mode mode, bool done[], ls_ns deadline); */
enum ls_wait_mode { LS_FIRST_DONE, LS_FIRST_ERROR, LS_ALL_DONE };
#define ls_wait(tasks, n, mode, done, deadline) \
    ls_wait_at(LS_SITE(__func__), (tasks), (n), (mode), (done), (deadline))

/* The next of n tasks that ends, in the order of their ends.  0: *ret_index (may be NULL) is its place, *ret_result its
 * result as ls_await's, its handle is spent and tasks[*ret_index] is NULL now: call it again for the next.  ESRCH: all
 * were NULL.  Each call looks at all n.
 *     int ls_next_done(struct ls_task *tasks[], size_t n, size_t *ret_index, intptr_t *ret_result, ls_ns deadline); */
#define ls_next_done(tasks, n, ret_index, ret_result, deadline) \
    ls_next_done_at(LS_SITE(__func__), (tasks), (n), (ret_index), (ret_result), (deadline))

/* Asks a task to end: its current or next await returns ECANCELED, once.  One that has not begun never runs.  `why` is
 * a literal (may be NULL) that the task reads with ls_cancel_why().  -1, ESRCH: the task is over.
 * A task that has caught a cancel and goes on says so by ls_uncancel (this task's; a cancel that was not told yet is
 * dropped with the last): timeouts and groups use the count to tell their own cancels from others'. */
int ls_cancel(struct ls_task *task, const char *why);
const char *ls_cancel_why(void);
int ls_cancelling(struct ls_task *task); /* ls_cancel less ls_uncancel calls; -1: not a task */
int ls_uncancel(void);                   /* what is left of them */

/* What became of a task, without waiting; the handle stays. */
int ls_done(struct ls_task *task);                          /* 1: over, 0: not yet, -1: not a task */
int ls_cancelled(struct ls_task *task);                     /* 1: over, and cancelled; else as ls_done */
int ls_error(struct ls_task *task);                         /* its errno, 0: it did not fail; -1, EAGAIN: not over */
int ls_result(struct ls_task *task, intptr_t *ret_result);  /* as ls_await's; -1, EAGAIN: not over */

/* Calls fn on the loop soon after the task is over (at once, when it is), in the order of these calls.  The handle is
 * valid in fn, for ls_result and the like; fn must not wait.  ls_off_done takes the first such pair back: ESRCH when
 * there is none, or it is about to be called.
 *     int ls_on_done(struct ls_task *task, ls_done_fn *fn, void *arg); */
typedef void ls_done_fn(struct ls_task *task, void *arg);
#define ls_on_done(task, fn, arg) ls_on_done_at(LS_SITE(#fn), (task), (fn), (arg))
int ls_off_done(struct ls_task *task, ls_done_fn *fn, void *arg);

/* Clean-up of this task: fn runs in it when its function has returned, for whatever reason, last deferred first; the
 * result is kept.  A cancel that was not told before is dropped then, so fn may await; one that comes meanwhile is
 * told.  A task that was cancelled before it began has deferred nothing.  ls_defer_pop takes the last one back and runs
 * it (run != 0) or not; ENOENT: there is none. */
int ls_defer(void (*fn)(void *arg), void *arg);
int ls_defer_pop(int run);

/* Group: tasks that end together.  Only the task that opened it closes it.  ls_group_close waits for all; when it
 * returns, the tasks are over and the group is gone, whatever the result (so arguments may live on the opener's stack):
 *     0          all went well (cancelled ones count as well)
 *     -1, errno  of the first that failed.  Its failure cancels the rest, and the opener: an await of its before
 *                ls_group_close returns ECANCELED once; the close takes that cancel back.  Somebody else's cancel, which
 *                the failure hides, is told once more at the next await
 *     ECANCELED  this task was cancelled meanwhile: the rest was, too; or by ls_group_cancel
 *     ETIMEDOUT  the deadline passed: the rest was cancelled
 * EINVAL: not a group; EPERM: not by its opener; EDEADLK: one of its tasks waits for the opener: the rest was cancelled.
 * A task that returns with a group open has it cancelled and closed.
 * ls_group_spawn's handle is the group's: valid until the task is over; to keep it, or await it, ls_ref it.  ECANCELED:
 * the group is being cancelled.  Its tasks may spawn into it while it is being closed.
 * ls_group_limit: at most n run at once (0: no limit), the others begin when one ends.  ls_group_room waits until one
 * more would begin at once: for who has more work than memory.
 *     struct ls_group *ls_group_open(const char *name);
 *     struct ls_task *ls_group_spawn(struct ls_group *group, ls_fn *fn, void *arg, const char *name, ...);
 *     int ls_group_close(struct ls_group *group, ls_ns deadline);
 *     int ls_group_room(struct ls_group *group, ls_ns deadline); */
struct ls_group;
#define ls_group_open(name)                   ls_group_open_at(LS_SITE(__func__), (name))
#define ls_group_spawn(group, fn, arg, ...)   ls_group_spawn_at(LS_SITE(#fn), (group), (fn), (arg), __VA_ARGS__)
#define ls_group_close(group, deadline)       ls_group_close_at(LS_SITE(__func__), (group), (deadline))
#define ls_group_room(group, deadline)        ls_group_room_at(LS_SITE(__func__), (group), (deadline))
int ls_group_limit(struct ls_group *group, size_t n);
int ls_group_cancel(struct ls_group *group, const char *why); /* its tasks, not the opener; no new ones */
ssize_t ls_group_count(struct ls_group *group);               /* of its tasks that are not over */
/* The failures in a group, in the order of time; group NULL: in the one this task closed last.  Fills at most n of
 * errors and returns how many there were. */
struct ls_group_error {
    char name[44]; /* of the task */
    int error;     /* errno */
};
ssize_t ls_group_errors(struct ls_group *group, struct ls_group_error errors[], size_t n);

/* Timeout scope: from begin to end, this task has until `deadline`.  When it passes, the task is cancelled by the
 * scope: the await under way or the next one returns ECANCELED, once, and ls_timeout_end says -1, ETIMEDOUT; awaits in
 * between work.  It says 0 (and leaves errno as it is) when the scope did not interrupt anything, or when somebody else
 * cancelled the task as well: then that is what it has to obey.  Scopes nest, none swallows another's; a scope's end
 * ends those begun after it, and so does a return of the task's function.  LS_NEVER: until it is rescheduled, which
 * any task may do.  EALREADY: it has expired; EINVAL: it is not an open scope (to end: of this task).
 *     struct ls_timeout scope;
 *     ls_timeout_begin(&scope, ls_after(LS_SEC));
 *     int status = fetch();
 *     if (ls_timeout_end(&scope))
 *         ... it was too slow */
struct ls_timeout {
    uint64_t private_; /* its address is what counts */
};
int ls_timeout_begin(struct ls_timeout *scope, ls_ns deadline);
int ls_timeout_reschedule(struct ls_timeout *scope, ls_ns deadline);
int ls_timeout_end(struct ls_timeout *scope);
int ls_timeout_expired(const struct ls_timeout *scope); /* 1: it has; -1, EINVAL: not an open scope */

/* Future: a value that somebody will have.  Any number of tasks wait for it; a cancel or a deadline of one is its own.
 * ls_future_await is 0 when it is decided: *ret_value (may be NULL) is its value; when that is -1, errno is the
 * failure's.  Decided twice is an error, EALREADY.  From another thread: by ls_post to the loop.  ls_future_free: EBUSY
 * when tasks wait.
 *     struct ls_future *ls_future_new(const char *name);
 *     int ls_future_await(struct ls_future *future, intptr_t *ret_value, ls_ns deadline); */
struct ls_future;
#define ls_future_new(name)                          ls_future_new_at(LS_SITE(__func__), (name))
#define ls_future_await(future, ret_value, deadline) \
    ls_future_await_at(LS_SITE(__func__), (future), (ret_value), (deadline))
int ls_future_set(struct ls_future *future, intptr_t value);
int ls_future_fail(struct ls_future *future, int error); /* errno, not 0 */
int ls_future_cancel(struct ls_future *future);          /* fails with ECANCELED */
int ls_future_done(struct ls_future *future);            /* 1: decided, 0: not yet, -1: not a future */
int ls_future_free(struct ls_future *future);

/* Task-local values.  A key is a static struct, its address is what counts: any loop may use it.  A task inherits,
 * when it is spawned, what its spawner has then; what either sets later the other does not see.  `destroy` (may be
 * NULL) is called on the loop for a value that no task has any more; it must not wait.
 *     static const struct ls_local user = { "user", free }; */
struct ls_local {
    const char *name;
    void (*destroy)(void *value);
};
int ls_local_set(const struct ls_local *key, void *value); /* NULL: unset */
void *ls_local_get(const struct ls_local *key);            /* NULL: not set, or not inside a task */

/* Private part: what the macros call. */
int ls_await_at(struct ls_site *site, struct ls_task *task, intptr_t *ret_result, ls_ns deadline);
int ls_shield_at(struct ls_site *site, struct ls_task *task, intptr_t *ret_result, ls_ns deadline);
int ls_gather_at(struct ls_site *site, struct ls_task *const tasks[], size_t n, intptr_t ret_results[], ls_ns deadline,
                 int all);
int ls_reap_at(struct ls_site *site, struct ls_task *const tasks[], size_t n, const char *why, ls_ns deadline);
int ls_wait_at(struct ls_site *site, struct ls_task *const tasks[], size_t n, enum ls_wait_mode mode, bool done[],
               ls_ns deadline);
int ls_next_done_at(struct ls_site *site, struct ls_task *tasks[], size_t n, size_t *ret_index, intptr_t *ret_result,
                    ls_ns deadline);
int ls_on_done_at(struct ls_site *site, struct ls_task *task, ls_done_fn *fn, void *arg);
struct ls_group *ls_group_open_at(struct ls_site *site, const char *name);
struct ls_task *ls_group_spawn_at(struct ls_site *site, struct ls_group *group, ls_fn *fn, void *arg, const char *name,
                                  ...) __attribute__((format(printf, 5, 6)));
int ls_group_close_at(struct ls_site *site, struct ls_group *group, ls_ns deadline);
int ls_group_room_at(struct ls_site *site, struct ls_group *group, ls_ns deadline);
struct ls_future *ls_future_new_at(struct ls_site *site, const char *name);
int ls_future_await_at(struct ls_site *site, struct ls_future *future, intptr_t *ret_value, ls_ns deadline);

#ifdef __cplusplus
}
#endif
#endif

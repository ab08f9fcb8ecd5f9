/* task_shapes.c - tasks that wait for each other in known shapes, for tests of `tasks`, `tree` and the report.
 *
 * usage: task_shapes deadlock | gather | error | crowd N | closed | unawaited | allow | spin | two |
 *        turns | full | first | dead_ends */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <loopscope/runtime.h>
#include <loopscope/sync.h>
#include <loopscope/tasks.h>
#include <loopscope/trace.h>

#define SOON  (20 * LS_MS)
#define LATER (60 * LS_SEC)

/* The program is over while its tasks still wait: what the trace ends with. */
static intptr_t leave(void *arg)
{
    (void)arg;
    ls_sleep(5 * SOON);
    _exit(0);
}

/* --- two tasks, two locks --- */

static struct ls_lock *x, *y;

static intptr_t take_both(void *second_first)
{
    struct ls_lock *first = second_first ? y : x, *second = second_first ? x : y;
    ls_lock_acquire(first, LS_NEVER);
    ls_sleep(SOON);
    /* With a deadline it may wait; without one the runtime refuses. */
    if (ls_lock_acquire(second, ls_after(LATER)) == 0)
        ls_lock_release(second);
    ls_lock_release(first);
    return 0;
}

static intptr_t deadlock(void *arg)
{
    x = ls_lock_new("x");
    y = ls_lock_new("y");
    struct ls_task *both[] = { ls_spawn(take_both, NULL, "a"), ls_spawn(take_both, x, "b") };
    ls_detach(ls_spawn(leave, arg, NULL));
    return ls_gather(both, 2, NULL, LS_NEVER);
}

/* --- a gather in a gather in a gather --- */

static intptr_t level(void *left)
{
    struct ls_task *two[2];
    if (!left)
        return ls_sleep(LATER);
    intptr_t below = (intptr_t)left - 1;
    two[0] = ls_spawn(level, (void *)below, "%ld-left", (long)below);
    two[1] = ls_spawn(level, (void *)below, "%ld-right", (long)below);
    return ls_gather(two, 2, NULL, LS_NEVER);
}

static intptr_t gather(void *arg)
{
    ls_detach(ls_spawn(leave, arg, NULL));
    return level((void *)2);
}

/* --- an error, three awaits deep --- */

static intptr_t fail(void *depth)
{
    ls_sleep(SOON / 4);
    if (!depth) {
        errno = ENOENT;
        return -1;
    }
    intptr_t result = 0;
    struct ls_task *below = ls_spawn(fail, (void *)((intptr_t)depth - 1), "depth %ld", (long)(intptr_t)depth);
    return ls_await(below, &result, LS_NEVER) ? -1 : result;
}

static intptr_t error(void *arg)
{
    intptr_t result = 0;
    (void)arg;
    ls_await(ls_spawn(fail, (void *)2, "depth 3"), &result, LS_NEVER);
    return 0;
}

/* --- a crowd at one queue --- */

static struct ls_queue *jobs;

static intptr_t client(void *arg)
{
    (void)arg;
    int job;
    return ls_queue_get(jobs, &job, LS_NEVER);
}

static intptr_t crowd(void *arg)
{
    long n = (long)(intptr_t)arg;
    jobs = ls_queue_new("jobs", sizeof(int), 4);
    for (long i = 0; i < n; i++)
        ls_detach(ls_spawn(client, NULL, "client %ld", i));
    ls_sleep(SOON);
    ls_detach(ls_spawn(leave, NULL, NULL));
    return ls_sleep(LATER);
}

/* --- what is left when main returns is cancelled --- */

static intptr_t sleeper(void *arg)
{
    (void)arg;
    return ls_sleep(LATER);
}

static intptr_t closed(void *arg)
{
    ls_detach(ls_spawn(sleeper, arg, "left behind"));
    return ls_sleep(SOON);
}

/* --- results that nobody takes --- */

static intptr_t fine(void *arg)
{
    (void)arg;
    return 7;
}

static intptr_t broken(void *arg)
{
    (void)arg;
    errno = EACCES;
    return -1;
}

static intptr_t unawaited(void *arg)
{
    for (int i = 0; i < 3; i++)
        ls_spawn(fine, arg, "forgotten %d", i);
    ls_detach(ls_spawn(fine, arg, "fire and forget"));
    ls_detach(ls_spawn(broken, arg, "lost error"));
    return ls_sleep(SOON);
}

/* --- a block that is meant, and one that is not --- */

static void spin(ls_ns ns)
{
    for (ls_ns end = ls_now() + ns; ls_now() < end;)
        ;
}

static void block(ls_ns ns)
{
    nanosleep(&(struct timespec){ ns / LS_SEC, ns % LS_SEC }, NULL);
}

static intptr_t allow(void *arg)
{
    (void)arg;
    ls_sleep(SOON);
    LS_ALLOW_BLOCK("reads its configuration")
    block(10 * SOON);
    ls_sleep(SOON);
    LS_ALLOW_BLOCK("only a part of it")
    block(SOON / 4);
    block(3 * SOON);
    return ls_sleep(SOON);
}

/* --- four tasks that compute --- */

static intptr_t compute(void *arg)
{
    (void)arg;
    for (int i = 0; i < 60; i++) {
        spin(LS_MS);
        ls_yield();
    }
    return 0;
}

static intptr_t compute_all(void *arg)
{
    struct ls_task *four[4];
    for (int i = 0; i < 4; i++)
        four[i] = ls_spawn(compute, arg, "compute %d", i);
    return ls_gather(four, 4, NULL, LS_NEVER);
}

/* --- a group in which not all run at once --- */

static intptr_t late(void *arg)
{
    return ls_sleep(LATER) ? -1 : (intptr_t)arg;
}

static intptr_t turns(void *arg)
{
    struct ls_group *g = ls_group_open("crawl");
    ls_group_limit(g, 2);
    for (int i = 0; i < 6; i++)
        ls_group_spawn(g, late, arg, "page %d", i);
    ls_detach(ls_spawn(leave, arg, NULL));
    return ls_group_close(g, LS_NEVER);
}

static intptr_t awaits(void *task)
{
    return ls_await(*(struct ls_task **)task, NULL, ls_after(LATER));
}

/* The one that has its turn awaits one that has not. */
static intptr_t full(void *arg)
{
    struct ls_task *second;
    struct ls_group *g = ls_group_open("crawl");
    ls_group_limit(g, 1);
    ls_group_spawn(g, awaits, &second, "a");
    second = ls_ref(ls_group_spawn(g, late, arg, "b"));
    ls_detach(ls_spawn(leave, arg, NULL));
    return ls_group_close(g, LS_NEVER);
}

/* Of two that are waited for one can go on, and one is enough. */
static intptr_t wants(void *arg)
{
    return ls_lock_acquire(x, ls_after(LATER)) ? -1 : (intptr_t)arg;
}

static intptr_t first(void *arg)
{
    bool done[2];
    x = ls_lock_new("x");
    ls_lock_acquire(x, LS_NEVER);
    struct ls_task *both[] = { ls_spawn(wants, arg, "wants"), ls_spawn(late, arg, "late") };
    ls_detach(ls_spawn(leave, arg, NULL));
    return ls_wait(both, 2, LS_FIRST_DONE, done, LS_NEVER);
}

/* --- two that compute for long, one after the other: the loop does not come between them --- */

static intptr_t compute_long(void *arg)
{
    spin((intptr_t)arg * LS_MS);
    return 0;
}

static intptr_t two(void *arg)
{
    struct ls_task *both[2];
    ls_sleep(SOON);
    both[0] = ls_spawn(compute_long, (void *)60, "shorter");
    both[1] = ls_spawn(compute_long, (void *)70, "longer");
    spin(55 * LS_MS); /* a part of that turn is main's own */
    ls_gather(both, 2, NULL, LS_NEVER);
    return ls_sleep(SOON) ? -1 : (intptr_t)arg;
}

/* --- waits that cannot end: refused, or noticed; and a task that does not hear that the loop is closing --- */

static intptr_t take_both_at_once(void *second_first)
{
    struct ls_lock *first = second_first ? y : x, *second = second_first ? x : y;
    ls_lock_acquire(first, LS_NEVER);
    ls_yield();
    if (ls_lock_acquire(second, LS_NEVER) == 0)
        ls_lock_release(second);
    return ls_lock_release(first);
}

static intptr_t nobody_sets(void *event)
{
    return ls_event_wait(event, LS_NEVER);
}

static intptr_t deaf(void *arg)
{
    for (int i = 0; i < 1000000; i++)
        ls_sleep(LATER);
    return (intptr_t)arg;
}

static intptr_t dead_ends(void *arg)
{
    x = ls_lock_new("x");
    y = ls_lock_new("y");
    struct ls_task *both[] = { ls_spawn(take_both_at_once, NULL, "a"), ls_spawn(take_both_at_once, x, "b") };
    if (ls_gather(both, 2, NULL, LS_NEVER))
        return 1;
    struct ls_task *t = ls_spawn(nobody_sets, ls_event_new("never"), NULL);
    if (ls_await(t, NULL, LS_NEVER) != -1 || errno != EDEADLK)
        return 2;
    ls_detach(t);
    ls_detach(ls_spawn(deaf, arg, NULL));
    return ls_sleep(SOON);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        ls_fn *fn;
    } shapes[] = { { "deadlock", deadlock },  { "gather", gather },    { "error", error },
                   { "crowd", crowd },        { "closed", closed },    { "unawaited", unawaited },
                   { "allow", allow },        { "spin", compute_all }, { "two", two },
                   { "turns", turns },        { "full", full },        { "first", first },
                   { "dead_ends", dead_ends } };
    void *arg = argc > 2 ? (void *)(intptr_t)atol(argv[2]) : NULL;
    for (size_t i = 0; argc > 1 && i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(argv[1], shapes[i].name) == 0)
            return ls_run(shapes[i].fn, arg, NULL) != 0;
    fprintf(stderr, "usage: task_shapes deadlock | gather | error | crowd N | closed | unawaited | allow | spin | two "
                    "| turns | full | first | dead_ends\n");
    return 2;
}

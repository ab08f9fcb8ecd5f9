/* Threads that work for tasks: order, limits, names, giving up before and while a job runs, errors. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <loopscope/runtime.h>

/* pthread_create as the runtime sees it: fails when told to. */
static _Atomic int threads_fail_from = -1, threads_made;
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real)
        real =
            (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    if (threads_fail_from >= 0 && threads_made >= threads_fail_from)
        return EAGAIN;
    threads_made++;
    return real(thread, attr, fn, arg);
}

static char story[512];
static pthread_mutex_t story_mutex = PTHREAD_MUTEX_INITIALIZER;
static void note(const char *what)
{
    pthread_mutex_lock(&story_mutex);
    strncat(story, what, sizeof story - strlen(story) - 1);
    pthread_mutex_unlock(&story_mutex);
}

/* A door that a job waits at, so that a test decides when it goes on. */
static pthread_mutex_t door_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t door_moved = PTHREAD_COND_INITIALIZER;
static int door_open, door_waiting;
static intptr_t at_door(void *name)
{
    pthread_mutex_lock(&door_mutex);
    door_waiting++;
    pthread_cond_broadcast(&door_moved);
    while (!door_open)
        pthread_cond_wait(&door_moved, &door_mutex);
    pthread_mutex_unlock(&door_mutex);
    note(name);
    return 7;
}
static void door_set(int open)
{
    pthread_mutex_lock(&door_mutex);
    door_open = open;
    pthread_cond_broadcast(&door_moved);
    pthread_mutex_unlock(&door_mutex);
}
static void door_await(int n) /* until n jobs wait at it; blocks the loop on purpose */
{
    pthread_mutex_lock(&door_mutex);
    while (door_waiting < n)
        pthread_cond_wait(&door_moved, &door_mutex);
    pthread_mutex_unlock(&door_mutex);
}

static struct ls_pool *pool;
static intptr_t tell(void *name)
{
    note(name);
    return 1;
}
static intptr_t ask_door(void *name)
{
    intptr_t result;
    return ls_pool_run(pool, at_door, name, &result, LS_NEVER) ? -1 : result;
}
static intptr_t ask_tell(void *name)
{
    intptr_t result;
    return ls_pool_run(pool, tell, name, &result, LS_NEVER) ? -1 : result;
}

static intptr_t order_app(void *arg)
{
    (void)arg;
    threads_made = 0;
    pool = ls_pool_new("one", 1);
    struct ls_task *t[4] = { ls_spawn(ask_door, "a", NULL), ls_spawn(ask_tell, "b", NULL),
                             ls_spawn(ask_tell, "c", NULL), ls_spawn(ask_tell, "d", NULL) };
    ls_yield();
    door_set(1);
    intptr_t out[4];
    if (ls_gather(t, 4, out, LS_NEVER) || out[0] != 7 || out[3] != 1)
        return 1;
    return ls_pool_free(pool) ? 2 : 0;
}
Test(pool, one_thread_works_in_the_order_of_asking)
{
    cr_assert_eq(ls_run(order_app, NULL, NULL), 0);
    cr_assert_str_eq(story, "abcd");
    cr_assert_eq(threads_made, 1);
}

static intptr_t limit_app(void *arg)
{
    (void)arg;
    threads_made = 0;
    pool = ls_pool_new("three", 3);
    struct ls_task *t[8];
    for (int i = 0; i < 8; i++)
        t[i] = ls_spawn(ask_door, "x", NULL);
    ls_yield();
    door_await(3);
    ls_sleep(2 * LS_MS); /* a fourth would have come by now */
    int waiting = door_waiting;
    door_set(1);
    if (ls_gather(t, 8, NULL, LS_NEVER))
        return 1;
    return waiting == 3 ? 0 : 2;
}
Test(pool, threads_start_as_needed_and_no_more_than_allowed)
{
    cr_assert_eq(ls_run(limit_app, NULL, NULL), 0);
    cr_assert_eq(threads_made, 3);
    cr_assert_str_eq(story, "xxxxxxxx");
}

static intptr_t reuse_app(void *arg)
{
    (void)arg;
    threads_made = 0;
    pool = ls_pool_new(NULL, 16);
    for (int i = 0; i < 50; i++)
        if (ask_tell("") != 1)
            return 1;
    return 0;
}
Test(pool, a_free_thread_is_used_before_another_is_started)
{
    cr_assert_eq(ls_run(reuse_app, NULL, NULL), 0);
    cr_assert_eq(threads_made, 1);
}

static intptr_t my_name(void *name)
{
    return pthread_getname_np(pthread_self(), name, 16);
}
static intptr_t blocked(void *arg)
{
    (void)arg;
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, SIGTERM) && sigismember(&set, SIGUSR1);
}
static intptr_t names_app(void *arg)
{
    char(*name)[16] = arg;
    intptr_t masked;
    struct ls_pool *db = ls_pool_new("database", 2), *long_one = ls_pool_new("a-name-of-many-letters", 1);
    if (ls_pool_run(db, my_name, name[0], NULL, LS_NEVER) || ls_pool_run(long_one, my_name, name[1], NULL, LS_NEVER) ||
        ls_to_thread(my_name, name[2], NULL, LS_NEVER) || ls_pool_run(NULL, blocked, NULL, &masked, LS_NEVER))
        return 1;
    return masked == 1 ? 0 : 2;
}
Test(pool, threads_are_named_and_block_signals)
{
    char name[3][16];
    cr_assert_eq(ls_run(names_app, name, NULL), 0);
    cr_expect_str_eq(name[0], "database.1");
    cr_expect_str_eq(name[1], "a-name-of-m.1");
    cr_expect_str_eq(name[2], "threads.1");
}

static intptr_t with_errno(void *error)
{
    errno = (int)(intptr_t)error;
    return -1;
}
static intptr_t errno_app(void *arg)
{
    (void)arg;
    intptr_t result = 0;
    errno = 0;
    if (ls_to_thread(with_errno, (void *)ENOTTY, &result, LS_NEVER) || result != -1 || errno != ENOTTY)
        return 1;
    return ls_to_thread(with_errno, (void *)EPIPE, NULL, LS_NEVER) || errno != EPIPE;
}
Test(pool, the_job_s_errno_comes_with_its_result)
{
    cr_assert_eq(ls_run(errno_app, NULL, NULL), 0);
}

/* Giving up.  `dropped` counts; every one must come on the loop's thread. */
static int dropped;
static intptr_t dropped_result;
static pthread_t loop_thread;
static void drop(void *arg, intptr_t result)
{
    dropped += pthread_equal(pthread_self(), loop_thread) ? 1 : 1000;
    dropped_result = result;
    note("(");
    note(arg);
    note(")");
}
static intptr_t ask_drop(void *name)
{
    return ls_pool_run_drop(pool, at_door, name, drop, NULL, LS_NEVER);
}
static intptr_t cancel_app(void *arg)
{
    (void)arg;
    loop_thread = pthread_self();
    pool = ls_pool_new("one", 1);
    struct ls_task *runs = ls_spawn(ask_drop, "runs", NULL), *queued = ls_spawn(ask_drop, "queued", NULL);
    ls_yield();
    door_await(1);
    ls_cancel(queued, "not any more");
    if (ls_await(queued, NULL, LS_NEVER) || errno != ECANCELED)
        return 1;
    if (dropped != 1 || dropped_result != -1) /* it had not begun: dropped at once, never runs */
        return 2;
    ls_cancel(runs, NULL);
    if (ls_await(runs, NULL, LS_NEVER) || errno != ECANCELED || dropped != 1)
        return 3;
    door_set(1);
    if (ask_tell("next ") != 1) /* after it, on the same thread */
        return 4;
    return dropped == 2 && dropped_result == 7 ? 0 : 5;
}
Test(pool, a_cancelled_job_never_runs_or_is_dropped_when_it_is_over)
{
    cr_assert_eq(ls_run(cancel_app, NULL, NULL), 0);
    cr_assert(!strcmp(story, "(queued)runs(runs)next ") || !strcmp(story, "(queued)runsnext (runs)"), "%s", story);
}

static intptr_t deadline_app(void *arg)
{
    (void)arg;
    loop_thread = pthread_self();
    pool = ls_pool_new("one", 1);
    ls_ns begun_by_then = ls_after(200 * LS_MS); /* on a busy machine, too */
    if (ls_pool_run_drop(pool, at_door, "late", drop, NULL, begun_by_then) != -1 || errno != ETIMEDOUT)
        return 1;
    if (dropped)
        return 2;
    if (ls_pool_run(pool, tell, "never", NULL, ls_after(5 * LS_MS)) != -1 || errno != ETIMEDOUT)
        return 3;
    if (ls_pool_run_drop(pool, tell, "past", drop, NULL, 1) != -1 || errno != ETIMEDOUT || dropped != 1)
        return 4;
    door_set(1);
    return ask_tell("end") == 1 && dropped == 2 ? 0 : 5;
}
Test(pool, a_deadline_ends_the_wait_and_a_job_that_has_not_begun)
{
    cr_assert_eq(ls_run(deadline_app, NULL, NULL), 0);
    cr_assert(!strcmp(story, "(past)late(late)end") || !strcmp(story, "(past)lateend(late)"), "%s", story);
}

static void *open_later(void *arg)
{
    (void)arg;
    usleep(20000);
    door_set(1);
    return NULL;
}
static intptr_t leave_app(void *arg)
{
    (void)arg;
    loop_thread = pthread_self();
    pool = ls_pool_new("one", 1);
    ls_detach(ls_spawn(ask_drop, "slow", NULL));
    ls_detach(ls_spawn(ask_drop, "queued", NULL));
    ls_yield();
    door_await(1);
    return 0;
}
Test(pool, the_loop_ends_after_its_jobs)
{
    pthread_t helper;
    cr_assert_eq(pthread_create(&helper, NULL, open_later, NULL), 0);
    cr_assert_eq(ls_run(leave_app, NULL, NULL), 0);
    cr_assert_str_eq(story, "(queued)slow(slow)");
    cr_assert_eq(dropped, 2);
    pthread_join(helper, NULL);
}

static intptr_t misuse_app(void *arg)
{
    (void)arg;
    pool = ls_pool_new("jobs", 1);
    if (ls_pool_new("none", 0) || errno != EINVAL || ls_pool_new("many", 257) || errno != EINVAL)
        return 1;
    struct ls_task *t = ls_spawn(ask_door, "a", NULL);
    ls_yield();
    if (ls_pool_free(pool) != -1 || errno != EBUSY || !strstr(ls_error_text(), "'jobs'"))
        return 2;
    door_await(1);
    ls_cancel(t, NULL);
    ls_await(t, NULL, LS_NEVER);
    if (ls_pool_free(pool)) /* its job runs on; nobody waits */
        return 3;
    if (ls_pool_free(pool) != -1 || errno != EINVAL || !strstr(ls_error_text(), "freed"))
        return 4;
    if (ls_pool_run(pool, tell, "never", NULL, LS_NEVER) != -1 || errno != EINVAL)
        return 5;
    if (ls_pool_free((struct ls_pool *)t) != -1 || ls_pool_free(NULL) != -1 || errno != EINVAL)
        return 6;
    loop_thread = pthread_self();
    if (ls_pool_run_drop(pool, tell, "", drop, NULL, LS_NEVER) != -1 || dropped != 1) /* arg is dropped all the same */
        return 7;
    door_set(1);
    ls_sleep(5 * LS_MS); /* its thread ends and is joined */
    return 0;
}
Test(pool, wrong_use_is_an_error)
{
    cr_assert_eq(ls_run(misuse_app, NULL, NULL), 0);
    cr_assert_eq(ls_to_thread(tell, "", NULL, LS_NEVER), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_null(ls_pool_new("x", 1));
    cr_assert_eq(errno, EPERM);
}

static intptr_t no_threads_app(void *arg)
{
    (void)arg;
    threads_made = threads_fail_from = 0;
    if (ls_to_thread(tell, "never", NULL, LS_NEVER) != -1 || errno != EAGAIN)
        return 1;
    threads_fail_from = 1; /* one is enough */
    struct ls_task *t[5];
    for (int i = 0; i < 5; i++)
        t[i] = ls_spawn(ask_tell, "x", NULL);
    return ls_gather(t, 5, NULL, LS_NEVER) ? 2 : 0;
}
Test(pool, too_few_threads_are_enough_and_none_is_an_error)
{
    cr_assert_eq(ls_run(no_threads_app, NULL, NULL), 0);
    cr_assert_str_eq(story, "xxxxx");
}

static intptr_t square(void *arg)
{
    return (intptr_t)arg * (intptr_t)arg;
}
static intptr_t ask_square(void *arg)
{
    intptr_t result;
    return ls_to_thread(square, arg, &result, LS_NEVER) ? -1 : result;
}
static intptr_t many_app(void *arg)
{
    enum { N = 5000 };
    static struct ls_task *t[N];
    static intptr_t out[N];
    (void)arg;
    for (intptr_t i = 0; i < N; i++)
        if (!(t[i] = ls_spawn(ask_square, (void *)i, NULL)))
            return 1;
    if (ls_gather(t, N, out, LS_NEVER))
        return 2;
    for (intptr_t i = 0; i < N; i++)
        if (out[i] != i * i)
            return 3;
    for (intptr_t i = 0; i < N; i++) /* and N that are withdrawn from the queue's middle */
        t[i] = ls_spawn(ask_square, (void *)i, NULL);
    ls_yield();
    for (intptr_t i = 0; i < N; i++)
        ls_cancel(t[i], NULL);
    return ls_gather_all(t, N, NULL, LS_NEVER) ? 4 : 0;
}
Test(pool, five_thousand_jobs)
{
    cr_assert_eq(ls_run(many_app, NULL, NULL), 0);
}

/* A loop and other threads: posting, calls that wait for a task, handles after the loop's end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static char story[512];
static void note(const char *what)
{
    strncat(story, what, sizeof story - strlen(story) - 1);
}
static void note_posted(void *what)
{
    note(what);
}
static struct ls_loop *the_loop;

static intptr_t after_app(void *arg)
{
    (void)arg;
    the_loop = ls_loop_self();
    if (!the_loop || ls_post(the_loop, note_posted, "a") || ls_post(the_loop, note_posted, "b"))
        return 1;
    note("first ");
    ls_sleep(LS_MS);
    return ls_post(the_loop, note_posted, " late"); /* runs although the loop ends now */
}
Test(post, posts_run_in_their_order_and_at_the_end_at_the_latest)
{
    cr_assert_null(ls_loop_self());
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(ls_run(after_app, NULL, NULL), 0);
    cr_assert_str_eq(story, "first ab late");
    cr_assert_eq(ls_post(the_loop, note_posted, "never"), -1);
    cr_assert_eq(errno, ESRCH);
    struct ls_loop *old = the_loop;
    cr_assert_eq(ls_run(after_app, NULL, NULL), 0);
    cr_assert_neq(old, the_loop); /* the next loop may have the same place, not the same handle */
    cr_assert_eq(ls_post(old, note_posted, "never"), -1);
    cr_assert_eq(errno, ESRCH);
    cr_assert_eq(ls_post(NULL, note_posted, NULL), -1);
    cr_assert_eq(errno, EINVAL);
    cr_assert(strstr(ls_error_text(), "NULL"));
    cr_assert_eq(ls_post((struct ls_loop *)0x1234567, note_posted, NULL), -1);
    cr_assert_eq(errno, EINVAL);
    cr_assert_eq(ls_post((struct ls_loop *)((uintptr_t)the_loop | 0xff00), note_posted, NULL), -1);
    cr_assert_eq(errno, EINVAL);
}

/* What a posted function may do. */
static int spawned, may_not_wait;
static intptr_t spawned_task(void *arg)
{
    (void)arg;
    spawned = 1;
    return 0;
}
static void does_much(void *arg)
{
    (void)arg;
    ls_detach(ls_spawn(spawned_task, NULL, NULL));
    may_not_wait = ls_sleep(LS_MS) == -1 && errno == EPERM && ls_to_thread(spawned_task, NULL, NULL, LS_NEVER) == -1;
    ls_post(the_loop, note_posted, "again");
}
static intptr_t does_much_app(void *arg)
{
    (void)arg;
    the_loop = ls_loop_self();
    ls_post(the_loop, does_much, NULL);
    return ls_sleep(2 * LS_MS);
}
Test(post, a_posted_function_may_do_all_but_wait)
{
    cr_assert_eq(ls_run(does_much_app, NULL, NULL), 0);
    cr_assert(spawned && may_not_wait);
    cr_assert_str_eq(story, "again");
}

/* A loop with nothing to do but wait for posts is no deadlock. */
static intptr_t idle(void *arg)
{
    (void)arg;
    return ls_sleep_until(LS_NEVER);
}
static struct ls_task *idler;
static void wake_idler(void *arg)
{
    (void)arg;
    ls_cancel(idler, "posted");
}
static void *post_wake(void *loop)
{
    usleep(5000);
    return (void *)(intptr_t)ls_post(loop, wake_idler, NULL);
}
static intptr_t reachable_app(void *arg)
{
    (void)arg;
    pthread_t t;
    idler = ls_spawn(idle, NULL, NULL);
    if (pthread_create(&t, NULL, post_wake, ls_loop_self()))
        return 1;
    intptr_t result;
    int r = ls_await(idler, &result, LS_NEVER);
    pthread_join(t, NULL);
    return r || result != -1 || errno != ECANCELED;
}
Test(post, a_loop_that_others_may_post_to_waits)
{
    cr_assert_eq(ls_run(reachable_app, NULL, NULL), 0);
}

static void from_handler(int sig)
{
    (void)sig;
    ls_post(the_loop, note_posted, "s");
}
static intptr_t signal_app(void *arg)
{
    (void)arg;
    the_loop = ls_loop_self();
    signal(SIGUSR1, from_handler);
    for (int i = 0; i < 20; i++)
        raise(SIGUSR1);
    return ls_sleep(LS_MS);
}
Test(post, from_a_signal_handler)
{
    cr_assert_eq(ls_run(signal_app, NULL, NULL), 0);
    cr_assert_str_eq(story, "ssssssssssssssssssss");
}

static int counted;
static void count(void *arg)
{
    counted += (int)(intptr_t)arg == counted; /* in order */
}
static intptr_t million_app(void *arg)
{
    intptr_t n = (intptr_t)arg;
    the_loop = ls_loop_self();
    for (intptr_t i = 0; i < n; i++)
        if (ls_post(the_loop, count, (void *)i))
            return 1;
    return ls_sleep(LS_MS);
}
Test(post, three_hundred_thousand_at_once)
{
    cr_assert_eq(ls_run(million_app, (void *)300000, NULL), 0);
    cr_assert_eq(counted, 300000);
}

/* --- ls_run_threadsafe ------------------------------------------------------------------------------------------- */

static intptr_t twice(void *arg)
{
    if (ls_sleep(LS_MS))
        return -1;
    return 2 * (intptr_t)arg;
}
static intptr_t fails(void *arg)
{
    ls_sleep(LS_MS);
    errno = (int)(intptr_t)arg;
    return -1;
}
static atomic_int was_cancelled;
static intptr_t forever(void *arg)
{
    (void)arg;
    int r = ls_sleep(100 * LS_SEC);
    was_cancelled = r == -1 && errno == ECANCELED && !strcmp(ls_cancel_why(), "its caller waits no longer");
    return -1;
}
static void open_gate(void *event)
{
    ls_event_set(event);
}
static struct ls_event *gate;
static void *calls(void *loop)
{
    intptr_t result = 0, bad = 0;
    if (ls_run_threadsafe(loop, twice, (void *)21, &result, LS_NEVER) || result != 42)
        bad = 1;
    else if (ls_run_threadsafe(loop, fails, (void *)ENOTTY, &result, LS_NEVER) || result != -1 || errno != ENOTTY)
        bad = 2;
    else if (ls_run_threadsafe(loop, forever, NULL, NULL, ls_after(5 * LS_MS)) != -1 || errno != ETIMEDOUT)
        bad = 3;
    else if (ls_run_threadsafe(loop, twice, (void *)4, NULL, 1) != -1 || errno != ETIMEDOUT) /* in the past */
        bad = 4;
    else if (ls_run_threadsafe(NULL, twice, NULL, NULL, LS_NEVER) != -1 || errno != EINVAL)
        bad = 5;
    ls_post(loop, open_gate, gate);
    return (void *)bad;
}
static intptr_t calls_app(void *arg)
{
    (void)arg;
    pthread_t t;
    void *bad;
    the_loop = ls_loop_self();
    gate = ls_event_new("gate");
    if (ls_run_threadsafe(the_loop, twice, NULL, NULL, LS_NEVER) != -1 || errno != EDEADLK)
        return 10;
    if (pthread_create(&t, NULL, calls, the_loop) || ls_event_wait(gate, LS_NEVER))
        return 11;
    pthread_join(t, &bad);
    return (intptr_t)bad;
}
Test(post, a_thread_calls_into_a_loop_and_waits)
{
    cr_assert_eq(ls_run(calls_app, NULL, NULL), 0);
    cr_assert(was_cancelled);
    cr_assert_eq(ls_run_threadsafe(the_loop, twice, NULL, NULL, LS_NEVER), -1);
    cr_assert_eq(errno, ESRCH);
}

/* The loop ends while somebody waits for a task of it. */
static intptr_t stubborn(void *arg)
{
    (void)arg;
    for (;;)
        ls_sleep(LS_SEC); /* is refused when the grace is over, and asks again: given up */
    return 1;
}
static int begun;
static intptr_t tells_and_sleeps(void *arg)
{
    (void)arg;
    begun++;
    return ls_sleep(100 * LS_SEC);
}
struct ended {
    struct ls_loop *loop;
    ls_fn *fn;
    intptr_t result, got;
    int error;
};
static void *calls_ended(void *arg)
{
    struct ended *e = arg;
    e->result = 0;
    e->got = ls_run_threadsafe(e->loop, e->fn, NULL, &e->result, LS_NEVER);
    e->error = errno;
    return NULL;
}
static intptr_t ended_app(void *arg)
{
    (void)arg;
    while (begun < 2)
        ls_sleep(LS_MS);
    return ls_sleep(5 * LS_MS);
}
static intptr_t stubborn_begin(void *arg)
{
    begun++;
    return stubborn(arg);
}
static struct ended ended[2];
static pthread_t ended_thread[2];
static intptr_t ended_main(void *arg)
{
    ended[0] = (struct ended){ .loop = ls_loop_self(), .fn = tells_and_sleeps };
    ended[1] = (struct ended){ .loop = ls_loop_self(), .fn = stubborn_begin };
    for (int i = 0; i < 2; i++)
        if (pthread_create(&ended_thread[i], NULL, calls_ended, &ended[i]))
            return 1;
    return ended_app(arg);
}
Test(post, the_loop_s_end_ends_the_call)
{
    cr_assert_eq(ls_run(ended_main, NULL, &(struct ls_opts){ .close_grace = LS_MS }), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(ended_thread[i], NULL);
    cr_assert(ended[0].got == 0 && ended[0].result == -1 && ended[0].error == ECANCELED); /* it was told, and failed */
    cr_assert(ended[1].got == -1 && ended[1].error == ESRCH);                             /* it never answered */
}

/* A task of another loop calls: its loop goes on meanwhile. */
static atomic_int other_stop;
static struct ls_loop *_Atomic other;
static intptr_t other_app(void *arg)
{
    (void)arg;
    other = ls_loop_self();
    while (!other_stop)
        ls_sleep(LS_MS);
    return 0;
}
static void *run_other(void *arg)
{
    (void)arg;
    ls_run(other_app, NULL, NULL);
    return NULL;
}
static intptr_t ticks(void *arg)
{
    int *n = arg;
    while (!ls_sleep(LS_MS))
        ++*n;
    return -1;
}
static intptr_t slow_twice(void *arg)
{
    ls_sleep(20 * LS_MS);
    return 2 * (intptr_t)arg;
}
static intptr_t call_forever(void *arg)
{
    (void)arg;
    return ls_run_threadsafe(other, forever, NULL, NULL, LS_NEVER);
}
static intptr_t crossing_app(void *arg)
{
    intptr_t result = 0;
    struct ls_task *t = ls_spawn(ticks, arg, NULL);
    if (ls_run_threadsafe(other, slow_twice, (void *)8, &result, LS_NEVER) || result != 16)
        return 1;
    if (ls_run_threadsafe(other, forever, NULL, NULL, ls_after(3 * LS_MS)) != -1 || errno != ETIMEDOUT)
        return 2;
    struct ls_task *c = ls_spawn(call_forever, NULL, NULL);
    ls_sleep(3 * LS_MS);
    was_cancelled = 0;
    ls_cancel(c, NULL);
    if (ls_await(c, &result, LS_NEVER) || result != -1 || errno != ECANCELED)
        return 3;
    ls_sleep(10 * LS_MS);
    if (!was_cancelled)
        return 4;
    ls_cancel(t, NULL);
    return ls_detach(t);
}
Test(post, a_task_of_another_loop_calls)
{
    pthread_t t;
    int ticked = 0;
    cr_assert_eq(pthread_create(&t, NULL, run_other, NULL), 0);
    while (!other)
        usleep(100);
    intptr_t r = ls_run(crossing_app, &ticked, NULL);
    other_stop = 1;
    pthread_join(t, NULL);
    cr_assert_eq(r, 0, "%ld", (long)r);
    cr_assert_geq(ticked, 10);
}

/* Tasks that yield for ever and posts that post again keep neither timers nor what comes from outside from their turn. */
static bool had_enough;
static long posted;
static intptr_t yields(void *arg)
{
    while (!had_enough)
        ls_yield();
    return (intptr_t)arg;
}
static void posts_again(void *arg)
{
    posted++;
    if (!had_enough)
        ls_post(the_loop, posts_again, arg);
}
static intptr_t busy_app(void *arg)
{
    int fd[2];
    char c;
    (void)arg;
    the_loop = ls_loop_self();
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
        return 1;
    for (int i = 0; i < 3; i++)
        ls_detach(ls_spawn(yields, NULL, NULL));
    for (int i = 0; i < 100; i++)
        ls_post(the_loop, posts_again, NULL);
    for (int i = 0; i < 5; i++)
        if (ls_sleep(LS_MS) || write(fd[0], "x", 1) != 1 || ls_read(fd[1], &c, 1, ls_after(5 * LS_SEC)) != 1)
            return 2;
    had_enough = true;
    return posted > 100 ? 0 : 3;
}
Test(post, floods_starve_nobody, .timeout = 20)
{
    cr_assert_eq(ls_run(busy_app, NULL, NULL), 0);
}

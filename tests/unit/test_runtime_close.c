/* The end of ls_run's function: the tasks that are left are cancelled once, have a grace, and are refused after it. */
#include "tests/lib/story.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static intptr_t helper(void *arg)
{
    return ls_sleep(LS_MS) ? -1 : (intptr_t)arg;
}
static intptr_t on_a_thread(void *arg)
{
    return (intptr_t)arg + 1;
}
static void also(void *arg)
{
    want(!ls_sleep(LS_MS));
    note("%s ", (const char *)arg);
}
static void calls(void *event)
{
    want(!ls_event_set(event));
}

/* Told once; then all that a clean-up may want works. */
static intptr_t cleans_up(void *arg)
{
    intptr_t a = 0, b = 0;
    (void)arg;
    want(!ls_defer(also, "deferred"));
    want_error(ls_sleep(100 * LS_SEC), ECANCELED, NULL);
    want(!strcmp(ls_cancel_why(), "the loop is closing") && ls_cancelling(ls_self()) == 1);
    want(!ls_sleep(LS_MS) && !ls_yield());
    struct ls_task *t = ls_spawn(helper, (void *)7, NULL);
    want(t && !ls_await(t, &a, LS_NEVER) && a == 7);
    want(!ls_to_thread(on_a_thread, (void *)8, &b, LS_NEVER) && b == 9);
    struct ls_group *g = ls_group_open("clean-up");
    want(ls_group_spawn(g, helper, (void *)1, NULL) && ls_group_spawn(g, helper, (void *)2, NULL));
    want(!ls_group_close(g, LS_NEVER));
    struct ls_timeout scope;
    ls_timeout_begin(&scope, ls_after(LS_MS));
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want_error(ls_timeout_end(&scope), ETIMEDOUT, NULL);
    struct ls_event *e = ls_event_new("called");
    want(ls_call_later(LS_MS, calls, e) && !ls_event_wait(e, LS_NEVER) && !ls_event_free(e));
    note("clean ");
    return 0;
}
static intptr_t leaves(void *arg)
{
    ls_spawn(arg, NULL, NULL);
    return ls_sleep(LS_MS);
}
static intptr_t one_left(void *arg)
{
    (void)arg;
    return leaves(cleans_up);
}
Test(runtime_close, clean_up_may_await_spawn_and_ask_threads, .timeout = 20)
{
    cr_assert_str_eq(told(one_left), "clean deferred ");
}

/* The one who awaits another is told when that is over, as by a cancel; nobody is told twice. */
static intptr_t slow_end(void *arg)
{
    want_error(ls_sleep(100 * LS_SEC), ECANCELED, NULL);
    want(!ls_sleep(5 * LS_MS) && !ls_sleep(5 * LS_MS));
    note("%s ", (const char *)arg);
    return 3;
}
static intptr_t awaits(void *arg)
{
    struct ls_task *t = ls_spawn(slow_end, arg, NULL);
    intptr_t result;
    want_error(ls_await(t, &result, LS_NEVER), ECANCELED, NULL);
    want(ls_done(t) == 1 && !ls_await(t, &result, LS_NEVER) && result == 3);
    want(!ls_sleep(LS_MS));
    note("awaiter ");
    return 0;
}
static intptr_t gathers(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(slow_end, arg, NULL), ls_spawn(slow_end, arg, NULL) };
    want_error(ls_gather(t, 2, NULL, LS_NEVER), ECANCELED, NULL);
    want(!ls_gather(t, 2, NULL, LS_NEVER) && !ls_sleep(LS_MS));
    note("gatherer ");
    return 0;
}
static intptr_t chains(void *arg)
{
    (void)arg;
    ls_spawn(awaits, "inner", NULL);
    ls_spawn(gathers, "member", NULL);
    return ls_sleep(LS_MS);
}
Test(runtime_close, who_awaits_is_told_after_whom_it_awaits)
{
    cr_assert_str_eq(told(chains), "inner member member awaiter gatherer ");
}
static intptr_t quiet_end(void *arg)
{
    (void)arg;
    want_error(ls_sleep(100 * LS_SEC), ECANCELED, NULL);
    want(!ls_sleep(5 * LS_MS) && !ls_yield());
    return 0;
}
static intptr_t opens(void *arg)
{
    struct ls_group *g = ls_group_open("left");
    (void)arg;
    ls_group_limit(g, 3);
    for (int i = 0; i < 5; i++)
        ls_group_spawn(g, quiet_end, NULL, NULL);
    want_error(ls_group_close(g, LS_NEVER), ECANCELED, NULL);
    want(!ls_sleep(LS_MS));
    return 0;
}
static intptr_t opens_and_sleeps(void *arg)
{
    struct ls_group *g = ls_group_open("left");
    (void)arg;
    ls_group_spawn(g, quiet_end, NULL, NULL);
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(!ls_sleep(LS_MS));
    want(!ls_group_spawn(g, quiet_end, NULL, NULL) && errno == ECANCELED);
    want_error(ls_group_close(g, LS_NEVER), ECANCELED, NULL);
    want(!ls_sleep(LS_MS));
    return 0;
}
static intptr_t groups_left(void *arg)
{
    (void)arg;
    ls_spawn(opens, NULL, NULL);
    ls_spawn(opens_and_sleeps, NULL, NULL);
    ls_spawn(quiet_end, NULL, NULL);
    return ls_sleep(LS_MS);
}
Test(runtime_close, a_group_does_not_tell_its_tasks_twice)
{
    cr_assert_str_eq(told_shuffled(groups_left), "");
}

static intptr_t fails_late(void *arg)
{
    (void)arg;
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    errno = EIO;
    return -1;
}
static intptr_t opener_of_failing(void *arg)
{
    struct ls_group *g = ls_group_open("left");
    (void)arg;
    ls_group_spawn(g, fails_late, NULL, NULL);
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(!ls_sleep(LS_MS)); /* no second cancel, of the group's */
    want_error(ls_group_close(g, LS_NEVER), EIO, NULL);
    return 0;
}
static intptr_t group_fails(void *arg)
{
    (void)arg;
    return leaves(opener_of_failing);
}
Test(runtime_close, a_failure_in_a_group_that_was_cancelled_already)
{
    cr_assert_str_eq(told_shuffled(group_fails), "");
}

/* The grace: on the loop's clock, then awaits are refused, and who goes on is abandoned. */
static ls_ns main_over, end;
static intptr_t overstays(void *arg)
{
    (void)arg;
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL); /* told of the close */
    int sleeps = 0;
    while (!ls_sleep(LS_SEC))
        sleeps++;
    end = ls_now();
    want(ls_sleep(LS_SEC) == -1 && errno == ECANCELED && ls_yield() == -1);
    want(!ls_spawn(helper, NULL, NULL) && errno == ECANCELED);
    want(!ls_call_later(1, calls, NULL) && errno == ECANCELED);
    want_error(ls_to_thread(on_a_thread, NULL, NULL, LS_NEVER), ECANCELED, NULL);
    note("slept %d ", sleeps);
    for (;;)
        ls_sleep(LS_SEC);
    return 0;
}
static intptr_t main_of_overstays(void *arg)
{
    (void)arg;
    ls_spawn(overstays, NULL, NULL);
    ls_sleep(LS_MS);
    main_over = ls_now();
    return 4;
}
Test(runtime_close, the_grace_ends, .timeout = 20)
{
    struct ls_opts o = { .virtual_time = true };
    cr_assert_eq(ls_run(main_of_overstays, NULL, &o), 4);
    cr_assert_eq(end - main_over, 5 * LS_SEC);
    o.close_grace = LS_MS;
    cr_assert_eq(ls_run(main_of_overstays, NULL, &o), 4);
    cr_assert_eq(end - main_over, LS_MS);
}

static intptr_t leaves_at_once(void *arg)
{
    (void)arg;
    ls_detach(ls_spawn(overstays, NULL, "never begins"));
    return 6;
}
Test(runtime_close, what_has_not_begun_when_main_is_over_never_runs)
{
    cr_assert_eq(ls_run(leaves_at_once, NULL, NULL), 6);
    cr_assert_str_eq(story, "");
}

static intptr_t takes_an_hour(void *arg)
{
    (void)arg;
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(!ls_sleep(3600 * LS_SEC));
    note("done ");
    return 0;
}
static intptr_t an_hour_left(void *arg)
{
    (void)arg;
    return leaves(takes_an_hour);
}
Test(runtime_close, a_grace_without_an_end)
{
    struct ls_opts o = { .virtual_time = true, .close_grace = LS_NEVER };
    cr_assert_eq(ls_run(an_hour_left, NULL, &o), 0);
    cr_assert_str_eq(story, "done ");
}

static intptr_t yields_for_ever(void *arg)
{
    for (;;)
        ls_yield();
    return (intptr_t)arg;
}
static intptr_t yielder_left(void *arg)
{
    (void)arg;
    ls_spawn(yields_for_ever, NULL, NULL);
    return ls_yield();
}
Test(runtime_close, a_task_that_yields_for_ever_is_abandoned, .timeout = 60)
{
    cr_assert_eq(ls_run(yielder_left, NULL, &(struct ls_opts){ .virtual_time = true }), 0);
    cr_assert_eq(ls_run(yielder_left, NULL, &(struct ls_opts){ .close_grace = 10 * LS_MS }), 0);
}

static intptr_t reads_for_ever(void *arg)
{
    int fd = open("/dev/zero", O_RDONLY);
    char c[16];
    for (;;)
        ls_read(fd, c, sizeof c, LS_NEVER);
    return (intptr_t)arg;
}
static intptr_t reader_left(void *arg)
{
    (void)arg;
    return leaves(reads_for_ever);
}
Test(runtime_close, a_task_that_always_has_something_to_read_is_abandoned, .timeout = 60)
{
    cr_assert_eq(ls_run(reader_left, NULL, &(struct ls_opts){ .close_grace = 10 * LS_MS }), 0);
}

static intptr_t breeds(void *arg)
{
    ls_detach(ls_spawn(breeds, arg, NULL));
    ls_sleep(LS_SEC);
    return 0;
}
static intptr_t breeder_left(void *arg)
{
    (void)arg;
    return leaves(breeds);
}
Test(runtime_close, tasks_that_breed_end_with_the_grace, .timeout = 60)
{
    cr_assert_eq(ls_run(breeder_left, NULL, &(struct ls_opts){ .close_grace = 10 * LS_MS }), 0);
}

/* Nothing can go on: refused at once. */
static struct ls_future *never;
static intptr_t waits_for_nobody(void *arg)
{
    (void)arg;
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want_error(ls_future_await(never, NULL, LS_NEVER), ECANCELED, NULL);
    want(ls_now() == main_over);
    note("refused ");
    return 0;
}
static intptr_t deadlocked(void *arg)
{
    (void)arg;
    never = ls_future_new("never");
    for (int i = 0; i < 2; i++)
        ls_spawn(waits_for_nobody, NULL, NULL);
    ls_sleep(LS_MS);
    main_over = ls_now();
    return 0;
}
Test(runtime_close, a_deadlock_is_refused_at_once)
{
    cr_assert_str_eq(told(deadlocked), "refused refused ");
}

/* Two that each hold a lock and want the other's back, in timeouts that hide it: what must be had cannot be had. */
struct pair {
    struct ls_lock *mine, *other;
    struct ls_cond *cond;
};
static intptr_t wants_both(void *arg)
{
    struct pair *p = arg;
    struct ls_timeout scope;
    ls_timeout_begin(&scope, LS_NEVER);
    ls_lock_acquire(p->mine, LS_NEVER);
    ls_cond_wait(p->cond, p->mine, LS_NEVER); /* cancelled, and has its lock back after the other has taken it */
    ls_cond_wait(p->cond, p->mine, LS_NEVER);
    note("over ");
    return 0;
}
static intptr_t takes(void *arg)
{
    struct pair *p = arg;
    struct ls_timeout scope;
    ls_timeout_begin(&scope, LS_NEVER);
    ls_lock_acquire(p->mine, LS_NEVER);
    ls_lock_acquire(p->other, LS_NEVER);
    while (!ls_cond_wait(p->cond, p->other, LS_NEVER) || errno == ECANCELED)
        continue; /* until it cannot have its lock back */
    return 0;
}
static struct pair pairs[2];
static intptr_t hidden_circle(void *arg)
{
    (void)arg;
    struct ls_lock *a = ls_lock_new("a"), *b = ls_lock_new("b");
    struct ls_cond *c = ls_cond_new("c");
    pairs[0] = (struct pair){ a, b, c };
    pairs[1] = (struct pair){ b, a, c };
    ls_spawn(wants_both, &pairs[0], NULL);
    ls_spawn(takes, &pairs[0], NULL);
    ls_spawn(takes, &pairs[1], NULL);
    return ls_sleep(LS_MS);
}
Test(runtime_close, locks_that_cannot_be_had_back, .timeout = 20)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        story[0] = 0;
        cr_assert_eq(ls_run(hidden_circle, NULL, &(struct ls_opts){ .virtual_time = true, .seed = seed }), 0);
        cr_assert_str_eq(story, "over ", "seed %d", (int)seed);
    }
}

/* One that holds a lock and closes its group, of which one wants the lock back. */
static struct pair shared;
static intptr_t wants_it_back(void *arg)
{
    struct ls_timeout scope;
    (void)arg;
    ls_timeout_begin(&scope, LS_NEVER);
    ls_lock_acquire(shared.mine, LS_NEVER);
    want_error(ls_cond_wait(shared.cond, shared.mine, LS_NEVER), EDEADLK, NULL);
    note("over ");
    return 0;
}
static intptr_t holds_and_closes(void *arg)
{
    struct ls_group *g = ls_group_open("g");
    (void)arg;
    ls_group_spawn(g, wants_it_back, NULL, NULL);
    ls_yield();
    ls_lock_acquire(shared.mine, LS_NEVER);
    ls_group_close(g, LS_NEVER);
    ls_lock_release(shared.mine);
    return 0;
}
static intptr_t circle_with_a_group(void *arg)
{
    (void)arg;
    shared = (struct pair){ ls_lock_new("l"), NULL, ls_cond_new("c") };
    return leaves(holds_and_closes);
}
Test(runtime_close, a_lock_that_the_closer_of_its_group_holds, .timeout = 10)
{
    cr_assert_str_eq(told(circle_with_a_group), "over ");
}

/* What was written is sent, although its reader is being cancelled as well. */
enum { MUCH = 4 << 20 };
static size_t got;
static intptr_t writes(void *s)
{
    char *data = calloc(1, MUCH);
    ls_stream_write(s, data, MUCH);
    free(data);
    want_error(ls_sleep(100 * LS_SEC), ECANCELED, NULL);
    want(!ls_stream_close(s, LS_NEVER));
    return 0;
}
static intptr_t reads(void *s)
{
    static char buf[65536];
    want_error(ls_sleep(100 * LS_SEC), ECANCELED, NULL);
    for (ssize_t n; (n = ls_stream_read(s, buf, sizeof buf, LS_NEVER)) > 0;)
        got += (size_t)n;
    want(!ls_stream_close(s, LS_NEVER));
    return 0;
}
static intptr_t streams(void *arg)
{
    int fd[2];
    (void)arg;
    want(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
    ls_spawn(writes, ls_stream_from_fd(fd[0], "w"), NULL);
    ls_spawn(reads, ls_stream_from_fd(fd[1], "r"), NULL);
    return ls_sleep(LS_MS);
}
Test(runtime_close, a_stream_is_flushed, .timeout = 20)
{
    cr_assert_str_eq(told(streams), "");
    cr_assert_eq(got, MUCH);
}

/* Callbacks of the end may spawn; one that asks for itself again does not keep the loop. */
static intptr_t spawned_late(void *arg)
{
    note("%s ", (const char *)arg);
    return 0;
}
static void spawns(struct ls_task *task, void *arg)
{
    (void)task;
    want(ls_spawn(spawned_late, arg, NULL) != NULL);
}
static void again(struct ls_task *task, void *arg)
{
    ++*(long *)arg;
    want(!ls_on_done(task, again, arg));
}
static intptr_t callbacks(void *arg)
{
    static long count;
    (void)arg;
    ls_on_done(ls_spawn(helper, NULL, NULL), spawns, "late");
    ls_on_done(ls_spawn(helper, NULL, NULL), again, &count);
    return 0;
}
Test(runtime_close, callbacks_of_the_end, .timeout = 20)
{
    cr_assert_str_eq(told(callbacks), "late ");
    story[0] = 0;
    cr_assert_eq(ls_run(callbacks, NULL, &(struct ls_opts){ .close_grace = LS_MS }), 0);
    cr_assert_str_eq(story, "late ");
}

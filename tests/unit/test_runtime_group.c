/* Groups: what close promises, limits, errors, and wrong use.  (What asyncio's tests say: tests/e2e/asyncio_groups.py.) */
#include "tests/lib/story.h"

#include <criterion/criterion.h>

static int alive, most; /* tasks between their begin and their end */
static intptr_t works(void *ms)
{
    if (++alive > most)
        most = alive;
    int status = ls_sleep((ls_ns)(intptr_t)ms * LS_MS), error = errno;
    alive--;
    errno = error;
    return status ? -1 : (intptr_t)ms;
}
static intptr_t fails(void *error)
{
    if (ls_sleep(5 * LS_MS))
        return -1;
    errno = (int)(intptr_t)error;
    return -1;
}
static struct ls_task *add(struct ls_group *g, intptr_t ms)
{
    return ls_group_spawn(g, works, (void *)ms, "works %d", (int)ms);
}

static intptr_t handles(void *arg)
{
    struct ls_group *g = ls_group_open("jobs");
    struct ls_task *t = add(g, 10), *kept = ls_ref(add(g, 20));
    (void)arg;
    want_error(ls_await(t, NULL, LS_NEVER), EBUSY, "the handle of task 'works 10' is its group's: ls_ref it first");
    want_error(ls_detach(t), EBUSY, "its group's");
    want_error(ls_reap(&t, 1, NULL, LS_NEVER), EBUSY, "its group's");
    want(ls_done(t) == 0 && ls_group_count(g) == 2 && !strcmp(ls_task_name(t), "works 10"));
    want(!ls_wait(&t, 1, LS_ALL_DONE, NULL, LS_NEVER)); /* looks only */
    want_error(ls_done(t), EINVAL, "'works 10'");       /* it was the group's */
    intptr_t result = 0;
    want(!ls_await(kept, &result, LS_NEVER) && result == 20 && ls_group_count(g) == 0);
    want(!ls_group_close(g, LS_NEVER));
    want_error(ls_group_close(g, LS_NEVER), EINVAL, "ls_group_close: this group was freed already");
    want(!add(g, 1) && errno == EINVAL);
    want_error((int)ls_group_count(g), EINVAL, NULL);
    want_error(ls_group_cancel(NULL, NULL), EINVAL, "the group is NULL");
    return 0;
}
Test(runtime_group, handles_are_the_groups_until_they_are_taken)
{
    cr_assert_str_eq(told_shuffled(handles), "");
}

static intptr_t closes(void *group)
{
    want_error(ls_group_close(group, LS_NEVER), EPERM, "group 'mine' was opened by task 'main', not by 'closes'");
    return add(group, 1) ? 0 : -1; /* any task of the loop may */
}
static intptr_t wrong_task(void *arg)
{
    struct ls_group *g = ls_group_open("mine");
    struct ls_lock *lock = ls_lock_new("l");
    (void)arg;
    want(!ls_await(ls_spawn(closes, g, NULL), NULL, LS_NEVER) && ls_group_count(g) == 1);
    want_error(ls_group_close((struct ls_group *)(void *)lock, LS_NEVER), EINVAL, "not a group: 'l' is a lock");
    want(!ls_group_close(g, LS_NEVER));
    return ls_lock_free(lock);
}
Test(runtime_group, only_the_opener_closes)
{
    cr_assert_str_eq(told_shuffled(wrong_task), "");
}

static intptr_t errors(void *arg)
{
    struct ls_group_error e[3] = { { "", 0 } };
    (void)arg;
    want(ls_group_errors(NULL, e, 3) == 0);
    struct ls_group *g = ls_group_open("jobs");
    for (intptr_t i = 0; i < 5; i++)
        ls_group_spawn(g, fails, (void *)(100 + i), "job %d", (int)i);
    add(g, 1000);
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL); /* the opener is told, once */
    want(!strcmp(ls_cancel_why(), "a task of its group failed"));
    ssize_t n = ls_group_errors(g, e, 3);
    want(n >= 1 && n <= 5 && e[0].error >= 100); /* those that were due at once */
    want_error(ls_group_close(g, LS_NEVER), e[0].error, NULL);
    want(ls_group_errors(NULL, NULL, 0) >= n && ls_group_errors(NULL, e, 1) >= n); /* others, before they were told */
    want(!strncmp(e[0].name, "job ", 4) && e[0].name[4] - '0' + 100 == e[0].error && alive == 0);
    want(ls_cancelling(ls_self()) == 0 && !ls_sleep(LS_MS));
    want(!ls_group_close(ls_group_open("empty"), PAST) && ls_group_errors(NULL, e, 3) == 0);
    return 0;
}
Test(runtime_group, errors_are_kept_with_their_names)
{
    cr_assert_str_eq(told_shuffled(errors), "");
}

static intptr_t never_told(void *arg)
{
    struct ls_group *g = ls_group_open(NULL);
    (void)arg;
    ls_group_spawn(g, fails, (void *)EDOM, "fails");
    ls_ns due = ls_after(5 * LS_MS);
    struct ls_future *f = ls_future_new("f");
    ls_sleep(LS_MS);
    ls_call_at(due, (void (*)(void *))(void *)ls_future_cancel, f);
    want(!ls_future_await(f, NULL, LS_NEVER)); /* woken in the turn of the failure */
    want_error(ls_group_close(g, LS_NEVER), EDOM, NULL);
    want(!ls_sleep(LS_MS)); /* the close has taken the cancel back */
    return ls_future_free(f);
}
Test(runtime_group, a_cancel_that_was_not_told_is_taken_back)
{
    cr_assert_str_eq(told_shuffled(never_told), "");
}

static intptr_t deadline(void *arg)
{
    struct ls_group *g = ls_group_open(NULL);
    (void)arg;
    add(g, 5);
    add(g, 1000);
    ls_ns start = ls_now();
    want_error(ls_group_close(g, ls_after(10 * LS_MS)), ETIMEDOUT, NULL);
    want(alive == 0 && ls_now() == start + 10 * LS_MS);
    g = ls_group_open(NULL);
    add(g, 5);
    want_error(ls_group_close(g, PAST), ETIMEDOUT, NULL); /* what has not begun never runs */
    want(alive == 0 && most == 2);
    return 0;
}
Test(runtime_group, the_deadline_cancels_and_waits)
{
    cr_assert_str_eq(told_shuffled(deadline), "");
}

static intptr_t limited(void *arg)
{
    struct ls_group *g = ls_group_open("limited");
    struct ls_task *first = NULL, *last = NULL;
    (void)arg;
    most = 0;
    want(!ls_group_limit(g, 3));
    for (int i = 0; i < 10; i++)
        last = add(g, 10 + i % 3);
    ls_sleep(LS_MS);
    want(alive == 3 && ls_group_count(g) == 10);
    want(!ls_cancel(last, NULL)); /* waits for its turn: never runs */
    want_error(ls_group_room(g, SOON), ETIMEDOUT, NULL);
    want(!ls_group_room(g, LS_NEVER) && ls_group_count(g) == 2);
    first = add(g, 1); /* at once */
    want(!ls_wait(&first, 1, LS_ALL_DONE, NULL, LS_NEVER));
    want(!ls_group_close(g, LS_NEVER) && most == 3 && alive == 0);
    return 0;
}
Test(runtime_group, a_limit_lets_so_many_run_at_once)
{
    cr_assert_str_eq(told_shuffled(limited), "");
}

static intptr_t limit_changes(void *arg)
{
    struct ls_group *g = ls_group_open("limited");
    (void)arg;
    most = 0;
    ls_group_limit(g, 1);
    for (int i = 0; i < 6; i++)
        add(g, 10);
    ls_sleep(LS_MS);
    want(alive == 1);
    ls_group_limit(g, 4);
    ls_sleep(LS_MS);
    want(alive == 4);
    ls_group_limit(g, 0);
    ls_sleep(LS_MS);
    want(alive == 6 && !ls_group_room(g, PAST));
    want(!ls_group_cancel(g, "enough"));
    want(!add(g, 1) && errno == ECANCELED && strstr(ls_error_text(), "group 'limited' is being cancelled"));
    want_error(ls_group_room(g, LS_NEVER), ECANCELED, NULL);
    want_error(ls_group_close(g, LS_NEVER), ECANCELED, NULL);
    want(alive == 0);
    return 0;
}
Test(runtime_group, a_limit_may_change)
{
    cr_assert_str_eq(told_shuffled(limit_changes), "");
}

static intptr_t wants_room(void *group)
{
    int status = ls_group_room(group, LS_NEVER);
    want(status == -1 && (errno == ECANCELED || errno == EINVAL));
    return 0;
}
static intptr_t room_refused(void *arg)
{
    struct ls_group *g = ls_group_open("full");
    struct ls_task *t[3];
    (void)arg;
    ls_group_limit(g, 1);
    add(g, 1000);
    for (int i = 0; i < 3; i++)
        t[i] = ls_spawn(wants_room, g, NULL);
    ls_yield();
    ls_group_cancel(g, NULL);
    want_error(ls_group_close(g, LS_NEVER), ECANCELED, NULL);
    return ls_gather(t, 3, NULL, LS_NEVER);
}
Test(runtime_group, who_waits_for_room_is_told_of_the_end)
{
    cr_assert_str_eq(told_shuffled(room_refused), "");
}

static intptr_t leaves_it_open(void *arg)
{
    int on_my_stack = 1;
    (void)arg;
    struct ls_group *outer = ls_group_open("outer"), *inner = ls_group_open("inner");
    add(outer, 1000);
    add(inner, 1000);
    ls_sleep(LS_MS);
    return on_my_stack;
}
static intptr_t left_open(void *arg)
{
    intptr_t result;
    (void)arg;
    want(!ls_await(ls_spawn(leaves_it_open, NULL, "careless"), &result, LS_NEVER) && result == 1);
    want(alive == 0 && strstr(ls_error_text(), "task 'careless' returned with group 'outer' open"));
    return 0;
}
Test(runtime_group, one_that_is_left_open_is_cancelled_and_closed)
{
    cr_assert_str_eq(told_shuffled(left_open), "");
}

static intptr_t hidden(void *arg)
{
    struct ls_group *g = ls_group_open(NULL);
    (void)arg;
    ls_group_spawn(g, fails, (void *)EDOM, NULL);
    add(g, 1000);
    /* main's cancel comes while the group fails: what the close says hides it, so it is told once more */
    want_error(ls_group_close(g, LS_NEVER), EDOM, NULL);
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    want(!ls_sleep(LS_MS));
    errno = ECANCELED;
    return -1;
}
static intptr_t hidden_cancel(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(hidden, NULL, NULL);
    want(!ls_sleep(5 * LS_MS) && !ls_cancel(t, "main's"));
    want(!ls_await(t, NULL, LS_NEVER) && errno == ECANCELED);
    return 0;
}
static intptr_t fails_when_cancelled(void *arg)
{
    (void)arg;
    ls_sleep(LS_SEC);
    errno = EIO;
    return -1;
}
static intptr_t absorbs(void *arg)
{
    struct ls_group *g = ls_group_open(NULL);
    (void)arg;
    ls_group_spawn(g, fails_when_cancelled, NULL, NULL);
    want_error(ls_group_close(g, LS_NEVER), EIO, NULL);
    want_error(ls_sleep(LS_SEC), ECANCELED, NULL);
    return ls_sleep(LS_MS);
}
static intptr_t absorbed_cancel(void *arg)
{
    struct ls_task *t = ls_spawn(absorbs, NULL, NULL);
    intptr_t result;
    (void)arg;
    ls_sleep(LS_MS);
    want(!ls_cancel(t, NULL) && !ls_await(t, &result, LS_NEVER) && result == 0);
    return 0;
}
Test(runtime_group, a_cancel_that_a_failure_hides_is_told_again)
{
    cr_assert_str_eq(told(absorbed_cancel), "");
    cr_assert_str_eq(told(hidden_cancel), "");
}

static struct ls_task *opener;
static intptr_t awaits_opener(void *arg)
{
    (void)arg;
    int status = ls_await(opener, NULL, LS_NEVER);
    want(status == -1 && (errno == EDEADLK || errno == ECANCELED));
    return 0;
}
static intptr_t opens(void *arg)
{
    struct ls_group *g = ls_group_open("circle");
    ls_group_spawn(g, awaits_opener, NULL, "child");
    if (arg)
        ls_sleep(LS_MS); /* the child waits already */
    int status = ls_group_close(g, LS_NEVER);
    want(arg ? status == -1 && errno == EDEADLK && strstr(ls_error_text(), "'child'") : status == 0);
    return 0;
}
static intptr_t circle(void *arg)
{
    (void)arg;
    for (intptr_t i = 0; i < 2; i++) {
        opener = ls_ref(ls_spawn(opens, (void *)i, "opener"));
        want(!ls_await(ls_ref(opener), NULL, LS_NEVER));
        want(!ls_detach(opener));
        ls_detach(opener);
    }
    return 0;
}
Test(runtime_group, a_child_that_awaits_the_opener_is_a_circle)
{
    cr_assert_str_eq(told(circle), "");
}

static intptr_t cut_off(void *arg)
{
    int local = 1;
    struct ls_group *g = ls_group_open(NULL);
    (void)arg;
    add(g, 1000);
    want_error(ls_group_close(g, LS_NEVER), ECANCELED, NULL);
    want(alive == 0 && local == 1); /* also now, the close waited */
    note("closed ");
    return -1;
}
static intptr_t leaves_early(void *arg)
{
    (void)arg;
    ls_detach(ls_spawn(cut_off, NULL, NULL));
    return ls_sleep(LS_MS);
}
Test(runtime_group, a_close_holds_its_promise_when_the_loop_closes)
{
    cr_assert_str_eq(told(leaves_early), "closed ");
}

static uint64_t dice = 88172645463325252u;
static unsigned roll(unsigned n)
{
    dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
    return (unsigned)(dice % n);
}
static intptr_t tree(void *depth)
{
    intptr_t d = (intptr_t)depth;
    alive++;
    struct ls_group *g = ls_group_open(NULL);
    ls_group_limit(g, roll(3));
    for (unsigned i = d ? roll(4) : 0; i; i--)
        ls_group_spawn(g, tree, (void *)(d - 1), "node");
    int body = roll(2) ? ls_sleep(roll(10) * LS_MS) : 0;
    int status = ls_group_close(g, roll(3) ? LS_NEVER : ls_after(roll(20) * LS_MS));
    alive--;
    errno = roll(10) ? ECANCELED : EDOM;
    return body || status || !roll(10) ? -1 : 0;
}
static intptr_t forest(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        alive = 0;
        struct ls_task *t = ls_spawn(tree, (void *)4, "root");
        if (roll(2)) {
            ls_sleep(roll(10) * LS_MS);
            ls_cancel(t, "dice");
        }
        want(!ls_await(t, NULL, LS_NEVER));
        want(alive == 0); /* a root that is over leaves nobody behind */
    }
    return 0;
}
Test(runtime_group, a_tree_of_groups_ends_from_the_leaves)
{
    cr_assert_str_eq(told_shuffled(forest), "");
}

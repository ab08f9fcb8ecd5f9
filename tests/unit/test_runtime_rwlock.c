/* ls_rwlock: phases, deadlines, cancellation, wrong use. */
#include <criterion/criterion.h>

#include "tests/lib/story.h"

static struct ls_rwlock *k;

static intptr_t reader(void *arg)
{
    if (note_result(ls_rwlock_read(k, arg ? SOON : LS_NEVER)))
        return -1;
    ls_sleep(5 * LS_MS);
    return ls_rwlock_release(k);
}
static intptr_t writer(void *arg)
{
    if (note_result(ls_rwlock_write(k, arg ? SOON : LS_NEVER)))
        return -1;
    ls_sleep(5 * LS_MS);
    note("/%s ", ls_task_name(ls_self()));
    return ls_rwlock_release(k);
}

static intptr_t phases_app(void *arg)
{
    (void)arg;
    k = ls_rwlock_new("k");
    struct ls_task *t[] = { ls_spawn(reader, NULL, "r1"), ls_spawn(reader, NULL, "r2"), ls_spawn(writer, NULL, "w1"),
                            ls_spawn(reader, NULL, "r3"), ls_spawn(writer, NULL, "w2"), ls_spawn(reader, NULL, "r4"),
                            ls_spawn(reader, NULL, "r5"), ls_spawn(reader, NULL, "r6") };
    return ls_gather(t, 8, NULL, LS_NEVER) || ls_rwlock_free(k);
}
Test(runtime_rwlock, readers_and_writers_take_turns)
{
    cr_assert_str_eq(told(phases_app), "r1 r2 w1 /w1 r3 r4 r5 r6 w2 /w2 ");
}

static intptr_t leave_app(void *arg)
{
    (void)arg;
    k = ls_rwlock_new("k");
    want(!ls_rwlock_read(k, LS_NEVER));
    struct ls_task *w = ls_spawn(writer, (void *)1, "w"), *r = ls_spawn(reader, NULL, "r");
    ls_sleep(3 * LS_MS); /* w gave up, so that r reads beside main */
    want_error(ls_rwlock_free(k), EBUSY, "held by");
    want(!ls_rwlock_release(k));
    ls_await(w, NULL, LS_NEVER);
    ls_await(r, NULL, LS_NEVER);
    want(!ls_rwlock_write(k, LS_NEVER));
    struct ls_task *t[] = { ls_spawn(reader, (void *)1, "r1"), ls_spawn(writer, NULL, "w1"),
                            ls_spawn(reader, NULL, "r2") };
    ls_sleep(3 * LS_MS);
    ls_cancel(t[1], NULL);
    want(!ls_rwlock_release(k));
    for (int i = 0; i < 3; i++)
        ls_await(t[i], NULL, LS_NEVER);
    return ls_rwlock_free(k);
}
Test(runtime_rwlock, a_writer_that_leaves_lets_readers_in)
{
    cr_assert_str_eq(told(leave_app), "w:ETIMEDOUT r r1:ETIMEDOUT w1:ECANCELED r2 ");
}

static intptr_t tries(void *arg)
{
    (void)arg;
    want_error(ls_rwlock_release(k), EPERM, "does not hold rwlock 'k'");
    want_error(ls_rwlock_try_write(k), EAGAIN, NULL);
    want(!ls_rwlock_try_read(k));
    return ls_rwlock_release(k);
}
static intptr_t many_app(void *arg)
{
    struct ls_task *t[50];
    (void)arg;
    for (int i = 0; i < 50; i++)
        t[i] = ls_spawn(reader, NULL, "r");
    int error = ls_gather(t, 50, NULL, LS_NEVER);
    story[0] = 0;
    return error;
}
static intptr_t misuse_app(void *arg)
{
    (void)arg;
    k = ls_rwlock_new("k");
    want_error(ls_rwlock_release(k), EPERM, "does not hold");
    want(!ls_rwlock_try_read(k));
    want_error(ls_rwlock_read(k, LS_NEVER), EDEADLK, "'main' holds rwlock 'k' already");
    want_error(ls_rwlock_write(k, LS_NEVER), EDEADLK, "already"); /* no upgrade */
    ls_await(ls_spawn(tries, NULL, NULL), NULL, LS_NEVER);
    want(!ls_rwlock_release(k) && !ls_rwlock_try_write(k));
    struct ls_task *t = ls_spawn(many_app, NULL, NULL);
    ls_sleep(LS_MS);
    want(!ls_rwlock_release(k)); /* all fifty at once */
    want(!ls_await(t, NULL, LS_NEVER));
    want(!ls_rwlock_free(k));
    want_error(ls_rwlock_try_read(k), EINVAL, "freed already");
    want_error(ls_rwlock_try_read(NULL), EINVAL, "NULL");
    return 0;
}
Test(runtime_rwlock, wrong_use_is_an_error_with_a_name)
{
    cr_assert_str_eq(told(misuse_app), "");
}

static intptr_t ends_reading(void *arg)
{
    (void)arg;
    return ls_rwlock_read(k, LS_NEVER) || ls_sleep(LS_MS);
}
static intptr_t ends_writing(void *arg)
{
    (void)arg;
    return ls_rwlock_write(k, LS_NEVER) || ls_sleep(LS_MS);
}
static intptr_t orphan_app(void *arg)
{
    (void)arg;
    k = ls_rwlock_new("k");
    struct ls_task *a = ls_spawn(ends_reading, NULL, "a"), *w = ls_spawn(writer, NULL, "w");
    want_error(ls_rwlock_release(k), EPERM, "does not hold rwlock 'k'");
    ls_await(a, NULL, LS_NEVER);
    ls_await(w, NULL, LS_NEVER); /* a reader's end gives it back */
    want(strstr(ls_error_text(), "does not hold")); /* which is no wrong use of a handle by anybody */
    a = ls_spawn(ends_writing, NULL, "a"), w = ls_spawn(reader, NULL, "r");
    ls_await(a, NULL, LS_NEVER);
    ls_await(w, NULL, LS_NEVER);
    want_error(ls_rwlock_read(k, LS_NEVER), EOWNERDEAD, "not given back by 'a'");
    want(!ls_rwlock_release(k) && !ls_rwlock_write(k, LS_NEVER) && !ls_rwlock_release(k));
    return 0;
}
Test(runtime_rwlock, a_holder_that_ends_leaves_no_one_waiting)
{
    cr_assert_str_eq(told(orphan_app), "w /w r:EOWNERDEAD ");
}

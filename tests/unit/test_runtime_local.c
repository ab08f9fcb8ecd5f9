/* Task-locals: inherited at spawn, each task's own from then on, destroyed with the last that has them. */
#include "tests/lib/story.h"

#include <criterion/criterion.h>

static int destroyed;
static void destroy(void *value)
{
    destroyed += *(int *)value;
}
static const struct ls_local plain = { "plain", NULL }, owned = { "owned", destroy };

static intptr_t child(void *arg)
{
    int *mine = arg;
    want(ls_local_get(&plain) == (void *)1 && *(int *)ls_local_get(&owned) == 100);
    ls_yield();
    want(ls_local_get(&plain) == (void *)1); /* what main set meanwhile is main's */
    want(!ls_local_set(&plain, (void *)3) && !ls_local_set(&owned, mine));
    ls_yield();
    want(ls_local_get(&plain) == (void *)3 && ls_local_get(&owned) == mine);
    want(!ls_local_set(&plain, NULL) && !ls_local_get(&plain) && ls_local_get(&owned) == mine);
    return 0;
}
static intptr_t inherits(void *arg)
{
    static int hundred = 100, ones[3] = { 1, 1, 1 };
    struct ls_task *t[3];
    (void)arg;
    want(!ls_local_get(&plain) && !ls_local_set(&plain, NULL));
    want(!ls_local_set(&plain, (void *)1) && !ls_local_set(&owned, &hundred));
    for (int i = 0; i < 3; i++)
        t[i] = ls_spawn(child, &ones[i], NULL);
    want(!ls_local_set(&plain, (void *)2));
    want(!ls_gather(t, 3, NULL, LS_NEVER) && destroyed == 3); /* each child's own */
    want(ls_local_get(&plain) == (void *)2 && ls_local_get(&owned) == &hundred);
    want(!ls_local_set(&owned, NULL) && destroyed == 103);
    destroyed = 0;
    want_error(ls_local_set(NULL, &hundred), EINVAL, "the key is NULL");
    return 0;
}
Test(runtime_local, inherited_and_then_each_tasks_own)
{
    cr_assert_str_eq(told_shuffled(inherits), "");
    cr_assert(!ls_local_get(&plain));
    cr_assert(ls_local_set(&plain, "x") == -1 && errno == EPERM);
}

static intptr_t keeps(void *arg)
{
    (void)arg;
    return ls_sleep(10 * LS_MS);
}
static intptr_t last_one(void *arg)
{
    static int ten = 10;
    (void)arg;
    want(!ls_local_set(&owned, &ten));
    struct ls_task *t = ls_spawn(keeps, NULL, NULL);
    want(!ls_local_set(&owned, NULL) && destroyed == 0); /* t has it still */
    want(!ls_await(t, NULL, LS_NEVER) && destroyed == 10);
    destroyed = 0;
    want(!ls_local_set(&owned, &ten) && !ls_local_set(&owned, &ten) && destroyed == 10);
    ls_cancel(ls_spawn(keeps, NULL, NULL), NULL); /* never begins */
    return 0;
}
Test(runtime_local, destroyed_with_the_last_that_has_it)
{
    cr_assert_str_eq(told(last_one), "");
    cr_assert_eq(destroyed, 20);
}

static intptr_t many_keys(void *arg)
{
    static const struct ls_local keys[50] = { { "k", NULL } };
    (void)arg;
    for (intptr_t i = 0; i < 50; i++)
        want(!ls_local_set(&keys[i], (void *)(i + 1)));
    for (intptr_t i = 0; i < 50; i += 2)
        want(!ls_local_set(&keys[i], NULL));
    for (intptr_t i = 0; i < 50; i++)
        want(ls_local_get(&keys[i]) == (void *)(i % 2 ? i + 1 : 0));
    return 0;
}
Test(runtime_local, many_keys)
{
    cr_assert_str_eq(told(many_keys), "");
}

static intptr_t deep(void *arg)
{
    want(ls_local_get(&plain) == arg);
    if (arg == (void *)1)
        return 0;
    ls_local_set(&plain, (char *)arg - 1);
    return ls_await(ls_spawn(deep, (char *)arg - 1, NULL), NULL, LS_NEVER) || ls_local_get(&plain) != (char *)arg - 1;
}
static intptr_t down(void *arg)
{
    (void)arg;
    ls_local_set(&plain, (void *)20);
    return ls_await(ls_spawn(deep, (void *)20, NULL), NULL, LS_NEVER);
}
Test(runtime_local, through_generations)
{
    cr_assert_str_eq(told_shuffled(down), "");
}

/* A destroy is a callback: it may do all but wait, also when its value goes with a task. */
static int busy;
static intptr_t child_of_destroy(void *arg)
{
    busy++;
    return (intptr_t)arg;
}
static void destroy_busily(void *value)
{
    want_error(ls_sleep(LS_MS), EPERM, "a callback of the loop must not wait");
    want_error(ls_local_set(&plain, value), EPERM, NULL);
    want(!ls_local_get(&plain));
    struct ls_task *t = ls_spawn(child_of_destroy, NULL, "late");
    want(t && !strcmp(ls_task_name(t), "late") && !ls_detach(t));
    busy++;
}
static const struct ls_local busily = { "busily", destroy_busily };
static intptr_t has_busy(void *arg)
{
    ls_local_set(&plain, (void *)1);
    ls_local_set(&busily, "x");
    return (intptr_t)arg;
}
static intptr_t sets_and_ends(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        ls_detach(ls_spawn(has_busy, NULL, NULL));
    ls_sleep(LS_MS);
    want(busy == 6);
    has_busy(NULL);
    struct ls_task *t = ls_spawn(keeps, NULL, NULL); /* shares it, never begins, is the last that has it */
    ls_detach(t);
    ls_detach(ls_spawn(keeps, NULL, NULL));
    ls_local_set(&plain, NULL);
    return 0;
}
static intptr_t dies_with_another(void *arg)
{
    (void)arg;
    has_busy(NULL);
    struct ls_task *t = ls_spawn(keeps, NULL, NULL);
    ls_local_set(&busily, NULL);
    ls_cancel(t, NULL);
    ls_detach(t);
    return ls_sleep(LS_MS); /* begins it, and so ends it, while this task leaves */
}
static intptr_t busy_app(void *arg)
{
    (void)arg;
    busy = 0;
    want(!ls_await(ls_spawn(sets_and_ends, NULL, NULL), NULL, LS_NEVER));
    want(!ls_await(ls_spawn(dies_with_another, NULL, NULL), NULL, LS_NEVER));
    ls_sleep(LS_SEC);
    want(busy == 10);
    return 0;
}
Test(runtime_local, a_destroy_may_do_all_but_wait)
{
    cr_assert_str_eq(told_shuffled(busy_app), "");
}

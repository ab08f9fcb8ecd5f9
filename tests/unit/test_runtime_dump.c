/* ls_dump and ls_tasks_foreach: what they say of a loop in virtual time, to the letter. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static char text[8192];

/* What dump(fd) writes, without how much of the stacks was used; the thread's number is replaced by TID. */
static void take(int (*dump)(int))
{
    int fd = memfd_create("dump", 0), status = dump(fd);
    char all[sizeof text] = "", tid[32];
    if (status || pread(fd, all, sizeof all - 1, 0) < 0)
        snprintf(all, sizeof all, "failed: %s", strerror(errno));
    close(fd);
    for (char *stack; (stack = strstr(all, "; stack "));
         memmove(stack, strchr(stack, '\n'), strlen(strchr(stack, '\n')) + 1))
        continue;
    snprintf(tid, sizeof tid, "thread %d", gettid());
    char *at = strstr(all, tid);
    if (at)
        snprintf(text, sizeof text, "%.*sthread TID%s", (int)(at - all), all, at + strlen(tid));
    else
        memcpy(text, all, sizeof text);
}

#line 1 "shop.c"
#define END 100 /* of a pipe */
static intptr_t naps(void *arg)
{
    return ls_sleep((ls_ns)(intptr_t)arg * LS_MS);
}
static intptr_t reads(void *arg)
{
    return (intptr_t)ls_read(END, arg, 1, ls_after(90 * LS_SEC));
}
static intptr_t pair(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(naps, (void *)60000, "slow"), ls_spawn(naps, (void *)2500, "quick") };
    return ls_gather(t, 2, arg, LS_NEVER);
}
static intptr_t over(void *arg)
{
    return (intptr_t)arg;
}
static intptr_t awaits(void *arg)
{
    return ls_await((struct ls_task *)arg, NULL, LS_NEVER);
}
static intptr_t shop(void *arg)
{
    char c;
    struct ls_task *t[4] = { ls_spawn(pair, NULL, NULL), ls_spawn(over, NULL, NULL),
                             ls_spawn(naps, (void *)9000, "woken") };
    t[0] = ls_spawn(awaits, t[0], "boss");
    ls_sleep(1500 * LS_MS);
    t[3] = ls_spawn(reads, &c, "reader of %d", END);
    ls_yield();
    ls_detach(ls_spawn(naps, NULL, "new"));
    ls_cancel(t[2], NULL);
    take(arg ? ls_dump_all : ls_dump);
    ls_cancel(t[0], NULL);
    ls_cancel(t[3], NULL);
    return ls_gather_all(t, 4, NULL, LS_NEVER);
}
static intptr_t both(void *arg) /* in the order that is given */
{
    struct ls_lock **lock = (struct ls_lock **)arg;
    ls_lock_acquire(lock[0], LS_NEVER);
    ls_yield();
    int status = ls_lock_acquire(lock[1], ls_after(LS_SEC));
    if (!status)
        ls_lock_release(lock[1]);
    ls_lock_release(lock[0]);
    return status;
}
static intptr_t circle(void *arg)
{
    struct ls_lock *a = ls_lock_new("a"), *b = ls_lock_new("b");
    struct ls_lock *ab[] = { a, b }, *ba[] = { b, a };
    struct ls_task *t[] = { ls_spawn(both, ab, "ab"), ls_spawn(both, ba, "ba") };
    ls_sleep(250 * LS_MS);
    take(ls_dump);
    intptr_t out[2];
    ls_gather_all(t, 2, out, LS_NEVER);
    return out[0] == -ETIMEDOUT || arg;
}

static intptr_t team(void *arg)
{
    struct ls_group *g = ls_group_open("crew");
    ls_group_limit(g, 2);
    for (int i = 0; i < 3; i++)
        ls_group_spawn(g, naps, (void *)(intptr_t)(100 + i), "sailor %d", i);
    ls_sleep(20 * LS_MS);
    return ls_group_close(g, LS_NEVER) + (intptr_t)arg;
}
static intptr_t dumper(void *arg)
{
    struct ls_task *t = ls_spawn(team, NULL, "captain");
    ls_sleep((ls_ns)(intptr_t)arg * LS_MS);
    take(ls_dump);
    return ls_await(t, NULL, LS_NEVER);
}

#line 1 "main.c"
/* One place that runs them all, at a line of its own. */
static intptr_t run_demo(ls_fn *fn, void *arg)
{
    static const struct ls_opts still = { .name = "shop", .virtual_time = true };
    intptr_t result;

    result = ls_run(fn, arg, &still);
    return result;
}

Test(runtime_dump, says_what_every_task_does)
{
    int ends[2];
    cr_assert(!pipe(ends) && dup2(ends[0], END) == END);
    static const char expected[] =
        "loop 'shop' (thread TID): 8 tasks, 1 running, 2 ready, 5 waiting; 1 over and not yet awaited; 3 timers\n"
        "  main: runs, last waited at shop.c:31 in shop; spawned at main.c:7\n"
        "  woken: ready, is to be cancelled, last waited at shop.c:4 in naps; spawned at shop.c:27\n"
        "  boss: waits 1.5 s for task 'pair', at shop.c:21 in awaits; spawned at shop.c:28\n"
        "    pair: waits 1.5 s for 'gather of 2', at shop.c:13 in pair; spawned at shop.c:26\n"
        "      slow: sleeps 1.5 s, is to wake in 58.5 s, at shop.c:4 in naps; spawned at shop.c:12\n"
        "      quick: sleeps 1.5 s, is to wake in 1 s, at shop.c:4 in naps; spawned at shop.c:12\n"
        "  reader of 100: waits for fd 100, deadline in 90 s, at shop.c:8 in reads; spawned at shop.c:30\n"
        "  new: ready to begin; spawned at shop.c:32\n";
    for (int all = 0; all <= 1; all++) {
        cr_assert_eq(run_demo(shop, all ? &all : NULL), 0);
        cr_assert_str_eq(text, expected);
    }
}

Test(runtime_dump, names_who_holds_a_lock_and_who_waits_in_a_circle)
{
    cr_assert_eq(run_demo(circle, NULL), 1);
    cr_assert_str_eq(
        text, "loop 'shop' (thread TID): 3 tasks, 1 running, 0 ready, 2 waiting; 2 timers\n"
              "  main: runs, last waited at shop.c:55 in circle; spawned at main.c:7\n"
              "  ab: waits 250 ms for lock 'b' (held by 'ba', 1 wait), deadline in 750 ms, at shop.c:44 in both; "
              "spawned at shop.c:54\n"
              "  ba: waits 250 ms for lock 'a' (held by 'ab', 1 wait), deadline in 750 ms, at shop.c:44 in both; "
              "spawned at shop.c:54\n"
              "  circle: ab waits for lock 'b' held by ba that waits for lock 'a' held by ab\n"
              "  lock 'a': held by 'ab', 1 wait; made at shop.c:52\n"
              "  lock 'b': held by 'ba', 1 wait; made at shop.c:52\n");
}

Test(runtime_dump, shows_a_group_below_who_closes_it)
{
    cr_assert_eq(run_demo(dumper, (void *)10), 0);
    cr_assert_str_eq(text, "loop 'shop' (thread TID): 5 tasks, 1 running, 0 ready, 4 waiting; 3 timers\n"
                           "  main: runs, last waited at shop.c:74 in dumper; spawned at main.c:7\n"
                           "  captain: sleeps 10 ms, is to wake in 10 ms, at shop.c:68 in team; spawned at shop.c:73\n"
                           "  sailor 0: sleeps 10 ms, is to wake in 90 ms, at shop.c:4 in naps; spawned at shop.c:67\n"
                           "  sailor 1: sleeps 10 ms, is to wake in 91 ms, at shop.c:4 in naps; spawned at shop.c:67\n"
                           "  sailor 2: waits 10 ms for its turn in group 'crew' (3 tasks, 1 wait for their turn); "
                           "spawned at shop.c:67\n"
                           "  group 'crew': 3 tasks, 1 wait for their turn; made at shop.c:64\n");
    cr_assert_eq(run_demo(dumper, (void *)50), 0);
    cr_assert(strstr(text, "\n  captain: waits 30 ms for group 'crew' (3 tasks, 1 wait for their turn), at shop.c:69"));
    cr_assert(strstr(text, "\n    sailor 1: sleeps 50 ms") && strstr(text, "\n    sailor 2: waits 50 ms"));
}

/* A chain of tasks, each awaits the next: deeper than the tree goes, and every one is shown once. */
static intptr_t chain(void *arg)
{
    intptr_t n = (intptr_t)arg;
    return n ? ls_await(ls_spawn(chain, (void *)(n - 1), "link%d", (int)n - 1), NULL, LS_NEVER) : ls_sleep(LS_SEC);
}
static intptr_t deep(void *arg)
{
    struct ls_task *first = ls_spawn(chain, arg, "link%d", (int)(intptr_t)arg);
    ls_sleep(LS_MS);
    take(ls_dump);
    return ls_await(first, NULL, LS_NEVER);
}
Test(runtime_dump, shows_each_task_of_a_long_chain_once)
{
    cr_assert_eq(run_demo(deep, (void *)60), 0);
    for (int i = 0; i <= 60; i++) {
        char name[32];
        snprintf(name, sizeof name, " link%d: ", i);
        const char *at = strstr(text, name);
        cr_assert(at && !strstr(at + 1, name), "%s", name);
    }
}

/* Where it cannot write, and where there is no loop. */
static intptr_t badly(void *arg)
{
    int full = open("/dev/full", O_WRONLY);
    int *error = (int *)arg;
    error[0] = ls_dump(-1) == -1 ? errno : 0;
    error[1] = ls_dump(full) == -1 ? errno : 0;
    return close(full);
}
Test(runtime_dump, says_why_it_failed)
{
    int error[2] = { 0 };
    cr_assert_eq(run_demo(badly, error), 0);
    cr_assert(error[0] == EBADF && error[1] == ENOSPC);
    cr_assert(ls_dump(2) == -1 && errno == EPERM && strstr(ls_error_text(), "no loop"));
    cr_assert_eq(ls_dump_all(2), 0);
}

/* A dump of a thread's loop from another thread: the loop is asleep, so nothing moves. */
static int told[2];
static intptr_t sleeps_alone(void *arg)
{
    char c = 'x';
    if (write(told[1], &c, 1) != 1)
        return 1;
    return (intptr_t)ls_read(*(int *)arg, &c, 1, LS_NEVER);
}
static void *other_thread(void *arg)
{
    ls_run(sleeps_alone, arg, NULL);
    return NULL;
}
Test(runtime_dump, shows_loops_of_other_threads)
{
    int wake[2];
    char c;
    pthread_t thread;
    cr_assert(!pipe(wake) && !pipe(told) && !pthread_create(&thread, NULL, other_thread, &wake[0]));
    cr_assert_eq(read(told[0], &c, 1), 1);
    for (int i = 0; i < 500 && !strstr(text, "main: waits"); i++) { /* it is about to wait */
        take(ls_dump_all);
        usleep(10000);
    }
    cr_assert(strstr(text, "loop 'loop' (thread ") && strstr(text, "main: waits") && strstr(text, "sleeps_alone"));
    cr_assert_eq(write(wake[1], &c, 1), 1);
    cr_assert(!pthread_join(thread, NULL));
    take(ls_dump_all);
    cr_assert_str_eq(text, "");
}

static int see(const struct ls_task_info *info, void *arg)
{
    char *story = (char *)arg;
    snprintf(story + strlen(story), 512 - strlen(story), "%s %d %s fd %d at %s:%u since %d\n", info->name,
             (int)info->state, info->target ? info->target : "-", info->fd,
             info->waits_at ? info->waits_at->function : "-", info->spawned_at->line,
             info->since ? (int)((ls_now() - info->since) / LS_MS) : -1);
    if (!strcmp(info->name, "slow"))
        ls_cancel(info->task, "seen");
    return 0;
}
static int stop_at_boss(const struct ls_task_info *info, void *arg)
{
    (void)arg;
    return strcmp(info->name, "boss") ? 0 : 7;
}
static intptr_t keep;
static int keep_new(const struct ls_task_info *info, void *arg)
{
    (void)arg;
    if (!strcmp(info->name, "new"))
        keep = (intptr_t)ls_ref(info->task);
    return 0;
}
#line 1 "list.c"
static intptr_t lists(void *arg)
{
    struct ls_task *boss = ls_spawn(awaits, ls_spawn(pair, NULL, NULL), "boss");
    ls_sleep(20 * LS_MS);
    ls_detach(ls_spawn(naps, NULL, "new"));
    if (ls_tasks_foreach(see, arg) || ls_tasks_foreach(stop_at_boss, NULL) != 7 || ls_tasks_foreach(keep_new, NULL))
        return 1;
    if (ls_tasks_foreach(NULL, NULL) != -1 || errno != EINVAL)
        return 2;
    if (ls_await((struct ls_task *)keep, NULL, LS_NEVER)) /* a detached one, had again */
        return 3;
    return ls_await(boss, NULL, LS_NEVER);
}
Test(runtime_dump, foreach_hands_out_every_task)
{
    char story[512] = "";
    cr_assert_eq(run_demo(lists, story), 0);
    cr_assert_str_eq(story, "main 1 - fd -1 at -:7 since -1\n"
                            "pair 2 gather of 2 fd -1 at pair:3 since 20\n"
                            "boss 2 pair fd -1 at awaits:3 since 20\n"
                            "slow 2 - fd -1 at naps:12 since 20\n"
                            "quick 2 - fd -1 at naps:12 since 20\n"
                            "new 0 - fd -1 at -:5 since -1\n");
    cr_assert(ls_tasks_foreach(see, story) == -1 && errno == EPERM);
}

/* The handle that fn is given is only lent: who spends it without ls_ref is told so. */
static int spend(const struct ls_task_info *info, void *arg)
{
    if (!strcmp(info->name, "new"))
        *(int *)arg = ls_detach(info->task) == -1 && errno == EBUSY;
    return 0;
}
static intptr_t spends(void *arg)
{
    (void)arg;
    int refused = 0;
    ls_detach(ls_spawn(naps, NULL, "new"));
    return ls_tasks_foreach(spend, &refused) || !refused;
}
Test(runtime_dump, what_foreach_lends_cannot_be_spent)
{
    cr_assert_eq(ls_run(spends, NULL, NULL), 0);
}

/* The high-water mark of a stack is of the deepest call, not of where the task is now. */
static int find(const struct ls_task_info *info, void *arg)
{
    if (strcmp(info->name, "diver"))
        return 0;
    *(struct ls_task_info *)arg = *info;
    return 1;
}
static __attribute__((noinline)) int dive(int kib)
{
    volatile char air[1024];
    for (size_t i = 0; i < sizeof air; i++)
        air[i] = (char)kib;
    return kib > 1 ? dive(kib - 1) + air[kib] : air[0];
}
static intptr_t diver(void *arg)
{
    dive((int)(intptr_t)arg);
    return ls_sleep(LS_SEC);
}
static intptr_t measures(void *arg)
{
    size_t *used = (size_t *)arg;
    for (int i = 0; i < 2; i++) {
        struct ls_task_info info = { 0 };
        struct ls_task *t = ls_spawn(diver, (void *)(i ? 30L : 10L), "diver");
        if (!ls_tasks_foreach(find, &info) || info.stack_size) /* it has not begun */
            return 1;
        ls_sleep(LS_MS);
        ls_tasks_foreach(find, &info);
        used[i] = info.stack_used;
        if (info.stack_used > info.stack_size)
            return 2;
        if (ls_await(t, NULL, LS_NEVER))
            return 3;
    }
    return 0;
}
Test(runtime_dump, tells_how_deep_a_stack_ever_was)
{
    size_t used[2] = { 0 };
    cr_assert_eq(run_demo(measures, used), 0);
    cr_assert(used[0] >= 10 * 1024 && used[1] >= 30 * 1024 && used[1] - used[0] >= 18 * 1024, "%zu %zu", used[0],
              used[1]);
}

static intptr_t deaf(void *arg)
{
    for (int i = 0; i < 1000; i++) /* the result that says ECANCELED is not looked at */
        ls_sleep((ls_ns)(intptr_t)arg);
    return 0;
}
static intptr_t waits_for(void *arg)
{
    return ls_wait_fd((int)(intptr_t)arg, POLLIN, LS_NEVER);
}
static intptr_t odd(void *arg)
{
    int p[2];
    if (pipe(p) || dup2(p[0], END) != END)
        return 1;
    struct ls_task *t[] = { ls_spawn(deaf, (void *)LS_SEC, NULL), ls_spawn(waits_for, (void *)END, NULL) };
    ls_yield();
    int status = ls_reap(t, 1, NULL, ls_after(LS_MS));
    close(END);
    take(ls_dump);
    close(p[0]);
    close(p[1]);
    ls_detach(t[0]);
    ls_detach(t[1]);
    return status != -1 || errno != ETIMEDOUT || arg;
}
Test(runtime_dump, a_cancel_that_was_ignored_and_a_closed_file)
{
    struct ls_opts opts = { .virtual_time = true };
    cr_assert(!ls_run(odd, NULL, &opts));
    cr_assert(strstr(text, "deaf: sleeps") && strstr(text, ", was told of its cancel, at "), "%s", text);
    cr_assert(strstr(text, "waits_for: waits") && strstr(text, "(closed)"), "%s", text);
}

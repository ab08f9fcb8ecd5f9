/* Signals that tasks wait for: who gets which, what comes with them, what stays pending, the thread's mask. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#define RUN(app, arg)                                                                   \
    do {                                                                                \
        intptr_t run_ = ls_run((app), (arg), NULL);                                     \
        cr_assert_eq(run_, 0, "%ld, errno %d, %s", (long)run_, errno, ls_error_text()); \
    } while (0)

static sigset_t of(int a, int b)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    if (b)
        sigaddset(&set, b);
    return set;
}
static int blocked(int signal)
{
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    return sigismember(&now, signal);
}

struct got {
    int a, b; /* the set */
    siginfo_t info;
};
static intptr_t awaits(void *arg)
{
    struct got *g = arg;
    sigset_t set = of(g->a, g->b);
    return ls_signal_await(&set, &g->info, LS_NEVER);
}

static intptr_t ways_app(void *arg)
{
    (void)arg;
    struct got g = { .a = SIGUSR1, .b = SIGRTMIN };
    intptr_t r;
    struct ls_task *t = ls_spawn(awaits, &g, NULL);
    ls_yield();
    kill(getpid(), SIGUSR1);
    if (ls_await(t, &r, LS_NEVER) || r != SIGUSR1 || g.info.si_code != SI_USER || g.info.si_pid != getpid())
        return 1;
    t = ls_spawn(awaits, &g, NULL);
    ls_yield();
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    if (ls_await(t, &r, LS_NEVER) || r != SIGUSR1 || g.info.si_pid != getpid()) /* libc calls it SI_USER */
        return 2;
    t = ls_spawn(awaits, &g, NULL);
    ls_yield();
    sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 4711 });
    if (ls_await(t, &r, LS_NEVER) || r != SIGRTMIN || g.info.si_code != SI_QUEUE || g.info.si_value.sival_int != 4711)
        return 3;
    return 0;
}
Test(signal, kill_tgkill_and_sigqueue)
{
    RUN(ways_app, NULL);
}

static intptr_t pending_app(void *arg)
{
    (void)arg;
    sigset_t set = of(SIGUSR1, SIGRTMIN);
    siginfo_t info;
    if (ls_signal_await(&set, NULL, 1) != -1 || errno != ETIMEDOUT || !blocked(SIGUSR1)) /* blocked from now on */
        return 1;
    kill(getpid(), SIGUSR1); /* nobody waits: they stay */
    for (int i = 0; i < 3; i++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
    ls_sleep(2 * LS_MS);
    if (ls_signal_await(&set, &info, 1) != SIGUSR1) /* its time is over, but it is there */
        return 2;
    for (int i = 0; i < 3; i++) /* queued signals come one by one, in their order */
        if (ls_signal_await(&set, &info, LS_NEVER) != SIGRTMIN || info.si_value.sival_int != i)
            return 3;
    return ls_signal_await(&set, &info, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT ? 0 : 4;
}
Test(signal, none_is_lost_between_two_waits)
{
    RUN(pending_app, NULL);
}

static intptr_t sets_app(void *arg)
{
    (void)arg;
    struct got g[4] = { { .a = SIGUSR1 }, { .a = SIGUSR2 }, { .a = SIGUSR1, .b = SIGUSR2 }, { .a = SIGUSR1 } };
    struct ls_task *t[4];
    intptr_t r[4];
    for (int i = 0; i < 4; i++)
        t[i] = ls_spawn(awaits, &g[i], NULL);
    ls_yield();
    kill(getpid(), SIGUSR2);
    if (ls_await(t[1], &r[1], LS_NEVER) || r[1] != SIGUSR2) /* the first that waits for it */
        return 1;
    kill(getpid(), SIGUSR2);
    if (ls_await(t[2], &r[2], LS_NEVER) || r[2] != SIGUSR2)
        return 2;
    kill(getpid(), SIGUSR1);
    if (ls_await(t[0], &r[0], LS_NEVER) || r[0] != SIGUSR1 || ls_done(t[3]) != 0)
        return 3;
    /* One that was cancelled swallows none. */
    ls_cancel(t[3], NULL);
    kill(getpid(), SIGUSR1);
    if (ls_await(t[3], &r[3], LS_NEVER) || r[3] != -1 || errno != ECANCELED)
        return 4;
    sigset_t set = of(SIGUSR1, 0);
    return ls_signal_await(&set, NULL, ls_after(LS_SEC)) == SIGUSR1 ? 0 : 5;
}
Test(signal, waiters_of_different_sets)
{
    RUN(sets_app, NULL);
}

static intptr_t mask_app(void *arg)
{
    (void)arg;
    sigset_t set = of(SIGUSR1, SIGUSR2);
    ls_signal_await(&set, NULL, 1);
    return blocked(SIGUSR1) && blocked(SIGUSR2) && !blocked(SIGTERM) ? 0 : 1;
}
Test(signal, the_mask_is_restored)
{
    sigset_t two = of(SIGUSR2, 0);
    pthread_sigmask(SIG_BLOCK, &two, NULL); /* by the program: not ours to unblock */
    RUN(mask_app, NULL);
    cr_assert(!blocked(SIGUSR1));
    cr_assert(blocked(SIGUSR2));
}

static intptr_t misuse_app(void *arg)
{
    (void)arg;
    sigset_t none, kill_set = of(SIGKILL, SIGUSR1);
    sigemptyset(&none);
    if (ls_signal_await(&none, NULL, LS_NEVER) != -1 || errno != EINVAL || !strstr(ls_error_text(), "empty"))
        return 1;
    if (ls_signal_await(NULL, NULL, LS_NEVER) != -1 || errno != EINVAL)
        return 2;
    if (ls_signal_await(&kill_set, NULL, LS_NEVER) != -1 || errno != EINVAL || !strstr(ls_error_text(), "SIGKILL"))
        return 3;
    return blocked(SIGUSR1) ? 4 : 0;
}
Test(signal, wrong_use_is_an_error)
{
    RUN(misuse_app, NULL);
    sigset_t set = of(SIGUSR1, 0);
    cr_assert_eq(ls_signal_await(&set, NULL, LS_NEVER), -1);
    cr_assert_eq(errno, EPERM);
}

/* SIGCHLD is a signal as any other; children are reaped by their own pidfds all the same. */
static intptr_t child_app(void *arg)
{
    (void)arg;
    sigset_t set = of(SIGCHLD, 0);
    siginfo_t info;
    int status;
    ls_signal_await(&set, NULL, 1);
    struct ls_process *p = ls_process_spawn((char *[]){ "sh", "-c", "kill -USR1 $PPID; exit 5", NULL }, NULL);
    struct got g = { .a = SIGUSR1 };
    struct ls_task *t = ls_spawn(awaits, &g, NULL);
    ls_yield();
    if (ls_process_wait(p, &status, LS_NEVER) || WEXITSTATUS(status) != 5)
        return 1;
    if (ls_signal_await(&set, &info, ls_after(LS_SEC)) != SIGCHLD || info.si_pid != ls_process_pid(p))
        return 2;
    intptr_t r;
    return ls_await(t, &r, LS_NEVER) || r != SIGUSR1 || g.info.si_pid != ls_process_pid(p) ? 3 : 0;
}
Test(signal, children_and_signals_at_once)
{
    sigset_t set = of(SIGUSR1, 0);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* it may come before the wait for it */
    RUN(child_app, NULL);
}

enum { BURST = 5000 };
static intptr_t collector(void *arg)
{
    sigset_t set = of(SIGRTMIN + 1, 0);
    siginfo_t info;
    for (int i = 0; i < BURST / 4; i++)
        if (ls_signal_await(&set, &info, LS_NEVER) == SIGRTMIN + 1)
            *(long *)arg += info.si_value.sival_int;
    return 0;
}
static intptr_t burst_app(void *arg)
{
    struct ls_task *t[4];
    for (int i = 0; i < 4; i++)
        t[i] = ls_spawn(collector, arg, NULL);
    ls_yield();
    for (int i = 0; i < BURST; i++) {
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i });
        if (i % 100 == 99)
            ls_sleep(100 * LS_US);
    }
    return ls_gather(t, 4, NULL, ls_after(10 * LS_SEC));
}
Test(signal, a_burst_for_several_waiters)
{
    long sum = 0;
    RUN(burst_app, &sum);
    cr_assert_eq(sum, (long)BURST * (BURST - 1) / 2);
}

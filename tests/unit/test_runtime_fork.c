/* fork() in a task, and a stack that overflows: the child has no loop, and the guard names the task. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static intptr_t anew(void *arg)
{
    return ls_sleep(LS_MS) ? -1 : (intptr_t)arg;
}
static struct ls_loop *parents;
static void never(void *arg)
{
    (void)arg;
    _exit(99);
}
static intptr_t child(void)
{
    if (ls_sleep(LS_MS) != -1 || errno != EPERM || !strstr(ls_error_text(), "fork"))
        return 1;
    if (ls_spawn(anew, NULL, NULL) || ls_yield() != -1 || ls_self())
        return 2;
    if (ls_post(parents, never, NULL) != -1 || errno != ESRCH) /* nobody would ever run it here */
        return 3;
    return ls_run(anew, (void *)42, NULL); /* and back to the stack of the task, to its end */
}
static intptr_t other(void *fd)
{
    char c = 0;
    return ls_read((int)(intptr_t)fd, &c, 1, LS_NEVER) == 1 ? c : -1;
}
static intptr_t forks(void *arg)
{
    pid_t *ret = arg;
    if (!(*ret = fork()))
        return child();
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    int p[2], status;
    parents = ls_loop_self();
    pid_t pid = 0;
    intptr_t result;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p))
        return 1;
    struct ls_task *reader = ls_spawn(other, (void *)(intptr_t)p[0], NULL);
    ls_yield();
    if (ls_await(ls_spawn(forks, &pid, NULL), NULL, LS_NEVER))
        return 2;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 42)
        return 3;
    if (write(p[1], "x", 1) != 1) /* the parent's epoll is as it was */
        return 4;
    if (ls_await(reader, &result, LS_NEVER) || result != 'x')
        return 5;
    return close(p[0]) | close(p[1]);
}
Test(runtime_fork, a_child_has_no_loop_and_may_start_one)
{
    cr_assert_eq(ls_run(app, NULL, NULL), 0);
}

static void forks_in_callback(void *arg)
{
    *(pid_t *)arg = fork();
}
static intptr_t callback_app(void *arg)
{
    pid_t pid = -1;
    int status;
    (void)arg;
    ls_call_later(0, forks_in_callback, &pid);
    ls_sleep(LS_MS);
    if (pid <= 0)
        _exit(9); /* never: the child ended with the callback */
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
Test(runtime_fork, a_child_of_a_callback_ends_with_it)
{
    cr_assert_eq(ls_run(callback_app, NULL, NULL), 0);
}

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* they take the signal */
static __attribute__((noinline)) int fall(int n)
{
    volatile char frame[1000];
    frame[n % 1000] = (char)n;
    return n ? fall(n - 1) + frame[(n + 1) % 1000] : 0;
}
static intptr_t falls(void *arg)
{
    return fall((int)(intptr_t)arg);
}
static intptr_t overflow_app(void *arg)
{
    return ls_await(ls_spawn(falls, arg, "faller %d", 7), NULL, LS_NEVER);
}
static intptr_t wild_app(void *arg)
{
    *(volatile int *)arg = 1;
    return 0;
}
/* What a child says on stderr that runs fn; it must die of SIGSEGV. */
static void last_words(ls_fn *fn, void *arg, char *ret, size_t size)
{
    int p[2], status;
    cr_assert_eq(pipe(p), 0);
    pid_t pid = fork();
    if (!pid) {
        dup2(p[1], 2);
        setenv("LOOPSCOPE_DEBUG", "1", 1);
        signal(SIGSEGV, SIG_DFL); /* Criterion has its own */
        stack_t none = { .ss_flags = SS_DISABLE };
        sigaltstack(&none, NULL);
        ls_run(fn, arg, NULL);
        _exit(0);
    }
    close(p[1]);
    ssize_t n = 0, r;
    while ((r = read(p[0], ret + n, size - 1 - (size_t)n)) > 0)
        n += r;
    ret[n] = 0;
    close(p[0]);
    cr_assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%x", status);
}
Test(runtime_fork, an_overflow_names_the_task_under_debug)
{
    char said[512];
    last_words(overflow_app, (void *)1000, said, sizeof said);
    cr_assert(strstr(said, "task 'faller 7' has used up its stack of 64 KiB"), "%s", said);
    last_words(wild_app, (void *)16, said, sizeof said);
    cr_assert_eq(strstr(said, "used up"), NULL, "%s", said);
}
#endif

/* rt_fork.c - fork in a task: the child has no loop, may make one, and ends with the task's function; the parent goes on,
 * and no event of its fds is lost to the child. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#define CHECK(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), _exit(1)))

static int ends[2];

static intptr_t reader(void *arg)
{
    char c;
    for (int i = 0; i < 100; i++)
        CHECK(ls_read(ends[0], &c, 1, ls_after(20 * LS_SEC)) == 1);
    return (intptr_t)arg;
}
static intptr_t grandchild(void *arg)
{
    CHECK(ls_sleep(LS_MS) == 0);
    return (intptr_t)arg + 1;
}
static intptr_t in_child(void)
{
    CHECK(!ls_self());
    CHECK(ls_sleep(LS_MS) == -1 && errno == EPERM && strstr(ls_error_text(), "forked child"));
    CHECK(ls_spawn(reader, NULL, NULL) == NULL && errno == EPERM);
    CHECK(ls_dump_all(2) == 0); /* there is none */
    CHECK(ls_run(grandchild, (void *)41, NULL) == 42);
    CHECK(ls_yield() == -1 && errno == EPERM);
    return 42; /* of the task: the child's exit status */
}
static intptr_t forker(void *arg)
{
    ls_sleep(LS_MS);
    pid_t pid = fork();
    if (!pid)
        return in_child();
    for (int i = 0; i < 100; i++) {
        CHECK(write(ends[1], "x", 1) == 1);
        CHECK(ls_sleep(LS_MS / 10) == 0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    return (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    CHECK(!pipe(ends));
    struct ls_task *t[2] = { ls_spawn(reader, arg, NULL), ls_spawn(forker, arg, NULL) };
    CHECK(!ls_gather(t, 2, NULL, LS_NEVER));
    return 3;
}
int main(void)
{
    CHECK(ls_run(app, NULL, NULL) == 3);
    return 0;
}

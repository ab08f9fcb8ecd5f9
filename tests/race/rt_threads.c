/* rt_threads.c - loops on several threads at once, each with tasks, sockets and a pool: for TSan, ASan and valgrind.
 *
 * Exit 0 when every loop got the right sums, and nothing was lost. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <loopscope/runtime.h>

enum { LOOPS = 3, TASKS = 40, ROUNDS = 10 };

static intptr_t square(void *arg)
{
    return (intptr_t)arg * (intptr_t)arg;
}
static intptr_t linger(void *arg)
{
    usleep(2000);
    return (intptr_t)arg;
}
static intptr_t echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char c;
    while (ls_read(fd, &c, 1, LS_NEVER) == 1)
        if (ls_write(fd, &c, 1, LS_NEVER) != 1)
            break;
    return ls_close(fd);
}
static intptr_t work(void *arg)
{
    int p[2];
    intptr_t result, n = (intptr_t)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p))
        return -1;
    struct ls_task *peer = ls_spawn(echo, (void *)(intptr_t)p[1], "echo %d", p[1]);
    for (int i = 0; i < ROUNDS; i++) {
        char c = (char)i, d;
        if (ls_write(p[0], &c, 1, LS_NEVER) != 1 || ls_read(p[0], &d, 1, LS_NEVER) != 1 || c != d)
            return -1;
        if (i % 5 == 0 && (ls_to_thread(square, (void *)n, &result, LS_NEVER) || result != n * n))
            return -1;
        if (i % 7 == 0 && ls_to_thread(linger, NULL, NULL, ls_after(LS_MS)) && errno != ETIMEDOUT)
            return -1;
        if (i % 3 == 0)
            ls_sleep(LS_US * 100);
        else
            ls_yield();
    }
    ls_close(p[0]);
    return ls_await(peer, &result, LS_NEVER) ? -1 : result ? -1 : n;
}
static intptr_t app(void *arg)
{
    struct ls_task *t[TASKS];
    intptr_t out[TASKS], sum = 0;
    for (intptr_t i = 0; i < TASKS; i++)
        t[i] = ls_spawn(work, (void *)i, NULL);
    if (ls_gather(t, TASKS, out, LS_NEVER))
        return -1;
    for (int i = 0; i < TASKS; i++)
        sum += out[i];
    ls_detach(ls_spawn(linger, arg, "left over"));
    return sum;
}
static void *run(void *arg)
{
    return (void *)ls_run(app, arg, &(struct ls_opts){ .name = "worker" });
}

int main(void)
{
    pthread_t thread[LOOPS];
    int failed = 0;
    for (int i = 0; i < LOOPS; i++)
        if (pthread_create(&thread[i], NULL, run, NULL))
            return 1;
    for (int i = 0; i < LOOPS; i++) {
        void *sum;
        pthread_join(thread[i], &sum);
        if ((intptr_t)sum != TASKS * (TASKS - 1) / 2)
            failed = 1;
    }
    puts(failed ? "rt_threads: failed" : "rt_threads: ok");
    return failed;
}

/* rt_children.c - loops on two threads with children, files, names and a signal at once: for TSan, ASan and valgrind.
 *
 * Exit 0 when every child said what it was told, every file had what was written, and every signal came to its waiter. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <loopscope/runtime.h>

enum { LOOPS = 2, TASKS = 6, ROUNDS = 4 };

static intptr_t child(void *arg)
{
    char input[64], *output = NULL;
    int n = snprintf(input, sizeof input, "task %ld", (long)(intptr_t)arg), status;
    struct ls_process_opts pipes = { .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE };
    struct ls_process *p = ls_process_spawn((char *[]){ "cat", NULL }, &pipes);
    if (!p || ls_process_communicate(p, input, (size_t)n, &output, NULL, NULL, NULL, LS_NEVER))
        return -1;
    int same = !strcmp(input, output);
    free(output);
    return ls_process_wait(p, &status, LS_NEVER) || status || ls_process_free(p) || !same ? -1 : 0;
}
static intptr_t file(void *arg)
{
    char path[64], *data;
    snprintf(path, sizeof path, "/tmp/rt_children.%d.%d.%ld", (int)getpid(), (int)gettid(), (long)(intptr_t)arg);
    struct ls_file *f = ls_file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, LS_NEVER);
    if (!f || ls_file_write(f, path, strlen(path), LS_NEVER) < 0)
        return -1;
    ls_file_pread(f, (char[64]){ 0 }, 64, 0, ls_after(5 * LS_US)); /* given up as a rule */
    if (ls_file_close(f, LS_NEVER) || ls_file_read_all(path, &data, NULL, LS_NEVER) || strcmp(data, path) != 0)
        return -1;
    free(data);
    return ls_file_unlink(path, LS_NEVER);
}
static intptr_t name(void *arg)
{
    (void)arg;
    struct addrinfo *list;
    if (!ls_getaddrinfo("localhost", "80", NULL, &list, ls_after(20 * LS_US)))
        freeaddrinfo(list);
    else if (errno != ETIMEDOUT)
        return -1;
    if (ls_getaddrinfo("localhost", "80", NULL, &list, LS_NEVER))
        return -1;
    freeaddrinfo(list);
    return 0;
}
static intptr_t signals(void *arg)
{
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ls_signal_await(&set, NULL, 1); /* blocked from now on */
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    ls_sleep((ls_ns)(intptr_t)arg * LS_MS);
    return ls_signal_await(&set, &info, LS_NEVER) == SIGUSR1 && info.si_pid == getpid() ? 0 : -1;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t[3 * TASKS + 1];
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = 0;
        for (intptr_t i = 0; i < TASKS; i++) {
            t[n++] = ls_spawn(child, (void *)i, NULL);
            t[n++] = ls_spawn(file, (void *)i, NULL);
            t[n++] = ls_spawn(name, (void *)i, NULL);
        }
        t[n++] = ls_spawn(signals, (void *)(intptr_t)round, NULL);
        if (ls_gather(t, n, NULL, LS_NEVER))
            return -1;
    }
    ls_process_spawn((char *[]){ "sleep", "100", NULL }, NULL); /* left to the loop's end */
    return 0;
}
static void *run(void *arg)
{
    return (void *)ls_run(app, arg, NULL);
}

int main(void)
{
    pthread_t thread[LOOPS];
    int failed = 0;
    for (int i = 0; i < LOOPS; i++)
        if (pthread_create(&thread[i], NULL, run, NULL))
            return 1;
    for (int i = 0; i < LOOPS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        failed |= result != NULL;
    }
    failed |= waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
    puts(failed ? "rt_children: failed" : "rt_children: ok");
    return failed;
}

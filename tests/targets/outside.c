/* outside.c - a task for each thing outside the loop that one can wait for: a thread, a pool, a name, a file, a child, a
 * signal, another loop; and a posted function.  tests/e2e/runtime_outside.py looks at its trace. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static intptr_t nap(void *arg)
{
    usleep((useconds_t)(intptr_t)arg * 1000);
    return 0;
}
static intptr_t to_thread(void *arg)
{
    (void)arg;
    return ls_to_thread(nap, (void *)20, NULL, LS_NEVER);
}
static struct ls_pool *pool;
static intptr_t to_pool(void *arg)
{
    return ls_pool_run(pool, nap, arg, NULL, LS_NEVER);
}
static intptr_t dns(void *arg)
{
    (void)arg;
    struct addrinfo *list;
    if (ls_getaddrinfo("localhost", NULL, NULL, &list, LS_NEVER))
        return -1;
    freeaddrinfo(list);
    return 0;
}
static intptr_t file(void *arg)
{
    char *data, c;
    if (ls_file_read_all(arg, &data, NULL, LS_NEVER))
        return -1;
    free(data);
    struct ls_file *f = ls_file_open(arg, O_RDONLY, 0, LS_NEVER);
    return f && ls_file_read(f, &c, 1, LS_NEVER) == 1 && !ls_file_close(f, LS_NEVER) ? 0 : -1;
}
static intptr_t child(void *arg)
{
    (void)arg;
    struct ls_process *p = ls_process_spawn((char *[]){ "sleep", "0.02", NULL }, NULL);
    return p ? ls_process_wait(p, NULL, LS_NEVER) : -1;
}
static intptr_t talker(void *arg)
{
    (void)arg;
    struct ls_process_opts pipes = { .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE };
    struct ls_process *p = ls_process_spawn((char *[]){ "sh", "-c", "sleep 0.02; cat", NULL }, &pipes);
    return p ? ls_process_communicate(p, "x", 1, NULL, NULL, NULL, NULL, LS_NEVER) : -1;
}
static intptr_t signals(void *arg)
{
    (void)arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    return ls_signal_await(&set, NULL, LS_NEVER) == SIGUSR1 ? 0 : -1;
}

static struct ls_event *posted;
static void wake_up(void *arg)
{
    (void)arg;
    ls_event_set(posted);
}
static struct ls_loop *home;
static intptr_t guest(void *arg)
{
    (void)arg;
    ls_sleep(5 * LS_MS);
    return 0;
}
static intptr_t second_loop(void *arg)
{
    (void)arg;
    return ls_run_threadsafe(home, guest, NULL, NULL, LS_NEVER) || ls_post(home, wake_up, NULL);
}
static void *second_thread(void *arg)
{
    return (void *)ls_run(second_loop, arg, &(struct ls_opts){ .name = "second" });
}

static intptr_t app(void *arg)
{
    home = ls_loop_self();
    posted = ls_event_new("posted");
    pool = ls_pool_new("disk", 1);
    pthread_t second;
    struct ls_task *t[] = { ls_spawn(to_thread, NULL, NULL),
                            ls_spawn(to_pool, (void *)10, "first"),
                            ls_spawn(to_pool, (void *)1, "next"),
                            ls_spawn(dns, NULL, NULL),
                            ls_spawn(file, arg, NULL),
                            ls_spawn(child, NULL, NULL),
                            ls_spawn(talker, NULL, NULL),
                            ls_spawn(signals, NULL, NULL) };
    ls_yield();
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    if (pthread_create(&second, NULL, second_thread, NULL) || ls_event_wait(posted, LS_NEVER))
        return 1;
    void *result;
    pthread_join(second, &result);
    return result || ls_gather(t, sizeof t / sizeof *t, NULL, LS_NEVER) ? 2 : 0;
}
int main(int argc, char **argv)
{
    return argc > 1 ? (int)ls_run(app, argv[1], NULL) : 3;
}

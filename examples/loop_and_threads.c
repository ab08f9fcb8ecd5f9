/* loop_and_threads.c - async against threads: a hundred waits on one loop, and a hundred on threads of their own.
 *
 * Both take 100 ms; the loop needs one thread for it, the other way a hundred.  In the trace: one loop with a hundred
 * tasks that wait side by side, and a lane for each thread. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#define N 100

static intptr_t wait_on_loop(void *arg)
{
    return ls_sleep(100 * LS_MS) ? -1 : (intptr_t)arg;
}

static intptr_t app(void *arg)
{
    struct ls_task *t[N];
    for (int i = 0; i < N; i++)
        t[i] = ls_spawn(wait_on_loop, arg, "wait %d", i);
    return ls_gather(t, N, NULL, LS_NEVER);
}

static void *wait_on_thread(void *arg)
{
    ls_probe_thread(); /* a thread tells nothing by itself: it has no scheduler that could */
    uint64_t start = ls_probe_now();
    usleep(100000);
    ls_probe_mark("usleep", 0, start);
    return arg;
}

int main(void)
{
    pthread_t thread[N];
    int n = 0;
    ls_ns start = ls_now();
    int failed = (int)ls_run(app, NULL, NULL);
    printf("%d tasks on one thread: %.0f ms\n", N, (double)(ls_now() - start) / 1e6);

    start = ls_now();
    while (n < N && !pthread_create(&thread[n], NULL, wait_on_thread, NULL))
        n++;
    for (int i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    printf("%d threads: %.0f ms\n", n, (double)(ls_now() - start) / 1e6);
    return failed;
}

/* fetch_gathered.c - a loop runs other tasks while one waits: three fetches of 1 s take 1 s.
 *
 * ls_sleep stands for an asynchronous HTTP client: it suspends the task, not the thread.  In the trace: three waits side
 * by side, no stall.  Compare fetch_sequential.c. */
#include <stdio.h>

#include <loopscope/runtime.h>

static intptr_t fetch(void *url)
{
    ls_sleep(1 * LS_SEC);
    printf("fetched %s\n", (const char *)url);
    return 0;
}

static intptr_t app(void *arg)
{
    (void)arg;
    static char *const urls[3] = { "/a", "/b", "/c" };
    struct ls_task *t[3];
    ls_ns start = ls_now();
    for (int i = 0; i < 3; i++)
        t[i] = ls_spawn(fetch, urls[i], "fetch %s", urls[i]);
    ls_gather(t, 3, NULL, LS_NEVER);
    printf("three fetches side by side: %.1f s\n", (double)(ls_now() - start) / 1e9);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

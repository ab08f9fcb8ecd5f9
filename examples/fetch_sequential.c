/* fetch_sequential.c - synchronous fetches wait in line: three of 1 s take 3 s.
 *
 * The fault: sleep() stands for a synchronous HTTP client, and it stops the whole loop, three times.  The report names
 * three stalls of 1 s, cause `call`, in sleep called from fetch.  fetch_gathered.c is the same done right. */
#include <stdio.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static intptr_t fetch(void *url)
{
    sleep(1); /* blocks the thread, and with it the loop */
    printf("fetched %s\n", (const char *)url);
    return 0;
}

static intptr_t app(void *arg)
{
    (void)arg;
    static char *const urls[3] = { "/a", "/b", "/c" };
    ls_ns start = ls_now();
    for (int i = 0; i < 3; i++) {
        ls_await(ls_spawn(fetch, urls[i], "fetch %s", urls[i]), NULL, LS_NEVER);
        ls_sleep(LS_MS); /* a polite client; here the loop gets its turn again */
    }
    printf("three fetches in line: %.1f s\n", (double)(ls_now() - start) / 1e9);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

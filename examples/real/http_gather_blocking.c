/* http_gather_blocking.c - the naive twin of http_gather.c: a task for each URL, and the easy interface in it.
 *
 * The fault: curl_easy_perform waits in the thread, so the fetches come one after the other for all their tasks.  The
 * report: a stall a slow page, cause `call`, in libcurl's poll from `fetch`, its frames folded.
 * link: -lcurl */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

#include <loopscope/runtime.h>

#define URLS_MAX 64

static size_t on_data(char *data, size_t size, size_t n, void *bytes)
{
    (void)data;
    *(size_t *)bytes += size * n;
    return size * n;
}

static intptr_t fetch(void *url)
{
    size_t bytes = 0;
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &bytes);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    CURLcode result = curl_easy_perform(easy); /* here */
    curl_easy_cleanup(easy);
    errno = result == CURLE_HTTP_RETURNED_ERROR ? ENOENT : EIO;
    return result ? -1 : (intptr_t)bytes;
}

static intptr_t app(void *arg)
{
    char **urls = arg;
    struct ls_task *tasks[URLS_MAX] = { 0 };
    intptr_t bytes[URLS_MAX];
    size_t n = 0;
    for (; urls[n] && n < URLS_MAX; n++)
        tasks[n] = ls_spawn(fetch, urls[n], "fetch %s", urls[n]);
    int status = ls_gather_all(tasks, n, bytes, LS_NEVER);
    for (size_t i = 0; i < n && !status; i++)
        printf("%s: %ld bytes\n", urls[i], (long)bytes[i]);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: http_gather_blocking URL...    %d at most\n", URLS_MAX);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    intptr_t status = ls_run(app, argv + 1, &(struct ls_opts){ .stack_size = 256 * 1024 });
    curl_global_cleanup();
    return (int)status;
}

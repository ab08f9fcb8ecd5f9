/* http_gather.c - many URLs at once: libcurl's multi interface on our loop, one pool of connections for all.
 *
 *     http_gather URL...
 * What it teaches: how a library that calls back becomes a coroutine.  libcurl says by callbacks for which sockets and how
 * long it wants to wait: a task for each socket does so by ls_wait_fd, the time is an ls_call_later, and fetch() awaits a
 * future that is set when its transfer is complete.  In the trace: fetches side by side, sockets with why = fd, no stall.
 * Its blocking twin is http_gather_blocking.c.
 * link: -lcurl */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

#define URLS_MAX 64

struct client {
    CURLM *multi;
    struct ls_timer *timer;
    struct ls_group *sockets; /* the tasks of these: */
    struct watch *watches;
};
/* A task that waits for one of libcurl's sockets, as long as libcurl wants it to. */
struct watch {
    struct watch *next, **link;
    struct client *client;
    struct ls_task *task;
    curl_socket_t fd;
    int events;              /* POLLIN, POLLOUT; 0: no more */
    bool waiting, disturbed; /* disturbed: cancelled by us, because events has changed */
};
struct fetch {
    struct client *client;
    const char *url;
    struct ls_future *complete; /* its CURLcode */
    size_t bytes;
};

/* Something happened: libcurl goes on, and whose transfer is complete by then is told. */
static void go_on(struct client *c, curl_socket_t fd, int events)
{
    int n;
    curl_multi_socket_action(c->multi, fd, events, &n);
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &n));) {
        struct fetch *f = NULL;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&f);
        ls_future_set(f->complete, m->data.result);
    }
}

static void drop(struct watch *w)
{
    if (w->next)
        w->next->link = w->link;
    *w->link = w->next;
    free(w);
}

static intptr_t watch(void *arg)
{
    struct watch *w = arg;
    while (w->events) {
        w->waiting = true;
        int got = ls_wait_fd(w->fd, w->events, LS_NEVER);
        w->waiting = false;
        if (got > 0)
            go_on(w->client, w->fd,
                  (got & POLLIN ? CURL_CSELECT_IN : 0) | (got & POLLOUT ? CURL_CSELECT_OUT : 0) |
                      (got & (POLLERR | POLLHUP) ? CURL_CSELECT_ERR : 0));
        else if (!w->disturbed)
            break; /* the loop is closing */
        w->disturbed = false;
    }
    drop(w);
    return 0;
}

/* libcurl: wait for this on that socket from now on. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *unused)
{
    (void)easy, (void)unused;
    struct client *c = client;
    int events =
        what == CURL_POLL_REMOVE ? 0 : (what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0);
    struct watch *w = c->watches;
    while (w && w->fd != fd)
        w = w->next;
    if (w && w->events != events) {
        w->events = events;
        w->disturbed = w->waiting;
        if (w->waiting)
            ls_cancel(w->task, "libcurl waits for something else");
    } else if (!w && events && (w = calloc(1, sizeof *w))) {
        *w = (struct watch){ .next = c->watches, .link = &c->watches, .client = c, .fd = fd, .events = events };
        if (w->next)
            w->next->link = &w->next;
        c->watches = w;
        w->task = ls_group_spawn(c->sockets, watch, w, "socket %d", (int)fd);
        if (!w->task) {
            drop(w);
            return -1;
        }
    }
    return events && !w ? -1 : 0;
}

static void on_time(void *client)
{
    struct client *c = client;
    c->timer = NULL;
    go_on(c, CURL_SOCKET_TIMEOUT, 0);
}
/* libcurl: call me in so many ms; -1: not at all. */
static int on_timeout(CURLM *multi, long ms, void *client)
{
    (void)multi;
    struct client *c = client;
    if (c->timer)
        ls_timer_cancel(c->timer);
    c->timer = ms >= 0 ? ls_call_later((ls_ns)ms * LS_MS, on_time, c) : NULL;
    return ms >= 0 && !c->timer ? -1 : 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *fetch)
{
    (void)data;
    ((struct fetch *)fetch)->bytes += size * n;
    return size * n;
}

/* One page: the coroutine that all of the above is for.  Its size, or -1. */
static intptr_t fetch(void *arg)
{
    struct fetch *f = arg;
    CURL *easy = curl_easy_init();
    intptr_t code = CURLE_FAILED_INIT;
    int error = ENOMEM;
    f->complete = ls_future_new(f->url);
    if (easy && f->complete) {
        curl_easy_setopt(easy, CURLOPT_URL, f->url);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
        curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
        curl_multi_add_handle(f->client->multi, easy);
        error = ls_future_await(f->complete, &code, ls_after(10 * LS_SEC)) ? errno : 0;
        curl_multi_remove_handle(f->client->multi, easy); /* also when we wait no longer */
        if (!error && code)
            error = code == CURLE_HTTP_RETURNED_ERROR ? ENOENT : EIO;
    }
    curl_easy_cleanup(easy);
    ls_future_free(f->complete);
    errno = error;
    return error ? -1 : (intptr_t)f->bytes;
}

static intptr_t app(void *arg)
{
    char **urls = arg;
    static struct fetch fetches[URLS_MAX];
    struct ls_task *tasks[URLS_MAX] = { 0 };
    intptr_t bytes[URLS_MAX];
    struct client client = { .multi = curl_multi_init(), .sockets = ls_group_open("sockets") };
    size_t n = 0;
    if (!client.multi || !client.sockets)
        return -1;
    curl_multi_setopt(client.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client.multi, CURLMOPT_SOCKETDATA, &client);
    curl_multi_setopt(client.multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(client.multi, CURLMOPT_TIMERDATA, &client);
    for (; urls[n] && n < URLS_MAX; n++) {
        fetches[n] = (struct fetch){ .client = &client, .url = urls[n] };
        tasks[n] = ls_spawn(fetch, &fetches[n], "fetch %s", urls[n]);
    }
    int status = ls_gather_all(tasks, n, bytes, LS_NEVER);
    for (size_t i = 0; i < n && !status; i++) {
        if (bytes[i] >= 0)
            printf("%s: %ld bytes\n", urls[i], (long)bytes[i]);
        else
            printf("%s: %s\n", urls[i], strerror((int)-bytes[i]));
    }
    curl_multi_cleanup(client.multi); /* closes the connections, so that the tasks of their sockets end */
    if (client.timer)
        ls_timer_cancel(client.timer);
    return ls_group_close(client.sockets, LS_NEVER) || status ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: http_gather URL...    %d at most\n", URLS_MAX);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    /* Tasks call into libcurl, and libcurl into a TLS library: more stack than our 64 KiB. */
    intptr_t status = ls_run(app, argv + 1, &(struct ls_opts){ .stack_size = 256 * 1024 });
    curl_global_cleanup();
    return (int)status;
}

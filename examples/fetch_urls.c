/* fetch_urls.c - awaiting real I/O: three URLs of one server, fetched side by side, results in their order.
 *
 *     fetch_urls PORT PATH...      HTTP on 127.0.0.1, for example python3 -m http.server PORT
 * In the trace: each fetch waits for its socket (why = fd), the parent for the group; the longest fetch decides. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

static int port;

/* Status and size of one page: what a client session is at heart. */
static intptr_t fetch(void *path)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port) };
    char buf[4096];
    ls_ns deadline = ls_after(10 * LS_SEC);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(buf, sizeof buf, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", (const char *)path);
    if (fd < 0 || ls_connect_fd(fd, (struct sockaddr *)&a, sizeof a, deadline) ||
        ls_write(fd, buf, (size_t)n, deadline) != n) {
        int error = errno;
        ls_close(fd);
        errno = error;
        return -1;
    }
    intptr_t bytes = 0;
    ssize_t got;
    while ((got = ls_read(fd, buf, sizeof buf, deadline)) > 0)
        bytes += got;
    ls_close(fd);
    return got < 0 ? -1 : bytes;
}

static intptr_t app(void *arg)
{
    char **paths = arg;
    struct ls_task *t[16] = { 0 };
    intptr_t bytes[16];
    size_t n = 0;
    for (; paths[n] && n < 16; n++)
        t[n] = ls_spawn(fetch, paths[n], "fetch %s", paths[n]);
    if (ls_gather(t, n, bytes, LS_NEVER)) {
        perror("fetch_urls");
        return 1;
    }
    for (size_t i = 0; i < n; i++)
        printf("%s: %ld bytes\n", paths[i], (long)bytes[i]);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: fetch_urls PORT PATH...\n");
        return 2;
    }
    port = atoi(argv[1]);
    return (int)ls_run(app, argv + 2, NULL);
}

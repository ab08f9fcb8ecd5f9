/* crawler_blocking.c - the naive twin of crawler.c: a task for each page, and a socket that is simply read.
 *
 * The fault: recv() waits in the thread, so there is never more than one page under way, however many tasks there are.
 * The report: a stall a page, cause `call`, in recv from `fetch`, with the page's name. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#define PAGES_MAX 256

static struct {
    int port;
    struct ls_group *group;
    char *paths[PAGES_MAX];
    size_t count, failed;
} crawl;

static intptr_t visit(void *path);

static void found(const char *path, size_t length)
{
    for (size_t i = 0; i < crawl.count; i++)
        if (strlen(crawl.paths[i]) == length && !memcmp(crawl.paths[i], path, length))
            return;
    if (crawl.count == PAGES_MAX)
        return;
    char *copy = strndup(path, length);
    crawl.paths[crawl.count++] = copy;
    ls_group_spawn(crawl.group, visit, copy, "page %s", copy);
}

/* The whole page, to be freed; NULL: there was none. */
static char *fetch(const char *path)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)crawl.port) };
    size_t size = 1 << 16, used = 0;
    char *page = calloc(1, size);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n =
        connect(fd, (struct sockaddr *)&a, sizeof a) || dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path) < 0 ? -1 : 1;
    while (n > 0 && used < size - 1 && (n = recv(fd, page + used, size - 1 - used, 0)) > 0) /* here */
        used += (size_t)n;
    close(fd);
    if (n < 0 || !strstr(page, " 200 ")) {
        free(page);
        return NULL;
    }
    return page;
}

static intptr_t visit(void *path)
{
    char *page = fetch(path);
    crawl.failed += !page;
    for (const char *at = page, *end; at && (at = strstr(at, "href=\"/")); at = end) {
        at += strlen("href=\"");
        if (!(end = strchr(at, '"')))
            break;
        found(at, (size_t)(end - at));
    }
    free(page);
    return 0;
}

static intptr_t app(void *argv)
{
    crawl.port = atoi(((char **)argv)[1]);
    crawl.group = ls_group_open("crawl");
    ls_group_limit(crawl.group, (size_t)atoi(((char **)argv)[3]));
    found(((char **)argv)[2], strlen(((char **)argv)[2]));
    int status = ls_group_close(crawl.group, LS_NEVER);
    printf("%zu pages, %zu failed\n", crawl.count, crawl.failed);
    while (crawl.count)
        free(crawl.paths[--crawl.count]);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 4 || atoi(argv[3]) < 1) {
        fprintf(stderr, "usage: crawler_blocking PORT PATH LIMIT\n");
        return 2;
    }
    return (int)ls_run(app, argv, NULL);
}

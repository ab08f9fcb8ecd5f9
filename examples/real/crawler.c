/* crawler.c - a crawler: every page of a site, each once, so many at a time.
 *
 *     crawler PORT PATH LIMIT        HTTP on 127.0.0.1
 * What it teaches: a group whose tasks spawn into it ends when there is nothing left to do, and ls_group_limit bounds how
 * many of them run; the others have not begun and cost no stack.  One page that fails does not end the crawl: it returns 0
 * and says so.  In the trace: the pages wait for their sockets side by side, never more than LIMIT of them; the parent of a
 * task is the page that linked to it.  Its blocking twin is crawler_blocking.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

#define PAGES_MAX 256

struct crawl {
    int port;
    struct ls_group *group;
    struct page *pages[PAGES_MAX]; /* all that were ever seen */
    size_t count;
    size_t bytes, failed, now, most;
};
struct page {
    struct crawl *crawl;
    char path[128];
};

static intptr_t visit(void *page);

/* A link: a task for it, when it is new. */
static void found(struct crawl *c, const char *path, size_t length)
{
    for (size_t i = 0; i < c->count; i++)
        if (strlen(c->pages[i]->path) == length && !memcmp(c->pages[i]->path, path, length))
            return;
    struct page *p = c->count < PAGES_MAX && length < sizeof p->path ? calloc(1, sizeof *p) : NULL;
    if (!p)
        return;
    memcpy(p->path, path, length);
    p->crawl = c;
    c->pages[c->count++] = p;
    if (!ls_group_spawn(c->group, visit, p, "page %s", p->path))
        c->failed++;
}

/* The links of a line: href="/..." */
static void look_at(struct crawl *c, const char *line)
{
    for (const char *at = line, *end; (at = strstr(at, "href=\"/")); at = end) {
        at += strlen("href=\"");
        if (!(end = strchr(at, '"')))
            break;
        found(c, at, (size_t)(end - at));
    }
}

/* Bytes of a page, -1 and errno. */
static ssize_t fetch(struct crawl *c, const char *path, ls_ns deadline)
{
    char line[1024];
    size_t bytes = 0;
    struct ls_stream *s = ls_connect("127.0.0.1", c->port, deadline);
    if (!s)
        return -1;
    ls_stream_writef(s, "GET %s HTTP/1.0\r\n\r\n", path);
    ssize_t n = ls_stream_readline(s, line, sizeof line, deadline);
    bool ok = n > 0 && strstr(line, " 200 ");
    while (n > 0 && (n = ls_stream_readline(s, line, sizeof line, deadline)) > 0) {
        bytes += (size_t)n;
        if (ok)
            look_at(c, line);
    }
    int error = n < 0 ? errno : ok ? 0 : ENOENT;
    ls_stream_abort(s);
    errno = error;
    return error ? -1 : (ssize_t)bytes;
}

static intptr_t visit(void *page)
{
    struct page *p = page;
    struct crawl *c = p->crawl;
    if (++c->now > c->most)
        c->most = c->now;
    ssize_t bytes = fetch(c, p->path, ls_after(5 * LS_SEC));
    c->now--;
    if (bytes >= 0) {
        c->bytes += (size_t)bytes;
        return 0;
    }
    if (errno == ECANCELED)
        return -1;
    fprintf(stderr, "%s: %s\n", p->path, strerror(errno));
    c->failed++;
    return 0;
}

struct args {
    int port, limit;
    const char *path;
};

static intptr_t app(void *arg)
{
    struct args *a = arg;
    static struct crawl c;
    c.port = a->port;
    c.group = ls_group_open("crawl");
    if (!c.group)
        return 1;
    ls_group_limit(c.group, (size_t)a->limit);
    found(&c, a->path, strlen(a->path));
    int status = ls_group_close(c.group, LS_NEVER); /* until no page is left */
    printf("%zu pages, %zu failed, %zu at a time at most\n", c.count, c.failed, c.most);
    while (c.count)
        free(c.pages[--c.count]);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct args a = { .port = argc == 4 ? atoi(argv[1]) : 0, .limit = argc == 4 ? atoi(argv[3]) : 0 };
    if (a.limit < 1) {
        fprintf(stderr, "usage: crawler PORT PATH LIMIT\n");
        return 2;
    }
    a.path = argv[2];
    return (int)ls_run(app, &a, NULL);
}

/* Connecting: addresses in a race, local addresses, deadlines and cancels in the middle. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/check.h"

#define TEST(name, fn) TEST_IN(runtime_connect, name, fn)
#define SOON           ls_after(5 * LS_SEC)

/* The look-up of "a,b,c" finds these addresses in this order: it is the program's getaddrinfo that the runtime calls. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!host || !strchr(host, ','))
        return real(host, service, hints, ret_list);
    char names[128], *rest = names, *name;
    snprintf(names, sizeof names, "%s", host);
    struct addrinfo *first = NULL, **end = &first;
    while ((name = strsep(&rest, ",")))
        if (!real(name, service, hints, end))
            end = &(*end)->ai_next;
    *ret_list = first;
    return first ? 0 : EAI_NONAME;
}

static struct sockaddr_in at(const char *host, int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, host, &a.sin_addr);
    return a;
}
static int listen_at(const char *host, int *port, int backlog)
{
    struct sockaddr_in a = at(host, *port);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, backlog) || getsockname(fd, (struct sockaddr *)&a, &len))
        return -1;
    *port = ntohs(a.sin_port);
    return fd;
}
/* A port at which SYNs are swallowed: its backlog is full. */
static int black_hole(const char *host, int *port, int filler[4])
{
    int fd = listen_at(host, port, 0);
    struct sockaddr_in a = at(host, *port);
    for (int i = 0; i < 4; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(filler[i], (struct sockaddr *)&a, sizeof a);
    }
    return fd;
}
static void close_all(const int *fd, int n)
{
    while (n)
        close(fd[--n]);
}
static int open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static intptr_t swallowed(void *arg)
{
    (void)arg;
    int port = 0, filler[4], hole = black_hole("127.0.0.2", &port, filler), good = listen_at("127.0.0.3", &port, 8);
    CHECK(hole >= 0 && good >= 0);
    int before = open_fds();
    ls_ns start = ls_now();
    struct ls_stream *s = ls_connect("127.0.0.2,127.0.0.3", port, SOON);
    ls_ns took = ls_now() - start;
    CHECK(s && !strncmp(ls_stream_peer(s), "127.0.0.3:", 10));
    CHECK(took >= 250 * LS_MS && took < 900 * LS_MS);             /* the first had 250 ms */
    CHECK(!ls_stream_close(s, SOON) && open_fds() <= before + 1); /* +1: the loop may have made its eventfd */
    before = open_fds();
    start = ls_now();
    CHECK(!ls_connect("127.0.0.2", port, ls_after(20 * LS_MS)) && errno == ETIMEDOUT);
    CHECK(ls_now() - start < 240 * LS_MS && open_fds() == before);
    close_all(filler, 4);
    return close(hole) | close(good);
}
TEST(an_address_that_swallows_is_overtaken, swallowed)

static intptr_t connects(void *arg)
{
    struct ls_stream *s = ls_connect("127.0.0.2,127.0.0.4", *(int *)arg, LS_NEVER);
    return s ? ls_stream_close(s, SOON) : -1;
}
static intptr_t cancelled(void *arg)
{
    (void)arg;
    int port = 0, filler[4], more[4], a = black_hole("127.0.0.2", &port, filler),
        b = black_hole("127.0.0.4", &port, more);
    CHECK(a >= 0 && b >= 0);
    CHECK(!ls_connect("127.0.0.2", port, 0) && errno == ETIMEDOUT); /* tried once */
    CHECK(!ls_connect("127.0.0.2,127.0.0.4", port, ls_after(50 * LS_MS)) && errno == ETIMEDOUT);
    int before = open_fds();
    struct ls_task *t = ls_spawn(connects, &port, NULL);
    intptr_t result;
    CHECK(!ls_sleep(300 * LS_MS) && open_fds() == before + 2); /* both are under way */
    CHECK(!ls_cancel(t, NULL) && !ls_await(t, &result, SOON) && result == -1 && errno == ECANCELED);
    CHECK(open_fds() == before);
    close_all(filler, 4);
    close_all(more, 4);
    return close(a) | close(b);
}
TEST(a_race_that_is_cancelled_leaves_nothing, cancelled)

static intptr_t refused(void *arg)
{
    (void)arg;
    int port = 0, good = listen_at("127.0.0.3", &port, 8);
    ls_ns start = ls_now();
    struct ls_stream *s = ls_connect("127.0.0.2,127.0.0.4,127.0.0.3", port, SOON);
    CHECK(s && ls_now() - start < 200 * LS_MS); /* a refusal is not waited out */
    CHECK(!strncmp(ls_stream_peer(s), "127.0.0.3:", 10) && !ls_stream_close(s, SOON) && !close(good));
    CHECK(!ls_connect("127.0.0.2,127.0.0.4", port, SOON) && errno == ECONNREFUSED);
    return 0;
}
TEST(a_refusal_is_overtaken_at_once, refused)

static intptr_t nothing(struct ls_stream *s, void *arg)
{
    (void)arg;
    char c;
    return ls_stream_read(s, &c, 1, LS_NEVER);
}
static intptr_t families(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("::1", 0, nothing, NULL, NULL);
    if (!v) /* a machine without IPv6 */
        return 0;
    int port = ls_server_port(v), filler[4], hole = black_hole("127.0.0.4", &port, filler);
    CHECK(hole >= 0);
    ls_ns start = ls_now();
    struct ls_stream *s =
        ls_connect("127.0.0.2,127.0.0.4,::1", port, SOON); /* the second in line is the other family's */
    CHECK(s && !strncmp(ls_stream_peer(s), "[::1]:", 6) && ls_now() - start < 200 * LS_MS);
    CHECK(!ls_stream_close(s, SOON) && !ls_server_close(v, SOON));
    close_all(filler, 4);
    return close(hole);
}
TEST(families_take_turns, families)

static intptr_t local(void *arg)
{
    (void)arg;
    int port = 0, fd = listen_at("127.0.0.1", &port, 8);
    struct ls_stream *s = ls_connect_from("127.0.0.9", 0, "127.0.0.1", port, SOON);
    CHECK(s && !strncmp(ls_stream_local(s), "127.0.0.9:", 10));
    CHECK(ls_stream_local(s) == ls_stream_local(s) && !ls_stream_close(s, SOON));
    CHECK(!ls_connect_from("::1", 0, "127.0.0.1", port, SOON)); /* no address of that family */
    CHECK(!ls_connect("127.0.0.1", 70000, SOON) && errno == EINVAL && !ls_connect("127.0.0.1", -1, 0) &&
          errno == EINVAL);
    CHECK(!ls_connect("no.such.host.invalid,", port, SOON) && errno == ENOENT &&
          strstr(ls_error_text(), "no.such.host"));
    return close(fd);
}
TEST(local_addresses_and_bad_names, local)

/* Servers: a task a connection, closing with and without patience, running out of fds, Unix sockets. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/check.h"

#define TEST(name, fn) TEST_IN(runtime_serve, name, fn)
#define SOON           ls_after(5 * LS_SEC)

static char seen[64]; /* the name of the last client's task */
static intptr_t echo(struct ls_stream *s, void *arg)
{
    char line[256];
    ssize_t n;
    (void)arg;
    snprintf(seen, sizeof seen, "%s", ls_task_name(ls_self()));
    while ((n = ls_stream_readline(s, line, sizeof line, LS_NEVER)) > 0)
        if (ls_stream_write(s, line, (size_t)n) || ls_stream_drain(s, LS_NEVER))
            return -1;
    return n < 0 ? -1 : 0;
}
static intptr_t talk(void *arg) /* returns 0 when all came back */
{
    struct ls_stream *s = ls_connect("127.0.0.1", (int)(intptr_t)arg, SOON);
    char line[64];
    CHECK(s);
    for (int i = 0; i < 20; i++) {
        CHECK(!ls_stream_writef(s, "message %d\n", i));
        CHECK(ls_stream_readline(s, line, sizeof line, SOON) > 0 && atoi(line + 8) == i);
    }
    CHECK(!ls_stream_write_eof(s) && ls_stream_read(s, line, 1, SOON) == 0);
    return ls_stream_close(s, SOON);
}

static intptr_t many(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    int port = v ? ls_server_port(v) : -1;
    CHECK(port > 0);
    struct ls_task *t[30];
    intptr_t out[30];
    for (int i = 0; i < 30; i++)
        t[i] = ls_spawn(talk, (void *)(intptr_t)port, "talk %d", i);
    CHECK(!ls_gather(t, 30, out, SOON));
    for (int i = 0; i < 30; i++)
        if (out[i])
            return out[i];
    CHECK(!strncmp(seen, "client 127.0.0.1:", 17) && atoi(seen + 17) > 0);
    struct ls_serve_stats stats;
    CHECK(!ls_server_stats(v, &stats) && stats.accepted == 30 && !stats.failed && !stats.accept_errors);
    CHECK(!ls_server_close(v, SOON) && ls_server_close(v, SOON) == -1 && errno == EINVAL);
    CHECK(!ls_connect("127.0.0.1", port, SOON) && errno == ECONNREFUSED);
    return 0;
}
TEST(a_task_a_connection, many)

static intptr_t waits_for_close(void *arg)
{
    return ls_server_wait(arg, LS_NEVER);
}
static intptr_t patient(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    CHECK(v);
    struct ls_task *waiter = ls_spawn(waits_for_close, v, NULL);
    struct ls_stream *s[3];
    char line[16];
    for (int i = 0; i < 3; i++) {
        s[i] = ls_connect("127.0.0.1", ls_server_port(v), SOON);
        CHECK(s[i] && !ls_stream_write(s[i], "x\n", 2) && ls_stream_readline(s[i], line, sizeof line, SOON) == 2);
    }
    CHECK(ls_server_wait(v, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(ls_server_close(v, ls_after(5 * LS_MS)) == -1 && errno == ETIMEDOUT); /* they were cancelled */
    CHECK(!ls_await(waiter, NULL, SOON));
    for (int i = 0; i < 3; i++)
        CHECK(ls_stream_read(s[i], line, 1, SOON) == 0 && !ls_stream_close(s[i], SOON));
    return 0;
}
TEST(close_cancels_who_is_left, patient)

static intptr_t hang_up(void *arg)
{
    ls_sleep(5 * LS_MS);
    return ls_stream_close(arg, SOON);
}
static intptr_t closes(void *arg)
{
    return ls_server_close(arg, LS_NEVER);
}
static intptr_t willing(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(v), SOON);
    char line[16];
    CHECK(s && !ls_stream_write(s, "x\n", 2) && ls_stream_readline(s, line, sizeof line, SOON) == 2);
    ls_detach(ls_spawn(hang_up, s, NULL));
    CHECK(!ls_server_close(v, SOON)); /* waits for it */
    v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    s = ls_connect("127.0.0.1", ls_server_port(v), SOON);
    CHECK(s && !ls_stream_write(s, "x\n", 2) && ls_stream_readline(s, line, sizeof line, SOON) == 2);
    struct ls_task *t = ls_spawn(closes, v, NULL);
    intptr_t result;
    ls_yield();
    CHECK(ls_server_close(v, 0) == -1 && errno == EBUSY);
    CHECK(!ls_cancel(t, NULL) && !ls_await(t, &result, SOON) && result == -1 && errno == ECANCELED);
    CHECK(ls_stream_read(s, line, 1, SOON) == 0 && !ls_stream_close(s, SOON)); /* cancelled with the closer */
    return 0;
}
TEST(close_waits_and_may_be_cancelled, willing)

static intptr_t says_stop(struct ls_stream *s, void *arg)
{
    struct ls_server **v = arg;
    char line[16];
    if (ls_stream_readline(s, line, sizeof line, SOON) <= 0)
        return -1;
    if (ls_server_wait(*v, SOON) != -1 || errno != EDEADLK)
        return -1;
    if (!strcmp(line, "stop\n") && ls_server_close(*v, ls_after(LS_MS)) && errno != ETIMEDOUT)
        return -1;
    return ls_stream_writef(s, "stopped\n"); /* goes out: the stream is flushed for us */
}
static intptr_t from_inside(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, says_stop, &v, NULL);
    struct ls_stream *idle = ls_connect("127.0.0.1", ls_server_port(v), SOON);
    struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(v), SOON);
    char line[16];
    CHECK(idle && s && !ls_stream_write(s, "stop\n", 5));
    CHECK(!ls_server_wait(v, SOON) && ls_stream_readline(s, line, sizeof line, SOON) == 8);
    CHECK(ls_stream_read(idle, line, 1, SOON) == 0);
    return ls_stream_close(s, SOON) | ls_stream_close(idle, SOON);
}
TEST(a_client_may_close_the_server, from_inside)

static intptr_t fails(struct ls_stream *s, void *arg)
{
    (void)arg;
    ls_stream_writef(s, "no\n");
    errno = EACCES;
    return -1;
}
static intptr_t failing(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, fails, NULL, NULL);
    struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(v), SOON);
    char line[16];
    CHECK(s && ls_stream_readline(s, line, sizeof line, SOON) == 3 && ls_stream_read(s, line, 1, SOON) == 0);
    struct ls_serve_stats stats;
    for (int i = 0; i < 100 && !ls_server_stats(v, &stats) && stats.clients; i++)
        ls_sleep(LS_MS);
    CHECK(stats.failed == 1 && stats.accepted == 1 && !stats.clients && !ls_stream_close(s, SOON));
    return ls_server_close(v, SOON);
}
TEST(a_failing_client_is_counted, failing)

static intptr_t full(void *arg)
{
    (void)arg;
    struct rlimit old, low;
    getrlimit(RLIMIT_NOFILE, &old);
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    CHECK(v);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)ls_server_port(v)) };
    int fd = socket(AF_INET, SOCK_STREAM, 0), spare = dup(fd);
    CHECK(fd >= 0 && spare >= 0);
    low = (struct rlimit){ .rlim_cur = (rlim_t)spare + 1, .rlim_max = old.rlim_max };
    int filler[64], n = 0;
    setrlimit(RLIMIT_NOFILE, &low);
    while (n < 64 && (filler[n] = dup(fd)) >= 0) /* the gaps below */
        n++;
    CHECK(!ls_connect_fd(fd, (struct sockaddr *)&a, sizeof a, SOON)); /* into the backlog */
    struct ls_serve_stats stats = { 0 };
    for (int i = 0; i < 200 && !stats.accept_errors; i++)
        CHECK(!ls_sleep(LS_MS) && !ls_server_stats(v, &stats));
    CHECK(stats.accept_errors && !stats.accepted);
    setrlimit(RLIMIT_NOFILE, &old); /* there is room again: it goes on by itself */
    struct ls_stream *s = ls_stream_from_fd(fd, NULL);
    char line[16];
    CHECK(s && !ls_stream_write(s, "x\n", 2) && ls_stream_readline(s, line, sizeof line, SOON) == 2);
    while (n)
        close(filler[--n]);
    close(spare);
    CHECK(!ls_stream_close(s, SOON));
    return ls_server_close(v, SOON);
}
TEST(out_of_fds_is_survived, full)

static intptr_t few(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, &(struct ls_serve_opts){ .clients_max = 2 });
    struct ls_stream *s[3];
    char line[16];
    struct ls_serve_stats stats;
    for (int i = 0; i < 3; i++)
        CHECK((s[i] = ls_connect("127.0.0.1", ls_server_port(v), SOON)) && !ls_stream_write(s[i], "x\n", 2));
    CHECK(ls_stream_readline(s[0], line, sizeof line, SOON) == 2);
    CHECK(ls_stream_readline(s[1], line, sizeof line, SOON) == 2);
    CHECK(ls_stream_readline(s[2], line, sizeof line, ls_after(5 * LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(!ls_server_stats(v, &stats) && stats.clients == 2);
    CHECK(!ls_stream_close(s[0], SOON) && ls_stream_readline(s[2], line, sizeof line, SOON) == 2);
    CHECK(ls_server_close(v, 0) == -1 && errno == ETIMEDOUT);
    return ls_stream_close(s[1], SOON) | ls_stream_close(s[2], SOON);
}
TEST(so_many_clients_at_a_time, few)

static intptr_t unix_socket(void *arg)
{
    (void)arg;
    char path[64], line[16];
    struct stat st;
    snprintf(path, sizeof path, "/tmp/rt_serve_%d", (int)getpid());
    struct ls_server *v = ls_serve_unix(path, echo, NULL, NULL);
    CHECK(v && ls_server_port(v) == 0 && !stat(path, &st) && S_ISSOCK(st.st_mode));
    CHECK(!ls_serve_unix(path, echo, NULL, NULL) && errno == EADDRINUSE); /* somebody is there */
    struct ls_stream *s = ls_connect_unix(path, SOON);
    CHECK(s && !ls_stream_write(s, "x\n", 2) && ls_stream_readline(s, line, sizeof line, SOON) == 2);
    CHECK(strstr(ls_stream_peer(s), path) && !ls_stream_close(s, SOON));
    CHECK(!ls_server_close(v, SOON) && stat(path, &st) && errno == ENOENT); /* it cleans up */
    CHECK(!ls_connect_unix(path, SOON) && errno == ENOENT);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0); /* what a crashed server leaves behind */
    struct sockaddr_storage a = { .ss_family = AF_UNIX };
    strcpy((char *)&a + sizeof a.ss_family, path);
    CHECK(!bind(dead, (struct sockaddr *)&a, (socklen_t)(sizeof a.ss_family + strlen(path) + 1)) && !close(dead));
    CHECK((v = ls_serve_unix(path, echo, NULL, NULL)) && (s = ls_connect_unix(path, SOON)));
    CHECK(!ls_stream_close(s, SOON) && !ls_server_close(v, SOON));
    int file = open(path, O_CREAT | O_WRONLY, 0600); /* and what is no socket is not touched */
    CHECK(file >= 0 && !ls_serve_unix(path, echo, NULL, NULL) && errno == EADDRINUSE && !unlink(path) && !close(file));
    CHECK(!ls_serve_unix("", echo, NULL, NULL) && errno == EINVAL);
    CHECK((v = ls_serve_unix("@rt_serve_test", echo, NULL, NULL)) && (s = ls_connect_unix("@rt_serve_test", SOON)));
    CHECK(!strcmp(ls_stream_peer(s), "unix:@rt_serve_test"));
    return ls_stream_close(s, SOON) | ls_server_close(v, SOON);
}
TEST(unix_sockets, unix_socket)

static intptr_t options(void *arg)
{
    (void)arg;
    const struct ls_serve_opts shared = { .reuse_port = 1, .name = "front", .client = "guest", .limit = 4 };
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, &shared);
    int port = ls_server_port(v);
    CHECK(!ls_serve("127.0.0.1", port, echo, NULL, NULL) && errno == EADDRINUSE);
    struct ls_server *w = ls_serve("127.0.0.1", port, echo, NULL, &shared);
    CHECK(w && !ls_server_close(w, 0));
    struct ls_stream *s = ls_connect("127.0.0.1", port, SOON);
    char line[16];
    CHECK(s && !ls_stream_write(s, "abc\n", 4) && ls_stream_readline(s, line, sizeof line, SOON) == 4);
    CHECK(!strncmp(seen, "guest 127.0.0.1:", 16));
    CHECK(!ls_stream_write(s, "abcd\n", 5) && ls_stream_read(s, line, 1, SOON) <= 0); /* over the limit: it failed */
    CHECK(!ls_stream_close(s, SOON) && !ls_server_close(v, SOON));
    CHECK(!ls_serve("127.0.0.1", 70000, echo, NULL, NULL) && errno == EINVAL);
    CHECK(!ls_serve("127.0.0.1", 0, NULL, NULL, NULL) && errno == EINVAL);
    CHECK((v = ls_serve(NULL, 0, echo, NULL, NULL))); /* every interface, one port */
    CHECK((s = ls_connect("127.0.0.1", ls_server_port(v), SOON)) && !ls_stream_close(s, SOON));
    if ((s = ls_connect("::1", ls_server_port(v), SOON)))
        CHECK(!strncmp(ls_stream_peer(s), "[::1]:", 6) && !ls_stream_close(s, SOON));
    CHECK(!ls_server_close(v, SOON));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!ls_serve_fd(fd, echo, NULL, NULL) && errno == EINVAL && !listen(fd, 5));
    CHECK((v = ls_serve_fd(fd, echo, NULL, NULL)) && (s = ls_connect("127.0.0.1", ls_server_port(v), SOON)));
    return ls_stream_close(s, SOON) | ls_server_close(v, SOON);
}
TEST(options_and_other_ways_in, options)

/* Clients whose tasks were cancelled before they began, and a server that nobody closes. */
static intptr_t abandoned(void *arg)
{
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(v), SOON), *late;
    char line[16];
    CHECK(s && !ls_stream_write(s, "x\n", 2) && ls_stream_readline(s, line, sizeof line, SOON) == 2);
    if (arg) {
        CHECK((late = ls_connect("127.0.0.1", ls_server_port(v), SOON)));
        CHECK(ls_server_close(v, 0) == -1 && errno == ETIMEDOUT);
        CHECK(ls_stream_read(late, line, 1, SOON) <= 0);
    }
    return 0;
}
Test(runtime_serve, an_open_server_ends_with_its_loop, .timeout = 20)
{
    cr_assert_eq(ls_run(abandoned, NULL, NULL), 0);
    cr_assert_eq(ls_run(abandoned, &(int){ 1 }, NULL), 0);
}

static char huge[4 << 20];
static intptr_t close_slowly(void *arg)
{
    return ls_stream_close(arg, SOON);
}
static intptr_t leaves_it(struct ls_stream *s, void *arg)
{
    (void)arg;
    ls_stream_write(s, huge, sizeof huge);
    ls_detach(ls_spawn(close_slowly, s, NULL));
    return ls_yield();
}
static intptr_t lent(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, leaves_it, NULL, NULL);
    struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(v), SOON);
    static char got[sizeof huge];
    CHECK(s && !ls_sleep(5 * LS_MS)); /* the client's function is over, the one that closes is not */
    CHECK(ls_stream_read_exactly(s, got, sizeof got, SOON) == sizeof got && ls_stream_read(s, got, 1, SOON) == 0);
    CHECK(!ls_stream_close(s, SOON));
    return ls_server_close(v, SOON);
}
TEST(another_task_may_close_the_stream, lent)

static unsigned inside, most;
static intptr_t counted(struct ls_stream *s, void *arg)
{
    char c;
    (void)arg;
    most = ++inside > most ? inside : most;
    ls_stream_read(s, &c, 1, SOON);
    inside--;
    return 0;
}
static intptr_t one_place(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve(NULL, 0, counted, NULL, &(struct ls_serve_opts){ .clients_max = 1 });
    CHECK(v);
    struct ls_stream *s[2] = { ls_connect("127.0.0.1", ls_server_port(v), SOON),
                               ls_connect("::1", ls_server_port(v), SOON) }; /* by another listener */
    CHECK(s[0] && !ls_sleep(5 * LS_MS) && most == 1);
    CHECK(!ls_stream_close(s[0], SOON) && !ls_sleep(5 * LS_MS) && most == 1);
    if (s[1]) /* there is IPv6 here */
        CHECK(inside == 1 && !ls_stream_close(s[1], SOON));
    return ls_server_close(v, SOON);
}
TEST(clients_max_is_for_all_listeners_together, one_place)

static size_t low_seen;
static intptr_t drains(struct ls_stream *s, void *arg)
{
    (void)arg;
    ls_stream_write(s, huge, sizeof huge);
    int r = ls_stream_drain(s, SOON);
    low_seen = ls_stream_unsent(s);
    return r;
}
static intptr_t defaults(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, drains, NULL, &(struct ls_serve_opts){ .low = 1 << 20 });
    CHECK(!v && errno == EINVAL); /* above the high mark */
    v = ls_serve("127.0.0.1", 0, drains, NULL, &(struct ls_serve_opts){ .high = 2 << 20, .low = 1 << 20 });
    struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(v), SOON);
    static char got[sizeof huge];
    CHECK(s && ls_stream_read_exactly(s, got, sizeof got, SOON) == sizeof got);
    CHECK(low_seen > 64 << 10 && !ls_stream_close(s, SOON) && !ls_server_close(v, SOON));
    return 0;
}
TEST(marks_of_its_streams, defaults)

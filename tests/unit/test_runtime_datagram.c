/* Datagrams, UDP and Unix; vectors; sendfile; fds that epoll refuses. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/check.h"

#define TEST(name, fn) TEST_IN(runtime_datagram, name, fn)
#define SOON           ls_after(5 * LS_SEC)

static int port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    return getsockname(fd, (struct sockaddr *)&a, &len) ? -1 : ntohs(a.sin_port);
}
struct got {
    int fd, error;
    ssize_t n;
    char text[16];
};
static intptr_t receive(void *arg)
{
    struct got *g = arg;
    g->n = ls_recvfrom(g->fd, g->text, sizeof g->text, 0, NULL, NULL, LS_NEVER);
    g->error = errno;
    return 0;
}

static intptr_t udp(void *arg)
{
    (void)arg;
    int server = ls_udp_bind("127.0.0.1", 0, 0, SOON), port = port_of(server);
    int client = ls_udp_connect("127.0.0.1", port, LS_BROADCAST, SOON);
    CHECK(server >= 0 && client >= 0 && port > 0 && fcntl(client, F_GETFL) & O_NONBLOCK);
    struct got g = { .fd = server };
    char buf[16];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    CHECK(ls_recvfrom(server, buf, sizeof buf, 0, NULL, NULL, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(ls_write(client, "one", 3, SOON) == 3 && ls_write(client, "two!", 4, SOON) == 4);
    CHECK(ls_recvfrom(server, buf, sizeof buf, 0, (struct sockaddr *)&from, &len, SOON) == 3 && len == sizeof from);
    CHECK(ntohs(from.sin_port) == port_of(client) && ls_recvfrom(server, buf, 2, MSG_TRUNC, NULL, NULL, SOON) == 4);
    CHECK(ls_sendto(server, "back", 4, 0, (struct sockaddr *)&from, len, SOON) == 4);
    CHECK(ls_read(client, buf, sizeof buf, SOON) == 4 && !memcmp(buf, "back", 4));
    struct ls_task *t = ls_spawn(receive, &g, NULL);
    ls_yield();
    CHECK(ls_recvfrom(server, buf, sizeof buf, 0, NULL, NULL, SOON) == -1 && errno == EBUSY);
    CHECK(ls_write(client, "woken", 5, SOON) == 5 && !ls_await(t, NULL, SOON) && g.n == 5);
    CHECK(ls_write(client, "", 0, SOON) == 0 && ls_recvfrom(server, buf, 9, 0, NULL, NULL, SOON) == 0); /* empty ones */
    t = ls_spawn(receive, &g, NULL);
    ls_yield();
    CHECK(!ls_cancel(t, NULL) && !ls_await(t, NULL, SOON) && g.error == ECANCELED);
    t = ls_spawn(receive, &g, NULL);
    ls_yield();
    CHECK(!ls_close(server) && !ls_await(t, NULL, SOON) && g.n == -1 && g.error == EBADF);
    CHECK(ls_write(client, "x", 1, SOON) == 1 && ls_read(client, buf, 1, SOON) == -1 && errno == ECONNREFUSED);
    CHECK(ls_udp_bind("127.0.0.1", 0, 64, SOON) == -1 && errno == EINVAL);
    CHECK(ls_udp_bind("127.0.0.1", 65536, 0, SOON) == -1 && errno == EINVAL);
    int a = ls_udp_bind("127.0.0.1", 0, LS_REUSEPORT, SOON),
        b = ls_udp_bind("127.0.0.1", port_of(a), LS_REUSEPORT, SOON);
    CHECK(a >= 0 && b >= 0 && ls_udp_bind("127.0.0.1", port_of(a), 0, SOON) == -1 && errno == EADDRINUSE);
    return ls_close(a) | ls_close(b) | ls_close(client);
}
TEST(udp, udp)

static intptr_t local(void *arg)
{
    (void)arg;
    char path[64], buf[16];
    snprintf(path, sizeof path, "/tmp/rt_datagram_%d", (int)getpid());
    int server = ls_datagram_bind(path), client = ls_datagram_connect(path);
    struct sockaddr_un from;
    socklen_t len = sizeof from;
    CHECK(server >= 0 && client >= 0 && ls_write(client, "hi", 2, SOON) == 2);
    CHECK(ls_recvfrom(server, buf, sizeof buf, 0, (struct sockaddr *)&from, &len, SOON) == 2 && len > 2);
    CHECK(ls_sendto(server, "you", 3, 0, (struct sockaddr *)&from, len, SOON) == 3); /* it has a name to answer to */
    CHECK(ls_read(client, buf, sizeof buf, SOON) == 3 && !unlink(path));
    int n = 0; /* a queue that is full: the writer waits until somebody reads */
    while (ls_write(client, "fill", 4, 0) == 4)
        n++;
    CHECK(errno == ETIMEDOUT && n > 0 && ls_write(client, "fill", 4, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(ls_datagram_connect("/no/such/socket") == -1 && errno == ENOENT && ls_datagram_bind("") == -1);
    CHECK(ls_datagram_bind(
              buf[0] ? "/tmp/a/path/that/is/much/too/long/for/a/unix/socket/as/it/has/more/than/a/hundred/and/"
                       "seven/characters/in/it"
                     : NULL) == -1 &&
          errno == ENAMETOOLONG);
    int named = ls_datagram_bind("@rt_datagram_test"), other = ls_datagram_connect("@rt_datagram_test");
    struct iovec in = { buf, sizeof buf }, out[2] = { { "ab", 2 }, { "cd", 2 } };
    struct msghdr sent = { .msg_iov = out, .msg_iovlen = 2 }, got = { .msg_iov = &in, .msg_iovlen = 1 };
    CHECK(named >= 0 && ls_sendmsg(other, &sent, 0, SOON) == 4 && ls_recvmsg(named, &got, 0, SOON) == 4);
    CHECK(!memcmp(buf, "abcd", 4) && ls_recvmsg(named, &got, 0, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
    return ls_close(server) | ls_close(client) | ls_close(named) | ls_close(other);
}
TEST(unix_datagrams, local)

static char block[1 << 20], back[1 << 20];
struct sink {
    int fd;
    size_t n;
};
static intptr_t drain(void *arg)
{
    struct sink *s = arg;
    ssize_t n;
    while (s->n < sizeof back && (n = ls_read(s->fd, back + s->n, sizeof back - s->n, SOON)) > 0)
        s->n += (size_t)n;
    return 0;
}
static void fill(void)
{
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 131 >> 5);
    memset(back, 0, sizeof back);
}

static intptr_t vectors(void *arg)
{
    (void)arg;
    for (int kind = 0; kind < 3; kind++) {
        int p[2];
        fill();
        if (kind == 0)
            CHECK(!pipe(p));
        else
            CHECK(!socketpair(AF_UNIX, SOCK_STREAM | (kind == 1 ? SOCK_NONBLOCK : 0), 0, p));
        struct iovec v[40];
        size_t at = 0;
        for (int i = 0; i < 40; i++) { /* pieces of all sizes, some empty, more than go at once */
            size_t n = i == 39 ? sizeof block - at : (size_t)(i % 5 * i * 200);
            v[i] = (struct iovec){ block + at, n };
            at += n;
        }
        struct sink s = { .fd = p[0] };
        struct ls_task *t = ls_spawn(drain, &s, NULL);
        CHECK(ls_writev(p[1], v, 40, SOON) == sizeof block && !ls_close(p[1]));
        CHECK(!ls_await(t, NULL, SOON) && s.n == sizeof block && !memcmp(block, back, sizeof block));
        CHECK(!ls_close(p[0]));
    }
    int p[2];
    char a[3], b[8];
    struct iovec v[2] = { { a, sizeof a }, { b, sizeof b } };
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, p) && ls_readv(p[0], v, 2, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(ls_write(p[1], "abcde", 5, SOON) == 5 && ls_readv(p[0], v, 2, SOON) == 5 && !memcmp(b, "de", 2));
    CHECK(ls_writev(p[1], v, -1, SOON) == -1 && errno == EINVAL && ls_readv(p[0], v, 5000, 0) == -1 && errno == EINVAL);
    struct iovec all = { block, sizeof block };
    ssize_t n = ls_writev(p[1], &all, 1, ls_after(2 * LS_MS)); /* stopped in the middle */
    CHECK(n > 0 && n < (ssize_t)sizeof block && ls_writev(p[1], &all, 1, 0) == -1 && errno == ETIMEDOUT);
    return ls_close(p[0]) | ls_close(p[1]);
}
TEST(readv_and_writev, vectors)

static intptr_t files(void *arg)
{
    (void)arg;
    char name[] = "/tmp/rt_datagram_XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    fill();
    CHECK(file >= 0 && write(file, block, sizeof block) == sizeof block);
    for (int kind = 0; kind < 4;
         kind++) { /* by the kernel; by copying, where the socket blocks; into a pipe; appended to */
        int p[2];
        off_t at = 0;
        memset(back, 0, sizeof back);
        if (kind == 2)
            CHECK(!pipe2(p, O_NONBLOCK));
        else
            CHECK(!socketpair(AF_UNIX, SOCK_STREAM | (kind ? 0 : SOCK_NONBLOCK), 0, p));
        struct sink s = { .fd = p[0] };
        struct ls_task *t = ls_spawn(drain, &s, NULL);
        if (kind == 3)
            CHECK(lseek(file, 100, SEEK_SET) == 100 && ls_sendfile(p[1], file, NULL, 200, SOON) == 200 &&
                  lseek(file, 0, SEEK_CUR) == 300);
        else
            CHECK(ls_sendfile(p[1], file, &at, 2 * sizeof block, SOON) == sizeof block && at == sizeof block);
        CHECK(!ls_close(p[1]) && !ls_await(t, NULL, SOON) && s.n == (kind == 3 ? 200 : sizeof block));
        CHECK(!memcmp(back, block + (kind == 3 ? 100 : 0), s.n) && !ls_close(p[0]));
    }
    int p[2];
    off_t at = 0;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p));
    ssize_t n = ls_sendfile(p[1], file, &at, sizeof block, ls_after(2 * LS_MS)); /* stopped in the middle */
    CHECK(n > 0 && n < (ssize_t)sizeof block && at == n && ls_sendfile(p[1], file, &at, 1, 0) == -1 &&
          errno == ETIMEDOUT);
    struct sink s = { .fd = p[0] };
    struct ls_task *t = ls_spawn(drain, &s, NULL);
    memset(back, 0, sizeof back);
    CHECK(ls_sendfile(p[1], file, &at, sizeof block, SOON) == (ssize_t)sizeof block - n); /* and taken up again */
    CHECK(!ls_await(t, NULL, SOON) && s.n == sizeof block && !memcmp(block, back, sizeof block));
    at = 0;
    CHECK(ls_sendfile(p[1], p[0], NULL, 1, 0) == -1 && errno == ESPIPE && ls_sendfile(p[1], -1, &at, 1, 0) == -1);
    CHECK(errno == EBADF && ls_sendfile(-1, file, &at, 1, 0) == -1 && errno == EBADF);
    return ls_close(p[0]) | ls_close(p[1]) | ls_close(file);
}
TEST(sendfile, files)

/* What epoll refuses can always be read and written. */
static intptr_t refused(void *arg)
{
    (void)arg;
    char buf[8] = "x";
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY | O_NONBLOCK), dir = open("/", O_RDONLY);
    CHECK(ls_read(null, buf, 8, LS_NEVER) == 0 && ls_write(null, buf, 8, LS_NEVER) == 8);
    CHECK(ls_read(zero, buf, 8, LS_NEVER) == 8 && !buf[0]);
    CHECK(ls_wait_fd(null, POLLIN, LS_NEVER) == POLLIN && ls_wait_fd(zero, POLLIN, LS_NEVER) == POLLIN);
    CHECK(ls_read(dir, buf, 8, LS_NEVER) == -1 && errno == EISDIR);
    struct ls_stream *s = ls_stream_from_fd(null, "null");
    CHECK(s && !ls_stream_write(s, buf, 8) && !ls_stream_flush(s, 0) && ls_stream_read(s, buf, 8, 0) == 0);
    return ls_stream_close(s, 0) | ls_close(zero) | ls_close(dir);
}
TEST(fds_that_epoll_refuses, refused)

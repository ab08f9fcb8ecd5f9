/* Every call on an fd or a stream that waits, stopped in each way: a deadline that comes, one that has passed, a cancel. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <loopscope/runtime.h>

/* What the calls wait on: an empty end to read, a full one to write, a listener nobody connects to, an address that
 * swallows SYNs; streams over the same; a server. */
static struct world {
    int empty, full, listener, file;
    struct sockaddr_in hole;
    struct ls_stream *silent, *stuck;
    struct ls_server *server;
} w;
static char buf[1 << 20];
static struct iovec iov = { buf, sizeof buf };
static struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

static intptr_t c_wait_fd(ls_ns d)
{
    return ls_wait_fd(w.empty, POLLIN, d);
}
static intptr_t c_read(ls_ns d)
{
    return ls_read(w.empty, buf, 10, d);
}
static intptr_t c_readv(ls_ns d)
{
    return ls_readv(w.empty, &iov, 1, d);
}
static intptr_t c_recvfrom(ls_ns d)
{
    return ls_recvfrom(w.empty, buf, 10, 0, NULL, NULL, d);
}
static intptr_t c_recvmsg(ls_ns d)
{
    return ls_recvmsg(w.empty, &msg, 0, d);
}
static intptr_t c_accept(ls_ns d)
{
    return ls_accept(w.listener, NULL, NULL, d);
}
static intptr_t c_write(ls_ns d)
{
    return ls_write(w.full, buf, sizeof buf, d);
}
static intptr_t c_writev(ls_ns d)
{
    return ls_writev(w.full, &iov, 1, d);
}
static intptr_t c_sendto(ls_ns d)
{
    return ls_sendto(w.full, buf, 10, 0, NULL, 0, d);
}
static intptr_t c_sendmsg(ls_ns d)
{
    return ls_sendmsg(w.full, &msg, 0, d);
}
static intptr_t c_sendfile(ls_ns d)
{
    off_t at = 0;
    return ls_sendfile(w.full, w.file, &at, 1000, d);
}
static intptr_t c_connect_fd(ls_ns d)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    intptr_t r = ls_connect_fd(fd, (struct sockaddr *)&w.hole, sizeof w.hole, d);
    int error = errno;
    ls_close(fd);
    errno = error;
    return r;
}
static intptr_t c_connect(ls_ns d)
{
    return ls_connect("127.0.0.2", ntohs(w.hole.sin_port), d) ? 0 : -1;
}
static intptr_t c_stream_read(ls_ns d)
{
    return ls_stream_read(w.silent, buf, sizeof buf, d);
}
static intptr_t c_read_exactly(ls_ns d)
{
    return ls_stream_read_exactly(w.silent, buf, 100, d);
}
static intptr_t c_read_until(ls_ns d)
{
    return ls_stream_read_until(w.silent, "\r\n", buf, sizeof buf, d);
}
static intptr_t c_readline(ls_ns d)
{
    return ls_stream_readline(w.silent, buf, sizeof buf, d);
}
static intptr_t c_drain(ls_ns d)
{
    return ls_stream_drain(w.stuck, d);
}
static intptr_t c_flush(ls_ns d)
{
    return ls_stream_flush(w.stuck, d);
}
static intptr_t c_stream_sendfile(ls_ns d)
{
    off_t at = 0;
    return ls_stream_sendfile(w.stuck, w.file, &at, 1000, d);
}
static intptr_t c_server_wait(ls_ns d)
{
    return ls_server_wait(w.server, d);
}

static const struct {
    const char *name;
    intptr_t (*call)(ls_ns deadline);
} calls[] = {
    { "ls_wait_fd", c_wait_fd },
    { "ls_read", c_read },
    { "ls_readv", c_readv },
    { "ls_recvfrom", c_recvfrom },
    { "ls_recvmsg", c_recvmsg },
    { "ls_accept", c_accept },
    { "ls_write", c_write },
    { "ls_writev", c_writev },
    { "ls_sendto", c_sendto },
    { "ls_sendmsg", c_sendmsg },
    { "ls_sendfile", c_sendfile },
    { "ls_connect_fd", c_connect_fd },
    { "ls_connect", c_connect },
    { "ls_stream_read", c_stream_read },
    { "ls_stream_read_exactly", c_read_exactly },
    { "ls_stream_read_until", c_read_until },
    { "ls_stream_readline", c_readline },
    { "ls_stream_drain", c_drain },
    { "ls_stream_flush", c_flush },
    { "ls_stream_sendfile", c_stream_sendfile },
    { "ls_server_wait", c_server_wait },
};
enum { CALLS = sizeof calls / sizeof calls[0] };
static char wrong[200];

static bool fails_with(const char *name, const char *how, intptr_t r, int error, int wanted)
{
    if (r == -1 && error == wanted)
        return true;
    snprintf(wrong, sizeof wrong, "%s, %s: %ld, %s", name, how, (long)r, strerror(error));
    return false;
}

static intptr_t runs(void *arg)
{
    return calls[(intptr_t)arg].call(LS_NEVER);
}

static intptr_t nothing(struct ls_stream *s, void *arg)
{
    (void)s;
    (void)arg;
    return 0;
}

static bool build(void)
{
    int p[2], q[2], r[2], s[2];
    socklen_t len = sizeof w.hole;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, q) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, r) || socketpair(AF_UNIX, SOCK_STREAM, 0, s))
        return false;
    w.empty = p[0];
    w.full = q[0];
    while (write(w.full, buf, sizeof buf) > 0)
        ;
    while (write(w.full, buf, 1) > 0)
        ;
    w.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr unnamed = { .sa_family = AF_UNIX };
    w.file = open("/proc/self/exe", O_RDONLY);
    w.silent = ls_stream_from_fd(r[0], "silent");
    w.stuck = ls_stream_from_fd(s[0], "stuck");
    int hole = socket(AF_INET, SOCK_STREAM, 0);
    w.hole = (struct sockaddr_in){ .sin_family = AF_INET };
    inet_pton(AF_INET, "127.0.0.2", &w.hole.sin_addr);
    if (bind(w.listener, &unnamed, sizeof unnamed.sa_family) || listen(w.listener, 1) ||
        bind(hole, (struct sockaddr *)&w.hole, len) || listen(hole, 0) ||
        getsockname(hole, (struct sockaddr *)&w.hole, &len))
        return false;
    for (int i = 0; i < 4; i++)
        connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&w.hole, len);
    w.server = ls_serve("127.0.0.1", 0, nothing, NULL, NULL);
    return w.server && w.silent && w.stuck && !ls_stream_write(w.stuck, buf, sizeof buf) &&
           !ls_stream_write(w.stuck, buf, sizeof buf);
}

static intptr_t each(void *arg)
{
    (void)arg;
    if (!build())
        return -1;
    for (intptr_t i = 0; i < CALLS; i++) {
        const char *name = calls[i].name;
        ls_ns start = ls_now();
        intptr_t r = calls[i].call(start - LS_SEC);
        if (!fails_with(name, "with a deadline that has passed", r, errno, ETIMEDOUT))
            return 1;
        r = calls[i].call(ls_after(2 * LS_MS));
        if (!fails_with(name, "with a deadline", r, errno, ETIMEDOUT))
            return 1;
        if (ls_now() - start < 2 * LS_MS) {
            snprintf(wrong, sizeof wrong, "%s: came back before its deadline", name);
            return 1;
        }
        struct ls_task *t = ls_spawn(runs, (void *)i, "%s", name);
        ls_sleep(calls[i].call == c_connect ? 20 * LS_MS : LS_MS); /* ls_connect's look-up is behind it */
        if (ls_cancel(t, NULL) || ls_await(t, &r, ls_after(5 * LS_SEC)) ||
            !fails_with(name, "cancelled", r, errno, ECANCELED))
            return 1;
        t = ls_spawn(runs, (void *)i, "%s", name); /* and nothing is left of it: it may be called again */
        ls_sleep(LS_MS);
        if (ls_done(t) || ls_cancel(t, NULL) || ls_await(t, NULL, ls_after(5 * LS_SEC))) {
            snprintf(wrong, sizeof wrong, "%s: did not wait again", name);
            return 1;
        }
    }
    return 0;
}
Test(runtime_stopped, deadlines_and_cancels_reach_every_call, .timeout = 60)
{
    cr_assert_eq(ls_run(each, NULL, NULL), 0, "%s (errno %d, '%s')", wrong, errno, ls_error_text());
}

static intptr_t outside_of_tasks(ls_ns d)
{
    for (intptr_t i = 0; i < CALLS; i++)
        if (calls[i].call(d) != -1 || errno != EPERM)
            return i + 1;
    return 0;
}
Test(runtime_stopped, outside_of_a_task_each_is_an_error, .timeout = 20)
{
    intptr_t i = outside_of_tasks(LS_NEVER);
    cr_assert_eq(i, 0, "%s: errno %d", calls[i ? i - 1 : 0].name, errno);
}

/* Waiting on fds: pipes, sockets, deadlines, two waiters, numbers that are used again; and jobs on threads. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/check.h"

#define TEST(name, fn) TEST_IN(runtime_fd, name, fn)

struct end {
    int fd;
    char got[64];
    ssize_t n;
    int error;
};
static intptr_t reader(void *arg)
{
    struct end *e = arg;
    e->n = ls_read(e->fd, e->got, sizeof e->got, LS_NEVER);
    e->error = errno;
    return 0;
}

static intptr_t on_pipe(int flags)
{
    int p[2];
    CHECK(!pipe2(p, flags));
    struct end e = { .fd = p[0] };
    for (int i = 0; i < 3; i++) { /* the second time it is registered already */
        struct ls_task *t = ls_spawn(reader, &e, NULL);
        ls_sleep(LS_MS);
        CHECK(ls_write(p[1], "hello", 5, LS_NEVER) == 5);
        CHECK(!ls_await(t, NULL, ls_after(LS_SEC)) && e.n == 5 && !memcmp(e.got, "hello", 5));
    }
    CHECK(ls_read(p[0], e.got, 1, ls_after(2 * LS_MS)) == -1 && errno == ETIMEDOUT);
    close(p[1]);
    CHECK(ls_read(p[0], e.got, 1, ls_after(LS_SEC)) == 0);
    close(p[0]);
    CHECK(ls_read(p[0], e.got, 1, LS_NEVER) == -1 && errno == EBADF);
    return 0;
}
static intptr_t nonblocking_pipe(void *arg)
{
    (void)arg;
    return on_pipe(O_NONBLOCK);
}
static intptr_t blocking_pipe(void *arg)
{
    (void)arg;
    return on_pipe(0);
}
TEST(pipe_non_blocking, nonblocking_pipe)
TEST(pipe_blocking, blocking_pipe)

static intptr_t drain(void *arg)
{
    struct end *e = arg;
    char buf[5000];
    ssize_t n;
    while ((n = ls_read(e->fd, buf, sizeof buf, ls_after(LS_SEC))) > 0)
        e->n += n;
    return n;
}
static intptr_t large_write(void *arg)
{
    (void)arg;
    static char big[3 << 20];
    for (int kind = 0; kind < 3; kind++) {
        int p[2];
        if (kind == 0)
            CHECK(!pipe(p));
        else
            CHECK(!socketpair(AF_UNIX, SOCK_STREAM | (kind == 1 ? SOCK_NONBLOCK : 0), 0, p));
        struct end e = { .fd = p[0] };
        struct ls_task *t = ls_spawn(drain, &e, NULL);
        CHECK(ls_write(p[1], big, sizeof big, ls_after(5 * LS_SEC)) == sizeof big);
        CHECK(!ls_close(p[1]) && !ls_await(t, NULL, ls_after(LS_SEC)) && e.n == sizeof big);
        CHECK(!ls_close(p[0]));
    }
    return 0;
}
TEST(a_large_write_is_whole, large_write)

static intptr_t partial_write(void *arg)
{
    (void)arg;
    static char big[3 << 20];
    int p[2];
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    ssize_t n = ls_write(p[1], big, sizeof big, ls_after(5 * LS_MS));
    CHECK(n > 0 && (size_t)n < sizeof big); /* what went before the deadline */
    CHECK(ls_write(p[1], big, 1, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
    close(p[0]);
    CHECK(ls_write(p[1], big, 1, ls_after(LS_MS)) == -1 && errno == EPIPE); /* and no SIGPIPE */
    return 0;
}
TEST(a_write_that_is_stopped_says_how_far_it_came, partial_write)

static intptr_t two_sides(void *arg)
{
    (void)arg;
    static char big[1 << 20];
    int p[2];
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    struct end e = { .fd = p[0] }, second = { .fd = p[0] };
    struct ls_task *r = ls_spawn(reader, &e, "reader");
    ls_yield();
    struct ls_task *again = ls_spawn(reader, &second, "second");
    CHECK(!ls_await(again, NULL, ls_after(LS_SEC)) && second.n == -1 && second.error == EBUSY);
    CHECK(ls_write(p[0], big, sizeof big, ls_after(2 * LS_MS)) > 0); /* a writer waits beside the reader */
    CHECK(send(p[1], "x", 1, 0) == 1);
    CHECK(!ls_await(r, NULL, ls_after(LS_SEC)) && e.n == 1);
    return 0;
}
TEST(a_reader_and_a_writer_but_no_second_reader, two_sides)

static intptr_t close_wakes(void *arg)
{
    (void)arg;
    int p[2];
    CHECK(!pipe(p));
    struct end e = { .fd = p[0] };
    struct ls_task *t = ls_spawn(reader, &e, NULL);
    ls_yield();
    CHECK(!ls_close(p[0]) && !ls_await(t, NULL, ls_after(LS_SEC)) && e.n == -1 && e.error == EBADF);
    struct ls_task *u;
    struct end f = { .fd = p[1] };
    CHECK(!pipe(p));
    f.fd = p[0];
    u = ls_spawn(reader, &f, NULL);
    ls_yield();
    CHECK(!ls_cancel(u, NULL) && !ls_await(u, NULL, ls_after(LS_SEC)) && f.n == -1 && f.error == ECANCELED);
    return 0;
}
TEST(close_and_cancel_wake_the_waiter, close_wakes)

/* A reader that was woken by data finds, when it runs, the fd closed and its number taken by another file: it must not
 * read from that.  (Timers fire after the events of a poll and before its tasks.) */
static int socket_end[2], pipe_end[2];
static void take_number(void *arg)
{
    (void)arg;
    ls_close(socket_end[0]);
    if (pipe(pipe_end) || write(pipe_end[1], "new", 3) != 3)
        pipe_end[0] = -1;
}
static intptr_t taken(void *arg)
{
    (void)arg;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, socket_end));
    struct end e = { .fd = socket_end[0] };
    struct ls_task *t = ls_spawn(reader, &e, NULL);
    ls_yield();
    CHECK(write(socket_end[1], "old", 3) == 3 && ls_call_later(0, take_number, NULL));
    CHECK(!ls_await(t, NULL, ls_after(LS_SEC)) && e.n == -1 && e.error == EBADF);
    char c[3];
    CHECK(pipe_end[0] == e.fd && read(pipe_end[0], c, 3) == 3 && !memcmp(c, "new", 3)); /* it is all there */
    return ls_close(pipe_end[0]) | ls_close(pipe_end[1]) | ls_close(socket_end[1]);
}
TEST(a_woken_reader_does_not_read_another_file, taken)

/* One that never has to wait leaves the others their turns. */
static intptr_t counts(void *arg)
{
    while (!ls_yield())
        ++*(int *)arg;
    return 0;
}
static intptr_t greedy(void *arg)
{
    (void)arg;
    int turns = 0, zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    char buf[8];
    struct ls_task *t = ls_spawn(counts, &turns, NULL);
    for (int i = 0; i < 1000; i++)
        CHECK(ls_read(zero, buf, sizeof buf, LS_NEVER) == 8);
    CHECK(turns >= 5);
    for (int i = turns = 0; i < 1000; i++)
        CHECK(ls_write(null, buf, sizeof buf, LS_NEVER) == 8);
    CHECK(turns >= 5);
    for (int i = turns = 0; i < 1000; i++)
        CHECK(ls_wait_fd(zero, POLLIN, LS_NEVER) == POLLIN);
    CHECK(turns >= 5 && !ls_cancel(t, NULL) && !ls_await(t, NULL, LS_NEVER));
    CHECK(!ls_cancel(ls_self(), NULL)); /* and may be cancelled */
    int i = 0;
    while (i < 1000 && ls_read(zero, buf, sizeof buf, LS_NEVER) == 8)
        i++;
    CHECK(i < 1000 && errno == ECANCELED);
    return ls_close(zero) | ls_close(null);
}
TEST(one_that_never_waits_gives_way, greedy)

/* Two ends of a TCP connection, which the runtime has not seen yet. */
static int tcp_pair(int p[2])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    p[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s, (struct sockaddr *)&a, len) || listen(s, 1) || getsockname(s, (struct sockaddr *)&a, &len) ||
        connect(p[0], (struct sockaddr *)&a, len) || (p[1] = accept(s, NULL, NULL)) < 0)
        return -1;
    return close(s);
}

static intptr_t urgent(void *arg)
{
    (void)arg;
    int p[2];
    CHECK(!tcp_pair(p));
    int c = p[0], d = p[1];
    CHECK(ls_wait_fd(d, POLLPRI, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(send(c, "!", 1, MSG_OOB) == 1 && ls_wait_fd(d, POLLPRI, ls_after(LS_SEC)) == POLLPRI);
    return ls_close(c) | ls_close(d);
}
TEST(urgent_data, urgent)

/* An fd is closed behind our back long after a task parked on it, and its number comes back: who uses the new file is
 * not kept out by who waits for the old one. */
static intptr_t closed_under_a_waiter(void *arg)
{
    for (int how = 0; how < 3; how++) {
        int p[2], q[2];
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, p));
        struct end old = { .fd = p[0] }, new = { .fd = p[0] };
        struct ls_task *t = ls_spawn(reader, &old, "old"), *u = NULL;
        ls_sleep(20 * LS_MS);
        close(p[0]);
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, q) && q[0] == p[0]);
        if (how == 2) { /* a write that waits says so, too */
            while (write(q[0], p, sizeof p) > 0 && !fcntl(q[0], F_SETFL, O_NONBLOCK))
                continue;
            CHECK(ls_write(q[0], "x", 1, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
        } else {
            CHECK(how || write(q[1], "new", 3) == 3);
            u = ls_spawn(reader, &new, "new");
            ls_sleep(LS_MS);
            CHECK(!how || write(q[1], "new", 3) == 3);
            CHECK(!ls_await(u, NULL, ls_after(LS_SEC)) && new.n == 3);
        }
        CHECK(!ls_await(t, NULL, ls_after(LS_SEC)) && old.n == -1 && old.error == EBADF);
        ls_close(q[0]);
        close(q[1]);
        close(p[1]);
    }
    return (intptr_t)arg;
}
TEST(a_waiter_for_a_closed_file_keeps_nobody_out, closed_under_a_waiter)

/* The number of a closed fd comes back as something else, with no word to the runtime. */
static intptr_t reuse(void *arg)
{
    (void)arg;
    for (int round = 0; round < 6; round++) {
        int p[2];
        if (round % 2)
            CHECK(!tcp_pair(p) && !fcntl(p[0], F_SETFL, round == 3 ? O_NONBLOCK : 0));
        else
            CHECK(!pipe2(p, round == 2 ? O_NONBLOCK : 0));
        struct end e = { .fd = p[0] };
        for (int i = 0; i < 2; i++) { /* a short read: from then on a socket is known to be empty, and parks at once */
            struct ls_task *t = ls_spawn(reader, &e, NULL);
            ls_yield();
            CHECK(write(p[1], "ab", 2) == 2);
            CHECK(!ls_await(t, NULL, ls_after(LS_SEC)) && e.n == 2);
        }
        close(p[0]);
        close(p[1]);
    }
    return 0;
}
TEST(a_number_that_is_used_again, reuse)

static intptr_t closed_behind(void *arg)
{
    (void)arg;
    int p[2];
    char c[8];
    CHECK(!tcp_pair(p));
    struct end e = { .fd = p[0] };
    struct ls_task *t = ls_spawn(reader, &e, NULL);
    ls_yield();
    CHECK(write(p[1], "ab", 2) == 2 && !ls_await(t, NULL, ls_after(LS_SEC)));
    t = ls_spawn(reader, &e, NULL); /* parks without asking: the socket was emptied */
    ls_yield();
    close(p[0]);
    CHECK(!ls_await(t, NULL, ls_after(LS_SEC)) && e.error == EBADF); /* found out a little later */
    CHECK(read(p[1], c, sizeof c) == 0);
    return 0;
}
TEST(a_close_behind_our_back_is_found_out, closed_behind)

static intptr_t wait_events(void *arg)
{
    (void)arg;
    int p[2];
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
    CHECK(ls_wait_fd(p[0], POLLIN, ls_after(2 * LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(ls_wait_fd(p[0], POLLIN | POLLOUT, LS_NEVER) == POLLOUT);
    CHECK(send(p[1], "a", 1, 0) == 1 && send(p[1], "b", 1, 0) == 1);
    for (int i = 0; i < 2; i++) { /* ready is ready, however often it is asked */
        CHECK(ls_wait_fd(p[0], POLLIN, LS_NEVER) == POLLIN);
        CHECK(ls_wait_fd(p[0], POLLIN, 0) == POLLIN);
        char c[8];
        CHECK(ls_read(p[0], c, sizeof c, LS_NEVER) == 1);
    }
    CHECK(ls_wait_fd(p[0], 0, 0) == -1 && errno == EINVAL);
    CHECK(ls_wait_fd(1000000, POLLIN, 0) == -1 && errno == EBADF);
    CHECK(ls_wait_fd(-1, POLLIN, 0) == -1 && errno == EBADF);
    return 0;
}
TEST(wait_fd_says_what_is_ready, wait_events)

static intptr_t regular_file(void *arg)
{
    (void)arg;
    char name[] = "/tmp/rt_fd_XXXXXX", buf[8];
    int fd = mkstemp(name);
    unlink(name);
    CHECK(fd >= 0 && ls_write(fd, "0123456789", 10, LS_NEVER) == 10 && lseek(fd, 0, SEEK_SET) == 0);
    CHECK(ls_read(fd, buf, 8, LS_NEVER) == 8 && ls_read(fd, buf, 8, LS_NEVER) == 2 && ls_read(fd, buf, 8, 0) == 0);
    return close(fd);
}
TEST(a_regular_file_is_always_ready, regular_file)

static intptr_t echo_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buf[64];
    ssize_t n;
    while ((n = ls_read(fd, buf, sizeof buf, LS_NEVER)) > 0)
        if (ls_write(fd, buf, (size_t)n, LS_NEVER) != n)
            break;
    return ls_close(fd);
}
static intptr_t echo_serve(void *arg)
{
    int fd;
    while ((fd = ls_accept((int)(intptr_t)arg, NULL, NULL, LS_NEVER)) >= 0)
        ls_detach(ls_spawn(echo_one, (void *)(intptr_t)fd, "echo %d", fd));
    return errno == ECANCELED || errno == EBADF ? 0 : __LINE__;
}
static intptr_t client(void *arg)
{
    struct sockaddr_in *to = arg;
    for (int round = 0; round < 3; round++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0); /* blocking, and its number was another connection's */
        CHECK(!ls_connect_fd(fd, (struct sockaddr *)to, sizeof *to, ls_after(LS_SEC)));
        for (int i = 0; i < 20; i++) {
            char out[16], in[16];
            int n = snprintf(out, sizeof out, "message %d", i), got = 0;
            CHECK(ls_write(fd, out, (size_t)n, ls_after(LS_SEC)) == n);
            while (got < n) {
                ssize_t r = ls_read(fd, in + got, sizeof in - (size_t)got, ls_after(LS_SEC));
                CHECK(r > 0);
                got += (int)r;
            }
            CHECK(!memcmp(in, out, (size_t)n));
        }
        CHECK(!close(fd));
    }
    return 0;
}
static intptr_t tcp(void *arg)
{
    (void)arg;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!bind(s, (struct sockaddr *)&a, len) && !listen(s, 64) && !getsockname(s, (struct sockaddr *)&a, &len));
    struct ls_task *server = ls_spawn(echo_serve, (void *)(intptr_t)s, NULL), *t[20];
    intptr_t out[20];
    for (int i = 0; i < 20; i++)
        t[i] = ls_spawn(client, &a, "client %d", i);
    CHECK(!ls_gather(t, 20, out, ls_after(10 * LS_SEC)));
    for (int i = 0; i < 20; i++)
        if (out[i])
            return out[i];
    CHECK(!ls_close(s));
    intptr_t result;
    CHECK(!ls_await(server, &result, ls_after(LS_SEC)) && !result);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* nobody listens there any more */
    CHECK(ls_connect_fd(fd, (struct sockaddr *)&a, sizeof a, ls_after(LS_SEC)) == -1 && errno == ECONNREFUSED);
    return close(fd);
}
TEST(tcp_connections, tcp)

static intptr_t slow_job(void *arg)
{
    usleep(30000);
    errno = ENOTDIR;
    return (intptr_t)arg;
}
static intptr_t ticker(void *arg)
{
    while (!ls_sleep(LS_MS))
        ++*(int *)arg;
    return 0;
}
static intptr_t threads(void *arg)
{
    (void)arg;
    int ticks = 0;
    intptr_t result;
    struct ls_task *t = ls_spawn(ticker, &ticks, NULL);
    CHECK(!ls_to_thread(slow_job, (void *)7, &result, LS_NEVER) && result == 7);
    CHECK(ticks >= 2); /* the loop went on */
    CHECK(!ls_to_thread(slow_job, (void *)-1, &result, LS_NEVER) && result == -1 && errno == ENOTDIR);
    CHECK(ls_to_thread(slow_job, NULL, NULL, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT); /* its result is dropped */
    CHECK(!ls_cancel(t, NULL) && !ls_await(t, NULL, LS_NEVER));
    return 0;
}
TEST(to_thread, threads)

static intptr_t one_job(void *arg)
{
    intptr_t result = -1;
    return ls_to_thread(slow_job, arg, &result, LS_NEVER) ? -1 : result;
}
static intptr_t many_threads(void *arg)
{
    (void)arg;
    struct ls_task *t[100];
    intptr_t out[100];
    for (intptr_t i = 0; i < 100; i++)
        t[i] = ls_spawn(one_job, (void *)i, "job %ld", (long)i);
    ls_sleep(5 * LS_MS);
    for (int i = 0; i < 100; i += 3) /* some are queued, some run */
        ls_cancel(t[i], NULL);
    CHECK(!ls_gather_all(t, 100, out, ls_after(10 * LS_SEC)));
    for (intptr_t i = 0; i < 100; i++)
        CHECK(out[i] == (i % 3 ? i : -ECANCELED));
    ls_detach(ls_spawn(one_job, NULL, "late"));
    ls_yield();
    return 0;
}
TEST(many_jobs_and_some_cancelled, many_threads)

/* A read of a Unix socket stops behind bytes that an fd came with: a short one does not mean that there is no more. */
static int send_with_fd(int to, int fd)
{
    struct iovec iov = { "a", 1 };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(to, &msg, 0) == 1 ? 0 : -1;
}
static intptr_t passed_fds(void *arg)
{
    (void)arg;
    int p[2];
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    struct end e = { .fd = p[0] };
    struct ls_task *t = ls_spawn(reader, &e, NULL);
    ls_sleep(LS_MS); /* it is registered */
    CHECK(!send_with_fd(p[1], 0) && send(p[1], "b", 1, 0) == 1);
    CHECK(!ls_await(t, NULL, ls_after(LS_SEC)) && e.n == 1 && e.got[0] == 'a');
    CHECK(ls_read(p[0], e.got, sizeof e.got, ls_after(LS_SEC)) == 1 && e.got[0] == 'b');
    return ls_close(p[0]) | ls_close(p[1]);
}
TEST(a_short_read_of_a_unix_socket_is_not_the_last, passed_fds)

static intptr_t connects(void *arg)
{
    struct end *e = arg;
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    memcpy(a.sun_path, e->got, sizeof e->got);
    e->n = ls_connect_fd(e->fd, (struct sockaddr *)&a, sizeof(sa_family_t) + 1 + strlen(e->got + 1), ls_after(LS_SEC));
    e->error = errno;
    return 0;
}
/* It waits for room in a backlog; meanwhile its fd becomes another socket. */
static intptr_t replaced(void *arg)
{
    (void)arg;
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct end e[4] = { { 0 } };
    struct ls_task *t[4];
    snprintf(a.sun_path + 1, sizeof e->got - 1, "rt_fd_%d", (int)getpid());
    int listens = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(!bind(listens, (struct sockaddr *)&a, (socklen_t)(sizeof(sa_family_t) + 1 + strlen(a.sun_path + 1))));
    CHECK(!listen(listens, 0));
    for (int i = 0; i < 4; i++) {
        memcpy(e[i].got, a.sun_path, sizeof e->got);
        e[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
        t[i] = ls_spawn(connects, &e[i], NULL);
    }
    ls_sleep(3 * LS_MS);
    CHECK(!ls_close(e[3].fd) && socket(AF_UNIX, SOCK_STREAM, 0) == e[3].fd);
    CHECK(!ls_await(t[3], NULL, ls_after(500 * LS_MS)) && e[3].n == -1 && e[3].error == EBADF);
    for (int i = 0; i < 3; i++) {
        int fd = ls_accept(listens, NULL, NULL, ls_after(LS_SEC));
        CHECK(fd >= 0 && !ls_close(fd) && !ls_await(t[i], NULL, ls_after(LS_SEC)) && !e[i].n);
    }
    return 0;
}
TEST(a_connect_whose_fd_is_replaced, replaced)

/* Streams over local sockets: pieces, ends, limits, watermarks, what is kept when a call is stopped. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/check.h"

#define TEST(name, fn) TEST_IN(runtime_stream, name, fn)

/* Two ends of a connection; the raw one is non-blocking, so that a test never hangs in it. */
static struct ls_stream *pair(int *ret_raw)
{
    int p[2];
    *ret_raw = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p))
        return NULL;
    *ret_raw = p[1];
    return ls_stream_from_fd(p[0], "tested");
}
static int put(int fd, const char *text)
{
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}
#define SOON ls_after(2 * LS_SEC)

static intptr_t exactly(void *arg)
{
    (void)arg;
    int raw;
    char buf[16] = "";
    struct ls_stream *s = pair(&raw);
    CHECK(s && !put(raw, "abc"));
    CHECK(ls_stream_read_exactly(s, buf, 6, ls_after(2 * LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(ls_stream_buffered(s) == 3 && !put(raw, "defgh")); /* nothing is lost */
    CHECK(ls_stream_read_exactly(s, buf, 6, SOON) == 6 && !memcmp(buf, "abcdef", 6));
    CHECK(ls_stream_read(s, buf, sizeof buf, SOON) == 2 && !memcmp(buf, "gh", 2));
    CHECK(ls_stream_read_exactly(s, buf, 0, SOON) == 0 && ls_stream_read(s, buf, 0, SOON) == 0);
    CHECK(!put(raw, "xy") && !close(raw) && !ls_stream_at_eof(s));
    CHECK(ls_stream_read_exactly(s, buf, 5, SOON) == -1 && errno == ENODATA && ls_stream_buffered(s) == 2);
    CHECK(!ls_stream_at_eof(s) && ls_stream_read_exactly(s, buf, 2, SOON) == 2 && !memcmp(buf, "xy", 2));
    CHECK(ls_stream_at_eof(s) == 1 && ls_stream_read_exactly(s, buf, 5, SOON) == 0 &&
          ls_stream_read(s, buf, 5, 0) == 0);
    return ls_stream_close(s, SOON);
}
TEST(read_exactly_is_whole_or_keeps_what_came, exactly)

static intptr_t lines(void *arg)
{
    (void)arg;
    int raw;
    char buf[16];
    struct ls_stream *s = pair(&raw);
    CHECK(!put(raw, "one\n\ntwo\r\nthr"));
    CHECK(ls_stream_readline(s, buf, sizeof buf, SOON) == 4 && !strcmp(buf, "one\n"));
    CHECK(ls_stream_readline(s, buf, sizeof buf, SOON) == 1 && !strcmp(buf, "\n"));
    CHECK(ls_stream_read_until(s, "\r\n", buf, sizeof buf, SOON) == 5 && !strcmp(buf, "two\r\n"));
    CHECK(ls_stream_readline(s, buf, sizeof buf, 0) == -1 && errno == ETIMEDOUT && ls_stream_buffered(s) == 3);
    CHECK(!put(raw, "ee\r") && ls_stream_read_until(s, "\r\n", buf, sizeof buf, ls_after(LS_MS)) == -1);
    CHECK(!put(raw, "\nlast")); /* the separator came in two pieces */
    CHECK(ls_stream_read_until(s, "\r\n", buf, sizeof buf, SOON) == 7 && !strcmp(buf, "three\r\n"));
    CHECK(!close(raw));
    CHECK(ls_stream_read_until(s, "\r\n", buf, sizeof buf, SOON) == -1 && errno == ENODATA);
    CHECK(ls_stream_readline(s, buf, sizeof buf, SOON) == 4 && !strcmp(buf, "last")); /* a line for all that */
    CHECK(ls_stream_readline(s, buf, sizeof buf, SOON) == 0 && ls_stream_read_until(s, "x", buf, sizeof buf, 0) == 0);
    CHECK(ls_stream_read_until(s, "", buf, sizeof buf, 0) == -1 && errno == EINVAL);
    CHECK(ls_stream_readline(s, buf, 0, 0) == -1 && errno == EINVAL);
    return ls_stream_close(s, SOON);
}
TEST(lines_and_separators, lines)

static intptr_t limits(void *arg)
{
    (void)arg;
    int raw;
    char buf[64], big[9000];
    struct ls_stream *s = pair(&raw);
    CHECK(!put(raw, "0123456789\nabc\n"));
    CHECK(ls_stream_readline(s, buf, 11, SOON) == -1 && errno == EMSGSIZE); /* 11 and the '\0' do not fit */
    CHECK(ls_stream_buffered(s) == 15 && ls_stream_readline(s, buf, 12, SOON) == 11);
    CHECK(!ls_stream_set_limit(s, 3) && ls_stream_readline(s, buf, sizeof buf, SOON) == -1 && errno == EMSGSIZE);
    CHECK(!ls_stream_set_limit(s, 4) && ls_stream_readline(s, buf, sizeof buf, SOON) == 4);
    CHECK(ls_stream_set_limit(s, 0) == -1 && errno == EINVAL);
    memset(big, 'x', sizeof big);
    CHECK(!ls_stream_set_limit(s, 8000) && write(raw, big, sizeof big) == sizeof big);
    CHECK(ls_stream_readline(s, big, sizeof big, SOON) == -1 && errno == EMSGSIZE); /* does not wait for its end */
    CHECK(ls_stream_buffered(s) >= 8000 && ls_stream_read_exactly(s, big, 9000, SOON) == 9000);
    return ls_stream_close(s, SOON);
}
TEST(a_line_that_is_too_long_is_kept, limits)

struct reading {
    struct ls_stream *s;
    ssize_t n;
    int error;
    char got[64];
};
static intptr_t read_one(void *arg)
{
    struct reading *r = arg;
    r->n = ls_stream_readline(r->s, r->got, sizeof r->got, LS_NEVER);
    r->error = errno;
    return 0;
}
static intptr_t stopped(void *arg)
{
    (void)arg;
    int raw;
    char buf[16];
    struct reading r = { 0 };
    struct ls_stream *s = r.s = pair(&raw);
    struct ls_task *t = ls_spawn(read_one, &r, "reader");
    ls_yield();
    CHECK(!put(raw, "half") && !ls_sleep(LS_MS));
    CHECK(ls_stream_read(s, buf, 1, 0) == -1 && errno == EBUSY && strstr(ls_error_text(), "reader"));
    CHECK(!ls_cancel(t, NULL) && !ls_await(t, NULL, SOON) && r.n == -1 && r.error == ECANCELED);
    CHECK(ls_stream_buffered(s) == 4 && !put(raw, " line\n"));
    t = ls_spawn(read_one, &r, "reader"); /* the seat is free again */
    CHECK(!ls_await(t, NULL, SOON) && r.n == 10 && !strcmp(r.got, "half line\n"));
    t = ls_spawn(read_one, &r, "reader");
    ls_yield();
    CHECK(!ls_stream_close(s, SOON) && !ls_await(t, NULL, SOON) && r.n == -1 && r.error == EBADF);
    CHECK(ls_stream_read(s, buf, 1, 0) == -1 && errno == EINVAL && ls_stream_close(s, 0) == -1 && errno == EINVAL);
    s = r.s = pair(&raw);
    t = ls_spawn(read_one, &r, "reader");
    ls_yield();
    CHECK(!put(raw, "never read\n") && !ls_stream_abort(s)); /* it was to be woken by the loop, but is closed before */
    CHECK(!ls_await(t, NULL, SOON) && r.n == -1 && r.error == EBADF);
    return 0;
}
TEST(a_reader_is_alone_and_may_be_stopped, stopped)

static char block[256 << 10];
static ssize_t take_all(int raw) /* what is there now */
{
    static char sink[1 << 16];
    ssize_t all = 0, n;
    while ((n = read(raw, sink, sizeof sink)) > 0)
        all += n;
    return all;
}
static intptr_t late_reader(void *arg)
{
    ssize_t all = 0;
    int raw = (int)(intptr_t)arg;
    for (;;) {
        ls_sleep(LS_MS);
        char c;
        ssize_t n = take_all(raw);
        all += n;
        if (recv(raw, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
            return all;
    }
}
static intptr_t marks(void *arg)
{
    (void)arg;
    int raw;
    struct ls_stream *s = pair(&raw);
    CHECK(!ls_stream_write(s, "now", 3) && !ls_stream_unsent(s) && take_all(raw) == 3); /* at once */
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(s, block, sizeof block)); /* never waits */
    size_t unsent = ls_stream_unsent(s);
    CHECK(unsent > sizeof block && unsent < 4 * sizeof block);
    CHECK(!ls_stream_set_write_limits(s, unsent, 1000) && !ls_stream_drain(s, 0)); /* not above the high mark */
    CHECK(!ls_stream_set_write_limits(s, unsent - 1, unsent - 1000));
    CHECK(ls_stream_drain(s, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT && ls_stream_unsent(s) == unsent);
    CHECK(ls_stream_set_write_limits(s, 1, 2) == -1 && errno == EINVAL);
    CHECK(take_all(raw) > 0 && !ls_stream_drain(s, SOON) && ls_stream_unsent(s) <= unsent - 1000);
    struct ls_task *t = ls_spawn(late_reader, (void *)(intptr_t)raw, NULL);
    CHECK(!ls_stream_flush(s, SOON) && !ls_stream_unsent(s));
    CHECK(!ls_stream_write(s, block, sizeof block) && !ls_stream_close(s, SOON)); /* and so does close */
    intptr_t rest;
    CHECK(!ls_await(t, &rest, SOON) && rest > (intptr_t)sizeof block);
    return close(raw);
}
TEST(a_write_never_waits_drain_and_close_do, marks)

static intptr_t drainer(void *arg)
{
    return ls_stream_flush(arg, LS_NEVER);
}
static intptr_t by_itself(void *arg)
{
    (void)arg;
    int raw;
    struct ls_stream *s = pair(&raw);
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(s, block, sizeof block));
    ssize_t all = 0;
    while (all < (ssize_t)(4 * sizeof block)) { /* nobody drains: it goes out while this task sleeps */
        ssize_t n = take_all(raw);
        CHECK(n > 0 || !ls_sleep(LS_MS));
        all += n > 0 ? n : 0;
    }
    CHECK(all == 4 * sizeof block && !ls_stream_unsent(s));
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(s, block, sizeof block));
    struct ls_task *t[2] = { ls_spawn(drainer, s, NULL), ls_spawn(drainer, s, NULL) }; /* two may */
    intptr_t out[2];
    ls_yield();
    CHECK(!close(raw)); /* the peer is gone: who waits is told, and who writes later */
    CHECK(!ls_gather_all(t, 2, out, SOON) && (out[0] == -EPIPE || out[0] == -ECONNRESET) && out[1] == out[0]);
    CHECK(ls_stream_write(s, "x", 1) == -1 && (errno == EPIPE || errno == ECONNRESET) && !ls_stream_unsent(s));
    CHECK(ls_stream_close(s, SOON) == -1);
    return 0;
}
TEST(what_is_left_goes_out_by_itself, by_itself)

static intptr_t closer(void *arg)
{
    return ls_stream_close(arg, LS_NEVER);
}
static intptr_t closing(void *arg)
{
    (void)arg;
    int raw;
    struct ls_stream *s = pair(&raw);
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(s, block, sizeof block));
    struct ls_task *flusher = ls_spawn(drainer, s, NULL), *t = ls_spawn(closer, s, NULL);
    intptr_t result;
    CHECK(!ls_yield() && !ls_yield());
    CHECK(!ls_await(flusher, &result, SOON) && result == -1 && errno == EBADF);
    CHECK(ls_stream_close(s, 0) == -1 && errno == EBUSY && ls_stream_write(s, "x", 1) == -1 && errno == EBADF);
    CHECK(!ls_cancel(t, NULL) && !ls_await(t, &result, SOON) && result == -1 && errno == ECANCELED);
    CHECK(ls_stream_close(s, 0) == -1 && errno == EINVAL && take_all(raw) > 0); /* spent, and closed */
    CHECK(recv(raw, block, 1, MSG_DONTWAIT) == 0 && !close(raw));
    s = pair(&raw);
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(s, block, sizeof block));
    CHECK(ls_stream_close(s, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT && ls_stream_fd(s) == -1);
    CHECK(!close(raw));
    s = pair(&raw);
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(s, block, sizeof block));
    t = ls_spawn(closer, s, NULL);
    CHECK(!ls_yield() && !ls_stream_abort(s) && !ls_await(t, &result, SOON) && result == -1 && errno == EBADF);
    return close(raw);
}
TEST(close_flushes_until_it_is_stopped, closing)

static intptr_t half(void *arg)
{
    (void)arg;
    int raw;
    char buf[8];
    struct ls_stream *s = pair(&raw);
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(s, block, sizeof block));
    CHECK(!ls_stream_write_eof(s) && !ls_stream_write_eof(s)); /* the end comes behind what waits */
    CHECK(ls_stream_write(s, "x", 1) == -1 && errno == EPIPE && ls_stream_writef(s, "%d", 1) == -1 && errno == EPIPE);
    struct ls_task *t = ls_spawn(late_reader, (void *)(intptr_t)raw, NULL);
    intptr_t all;
    CHECK(!ls_await(t, &all, SOON) && all == 4 * sizeof block);
    CHECK(!put(raw, "still") && ls_stream_read(s, buf, sizeof buf, SOON) == 5); /* the other half */
    CHECK(!close(raw) && ls_stream_read(s, buf, sizeof buf, SOON) == 0);
    return ls_stream_close(s, SOON);
}
TEST(half_a_close, half)

static intptr_t formats(void *arg)
{
    (void)arg;
    int raw;
    static char buf[4096], want[4096];
    struct ls_stream *s = pair(&raw);
    CHECK(!ls_stream_writef(s, "%s %d", "port", 80) && read(raw, buf, sizeof buf) == 7 && !memcmp(buf, "port 80", 7));
    int n = snprintf(want, sizeof want, "%3000d", 7);
    CHECK(!ls_stream_writef(s, "%3000d", 7) && read(raw, buf, sizeof buf) == n && !memcmp(buf, want, (size_t)n));
    struct iovec v[3] = { { "one", 3 }, { "", 0 }, { "two", 3 } };
    CHECK(!ls_stream_writev(s, v, 3) && read(raw, buf, sizeof buf) == 6 && !memcmp(buf, "onetwo", 6));
    CHECK(!ls_stream_write(s, "", 0));
    CHECK(!strcmp(ls_stream_peer(s), "unix:") && ls_stream_fd(s) >= 0);
    CHECK(!ls_stream_close(s, SOON) && !close(raw));
    return 0;
}
TEST(writef_and_writev, formats)

static intptr_t misused(void *arg)
{
    (void)arg;
    int raw;
    char c;
    struct ls_stream *s = pair(&raw);
    CHECK(ls_stream_read(NULL, &c, 1, 0) == -1 && errno == EINVAL && strstr(ls_error_text(), "NULL"));
    CHECK(ls_stream_write((struct ls_stream *)(intptr_t)12345, "x", 1) == -1 && errno == EINVAL);
    CHECK(ls_stream_drain((struct ls_stream *)(intptr_t)12345, 0) == -1);
    CHECK(!ls_stream_from_fd(-1, NULL) && errno == EBADF);
    CHECK(ls_server_port((struct ls_server *)s) == -1 && errno == EINVAL && strstr(ls_error_text(), "not a server"));
    CHECK(!ls_stream_close(s, 0) && ls_stream_abort(s) == -1 && errno == EINVAL);
    return close(raw);
}
TEST(misuse_is_an_error, misused)

static intptr_t pipes(void *arg)
{
    (void)arg;
    int p[2];
    char buf[16];
    CHECK(!pipe(p)); /* blocking */
    struct ls_stream *r = ls_stream_from_fd(p[0], "read end"), *w = ls_stream_from_fd(p[1], NULL);
    CHECK(r && w && !ls_stream_writef(w, "line %d\n", 1) && ls_stream_readline(r, buf, sizeof buf, SOON) == 7);
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(w, block, sizeof block));
    CHECK(ls_stream_unsent(w) > 0 && ls_stream_drain(w, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
    struct ls_task *t = ls_spawn(closer, w, NULL);
    static char big[4 * sizeof block];
    CHECK(ls_stream_read_exactly(r, big, sizeof big, SOON) == sizeof big && ls_stream_read(r, buf, 1, SOON) == 0);
    intptr_t result;
    CHECK(!ls_await(t, &result, SOON) && !result && !ls_stream_close(r, 0));
    return 0;
}
TEST(pipes_are_streams_too, pipes)

static intptr_t files(void *arg)
{
    (void)arg;
    int raw;
    static char buf[1 << 16];
    char name[] = "/tmp/rt_stream_XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (char)(i * 7);
    CHECK(fd >= 0 && write(fd, buf, sizeof buf) == sizeof buf);
    struct ls_stream *s = pair(&raw), *peer = ls_stream_from_fd(raw, "peer");
    off_t at = 1000;
    CHECK(!ls_stream_write(s, "head", 4) && ls_stream_sendfile(s, fd, &at, 50000, SOON) == 50000 && at == 51000);
    static char got[1 << 16];
    CHECK(ls_stream_read_exactly(peer, got, 50004, SOON) == 50004 && !memcmp(got, "head", 4));
    CHECK(!memcmp(got + 4, buf + 1000, 50000));
    CHECK(ls_stream_sendfile(s, fd, &at, 1 << 20, SOON) == (1 << 16) - 51000); /* to its end */
    CHECK(!ls_stream_close(s, SOON) && !ls_stream_close(peer, SOON));
    return close(fd);
}
TEST(sendfile_behind_what_was_written, files)

/* Nothing of this raises SIGPIPE, which would end the test. */
static intptr_t hung_up(void *arg)
{
    (void)arg;
    int p[2], raw, fd = open("/proc/self/exe", O_RDONLY);
    off_t at = 0;
    CHECK(fd >= 0 && !pipe2(p, O_NONBLOCK));
    struct ls_stream *w = ls_stream_from_fd(p[1], NULL), *s = pair(&raw);
    CHECK(w && s && !close(p[0]) && !close(raw));
    CHECK(ls_stream_write(w, "x", 1) == -1 && errno == EPIPE);
    CHECK(ls_stream_sendfile(s, fd, &at, 4096, SOON) == -1 && errno == EPIPE && at == 0);
    CHECK(ls_stream_close(w, SOON) == -1 && errno == EPIPE && !ls_stream_abort(s));
    return close(fd);
}
TEST(a_peer_that_hung_up_is_an_error_and_no_signal, hung_up)

struct sending {
    struct ls_stream *s;
    int fd;
    ssize_t n;
    int error;
};
static intptr_t sends(void *arg)
{
    struct sending *x = arg;
    x->n = ls_stream_sendfile(x->s, x->fd, NULL, 1 << 20, SOON);
    x->error = errno;
    return 0;
}
static intptr_t one_at_a_time(void *arg)
{
    (void)arg;
    int raw;
    static char got[1 << 20];
    char name[] = "/tmp/rt_stream_XXXXXX";
    struct sending x = { .s = pair(&raw), .fd = mkstemp(name) };
    unlink(name);
    CHECK(x.s && !ftruncate(x.fd, 1 << 20));
    struct ls_task *t = ls_spawn(sends, &x, NULL);
    CHECK(!ls_sleep(2 * LS_MS)); /* it waits for room */
    CHECK(ls_stream_write(x.s, "x", 1) == -1 && errno == EBUSY && ls_stream_write_eof(x.s) == -1 && errno == EBUSY);
    CHECK(ls_stream_sendfile(x.s, x.fd, NULL, 1, SOON) == -1 && errno == EBUSY);
    CHECK(ls_read(raw, got, 1, SOON) == 1);
    for (size_t n = 1; n < sizeof got;) {
        ssize_t r = ls_read(raw, got + n, sizeof got - n, SOON);
        CHECK(r > 0);
        n += (size_t)r;
    }
    CHECK(!ls_await(t, NULL, SOON) && x.n == 1 << 20 && !ls_stream_write(x.s, "end", 3));
    CHECK(ls_read(raw, got, sizeof got, SOON) == 3 && !ls_stream_close(x.s, SOON));
    return close(raw) | close(x.fd);
}
TEST(nobody_writes_into_a_file_that_is_being_sent, one_at_a_time)

static intptr_t owned(void *arg)
{
    (void)arg;
    int raw;
    struct ls_stream *s = pair(&raw);
    CHECK(!ls_stream_from_fd(ls_stream_fd(s), "again") && errno == EBUSY);
    CHECK(ls_close(ls_stream_fd(s)) == -1 && errno == EBUSY && strstr(ls_error_text(), "stream"));
    CHECK(!ls_stream_write(s, "x", 1) && !ls_stream_close(s, SOON));
    return ls_close(raw);
}
TEST(an_fd_belongs_to_one_stream, owned)

/* Streams that nobody closes go with their loop. */
static intptr_t forgotten(void *arg)
{
    int *raw = arg;
    struct ls_stream *s = pair(raw);
    for (int i = 0; i < 4; i++)
        CHECK(!ls_stream_write(s, block, sizeof block));
    static struct reading r;
    r.s = s;
    ls_spawn(read_one, &r, "left over");
    ls_spawn(drainer, s, "left over");
    return ls_yield();
}
Test(runtime_stream, forgotten_streams_are_closed_with_the_loop, .timeout = 20)
{
    int raw = -1;
    cr_assert_eq(ls_run(forgotten, &raw, NULL), 0);
    cr_assert_gt(take_all(raw), 0);
    cr_assert_eq(read(raw, block, 1), 0);
}

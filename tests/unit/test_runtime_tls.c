/* TLS over streams: handshakes good and bad, ends true and false, what comes in pieces.
 * link: -lssl -lcrypto */
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/check.h"

#define TEST(name, fn)                     \
    Test(runtime_tls, name, .timeout = 30) \
    {                                      \
        make_certificate();                \
        RUN(fn);                           \
        remove_certificate();              \
    }
#define SOON ls_after(10 * LS_SEC)

static char dir[] = "/tmp/rt_tls_XXXXXX", cert[64], key[64], other[64];

/* A certificate of our own for localhost, and one for somebody else, each its own authority. */
static void make_certificate(void)
{
    char command[512];
    cr_assert(mkdtemp(dir));
    snprintf(cert, sizeof cert, "%s/cert", dir);
    snprintf(key, sizeof key, "%s/key", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    const char *request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    snprintf(command, sizeof command,
             "%s -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
             request, key, cert);
    cr_assert_eq(system(command), 0, "%s", command);
    snprintf(command, sizeof command, "%s -subj /CN=other -keyout %s/other.key -out %s 2>/dev/null", request, dir,
             other);
    cr_assert_eq(system(command), 0, "%s", command);
}
static void remove_certificate(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

static struct ls_tls *server_tls(void)
{
    static const char *const alpn[] = { "h2", "echo/1", NULL };
    return ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = cert, .key = key, .alpn = alpn });
}
static struct ls_tls *client_tls(void)
{
    static const char *const alpn[] = { "echo/2", "echo/1", NULL };
    return ls_tls_new(&(struct ls_tls_opts){ .ca_file = cert, .alpn = alpn });
}

/* Two streams of one connection. */
static int pair(struct ls_stream *s[2])
{
    int p[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p))
        return -1;
    s[0] = ls_stream_from_fd(p[0], "left");
    s[1] = ls_stream_from_fd(p[1], "right");
    return s[0] && s[1] ? 0 : -1;
}
struct side {
    struct ls_stream *s;
    struct ls_tls *tls;
    const char *host;
};
static intptr_t shake(void *arg)
{
    struct side *x = arg;
    return ls_stream_tls(x->s, x->tls, x->host, SOON);
}
/* A connection that has shaken hands; the errors of both sides in out. */
static int shaken(struct ls_stream *s[2], struct ls_tls *server, struct ls_tls *client, const char *host,
                  intptr_t out[2])
{
    struct side a = { s[0], server, NULL }, b = { s[1], client, host };
    struct ls_task *t[2] = { ls_spawn(shake, &a, "server"), ls_spawn(shake, &b, "client") };
    return ls_gather_all(t, 2, out, SOON);
}

static intptr_t echo(struct ls_stream *s, void *arg)
{
    static char buf[1 << 16];
    ssize_t n;
    if (ls_stream_tls(s, arg, NULL, SOON))
        return -1;
    while ((n = ls_stream_read(s, buf, sizeof buf, SOON)) > 0)
        if (ls_stream_write(s, buf, (size_t)n) || ls_stream_drain(s, SOON))
            return -1;
    return n;
}
static char big[1 << 20], back[1 << 20];
static intptr_t writes_big(void *arg)
{
    return ls_stream_write(arg, big, sizeof big) || ls_stream_drain(arg, SOON) || ls_stream_write_eof(arg);
}
static intptr_t talk(void *arg)
{
    (void)arg;
    struct ls_tls *st = server_tls(), *ct = client_tls();
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, st, NULL);
    CHECK(st && ct && v);
    for (int round = 0; round < 3; round++) {
        struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(v), SOON);
        char line[64];
        CHECK(s && !ls_stream_tls(s, ct, round ? "localhost" : "127.0.0.1", SOON));
        CHECK(ls_stream_alpn(s) && !strcmp(ls_stream_alpn(s), "echo/1"));
        CHECK(ls_stream_readline(s, line, sizeof line, ls_after(LS_MS)) == -1 && errno == ETIMEDOUT);
        for (int i = 0; i < 10; i++) {
            CHECK(!ls_stream_writef(s, "line %d\n", i) && ls_stream_readline(s, line, sizeof line, SOON) == 7);
            CHECK(atoi(line + 5) == i);
        }
        for (size_t i = 0; i < sizeof big; i++)
            big[i] = (char)(i * 31 >> 3);
        struct ls_task *t = ls_spawn(writes_big, s, NULL);
        CHECK(ls_stream_read_exactly(s, back, sizeof back, SOON) == sizeof back && !memcmp(big, back, sizeof big));
        CHECK(!ls_await(t, NULL, SOON) && ls_stream_read(s, line, 1, SOON) == 0 && ls_stream_at_eof(s));
        CHECK(!ls_stream_close(s, SOON));
    }
    struct ls_serve_stats stats;
    CHECK(!ls_server_close(v, SOON) && !ls_tls_free(st) && !ls_tls_free(ct) && ls_tls_free(ct) == -1);
    CHECK(ls_server_stats(v, &stats) == -1);
    return 0;
}
TEST(both_ends_of_it, talk)

static intptr_t strangers(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    struct ls_tls *st = server_tls(), *good = client_tls();
    struct ls_tls *wrong = ls_tls_new(&(struct ls_tls_opts){ .ca_file = other });
    struct ls_tls *blind = ls_tls_new(&(struct ls_tls_opts){ .insecure = 1 });
    intptr_t out[2];
    char c;
    CHECK(st && good && wrong && blind);
    CHECK(!pair(s) && !shaken(s, st, good, "example.org", out) && out[1] == -EPROTO); /* not whom we meant */
    CHECK(ls_stream_read(s[1], &c, 1, SOON) == -1 && errno == EPROTO && ls_stream_write(s[1], "x", 1) == -1);
    ls_stream_abort(s[0]), ls_stream_abort(s[1]);
    CHECK(!pair(s) && !shaken(s, st, wrong, "localhost", out) && out[1] == -EPROTO); /* nobody we trust */
    CHECK(ls_stream_close(s[0], SOON) | ls_stream_close(s[1], SOON) | 1);
    CHECK(!pair(s) && !shaken(s, st, blind, NULL, out) && !out[0] && !out[1]); /* we asked for it */
    CHECK(ls_stream_alpn(s[1]) == NULL && !ls_stream_close(s[1], SOON));
    CHECK(ls_stream_read(s[0], &c, 1, SOON) == 0 && !ls_stream_close(s[0], SOON));
    return 0;
}
TEST(strangers_are_refused, strangers)

static intptr_t both_show(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    struct ls_tls *st =
        ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = cert, .key = key, .ca_file = cert });
    struct ls_tls *plain = client_tls();
    struct ls_tls *known = ls_tls_new(&(struct ls_tls_opts){ .certificate = cert, .key = key, .ca_file = cert });
    intptr_t out[2];
    char c;
    CHECK(st && plain && known);
    CHECK(!pair(s) && !shaken(s, st, known, "localhost", out) && !out[0] && !out[1]);
    CHECK(!ls_stream_write(s[1], "x", 1) && ls_stream_read(s[0], &c, 1, SOON) == 1);
    ls_stream_abort(s[0]), ls_stream_abort(s[1]);
    CHECK(!pair(s) && !shaken(s, st, plain, "localhost", out) && out[0] == -EPROTO);
    ls_stream_abort(s[0]), ls_stream_abort(s[1]);
    return 0;
}
TEST(a_server_may_ask_who_is_there, both_show)

/* A client of plain OpenSSL, on a thread: twice, the second time with the session of the first. */
static intptr_t resumes(void *arg)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(intptr_t)arg) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_SESSION *session = NULL;
    intptr_t line = 0;
    SSL_CTX_use_certificate_chain_file(ctx, cert);
    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
    for (int round = 0; round < 2 && !line; round++) {
        char c = 'x';
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        SSL *ssl = SSL_new(ctx);
        SSL_set_fd(ssl, fd);
        if (session)
            SSL_set_session(ssl, session);
        if (connect(fd, (struct sockaddr *)&a, sizeof a) || SSL_connect(ssl) != 1)
            line = __LINE__;
        else if (SSL_write(ssl, &c, 1) != 1 || SSL_read(ssl, &c, 1) != 1) /* its ticket has come before that */
            line = __LINE__;
        else if (SSL_session_reused(ssl) != round)
            line = __LINE__;
        else
            SSL_SESSION_free(session), session = SSL_get1_session(ssl);
        SSL_shutdown(ssl);
        SSL_free(ssl);
        close(fd);
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
    return line;
}
static intptr_t again(void *arg)
{
    (void)arg;
    struct ls_tls *st =
        ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = cert, .key = key, .ca_file = cert });
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, st, NULL);
    intptr_t line;
    CHECK(st && v && !ls_to_thread(resumes, (void *)(intptr_t)ls_server_port(v), &line, SOON));
    return line ? line : ls_server_close(v, SOON);
}
TEST(a_known_client_resumes_its_session, again)

static intptr_t cut(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    intptr_t out[2];
    char buf[8];
    CHECK(!pair(s) && !shaken(s, server_tls(), client_tls(), "localhost", out) && !out[0] && !out[1]);
    CHECK(!ls_stream_write(s[0], "part", 4) && !ls_stream_abort(s[0])); /* no goodbye */
    CHECK(ls_stream_read_exactly(s[1], buf, 8, SOON) == -1 && errno == ECONNABORTED);
    CHECK(ls_stream_buffered(s[1]) == 4 && ls_stream_read(s[1], buf, 8, SOON) == 4); /* what came is ours */
    CHECK(ls_stream_read(s[1], buf, 8, SOON) == -1 && errno == ECONNABORTED); /* and it never looks like an end */
    ls_stream_abort(s[1]);
    CHECK(!pair(s) && !shaken(s, server_tls(), client_tls(), "localhost", out) && !out[0] && !out[1]);
    CHECK(!ls_stream_write(s[0], "all", 3) && !ls_stream_close(s[0], SOON));
    CHECK(ls_stream_read_exactly(s[1], buf, 3, SOON) == 3 && ls_stream_read(s[1], buf, 8, SOON) == 0);
    return ls_stream_close(s[1], SOON) & 0;
}
TEST(a_message_cut_short_is_an_error, cut)

static intptr_t silent(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    struct ls_tls *ct = client_tls();
    char c;
    CHECK(!pair(s) && ls_stream_tls(s[1], ct, "localhost", ls_after(2 * LS_MS)) == -1 && errno == ETIMEDOUT);
    CHECK(ls_stream_read(s[1], &c, 1, SOON) == -1 && errno == EPROTO); /* half a handshake is of no use */
    ls_stream_abort(s[0]), ls_stream_abort(s[1]);
    CHECK(!pair(s));
    struct side x = { s[1], ct, "localhost" };
    struct ls_task *t = ls_spawn(shake, &x, NULL);
    intptr_t result;
    ls_sleep(LS_MS);
    CHECK(ls_stream_read(s[1], &c, 1, SOON) == -1 && errno == EBUSY && ls_stream_write(s[1], "x", 1) == -1);
    CHECK(!ls_cancel(t, NULL) && !ls_await(t, &result, SOON) && result == -1 && errno == ECANCELED);
    ls_stream_abort(s[0]), ls_stream_abort(s[1]);
    CHECK(!pair(s));
    x.s = s[1];
    t = ls_spawn(shake, &x, NULL);
    ls_sleep(LS_MS);
    CHECK(!ls_stream_abort(s[1]) && !ls_await(t, &result, SOON) && result == -1 && errno == EBADF);
    ls_stream_abort(s[0]);
    CHECK(!pair(s) && !ls_stream_write(s[0], "220 no TLS here, sorry\r\n", 24));
    CHECK(ls_stream_tls(s[1], ct, "localhost", SOON) == -1 && errno == EPROTO);
    CHECK(ls_stream_close(s[1], SOON) | 1);
    CHECK(!pair(s) && !ls_stream_close(s[0], SOON) && ls_stream_tls(s[1], ct, "localhost", SOON) == -1);
    CHECK(errno == EPROTO || errno == EPIPE || errno == ECONNABORTED);
    return ls_stream_abort(s[1]);
}
TEST(a_peer_that_does_not_shake_hands, silent)

/* The client does not wait for the answer to its request to begin: the first bytes of TLS come with the line. */
static intptr_t starts(void *arg)
{
    struct side *x = arg;
    return ls_stream_write(x->s, "STARTTLS\n", 9) || ls_stream_tls(x->s, x->tls, x->host, SOON) ||
           ls_stream_write(x->s, "secret\n", 7);
}
static intptr_t start_tls(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    char line[32];
    CHECK(!pair(s));
    struct side x = { s[1], client_tls(), "localhost" };
    struct ls_task *t = ls_spawn(starts, &x, NULL);
    intptr_t result;
    CHECK(!ls_sleep(20 * LS_MS) && ls_stream_readline(s[0], line, sizeof line, SOON) == 9);
    CHECK(ls_stream_buffered(s[0]) > 0 && !ls_stream_tls(s[0], server_tls(), NULL, SOON) && !ls_stream_buffered(s[0]));
    CHECK(ls_stream_readline(s[0], line, sizeof line, SOON) == 7 && !strcmp(line, "secret\n"));
    CHECK(!ls_await(t, &result, SOON) && !result);
    CHECK(ls_stream_tls(s[0], x.tls, "localhost", 0) == -1 && errno == EINVAL); /* once is enough */
    ls_stream_abort(s[0]), ls_stream_abort(s[1]);
    /* What an attacker put in front, in the clear, is not read as if it had come protected. */
    CHECK(!pair(s) && !ls_stream_write(s[1], "STARTTLS\nRCPT TO: me\n", 21));
    CHECK(ls_stream_readline(s[0], line, sizeof line, SOON) == 9);
    CHECK(ls_stream_tls(s[0], server_tls(), NULL, SOON) == -1 && errno == EPROTO);
    CHECK(ls_stream_readline(s[0], line, sizeof line, SOON) == -1 && errno == EPROTO);
    ls_stream_abort(s[0]), ls_stream_abort(s[1]);
    return 0;
}
TEST(in_the_middle_of_a_conversation, start_tls)

static intptr_t misused(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    struct ls_tls *ct = client_tls();
    CHECK(!ls_tls_new(&(struct ls_tls_opts){ .server = 1 }) && errno == EINVAL);
    CHECK(!ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = "/no/such" }) && errno == ENOENT);
    CHECK(strstr(ls_error_text(), "/no/such"));
    CHECK(!ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = key }) &&
          errno == EINVAL); /* no certificate */
    CHECK(!ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = other, .key = key }) && errno == EINVAL);
    CHECK(!ls_tls_new(&(struct ls_tls_opts){ .ca_file = "/no/such" }) && errno == ENOENT);
    CHECK(!pair(s) && ls_stream_tls(s[0], ct, NULL, 0) == -1 && errno == EINVAL); /* whose certificate? */
    CHECK(ls_stream_tls(s[0], NULL, "localhost", 0) == -1 && errno == EINVAL);
    CHECK(ls_stream_tls(s[0], (struct ls_tls *)s[1], "localhost", 0) == -1 && errno == EINVAL);
    CHECK(!ls_tls_free(ct) && ls_stream_tls(s[0], ct, "localhost", 0) == -1 && errno == EINVAL);
    CHECK(!ls_stream_alpn(s[0]));
    return ls_stream_close(s[0], 0) | ls_stream_close(s[1], 0);
}
TEST(misuse_is_an_error, misused)

/* The peer said goodbye and hung up: what is written then goes nowhere, and each call says so. */
static intptr_t into_the_void(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    intptr_t out[2];
    char c;
    CHECK(!pair(s) && !shaken(s, server_tls(), client_tls(), "localhost", out) && !out[0] && !out[1]);
    CHECK(!ls_stream_close(s[0], SOON) && ls_stream_read(s[1], &c, 1, SOON) == 0);
    CHECK(ls_stream_write(s[1], "x", 1) == -1 && errno == EPIPE && ERR_peek_error() == 0);
    CHECK(ls_stream_write(s[1], "x", 1) == -1 && errno == EPIPE);
    return ls_stream_close(s[1], SOON) == -1 && errno == EPIPE ? 0 : __LINE__;
}
TEST(a_write_after_the_end_is_an_error, into_the_void)

static intptr_t counts(void *arg)
{
    int *turns = arg;
    do
        ++*turns;
    while (!ls_yield());
    return -1;
}
static intptr_t busy(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    intptr_t out[2];
    char c;
    int turns = 0;
    CHECK(!pair(s) && !shaken(s, server_tls(), client_tls(), "localhost", out) && !out[0] && !out[1]);
    for (int i = 0; i < 200; i++) /* the peer is never behind */
        CHECK(!ls_stream_write(s[0], "x", 1));
    struct ls_task *t = ls_spawn(counts, &turns, NULL);
    CHECK(ls_stream_read(s[1], &c, 1, SOON) == 1);
    turns = 0;
    for (int i = 1; i < 200; i++)
        CHECK(ls_stream_read(s[1], &c, 1, SOON) == 1);
    CHECK(turns > 0);
    ls_cancel(t, NULL);
    CHECK(!ls_stream_close(s[0], SOON));
    return ls_stream_close(s[1], SOON);
}
TEST(a_reader_of_much_gives_way, busy)

static intptr_t hosts(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    intptr_t out[2];
    char long_name[300] = "", command[300], locked[80];
    memset(long_name, 'a', sizeof long_name - 1);
    struct ls_tls *st = server_tls(), *ct = NULL;
    CHECK(!pair(s) && ls_stream_tls(s[0], client_tls(), "", 0) == -1 && errno == EINVAL);
    CHECK(ls_stream_tls(s[0], client_tls(), long_name, 0) == -1 && errno == EINVAL);
    for (int i = 0; i < 400; i++) /* as many as one likes */
        CHECK(!ls_tls_free(ct ? ct : client_tls()) && (ct = client_tls()));
    CHECK(!shaken(s, st, ct, "localhost", out) && !out[0] && !out[1] && ERR_peek_error() == 0);
    ls_stream_abort(s[0]), ls_stream_abort(s[1]);
    /* A key with a password: nobody is asked for it. */
    snprintf(locked, sizeof locked, "%s/locked", dir);
    snprintf(command, sizeof command, "openssl ec -in %s -aes128 -passout pass:secret -out %s 2>/dev/null", key,
             locked);
    CHECK(!system(command));
    CHECK(!ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = cert, .key = locked }) && errno == EINVAL);
    return ERR_peek_error() == 0 ? 0 : __LINE__;
}
TEST(names_and_keys_that_are_no_good, hosts)

static intptr_t files(void *arg)
{
    (void)arg;
    struct ls_stream *s[2];
    intptr_t out[2];
    off_t at = 0;
    CHECK(!pair(s) && !shaken(s, server_tls(), client_tls(), "localhost", out) && !out[0] && !out[1]);
    int fd = open(cert, O_RDONLY);
    ssize_t size = read(fd, big, sizeof big);
    CHECK(fd >= 0 && size > 100 && ls_stream_sendfile(s[0], fd, &at, sizeof big, SOON) == size && at == size);
    CHECK(ls_stream_read_exactly(s[1], back, (size_t)size, SOON) == size && !memcmp(big, back, (size_t)size));
    ls_stream_abort(s[0]); /* the other one is left to the loop */
    return close(fd);
}
TEST(sendfile_is_encrypted, files)

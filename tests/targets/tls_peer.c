/* tls_peer.c - one end of a TLS connection, for the other end to be somebody else's program.
 *
 *     tls_peer serve CERTIFICATE KEY            prints its port; echoes lines; "quit" ends it, "drop" cuts the connection
 *     tls_peer connect PORT CA-FILE HOST TEXT   sends a line, prints what comes back until the end, and how that was
 * Errors are printed by their names, so that a script can tell them apart.
 * link: -lssl -lcrypto */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

static struct ls_server *server;
static struct ls_tls *tls;

static intptr_t echo(struct ls_stream *s, void *arg)
{
    char line[4096];
    ssize_t n;
    (void)arg;
    if (ls_stream_tls(s, tls, NULL, ls_after(10 * LS_SEC))) {
        printf("handshake: %s: %s\n", strerrorname_np(errno), ls_error_text());
        return -1;
    }
    while ((n = ls_stream_readline(s, line, sizeof line, ls_after(10 * LS_SEC))) > 0) {
        if (!strcmp(line, "quit\n"))
            ls_server_close(server, ls_after(LS_SEC));
        if (!strcmp(line, "drop\n"))
            return ls_stream_abort(s);
        if (ls_stream_write(s, line, (size_t)n) || ls_stream_drain(s, ls_after(10 * LS_SEC)))
            break;
    }
    printf("end: %s\n", n < 0 ? strerrorname_np(errno) : "clean");
    return n;
}

static intptr_t serve(void *arg)
{
    static const char *const alpn[] = { "echo", NULL };
    char **argv = arg;
    tls = ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = argv[2], .key = argv[3], .alpn = alpn });
    server = tls ? ls_serve("127.0.0.1", 0, echo, NULL, NULL) : NULL;
    if (!server) {
        printf("%s: %s\n", strerrorname_np(errno), ls_error_text());
        return 1;
    }
    printf("%d\n", ls_server_port(server));
    fflush(stdout);
    return ls_server_wait(server, ls_after(60 * LS_SEC));
}

static intptr_t connects(void *arg)
{
    char **argv = arg, buf[4096];
    ssize_t n;
    tls = ls_tls_new(&(struct ls_tls_opts){ .ca_file = argv[3] });
    struct ls_stream *s = tls ? ls_connect("127.0.0.1", atoi(argv[2]), ls_after(10 * LS_SEC)) : NULL;
    if (!s || ls_stream_tls(s, tls, argv[4], ls_after(10 * LS_SEC))) {
        printf("%s: %s\n", strerrorname_np(errno), ls_error_text());
        return 1;
    }
    ls_stream_writef(s, "%s\n", argv[5]);
    while ((n = ls_stream_read(s, buf, sizeof buf, ls_after(10 * LS_SEC))) > 0)
        printf("%.*s", (int)n, buf);
    printf("end: %s\n", n < 0 ? strerrorname_np(errno) : "clean");
    return ls_stream_close(s, ls_after(LS_SEC));
}

static intptr_t app(void *arg)
{
    char **argv = arg;
    return strcmp(argv[1], "serve") ? connects(arg) : serve(arg);
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[1], "serve") && argc < 6))
        return 2;
    return (int)ls_run(app, argv, NULL);
}

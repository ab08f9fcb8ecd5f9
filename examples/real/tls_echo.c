/* tls_echo.c - the echo server of tcp_echo.c, over TLS.
 *
 *     tls_echo PORT CLIENTS CERTIFICATE KEY        PEM files; on 127.0.0.1, port 0: any
 * What it teaches: a stream speaks TLS from ls_stream_tls on, and nothing else about it changes.  The handshake waits for
 * the client like any read; what it computes is time on the loop, and the trace shows how much.  A client that only
 * connects is dropped at its deadline and holds nobody up.  Its blocking twin is tls_echo_blocking.c.
 * link: -lssl -lcrypto */
#include <stdio.h>
#include <stdlib.h>

#include <loopscope/runtime.h>

struct service {
    struct ls_tls *tls;
    struct ls_sem *gone;
};

static intptr_t converse(struct ls_stream *s, struct ls_tls *tls)
{
    char line[4096];
    ssize_t n;
    LS_SPAN("handshake")
    {
        if (ls_stream_tls(s, tls, NULL, ls_after(2 * LS_SEC)))
            return -1;
    }
    while ((n = ls_stream_readline(s, line, sizeof line, ls_after(5 * LS_SEC))) > 0)
        if (ls_stream_write(s, line, (size_t)n) || ls_stream_drain(s, ls_after(5 * LS_SEC)))
            break;
    return n < 0 ? -1 : 0;
}

static intptr_t echo(struct ls_stream *s, void *arg)
{
    struct service *service = arg;
    intptr_t result = converse(s, service->tls);
    if (result)
        fprintf(stderr, "tls_echo: %s: %s\n", ls_stream_peer(s), ls_error_text());
    ls_sem_release(service->gone);
    return result;
}

static intptr_t app(void *arg)
{
    char **argv = arg;
    struct service service = {
        .tls = ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = argv[3], .key = argv[4] }),
        .gone = ls_sem_new("clients gone", 0, 0),
    };
    struct ls_server *server = service.tls ? ls_serve("127.0.0.1", atoi(argv[1]), echo, &service, NULL) : NULL;
    struct ls_serve_stats stats;
    if (!server) {
        perror("tls_echo");
        return 1;
    }
    printf("echo on 127.0.0.1:%d\n", ls_server_port(server));
    fflush(stdout);
    for (int i = 0; i < atoi(argv[2]); i++)
        ls_sem_acquire(service.gone, LS_NEVER);
    ls_server_stats(server, &stats);
    printf("%lu clients, %lu failed\n", (unsigned long)stats.accepted, (unsigned long)stats.failed);
    int status = ls_server_close(server, ls_after(LS_SEC));
    ls_tls_free(service.tls);
    ls_sem_free(service.gone);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: tls_echo PORT CLIENTS CERTIFICATE KEY\n");
        return 2;
    }
    return (int)ls_run(app, argv, &(struct ls_opts){ .name = "echo", .stack_size = 128 * 1024 });
}

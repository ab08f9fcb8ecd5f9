/* tcp_echo.c - an echo server on streams: a task for each client, lines in and out, deadlines, a gentle end.
 *
 *     tcp_echo PORT CLIENTS        on 127.0.0.1, port 0: any; ends when so many clients have come and gone
 * What it teaches: ls_serve runs a function for each connection; in it a conversation reads from top to bottom.  A slow
 * reader slows its own task down (ls_stream_drain), a silent one is dropped after IDLE.  In the trace: clients by address,
 * each waiting for its own socket.  Its blocking twin is tcp_echo_blocking.c; echo_server.c does it with bare fds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <loopscope/runtime.h>

#define IDLE (5 * LS_SEC)

static intptr_t echo(struct ls_stream *s, void *gone)
{
    char line[4096];
    ssize_t n;
    while ((n = ls_stream_readline(s, line, sizeof line, ls_after(IDLE))) > 0)
        if (ls_stream_write(s, line, (size_t)n) || ls_stream_drain(s, ls_after(IDLE)))
            break;
    if (n < 0 && errno == EMSGSIZE)
        ls_stream_writef(s, "a line has %zu bytes at most\n", sizeof line - 1);
    ls_sem_release(gone);
    return n < 0 ? -1 : 0; /* what is left to send is sent, then the stream is closed for us */
}

struct args {
    int port, clients;
};

static intptr_t app(void *arg)
{
    struct args *a = arg;
    struct ls_serve_stats stats;
    struct ls_sem *gone = ls_sem_new("clients gone", 0, 0);
    struct ls_server *server = ls_serve("127.0.0.1", a->port, echo, gone, NULL);
    if (!gone || !server) {
        perror("tcp_echo");
        return 1;
    }
    printf("echo on 127.0.0.1:%d\n", ls_server_port(server));
    fflush(stdout);
    for (int i = 0; i < a->clients; i++)
        ls_sem_acquire(gone, LS_NEVER);
    ls_server_stats(server, &stats);
    printf("%lu clients, %lu failed\n", (unsigned long)stats.accepted, (unsigned long)stats.failed);
    int status = ls_server_close(server, ls_after(LS_SEC)); /* no new ones; those that are there have a second */
    ls_sem_free(gone);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct args a = { argc == 3 ? atoi(argv[1]) : 0, argc == 3 ? atoi(argv[2]) : 0 };
    if (a.clients < 1) {
        fprintf(stderr, "usage: tcp_echo PORT CLIENTS\n");
        return 2;
    }
    return (int)ls_run(app, &a, &(struct ls_opts){ .name = "echo" });
}

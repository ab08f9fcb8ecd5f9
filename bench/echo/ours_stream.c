/* ours_stream.c - an echo server on streams: ls_serve, ls_stream_read, ls_stream_write, ls_stream_drain. */
#include <loopscope/runtime.h>

#include "bench/echo/echo.h"

static intptr_t echo(struct ls_stream *s, void *arg)
{
    char buf[ECHO_BUFFER];
    ssize_t n;
    (void)arg;
    while ((n = ls_stream_read(s, buf, sizeof buf, LS_NEVER)) > 0)
        if (ls_stream_write(s, buf, (size_t)n) || ls_stream_drain(s, LS_NEVER))
            return -1;
    return n;
}

static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_server *server = ls_serve_fd(echo_listen(SOCK_NONBLOCK), echo, NULL, NULL);
    return server ? ls_server_wait(server, LS_NEVER) : -1;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

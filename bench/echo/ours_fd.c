/* ours_fd.c - an echo server on ls_accept, ls_read and ls_write: a task a connection. */
#include <loopscope/runtime.h>

#include "bench/echo/echo.h"

static intptr_t echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buf[ECHO_BUFFER];
    ssize_t n;
    while ((n = ls_read(fd, buf, sizeof buf, LS_NEVER)) > 0)
        if (ls_write(fd, buf, (size_t)n, LS_NEVER) != n)
            break;
    return ls_close(fd);
}

static intptr_t app(void *arg)
{
    int listener = echo_listen(SOCK_NONBLOCK), fd;
    (void)arg;
    while ((fd = ls_accept(listener, NULL, NULL, LS_NEVER)) >= 0) {
        echo_nodelay(fd);
        ls_detach(ls_spawn(echo, (void *)(intptr_t)fd, "client %d", fd));
    }
    return -1;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

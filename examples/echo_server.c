/* echo_server.c - a server: one task accepts, one task a connection.
 *
 *     echo_server [PORT]      default 7777, on 127.0.0.1; ends after 3 s without a new connection
 * In the trace: every task waits for its fd; a connection's name is its task's. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static intptr_t serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buf[4096];
    ssize_t n;
    while ((n = ls_read(fd, buf, sizeof buf, LS_NEVER)) > 0)
        if (ls_write(fd, buf, (size_t)n, LS_NEVER) != n)
            break;
    return ls_close(fd);
}

static intptr_t app(void *arg)
{
    int port = *(int *)arg, on = 1, fd, served = 0;
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port) };
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 128)) {
        perror("echo_server");
        return 1;
    }
    printf("echo on 127.0.0.1:%d\n", port);
    fflush(stdout);
    while ((fd = ls_accept(s, NULL, NULL, ls_after(3 * LS_SEC))) >= 0)
        ls_detach(ls_spawn(serve, (void *)(intptr_t)fd, "connection %d", ++served));
    printf("served %d connections\n", served);
    return ls_close(s);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 7777;
    return (int)ls_run(app, &port, &(struct ls_opts){ .name = "echo" });
}

/* epoll.c - an echo server on bare epoll, level triggered: the limit of the others. */
#include <errno.h>
#include <sys/epoll.h>

#include "bench/echo/echo.h"

int main(void)
{
    int listener = echo_listen(SOCK_NONBLOCK), epoll = epoll_create1(0);
    struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    static char buf[ECHO_BUFFER];
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1), fd;
        for (int i = 0; i < n; i++) {
            if ((fd = events[i].data.fd) == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    echo_nodelay(fd);
                    e = (struct epoll_event){ .events = EPOLLIN, .data.fd = fd };
                    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
                }
                continue;
            }
            ssize_t r = read(fd, buf, sizeof buf);
            if ((r < 0 && errno != EAGAIN) || r == 0 || (r > 0 && write(fd, buf, (size_t)r) != r))
                close(fd);
        }
    }
}

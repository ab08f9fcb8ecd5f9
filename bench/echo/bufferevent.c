/* bufferevent.c - an echo server on libevent's bufferevents.
 * link: -levent_core */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "bench/echo/echo.h"

static void on_read(struct bufferevent *b, void *arg)
{
    (void)arg;
    evbuffer_add_buffer(bufferevent_get_output(b), bufferevent_get_input(b));
}
static void on_event(struct bufferevent *b, short what, void *arg)
{
    (void)what;
    (void)arg;
    bufferevent_free(b);
}
static void on_connection(evutil_socket_t listener, short what, void *arg)
{
    int fd;
    (void)what;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        echo_nodelay(fd);
        struct bufferevent *b = bufferevent_socket_new(arg, fd, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_setcb(b, on_read, NULL, on_event, NULL);
        bufferevent_enable(b, EV_READ | EV_WRITE);
    }
}

int main(void)
{
    struct event_base *base = event_base_new();
    event_add(event_new(base, echo_listen(SOCK_NONBLOCK), EV_READ | EV_PERSIST, on_connection, base), NULL);
    return event_base_dispatch(base);
}

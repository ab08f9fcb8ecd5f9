/* state_threads.c - an echo server on State Threads, with epoll: a thread of theirs a connection.
 * link: -lst */
#include <st.h>

#include "bench/echo/echo.h"

static void *echo(void *arg)
{
    char buf[ECHO_BUFFER];
    ssize_t n;
    while ((n = st_read(arg, buf, sizeof buf, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(arg, buf, (size_t)n, ST_UTIME_NO_TIMEOUT) != n)
            break;
    st_netfd_close(arg);
    return NULL;
}

int main(void)
{
    st_netfd_t listener, c;
    st_set_eventsys(ST_EVENTSYS_ALT);
    st_init();
    listener = st_netfd_open_socket(echo_listen(0));
    while ((c = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT))) {
        echo_nodelay(st_netfd_fileno(c));
        st_thread_create(echo, c, 0, 0);
    }
    return 1;
}

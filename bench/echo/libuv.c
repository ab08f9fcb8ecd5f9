/* libuv.c - an echo server on libuv, as its users write it: a buffer a read, a request a write.
 * link: -luv */
#include <uv.h>

#include "bench/echo/echo.h"

struct reply {
    uv_write_t request;
    char *bytes;
};

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *ret_buf)
{
    (void)h;
    (void)size;
    *ret_buf = uv_buf_init(malloc(ECHO_BUFFER), ECHO_BUFFER);
}
static void on_closed(uv_handle_t *h)
{
    free(h);
}
static void on_written(uv_write_t *request, int status)
{
    struct reply *r = (struct reply *)request;
    (void)status;
    free(r->bytes);
    free(r);
}
static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    if (n > 0) {
        struct reply *r = malloc(sizeof *r);
        uv_buf_t out = uv_buf_init(buf->base, (unsigned)n);
        r->bytes = buf->base;
        uv_write(&r->request, s, &out, 1, on_written);
        return;
    }
    free(buf->base);
    if (n < 0)
        uv_close((uv_handle_t *)s, on_closed);
}
static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *c = malloc(sizeof *c);
    (void)status;
    uv_tcp_init(listener->loop, c);
    if (uv_accept(listener, (uv_stream_t *)c)) {
        uv_close((uv_handle_t *)c, on_closed);
        return;
    }
    uv_tcp_nodelay(c, 1);
    uv_read_start((uv_stream_t *)c, on_alloc, on_read);
}

int main(void)
{
    uv_tcp_t listener;
    uv_tcp_init(uv_default_loop(), &listener);
    uv_tcp_open(&listener, echo_listen(SOCK_NONBLOCK));
    uv_listen((uv_stream_t *)&listener, 512, on_connection);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

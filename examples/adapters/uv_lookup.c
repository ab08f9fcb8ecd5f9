/* uv_lookup.c - a libuv server under loopscope: one #include instead of <uv.h>, and nothing else is different.
 *
 *     uv_lookup [CLIENTS]      3 by default
 * What it teaches: a callback runtime can be as visible as coroutines are.  Clients ask, a server looks each name
 * up on libuv's pool and answers.  In the trace: a task for each handle and request, by name; a step for each callback;
 * why each waits: fd, sleep, thread.  Its blocking twin, uv_lookup_blocking.c, looks up in the read callback.
 * link: -luv */
#include "uv_probe.h"

#include <unistd.h>

#define CLIENTS_MAX 16

struct connection { /* of the server, or of a client */
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_work_t work;
    uv_write_t write;
    char text[64];
    int number;
};

static uv_loop_t *loop;
static uv_tcp_t listener;
static uv_timer_t ticker;
static struct connection servers[CLIENTS_MAX], clients[CLIENTS_MAX];
static int wanted = 3, accepted, answered;
static uint64_t due, worst;

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "uv_lookup: %s: %s\n", what, uv_strerror(r));
    exit(1);
}

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf)
{
    (void)size;
    struct connection *c = h->data;
    *buf = uv_buf_init(c->text, sizeof c->text);
}
static void on_written(uv_write_t *req, int status)
{
    (void)req;
    must(status, "write");
}
static void send_text(struct connection *c)
{
    uv_buf_t buf = uv_buf_init(c->text, (unsigned)strlen(c->text) + 1);
    must(uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written), "write");
}

/* The server: what it asks is a library that blocks, so it is asked on a thread of the pool. */
static void lookup(uv_work_t *req)
{
    struct connection *c = req->data;
    usleep(100000);
    strcat(c->text, " found");
}
static void after_lookup(uv_work_t *req, int status)
{
    must(status, "lookup");
    send_text(req->data);
}
static void on_question(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct connection *c = h->data;
    c->work.data = c;
    if (n > 0)
        must(uv_queue_work(loop, &c->work, lookup, after_lookup), "queue_work");
    else if (n < 0)
        uv_close((uv_handle_t *)h, NULL);
}
static void on_connection(uv_stream_t *h, int status)
{
    must(status, "connection");
    struct connection *c = &servers[accepted++];
    c->tcp.data = c;
    must(uv_tcp_init(loop, &c->tcp), "tcp_init");
    must(uv_accept(h, (uv_stream_t *)&c->tcp), "accept");
    uv_probe_name(&c->tcp, "connection %d", accepted);
    must(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_question), "read_start");
}

/* The clients. */
static void on_answer(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    must((int)n, "read");
    if (n == 0)
        return;
    printf("%s\n", buf->base);
    uv_close((uv_handle_t *)h, NULL);
    if (++answered == wanted) {
        uv_close((uv_handle_t *)&listener, NULL);
        uv_close((uv_handle_t *)&ticker, NULL);
    }
}
static void on_connected(uv_connect_t *req, int status)
{
    must(status, "connect");
    struct connection *c = (struct connection *)req->handle->data;
    snprintf(c->text, sizeof c->text, "name %d", c->number);
    send_text(c);
    must(uv_read_start(req->handle, on_alloc, on_answer), "read_start");
}

/* Wants to run every 10 ms: what your users would feel. */
static void on_tick(uv_timer_t *h)
{
    uint64_t now = uv_hrtime();
    worst = now > due && now - due > worst ? now - due : worst;
    due = now + uv_timer_get_repeat(h) * 1000000;
}

int main(int argc, char **argv)
{
    wanted = argc > 1 ? atoi(argv[1]) : wanted;
    if (wanted < 1 || wanted > CLIENTS_MAX) {
        fprintf(stderr, "usage: uv_lookup [CLIENTS]    1 to %d\n", CLIENTS_MAX);
        return 2;
    }
    loop = uv_default_loop();
    struct sockaddr_in a;
    int size = sizeof a;
    must(uv_ip4_addr("127.0.0.1", 0, &a), "address");
    must(uv_tcp_init(loop, &listener), "tcp_init");
    must(uv_tcp_bind(&listener, (struct sockaddr *)&a, 0), "bind");
    uv_probe_name(&listener, "listener");
    must(uv_listen((uv_stream_t *)&listener, 16, on_connection), "listen");
    must(uv_tcp_getsockname(&listener, (struct sockaddr *)&a, &size), "getsockname");
    for (int i = 0; i < wanted; i++) {
        struct connection *c = &clients[i];
        c->tcp.data = c;
        c->number = i + 1;
        uv_probe_name(&c->tcp, "client %d", c->number);
        must(uv_tcp_init(loop, &c->tcp), "tcp_init");
        must(uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&a, on_connected), "connect");
    }
    uv_timer_init(loop, &ticker);
    uv_probe_name(&ticker, "ticker");
    due = uv_hrtime() + 10000000;
    must(uv_timer_start(&ticker, on_tick, 10, 10), "timer_start");
    uv_run(loop, UV_RUN_DEFAULT);
    fprintf(stderr, "the ticker came %.0f ms late at worst\n", (double)worst / 1e6);
    must(uv_loop_close(loop), "loop_close");
    return 0;
}

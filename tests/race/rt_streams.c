/* rt_streams.c - a server and its clients on loops of several threads, with every way a connection may end: for TSan, ASan
 * and valgrind.  Exit 0 when each client got its echo. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

enum { LOOPS = 3, CLIENTS = 12, ROUNDS = 8, PIECE = 40000 };

static _Atomic int ports[LOOPS]; /* 0: not listening yet; the store is what the clients of the other loops wait for */
static _Atomic int finished;

static intptr_t echo(struct ls_stream *s, void *arg)
{
    char buf[3000];
    ssize_t n;
    (void)arg;
    while ((n = ls_stream_read(s, buf, sizeof buf, LS_NEVER)) > 0)
        if (ls_stream_write(s, buf, (size_t)n) || ls_stream_drain(s, LS_NEVER))
            break;
    return n;
}

static intptr_t client(void *arg)
{
    int number = (int)(intptr_t)arg, port;
    char line[64];
    while (!(port = atomic_load(&ports[number % LOOPS])))
        ls_sleep(LS_MS);
    struct ls_stream *s = ls_connect(number % 2 ? "localhost" : "127.0.0.1", port, ls_after(20 * LS_SEC));
    if (!s)
        return -1;
    char *piece = malloc(PIECE), *back = malloc(PIECE);
    memset(piece, 'a' + number % 26, PIECE);
    bool good = true;
    for (int i = 0; i < ROUNDS && good; i++) {
        good = !ls_stream_writef(s, "%d %d\n", number, i) && ls_stream_readline(s, line, sizeof line, LS_NEVER) > 0 &&
               atoi(line) == number;
        if (ls_stream_readline(s, line, sizeof line, ls_after(10 * LS_US)) >= 0 || errno != ETIMEDOUT)
            good = false;
        if (i % 4 == 0)
            good &= !ls_stream_write(s, piece, PIECE) && ls_stream_read_exactly(s, back, PIECE, LS_NEVER) == PIECE &&
                    !memcmp(piece, back, PIECE);
    }
    if (number % 3 == 0)
        ls_stream_abort(s);
    else if (number % 3 == 1)
        good &= !ls_stream_write_eof(s) && ls_stream_read(s, line, 1, LS_NEVER) == 0 && !ls_stream_close(s, LS_NEVER);
    else
        good &= !ls_stream_close(s, LS_NEVER);
    free(piece);
    free(back);
    return good ? 1 : -1;
}

static intptr_t app(void *arg)
{
    int loop = (int)(intptr_t)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    struct ls_task *t[CLIENTS];
    intptr_t out[CLIENTS], good = 0;
    if (!v)
        return -1;
    atomic_store(&ports[loop], ls_server_port(v));
    for (intptr_t i = 0; i < CLIENTS; i++)
        t[i] = ls_spawn(client, (void *)(i + loop), "client %ld", (long)i);
    if (ls_gather_all(t, CLIENTS, out, LS_NEVER))
        return -1;
    for (int i = 0; i < CLIENTS; i++)
        good += out[i] == 1;
    atomic_fetch_add(&finished, 1);
    while (atomic_load(&finished) < LOOPS) /* the others are still talking to us */
        ls_sleep(LS_MS);
    if (loop != 1) /* one is left to the end of its loop */
        ls_server_close(v, ls_after(loop ? 50 * LS_MS : 0));
    return good;
}
static void *run(void *arg)
{
    return (void *)ls_run(app, arg, NULL);
}

int main(void)
{
    pthread_t thread[LOOPS];
    int failed = 0;
    for (intptr_t i = 0; i < LOOPS; i++)
        if (pthread_create(&thread[i], NULL, run, (void *)i))
            return 1;
    for (int i = 0; i < LOOPS; i++) {
        void *good;
        pthread_join(thread[i], &good);
        if ((intptr_t)good != CLIENTS)
            failed = 1;
    }
    puts(failed ? "rt_streams: failed" : "rt_streams: ok");
    return failed;
}

/* redis_async.c - many tasks on one Redis connection: hiredis' asynchronous calls on our loop.
 *
 *     redis_async PORT CLIENTS        a redis-server on 127.0.0.1
 * What it teaches: an adapter for a library that wants callbacks for "readable" and "writable" is a task for each; commands
 * of tasks that run in one turn go out in one write (pipelining), and each waits for its own answer.  A command that blocks
 * at the server (BLPOP) needs a connection of its own.  In the trace: clients wait side by side (why = future), two
 * readers for their sockets, no stall.  Its blocking twin is redis_async_blocking.c.
 * link: -lhiredis */
#include <errno.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

/* --- the adapter: a connection, and the tasks that wait for its socket in hiredis' place */

struct redis {
    redisAsyncContext *ac; /* hiredis frees it when the connection is over: see gone */
    struct ls_group *tasks;
    bool writing, gone;
};

static intptr_t reader(void *arg)
{
    struct redis *r = arg;
    while (!r->gone && ls_wait_fd(r->ac->c.fd, POLLIN, LS_NEVER) > 0 && !r->gone)
        redisAsyncHandleRead(r->ac);
    return 0;
}
static intptr_t writer(void *arg)
{
    struct redis *r = arg;
    while (!r->gone && r->writing && ls_wait_fd(r->ac->c.fd, POLLOUT, LS_NEVER) > 0 && !r->gone)
        redisAsyncHandleWrite(r->ac);
    return 0;
}
static void add_write(void *redis)
{
    struct redis *r = redis;
    if (!r->writing)
        r->writing = ls_group_spawn(r->tasks, writer, r, "redis writer") != NULL;
}
static void del_write(void *redis)
{
    ((struct redis *)redis)->writing = false;
}
static void cleanup(void *redis)
{
    struct redis *r = redis;
    r->gone = true;
    ls_group_cancel(r->tasks, "disconnected");
}

static int redis_connect(struct redis *r, int port)
{
    *r = (struct redis){ .ac = redisAsyncConnect("127.0.0.1", port), .tasks = ls_group_open("redis") };
    if (!r->ac || r->ac->err || !r->tasks) {
        fprintf(stderr, "redis_async: %s\n", r->ac ? r->ac->errstr : "no memory");
        return -1;
    }
    r->ac->ev.data = r;
    r->ac->ev.addWrite = add_write;
    r->ac->ev.delWrite = del_write;
    r->ac->ev.cleanup = cleanup;
    return ls_group_spawn(r->tasks, reader, r, "redis reader") ? 0 : -1;
}
static int redis_disconnect(struct redis *r)
{
    if (!r->gone)
        redisAsyncDisconnect(r->ac); /* closes the socket behind the loop's back, and calls cleanup */
    return ls_group_close(r->tasks, LS_NEVER) && errno != ECANCELED ? -1 : 0; /* ECANCELED: by cleanup */
}

/* --- a command as a coroutine */

struct call {
    struct ls_future *answered;
    char *text;
    bool abandoned; /* nobody waits any more: the answer frees it */
};

static void call_free(struct call *c)
{
    ls_future_free(c->answered);
    free(c->text);
    free(c);
}
static void on_answer(redisAsyncContext *ac, void *reply, void *call)
{
    (void)ac;
    struct call *c = call;
    const redisReply *a = reply; /* NULL: the connection is lost; freed by hiredis when we return */
    if (a && a->type == REDIS_REPLY_ARRAY && a->elements)
        a = a->element[a->elements - 1];
    if (c->abandoned) {
        call_free(c);
        return;
    }
    if (a && a->str)
        c->text = strndup(a->str, (size_t)a->len);
    if (!a || a->type == REDIS_REPLY_ERROR || a->type == REDIS_REPLY_NIL)
        ls_future_fail(c->answered, !a ? ECONNRESET : a->type == REDIS_REPLY_NIL ? ENOENT : EPROTO);
    else
        ls_future_set(c->answered, (intptr_t)a->integer); /* 0 when it is no number */
}

/* Sends a command and waits for its answer: a number is returned, a text goes to *ret_text (may be NULL), to be freed.
 * -1: ENOENT (nil), EPROTO (an error of Redis), ECONNRESET, ETIMEDOUT, ECANCELED. */
__attribute__((format(printf, 4, 5))) static intptr_t command(struct redis *r, char **ret_text, ls_ns deadline,
                                                              const char *format, ...)
{
    struct call *c = r->gone ? NULL : calloc(1, sizeof *c);
    intptr_t number = -1;
    va_list ap;
    if (!c) {
        errno = r->gone ? ECONNRESET : ENOMEM;
        return -1;
    }
    va_start(ap, format);
    c->answered = ls_future_new(format);
    int sent = c->answered ? redisvAsyncCommand(r->ac, on_answer, c, format, ap) : REDIS_ERR;
    va_end(ap);
    if (sent == REDIS_OK && ls_future_await(c->answered, &number, deadline)) {
        c->abandoned = true;
        return -1;
    }
    int error = sent == REDIS_OK ? errno : EIO;
    if (ret_text && sent == REDIS_OK) {
        *ret_text = c->text;
        c->text = NULL;
    }
    call_free(c);
    errno = error;
    return number;
}

/* --- the program */

struct client {
    struct redis *redis;
    int number;
};

static intptr_t client(void *arg)
{
    struct client *c = arg;
    ls_ns deadline = ls_after(5 * LS_SEC);
    char *text = NULL;
    if (command(c->redis, NULL, deadline, "SET key:%d value-%d", c->number, c->number) < 0 ||
        command(c->redis, &text, deadline, "GET key:%d", c->number) < 0)
        return -1;
    intptr_t value = text ? atoi(text + strlen("value-")) : -1;
    free(text);
    return value;
}

static intptr_t consumer(void *redis)
{
    char *job = NULL;
    if (command(redis, &job, ls_after(5 * LS_SEC), "BLPOP jobs 1") < 0)
        printf("consumer: no job came\n");
    else
        printf("consumer: %s\n", job);
    free(job);
    return 0;
}

struct args {
    int port, clients;
};

static intptr_t app(void *arg)
{
    struct args *a = arg;
    struct redis shared, own;
    struct client clients[64];
    struct ls_task *tasks[65] = { 0 };
    intptr_t values[64];
    if (redis_connect(&own, a->port) || redis_connect(&shared, a->port))
        return 1;
    struct ls_task *waits = ls_spawn(consumer, &own, "consumer");
    ls_sleep(100 * LS_MS);
    for (int i = 0; i < a->clients; i++) {
        clients[i] = (struct client){ &shared, i };
        tasks[i] = ls_spawn(client, &clients[i], "client %d", i);
    }
    int right = 0, status = ls_gather_all(tasks, (size_t)a->clients, values, LS_NEVER);
    for (int i = 0; i < a->clients; i++)
        right += !status && values[i] == i;
    printf("%d clients, %d right\n", a->clients, right);
    status |= command(&shared, NULL, ls_after(5 * LS_SEC), "RPUSH jobs dig") < 0;
    status |= ls_await(waits, NULL, LS_NEVER);
    status |= redis_disconnect(&shared) | redis_disconnect(&own);
    return status || right != a->clients;
}

int main(int argc, char **argv)
{
    struct args a = { argc == 3 ? atoi(argv[1]) : 0, argc == 3 ? atoi(argv[2]) : 0 };
    if (a.clients < 1 || a.clients > 64) {
        fprintf(stderr, "usage: redis_async PORT CLIENTS    1 to 64\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* hiredis writes to its socket without MSG_NOSIGNAL */
    return (int)ls_run(app, &a, NULL);
}

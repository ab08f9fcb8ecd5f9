/* redis_async_blocking.c - the naive twin of redis_async.c: hiredis' plain calls in tasks.
 *
 * The fault: BLPOP waits in the thread for a job that a task of this very loop was to push; it waits in vain, and so does
 * everybody else.  The report: a stall of 500 ms, cause `call`, in read from `consumer`.
 * link: -lhiredis */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

struct client {
    redisContext *redis;
    int number;
};

static intptr_t client(void *arg)
{
    struct client *c = arg;
    freeReplyObject(redisCommand(c->redis, "SET key:%d value-%d", c->number, c->number));
    redisReply *r = redisCommand(c->redis, "GET key:%d", c->number);
    intptr_t value = r && r->str ? atoi(r->str + strlen("value-")) : -1;
    freeReplyObject(r);
    return value;
}

static intptr_t consumer(void *redis)
{
    redisReply *r = redisCommand(redis, "BLPOP jobs 0.5"); /* here */
    if (!r || r->type == REDIS_REPLY_NIL)
        printf("consumer: no job came\n");
    else
        printf("consumer: %s\n", r->element[1]->str);
    freeReplyObject(r);
    return 0;
}

struct args {
    int port, clients;
};

static intptr_t app(void *arg)
{
    struct args *a = arg;
    struct client clients[64];
    struct ls_task *tasks[64] = { 0 };
    intptr_t values[64];
    redisContext *shared = redisConnect("127.0.0.1", a->port), *own = redisConnect("127.0.0.1", a->port);
    if (!shared || !own || shared->err || own->err) {
        fprintf(stderr, "redis_async_blocking: cannot connect\n");
        return 1;
    }
    struct ls_task *waits = ls_spawn(consumer, own, "consumer");
    ls_sleep(100 * LS_MS);
    for (int i = 0; i < a->clients; i++) {
        clients[i] = (struct client){ shared, i };
        tasks[i] = ls_spawn(client, &clients[i], "client %d", i);
    }
    int right = 0, status = ls_gather_all(tasks, (size_t)a->clients, values, LS_NEVER);
    for (int i = 0; i < a->clients; i++)
        right += !status && values[i] == i;
    printf("%d clients, %d right\n", a->clients, right);
    freeReplyObject(redisCommand(shared, "RPUSH jobs dig"));
    status |= ls_await(waits, NULL, LS_NEVER);
    redisFree(shared);
    redisFree(own);
    return status || right != a->clients;
}

int main(int argc, char **argv)
{
    struct args a = { argc == 3 ? atoi(argv[1]) : 0, argc == 3 ? atoi(argv[2]) : 0 };
    if (a.clients < 1 || a.clients > 64) {
        fprintf(stderr, "usage: redis_async_blocking PORT CLIENTS    1 to 64\n");
        return 2;
    }
    return (int)ls_run(app, &a, NULL);
}

/* pg_async.c - several queries at once: libpq's asynchronous calls on our loop, and a pool of connections.
 *
 *     pg_async CONNINFO QUERIES        for example: pg_async 'host=/run/postgresql user=postgres' 5
 * What it teaches: a library that says "I need this socket readable" needs nothing but ls_wait_fd, and its calls read from
 * top to bottom again; a semaphore is a pool.  In the trace: queries wait for their socket side by side (why = fd), the
 * others for a connection (why = sem), no stall.  Its blocking twin is pg_async_blocking.c.
 * link: -lpq */
#include <errno.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include <loopscope/runtime.h>

#define CONNECTIONS 2

struct pool {
    const char *info;
    struct ls_sem *permits;
    PGconn *idle[CONNECTIONS]; /* NULL: not connected yet, or broken; who gets it connects */
    size_t count;
};
struct query {
    struct pool *pool;
    int number;
};

static int fail(PGconn *c, const char *what)
{
    int error = errno; /* of a wait: ETIMEDOUT, ECANCELED */
    fprintf(stderr, "pg_async: %s: %s", what, PQerrorMessage(c));
    errno = error ? error : EIO;
    return -1;
}

static int pg_connect(PGconn *c, ls_ns deadline)
{
    for (PostgresPollingStatusType s = PGRES_POLLING_WRITING; s != PGRES_POLLING_OK; s = PQconnectPoll(c)) {
        errno = 0;
        if (s == PGRES_POLLING_FAILED || PQstatus(c) == CONNECTION_BAD)
            return fail(c, "connect");
        /* The socket is asked for each time: libpq may have tried another address meanwhile, and closed the first. */
        if (ls_wait_fd(PQsocket(c), s == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline) < 0)
            return fail(c, "connect");
    }
    return PQsetnonblocking(c, 1) ? fail(c, "connect") : 0;
}

/* The last result of a query, to be freed; NULL: the connection is in the middle of something, and of no more use. */
static PGresult *pg_query(PGconn *c, const char *sql, int n, const char *const values[], ls_ns deadline)
{
    PGresult *last = NULL, *r;
    errno = 0;
    int unsent = PQsendQueryParams(c, sql, n, NULL, values, NULL, NULL, 0) ? 1 : -1;
    while (unsent > 0 && (unsent = PQflush(c)) > 0) { /* the server may want to be read before it reads on */
        int got = ls_wait_fd(PQsocket(c), POLLIN | POLLOUT, deadline);
        if (got < 0 || (got & POLLIN && !PQconsumeInput(c)))
            unsent = -1;
    }
    if (unsent < 0) {
        fail(c, "send");
        return NULL;
    }
    do {
        while (PQisBusy(c)) {
            if (ls_wait_fd(PQsocket(c), POLLIN, deadline) < 0 || !PQconsumeInput(c)) {
                fail(c, "receive");
                PQclear(last);
                return NULL;
            }
        }
        if ((r = PQgetResult(c))) {
            PQclear(last);
            last = r;
        }
    } while (r);
    return last;
}

/* One of the pool's connections, when there is one.  NULL: there was no connecting, and the permit is given back. */
static PGconn *lease(struct pool *p, ls_ns deadline)
{
    if (ls_sem_acquire(p->permits, deadline))
        return NULL;
    PGconn *c = p->idle[--p->count];
    if (!c && (c = PQconnectStart(p->info)) && pg_connect(c, deadline)) {
        PQfinish(c);
        c = NULL;
    }
    if (!c) {
        p->idle[p->count++] = NULL;
        ls_sem_release(p->permits);
    }
    return c;
}
static void give_back(struct pool *p, PGconn *c, int broken)
{
    if (broken)
        PQfinish(c); /* closes the socket behind the loop's back: nobody waits for it any more */
    p->idle[p->count++] = broken ? NULL : c;
    ls_sem_release(p->permits);
}

static intptr_t query(void *arg)
{
    struct query *q = arg;
    ls_ns deadline = ls_after(10 * LS_SEC);
    char number[16];
    const char *values[] = { number };
    snprintf(number, sizeof number, "%d", q->number);
    PGconn *c = lease(q->pool, deadline);
    if (!c)
        return -1;
    PGresult *r = pg_query(c, "SELECT $1::int * 2, pg_sleep(0.2)", 1, values, deadline);
    intptr_t answer = -1;
    if (r && PQresultStatus(r) == PGRES_TUPLES_OK)
        answer = atoi(PQgetvalue(r, 0, 0));
    else if (r)
        fail(c, "query");
    give_back(q->pool, c, !r);
    PQclear(r);
    return answer;
}

struct args {
    const char *info;
    int queries;
};

static intptr_t app(void *arg)
{
    struct args *a = arg;
    struct pool pool = { .info = a->info, .count = CONNECTIONS, .permits = ls_sem_new("connections", CONNECTIONS, 0) };
    struct query queries[16];
    struct ls_task *tasks[16] = { 0 };
    intptr_t answers[16];
    for (int i = 0; i < a->queries; i++) {
        queries[i] = (struct query){ &pool, i + 1 };
        tasks[i] = ls_spawn(query, &queries[i], "query %d", i + 1);
    }
    int status = ls_gather(tasks, (size_t)a->queries, answers, LS_NEVER);
    if (status)
        ls_reap(tasks, (size_t)a->queries, "another query failed", LS_NEVER);
    for (int i = 0; i < a->queries && !status; i++)
        printf("query %d: %ld\n", i + 1, (long)answers[i]);
    for (size_t i = 0; i < CONNECTIONS; i++)
        PQfinish(pool.idle[i]);
    ls_sem_free(pool.permits);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct args a = { .info = argc == 3 ? argv[1] : NULL, .queries = argc == 3 ? atoi(argv[2]) : 0 };
    if (a.queries < 1 || a.queries > 16) {
        fprintf(stderr, "usage: pg_async CONNINFO QUERIES    1 to 16\n");
        return 2;
    }
    return (int)ls_run(app, &a, &(struct ls_opts){ .stack_size = 256 * 1024 }); /* libpq may want TLS */
}

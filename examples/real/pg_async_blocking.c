/* pg_async_blocking.c - the naive twin of pg_async.c: a task for each query, and libpq's plain calls in it.
 *
 * The fault: PQexecParams waits in the thread, so the queries come one after the other, and nothing else runs.  The report:
 * stalls of cause `call`, in libpq's poll from `query`.
 * link: -lpq */
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include <loopscope/runtime.h>

static const char *info;

static intptr_t query(void *arg)
{
    char number[16];
    const char *values[] = { number };
    snprintf(number, sizeof number, "%ld", (long)(intptr_t)arg);
    PGconn *c = PQconnectdb(info);
    PGresult *r = PQexecParams(c, "SELECT $1::int * 2, pg_sleep(0.2)", 1, NULL, values, NULL, NULL, 0); /* here */
    intptr_t answer = PQresultStatus(r) == PGRES_TUPLES_OK ? atoi(PQgetvalue(r, 0, 0)) : -1;
    if (answer < 0)
        fprintf(stderr, "pg_async_blocking: %s", PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
    return answer;
}

static intptr_t app(void *arg)
{
    int n = *(int *)arg;
    struct ls_task *tasks[16] = { 0 };
    intptr_t answers[16];
    for (int i = 0; i < n; i++)
        tasks[i] = ls_spawn(query, (void *)(intptr_t)(i + 1), "query %d", i + 1);
    int status = ls_gather(tasks, (size_t)n, answers, LS_NEVER);
    for (int i = 0; i < n && !status; i++)
        printf("query %d: %ld\n", i + 1, (long)answers[i]);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    int n = argc == 3 ? atoi(argv[2]) : 0;
    if (n < 1 || n > 16) {
        fprintf(stderr, "usage: pg_async_blocking CONNINFO QUERIES    1 to 16\n");
        return 2;
    }
    info = argv[1];
    return (int)ls_run(app, &n, &(struct ls_opts){ .stack_size = 256 * 1024 });
}

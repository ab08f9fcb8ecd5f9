/* pipeline.c - jobs through three stages, produce, digest, store, with bounded queues between them.
 *
 *     pipeline JOBS
 * What it teaches: a bounded queue is back-pressure.  When a stage is slow the one before it waits in ls_queue_put, so that
 * memory stays bounded however many jobs there are; shutting a queue down ends the next stage when it is empty.  What
 * computes does so on threads.  In the trace: who waits for whom, by the queues' names (why = queue_put,
 * queue_get, thread); the slow stage is the one that nobody waits long to be taken from.  Twin: pipeline_blocking.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

#define SIZE    (1 << 18)
#define ROUNDS  64
#define WORKERS 2
#define BACKLOG 4

struct job {
    int number;
    uint32_t digest;
    unsigned char data[SIZE];
};
struct pipeline {
    struct ls_queue *made, *digested; /* of struct job pointers: who gets one frees it or passes it on */
    int jobs, alive, alive_max, stored;
};

static intptr_t produce(void *arg)
{
    struct pipeline *p = arg;
    int status = 0;
    for (int i = 0; i < p->jobs && !status; i++) {
        struct job *job = malloc(sizeof *job);
        if (!job)
            return -1;
        job->number = i + 1;
        memset(job->data, i, SIZE);
        if (++p->alive > p->alive_max)
            p->alive_max = p->alive;
        status = ls_queue_put(p->made, &job, LS_NEVER); /* waits while BACKLOG jobs are there */
        if (status)
            free(job);
    }
    ls_queue_shutdown(p->made, 0); /* the workers end when it is empty */
    return status;
}

/* On a thread: it computes for long. */
static intptr_t digest(void *arg)
{
    struct job *job = arg;
    uint32_t h = 2166136261u;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < SIZE; i++)
            h = (h ^ job->data[i]) * 16777619u;
    job->digest = h;
    return 0;
}
static void drop(void *job, intptr_t result)
{
    (void)result;
    free(job);
}
static intptr_t worker(void *arg)
{
    struct pipeline *p = arg;
    struct job *job;
    while (!ls_queue_get(p->made, &job, LS_NEVER)) {
        /* If we are cancelled meanwhile the thread still has the job: it is dropped when the thread is done with it. */
        if (ls_pool_run_drop(NULL, digest, job, drop, NULL, LS_NEVER))
            return -1;
        if (ls_queue_put(p->digested, &job, LS_NEVER)) {
            free(job);
            return -1;
        }
    }
    return errno == EPIPE ? 0 : -1;
}

static intptr_t store(void *arg)
{
    struct pipeline *p = arg;
    struct job *job;
    while (!ls_queue_get(p->digested, &job, LS_NEVER)) {
        printf("job %d: %08x\n", job->number, job->digest);
        free(job);
        p->alive--;
        p->stored++;
    }
    return errno == EPIPE ? 0 : -1;
}

static intptr_t app(void *arg)
{
    struct pipeline *p = arg;
    p->made = ls_queue_new("made", sizeof(struct job *), BACKLOG);
    p->digested = ls_queue_new("digested", sizeof(struct job *), BACKLOG);
    struct ls_task *last = ls_spawn(store, p, NULL);
    struct ls_group *group = ls_group_open("stages");
    if (!p->made || !p->digested || !last || !group)
        return 1;
    ls_group_spawn(group, produce, p, NULL);
    for (int i = 0; i < WORKERS; i++)
        ls_group_spawn(group, worker, p, "digest %d", i + 1);
    int status = ls_group_close(group, LS_NEVER); /* one that fails cancels the others */
    ls_queue_shutdown(p->digested, 0);
    intptr_t result = -1;
    status |= ls_await(last, &result, LS_NEVER);
    printf("%d of %d jobs, %d in memory at most\n", p->stored, p->jobs, p->alive_max);
    ls_queue_free(p->made);
    ls_queue_free(p->digested);
    return status || result || p->stored != p->jobs;
}

int main(int argc, char **argv)
{
    struct pipeline p = { .jobs = argc == 2 ? atoi(argv[1]) : 0 };
    if (p.jobs < 1) {
        fprintf(stderr, "usage: pipeline JOBS\n");
        return 2;
    }
    return (int)ls_run(app, &p, NULL);
}

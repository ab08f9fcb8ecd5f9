/* pipeline_blocking.c - the naive twin of pipeline.c: back-pressure by a queue that was made for threads.
 *
 * The fault: a full queue makes put() wait in pthread_cond_wait, right where back-pressure is wanted, and put is called by
 * a task: the loop stands still until a worker has taken a job.  The report: a stall, cause `lock`, in put from `produce`.
 */
#include <pthread.h>
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

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job *jobs[BACKLOG];
    int count, closed, digested;
} queue = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void put(struct job *job)
{
    pthread_mutex_lock(&queue.mutex);
    while (queue.count == BACKLOG)
        pthread_cond_wait(&queue.changed, &queue.mutex); /* here */
    queue.jobs[queue.count++] = job;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.mutex);
}
static struct job *get(void)
{
    pthread_mutex_lock(&queue.mutex);
    while (!queue.count && !queue.closed)
        pthread_cond_wait(&queue.changed, &queue.mutex);
    struct job *job = queue.count ? queue.jobs[--queue.count] : NULL;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.mutex);
    return job;
}

static void *worker(void *arg)
{
    for (struct job *job; (job = get());) {
        job->digest = 2166136261u;
        for (int round = 0; round < ROUNDS; round++)
            for (size_t i = 0; i < SIZE; i++)
                job->digest = (job->digest ^ job->data[i]) * 16777619u;
        pthread_mutex_lock(&queue.mutex);
        printf("job %d: %08x\n", job->number, job->digest);
        queue.digested++;
        pthread_mutex_unlock(&queue.mutex);
        free(job);
    }
    return arg;
}

static intptr_t produce(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {
        struct job *job = malloc(sizeof *job);
        if (!job)
            return -1;
        job->number = i + 1;
        memset(job->data, i, SIZE);
        put(job);
        ls_yield();
    }
    return 0;
}

static intptr_t join(void *threads)
{
    for (int i = 0; i < WORKERS; i++)
        pthread_join(((pthread_t *)threads)[i], NULL);
    return 0;
}

static intptr_t app(void *jobs)
{
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&threads[i], NULL, worker, NULL))
            return 1;
    int status = ls_await(ls_spawn(produce, jobs, NULL), NULL, LS_NEVER);
    pthread_mutex_lock(&queue.mutex);
    queue.closed = 1;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.mutex);
    ls_to_thread(join, threads, NULL, LS_NEVER);
    printf("%d of %d jobs\n", queue.digested, *(int *)jobs);
    return status || queue.digested != *(int *)jobs;
}

int main(int argc, char **argv)
{
    int jobs = argc == 2 ? atoi(argv[1]) : 0;
    if (jobs < 1) {
        fprintf(stderr, "usage: pipeline_blocking JOBS\n");
        return 2;
    }
    return (int)ls_run(app, &jobs, NULL);
}

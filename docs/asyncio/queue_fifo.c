/* Queue: put, get, join, task_done | ls_queue_put, ls_queue_get, ls_queue_join, ls_queue_task_done
 * Items are copied in and out; a full queue makes the producer wait. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t worker(void *queue)
{
    int n;
    while (!ls_queue_get(queue, &n, LS_NEVER)) {
        printf("works on %d\n", n);
        ls_sleep(LS_MS);
        ls_queue_task_done(queue);
    }
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_queue *queue = ls_queue_new("jobs", sizeof(int), 2);
    struct ls_task *w = ls_spawn(worker, queue, NULL);
    for (int n = 0; n < 4; n++)
        ls_queue_put(queue, &n, LS_NEVER);
    ls_queue_join(queue, LS_NEVER);
    printf("all is done, %zd left\n", ls_queue_size(queue));
    ls_reap(&w, 1, "no more work", LS_NEVER);
    return ls_queue_free(queue);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

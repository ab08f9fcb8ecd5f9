/* Queue.shutdown (Python 3.13) | ls_queue_shutdown
 * What is left can be got, then get fails with EPIPE; put fails at once. */
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t worker(void *queue)
{
    int n;
    while (!ls_queue_get(queue, &n, LS_NEVER))
        printf("got %d\n", n);
    if (errno == EPIPE)
        printf("no more\n");
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_queue *queue = ls_queue_new("jobs", sizeof(int), 0);
    struct ls_task *w = ls_spawn(worker, queue, NULL);
    for (int n = 0; n < 2; n++)
        ls_queue_put(queue, &n, LS_NEVER);
    ls_queue_shutdown(queue, 0);
    if (ls_queue_put(queue, &(int){ 2 }, LS_NEVER) && errno == EPIPE)
        printf("closed\n");
    ls_await(w, NULL, LS_NEVER);
    return ls_queue_free(queue);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

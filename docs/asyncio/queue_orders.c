/* PriorityQueue, LifoQueue | ls_queue_new_priority, ls_queue_new_lifo, ls_queue_put_nowait
 * The least first, by a function as qsort's; the newest first. */
#include <loopscope/runtime.h>
#include <stdio.h>

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_queue *queues[] = { ls_queue_new_priority("urgent", sizeof(int), 0, by_value),
                                  ls_queue_new_lifo("stack", sizeof(int), 0) };
    for (int i = 0; i < 2; i++) {
        int n[3] = { 2, 3, 1 };
        for (int k = 0; k < 3; k++)
            ls_queue_put_nowait(queues[i], &n[k]);
        for (int k = 0; k < 3; k++)
            ls_queue_get(queues[i], &n[k], LS_NEVER);
        printf("[%d, %d, %d]\n", n[0], n[1], n[2]);
        ls_queue_free(queues[i]);
    }
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

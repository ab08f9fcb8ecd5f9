/* run_coroutine_threadsafe | ls_run_threadsafe
 * A thread has a task run on the loop, and waits for its result. */
#include <loopscope/runtime.h>
#include <pthread.h>
#include <stdio.h>

static struct ls_loop *loop;

static intptr_t twice(void *n)
{
    ls_sleep(10 * LS_MS);
    return 2 * (intptr_t)n;
}
static void *outside(void *ret_result)
{
    ls_run_threadsafe(loop, twice, (void *)21, ret_result, LS_NEVER);
    return NULL;
}
static intptr_t join(void *thread)
{
    return pthread_join(*(pthread_t *)thread, NULL);
}
static intptr_t app(void *arg)
{
    (void)arg;
    pthread_t thread;
    intptr_t result = 0;
    loop = ls_loop_self();
    pthread_create(&thread, NULL, outside, &result);
    ls_to_thread(join, &thread, NULL, LS_NEVER);
    printf("%d\n", (int)result);
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

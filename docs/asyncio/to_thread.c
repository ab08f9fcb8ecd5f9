/* to_thread | ls_to_thread
 * The loop goes on while another thread blocks. */
#include <loopscope/runtime.h>
#include <stdio.h>
#include <unistd.h>

static intptr_t blocking(void *ms)
{
    usleep((useconds_t)(intptr_t)ms * 1000);
    return (intptr_t)ms;
}
static intptr_t ticks(void *arg)
{
    for (int i = 0; i < 3; i++) {
        ls_sleep(10 * LS_MS);
        printf("tick\n");
    }
    return (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    struct ls_task *t = ls_spawn(ticks, arg, NULL);
    intptr_t result;
    ls_to_thread(blocking, (void *)300, &result, LS_NEVER);
    printf("it returned %d\n", (int)result);
    return ls_await(t, NULL, LS_NEVER);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

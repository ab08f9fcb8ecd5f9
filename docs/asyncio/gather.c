/* gather | ls_gather
 * Results in the order of the tasks, not of their end; the first failure ends the wait. */
#include <loopscope/runtime.h>
#include <stdio.h>

static const int delay[] = { 0, 60, 20, 40 };

static intptr_t fetch(void *i)
{
    ls_sleep((ls_ns)delay[(intptr_t)i] * LS_MS);
    printf("end of %d\n", (int)(intptr_t)i);
    return (intptr_t)i;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t[3];
    intptr_t out[3];
    for (intptr_t i = 0; i < 3; i++)
        t[i] = ls_spawn(fetch, (void *)(i + 1), NULL);
    ls_gather(t, 3, out, LS_NEVER);
    printf("[%d, %d, %d]\n", (int)out[0], (int)out[1], (int)out[2]);
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

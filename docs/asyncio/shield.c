/* shield | ls_shield
 * A cancel goes through ls_await to the task awaited; ls_shield keeps it off. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t save(void *arg)
{
    ls_sleep(20 * LS_MS);
    printf("saved\n");
    return (intptr_t)arg;
}
static intptr_t caller(void *task)
{
    if (ls_shield(task, NULL, LS_NEVER))
        printf("the caller is cancelled\n");
    return 0;
}
static intptr_t app(void *arg)
{
    struct ls_task *task = ls_spawn(save, arg, NULL);
    struct ls_task *c = ls_spawn(caller, task, NULL);
    ls_yield();
    ls_cancel(c, NULL);
    ls_await(c, NULL, LS_NEVER);
    return ls_await(task, NULL, LS_NEVER); /* the shield did not take the handle */
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

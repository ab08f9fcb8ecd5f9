/* add_done_callback, result | ls_on_done, ls_result
 * Called by the loop, soon after the end. */
#include <loopscope/runtime.h>
#include <stdio.h>

static void tell(struct ls_task *task, void *arg)
{
    (void)arg;
    intptr_t result;
    ls_result(task, &result);
    printf("done: %d\n", (int)result);
}
static intptr_t add(void *arg)
{
    (void)arg;
    return 1 + 1;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(add, NULL, NULL);
    ls_on_done(t, tell, NULL);
    ls_sleep(10 * LS_MS);
    return ls_detach(t);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

/* Future | ls_future_new, ls_future_set, ls_future_await, ls_future_done
 * A value that somebody will have; any number of tasks wait for it. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t waiter(void *future)
{
    intptr_t value;
    ls_future_await(future, &value, LS_NEVER);
    printf("%s has %d\n", ls_task_name(ls_self()), (int)value);
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_future *future = ls_future_new("answer");
    struct ls_task *t[2] = { ls_spawn(waiter, future, "a"), ls_spawn(waiter, future, "b") };
    ls_sleep(10 * LS_MS);
    printf("done: %s\n", ls_future_done(future) ? "True" : "False");
    ls_future_set(future, 7);
    ls_gather(t, 2, NULL, LS_NEVER);
    return ls_future_free(future);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

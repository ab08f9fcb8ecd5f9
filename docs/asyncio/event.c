/* Event | ls_event_new, ls_event_wait, ls_event_set, ls_event_is_set
 * Lets all go that wait for it. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t waiter(void *event)
{
    ls_event_wait(event, LS_NEVER);
    printf("%s goes\n", ls_task_name(ls_self()));
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_event *event = ls_event_new("start");
    struct ls_task *t[2] = { ls_spawn(waiter, event, "a"), ls_spawn(waiter, event, "b") };
    ls_sleep(10 * LS_MS);
    printf("set: %s\n", ls_event_is_set(event) ? "True" : "False");
    ls_event_set(event);
    ls_gather(t, 2, NULL, LS_NEVER);
    return ls_event_free(event);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

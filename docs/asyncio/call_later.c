/* call_later, call_at, TimerHandle.cancel | ls_call_later, ls_call_at, ls_timer_cancel
 * The loop calls the function between tasks; it must not wait, but it may spawn. */
#include <loopscope/runtime.h>
#include <stdio.h>

static void tell(void *text)
{
    printf("%s\n", (char *)text);
}
static intptr_t app(void *arg)
{
    (void)arg;
    ls_call_later(20 * LS_MS, tell, "second");
    ls_call_at(ls_now() + 10 * LS_MS, tell, "first");
    struct ls_timer *never = ls_call_later(15 * LS_MS, tell, "never");
    ls_timer_cancel(never);
    return ls_sleep(40 * LS_MS);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

/* Task.uncancel, cancelling, done | ls_uncancel, ls_cancelling, ls_done
 * A task that has caught a cancel and goes on says so. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t stubborn(void *arg)
{
    (void)arg;
    if (ls_sleep(60 * LS_SEC)) {
        int asked = ls_cancelling(ls_self());
        printf("asked %d time, left %d\n", asked, ls_uncancel());
    }
    ls_sleep(10 * LS_MS);
    return (intptr_t) "went on";
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_ref(ls_spawn(stubborn, NULL, NULL)); /* two: one for the await, one for what follows */
    intptr_t text;
    ls_yield();
    ls_cancel(t, NULL);
    ls_await(t, &text, LS_NEVER);
    printf("%s\n", (char *)text);
    printf("%s %s\n", ls_cancelled(t) ? "True" : "False", ls_done(t) ? "True" : "False");
    return ls_detach(t);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

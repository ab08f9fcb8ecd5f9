/* wait(FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED) | ls_wait, ls_reap
 * Never fails because a task did, never cancels one.  ls_reap does: cancel, wait, give back. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t nap(void *ms)
{
    return ls_sleep((ls_ns)(intptr_t)ms * LS_MS);
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t[2] = { ls_spawn(nap, (void *)60000, "slow"), ls_spawn(nap, (void *)10, "quick") };
    bool done[2];
    ls_wait(t, 2, LS_FIRST_DONE, done, LS_NEVER);
    printf("quick is done: %s - slow is done: %s\n", done[1] ? "True" : "False", done[0] ? "True" : "False");
    return ls_reap(t, 2, "no longer wanted", LS_NEVER);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

/* wait_for | a deadline, ls_reap
 * Every call that waits has a deadline, the last argument; ls_reap cancels what was too slow, as wait_for does. */
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t answer(void *arg)
{
    return ls_sleep(60 * LS_SEC) + (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(answer, NULL, NULL);
    if (ls_await(t, NULL, ls_after(10 * LS_MS)) && errno == ETIMEDOUT) {
        ls_reap(&t, 1, "too slow", LS_NEVER);
        printf("too slow\n");
    }
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

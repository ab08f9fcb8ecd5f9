/* Task.cancel, cancelled, CancelledError, finally | ls_cancel, ls_cancelled, ls_cancel_why, ls_defer
 * The await under way returns ECANCELED, once.  ls_defer is the `finally`: it runs however the task ends. */
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>

static void clean_up(void *arg)
{
    (void)arg;
    printf("cleaned up\n");
}
static intptr_t worker(void *arg)
{
    (void)arg;
    ls_defer(clean_up, NULL);
    if (ls_sleep(60 * LS_SEC)) {
        printf("cancelled: %s\n", ls_cancel_why());
        errno = ECANCELED;
        return -1;
    }
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(worker, NULL, NULL);
    ls_yield();
    ls_cancel(t, "enough");
    ls_wait(&t, 1, LS_ALL_DONE, NULL, LS_NEVER);
    printf("it was cancelled: %s\n", ls_cancelled(t) ? "True" : "False");
    return ls_detach(t);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

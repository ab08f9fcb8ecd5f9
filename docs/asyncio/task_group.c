/* TaskGroup, ExceptionGroup | ls_group_open, ls_group_spawn, ls_group_close, ls_group_errors
 * The first failure cancels the rest; the close returns when all are over, and all errors are kept. */
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>
#include <string.h>

static intptr_t good(void *arg)
{
    (void)arg;
    int status = ls_sleep(60 * LS_SEC);
    if (status)
        printf("the rest is cancelled\n");
    return status;
}
static intptr_t bad(void *arg)
{
    (void)arg;
    ls_sleep(10 * LS_MS);
    errno = EPIPE;
    return -1;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_group_error errors[4];
    struct ls_group *g = ls_group_open("demo");
    ls_group_spawn(g, good, NULL, "good");
    ls_group_spawn(g, bad, NULL, "bad");
    if (ls_group_close(g, LS_NEVER))
        for (ssize_t i = 0, n = ls_group_errors(NULL, errors, 4); i < n; i++)
            printf("failed: %s\n", strerrorname_np(errors[i].error));
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

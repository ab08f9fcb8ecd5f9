/* gather(return_exceptions=True) | ls_gather_all
 * Waits for all; the result of one that failed is its -errno. */
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>
#include <string.h>

static intptr_t half(void *n)
{
    if ((intptr_t)n % 2) {
        errno = EDOM;
        return -1;
    }
    return (intptr_t)n / 2;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t[3] = { ls_spawn(half, (void *)2, NULL), ls_spawn(half, (void *)3, NULL),
                             ls_spawn(half, (void *)8, NULL) };
    intptr_t out[3];
    ls_gather_all(t, 3, out, LS_NEVER);
    for (int i = 0; i < 3; i++)
        if (out[i] < 0)
            printf("%s\n", strerrorname_np((int)-out[i]));
        else
            printf("%d\n", (int)out[i]);
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

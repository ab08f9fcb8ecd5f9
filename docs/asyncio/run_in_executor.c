/* run_in_executor, ThreadPoolExecutor | ls_pool_new, ls_pool_run, ls_pool_free
 * A pool of your own: here one thread, so its jobs follow one another. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t square(void *n)
{
    return (intptr_t)n * (intptr_t)n;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_pool *pool = ls_pool_new("squares", 1);
    for (intptr_t n = 0; n < 3; n++) {
        intptr_t result;
        ls_pool_run(pool, square, (void *)n, &result, LS_NEVER);
        printf("%d\n", (int)result);
    }
    return ls_pool_free(pool);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

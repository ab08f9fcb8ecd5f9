/* as_completed | ls_next_done
 * In the order of their ends; the place of one that was had becomes NULL. */
#include <loopscope/runtime.h>
#include <stdio.h>

static const int delay[] = { 0, 60, 20, 40 };

static intptr_t fetch(void *i)
{
    ls_sleep((ls_ns)delay[(intptr_t)i] * LS_MS);
    return (intptr_t)i;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t[3];
    intptr_t result;
    for (intptr_t i = 0; i < 3; i++)
        t[i] = ls_spawn(fetch, (void *)(i + 1), NULL);
    while (!ls_next_done(t, 3, NULL, &result, LS_NEVER))
        printf("%d\n", (int)result);
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

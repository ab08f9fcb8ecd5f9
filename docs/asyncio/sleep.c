/* sleep, sleep(0) | ls_sleep, ls_sleep_until, ls_yield
 * ls_yield lets the others run; ls_sleep_until takes a time. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t count(void *name)
{
    for (int i = 0; i < 3; i++) {
        printf("%s %d\n", (char *)name, i);
        ls_yield();
    }
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t[2] = { ls_spawn(count, "a", NULL), ls_spawn(count, "b", NULL) };
    ls_gather(t, 2, NULL, LS_NEVER);
    ls_ns start = ls_now();
    ls_sleep_until(start + 20 * LS_MS);
    printf("at least 20 ms: %s\n", ls_now() - start >= 20 * LS_MS ? "True" : "False");
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

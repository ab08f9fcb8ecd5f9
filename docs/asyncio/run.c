/* asyncio.run, Runner | ls_run
 * A coroutine is an ordinary function; ls_run returns what it returned. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t app(void *arg)
{
    (void)arg;
    ls_sleep(10 * LS_MS);
    printf("hello\n");
    return 42;
}
int main(void)
{
    printf("%d\n", (int)ls_run(app, NULL, NULL));
}

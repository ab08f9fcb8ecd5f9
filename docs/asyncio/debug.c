/* debug mode | LOOPSCOPE_DEBUG=1
 * Both tell on stderr of a step that took more than 100 ms.  Without setenv: `LOOPSCOPE_DEBUG=1 ./program`. */
#include <loopscope/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static intptr_t slow(void *arg)
{
    usleep(150000);
    printf("nobody else ran meanwhile\n");
    return (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    return ls_await(ls_spawn(slow, arg, NULL), NULL, LS_NEVER);
}
int main(void)
{
    setenv("LOOPSCOPE_DEBUG", "1", 1);
    return (int)ls_run(app, NULL, NULL);
}

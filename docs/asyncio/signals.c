/* add_signal_handler | ls_signal_await
 * A task waits for it, as for anything else. */
#include <loopscope/runtime.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void raise_it(void *arg)
{
    (void)arg;
    kill(getpid(), SIGUSR1);
}
static intptr_t app(void *arg)
{
    (void)arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ls_call_later(10 * LS_MS, raise_it, NULL);
    if (ls_signal_await(&set, NULL, LS_NEVER) == SIGUSR1)
        printf("SIGUSR1\n");
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

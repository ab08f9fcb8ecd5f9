/* greet.c - a coroutine is an ordinary C function; ls_await waits for its end.
 *
 * Two greetings, each after a second, awaited one after the other: 2 s.  In the trace: one task "app" that waits twice
 * for a task; each greeting waits once, why = sleep, with the line of its ls_sleep. */
#include <stdio.h>

#include <loopscope/runtime.h>

static intptr_t greet(void *name)
{
    ls_sleep(1 * LS_SEC);
    printf("Hello, %s!\n", (const char *)name);
    return 0;
}

static intptr_t app(void *arg)
{
    (void)arg;
    ls_await(ls_spawn(greet, "Alice", "greet Alice"), NULL, LS_NEVER);
    ls_await(ls_spawn(greet, "Bob", "greet Bob"), NULL, LS_NEVER);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

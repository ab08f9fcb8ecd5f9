/* to_thread.c - off-load what must block: the call of blocking_call.c on a thread.
 *
 * No stall; in the trace the task waits, why = thread, and the job has a lane of its own. */
#include <stdio.h>
#include <unistd.h>

#include <loopscope/runtime.h>

/* What a reader sees: a task that wants to run every 10 ms, and how late it came at worst. */
static intptr_t ticker(void *worst)
{
    for (ls_ns next = ls_after(10 * LS_MS); !ls_sleep_until(next); next = ls_after(10 * LS_MS))
        if (ls_now() - next > *(ls_ns *)worst)
            *(ls_ns *)worst = ls_now() - next;
    return 0;
}

static intptr_t query(void *arg)
{
    usleep(100000); /* a client library that knows nothing of the loop */
    return (intptr_t)arg;
}

static intptr_t app(void *arg)
{
    (void)arg;
    ls_ns worst = 0;
    struct ls_task *tick = ls_spawn(ticker, &worst, NULL);
    for (int i = 0; i < 3; i++) {
        ls_sleep(50 * LS_MS);
        ls_to_thread(query, NULL, NULL, LS_NEVER);
    }
    ls_sleep(20 * LS_MS);
    ls_cancel(tick, NULL);
    ls_await(tick, NULL, LS_NEVER);
    printf("to_thread: the ticker came %.0f ms late at worst\n", (double)worst / 1e6);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

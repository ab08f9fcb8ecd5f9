/* blocking_read_cured.c - the read of blocking_read.c, handed to a thread: no stall.
 *
 * ls_to_thread suspends only this task.  In the trace: why = thread, and the job on a lane of its own. */
#include <stdio.h>

#include <loopscope/runtime.h>

/* What a reader sees: a task that wants to run every 10 ms, and how late it came at worst. */
static intptr_t ticker(void *worst)
{
    for (ls_ns next = ls_after(10 * LS_MS); !ls_sleep_until(next); next = ls_after(10 * LS_MS))
        if (ls_now() - next > *(ls_ns *)worst)
            *(ls_ns *)worst = ls_now() - next;
    return 0;
}

/* A pipe whose other end takes 80 ms to answer, as a slow disk or a slow service does. */
static intptr_t read_config(void *arg)
{
    char line[64];
    FILE *f = popen("sleep 0.08; echo ready", "r");
    int got = f && fgets(line, sizeof line, f);
    return f && pclose(f) == 0 && got ? (intptr_t)arg : -1;
}

static intptr_t app(void *arg)
{
    (void)arg;
    ls_ns worst = 0;
    struct ls_task *tick = ls_spawn(ticker, &worst, NULL);
    for (int i = 0; i < 3; i++) {
        ls_sleep(50 * LS_MS);
        ls_to_thread(read_config, NULL, NULL, LS_NEVER);
    }
    ls_sleep(20 * LS_MS);
    ls_cancel(tick, NULL);
    ls_await(tick, NULL, LS_NEVER);
    printf("blocking_read_cured: the ticker came %.0f ms late at worst\n", (double)worst / 1e6);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

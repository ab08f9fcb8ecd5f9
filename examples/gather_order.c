/* gather_order.c - tasks end in the order of their delays, their results come in the order of the list.
 *
 * Delays of 3, 1 and 2 s: they finish 2, 3, 1, the results are 1, 2, 3, and it takes 3 s in all: the longest decides.
 * In the trace: the parent waits on a group, the three ends are out of order. */
#include <stdio.h>

#include <loopscope/runtime.h>

static intptr_t job(void *arg)
{
    static const ls_ns delay[] = { 0, 3, 1, 2 };
    intptr_t number = (intptr_t)arg;
    ls_sleep(delay[number] * LS_SEC);
    printf("task %ld finishes\n", (long)number);
    return number;
}

static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *t[3];
    intptr_t result[3];
    for (intptr_t i = 0; i < 3; i++)
        t[i] = ls_spawn(job, (void *)(i + 1), "task %ld", (long)i + 1);
    if (ls_gather(t, 3, result, LS_NEVER))
        return 1;
    printf("results: %ld, %ld, %ld\n", (long)result[0], (long)result[1], (long)result[2]);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

/* Barrier | ls_barrier_new, ls_barrier_wait
 * The last to come lets all go.  (Places are given in the order of coming; asyncio's last gets 0.) */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t runner(void *barrier)
{
    const char *me = ls_task_name(ls_self());
    ls_sleep(*me == 'b' ? 10 * LS_MS : 0);
    printf("%s is there\n", me);
    return ls_barrier_wait(barrier, LS_NEVER);
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_barrier *barrier = ls_barrier_new("start", 3);
    struct ls_task *t[3];
    intptr_t place[3];
    for (int i = 0; i < 3; i++)
        t[i] = ls_spawn(runner, barrier, "%c", 'a' + i);
    ls_gather(t, 3, place, LS_NEVER);
    int sorted[3];
    for (int i = 0; i < 3; i++)
        sorted[place[i]] = (int)place[i];
    printf("[%d, %d, %d]\n", sorted[0], sorted[1], sorted[2]);
    return ls_barrier_free(barrier);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

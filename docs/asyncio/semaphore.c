/* Semaphore, BoundedSemaphore | ls_sem_new, ls_sem_acquire, ls_sem_release
 * The last argument of ls_sem_new is the bound; 0: none. */
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>

static int running, most;

static intptr_t worker(void *sem)
{
    ls_sem_acquire(sem, LS_NEVER);
    if (++running > most)
        most = running;
    ls_sleep(5 * LS_MS);
    running--;
    return ls_sem_release(sem);
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_sem *sem = ls_sem_new("two at a time", 2, 2);
    struct ls_task *t[6];
    for (int i = 0; i < 6; i++)
        t[i] = ls_spawn(worker, sem, NULL);
    ls_gather(t, 6, NULL, LS_NEVER);
    printf("at most %d at a time\n", most);
    if (ls_sem_release(sem) && errno == EOVERFLOW)
        printf("released too often\n");
    return ls_sem_free(sem);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

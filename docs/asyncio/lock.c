/* Lock | ls_lock_new, ls_lock_acquire, ls_lock_release
 * First come, first served.  A circle of tasks that wait for one another is EDEADLK, and named. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t worker(void *lock)
{
    const char *me = ls_task_name(ls_self());
    ls_lock_acquire(lock, LS_NEVER);
    printf("%s has it\n", me);
    ls_sleep(5 * LS_MS);
    printf("%s gives it back\n", me);
    return ls_lock_release(lock);
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_lock *lock = ls_lock_new("db");
    struct ls_task *t[3];
    for (int i = 0; i < 3; i++)
        t[i] = ls_spawn(worker, lock, "%c", 'a' + i);
    ls_gather(t, 3, NULL, LS_NEVER);
    return ls_lock_free(lock);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

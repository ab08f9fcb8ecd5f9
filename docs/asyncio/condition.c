/* Condition | ls_cond_new, ls_cond_wait_for, ls_cond_notify_all
 * Gives the lock back, waits, and has it again when it returns, whatever happened. */
#include <loopscope/runtime.h>
#include <stdio.h>

static struct ls_lock *lock;
static struct ls_cond *cond;

static int in_stock(void *stock)
{
    return *(int *)stock > 0;
}
static intptr_t buyer(void *arg)
{
    int *stock = arg;
    ls_lock_acquire(lock, LS_NEVER);
    ls_cond_wait_for(cond, lock, in_stock, stock, LS_NEVER);
    (*stock)--;
    printf("%s takes one, %d left\n", ls_task_name(ls_self()), *stock);
    return ls_lock_release(lock);
}
static intptr_t app(void *arg)
{
    (void)arg;
    int stock = 0;
    lock = ls_lock_new("shop");
    cond = ls_cond_new("goods");
    struct ls_task *t[2] = { ls_spawn(buyer, &stock, "a"), ls_spawn(buyer, &stock, "b") };
    ls_sleep(10 * LS_MS);
    ls_lock_acquire(lock, LS_NEVER);
    stock = 2;
    ls_cond_notify_all(cond);
    ls_lock_release(lock);
    ls_gather(t, 2, NULL, LS_NEVER);
    ls_cond_free(cond);
    return ls_lock_free(lock);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

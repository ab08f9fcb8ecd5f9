/* asyncio_barriers.c - semaphores and barriers as asyncio's tests have them, for our runtime; see asyncio_sync.h. */
#include "asyncio_sync.h"

static struct ls_sem *sem;
static struct ls_barrier *barrier, *smaller;

/* As asyncio's Semaphore.locked(). */
static int is_taken(void)
{
    return ls_sem_value(sem) == 0;
}

/* Semaphore */

static void sem_of(size_t n)
{
    sem = ls_sem_new(NULL, n, 0);
}
static intptr_t sem_tag(void *i)
{
    if (ls_sem_acquire(sem, LS_NEVER))
        return -1;
    tag("%d", (int)(intptr_t)i);
    return 0;
}

static void sem_initial_value_zero(void)
{
    sem_of(0);
    say("%d", is_taken());
}

static void sem_semaphore_value(void) /* a size_t is not negative; but more than the bound is as wrong */
{
    say(ls_sem_new(NULL, 2, 1) ? "made" : "error");
}

static void sem_acquire(void)
{
    sem_of(3);
    ls_sem_acquire(sem, LS_NEVER);
    ls_sem_acquire(sem, LS_NEVER);
    say("%d ", is_taken());
    spawn(sem_tag, 3);
    tick(1);
    say("%d ", is_taken());
    say_order();
    t[3] = ls_spawn(sem_tag, (void *)4, NULL);
    ls_sem_release(sem);
    ls_sem_release(sem);
    tick(1);
    say_order();
    ls_sem_release(sem);
    tick(2);
    say_order();
    say_outcomes(4);
}

static void sem_acquire_cancel(void)
{
    sem_of(1);
    ls_sem_acquire(sem, LS_NEVER);
    spawn(sem_tag, 1);
    tick(1);
    ls_cancel(t[0], NULL);
    tick(1);
    say_order();
    say_outcomes(1);
    ls_sem_release(sem);
    say("%d", is_taken());
}

static void sem_acquire_cancel_before_awoken(void)
{
    sem_of(0);
    spawn(sem_tag, 4);
    tick(1);
    ls_cancel(t[0], NULL);
    ls_cancel(t[1], NULL);
    ls_sem_release(sem);
    tick(2);
    say_order();
    say_outcomes(4);
}

static void sem_acquire_hang(void)
{
    sem_of(0);
    spawn(sem_tag, 2);
    tick(1);
    ls_cancel(t[0], NULL);
    ls_sem_release(sem);
    tick(2);
    say_order();
    say("%d ", is_taken());
    say_outcomes(2);
}

static intptr_t no_hang_first(void *arg)
{
    (void)arg;
    ls_sem_acquire(sem, LS_NEVER);
    tick(1);
    ls_sem_release(sem);
    ls_cancel(t[1], NULL);
    return 0;
}
static intptr_t no_hang_second(void *arg)
{
    (void)arg;
    return ls_sem_acquire(sem, LS_NEVER) ? -1 : ls_sem_release(sem);
}
static void sem_acquire_no_hang(void)
{
    sem_of(1);
    t[0] = ls_spawn(no_hang_first, NULL, NULL);
    t[1] = ls_spawn(no_hang_second, NULL, NULL);
    wait_all(2);
    say("1 %s 2 %s ", outcome(t[0]), outcome(t[1]));
    if (!ls_sem_acquire(sem, ls_after(LS_SEC)))
        say("acquired");
}

static void sem_release_not_acquired(void)
{
    sem = ls_sem_new(NULL, 1, 1);
    say(ls_sem_release(sem) ? "error" : "released");
}

static void sem_release_no_waiters(void)
{
    sem_of(1);
    ls_sem_acquire(sem, LS_NEVER);
    say("%d ", is_taken());
    ls_sem_release(sem);
    say("%d", is_taken());
}

static intptr_t sem_twice(void *i)
{
    for (int k = 0; k < 2; k++) {
        sem_tag(i);
        ls_sleep(5 * LS_MS);
        ls_sem_release(sem);
    }
    return 0;
}
static void sem_acquire_fifo_order(void)
{
    sem_of(1);
    spawn(sem_twice, 3);
    wait_all(3);
    say_order();
}

static intptr_t sem_again(void *arg)
{
    (void)arg;
    sem_tag((void *)2);
    ls_sem_release(sem);
    return sem_tag((void *)4);
}
static void sem_acquire_fifo_order_2(void)
{
    sem_of(1);
    t[0] = ls_spawn(sem_tag, (void *)1, NULL);
    t[1] = ls_spawn(sem_again, NULL, NULL);
    t[2] = ls_spawn(sem_tag, (void *)3, NULL);
    tick(1);
    ls_sem_release(sem);
    ls_sem_release(sem);
    wait_all(3);
    say_order();
}

static void sem_acquire_fifo_order_3(void)
{
    sem_of(0);
    spawn(sem_tag, 3);
    tick(1);
    ls_cancel(t[0], NULL);
    ls_sem_release(sem);
    ls_sem_release(sem);
    wait_all(3);
    say_order();
}

/* Barrier */

static intptr_t party(void *i)
{
    int index = ls_barrier_wait(barrier, LS_NEVER);
    if (index >= 0)
        tag("%d#%d ", (int)(intptr_t)i, index);
    else if (errno == EPIPE)
        tag("%dbroken ", (int)(intptr_t)i);
    else
        return -1;
    return 0;
}
static void say_barrier(void)
{
    say("%zd %d ", ls_barrier_waiting(barrier), ls_barrier_broken(barrier));
}

static void barrier_parties(void)
{
    say(ls_barrier_new(NULL, 0) ? "made" : "error");
}

static void barrier_filling_one_task_twice(void)
{
    barrier = ls_barrier_new(NULL, 1);
    for (intptr_t i = 1; i <= 2; i++) {
        party((void *)i);
        say_order();
        say_barrier();
    }
}

static void barrier_filling_task_by_task(void)
{
    barrier = ls_barrier_new(NULL, 3);
    for (intptr_t i = 1; i <= 3; i++) {
        t[i - 1] = ls_spawn(party, (void *)i, NULL);
        tick(1);
        if (i < 3)
            say("%zd ", ls_barrier_waiting(barrier));
        else
            say("full ");
    }
    wait_all(3);
    say_order();
    say_barrier();
}

static intptr_t barrier_twice(void *arg)
{
    (void)arg;
    ls_barrier_wait(barrier, LS_NEVER);
    tag("1");
    ls_barrier_wait(barrier, LS_NEVER);
    tag("2");
    return 0;
}
static void barrier_filling_tasks_wait_twice(void)
{
    barrier = ls_barrier_new(NULL, 5);
    spawn(barrier_twice, 5);
    wait_all(5);
    say_order();
    say_barrier();
}

static intptr_t barrier_index(void *arg)
{
    (void)arg;
    ls_barrier_wait(barrier, LS_NEVER);
    return ls_barrier_wait(barrier, LS_NEVER);
}
static void barrier_filling_tasks_check_return_value(void)
{
    intptr_t result, count[5] = { 0 };
    barrier = ls_barrier_new(NULL, 5);
    spawn(barrier_index, 5);
    wait_all(5);
    for (int i = 0; i < 5; i++)
        if (!ls_result(t[i], &result))
            count[result]++;
    for (int i = 0; i < 5; i++)
        for (; count[i] > 0; count[i]--)
            say("%d ", i);
}

static intptr_t barrier_again(void *arg)
{
    (void)arg;
    ls_barrier_wait(barrier, LS_NEVER);
    if (value < 2)
        value++;
    else {
        ls_barrier_wait(smaller, LS_NEVER);
        tag("3");
    }
    ls_barrier_wait(barrier, LS_NEVER);
    tag("5");
    return 0;
}
static void barrier_blocking_tasks_while_draining(void)
{
    barrier = ls_barrier_new(NULL, 5);
    smaller = ls_barrier_new(NULL, 3);
    spawn(barrier_again, 5);
    wait_all(5);
    say_order();
}

static int count_in_order(const char *what)
{
    int n = 0;
    for (const char *c = order; (c = strstr(c, what)); c++)
        n++;
    return n;
}
static void barrier_filling_tasks_cancel_one(void)
{
    barrier = ls_barrier_new(NULL, 3);
    spawn(party, 2);
    tick(1);
    say("%zd ", ls_barrier_waiting(barrier));
    ls_cancel(t[0], NULL);
    tick(1);
    say("%zd %s ", ls_barrier_waiting(barrier), outcome(t[0]));
    t[2] = ls_spawn(party, (void *)3, NULL);
    tick(1);
    say("%zd ", ls_barrier_waiting(barrier));
    t[3] = ls_spawn(party, (void *)4, NULL);
    wait_all(4);
    say("%d ", count_in_order("#"));
    say_barrier();
}

static void barrier_reset(void)
{
    barrier = ls_barrier_new(NULL, 1);
    ls_barrier_reset(barrier);
    say_barrier();
}

static void barrier_reset_while_waiting(void)
{
    barrier = ls_barrier_new(NULL, 5);
    spawn(party, 4);
    tick(1);
    ls_barrier_reset(barrier);
    wait_all(4);
    say_order();
    say_barrier();
}

static intptr_t party_twice(void *i)
{
    party(i);
    return party(i);
}
static void barrier_reset_and_waiting_again(void)
{
    barrier = ls_barrier_new(NULL, 3);
    spawn(party_twice, 2);
    tick(1);
    ls_barrier_reset(barrier);
    tick(4);
    t[2] = ls_spawn(party, (void *)3, NULL);
    wait_all(3);
    say("%d %d ", count_in_order("broken"), count_in_order("#"));
    say_barrier();
}

static void barrier_abort(void)
{
    barrier = ls_barrier_new(NULL, 5);
    spawn(party, 3);
    tick(1);
    ls_barrier_abort(barrier);
    wait_all(3);
    party((void *)4);
    say_order();
    say_barrier();
}

static void barrier_abort_then_reset(void)
{
    barrier = ls_barrier_new(NULL, 2);
    ls_barrier_abort(barrier);
    party((void *)1);
    ls_barrier_reset(barrier);
    say("%d ", ls_barrier_broken(barrier));
    t[0] = ls_spawn(party, (void *)2, NULL);
    t[1] = ls_spawn(party, (void *)3, NULL);
    wait_all(2);
    say_order();
    say("%d", ls_barrier_broken(barrier));
}

static const struct sync_case cases[] = {
    { "Semaphore.initial_value_zero", sem_initial_value_zero },
    { "Semaphore.semaphore_value", sem_semaphore_value },
    { "Semaphore.acquire", sem_acquire },
    { "Semaphore.acquire_cancel", sem_acquire_cancel },
    { "Semaphore.acquire_cancel_before_awoken", sem_acquire_cancel_before_awoken },
    { "Semaphore.acquire_hang", sem_acquire_hang },
    { "Semaphore.acquire_no_hang", sem_acquire_no_hang },
    { "Semaphore.release_not_acquired", sem_release_not_acquired },
    { "Semaphore.release_no_waiters", sem_release_no_waiters },
    { "Semaphore.acquire_fifo_order", sem_acquire_fifo_order },
    { "Semaphore.acquire_fifo_order_2", sem_acquire_fifo_order_2 },
    { "Semaphore.acquire_fifo_order_3", sem_acquire_fifo_order_3 },
    { "Barrier.barrier_parties", barrier_parties },
    { "Barrier.filling_one_task_twice", barrier_filling_one_task_twice },
    { "Barrier.filling_task_by_task", barrier_filling_task_by_task },
    { "Barrier.filling_tasks_wait_twice", barrier_filling_tasks_wait_twice },
    { "Barrier.filling_tasks_check_return_value", barrier_filling_tasks_check_return_value },
    { "Barrier.blocking_tasks_while_draining", barrier_blocking_tasks_while_draining },
    { "Barrier.filling_tasks_cancel_one", barrier_filling_tasks_cancel_one },
    { "Barrier.reset_barrier", barrier_reset },
    { "Barrier.reset_barrier_while_tasks_waiting", barrier_reset_while_waiting },
    { "Barrier.reset_barrier_while_tasks_waiting_and_waiting_again", barrier_reset_and_waiting_again },
    { "Barrier.abort_barrier", barrier_abort },
    { "Barrier.abort_barrier_when_exception_then_resetting", barrier_abort_then_reset },
};

int main(void)
{
    return run_cases(cases, sizeof cases / sizeof *cases);
}

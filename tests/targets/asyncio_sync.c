/* asyncio_sync.c - the cases of tests/e2e/asyncio_sync.py, for our runtime: prints "Case: what happened", a line each. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <loopscope/runtime.h>

static char said[512], order[256];
static struct ls_lock *lock;
static struct ls_cond *cond;
static struct ls_event *event, *go[8];
static struct ls_sem *sem;
static struct ls_barrier *barrier, *smaller;
static struct ls_queue *queue;
static struct ls_task *t[8];
static int value;

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + used, size - used, format, ap);
    va_end(ap);
}
#define say(...) append(said, sizeof said, __VA_ARGS__)
#define tag(...) append(order, sizeof order, __VA_ARGS__)

static void say_order(void)
{
    say("[%s] ", order);
}
static const char *outcome(struct ls_task *task)
{
    return !ls_done(task) ? "pending" : ls_cancelled(task) ? "cancelled" : ls_error(task) ? "failed" : "done";
}
static void say_outcomes(int n)
{
    for (int i = 0; i < n; i++)
        say("%s ", outcome(t[i]));
}
static void tick(int n)
{
    while (n-- > 0)
        ls_yield();
}
static void wait_all(int n)
{
    ls_wait(t, (size_t)n, LS_ALL_DONE, NULL, LS_NEVER);
}
/* Tasks 1 to n, which are given their number. */
static void spawn(ls_fn *fn, int n)
{
    for (intptr_t i = 1; i <= n; i++)
        t[i - 1] = ls_spawn(fn, (void *)i, "%d", (int)i);
}
static int is_locked(void)
{
    return ls_lock_holder(lock) != NULL;
}
/* As asyncio's Semaphore.locked(). */
static int is_taken(void)
{
    return ls_sem_value(sem) == 0;
}

/* Lock */

static intptr_t holder(void *i)
{
    if (ls_lock_acquire(lock, LS_NEVER))
        return -1;
    tag("%d", (int)(intptr_t)i);
    int result = ls_event_wait(go[(intptr_t)i], LS_NEVER), error = errno;
    ls_lock_release(lock);
    errno = error;
    return result;
}

static void lock_acquire(void)
{
    ls_lock_acquire(lock, LS_NEVER);
    spawn(holder, 2);
    tick(1);
    say_order();
    ls_lock_release(lock);
    tick(1);
    say_order();
    tick(1);
    say_order();
    t[2] = ls_spawn(holder, (void *)3, NULL);
    for (int i = 1; i <= 3; i++) {
        ls_event_set(go[i]);
        tick(2);
        say_order();
    }
    tick(1);
    say_outcomes(3);
    say("%d", is_locked());
}

static void lock_acquire_cancel(void)
{
    ls_lock_acquire(lock, LS_NEVER);
    spawn(holder, 1);
    tick(1);
    ls_cancel(t[0], NULL);
    wait_all(1);
    say("%s %d ", outcome(t[0]), is_locked());
    ls_lock_release(lock);
    say("%d", is_locked());
}

static void lock_cancel_race(void)
{
    spawn(holder, 3);
    tick(1);
    ls_event_set(go[3]);
    ls_event_set(go[1]);
    ls_cancel(t[1], NULL);
    tick(1);
    say_order();
    say_outcomes(3);
    tick(3);
    say_order();
    say("%s %d", outcome(t[2]), is_locked());
}

static void lock_cancel_release_race(void)
{
    ls_lock_acquire(lock, LS_NEVER);
    spawn(holder, 3);
    tick(1);
    ls_cancel(t[0], NULL);
    ls_lock_release(lock);
    tick(2);
    say_order();
    say_outcomes(3);
}

static void lock_finished_waiter_cancelled(void)
{
    ls_lock_acquire(lock, LS_NEVER);
    spawn(holder, 1);
    tick(1);
    t[1] = ls_spawn(holder, (void *)2, NULL);
    ls_cancel(t[0], NULL);
    ls_lock_release(lock);
    tick(1);
    say("%d %s ", is_locked(), outcome(t[0]));
    tick(1);
    say_order();
    say("%s", outcome(t[1]));
}

static void lock_release_not_acquired(void)
{
    say(ls_lock_release(lock) ? "error" : "released");
}

static void lock_release_no_waiters(void)
{
    ls_lock_acquire(lock, LS_NEVER);
    say("%d ", is_locked());
    ls_lock_release(lock);
    say("%d", is_locked());
}

/* Event */

static intptr_t event_waiter(void *i)
{
    if (ls_event_wait(event, LS_NEVER))
        return -1;
    tag("%d", (int)(intptr_t)i);
    return 0;
}

static void event_wait(void)
{
    spawn(event_waiter, 2);
    tick(1);
    say_order();
    t[2] = ls_spawn(event_waiter, (void *)3, NULL);
    ls_event_set(event);
    tick(1);
    say_order();
    say("%d ", ls_event_is_set(event));
    say_outcomes(3);
}

static void event_wait_on_set(void)
{
    ls_event_set(event);
    event_waiter((void *)1);
    say_order();
}

static void event_wait_cancel(void)
{
    spawn(event_waiter, 1);
    tick(1);
    ls_cancel(t[0], NULL);
    tick(1);
    say_order();
    say_outcomes(1);
}

static void event_clear(void)
{
    say("%d ", ls_event_is_set(event));
    ls_event_set(event);
    say("%d ", ls_event_is_set(event));
    ls_event_clear(event);
    say("%d", ls_event_is_set(event));
}

static void event_clear_with_waiters(void)
{
    spawn(event_waiter, 1);
    tick(1);
    say_order();
    ls_event_set(event);
    ls_event_clear(event);
    t[1] = ls_spawn(event_waiter, (void *)2, NULL);
    tick(1);
    say_order();
    say("%d ", ls_event_is_set(event));
    say_outcomes(2);
}

/* Condition */

static intptr_t cond_waiter(void *i)
{
    if (ls_lock_acquire(lock, LS_NEVER))
        return -1;
    int result = ls_cond_wait(cond, lock, LS_NEVER);
    if (!result) {
        tag("%d", (int)(intptr_t)i);
        result = ls_event_wait(go[(intptr_t)i], LS_NEVER);
    }
    int error = errno;
    ls_lock_release(lock);
    errno = error;
    return result;
}

static void cond_wait(void)
{
    spawn(cond_waiter, 3);
    tick(2);
    say_order();
    say("%d ", is_locked());
    ls_lock_acquire(lock, LS_NEVER);
    ls_cond_notify(cond, 1);
    tick(1);
    say_order();
    say("%d ", is_locked());
    ls_lock_release(lock);
    tick(1);
    say_order();
    say("%d ", is_locked());
    ls_event_set(go[1]);
    ls_cond_notify(cond, 2);
    for (int i = 1; i <= 3; i++) {
        ls_event_set(go[i]);
        tick(2);
        say_order();
        say("%d ", is_locked());
    }
    say_outcomes(3);
}

static intptr_t cond_told(void *arg)
{
    (void)arg;
    ls_lock_acquire(lock, LS_NEVER);
    int result = ls_cond_wait(cond, lock, LS_NEVER), error = errno;
    if (result && error == ECANCELED)
        say("told %d ", ls_lock_holder(lock) == ls_self());
    ls_lock_release(lock);
    errno = error;
    return result;
}
static void cond_wait_cancel(void)
{
    spawn(cond_told, 1);
    tick(1);
    ls_cancel(t[0], NULL);
    tick(1);
    say("%s %d", outcome(t[0]), is_locked());
}

static void cond_wait_cancel_after_notify(void)
{
    spawn(cond_waiter, 1);
    tick(1);
    ls_lock_acquire(lock, LS_NEVER);
    ls_cond_notify(cond, 1);
    tick(1);
    ls_cancel(t[0], NULL);
    tick(1);
    say_outcomes(1);
    ls_lock_release(lock);
    tick(2);
    say_order();
    say("%s %d", outcome(t[0]), is_locked());
}

static void cond_wait_cancel_contested(void)
{
    spawn(cond_waiter, 1);
    tick(1);
    ls_lock_acquire(lock, LS_NEVER);
    ls_cancel(t[0], NULL);
    tick(3);
    say("%s %d ", outcome(t[0]), is_locked());
    ls_lock_release(lock);
    tick(2);
    say_order();
    say("%s %d", outcome(t[0]), is_locked());
}

static void cond_wait_unacquired(void)
{
    say(ls_cond_wait(cond, lock, LS_NEVER) && errno == EPERM ? "error" : "waited");
}

static int is_three(void *v)
{
    return *(int *)v == 3;
}
static int is_true(void *v)
{
    return v == NULL;
}
static intptr_t cond_for_three(void *arg)
{
    (void)arg;
    ls_lock_acquire(lock, LS_NEVER);
    say("%d ", ls_cond_wait_for(cond, lock, is_three, &value, LS_NEVER) == 0);
    tag("1");
    return ls_lock_release(lock);
}
static void cond_wait_for(void)
{
    spawn(cond_for_three, 1);
    tick(1);
    while (value < 3) {
        say_order();
        ls_lock_acquire(lock, LS_NEVER);
        value++;
        ls_cond_notify(cond, 1);
        ls_lock_release(lock);
        tick(2);
    }
    say_order();
    say_outcomes(1);
}

static void cond_wait_for_unacquired(void)
{
    say("%d ", ls_cond_wait_for(cond, lock, is_true, NULL, LS_NEVER) == 0);
    say(ls_cond_wait_for(cond, lock, is_three, &value, LS_NEVER) && errno == EPERM ? "error" : "waited");
}

static intptr_t cond_tags(void *i)
{
    if (ls_lock_acquire(lock, LS_NEVER) || ls_cond_wait(cond, lock, LS_NEVER))
        return -1;
    tag("%d", (int)(intptr_t)i);
    return ls_lock_release(lock);
}
static void cond_notify(void)
{
    static const size_t n[] = { 1, 1, 2048 };
    spawn(cond_tags, 3);
    tick(3);
    say_order();
    for (int i = 0; i < 3; i++) {
        ls_lock_acquire(lock, LS_NEVER);
        ls_cond_notify(cond, n[i]);
        ls_lock_release(lock);
        tick(3);
        say_order();
    }
    say_outcomes(3);
}

static void cond_notify_all(void)
{
    spawn(cond_tags, 2);
    tick(3);
    ls_lock_acquire(lock, LS_NEVER);
    ls_cond_notify_all(cond);
    ls_lock_release(lock);
    tick(3);
    say_order();
    say_outcomes(2);
}

static void cond_notify_unacquired(void)
{
    say("%d", ls_cond_notify(cond, 1));
}

static void cond_timeout_in_block(void)
{
    ls_lock_acquire(lock, LS_NEVER);
    if (ls_cond_wait(cond, lock, ls_after(10 * LS_MS)) && errno == ETIMEDOUT)
        say("timeout ");
    say("%d", is_locked());
    ls_lock_release(lock);
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

/* Queue */

static void queue_of(size_t max)
{
    queue = ls_queue_new(NULL, sizeof(int), max);
}
static int put(int v)
{
    return ls_queue_put_nowait(queue, &v);
}
static int get(void)
{
    int v;
    return ls_queue_get_nowait(queue, &v) ? -1 : v;
}
static intptr_t getter(void *i)
{
    int v;
    if (ls_queue_get(queue, &v, LS_NEVER))
        return -1;
    tag("%d=%d ", (int)(intptr_t)i, v);
    return v;
}
static intptr_t putter(void *i) /* puts 10 + its number */
{
    int v = 10 + (int)(intptr_t)i;
    if (ls_queue_put(queue, &v, LS_NEVER))
        return -1;
    tag("%d", (int)(intptr_t)i);
    return 0;
}

static void queue_say(void)
{
    say("%d %d %zd ", ls_queue_empty(queue), ls_queue_full(queue), ls_queue_size(queue));
}
static void queue_basic(void)
{
    queue_of(2);
    queue_say();
    put(1);
    queue_say();
    put(2);
    queue_say();
    say("%d ", get());
    say("%d ", get());
    say("%d", ls_queue_empty(queue));
}

static void queue_nonblocking_get_exception(void)
{
    queue_of(0);
    say(get() == -1 && errno == EAGAIN ? "empty" : "got");
}

static void queue_nonblocking_put_exception(void)
{
    queue_of(1);
    put(1);
    say(put(2) && errno == EAGAIN ? "full" : "put");
}

static void queue_blocking_get_wait(void)
{
    queue_of(0);
    spawn(getter, 1);
    tick(1);
    say_order();
    ls_sleep(2 * LS_MS);
    put(7);
    wait_all(1);
    say_order();
}

static void queue_blocking_put_wait(void)
{
    queue_of(1);
    put(1);
    spawn(putter, 1);
    tick(1);
    say_order();
    say("%d ", get());
    wait_all(1);
    say_order();
    say("%d", get() - 9);
}

static void queue_get_cancelled_race(void)
{
    queue_of(0);
    spawn(getter, 2);
    tick(1);
    ls_cancel(t[0], NULL);
    tick(1);
    say("%s ", outcome(t[0]));
    ls_queue_put(queue, &(int){ 5 }, LS_NEVER);
    tick(1);
    say_order();
    say("%s", outcome(t[1]));
}

static void queue_get_with_waiting_putters(void)
{
    int a = 0, b = 0;
    queue_of(1);
    spawn(putter, 2);
    ls_queue_get(queue, &a, LS_NEVER);
    ls_queue_get(queue, &b, LS_NEVER);
    say("%d %d ", a, b);
    wait_all(2);
    say_order();
}

static intptr_t produce_five(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        ls_queue_put(queue, &i, LS_NEVER);
    return 0;
}
static intptr_t consume_five(void *arg)
{
    (void)arg;
    for (int i = 0, v; i < 5 && !ls_queue_get(queue, &v, LS_NEVER); i++)
        say("%d ", v);
    return 0;
}
static void queue_why_are_getters_waiting(void)
{
    queue_of(1);
    t[0] = ls_spawn(produce_five, NULL, NULL);
    t[1] = ls_spawn(consume_five, NULL, NULL);
    wait_all(2);
}

static void queue_cancelled_getters_not_held(void)
{
    queue_of(5);
    if (ls_queue_get(queue, NULL, ls_after(5 * LS_MS)) && errno == ETIMEDOUT)
        say("timeout ");
    put(1);
    say("%zd", ls_queue_size(queue));
}

static void queue_cancelled_puts_not_held(void)
{
    queue_of(1);
    put(1);
    if (ls_queue_put(queue, &(int){ 2 }, ls_after(5 * LS_MS)) && errno == ETIMEDOUT)
        say("timeout ");
    say("%d ", get());
    say("%zd", ls_queue_size(queue));
}

static void say_got(int i)
{
    intptr_t v;
    if (!strcmp(outcome(t[i]), "done") && !ls_result(t[i], &v))
        say("got %d ", (int)v);
}
static void queue_get_cancel_drop_one(void)
{
    queue_of(0);
    spawn(getter, 1);
    tick(1);
    put(1);
    put(2);
    say("size %zd ", ls_queue_size(queue));
    ls_cancel(t[0], NULL);
    wait_all(1);
    say("%s ", outcome(t[0]));
    say_got(0);
    say("size %zd", ls_queue_size(queue));
}

static void queue_get_cancel_drop_many(void)
{
    queue_of(0);
    spawn(getter, 3);
    tick(1);
    put(1);
    put(2);
    ls_cancel(t[0], NULL);
    tick(3);
    for (int i = 0; i < 3; i++) {
        say("%d %s ", i + 1, outcome(t[i]));
        say_got(i);
    }
}

static void queue_put_cancel_drop(void)
{
    queue_of(1);
    put(1);
    spawn(putter, 1);
    tick(1);
    get();
    ls_cancel(t[0], NULL);
    wait_all(1);
    say("%s size %zd ", outcome(t[0]), ls_queue_size(queue));
    say("again %d", get() - 9);
}

static void queue_put_cancelled(void)
{
    queue_of(1);
    put(1);
    spawn(putter, 1);
    tick(1);
    ls_cancel(t[0], NULL);
    tick(1);
    say("%s ", outcome(t[0]));
    say("%d ", get());
    say("%d", ls_queue_empty(queue));
}

static void queue_put_cancelled_race(void)
{
    queue_of(1);
    spawn(putter, 4);
    tick(1);
    say_outcomes(4);
    ls_cancel(t[2], NULL);
    tick(1);
    say("%d ", get());
    tick(2);
    say("%d ", get());
    tick(2);
    say("%d ", get());
    say("%s %d", outcome(t[2]), ls_queue_empty(queue));
    wait_all(4);
}

static void queue_put_with_waiting_getters(void)
{
    queue_of(0);
    spawn(getter, 1);
    tick(1);
    ls_queue_put(queue, &(int){ 9 }, LS_NEVER);
    wait_all(1);
    say_order();
}

static void say_132(void)
{
    put(1), put(3), put(2);
    for (int i = 0; i < 3; i++)
        say("%d ", get());
}
static void lifo_order(void)
{
    queue = ls_queue_new_lifo(NULL, sizeof(int), 0);
    say_132();
}
static int by_int(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}
static void priority_order(void)
{
    queue = ls_queue_new_priority(NULL, sizeof(int), 0, by_int);
    say_132();
}

static void join_task_done_underflow(void)
{
    queue_of(0);
    say(ls_queue_task_done(queue) ? "error" : "done");
}

static int total, running;
static intptr_t adder(void *arg)
{
    (void)arg;
    for (int v; running && !ls_queue_get(queue, &v, LS_NEVER);) {
        total += v;
        tick(1);
        ls_queue_task_done(queue);
    }
    return 0;
}
static void join_task_done(void)
{
    queue_of(0);
    running = 1;
    for (int i = 0; i < 100; i++)
        put(i);
    spawn(adder, 2);
    ls_queue_join(queue, LS_NEVER);
    say("%d ", total);
    running = 0;
    put(0);
    put(0);
    wait_all(2);
    ls_queue_join(queue, LS_NEVER);
    say("%d", total);
}

static void join_empty_queue(void)
{
    queue_of(0);
    if (!ls_queue_join(queue, LS_NEVER) && !ls_queue_join(queue, LS_NEVER))
        say("joined");
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    { "Lock.acquire", lock_acquire },
    { "Lock.acquire_cancel", lock_acquire_cancel },
    { "Lock.cancel_race", lock_cancel_race },
    { "Lock.cancel_release_race", lock_cancel_release_race },
    { "Lock.finished_waiter_cancelled", lock_finished_waiter_cancelled },
    { "Lock.release_not_acquired", lock_release_not_acquired },
    { "Lock.release_no_waiters", lock_release_no_waiters },
    { "Event.wait", event_wait },
    { "Event.wait_on_set", event_wait_on_set },
    { "Event.wait_cancel", event_wait_cancel },
    { "Event.clear", event_clear },
    { "Event.clear_with_waiters", event_clear_with_waiters },
    { "Condition.wait", cond_wait },
    { "Condition.wait_cancel", cond_wait_cancel },
    { "Condition.wait_cancel_after_notify", cond_wait_cancel_after_notify },
    { "Condition.wait_cancel_contested", cond_wait_cancel_contested },
    { "Condition.wait_unacquired", cond_wait_unacquired },
    { "Condition.wait_for", cond_wait_for },
    { "Condition.wait_for_unacquired", cond_wait_for_unacquired },
    { "Condition.notify", cond_notify },
    { "Condition.notify_all", cond_notify_all },
    { "Condition.notify_unacquired", cond_notify_unacquired },
    { "Condition.timeout_in_block", cond_timeout_in_block },
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
    { "Queue.empty_full_order_maxsize", queue_basic },
    { "Queue.nonblocking_get_exception", queue_nonblocking_get_exception },
    { "Queue.nonblocking_put_exception", queue_nonblocking_put_exception },
    { "Queue.blocking_get_wait", queue_blocking_get_wait },
    { "Queue.blocking_put_wait", queue_blocking_put_wait },
    { "Queue.get_cancelled_race", queue_get_cancelled_race },
    { "Queue.get_with_waiting_putters", queue_get_with_waiting_putters },
    { "Queue.why_are_getters_waiting", queue_why_are_getters_waiting },
    { "Queue.cancelled_getters_not_being_held_in_self_getters", queue_cancelled_getters_not_held },
    { "Queue.cancelled_puts_not_being_held_in_self_putters", queue_cancelled_puts_not_held },
    { "Queue.get_cancel_drop_one_pending_reader", queue_get_cancel_drop_one },
    { "Queue.get_cancel_drop_many_pending_readers", queue_get_cancel_drop_many },
    { "Queue.put_cancel_drop", queue_put_cancel_drop },
    { "Queue.put_cancelled", queue_put_cancelled },
    { "Queue.put_cancelled_race", queue_put_cancelled_race },
    { "Queue.put_with_waiting_getters", queue_put_with_waiting_getters },
    { "LifoQueue.order", lifo_order },
    { "PriorityQueue.order", priority_order },
    { "QueueJoin.task_done_underflow", join_task_done_underflow },
    { "QueueJoin.task_done", join_task_done },
    { "QueueJoin.join_empty_queue", join_empty_queue },
};

/* Each in a loop of its own, in virtual time. */
static intptr_t run_case(void *arg)
{
    lock = ls_lock_new(NULL);
    cond = ls_cond_new(NULL);
    event = ls_event_new(NULL);
    for (int i = 0; i < 8; i++)
        go[i] = ls_event_new(NULL);
    (*(void (*const *)(void))arg)();
    return 0;
}

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        *said = *order = 0;
        value = 0;
        ls_run(run_case, (void *)&cases[i].run, &(struct ls_opts){ .virtual_time = true });
        printf("%s: %s\n", cases[i].name, said);
    }
    return 0;
}

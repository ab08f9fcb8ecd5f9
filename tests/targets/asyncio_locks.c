/* asyncio_locks.c - locks, events and conditions as asyncio's tests have them, for our runtime; see asyncio_sync.h. */
#include "asyncio_sync.h"

static int is_locked(void)
{
    return ls_lock_holder(lock) != NULL;
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

static const struct sync_case cases[] = {
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
};

int main(void)
{
    return run_cases(cases, sizeof cases / sizeof *cases);
}

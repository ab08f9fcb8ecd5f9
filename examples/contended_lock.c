/* contended_lock.c - a mutex that another thread holds: the loop waits for that thread.
 *
 * The report: three stalls of 80 ms, cause `lock`, with the holder.  Cured in contended_lock_cured.c. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *holder(void *arg)
{
    pthread_mutex_lock(&lock);
    usleep(100000); /* works with what the lock guards */
    pthread_mutex_unlock(&lock);
    return arg;
}
static intptr_t use_shared(void *arg)
{
    pthread_mutex_lock(&lock); /* waits for the thread that holds it */
    pthread_mutex_unlock(&lock);
    return (intptr_t)arg;
}

static intptr_t ticker(void *worst) /* wants to run every 10 ms; how late it came at worst */
{
    for (ls_ns next = ls_after(10 * LS_MS); !ls_sleep_until(next); next = ls_after(10 * LS_MS))
        *(ls_ns *)worst = ls_now() - next > *(ls_ns *)worst ? ls_now() - next : *(ls_ns *)worst;
    return 0;
}

static intptr_t app(void *arg)
{
    ls_ns worst = 0;
    pthread_t thread;
    struct ls_task *tick = ls_spawn(ticker, &worst, NULL);
    for (int i = 0; i < 3; i++) {
        if (pthread_create(&thread, NULL, holder, arg))
            return 1;
        ls_sleep(20 * LS_MS); /* it has the lock by now */
        use_shared(NULL);
        pthread_join(thread, NULL);
        ls_sleep(20 * LS_MS);
    }
    ls_cancel(tick, NULL);
    ls_await(tick, NULL, LS_NEVER);
    printf("contended_lock: the ticker came %.0f ms late at worst\n", (double)worst / 1e6);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

/* rt_post.c - threads that post to loops which come and go, and call into them: for TSan and ASan.
 *
 * Every post that was accepted runs exactly once; every other says ESRCH; calls bring their own result. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <loopscope/runtime.h>

enum { LOOPS = 3, POSTERS = 4, ROUNDS = 60, POSTS = 400 };

static struct ls_loop *_Atomic loops[LOOPS];
static atomic_long accepted, refused, ran, called;
static atomic_int stop, failed;

static void hit(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
}
static intptr_t answer(void *arg)
{
    if ((intptr_t)arg % 3 == 0)
        ls_yield();
    return (intptr_t)arg + 1;
}
static intptr_t block(void *arg)
{
    usleep(50);
    return (intptr_t)arg;
}
static intptr_t life(void *arg)
{
    intptr_t n = (intptr_t)arg;
    loops[n % LOOPS] = ls_loop_self();
    for (int i = 0; i < 3; i++) {
        intptr_t result;
        if (ls_to_thread(block, arg, &result, LS_NEVER) || result != n)
            failed = 1;
        ls_to_thread(block, arg, NULL, ls_after(20 * LS_US)); /* most are given up */
        ls_sleep(300 * LS_US);
    }
    return 0;
}
static void *run_loops(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        if (ls_run(life, arg, NULL))
            failed = 1;
    return NULL;
}
static void *post_some(void *arg)
{
    intptr_t n = (intptr_t)arg;
    while (!stop) {
        struct ls_loop *l = loops[n++ % LOOPS];
        if (!l)
            continue;
        for (int i = 0; i < POSTS && !stop; i++) {
            if (ls_post(l, hit, NULL) == 0)
                atomic_fetch_add(&accepted, 1);
            else if (errno == ESRCH) {
                atomic_fetch_add(&refused, 1);
                break;
            } else
                failed = 1;
        }
        intptr_t result = 0;
        if (ls_run_threadsafe(l, answer, (void *)n, &result, n % 4 ? LS_NEVER : ls_after(50 * LS_US)) == 0)
            atomic_fetch_add(&called, 1), failed |= result != n + 1 && !(result == -1 && errno == ECANCELED);
        else if (errno != ESRCH && errno != ETIMEDOUT)
            failed = 1;
    }
    return NULL;
}

int main(void)
{
    pthread_t loop[LOOPS], poster[POSTERS];
    for (intptr_t i = 0; i < LOOPS; i++)
        if (pthread_create(&loop[i], NULL, run_loops, (void *)i))
            return 1;
    for (intptr_t i = 0; i < POSTERS; i++)
        if (pthread_create(&poster[i], NULL, post_some, (void *)i))
            return 1;
    for (int i = 0; i < LOOPS; i++)
        pthread_join(loop[i], NULL);
    stop = 1;
    for (int i = 0; i < POSTERS; i++)
        pthread_join(poster[i], NULL);
    if (accepted != ran || !refused || !called)
        failed = 1;
    printf("rt_post: %s: %ld posts accepted, %ld ran, %ld refused, %ld calls\n", failed ? "failed" : "ok", accepted,
           ran, refused, called);
    return failed;
}

/* debug_cases.c - programs with one mistake each, for LOOPSCOPE_DEBUG=1: the target of tests/e2e/runtime_debug.py.
 * debug_cases CASE: runs it on a loop; what is said on stderr is the test's. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <loopscope/runtime.h>

/* The kernel's guard pages run out, when a case wants it: the library's calls come here first. */
static int no_guards;
int madvise(void *at, size_t size, int advice)
{
    (void)at, (void)size;
    return no_guards && advice > 100 ? (errno = EINVAL, -1) : 0;
}
int mprotect(void *at, size_t size, int prot)
{
    (void)at, (void)size, (void)prot;
    return no_guards ? (errno = ENOMEM, -1) : 0;
}

static void burn(long ms) /* blocks the thread, as a long computation does */
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    while (nanosleep(&t, &t))
        continue;
}

#line 1 "case.c"
static intptr_t fine(void *arg)
{
    ls_yield();
    return (intptr_t)arg;
}
static intptr_t fails(void *arg)
{
    errno = (int)(intptr_t)arg;
    return -1;
}
static intptr_t sleeps(void *arg)
{
    return ls_sleep((ls_ns)(intptr_t)arg * LS_SEC);
}

static intptr_t clean(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(fine, NULL, "one"), ls_spawn(fails, (void *)ENOENT, "two") };
    ls_gather_all(t, 2, NULL, LS_NEVER);
    ls_detach(ls_spawn(fine, NULL, NULL));
    struct ls_task *c = ls_spawn(sleeps, (void *)9, NULL);
    ls_yield();
    ls_cancel(c, "enough");
    ls_detach(c);
    ls_sleep(LS_MS);
    struct ls_lock *lock = ls_lock_new("db");
    ls_lock_acquire(lock, LS_NEVER);
    ls_lock_release(lock);
    ls_lock_free(lock);
    return (intptr_t)arg;
}
static intptr_t seen(void *arg) /* each failure, in one of the ways there are */
{
    struct ls_task *t[3] = { ls_spawn(fails, (void *)EIO, "a"), ls_spawn(fails, (void *)EPERM, "b"),
                             ls_spawn(sleeps, (void *)9, "c") };
    if (ls_gather(t, 3, NULL, LS_NEVER))
        ls_reap(t, 3, "one failed", LS_NEVER);
    struct ls_group *g = ls_group_open("g");
    ls_group_spawn(g, fails, (void *)EIO, NULL);
    ls_group_spawn(g, fails, (void *)EPERM, NULL);
    ls_group_close(g, LS_NEVER);
    struct ls_task *peeked = ls_spawn(fails, (void *)EIO, NULL);
    ls_wait(&peeked, 1, LS_ALL_DONE, NULL, LS_NEVER);
    intptr_t result = ls_error(peeked);
    ls_detach(peeked);
    struct ls_future *f = ls_future_new("seen");
    ls_future_fail(f, EIO);
    ls_future_await(f, &result, LS_NEVER);
    ls_future_free(f);
    return (intptr_t)arg;
}
static intptr_t unseen(void *arg)
{
    struct ls_future *f = ls_future_new("answer");
    ls_future_fail(f, EIO);
    ls_future_free(f);
    return (intptr_t)arg;
}
static intptr_t unawaited(void *arg)
{
    ls_spawn(fine, NULL, "orphan %d", 7);
    ls_spawn(fails, (void *)EPIPE, "lost");
    ls_detach(ls_spawn(fails, (void *)ENOENT, "dropped"));
    return ls_sleep(LS_MS) + (intptr_t)arg;
}
static intptr_t unfinished(void *arg)
{
    ls_detach(ls_spawn(sleeps, (void *)9, "sleeper"));
    ls_yield();
    ls_detach(ls_spawn(fine, NULL, "late"));
    return (intptr_t)arg;
}
static intptr_t again_and_again(void *arg)
{
    while (arg)
        ls_sleep(LS_SEC);
    return 0;
}
static intptr_t stubborn(void *arg)
{
    ls_detach(ls_spawn(again_and_again, "for ever", "stubborn"));
    return ls_yield() + (intptr_t)arg;
}
static intptr_t twice(void *arg)
{
    struct ls_task *t = ls_spawn(fine, NULL, "once");
    ls_await(t, NULL, LS_NEVER);
    ls_await(t, NULL, LS_NEVER);
    ls_lock_release(NULL);
    return (intptr_t)arg;
}
static intptr_t keeps_lock(void *arg)
{
    return ls_lock_acquire((struct ls_lock *)arg, LS_NEVER);
}
static intptr_t lock_kept(void *arg)
{
    struct ls_lock *lock = ls_lock_new("db");
    ls_await(ls_spawn(keeps_lock, lock, "writer"), NULL, LS_NEVER);
    return (intptr_t)arg;
}
static intptr_t long_step(void *arg)
{
    burn(150);
    ls_yield();
    burn(1);
    ls_yield();
    burn(160);
    return (intptr_t)arg;
}
static intptr_t allowed(void *arg)
{
    ls_yield();
    LS_ALLOW_BLOCK("reads the config") burn(150);
    ls_yield();
    LS_ALLOW_BLOCK("again")
    {
        burn(150);
        ls_yield();
        burn(150);
    }
    return (intptr_t)arg;
}
static void call_burns(void *arg)
{
    burn((long)(intptr_t)arg);
}
static intptr_t slow(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(long_step, NULL, NULL), ls_spawn(allowed, NULL, NULL) };
    ls_gather_all(t, 2, NULL, LS_NEVER);
    ls_call_later(LS_MS, call_burns, (void *)170);
    return ls_sleep(20 * LS_MS) + (intptr_t)arg;
}
static intptr_t guardless(void *arg)
{
    no_guards = 1;
    struct ls_task *t[20];
    for (int i = 0; i < 20; i++)
        t[i] = ls_spawn(sleeps, NULL, NULL);
    return ls_gather(t, 20, NULL, LS_NEVER) + (intptr_t)arg;
}
static void *other_thread(void *arg)
{
    ls_await((struct ls_task *)arg, NULL, LS_NEVER);
    return NULL;
}
static intptr_t thread(void *arg)
{
    pthread_t id;
    struct ls_task *t = ls_spawn(fine, NULL, NULL);
    if (!pthread_create(&id, NULL, other_thread, t))
        pthread_join(id, NULL);
    return ls_await(t, NULL, LS_NEVER) + (intptr_t)arg;
}
#line 200 "main.c"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        ls_fn *fn;
    } cases[] = { { "clean", clean },
                  { "seen", seen },
                  { "unseen", unseen },
                  { "unawaited", unawaited },
                  { "unfinished", unfinished },
                  { "stubborn", stubborn },
                  { "twice", twice },
                  { "lock_kept", lock_kept },
                  { "slow", slow },
                  { "guardless", guardless },
                  { "thread", thread } };
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(cases[i].name, argv[1]))
            return (int)ls_run(cases[i].fn, NULL, &(struct ls_opts){ .close_grace = 10 * LS_MS });
    fprintf(stderr, "usage: debug_cases CASE\n");
    return 2;
}

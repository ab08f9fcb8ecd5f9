/* rt_faults.c - what the runtime asks of the system fails, each call of a run in turn: memory, mappings, guards, epoll,
 * eventfd, threads.
 *
 * A scenario is run again and again; in run n the n-th such call fails (with a second kind of run: it and all that follow),
 * until a run makes fewer.  Each run must end, without a crash; what it could not do it must have said, by -1 and an errno
 * that fits.  A new scenario is one more row of the table.  Exit 77 where a sanitizer owns malloc. */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
int main(void)
{
    return 77;
}
#else

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static _Thread_local bool armed; /* the calls of other threads (the pool's) are not counted */
static long calls, failing;
static bool for_good;

static bool fails(int error)
{
    if (!armed || ++calls < failing || (calls > failing && !for_good))
        return false;
    errno = error;
    return true;
}
void *malloc(size_t n)
{
    return fails(ENOMEM) ? NULL : __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    return fails(ENOMEM) ? NULL : __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    return fails(ENOMEM) ? NULL : __libc_realloc(p, n);
}
void *aligned_alloc(size_t align, size_t n)
{
    return fails(ENOMEM) ? NULL : __libc_memalign(align, n);
}
void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    return fails(ENOMEM) ? MAP_FAILED : (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
}
int madvise(void *at, size_t n, int advice)
{
    return fails(EINVAL) ? -1 : (int)syscall(SYS_madvise, at, n, advice);
}
int mprotect(void *at, size_t n, int prot)
{
    return fails(ENOMEM) ? -1 : (int)syscall(SYS_mprotect, at, n, prot);
}
int epoll_create1(int flags)
{
    return fails(EMFILE) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
    return fails(ENOSPC) ? -1 : (int)syscall(SYS_epoll_ctl, epoll, op, fd, e);
}
int eventfd(unsigned value, int flags)
{
    return fails(EMFILE) ? -1 : (int)syscall(SYS_eventfd2, value, flags);
}
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    bool was = armed;
    if (fails(EAGAIN))
        return EAGAIN;
    armed = false; /* what the C library asks for meanwhile is its own affair */
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    int error = real(thread, attr, fn, arg);
    armed = was;
    return error;
}

/* What is said must fit what fails. */
static bool fits(int error)
{
    return error == ENOMEM || error == EMFILE || error == EAGAIN || error == ENOSPC || error == EINVAL;
}
/* A step of a scenario: it worked, or it says why not. */
static int wrong, wrong_line;
#define MAY_FAIL(x) ((x) ? true : (fits(errno) ? false : (wrong = errno ? errno : -1, wrong_line = __LINE__, false)))

static intptr_t give(void *arg)
{
    ls_yield();
    return (intptr_t)arg;
}
static intptr_t await_one(void *arg, const char *name)
{
    intptr_t result = 0;
    struct ls_task *t = ls_spawn(give, arg, name, 1);
    if (!MAY_FAIL(t) || !MAY_FAIL(!ls_await(t, &result, LS_NEVER)))
        return -1;
    return result == -1 && fits(errno) ? -1 : result == (intptr_t)arg ? 0 : (wrong = -2);
}
static intptr_t spawns(void *arg)
{
    enum { N = 40 };
    struct ls_task *t[N];
    intptr_t out[N];
    int n = 0;
    await_one(arg, "named %d");
    while (n < N && MAY_FAIL(t[n] = ls_spawn(give, (void *)(intptr_t)n, NULL)))
        n++;
    if (!MAY_FAIL(!ls_gather_all(t, (size_t)n, out, LS_NEVER)))
        for (int i = 0; i < n; i++)
            ls_detach(t[i]);
    return 0;
}
static void count(void *arg)
{
    ++*(int *)arg;
}
static intptr_t timers(void *arg)
{
    int made = 0, called = 0;
    (void)arg;
    for (int i = 0; i < 300; i++)
        made += MAY_FAIL(ls_call_later(LS_MS, count, &called));
    if (!MAY_FAIL(!ls_sleep(2 * LS_MS)))
        return 0;
    if (called != made)
        wrong = -3;
    await_one(arg, NULL);
    return 0;
}
static intptr_t in_thread(void *arg)
{
    return (intptr_t)arg;
}
static intptr_t threads(void *arg)
{
    intptr_t result = 7;
    (void)arg;
    for (int i = 0; i < 3; i++)
        if (MAY_FAIL(!ls_to_thread(in_thread, (void *)5, &result, LS_NEVER)) && result != 5)
            wrong = -4;
    return 0;
}
static intptr_t writes(void *arg)
{
    return ls_write(*(int *)arg, "x", 1, LS_NEVER);
}
static intptr_t fds(void *arg)
{
    int p[2];
    char c;
    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p))
        return 0;
    struct ls_task *t = ls_spawn(writes, &p[1], NULL);
    if (MAY_FAIL(t)) {
        intptr_t result;
        bool read = MAY_FAIL(ls_read(p[0], &c, 1, ls_after(20 * LS_MS)) == 1 || errno == ETIMEDOUT);
        if (MAY_FAIL(!ls_await(t, &result, LS_NEVER)) && read && result == 1 && c != 'x')
            wrong = -5;
    }
    MAY_FAIL(ls_wait_fd(p[1], POLLOUT, ls_after(20 * LS_MS)) >= 0 || errno == ETIMEDOUT);
    ls_close(p[0]);
    ls_close(p[1]);
    return 0;
}

static const struct scenario {
    const char *name;
    ls_fn *fn;
    bool virtual_time;
} scenarios[] = {
    { "spawn, await, gather", spawns, true },
    { "calls and sleeps", timers, true },
    { "a pool's threads", threads, false },
    { "fds", fds, false },
};

int main(void)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        for (int good = 0; good < 2; good++) {
            const struct scenario *s = &scenarios[i];
            long n = 0;
            do {
                calls = 0;
                failing = ++n;
                for_good = good;
                errno = 0;
                armed = true;
                intptr_t r = ls_run(s->fn, NULL, &(struct ls_opts){ .virtual_time = s->virtual_time });
                int error = errno;
                armed = false;
                if (r && !fits(error))
                    wrong = error ? error : -6;
                if (wrong) {
                    printf("rt_faults: %s: call %ld fails%s: %s (line %d)\n", s->name, n,
                           good ? ", and all that follow" : "", wrong > 0 ? strerror(wrong) : "a wrong result",
                           wrong_line);
                    return 1;
                }
            } while (calls >= n && n < 5000);
            printf("rt_faults: %s: %ld calls%s\n", s->name, n - 1, good ? ", one and all that follow" : "");
        }
    return 0;
}
#endif

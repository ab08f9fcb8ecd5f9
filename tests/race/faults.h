/* faults.h - for rt_faults*.c: what the runtime asks of the system fails, each call of a run in turn.
 *
 * The linker (--wrap) leads those calls of the runtime and of the test to the functions below; those of the C library and
 * of sanitizers are not touched, so that AddressSanitizer watches, too.  A scenario is run again and again: in run n the
 * n-th call fails, until a run makes fewer; then once more, where all that follow fail as well; then with each call
 * failing by the dice.  Each run must end (a watchdog says which did not), what it could not do it must have said by -1
 * and an errno that fits, and it must leave no memory, no mapping and no fd behind.
 *
 * A file that includes this has a line "link: -Wl,@tests/race/faults.link" in its header. */
#ifndef LOOPSCOPE_TESTS_FAULTS_H
#define LOOPSCOPE_TESTS_FAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <loopscope/runtime.h>

enum mode { ONE, ALL_FROM, DICE, MODES };
static const char *const mode_names[] = { "", ", and all that follow", ", and others by the dice" };

static atomic_bool armed; /* while the scenario runs; calls of other threads (the pool's) count, too */
static atomic_long calls, failing, failed;
static atomic_long blocks, mapped; /* what there is of both now */
static enum mode mode;
static bool telling;
static _Thread_local bool helping; /* this thread is the test's own: nothing fails */

/* The next call fails, with this errno. */
#define fails(error) call_fails(__func__, (error))
static bool call_fails(const char *call, int error)
{
    if (!armed || helping)
        return false;
    long n = ++calls;
    if (mode == DICE) {
        uint64_t x = ((uint64_t)n + (uint64_t)failing * 4096) * 0x9e3779b97f4a7c15u;
        if ((x >> 33) % 6)
            return false;
    } else if (n < failing || (mode == ONE && n > failing))
        return false;
    failed++;
    if (telling)
        dprintf(2, "call %ld fails: %s\n", n, call + strlen("__wrap_"));
    errno = error;
    return true;
}

#define WRAP(type, name, ...)      \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

static void *block(void *p)
{
    blocks += p != NULL;
    return p;
}
WRAP(void *, malloc, size_t n)
{
    return fails(ENOMEM) ? NULL : block(__real_malloc(n));
}
WRAP(void *, calloc, size_t n, size_t size)
{
    return fails(ENOMEM) ? NULL : block(__real_calloc(n, size));
}
WRAP(void *, aligned_alloc, size_t align, size_t n)
{
    return fails(ENOMEM) ? NULL : block(__real_aligned_alloc(align, n));
}
WRAP(char *, strdup, const char *text)
{
    return fails(ENOMEM) ? NULL : block(__real_strdup(text));
}
WRAP(FILE *, open_memstream, char **at, size_t *size)
{
    return fails(ENOMEM) ? NULL : block(__real_open_memstream(at, size)); /* its text is the caller's to free */
}
WRAP(void *, realloc, void *p, size_t n)
{
    if (fails(ENOMEM))
        return NULL;
    bool had = p != NULL;
    void *now = __real_realloc(p, n);
    blocks += !had && now;
    return now;
}
WRAP(void, free, void *p)
{
    blocks -= p != NULL;
    __real_free(p);
}
WRAP(void *, mmap, void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    void *p = fails(ENOMEM) ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, offset);
    if (p != MAP_FAILED && flags & MAP_STACK)
        mapped++;
    return p;
}
WRAP(int, munmap, void *at, size_t n)
{
    mapped--; /* the stacks' are all that is ever given back, and those of a race for the same chunk */
    return __real_munmap(at, n);
}
WRAP(int, madvise, void *at, size_t n, int advice)
{
    return fails(EINVAL) ? -1 : __real_madvise(at, n, advice);
}
WRAP(int, mprotect, void *at, size_t n, int prot)
{
    return fails(ENOMEM) ? -1 : __real_mprotect(at, n, prot);
}
WRAP(int, epoll_create1, int flags)
{
    return fails(EMFILE) ? -1 : __real_epoll_create1(flags);
}
WRAP(int, epoll_ctl, int epoll, int op, int fd, struct epoll_event *e)
{
    return op != EPOLL_CTL_DEL && fails(ENOSPC) ? -1 : __real_epoll_ctl(epoll, op, fd, e);
}
WRAP(int, epoll_pwait2, int epoll, struct epoll_event *e, int n, const struct timespec *t, const sigset_t *set)
{
    return mode == ONE && fails(EINTR) ? -1 : __real_epoll_pwait2(epoll, e, n, t, set);
}
WRAP(int, eventfd, unsigned value, int flags)
{
    return fails(EMFILE) ? -1 : __real_eventfd(value, flags);
}
WRAP(int, signalfd, int fd, const sigset_t *set, int flags)
{
    return fails(EMFILE) ? -1 : __real_signalfd(fd, set, flags);
}
static bool no_pidfd; /* as on a kernel before 5.3, or in a sandbox */
WRAP(int, pidfd_open, pid_t pid, unsigned flags)
{
    if (no_pidfd) {
        errno = ENOSYS;
        return -1;
    }
    return fails(EMFILE) ? -1 : __real_pidfd_open(pid, flags);
}
WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return fails(EAGAIN) ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}
WRAP(int, posix_spawnp, pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
     const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
    return fails(EAGAIN) ? EAGAIN : __real_posix_spawnp(pid, file, actions, attr, argv, env);
}
WRAP(int, pipe2, int fd[2], int flags)
{
    return fails(EMFILE) ? -1 : __real_pipe2(fd, flags);
}
WRAP(int, socket, int domain, int type, int protocol)
{
    return fails(EMFILE) ? -1 : __real_socket(domain, type, protocol);
}
WRAP(int, accept4, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return fails(EMFILE) ? -1 : __real_accept4(fd, addr, len, flags);
}

/* What is said must fit what fails. */
static bool fits(int error)
{
    return error == ENOMEM || error == EMFILE || error == EAGAIN || error == ENOSPC;
}
/* What a peer's failure does to this side. */
static bool follows(int error)
{
    return fits(error) || error == ETIMEDOUT || error == ECANCELED || error == EPIPE || error == ECONNRESET ||
           error == ECONNREFUSED || error == ENODATA || error == EBADF;
}

static int wrong, wrong_line; /* an errno, or -1: something else; what was found first */
__attribute__((unused)) static bool found(int error, int line)
{
    if (!wrong) {
        wrong = error ? error : -1;
        wrong_line = line;
    }
    return false;
}
/* A step of a scenario: it worked, or it says why not. */
#define MAY_FAIL(x) ((x) ? true : fits(errno) ? false : found(errno, __LINE__))
/* As that, or somebody else's failure is why not. */
#define MAY_STOP(x) ((x) ? true : follows(errno) ? false : found(errno, __LINE__))
#define MUST(x)     ((x) ? (void)0 : (void)found(-1, __LINE__))
#define SOON        ls_after(50 * LS_MS)

struct scenario {
    const char *name;
    ls_fn *fn; /* returns 0; or -1 and an errno that fits */
    bool virtual_time;
};

static int open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static const char *running;
static void too_long(int signal)
{
    char text[160];
    int n = snprintf(text, sizeof text, "faults: %s: call %ld fails%s: it does not end\n", running, failing,
                     mode_names[mode]);
    if (write(1, text, (size_t)n) == n)
        ls_dump(1);
    (void)signal;
    _exit(1);
}

static bool run_once(const struct scenario *s, long n)
{
    long before = blocks, stacks = mapped;
    int fds = open_fds();
    calls = 0;
    failing = n;
    errno = 0;
    wrong = 0;
    alarm(10);
    armed = n > 0;
    intptr_t r = ls_run(s->fn, NULL, &(struct ls_opts){ .virtual_time = s->virtual_time });
    int error = errno;
    armed = false;
    alarm(0);
    if (r && !fits(error))
        found(error, __LINE__);
    char text[128] = "";
    if (wrong)
        snprintf(text, sizeof text, "%s (line %d)", wrong > 0 ? strerror(wrong) : "a wrong result", wrong_line);
    else if (n && (blocks != before || mapped != stacks || open_fds() != fds))
        snprintf(text, sizeof text, "left behind: %ld blocks of memory, %ld mappings of stacks, %d fds", blocks - before,
                 mapped - stacks, open_fds() - fds);
    if (text[0])
        printf("faults: %s: call %ld fails%s: %s  ('%s' %d %ld)\n", s->name, n, mode_names[mode], text, s->name, mode, n);
    return !text[0];
}

/* With arguments: only that run, and what fails in it: PROGRAM SCENARIO MODE CALL. */
static int run_all(const struct scenario *s, size_t count, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, too_long);
    signal(SIGPIPE, SIG_IGN);
    for (; count--; s++) {
        running = s->name;
        mode = ONE;
        for (int i = 0; i < 2; i++) /* what the C library makes once, it makes now */
            if (!run_once(s, 0))
                return 1;
        long n = 0;
        if (argv[1]) {
            if (strcmp(s->name, argv[1]) != 0)
                continue;
            telling = true;
            mode = (enum mode)atoi(argv[2]);
            return !run_once(s, atol(argv[3]));
        }
        for (mode = ONE; mode < MODES; mode++) {
            for (n = 1; mode == DICE ? n <= 100 : n < 5000; n++) {
                if (!run_once(s, n))
                    return 1;
                if (calls < n && mode != DICE)
                    break;
            }
        }
        printf("faults: %s: ok, %ld failures\n", s->name, (long)failed);
        if (!failed)
            return 1;
        failed = 0;
    }
    return 0;
}

#endif

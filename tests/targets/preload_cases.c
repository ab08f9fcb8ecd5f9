/* preload_cases.c - one program, many ways to be difficult; run under the preload by tests/unit/test_preload.c and
 * without it for comparison.  preload_cases NAME: 0 when everything behaved as the C library promises. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <threads.h>
#include <unistd.h>

#define CHECK(x)                                                                       \
    do                                                                                 \
        if (!(x)) {                                                                    \
            fprintf(stderr, "preload_cases:%d: %s (errno %d)\n", __LINE__, #x, errno); \
            _exit(1);                                                                  \
        }                                                                              \
    while (0)

static int epfd;

static void make_epoll(void)
{
    CHECK((epfd = epoll_create1(0)) >= 0);
}
static void turn(int n)
{
    struct epoll_event e;
    while (n--)
        CHECK(epoll_wait(epfd, &e, 1, 0) == 0);
}
static void reap(pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static int do_calls(void)
{
    make_epoll();
    turn(2);
    usleep(5000);
    errno = 77;
    CHECK(open("/nonexistent/file", O_RDONLY) == -1 && errno == ENOENT);
    turn(1);
    usleep(30000);
    turn(1);
    return 0;
}

static int do_fork(void)
{
    make_epoll();
    turn(3);
    pid_t pid = fork();
    if (pid == 0) {
        turn(3);
        usleep(3000);
        turn(1);
        _exit(0);
    }
    reap(pid);
    turn(3);
    return 0;
}

static int do_clone(void)
{
    make_epoll();
    turn(3);
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        usleep(3000);
        turn(4);
        _exit(0);
    }
    reap(pid);
    turn(3);
    return 0;
}

static int do_vfork(void)
{
    make_epoll();
    turn(3);
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    reap(pid);
    pid = vfork();
    if (pid == 0) { /* as Python's subprocess: the loop's descriptor is closed there, not here */
        close(epfd);
        _exit(0);
    }
    reap(pid);
    usleep(3000);
    turn(3);
    return 0;
}

/* A child that locks itself in before its first poll, as privilege-separated servers do. */
static int do_sandbox(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct sock_filter kill_prctl[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 1),
                                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
        struct sock_fprog filter = { 4, kill_prctl };
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
        make_epoll();
        turn(3);
        usleep(3000);
        turn(1);
        _exit(0);
    }
    reap(pid);
    return 0;
}

/* What the kernel refuses must be refused by it, not by a crash in our wrapper. */
static int do_bad_pointers(void)
{
    struct epoll_event event;
    struct timespec *volatile bad = (struct timespec *)(uintptr_t)8; /* volatile: the compiler would warn, and rightly */
    int ep = epoll_create1(EPOLL_CLOEXEC);
    CHECK(ep >= 0);
    for (int i = 0; i < 4; i++) {
        CHECK(epoll_pwait2(ep, &event, 1, bad, NULL) == -1 && errno == EFAULT);
        CHECK(poll((struct pollfd *)bad, 2, 1) == -1 && errno == EFAULT);
    }
    return 0;
}
static int c11_value(void *unused)
{
    (void)unused;
    return 7;
}
/* Names of users, links, the log and C11's locks: each passed on with its arguments and its result. */
static int do_names(void)
{
    char dir[] = "/tmp/preload-cases-XXXXXX", link_[64], buf[4096];
    struct passwd pw, *user = NULL;
    struct group gr, *group = NULL;
    gid_t groups[64];
    int n = 64, value = 0;
    CHECK(mkdtemp(dir) != NULL);
    int at = open(dir, O_PATH | O_DIRECTORY);
    snprintf(link_, sizeof link_, "%s/soft", dir);
    make_epoll();
    turn(3);
    CHECK(mkdirat(at, "sub", 0700) == 0 && mkdirat(at, "sub", 0700) == -1 && errno == EEXIST);
    CHECK(faccessat(at, "sub", X_OK, 0) == 0 && faccessat(at, "none", F_OK, 0) == -1 && errno == ENOENT);
    CHECK(symlink("to", link_) == 0 && readlink(link_, buf, sizeof buf) == 2 && memcmp(buf, "to", 2) == 0);
    CHECK(symlinkat("other", at, "soft2") == 0 && readlinkat(at, "soft2", buf, sizeof buf) == 5);
    CHECK(link(link_, "/nowhere/x") == -1 && errno == ENOENT);
    CHECK(linkat(at, "soft", at, "hard", 0) == 0 && unlinkat(at, "hard", 0) == 0 && unlinkat(at, "soft", 0) == 0);
    CHECK(unlinkat(at, "soft2", 0) == 0 && unlinkat(at, "sub", AT_REMOVEDIR) == 0 && rmdir(dir) == 0);
    CHECK((user = getpwnam("root")) && user->pw_uid == 0 && (user = getpwuid(0)) && strcmp(user->pw_name, "root") == 0);
    CHECK(getpwnam_r("root", &pw, buf, sizeof buf, &user) == 0 && user == &pw && pw.pw_uid == 0);
    CHECK(getpwuid_r(0, &pw, buf, 1, &user) == ERANGE && getpwuid_r(0, &pw, buf, sizeof buf, &user) == 0 && user);
    CHECK((group = getgrnam("root")) && group->gr_gid == 0 && (group = getgrgid(0)) && group->gr_gid == 0);
    CHECK(getgrnam_r("root", &gr, buf, sizeof buf, &group) == 0 && group == &gr);
    CHECK(getgrgid_r(0, &gr, buf, sizeof buf, &group) == 0 && group == &gr);
    CHECK(getgrouplist("root", 0, groups, &n) >= 1 && n >= 1 && groups[0] == 0);
    errno = ENOTTY; /* %m is part of what is said */
    syslog(LOG_DEBUG | LOG_USER, "preload_cases %d %s %m", 1, "two");

    mtx_t mutex;
    cnd_t cond;
    thrd_t thread;
    struct timespec until, nap = { 0, 1000000 };
    CHECK(mtx_init(&mutex, mtx_timed) == thrd_success && cnd_init(&cond) == thrd_success);
    CHECK(mtx_lock(&mutex) == thrd_success && timespec_get(&until, TIME_UTC) == TIME_UTC);
    CHECK(cnd_timedwait(&cond, &mutex, &until) == thrd_timedout && mtx_timedlock(&mutex, &until) == thrd_timedout);
    CHECK(thrd_sleep(&nap, NULL) == 0 && thrd_create(&thread, c11_value, NULL) == thrd_success);
    CHECK(thrd_join(thread, &value) == thrd_success && value == 7);
    turn(1);
    return 0;
}

/* Before there is a loop, in the loop's own place and inside its turns: a set that is no memory is the kernel's. */
static int do_bad_sets(void)
{
    fd_set good, *volatile bad = (fd_set *)(uintptr_t)8;
    int ends[2], other[2];
    CHECK(pipe(ends) == 0 && pipe(other) == 0);
    for (int i = 0; i < 16; i++) {
        struct timeval t = { 0, 1000 };
        fd_set *set = i == 0 || i == 10 ? bad : &good;
        FD_ZERO(&good);
        FD_SET(ends[0], &good);
        FD_SET(other[0], &good);
        errno = 0;
        CHECK(select(64, set, NULL, NULL, &t) == (set == bad ? -1 : 0) && errno == (set == bad ? EFAULT : 0));
        if (i == 12) {
            struct timespec nap = { 0, 1000 };
            CHECK(pselect(64, NULL, bad, NULL, &nap, NULL) == -1 && errno == EFAULT);
            CHECK(select(64, NULL, NULL, bad, &t) == -1 && errno == EFAULT);
        }
    }
    return 0;
}

/* select(getdtablesize(), ...) with a set of the usual size: the kernel looks at no more than there are descriptors. */
static int do_wide_select(void)
{
    int ends[2];
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && mprotect(pages + 4096, 4096, PROT_NONE) == 0 && pipe(ends) == 0);
    fd_set *set = (fd_set *)(void *)(pages + 4096 - sizeof(fd_set));
    for (int i = 0; i < 6; i++) {
        struct timeval t = { 0, 1000 };
        FD_ZERO(set);
        FD_SET(ends[0], set);
        CHECK(select(1 << 20, set, NULL, NULL, &t) == 0);
    }
    return 0;
}

static void *short_loop(void *unused)
{
    struct epoll_event e;
    int fd = epoll_create1(0);
    (void)unused;
    CHECK(fd >= 0);
    for (int i = 0; i < 30; i++) /* a slot that another thread is just claiming is tried for again at the next poll */
        CHECK(epoll_wait(fd, &e, 1, 1) == 0);
    close(fd);
    return NULL;
}
static int do_threads(void)
{
    for (int i = 0; i < 50; i++) {
        pthread_t t[4];
        for (int k = 0; k < 4; k++)
            CHECK(pthread_create(&t[k], NULL, short_loop, NULL) == 0);
        for (int k = 0; k < 4; k++)
            CHECK(pthread_join(t[k], NULL) == 0);
    }
    return 0;
}

static int canceled_at[2], cleaned;
static void clean(void *unused)
{
    (void)unused;
    cleaned = 1;
}
static void *block_for_ever(void *unused)
{
    char c;
    struct epoll_event e;
    int fd = epoll_create1(0);
    (void)unused;
    pthread_cleanup_push(clean, NULL);
    for (int i = 0; i < 3; i++)
        epoll_wait(fd, &e, 1, 0);
    CHECK(read(canceled_at[0], &c, 1) == 2);
    pthread_cleanup_pop(0);
    return NULL;
}
static int do_cancel(void)
{
    pthread_t t;
    void *value;
    CHECK(pipe(canceled_at) == 0);
    CHECK(pthread_create(&t, NULL, block_for_ever, NULL) == 0);
    usleep(20000);
    CHECK(pthread_cancel(t) == 0 && pthread_join(t, &value) == 0);
    CHECK(value == PTHREAD_CANCELED && cleaned);
    return 0;
}

static sigjmp_buf away;
static void jump(int sig)
{
    siglongjmp(away, sig);
}
static int do_longjmp(void)
{
    int ends[2];
    char c;
    make_epoll();
    CHECK(pipe(ends) == 0);
    signal(SIGALRM, jump);
    turn(3);
    if (!sigsetjmp(away, 1)) {
        ualarm(10000, 0);
        CHECK(read(ends[0], &c, 1) == 2);
    }
    turn(2);
    usleep(5000); /* must be told: nothing may have stuck */
    turn(2);
    return 0;
}

static volatile sig_atomic_t signals;
static void count(int sig)
{
    int error = errno;
    (void)sig;
    signals = signals + 1;
    CHECK(write(-1, "", 1) == -1);
    errno = error;
}
static int do_storm(void)
{
    struct sigaction sa = { .sa_handler = count };
    struct itimerval often = { { 0, 100 }, { 0, 100 } }, off = { { 0, 0 }, { 0, 0 } };
    long eintr = 0;
    make_epoll();
    CHECK(sigaction(SIGALRM, &sa, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; i < 20000; i++) {
        struct epoll_event e;
        int n = epoll_wait(epfd, &e, 1, i % 100 == 0);
        CHECK(n == 0 || (n < 0 && errno == EINTR));
        eintr += n < 0;
        CHECK(write(-1, "", 1) == -1 && errno == EBADF);
    }
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    CHECK(signals > 0 && eintr <= signals);
    return 0;
}

static int do_polls(void)
{
    int ends[2], other[2];
    CHECK(pipe(ends) == 0 && pipe(other) == 0);
    struct pollfd set[2] = { { ends[0], POLLIN, 0 }, { other[0], POLLIN, 0 } };
    for (int i = 0; i < 6; i++) {
        CHECK(poll(set, 2, 1) == 0);
        if (i == 4) {
            struct pollfd one = { ends[0], POLLIN, 0 };
            CHECK(poll(&one, 1, 5) == 0); /* a blocking call, not a turn */
        }
    }
    return 0;
}
static int do_select(void)
{
    int ends[2], other[2];
    CHECK(pipe(ends) == 0 && pipe(other) == 0);
    for (int i = 0; i < 6; i++) {
        fd_set set;
        struct timeval t = { 0, 1000 };
        FD_ZERO(&set);
        FD_SET(ends[0], &set);
        FD_SET(other[0], &set);
        CHECK(select(other[0] + 1, &set, NULL, NULL, &t) == 0);
        if (i == 4) {
            struct timeval nap = { 0, 5000 };
            CHECK(select(0, NULL, NULL, NULL, &nap) == 0); /* a sleep */
        }
    }
    return 0;
}
static int do_waiter(void) /* waits for answers on one fd: never a loop */
{
    int ends[2];
    char c;
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 50; i++) {
        struct pollfd one = { ends[0], POLLIN, 0 };
        CHECK(write(ends[1], "x", 1) == 1);
        CHECK(poll(&one, 1, -1) == 1 && read(ends[0], &c, 1) == 1);
    }
    return 0;
}
static int do_nested(void) /* another epoll set inside a turn, as node's execSync */
{
    struct epoll_event e;
    int inner = epoll_create1(0);
    make_epoll();
    turn(3);
    for (int i = 0; i < 3; i++)
        CHECK(epoll_wait(inner, &e, 1, 5) == 0);
    turn(3);
    return 0;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *hold(void *ready)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    *(volatile int *)ready = (int)syscall(SYS_gettid);
    usleep(20000);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return NULL;
}
static int do_mutex(void)
{
    pthread_t t;
    volatile int ready = 0;
    make_epoll();
    turn(3);
    CHECK(pthread_create(&t, NULL, hold, (void *)&ready) == 0);
    while (!ready)
        sched_yield();
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    turn(2);
    return pthread_join(t, NULL);
}

static int do_rlimit(void)
{
    struct rlimit r = { 300u << 20, 300u << 20 };
    make_epoll();
    turn(3);
    CHECK(setrlimit(RLIMIT_AS, &r) == 0);
    void *p = malloc(100u << 20);
    CHECK(p != NULL);
    free(p);
    turn(3);
    return 0;
}
static int do_mlockall(void)
{
    struct rusage u;
    make_epoll();
    turn(3);
    CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
    turn(3);
    CHECK(getrusage(RUSAGE_SELF, &u) == 0 && u.ru_maxrss < 64 << 10);
    return 0;
}
static int do_descriptors(void) /* none of ours may be among them */
{
    int next = dup(0);
    CHECK(next == 3);
    close(next);
    return 0;
}
static int do_busy(void) /* an endless stream of events, for a ring that nobody drains */
{
    make_epoll();
    turn(2000);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} cases[] = { { "calls", do_calls },
              { "fork", do_fork },
              { "clone", do_clone },
              { "vfork", do_vfork },
              { "sandbox", do_sandbox },
              { "bad_pointers", do_bad_pointers },
              { "bad_sets", do_bad_sets },
              { "names", do_names },
              { "wide_select", do_wide_select },
              { "threads", do_threads },
              { "cancel", do_cancel },
              { "storm", do_storm },
              { "longjmp", do_longjmp },
              { "polls", do_polls },
              { "select", do_select },
              { "waiter", do_waiter },
              { "nested", do_nested },
              { "mutex", do_mutex },
              { "rlimit", do_rlimit },
              { "mlockall", do_mlockall },
              { "busy", do_busy },
              { "descriptors", do_descriptors } };

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(*cases); i++)
        if (strcmp(cases[i].name, argv[1]) == 0)
            return cases[i].run();
    fprintf(stderr, "usage: preload_cases NAME\n");
    return 2;
}

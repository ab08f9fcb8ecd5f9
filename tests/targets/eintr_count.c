/* eintr_count.c - for tests/e2e/eintr.py: a loop that spins just over a stall's threshold, then blocks in each call that a
 * signal interrupts, under a timer of 1 ms whose handler has no SA_RESTART.
 *
 * The kernel has put -EINTR into the interrupted context when it runs a handler in such a call's place.  So the handler
 * knows when the program must see EINTR, and each call must agree with it exactly.
 * usage: eintr_count SECONDS   a line for each call: name, EINTRs seen, times that they did not agree */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t due; /* handlers that ran where the program must see EINTR */
static int epoll, nothing[2], quiet[2];

static void on_alarm(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)info;
#if defined __x86_64__
    const ucontext_t *u = context;
    const unsigned char *ip = (const unsigned char *)u->uc_mcontext.gregs[REG_RIP];
    if (u->uc_mcontext.gregs[REG_RAX] == -EINTR && ip[-2] == 0x0f && ip[-1] == 0x05) /* right behind `syscall` */
        due++;
#else
    (void)context;
#endif
}

static int in_epoll_wait(void)
{
    struct epoll_event e;
    return epoll_wait(epoll, &e, 1, 50);
}
static int in_epoll_pwait(void)
{
    struct epoll_event e;
    sigset_t none;
    sigemptyset(&none);
    return epoll_pwait(epoll, &e, 1, 50, &none);
}
static int in_poll(void)
{
    return poll(&(struct pollfd){ .fd = nothing[0], .events = POLLIN }, 1, 50);
}
static int in_ppoll(void)
{
    return ppoll(&(struct pollfd){ .fd = nothing[0], .events = POLLIN }, 1, &(struct timespec){ 0, 50000000 }, NULL);
}
static int in_select(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(nothing[0], &set);
    return select(nothing[0] + 1, &set, NULL, NULL, &(struct timeval){ 0, 50000 });
}
static int in_nanosleep(void)
{
    return nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
}
static int in_read(void)
{
    char c;
    return (int)read(nothing[0], &c, 1);
}
static int in_recv(void) /* with a timeout, which the kernel never restarts by itself */
{
    char c;
    return (int)recv(quiet[0], &c, 1, 0);
}
static int in_sigtimedwait(void)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    return sigtimedwait(&one, NULL, &(struct timespec){ 0, 50000000 });
}

static const struct {
    const char *name;
    int (*call)(void);
} calls[] = {
    { "epoll_wait", in_epoll_wait }, { "epoll_pwait", in_epoll_pwait }, { "poll", in_poll },
    { "ppoll", in_ppoll },           { "select", in_select },           { "nanosleep", in_nanosleep },
    { "read", in_read },             { "recv", in_recv },               { "sigtimedwait", in_sigtimedwait },
};
enum { CALLS = sizeof calls / sizeof *calls };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double end = now() + (argc > 1 ? atof(argv[1]) : 3);
    long seen[CALLS] = { 0 }, wrong[CALLS] = { 0 };
    sigset_t usr1;
    epoll = epoll_create1(0);
    if (epoll < 0 || pipe(nothing) || socketpair(AF_UNIX, SOCK_STREAM, 0, quiet))
        return 2;
    setsockopt(quiet[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 50000 }, sizeof(struct timeval));
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    sigaction(SIGALRM, &(struct sigaction){ .sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO }, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 1000 }, { 0, 1000 } }, NULL);

    struct epoll_event e;
    for (unsigned turn = 0; now() < end; turn++) {
        unsigned i = turn % CALLS;
        epoll_wait(epoll, &e, 1, 0);
        double until = now() + 0.001 + (double)(rand() % 400) / 1e6; /* a sample is due about now */
        while (now() < until)
            ;
        sig_atomic_t before = due;
        errno = 0;
        int result = calls[i].call();
        int interrupted = result < 0 && errno == EINTR;
        seen[i] += interrupted;
        wrong[i] += interrupted != (due != before); /* two in a row: the next was due before the first had returned */
    }
    setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, NULL);
    long bad = 0;
    for (int i = 0; i < CALLS; i++) {
        printf("%s %ld %ld\n", calls[i].name, seen[i], wrong[i]);
        bad += wrong[i];
    }
    return bad != 0;
}

/* hammer.h - for eintr_*.c: one child that loops in short sleeping syscalls, and a parent that samples it at random
 * moments, asleep or not, by the recorder's own interrupt path.  Includes the recorder's sources: these programs are
 * plain and link nothing of it. */
#ifndef LOOPSCOPE_TESTS_HAMMER_H
#define LOOPSCOPE_TESTS_HAMMER_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tracer/record/proc.c"
#include "../../tracer/record/sample.c"

ticks_t clock_now(enum ls_clock kind)
{
    (void)kind;
    return monotonic();
}

struct board { /* shared by the processes of a test; counts made by the child, read by the parent at the end */
    _Atomic long calls, eintr, other, early, handled, disorder;
    _Atomic long unexplained; /* EINTR and no handler saw it, or the other way round */
    _Atomic long at_entry;    /* a handler ran just before the syscall instruction */
    _Atomic int seen;         /* a handler saw that it interrupted this call with EINTR */
    _Atomic int stop, ready, kind;
};

static struct board *board_new(void)
{
    struct board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        exit(77);
    return b;
}

/* The calls: each sleeps up to about a millisecond and nothing ever wakes it. */
enum { K_EPOLL, K_EPOLL_PWAIT, K_SIGTIMEDWAIT, K_RECV, K_SEMTIMEDOP, K_POLL, K_PPOLL, K_SELECT, K_NANOSLEEP, K_KINDS };
static const char *const kind_name[] = { "epoll_wait", "epoll_pwait", "sigtimedwait", "recv",     "semtimedop",
                                         "poll",       "ppoll",       "select",       "nanosleep" };

struct sleeper {
    int epfd, sock[2], sem;
    sigset_t waited;
};

static void sleeper_open(struct sleeper *s)
{
    struct timeval tv = { .tv_usec = 800 };
    sigemptyset(&s->waited);
    sigaddset(&s->waited, SIGUSR2);
    sigprocmask(SIG_BLOCK, &s->waited, NULL);
    s->epfd = epoll_create1(0);
    s->sem = semget(IPC_PRIVATE, 1, 0600);
    if (s->epfd < 0 || s->sem < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, s->sock) ||
        setsockopt(s->sock[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv))
        _exit(77);
}

/* 0: it timed out as it should; else its errno, or -1 when it claims success. */
static int sleep_once(struct sleeper *s, int kind)
{
    struct timespec ts = { .tv_nsec = 700000 };
    struct timeval tv = { .tv_usec = 700 };
    struct epoll_event ev;
    struct pollfd pfd = { s->sock[0], POLLIN, 0 };
    struct sembuf op = { 0, -1, 0 };
    fd_set set;
    char c;
    long r;
    FD_ZERO(&set);
    FD_SET(s->sock[0], &set);
    switch (kind) {
    case K_EPOLL: r = epoll_wait(s->epfd, &ev, 1, 1); break;
    case K_EPOLL_PWAIT: r = epoll_pwait(s->epfd, &ev, 1, 1, &s->waited); break;
    case K_SIGTIMEDWAIT: r = sigtimedwait(&s->waited, NULL, &ts); break;
    case K_RECV: r = recv(s->sock[0], &c, 1, 0); break;
    case K_SEMTIMEDOP: r = semtimedop(s->sem, &op, 1, &ts); break;
    case K_POLL: r = poll(&pfd, 1, 1); break;
    case K_PPOLL: r = ppoll(&pfd, 1, &ts, NULL); break;
    case K_SELECT: r = select(s->sock[0] + 1, &set, NULL, NULL, &tv); break;
    default: r = nanosleep(&ts, NULL); break;
    }
    if (r == 0)
        return 0;
    if (r > 0)
        return -1;
    return errno == EAGAIN ? 0 : errno;
}

/* The child's loop: some work, a sleep, and so on through all kinds (or only board->kind when >= 0). */
static void sleeper_run(struct board *b)
{
    struct sleeper s;
    sleeper_open(&s);
    b->ready = 1;
    for (unsigned i = 0; !b->stop; i++) {
        int kind = b->kind >= 0 ? b->kind : (int)(i % K_KINDS);
        ns_t t0 = monotonic();
        b->seen = 0;
        int e = sleep_once(&s, kind);
        if (e == EINTR)
            b->eintr++;
        else if (e)
            b->other++;
        else if (monotonic() - t0 <
                 300000) /* epoll_wait's millisecond may end early after a repair, by less than that */
            b->early++;
        b->unexplained += (e == EINTR) != b->seen;
        b->calls++;
        for (volatile int n = 0; n < 20000; n++)
            ;
    }
    semctl(s.sem, 0, IPC_RMID);
    _exit(0);
}

/* Forks the child that runs `body`; it dies with us. */
static pid_t fork_child(struct board *b, void (*body)(struct board *))
{
    pid_t p = fork();
    if (p == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body(b);
    }
    if (p < 0)
        exit(77);
    while (!b->ready)
        usleep(1000);
    return p;
}

struct hammered {
    long samples, repaired, refused, pending;
};

/* Samples thread `pid` n times at random moments. */
static struct hammered hammer(pid_t pid, int n)
{
    struct hammered h = { 0 };
    struct proc_thread proc;
    if (proc_thread_open(pid, pid, &proc))
        exit(77);
    struct sample_request rq = { .pid = pid, .tid = pid, .proc = &proc, .size = SAMPLE_SMALL };
    unsigned seed = 1;
    for (int i = 0; i < n; i++) {
        struct sample_job job;
        int e = sample_begin(&job, &rq);
        while (e) {
            h.pending++;
            usleep(200);
            e = sample_continue(&job);
        }
        h.samples += job.copy != NULL;
        h.repaired += job.repaired;
        h.refused += job.refused != NULL;
        free(job.copy);
        /* mostly sooner than its sleep ends, sometimes later: else no call would ever end */
        ns_t until = monotonic() + (ns_t)rand_r(&seed) % (i % 4 ? 100000 : i % 64 ? 1500000 : 20000000);
        while (monotonic() < until)
            ;
    }
    proc_thread_close(&proc);
    return h;
}

static int check(const char *what, bool ok)
{
    if (!ok)
        printf("FAILED: %s\n", what);
    return !ok;
}

#endif

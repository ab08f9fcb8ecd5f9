/* standin.c - what makes `loopscope record -- CMD` look like CMD to whoever started it.
 *
 * We wait with every signal blocked and take them one by one.  One that was sent to us alone is passed on; one that
 * was sent to our whole process group (^C, ^Z, kill %1) has reached the command by itself and must not arrive twice:
 * a second SIGINT means "at once" to many servers.  The two look the same in siginfo, so a canary tells them apart: a
 * child in our group with all signals blocked; what is pending there as well was sent to the group. */
#include "standin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tracer/record/recorder.h"

static const int timers[] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
enum { TIMERS = sizeof timers / sizeof *timers };

#define PATIENCE_MS 2000 /* a file is finished within that, and the signal that ended the command may come twice */

static sigset_t started_with;       /* the mask we were started with; main thread only, as all of these */
static struct sigaction child_with; /* and what SIGCHLD did */
static pid_t canary_pid;
static int canary = -1; /* our end of the socket to it */

/* The canary, all signals blocked: asked about a signal, it says whether that one is pending here too, and takes it. */
static _Noreturn void canary_main(int fd)
{
    prctl(PR_SET_NAME, "loopscope-grp");
    if (fd != 0)
        dup2(fd, 0);
    close_range(1, ~0u, 0);
    for (int sig; read(0, &sig, sizeof sig) == sizeof sig;) {
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, sig);
        struct timespec now = { 0, 0 };
        char also = sigtimedwait(&one, NULL, &now) == sig;
        if (send(0, &also, 1, MSG_NOSIGNAL) != 1)
            break;
    }
    _exit(0);
}

/* Stopped, it cannot answer; and no SIGCONT was for the group then.  What else was is pending in the command, which is
 * stopped too, and sent once more it is no second signal. */
static bool canary_stopped(void)
{
    siginfo_t info = { .si_pid = 0 };
    return !waitid(P_PID, (id_t)canary_pid, &info, WSTOPPED | WNOHANG | WNOWAIT) && info.si_pid == canary_pid;
}

static bool sent_to_group(int sig)
{
    char also = 0;
    return canary >= 0 && !canary_stopped() && send(canary, &sig, sizeof sig, MSG_NOSIGNAL) == sizeof sig &&
           read(canary, &also, 1) == 1 && also;
}

void standin_prepare(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &started_with);
    /* Ignored, the kernel would not keep the command's status for us. */
    sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, &child_with);

    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return; /* without it a signal to the group may arrive twice */
    pid_t parent = getpid();
    canary_pid = fork();
    if (!canary_pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        if (getppid() == parent)
            canary_main(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    canary = pair[0];
    if (canary_pid < 0) {
        close(canary);
        canary = -1;
    }
}

static void pass_on(pid_t command, const siginfo_t *info)
{
    if (info->si_code == SI_QUEUE)
        sigqueue(command, info->si_signo, info->si_value);
    else
        kill(command, info->si_signo);
}

/* A signal to the group reached the command only if it was there already.  While the child waits, blocking all, one
 * that it has got and one that we send are one and the same. */
static void pass_on_early(pid_t command)
{
    sigset_t all;
    siginfo_t info;
    sigfillset(&all);
    sigdelset(&all, SIGCHLD);
    while (sigtimedwait(&all, &info, &(struct timespec){ 0, 0 }) > 0) {
        sent_to_group(info.si_signo); /* the canary forgets it */
        pass_on(command, &info);
    }
}

pid_t standin_fork(void)
{
    struct itimerval left[TIMERS]; /* an exec keeps timers ("alarm 5; exec ..."), a fork does not */
    char byte;
    int start[2];
    if (pipe2(start, O_CLOEXEC))
        return -1;
    for (int i = 0; i < TIMERS; i++)
        setitimer((__itimer_which_t)timers[i], &(struct itimerval){ .it_value = { 0, 0 } }, &left[i]);
    pid_t pid = fork();
    if (!pid) {
        close(start[1]);
        while (read(start[0], &byte, 1) < 0)
            ;
        close(start[0]);
        for (int i = 0; i < TIMERS; i++)
            setitimer((__itimer_which_t)timers[i], &left[i], NULL);
        sigaction(SIGCHLD, &child_with, NULL);
        sigprocmask(SIG_SETMASK, &started_with, NULL);
        return 0;
    }
    close(start[0]);
    if (pid > 0)
        pass_on_early(pid);
    close(start[1]);
    return pid;
}

/* Whoever reads the command's output sees its end when the command closes it, whoever writes to it is told when nobody
 * reads.  Standard error stays: the last line is for the user. */
void standin_let_go(int keep, int keep_too)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 2; fd++)
        if (null >= 0 && fd != keep && fd != keep_too && fd != canary)
            dup2(null, fd);
    int kept[] = { 2, keep, keep_too, canary };
    for (int from = 3, next;; from = next + 1) {
        next = -1; /* the lowest that is kept from here on */
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            if (kept[i] >= from && (next < 0 || kept[i] < next))
                next = kept[i];
        if (next < 0) {
            close_range((unsigned)from, ~0u, 0);
            return;
        }
        if (next > from)
            close_range((unsigned)from, (unsigned)next - 1, 0);
    }
}

static bool is_pending(int sig)
{
    sigset_t set;
    return !sigpending(&set) && sigismember(&set, sig) == 1;
}

/* Stops us as the command was stopped: our parent sees what it would have seen.  The recorder must know that nobody
 * else did it, and may wake us when the command goes on. */
static void stop_as(int sig, int socket)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, sig);
    sent_to_group(sig); /* the canary forgets it: a SIGCONT to us alone does not make it */
    recorder_send(socket, REC_STOPS, 1, NULL);
    signal(sig, SIG_DFL);
    kill(getpid(), sig);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    sigprocmask(SIG_BLOCK, &one, NULL);
    if (!is_pending(SIGCONT)) /* our group is orphaned and the command's is not: then only SIGSTOP stops us */
        kill(getpid(), SIGSTOP);
    recorder_send(socket, REC_STOPS, 0, NULL);
}

int standin_wait(pid_t command, pid_t recorder, int socket)
{
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        siginfo_t info;
        if (sigwaitinfo(&all, &info) < 0)
            continue;
        if (info.si_signo != SIGCHLD) {
            bool woken = info.si_signo == SIGCONT && info.si_code <= 0 && info.si_pid == recorder;
            if (!sent_to_group(info.si_signo) && !woken)
                pass_on(command, &info);
            continue;
        }
        int status, stopped = 0;
        while (waitpid(command, &status, WUNTRACED | WCONTINUED | WNOHANG) == command) {
            if (!WIFSTOPPED(status) && !WIFCONTINUED(status))
                return status;
            stopped = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
        }
        if (stopped && !is_pending(SIGCONT)) /* else it goes on at once */
            stop_as(stopped, socket);
    }
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool standin_patience(int socket)
{
    sigset_t ends;
    sigemptyset(&ends);
    for (const int *sig = (const int[]){ SIGINT, SIGTERM, SIGHUP, SIGQUIT, 0 }; *sig; sig++)
        sigaddset(&ends, *sig);
    struct pollfd f[2] = { { .fd = socket, .events = POLLIN },
                           { .fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN } };
    bool asked = false;
    for (int64_t until = now_ms() + PATIENCE_MS, left; !f[0].revents;) {
        struct signalfd_siginfo info;
        left = until - now_ms();
        if (asked && left <= 0)
            break;
        poll(f, 2, asked ? (int)left : -1);
        while (f[1].fd >= 0 && read(f[1].fd, &info, sizeof info) == sizeof info)
            asked = true;
    }
    if (f[1].fd >= 0)
        close(f[1].fd);
    return f[0].revents;
}

_Noreturn void standin_exit(int status)
{
    if (canary >= 0) { /* reaped here: nobody may be left to init, which in a container may reap nobody */
        kill(canary_pid, SIGKILL); /* it may be stopped */
        waitpid(canary_pid, NULL, 0);
    }
    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    int sig = WTERMSIG(status);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    prctl(PR_SET_DUMPABLE, 0); /* core_pattern may be a pipe, which ignores the limit */
    signal(sig, SIG_DFL);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, sig);
    kill(getpid(), sig);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + sig);
}

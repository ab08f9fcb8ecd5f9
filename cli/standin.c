/* standin.c - what makes `loopscope record -- CMD` look like CMD to whoever started it.
 *
 * We wait with every signal blocked and take them one by one.  One that was sent to us alone is passed on; one that
 * was sent to our whole process group (^C, ^Z, kill %1) has reached the command by itself and must not arrive twice:
 * a second SIGINT means "at once" to many servers.  The two look the same in siginfo, so a canary tells them apart: a
 * child in our group with all signals blocked; what is pending there as well was sent to the group. */
#include "standin.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static sigset_t started_with; /* the mask we were started with; main thread only */
static int canary = -1;       /* our end of the socket to it */

/* The canary, all signals blocked: asked about a signal, it says whether that one is pending here too, and takes it. */
static _Noreturn void canary_main(int fd)
{
    prctl(PR_SET_NAME, "loopscope-grp");
    for (int sig; read(fd, &sig, sizeof sig) == sizeof sig;) {
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, sig);
        struct timespec now = { 0, 0 };
        char also = sigtimedwait(&one, NULL, &now) == sig;
        if (write(fd, &also, 1) != 1)
            break;
    }
    _exit(0);
}

static bool sent_to_group(int sig)
{
    char also = 0;
    return canary >= 0 && write(canary, &sig, sizeof sig) == sizeof sig && read(canary, &also, 1) == 1 && also;
}

void standin_prepare(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &started_with);

    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return; /* without it a signal to the group may arrive twice */
    pid_t parent = getpid(), pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        if (getppid() == parent)
            canary_main(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    canary = pair[0];
    if (pid < 0) {
        close(canary);
        canary = -1;
    }
}

void standin_child(void)
{
    sigprocmask(SIG_SETMASK, &started_with, NULL);
}

static void pass_on(pid_t command, const siginfo_t *info)
{
    int sig = info->si_signo;
    if (info->si_code > 0 || sent_to_group(sig)) /* from the terminal, or to the group: it has it already */
        return;
    if (info->si_code == SI_QUEUE)
        sigqueue(command, sig, info->si_value);
    else
        kill(command, sig);
}

int standin_wait(pid_t command)
{
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        siginfo_t info;
        if (sigwaitinfo(&all, &info) < 0)
            continue;
        if (info.si_signo != SIGCHLD) {
            pass_on(command, &info);
            continue;
        }
        int status;
        while (waitpid(command, &status, WUNTRACED | WCONTINUED | WNOHANG) == command) {
            if (WIFSTOPPED(status)) {
                kill(getpid(), SIGSTOP); /* our parent sees what it would have seen; goes on at its SIGCONT */
                continue;
            }
            if (!WIFCONTINUED(status))
                return status;
        }
    }
}

_Noreturn void standin_exit(int status)
{
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

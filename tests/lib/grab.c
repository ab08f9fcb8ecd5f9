/* grab.c - see grab.h.  Unlike the recorder's sampler it waits for the stop and knows no EINTR repair. */
#include "grab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int grab_compile(const char *source, const char *flags, const char *out)
{
    char command[1024], here[512];
    snprintf(here, sizeof here, "%s", __FILE__); /* tests/lib/grab.c, seen from the repository */
    *strstr(here, "lib/grab.c") = '\0';
    snprintf(command, sizeof command, "%s -o %s %stargets/%s %s", strstr(source, ".cpp") ? "g++" : "gcc", out, here, source, flags);
    return system(command);
}

pid_t grab_spawn(char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, 0);
        dup2(null, 1);
        if (!getenv("GRAB_VERBOSE"))
            dup2(null, 2);
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

void grab_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static unsigned long cpu_ns(pid_t pid)
{
    char path[64];
    unsigned long ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f) {
        if (fscanf(f, "%lu", &ns) != 1)
            ns = 0;
        fclose(f);
    }
    return ns;
}

int grab_wait_busy(pid_t pid)
{
    const struct timespec tick = { 0, 20000000 };
    int busy = 0;
    unsigned long last = cpu_ns(pid);

    for (int i = 0; i < 1000 && busy < 5; i++) {
        nanosleep(&tick, NULL);
        unsigned long now = cpu_ns(pid);
        busy = now - last > 500000 ? busy + 1 : busy;
        last = now;
    }
    return busy == 5 ? 0 : -ETIMEDOUT;
}

struct stack_copy *grab_stack(pid_t tid, unsigned max)
{
    struct user_regs_struct g;
    struct stack_copy *c = calloc(1, sizeof *c + max);
    int status;

    if (!c || ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0 || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0 ||
        waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) {
        free(c);
        return NULL;
    }
    ptrace(PTRACE_GETREGS, tid, NULL, &g);
    const uint64_t regs[] = { g.rax, g.rdx, g.rcx, g.rbx, g.rsi, g.rdi, g.rbp, g.rsp, g.r8,
                              g.r9,  g.r10, g.r11, g.r12, g.r13, g.r14, g.r15, g.rip };
    memcpy(c->regs.r, regs, sizeof regs);
    c->pid = c->tid = tid;
    c->sp = (g.rsp - 128) & ~7ull;
    for (unsigned at = 0; at < max;) { /* page by page: it may end at any of them */
        unsigned n = 4096 - (c->sp + at) % 4096;
        n = n < max - at ? n : max - at;
        struct iovec to = { c->bytes + at, n }, from = { (void *)(c->sp + at), n };
        if (process_vm_readv(tid, &to, 1, &from, 1, 0) != (ssize_t)n) {
            c->cut = at == 0;
            break;
        }
        c->size = at += n;
    }
    c->cut = c->cut || c->size == max;
    ptrace(PTRACE_DETACH, tid, NULL, NULL);
    return c;
}

/* guard.c - under LOOPSCOPE_DEBUG=1: names the task whose stack overflowed, before the signal ends the program.
 *
 * Only where the program has no handler for SIGSEGV of its own.  The handler runs on a stack of its own, which each loop's
 * thread is given; it speaks when the address lies in the guard page of the running task, and in any case lets the signal
 * come again, to end the program as it would have. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loop.h"

#define ALTERNATE (64 * 1024)

static void put(char *line, size_t *used, size_t size, const char *text)
{
    size_t n = strnlen(text, size - *used);
    memcpy(line + *used, text, n);
    *used += n;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    const struct loop *l = lsrt_here;
    const struct task *t = l ? l->current : NULL;
    const char *at = info->si_addr, *lo = t && t->stack ? t->stack->lo : NULL;
    if (lo && at < lo && at >= lo - sysconf(_SC_PAGESIZE)) {
        char line[256], kib[24];
        size_t used = 0, n = sizeof kib - 1, size = l->stacks.size / 1024;
        kib[n] = 0;
        do
            kib[--n] = (char)('0' + size % 10);
        while (size /= 10);
        put(line, &used, sizeof line, "loopscope: task '");
        put(line, &used, sizeof line, t->name);
        put(line, &used, sizeof line, "' has used up its stack of ");
        put(line, &used, sizeof line, kib + n);
        put(line, &used, sizeof line, " KiB: give ls_opts.stack_size more\n");
        ssize_t written = write(STDERR_FILENO, line, used);
        (void)written;
    }
    signal(number, SIG_DFL); /* the instruction is run again */
}

void lsrt_guard_watch(struct loop *l)
{
#if !defined LSRT_ASAN && !defined LSRT_TSAN /* they have handlers of their own */
    struct sigaction now;
    stack_t none;
    if (sigaction(SIGSEGV, NULL, &now) ||
        (now.sa_flags & SA_SIGINFO ? now.sa_sigaction != on_fault : now.sa_handler != SIG_DFL))
        return;
    if (sigaltstack(NULL, &none) || !(none.ss_flags & SS_DISABLE))
        return;
    char *at = mmap(NULL, ALTERNATE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    stack_t mine = { .ss_sp = at, .ss_size = ALTERNATE };
    struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    if (sigaltstack(&mine, NULL) || sigaction(SIGSEGV, &a, NULL))
        munmap(at, ALTERNATE);
    else
        l->alternate = at;
#else
    (void)l, (void)on_fault;
#endif
}

void lsrt_guard_end(struct loop *l)
{
    if (!l->alternate)
        return;
    stack_t none = { .ss_flags = SS_DISABLE };
    sigaltstack(&none, NULL);
    munmap(l->alternate, ALTERNATE);
}

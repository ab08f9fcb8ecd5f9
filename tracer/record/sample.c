/* sample.c - takes one stack from outside: PTRACE_SEIZE, PTRACE_INTERRUPT, registers, process_vm_readv, detach.  Owns a
 * tracee from seize to detach.  Runs on the watchdog's thread.
 *
 * EINTR exactness: a thread may enter a syscall between our look and our interrupt.  Most syscalls are then restarted
 * by the kernel itself (-ERESTART*).  Some return -EINTR at once (epoll_wait, sigtimedwait, sockets with a timeout,
 * semop): the program would see an EINTR that no signal of its own explains.  At our stop the kernel has not yet looked
 * for signals, so we only change the result from -EINTR to -ERESTARTNOHAND, and it decides with its own rule, under its
 * own lock: a handler is to run: handler and EINTR; none is: the syscall is entered again and nothing was seen.
 * (To step to the syscall's entry and detach there does not work: PTRACE_DETACH leaves TIF_SIGPENDING set, and the
 * syscall returns EINTR once more; seen 1,927 of 2,222 times.) */
#include "sample.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "clock.h"

#define RED_ZONE   128u
#define PAGE       4096u
#define NS_PER_SEC 1000000000ull
#define SPINS      40               /* waits without a sleep: a stop takes 5-30 us */
#define PATIENCE   (2 * 1000000ull) /* ns that sample_begin waits */

/* Syscalls that give a plain -EINTR and can be entered again with the same arguments as if nothing had happened.
 * (close must never be: the descriptor has gone all the same.) */
static bool restartable(long nr)
{
    switch (nr) {
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
#ifdef SYS_epoll_pwait2
    case SYS_epoll_pwait2:
#endif
    case SYS_rt_sigtimedwait:
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_read:
    case SYS_readv:
    case SYS_write:
    case SYS_writev:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_accept:
    case SYS_accept4:
    case SYS_connect:
    case SYS_io_getevents:
    case SYS_io_pgetevents:
    case SYS_io_uring_enter:
    case SYS_msgrcv:
    case SYS_msgsnd: return true;
    default: return false;
    }
}

/* ---- what differs between machines --------------------------------------------------------------------------- */

static int regs_get(pid_t tid, struct user_regs_struct *ret_regs)
{
    struct iovec v = { ret_regs, sizeof *ret_regs };
    return ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &v) ? -errno : 0;
}

static int regs_set(pid_t tid, const struct user_regs_struct *regs)
{
    struct iovec v = { (void *)(uintptr_t)regs, sizeof *regs };
    return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &v) ? -errno : 0;
}

#if defined __x86_64__

static void regs_dwarf(const struct user_regs_struct *u, struct ls_regs *ret_regs)
{
    const uint64_t r[LS_REG_USED] = { u->rax, u->rdx, u->rcx, u->rbx, u->rsi, u->rdi, u->rbp, u->rsp, u->r8,
                                      u->r9,  u->r10, u->r11, u->r12, u->r13, u->r14, u->r15, u->rip };
    memset(ret_regs, 0, sizeof *ret_regs);
    memcpy(ret_regs->r, r, sizeof r);
}

/* What the kernel does not tell user space but understands from a tracer. */
#define ERESTARTNOHAND 514

/* Turns an -EINTR into a restart, unless a handler is to run.  ms: how much of an int timeout in ms has passed. */
static bool regs_restart(const struct sample_request *rq, struct user_regs_struct *u, uint64_t ms)
{
    (void)rq;
    if ((int64_t)u->orig_rax < 0 || (int64_t)u->rax != -EINTR || !restartable((long)u->orig_rax))
        return false;
    u->rax = (unsigned long long)-ERESTARTNOHAND;
    int timeout = (int)u->r10;
    if ((u->orig_rax == SYS_epoll_wait || u->orig_rax == SYS_epoll_pwait) && timeout > 0 && ms > 0)
        u->r10 = ms < (uint64_t)timeout ? (unsigned long long)timeout - ms : 0;
    return true;
}

#elif defined __aarch64__

static void regs_dwarf(const struct user_regs_struct *u, struct ls_regs *ret_regs)
{
    memset(ret_regs, 0, sizeof *ret_regs);
    memcpy(ret_regs->r, u->regs, sizeof u->regs);
    ret_regs->r[LS_REG_SP] = u->sp;
    ret_regs->r[LS_REG_IP] = u->pc;
}

/* arm64 has decided about restarts before our stop, so the syscall is put back by hand, and only when no signal waits.
 * Its first argument was overwritten by the result and comes from /proc, which keeps it. */
static bool regs_restart(const struct sample_request *rq, struct user_regs_struct *u, uint64_t ms)
{
    int nr = -1;
    uint32_t code;
    struct iovec v = { &nr, sizeof nr }, local = { &code, sizeof code }, remote = { (void *)(u->pc - 4), sizeof code };
    struct proc_syscall s;
    struct proc_status status;
    if ((int64_t)u->regs[0] != -EINTR || ptrace(PTRACE_GETREGSET, rq->tid, NT_ARM_SYSTEM_CALL, &v) || !restartable(nr))
        return false;
    if (process_vm_readv(rq->tid, &local, 1, &remote, 1, 0) != sizeof code || code != 0xd4000001u /* svc #0 */)
        return false;
    if (proc_thread_syscall(rq->proc, &s) || s.nr != nr || proc_thread_status(rq->proc, &status) || status.deliverable)
        return false;
    u->regs[0] = s.arg[0];
    u->regs[8] = (uint64_t)nr;
    u->pc -= 4;
    int timeout = (int)u->regs[3];
    if (nr == SYS_epoll_pwait && timeout > 0 && ms > 0)
        u->regs[3] = ms < (uint64_t)timeout ? (uint64_t)timeout - ms : 0;
    return true;
}

#endif

/* ---- the stack ------------------------------------------------------------------------------------------------- */

/* Reads up to n bytes at `address` page by page, so that a hole ends the copy and does not spoil it. */
static uint32_t read_stack(pid_t tid, uint64_t address, void *to, uint32_t n)
{
    struct iovec local = { to, n }, remote[SAMPLE_LARGE / PAGE + 2];
    unsigned pages = 0;
    for (uint32_t done = 0; done < n && pages < sizeof remote / sizeof *remote; pages++) {
        uint32_t part = PAGE - (uint32_t)((address + done) % PAGE);
        if (part > n - done)
            part = n - done;
        remote[pages] = (struct iovec){ (void *)(uintptr_t)(address + done), part };
        done += part;
    }
    ssize_t got = process_vm_readv(tid, &local, 1, remote, pages, 0);
    return got > 0 ? (uint32_t)got & ~7u : 0;
}

/* The end of the stack that sp lies in: the coroutine's, the thread's, 0 when neither.  The bounds come from the target
 * and only ever shorten a copy. */
static uint64_t stack_end(struct ls_slot *slot, uint64_t sp)
{
    if (!slot)
        return 0;
    /* relaxed: the thread stores these when it switches; it is stopped or asleep now, or the copy is thrown away */
    uint64_t lo = atomic_load_explicit(&slot->coro_lo, memory_order_relaxed);
    uint64_t hi = atomic_load_explicit(&slot->coro_hi, memory_order_relaxed);
    if (lo && sp >= lo && sp < hi)
        return hi;
    lo = *(volatile uint64_t *)&slot->stack_lo; /* volatile: a hostile target may change it while we read */
    hi = *(volatile uint64_t *)&slot->stack_hi;
    return lo && sp >= lo && sp < hi ? hi : 0;
}

static struct stack_copy *copy_new(const struct sample_request *rq)
{
    uint32_t size = rq->size > SAMPLE_SMALL ? SAMPLE_LARGE : SAMPLE_SMALL;
    struct stack_copy *c = calloc(1, sizeof *c + size);
    if (c) {
        c->pid = rq->pid;
        c->tid = rq->tid;
        c->size = size;
    }
    return c;
}

/* Fills c from c->regs: as many of c->size bytes as there are from `from`. */
static void copy_stack(const struct sample_request *rq, struct stack_copy *c, uint64_t from)
{
    uint64_t end = stack_end(rq->slot, c->regs.r[LS_REG_SP]);
    uint32_t want = c->size;
    c->sp = from & ~7ull;
    if (end && end - c->sp < want)
        want = (uint32_t)(end - c->sp);
    c->size = read_stack(rq->tid, c->sp, c->bytes, want & ~7u);
    c->cut = end ? c->sp + c->size < end : c->size == want;
    c->time = clock_now(rq->clock);
}

struct stack_copy *sample_asleep(const struct sample_request *rq, const struct proc_syscall *asleep)
{
    struct proc_syscall after;
    struct stack_copy *c = asleep->where == PROC_RUNNING ? NULL : copy_new(rq);
    if (!c)
        return NULL;
    c->only_ip_sp = true;
    c->regs.r[LS_REG_SP] = asleep->sp;
    c->regs.r[LS_REG_IP] = asleep->pc;
    copy_stack(rq, c, asleep->sp);
    if (proc_thread_syscall(rq->proc, &after) || after.where != asleep->where || after.nr != asleep->nr ||
        after.sp != asleep->sp || after.pc != asleep->pc) {
        free(c);
        return NULL;
    }
    return c;
}

/* ---- stop and go ----------------------------------------------------------------------------------------------- */

static int done(struct sample_job *job)
{
    job->phase = SAMPLE_IDLE;
    return 0;
}

static int failed(struct sample_job *job, const char *why)
{
    free(job->copy);
    job->copy = NULL;
    job->refused = why;
    return done(job);
}

/* After a ptrace request: one that fails found the thread killed under our hands; its end is still to be waited for. */
static int go(struct sample_job *job, long result)
{
    job->phase = result == 0 ? SAMPLE_IDLE : SAMPLE_DYING;
    return result == 0 ? 0 : -EAGAIN;
}

static int detach(struct sample_job *job, int sig)
{
    return go(job, ptrace(PTRACE_DETACH, job->request.tid, NULL, (void *)(intptr_t)sig));
}

static bool is_stop(int sig)
{
    return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* How many ms of its poll had passed at the stop. */
static uint64_t poll_ms(const struct sample_request *rq, uint64_t word)
{
    if (!rq->slot || !rq->ticks_per_sec || LS_WORD_ACT(word) != ACT_POLL)
        return 0;
    ticks_t since =
        atomic_load_explicit(&rq->slot->since, memory_order_relaxed); /* it is stopped: word and since agree */
    ticks_t now = clock_now(rq->clock);
    return now > since ? (uint64_t)((double)(now - since) * 1000.0 / (double)rq->ticks_per_sec) : 0;
}

/* It stands: take the stack, see whether an EINTR is to be taken back, let go. */
static int on_stop(struct sample_job *job, int status)
{
    const struct sample_request *rq = &job->request;
    int sig = WSTOPSIG(status);
    bool event = status >> 16 != 0; /* our own stop, or a group stop; else `sig` is being delivered */
    bool group_stop = event ? sig != SIGTRAP : is_stop(sig);
    struct user_regs_struct u;
    if (regs_get(rq->tid, &u))
        return go(job, -1);
    if (rq->slot) /* acquire: pairs with the release store of the word in the target */
        job->word = atomic_load_explicit(&rq->slot->word, memory_order_acquire);
    regs_dwarf(&u, &job->copy->regs);
    copy_stack(rq, job->copy, job->copy->regs.r[LS_REG_SP] - RED_ZONE);
    /* SIGSTOP ends such a syscall with EINTR, handler or not: that one is the program's. */
    if (!group_stop && regs_restart(rq, &u, poll_ms(rq, job->word))) {
        if (regs_set(rq->tid, &u))
            return go(job, -1);
        job->repaired = true;
    }
    return detach(job, event ? 0 : sig);
}

/* Its number is no longer ours: it executed another program and took its leader's number, trap and all. */
static int gone(struct sample_job *job)
{
    int status;
    pid_t leader = job->request.pid;
    if (leader != job->request.tid && waitpid(leader, &status, WNOHANG | __WALL) == leader && WIFSTOPPED(status))
        ptrace(PTRACE_DETACH, leader, NULL, NULL);
    return failed(job, NULL);
}

int sample_continue(struct sample_job *job)
{
    int e = job->phase == SAMPLE_IDLE ? 0 : -EAGAIN;
    while (e) {
        int status;
        pid_t p = waitpid(job->request.tid, &status, WNOHANG | __WALL);
        if (p == 0)
            return -EAGAIN;
        if (p < 0 && errno == EINTR)
            continue;
        if (p < 0)
            e = gone(job);
        else if (!WIFSTOPPED(status))
            e = failed(job, NULL); /* it died */
        else if (job->phase == SAMPLE_DYING)
            e = detach(job, 0);
        else
            e = on_stop(job, status);
    }
    return 0;
}

static ns_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ns_t)t.tv_sec * NS_PER_SEC + (ns_t)t.tv_nsec;
}

/* NULL when it was not refused but has gone: a thread that is just dying gives EPERM too. */
static const char *why_refused(const struct sample_request *rq, int error)
{
    struct proc_status s;
    struct proc_reading r;
    if (error == ESRCH || proc_thread_read(rq->proc, &r) || r.state == 'Z' || r.state == 'X')
        return NULL;
    if (error == ENOSYS)
        return "ptrace is not allowed here (seccomp)";
    if (!proc_thread_status(rq->proc, &s) && s.tracer)
        return "another tracer (gdb, strace) holds it";
    return "no permission to trace it (another user, or Yama's ptrace_scope)";
}

int sample_begin(struct sample_job *job, const struct sample_request *request)
{
    memset(job, 0, sizeof *job);
    job->request = *request;
    job->copy = copy_new(request); /* before the stop: nothing is allocated while the target stands */
    if (!job->copy)
        return failed(job, "no memory for a stack");
    if (ptrace(PTRACE_SEIZE, request->tid, NULL, NULL))
        return failed(job, why_refused(request, errno));
    job->phase = SAMPLE_STOPPING;
    if (ptrace(PTRACE_INTERRUPT, request->tid, NULL, NULL))
        job->phase = SAMPLE_DYING;
    ns_t until = monotonic() + PATIENCE;
    for (int i = 0; sample_continue(job); i++) {
        if (i < SPINS)
            continue;
        if (monotonic() > until)
            return -EAGAIN;
        nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
    }
    return 0;
}

/* uring.c - io_uring as a loop's poll, and calls made through syscall().
 *
 * liburing enters the kernel by its own instruction, so its waiting functions are wrapped themselves; others go
 * through the C library's syscall().  That one is in assembler: whatever is not timed is passed on with registers and
 * stack untouched, which syscall(SYS_clone …) needs. */
#include <errno.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "poll.h"

#define ENTER_GETEVENTS 1u

struct io_uring;
struct io_uring_cqe;

static int64_t from_kernel_timespec(const struct __kernel_timespec *t)
{
    return t ? t->tv_sec * 1000000000 + t->tv_nsec : -1;
}

/* The ring's address stands for it; a descriptor is not known to the caller. */
#define RING_WITH(call_, wait, key_, timeout_ns)                      \
    if (likely(!probe_process.arena) || !(wait))                      \
        return call_;                                                 \
    struct poll_who who = { .kind = LOOP_IO_URING,                    \
                            .call = CALL_io_uring_enter,              \
                            .key = (int)(uintptr_t)(key_),            \
                            .fds = 2,                                 \
                            .asked = (uint32_t)(wait),                \
                            .timeout = timeout_ns };                  \
    struct poll_call p;                                               \
    enum poll_mode mode = poll_begin(&p, &who);                       \
    int ready = call_;                                                \
    if (mode != POLL_PASS)                                            \
        poll_end(&p, mode, &who, ready, __builtin_return_address(0)); \
    return ready;

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait);
EXPORT int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait)
{
    RING_WITH(REAL(io_uring_submit_and_wait)(ring, wait), wait, ring, -1)
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait,
                                     struct __kernel_timespec *timeout, sigset_t *mask);
EXPORT int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait,
                                            struct __kernel_timespec *timeout, sigset_t *mask)
{
    RING_WITH(REAL(io_uring_submit_and_wait_timeout)(ring, cqe, wait, timeout, mask), wait, ring,
              from_kernel_timespec(timeout))
}

int io_uring_wait_cqes(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait,
                       struct __kernel_timespec *timeout, sigset_t *mask);
EXPORT int io_uring_wait_cqes(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait,
                              struct __kernel_timespec *timeout, sigset_t *mask)
{
    RING_WITH(REAL(io_uring_wait_cqes)(ring, cqe, wait, timeout, mask), wait, ring, from_kernel_timespec(timeout))
}

int io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, struct __kernel_timespec *timeout);
EXPORT int io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                     struct __kernel_timespec *timeout)
{
    RING_WITH(REAL(io_uring_wait_cqe_timeout)(ring, cqe, timeout), 1, ring, from_kernel_timespec(timeout))
}

/* What the inline functions of liburing.h (io_uring_wait_cqe) come down to. */
int __io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait,
                       sigset_t *mask);
EXPORT int __io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait,
                              sigset_t *mask)
{
    RING_WITH(REAL(__io_uring_get_cqe)(ring, cqe, submit, wait, mask), wait, ring, -1)
}

int io_uring_enter(unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t *mask);
EXPORT int io_uring_enter(unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t *mask)
{
    RING_WITH(REAL(io_uring_enter)(fd, submit, wait, flags, mask), flags & ENTER_GETEVENTS ? wait : 0, (uintptr_t)fd,
              -1)
}
int io_uring_enter2(unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t *mask, size_t size);
EXPORT int io_uring_enter2(unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t *mask, size_t size)
{
    RING_WITH(REAL(io_uring_enter2)(fd, submit, wait, flags, mask, size), flags & ENTER_GETEVENTS ? wait : 0,
              (uintptr_t)fd, -1)
}

/* -- syscall() -- */

struct args {
    long a, b, c, d, e, f;
};
#define FORWARD(nr, x) REAL(syscall)((nr), (x)->a, (x)->b, (x)->c, (x)->d, (x)->e, (x)->f)

static long poll_syscall(long nr, const struct args *x, const struct poll_who *who, const void *from)
{
    struct poll_call p;
    if (!probe_process.arena)
        return FORWARD(nr, x);
    enum poll_mode mode = poll_begin(&p, who);
    long result = FORWARD(nr, x);
    if (mode != POLL_PASS)
        poll_end(&p, mode, who, (int)result, from);
    return result;
}

static long futex_syscall(const struct args *x, const void *from)
{
    struct call call;
    if (!call_begin(&call, CALL_futex, (uint64_t)x->a))
        return FORWARD(SYS_futex, x);
    long result = FORWARD(SYS_futex, x);
    struct call_info info = { .fd = -1, .detail = DETAIL_LOCK, .text = (const void *)x->a };
    call_end(&call, CALL_futex, result, &info, from);
    return result;
}

/* The timed ones.  Reads its seventh argument where a variadic caller put it. */
PROBE_HIDDEN long timed_syscall(long nr, long a, long b, long c, long d, long e, long f);
long timed_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    const void *from = __builtin_return_address(0);
    struct args x = { a, b, c, d, e, f };
    struct poll_who who = { .key = (int)a, .fds = 2, .timeout = -1, .kind = LOOP_EPOLL, .asked = (uint32_t)c };
    switch (nr) {
    case SYS_futex: return futex_syscall(&x, from);
    case SYS_close: /* libuv's way to close */
        if (probe_self.loop.kind != LOOP_NONE && probe_self.loop.key == (int)a)
            poll_closing((int)a);
        return FORWARD(nr, &x);
    case SYS_io_uring_enter:
        if (!(d & ENTER_GETEVENTS) || !c)
            return FORWARD(nr, &x);
        who.kind = LOOP_IO_URING;
        who.call = CALL_io_uring_enter;
        return poll_syscall(nr, &x, &who, from);
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
        who.call = CALL_epoll_wait;
        who.timeout = (int)d < 0 ? -1 : (int64_t)(int)d * 1000000;
        return poll_syscall(nr, &x, &who, from);
#endif
    case SYS_epoll_pwait:
        who.call = CALL_epoll_pwait;
        who.timeout = (int)d < 0 ? -1 : (int64_t)(int)d * 1000000;
        return poll_syscall(nr, &x, &who, from);
    case SYS_epoll_pwait2: who.call = CALL_epoll_pwait2; return poll_syscall(nr, &x, &who, from);
    default: return FORWARD(nr, &x);
    }
}

#if defined __x86_64__
PROBE_HIDDEN void *real_syscall_now(void);
void *real_syscall_now(void)
{
    return real_get(REAL_syscall);
}
_Static_assert(SYS_close == 3 && SYS_futex == 202 && SYS_io_uring_enter == 426 && SYS_epoll_wait == 232 && SYS_epoll_pwait == 281 &&
                   SYS_epoll_pwait2 == 441,
               "the assembler below has them as numbers");
__asm__(".text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        "  .cfi_startproc\n"
        "  endbr64\n"
        "  cmpq $202, %rdi\n  je 1f\n"
        "  cmpq $3, %rdi\n  je 1f\n"
        "  cmpq $426, %rdi\n  je 1f\n"
        "  cmpq $232, %rdi\n  je 1f\n"
        "  cmpq $281, %rdi\n  je 1f\n"
        "  cmpq $441, %rdi\n  je 1f\n"
        "2: movq real_syscall_slot(%rip), %rax\n" /* filled by the constructor, below */
        "  testq %rax, %rax\n  je 1f\n"
        "  jmp *%rax\n"
        "1: jmp timed_syscall\n"
        "  .cfi_endproc\n"
        ".size syscall, . - syscall\n");
PROBE_HIDDEN void *real_syscall_slot;
__attribute__((constructor(102))) static void fill_syscall_slot(void)
{
    real_syscall_slot = real_syscall_now();
}
#else
EXPORT long syscall(long nr, ...)
{
    va_list list;
    va_start(list, nr);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    return timed_syscall(nr, a, b, c, d, e, f);
}
#endif

/* syscalls.c - the names.  Not all: those that can keep a thread asleep.  SYS_ macros give each machine its own
 * numbers; the old calls that only x86-64 has stand apart.  Pure. */
#include "syscalls.h"

#include <stddef.h>
#include <sys/syscall.h>

/* clang-format off */
#define NAMES(X)                                                                                                     \
    X(read) X(write) X(readv) X(writev) X(pread64) X(pwrite64) X(preadv) X(pwritev) X(preadv2) X(pwritev2)           \
    X(openat) X(openat2) X(close) X(fstat) X(newfstatat) X(statx) X(faccessat) X(faccessat2) X(statfs) X(fstatfs)    \
    X(ppoll) X(pselect6) X(epoll_pwait) X(epoll_pwait2) X(io_uring_enter) X(io_getevents) X(io_pgetevents)           \
    X(io_submit) X(sendto) X(recvfrom) X(sendmsg) X(recvmsg) X(sendmmsg) X(recvmmsg) X(connect) X(accept)            \
    X(accept4) X(shutdown) X(sendfile) X(splice) X(tee) X(vmsplice) X(copy_file_range)                               \
    X(fsync) X(fdatasync) X(sync) X(syncfs) X(sync_file_range) X(msync) X(fallocate) X(ftruncate) X(truncate)        \
    X(renameat) X(renameat2) X(unlinkat) X(mkdirat) X(linkat) X(symlinkat) X(readlinkat) X(fchmod) X(fchmodat)       \
    X(fchown) X(fchownat) X(utimensat) X(getdents64) X(flock) X(fcntl) X(ioctl) X(lseek)                             \
    X(setxattr) X(fsetxattr) X(getxattr) X(fgetxattr) X(inotify_add_watch) X(fanotify_mark)                          \
    X(nanosleep) X(clock_nanosleep) X(rt_sigsuspend) X(rt_sigtimedwait) X(restart_syscall) X(sched_yield)            \
    X(wait4) X(waitid) X(clone) X(clone3) X(execve) X(execveat) X(exit_group) X(ptrace)                              \
    X(futex) X(futex_waitv) X(semop) X(semtimedop) X(msgrcv) X(msgsnd) X(mq_timedreceive) X(mq_timedsend)            \
    X(mmap) X(munmap) X(mremap) X(mprotect) X(madvise) X(brk) X(mlock) X(mlock2) X(mlockall) X(membarrier)           \
    X(process_vm_readv) X(process_vm_writev) X(move_pages) X(getrandom) X(mount) X(umount2) X(swapon) X(swapoff)     \
    X(unshare) X(setns) X(init_module) X(finit_module) X(bpf) X(perf_event_open) X(request_key) X(keyctl) X(quotactl)

#define OLD_NAMES(X)                                                                                                 \
    X(open) X(creat) X(stat) X(lstat) X(access) X(poll) X(select) X(epoll_wait) X(pause) X(getdents) X(rename)       \
    X(unlink) X(mkdir) X(rmdir) X(link) X(symlink) X(readlink) X(chmod) X(chown) X(fork) X(vfork)
/* clang-format on */

const char *syscall_name(long nr)
{
    switch (nr) {
#define X(name) \
    case SYS_##name: return #name;
        NAMES(X)
#if defined __x86_64__
        OLD_NAMES(X)
#endif
#undef X
    default: return NULL;
    }
}

bool syscall_locks(long nr)
{
    return nr == SYS_futex || nr == SYS_futex_waitv || nr == SYS_flock || nr == SYS_semop || nr == SYS_semtimedop;
}

/* call.h - every libc call that the preload times: one row each, used by the wrappers (numbers), the recorder (names
 * and causes) and the tests.  The order is the wire format: append only. */
#ifndef LOOPSCOPE_CALL_H
#define LOOPSCOPE_CALL_H

/* What kind of waiting it is; decides cause and remedy. */
enum ls_family { FAM_NONE, FAM_POLL, FAM_IO, FAM_FILE, FAM_SYNC, FAM_SLEEP, FAM_DNS, FAM_CHILD, FAM_LOCK, FAM_LOAD, FAM_STDIO };

#define LS_CALLS(X)                                                                                              \
    X(epoll_wait, POLL) X(epoll_pwait, POLL) X(epoll_pwait2, POLL) X(poll, POLL) X(ppoll, POLL) X(select, POLL)    \
    X(pselect, POLL) X(io_uring_enter, POLL)                                                                     \
    X(read, IO) X(readv, IO) X(pread, IO) X(preadv, IO) X(preadv2, IO) X(write, IO) X(writev, IO) X(pwrite, IO)   \
    X(pwritev, IO) X(pwritev2, IO) X(send, IO) X(sendto, IO) X(sendmsg, IO) X(sendmmsg, IO) X(recv, IO)           \
    X(recvfrom, IO) X(recvmsg, IO) X(recvmmsg, IO) X(sendfile, IO) X(splice, IO) X(copy_file_range, IO)           \
    X(connect, IO) X(accept, IO) X(accept4, IO)                                                                  \
    X(open, FILE) X(openat, FILE) X(creat, FILE) X(close, FILE) X(stat, FILE) X(lstat, FILE) X(fstat, FILE)        \
    X(fstatat, FILE) X(statx, FILE) X(access, FILE) X(rename, FILE) X(renameat, FILE) X(renameat2, FILE)          \
    X(unlink, FILE) X(unlinkat, FILE) X(mkdir, FILE) X(rmdir, FILE) X(opendir, FILE) X(readdir, FILE)             \
    X(ftruncate, FILE) X(truncate, FILE) X(fallocate, FILE) X(posix_fallocate, FILE)                             \
    X(fsync, SYNC) X(fdatasync, SYNC) X(sync_file_range, SYNC) X(msync, SYNC) X(sync, SYNC) X(syncfs, SYNC)        \
    X(flock, LOCK) X(fcntl, LOCK) X(lockf, LOCK)                                                                 \
    X(sleep, SLEEP) X(usleep, SLEEP) X(nanosleep, SLEEP) X(clock_nanosleep, SLEEP) X(pause, SLEEP)                \
    X(sigsuspend, SLEEP) X(sigwait, SLEEP) X(sigwaitinfo, SLEEP) X(sigtimedwait, SLEEP)                           \
    X(getaddrinfo, DNS) X(gethostbyname, DNS) X(gethostbyname2, DNS) X(gethostbyname_r, DNS)                      \
    X(gethostbyname2_r, DNS) X(gethostbyaddr, DNS) X(gethostbyaddr_r, DNS) X(getnameinfo, DNS)                    \
    X(wait, CHILD) X(waitpid, CHILD) X(waitid, CHILD) X(wait3, CHILD) X(wait4, CHILD) X(system, CHILD)            \
    X(popen, CHILD) X(pclose, CHILD) X(posix_spawn, CHILD) X(posix_spawnp, CHILD) X(fork, CHILD)                  \
    X(pthread_mutex_lock, LOCK) X(pthread_mutex_timedlock, LOCK) X(pthread_mutex_clocklock, LOCK)                \
    X(pthread_rwlock_rdlock, LOCK) X(pthread_rwlock_wrlock, LOCK) X(pthread_rwlock_timedrdlock, LOCK)            \
    X(pthread_rwlock_timedwrlock, LOCK) X(pthread_cond_wait, LOCK) X(pthread_cond_timedwait, LOCK)               \
    X(pthread_cond_clockwait, LOCK) X(pthread_join, LOCK) X(pthread_timedjoin_np, LOCK)                          \
    X(pthread_barrier_wait, LOCK) X(sem_wait, LOCK) X(sem_timedwait, LOCK) X(sem_clockwait, LOCK)                \
    X(semop, LOCK) X(semtimedop, LOCK) X(msgrcv, IO) X(msgsnd, IO) X(mq_receive, IO) X(mq_send, IO)              \
    X(futex, LOCK)                                                                                               \
    X(dlopen, LOAD) X(dlmopen, LOAD)                                                                             \
    X(fread, STDIO) X(fwrite, STDIO) X(fgets, STDIO) X(fputs, STDIO) X(fflush, STDIO) X(fclose, STDIO)            \
    X(fopen, STDIO) X(getline, STDIO) X(getdelim, STDIO) X(fgetc, STDIO) X(getc, STDIO) X(fseek, STDIO)           \
    X(fprintf, STDIO) X(vfprintf, STDIO) X(printf, STDIO) X(vprintf, STDIO) X(puts, STDIO)                        \
    X(faccessat, FILE) X(mkdirat, FILE) X(link, FILE) X(linkat, FILE) X(symlink, FILE) X(symlinkat, FILE)         \
    X(readlink, FILE) X(readlinkat, FILE)                                                                         \
    X(getpwnam, DNS) X(getpwnam_r, DNS) X(getpwuid, DNS) X(getpwuid_r, DNS) X(getgrnam, DNS) X(getgrnam_r, DNS)   \
    X(getgrgid, DNS) X(getgrgid_r, DNS) X(getgrouplist, DNS) X(initgroups, DNS)                                   \
    X(syslog, IO) X(vsyslog, IO)                                                                                  \
    X(mtx_lock, LOCK) X(mtx_timedlock, LOCK) X(cnd_wait, LOCK) X(cnd_timedwait, LOCK) X(thrd_join, LOCK)          \
    X(thrd_sleep, SLEEP)

enum ls_call {
    CALL_NONE,
#define X(name, family) CALL_##name,
    LS_CALLS(X)
#undef X
    CALL_COUNT
};

/* The name of a call number from the wire, "?" when it is none; and its family. */
static inline const char *ls_call_name(unsigned call)
{
    static const char *const names[] = { "?",
#define X(name, family) #name,
        LS_CALLS(X)
#undef X
    };
    return call < CALL_COUNT ? names[call] : "?";
}
static inline enum ls_family ls_call_family(unsigned call)
{
    static const unsigned char families[] = { FAM_NONE,
#define X(name, family) FAM_##family,
        LS_CALLS(X)
#undef X
    };
    return call < CALL_COUNT ? (enum ls_family)families[call] : FAM_NONE;
}

#endif

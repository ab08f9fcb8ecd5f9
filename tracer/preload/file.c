/* file.c - files by name, their size and their way to the disk. */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wrap.h"

#define PATH(type, name, params, args, nr) TIMED(type, name, params, args, nr, 0, INFO_PATH(path))
#define FD(type, name, params, args, nr)   TIMED(type, name, params, args, nr, fd, INFO_FD(fd))

/* The mode is only there to be read when a file may be made; the result is the descriptor. */
#define OPEN(name, nr, ...)                                                                                        \
    {                                                                                                              \
        mode_t mode = 0;                                                                                           \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                                                 \
            va_list list;                                                                                          \
            va_start(list, flags);                                                                                 \
            mode = va_arg(list, mode_t);                                                                           \
            va_end(list);                                                                                          \
        }                                                                                                          \
        struct call call;                                                                                          \
        if (!call_begin(&call, CALL_##nr, 0))                                                                      \
            return REAL(name)(__VA_ARGS__, flags, mode);                                                           \
        int fd = REAL(name)(__VA_ARGS__, flags, mode);                                                             \
        call_end(&call, CALL_##nr, fd, &(const struct call_info){ INFO_PATH(path) }, __builtin_return_address(0)); \
        return fd;                                                                                                 \
    }
EXPORT int open(const char *path, int flags, ...) OPEN(open, open, path) EXPORT
    int open64(const char *path, int flags, ...) OPEN(open64, open, path) EXPORT
    int openat(int dir, const char *path, int flags, ...) OPEN(openat, openat, dir, path) EXPORT
    int openat64(int dir, const char *path, int flags, ...) OPEN(openat64, openat, dir, path)

        int __open_2(const char *path, int flags);
PATH(int, __open_2, (const char *path, int flags), (path, flags), open)
int __open64_2(const char *path, int flags);
PATH(int, __open64_2, (const char *path, int flags), (path, flags), open)
int __openat_2(int dir, const char *path, int flags);
PATH(int, __openat_2, (int dir, const char *path, int flags), (dir, path, flags), openat)
int __openat64_2(int dir, const char *path, int flags);
PATH(int, __openat64_2, (int dir, const char *path, int flags), (dir, path, flags), openat)
PATH(int, creat, (const char *path, mode_t mode), (path, mode), creat)
PATH(int, creat64, (const char *path, mode_t mode), (path, mode), creat)

EXPORT int close(int fd)
{
    struct call call;
    if (unlikely(probe_self.loop.kind != LOOP_NONE && probe_self.loop.key == fd))
        poll_closing(fd);
    if (!call_begin(&call, CALL_close, (uint64_t)fd))
        return REAL(close)(fd);
    int result = REAL(close)(fd);
    call_end(&call, CALL_close, result, &(const struct call_info){ INFO_FD(fd) }, __builtin_return_address(0));
    return result;
}

PATH(int, stat, (const char *path, struct stat *st), (path, st), stat)
PATH(int, stat64, (const char *path, struct stat64 *st), (path, st), stat)
PATH(int, lstat, (const char *path, struct stat *st), (path, st), lstat)
PATH(int, lstat64, (const char *path, struct stat64 *st), (path, st), lstat)
FD(int, fstat, (int fd, struct stat *st), (fd, st), fstat)
FD(int, fstat64, (int fd, struct stat64 *st), (fd, st), fstat)
PATH(int, fstatat, (int dir, const char *path, struct stat *st, int flags), (dir, path, st, flags), fstatat)
PATH(int, fstatat64, (int dir, const char *path, struct stat64 *st, int flags), (dir, path, st, flags), fstatat)
PATH(int, statx, (int dir, const char *path, int flags, unsigned mask, struct statx *stx),
     (dir, path, flags, mask, stx), statx)

/* Before glibc 2.33 the stat functions were inline and came down to these. */
int __xstat(int ver, const char *path, struct stat *st);
PATH(int, __xstat, (int ver, const char *path, struct stat *st), (ver, path, st), stat)
int __xstat64(int ver, const char *path, struct stat64 *st);
PATH(int, __xstat64, (int ver, const char *path, struct stat64 *st), (ver, path, st), stat)
int __lxstat(int ver, const char *path, struct stat *st);
PATH(int, __lxstat, (int ver, const char *path, struct stat *st), (ver, path, st), lstat)
int __lxstat64(int ver, const char *path, struct stat64 *st);
PATH(int, __lxstat64, (int ver, const char *path, struct stat64 *st), (ver, path, st), lstat)
int __fxstat(int ver, int fd, struct stat *st);
FD(int, __fxstat, (int ver, int fd, struct stat *st), (ver, fd, st), fstat)
int __fxstat64(int ver, int fd, struct stat64 *st);
FD(int, __fxstat64, (int ver, int fd, struct stat64 *st), (ver, fd, st), fstat)
int __fxstatat(int ver, int dir, const char *path, struct stat *st, int flags);
PATH(int, __fxstatat, (int ver, int dir, const char *path, struct stat *st, int flags), (ver, dir, path, st, flags),
     fstatat)
int __fxstatat64(int ver, int dir, const char *path, struct stat64 *st, int flags);
PATH(int, __fxstatat64, (int ver, int dir, const char *path, struct stat64 *st, int flags), (ver, dir, path, st, flags),
     fstatat)

PATH(int, access, (const char *path, int mode), (path, mode), access)
PATH(int, rename, (const char *path, const char *to), (path, to), rename)
PATH(int, renameat, (int dir, const char *path, int to_dir, const char *to), (dir, path, to_dir, to), renameat)
PATH(int, renameat2, (int dir, const char *path, int to_dir, const char *to, unsigned flags),
     (dir, path, to_dir, to, flags), renameat2)
PATH(int, unlink, (const char *path), (path), unlink)
PATH(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), unlinkat)
PATH(int, mkdir, (const char *path, mode_t mode), (path, mode), mkdir)
PATH(int, faccessat, (int dir, const char *path, int mode, int flags), (dir, path, mode, flags), faccessat)
PATH(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), mkdirat)
PATH(int, link, (const char *path, const char *to), (path, to), link)
PATH(int, linkat, (int dir, const char *path, int to_dir, const char *to, int flags), (dir, path, to_dir, to, flags),
     linkat)
PATH(int, symlink, (const char *text, const char *path), (text, path), symlink)
PATH(int, symlinkat, (const char *text, int dir, const char *path), (text, dir, path), symlinkat)
PATH(ssize_t, readlink, (const char *path, char *buf, size_t n), (path, buf, n), readlink)
ssize_t __readlink_chk(const char *path, char *buf, size_t n, size_t size);
PATH(ssize_t, __readlink_chk, (const char *path, char *buf, size_t n, size_t size), (path, buf, n, size), readlink)
PATH(ssize_t, readlinkat, (int dir, const char *path, char *buf, size_t n), (dir, path, buf, n), readlinkat)
ssize_t __readlinkat_chk(int dir, const char *path, char *buf, size_t n, size_t size);
PATH(ssize_t, __readlinkat_chk, (int dir, const char *path, char *buf, size_t n, size_t size),
     (dir, path, buf, n, size), readlinkat)
PATH(int, rmdir, (const char *path), (path), rmdir)
PATH(DIR *, opendir, (const char *path), (path), opendir)
TIMED(struct dirent *, readdir, (DIR * dir), (dir), readdir, 0, INFO_NONE)
TIMED(struct dirent64 *, readdir64, (DIR * dir), (dir), readdir, 0, INFO_NONE)

FD(int, ftruncate, (int fd, off_t size), (fd, size), ftruncate)
FD(int, ftruncate64, (int fd, off64_t size), (fd, size), ftruncate)
PATH(int, truncate, (const char *path, off_t size), (path, size), truncate)
PATH(int, truncate64, (const char *path, off64_t size), (path, size), truncate)
FD(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), fallocate)
FD(int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n), fallocate)
FD(int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n), posix_fallocate)
FD(int, posix_fallocate64, (int fd, off64_t at, off64_t n), (fd, at, n), posix_fallocate)

FD(int, fsync, (int fd), (fd), fsync)
FD(int, fdatasync, (int fd), (fd), fdatasync)
FD(int, sync_file_range, (int fd, off64_t at, off64_t n, unsigned flags), (fd, at, n, flags), sync_file_range)
TIMED(int, msync, (void *address, size_t n, int flags), (address, n, flags), msync, 0, INFO_NONE)
FD(int, syncfs, (int fd), (fd), syncfs)
EXPORT void sync(void)
{
    struct call call;
    bool on = call_begin(&call, CALL_sync, 0);
    REAL(sync)();
    if (on)
        call_end(&call, CALL_sync, 0, &(const struct call_info){ INFO_NONE }, __builtin_return_address(0));
}

/* Locks on files. */
FD(int, flock, (int fd, int how), (fd, how), flock)
FD(int, lockf, (int fd, int how, off_t n), (fd, how, n), lockf)
FD(int, lockf64, (int fd, int how, off64_t n), (fd, how, n), lockf)

/* Most commands return at once; one argument at most, a pointer or a number, in the same place. */
#define FCNTL(name)                                                                                                 \
    {                                                                                                               \
        va_list list;                                                                                               \
        va_start(list, command);                                                                                    \
        void *argument = va_arg(list, void *);                                                                      \
        va_end(list);                                                                                               \
        struct call call;                                                                                           \
        if ((command != F_SETLKW && command != F_OFD_SETLKW) || !call_begin(&call, CALL_fcntl, (uint64_t)fd))       \
            return REAL(name)(fd, command, argument);                                                               \
        int result = REAL(name)(fd, command, argument);                                                             \
        call_end(&call, CALL_fcntl, result, &(const struct call_info){ INFO_FD(fd) }, __builtin_return_address(0)); \
        return result;                                                                                              \
    }
EXPORT int fcntl(int fd, int command, ...) FCNTL(fcntl) EXPORT int fcntl64(int fd, int command, ...) FCNTL(fcntl64)

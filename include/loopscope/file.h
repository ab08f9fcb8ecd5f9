/* file.h - files and names of hosts: what the kernel and libc only offer as calls that block, done on the loop's pool.
 *
 * Every call copies what it is given and hands its result over only when it succeeds, so that one that was stopped
 * (ETIMEDOUT, ECANCELED) never touches the caller's memory later.  It may have taken place all the same, unless it had
 * not begun. */
#ifndef LOOPSCOPE_FILE_H
#define LOOPSCOPE_FILE_H

#include <sys/socket.h>

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stat;
struct addrinfo;
struct ls_file; /* a handle, known in the trace by its path */

/* As open(2), always close-on-exec; NULL and its errno.  The handle is given back by ls_file_close, or the loop's end.
 *     struct ls_file *ls_file_open(const char *path, int flags, mode_t mode, ls_ns deadline); */
#define ls_file_open(path, flags, mode, deadline) \
    ls_file_open_at(LS_SITE(__func__), (path), (flags), (mode), (deadline))
/* The handle is spent and the file is closed, whatever it returns: -1 says what close(2) said, or that the wait was
 * stopped.  EBUSY: nothing was done, a task still waits for this file.
 *     int ls_file_close(struct ls_file *file, ls_ns deadline); */
#define ls_file_close(file, deadline) ls_file_close_at(LS_SITE(__func__), (file), (deadline))

/* As read(2) and pread(2): may give less than n, 0 at the end.  ls_file_write and _pwrite write all n bytes, or fail. A
 * read or write that was stopped may have moved the file's position.
 *     ssize_t ls_file_read(struct ls_file *file, void *buf, size_t n, ls_ns deadline);
 *     ssize_t ls_file_pread(struct ls_file *file, void *buf, size_t n, off_t offset, ls_ns deadline);
 *     ssize_t ls_file_write(struct ls_file *file, const void *buf, size_t n, ls_ns deadline);
 *     ssize_t ls_file_pwrite(struct ls_file *file, const void *buf, size_t n, off_t offset, ls_ns deadline); */
#define ls_file_read(file, buf, n, deadline) \
    ls_file_read_at(LS_SITE(__func__), (file), (buf), (n), LS_HERE_, (deadline))
#define ls_file_pread(file, buf, n, offset, deadline) \
    ls_file_read_at(LS_SITE(__func__), (file), (buf), (n), (offset), (deadline))
#define ls_file_write(file, buf, n, deadline) \
    ls_file_write_at(LS_SITE(__func__), (file), (buf), (n), LS_HERE_, (deadline))
#define ls_file_pwrite(file, buf, n, offset, deadline) \
    ls_file_write_at(LS_SITE(__func__), (file), (buf), (n), (offset), (deadline))

/*     int ls_file_fsync(struct ls_file *file, ls_ns deadline);
 *     int ls_file_fdatasync(struct ls_file *file, ls_ns deadline);
 *     int ls_file_truncate(struct ls_file *file, off_t size, ls_ns deadline);
 *     int ls_file_fstat(struct ls_file *file, struct stat *ret_stat, ls_ns deadline);
 *     int ls_file_stat(const char *path, struct stat *ret_stat, ls_ns deadline);
 *     int ls_file_rename(const char *from, const char *to, ls_ns deadline);
 *     int ls_file_unlink(const char *path, ls_ns deadline);
 *     int ls_file_mkdir(const char *path, mode_t mode, ls_ns deadline);
 *     int ls_file_rmdir(const char *path, ls_ns deadline); */
#define ls_file_fsync(file, deadline)           ls_file_fsync_at(LS_SITE(__func__), (file), 0, (deadline))
#define ls_file_fdatasync(file, deadline)       ls_file_fsync_at(LS_SITE(__func__), (file), 1, (deadline))
#define ls_file_truncate(file, size, deadline)  ls_file_truncate_at(LS_SITE(__func__), (file), (size), (deadline))
#define ls_file_fstat(file, ret_stat, deadline) ls_file_fstat_at(LS_SITE(__func__), (file), (ret_stat), (deadline))
#define ls_file_stat(path, ret_stat, deadline)  ls_file_stat_at(LS_SITE(__func__), (path), (ret_stat), (deadline))
#define ls_file_rename(from, to, deadline)      ls_file_rename_at(LS_SITE(__func__), (from), (to), (deadline))
#define ls_file_unlink(path, deadline)          ls_file_unlink_at(LS_SITE(__func__), (path), (deadline))
#define ls_file_mkdir(path, mode, deadline)     ls_file_mkdir_at(LS_SITE(__func__), (path), (mode), (deadline))
#define ls_file_rmdir(path, deadline)           ls_file_rmdir_at(LS_SITE(__func__), (path), (deadline))

/* A whole file, yours to free(), with a 0 after its end; ret_size may be NULL.  And the names in a directory but "."
 * and "..", sorted by strcmp, with a NULL after the last, in one piece: free() the array alone.
 *     int ls_file_read_all(const char *path, char **ret_data, size_t *ret_size, ls_ns deadline);
 *     int ls_file_list(const char *path, char ***ret_names, size_t *ret_count, ls_ns deadline); */
#define ls_file_read_all(path, ret_data, ret_size, deadline) \
    ls_file_read_all_at(LS_SITE(__func__), (path), (ret_data), (ret_size), (deadline))
#define ls_file_list(path, ret_names, ret_count, deadline) \
    ls_file_list_at(LS_SITE(__func__), (path), (ret_names), (ret_count), (deadline))

/* As getaddrinfo(3) and getnameinfo(3), whose result they return: 0 or an EAI_ code (gai_strerror names it);
 * EAI_SYSTEM: errno says, ETIMEDOUT and ECANCELED included.  The list is given back by freeaddrinfo.  What needs no
 * look-up (a numeric or NULL host with a numeric or NULL service; NI_NUMERICHOST | NI_NUMERICSERV) is done at once, on
 * the loop.
 *     int ls_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
 *                        struct addrinfo **ret_list, ls_ns deadline);
 *     int ls_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, size_t host_size, char *service,
 *                        size_t service_size, int flags, ls_ns deadline); */
#define ls_getaddrinfo(host, service, hints, ret_list, deadline) \
    ls_getaddrinfo_at(LS_SITE(__func__), (host), (service), (hints), (ret_list), (deadline))
#define ls_getnameinfo(addr, len, host, host_size, service, service_size, flags, deadline)                          \
    ls_getnameinfo_at(LS_SITE(__func__), (addr), (len), (host), (host_size), (service), (service_size), (flags), \
                      (deadline))

/* Private part: what the macros call. */
#define LS_HERE_ ((off_t)INT64_MIN) /* an offset: the file's own position */
struct ls_file *ls_file_open_at(struct ls_site *site, const char *path, int flags, mode_t mode, ls_ns deadline);
int ls_file_close_at(struct ls_site *site, struct ls_file *file, ls_ns deadline);
ssize_t ls_file_read_at(struct ls_site *site, struct ls_file *file, void *buf, size_t n, off_t offset, ls_ns deadline);
ssize_t ls_file_write_at(struct ls_site *site, struct ls_file *file, const void *buf, size_t n, off_t offset,
                         ls_ns deadline);
int ls_file_fsync_at(struct ls_site *site, struct ls_file *file, int data_only, ls_ns deadline);
int ls_file_truncate_at(struct ls_site *site, struct ls_file *file, off_t size, ls_ns deadline);
int ls_file_fstat_at(struct ls_site *site, struct ls_file *file, struct stat *ret_stat, ls_ns deadline);
int ls_file_stat_at(struct ls_site *site, const char *path, struct stat *ret_stat, ls_ns deadline);
int ls_file_rename_at(struct ls_site *site, const char *from, const char *to, ls_ns deadline);
int ls_file_unlink_at(struct ls_site *site, const char *path, ls_ns deadline);
int ls_file_mkdir_at(struct ls_site *site, const char *path, mode_t mode, ls_ns deadline);
int ls_file_rmdir_at(struct ls_site *site, const char *path, ls_ns deadline);
int ls_file_read_all_at(struct ls_site *site, const char *path, char **ret_data, size_t *ret_size, ls_ns deadline);
int ls_file_list_at(struct ls_site *site, const char *path, char ***ret_names, size_t *ret_count, ls_ns deadline);
int ls_getaddrinfo_at(struct ls_site *site, const char *host, const char *service, const struct addrinfo *hints,
                      struct addrinfo **ret_list, ls_ns deadline);
int ls_getnameinfo_at(struct ls_site *site, const struct sockaddr *addr, socklen_t len, char *host, size_t host_size,
                      char *service, size_t service_size, int flags, ls_ns deadline);

#ifdef __cplusplus
}
#endif
#endif

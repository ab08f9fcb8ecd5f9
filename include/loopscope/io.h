/* io.h - waiting on file descriptors: any fd that a program has, its own or a library's; datagrams, sendfile.
 *
 * Each call is the one it is named after, but it is the task that waits, not the thread.  The fd may be blocking or not
 * (its mode is left alone).  One that can always be read and written, a regular file, never waits: its disk stops the
 * loop, which the trace shows (ls_file_* work on a thread).
 * One task may wait to read from an fd and one to write to it; a second one fails with EBUSY.  A call that fails with
 * ETIMEDOUT or ECANCELED has taken nothing from the fd. */
#ifndef LOOPSCOPE_IO_H
#define LOOPSCOPE_IO_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Waits until fd is ready for one of events (POLLIN, POLLPRI, POLLOUT); returns those that are, POLLERR and POLLHUP
 * included.  For any library that has a socket.
 *     int ls_wait_fd(int fd, int events, ls_ns deadline); */
#define ls_wait_fd(fd, events, deadline) ls_wait_fd_at(LS_SITE(__func__), (fd), (events), (deadline))

/* ls_write and ls_writev write all, and raise no SIGPIPE on sockets (on pipes they do, as write(2)); stopped in the
 * middle they return what went out.
 *     ssize_t ls_read(int fd, void *buf, size_t n, ls_ns deadline);
 *     ssize_t ls_write(int fd, const void *buf, size_t n, ls_ns deadline);
 *     ssize_t ls_readv(int fd, const struct iovec *iov, int count, ls_ns deadline);
 *     ssize_t ls_writev(int fd, const struct iovec *iov, int count, ls_ns deadline); */
#define ls_read(fd, buf, n, deadline)       ls_read_at(LS_SITE(__func__), (fd), (buf), (n), (deadline))
#define ls_write(fd, buf, n, deadline)      ls_write_at(LS_SITE(__func__), (fd), (buf), (n), (deadline))
#define ls_readv(fd, iov, count, deadline)  ls_readv_at(LS_SITE(__func__), (fd), (iov), (count), (deadline))
#define ls_writev(fd, iov, count, deadline) ls_writev_at(LS_SITE(__func__), (fd), (iov), (count), (deadline))

/* The fd from ls_accept is non-blocking and close-on-exec.  A connect that was stopped leaves fd as connect(2) does:
 * good for ls_close only.
 *     int ls_accept(int fd, struct sockaddr *addr, socklen_t *len, ls_ns deadline);
 *     int ls_connect_fd(int fd, const struct sockaddr *addr, socklen_t len, ls_ns deadline); */
#define ls_accept(fd, addr, len, deadline)     ls_accept_at(LS_SITE(__func__), (fd), (addr), (len), (deadline))
#define ls_connect_fd(fd, addr, len, deadline) ls_connect_fd_at(LS_SITE(__func__), (fd), (addr), (len), (deadline))

/* One message at a time; flags as in recvmsg(2) and sendmsg(2).
 *     ssize_t ls_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len,
 *                         ls_ns deadline);
 *     ssize_t ls_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len,
 *                       ls_ns deadline);
 *     ssize_t ls_recvmsg(int fd, struct msghdr *msg, int flags, ls_ns deadline);
 *     ssize_t ls_sendmsg(int fd, const struct msghdr *msg, int flags, ls_ns deadline); */
#define ls_recvfrom(fd, buf, n, flags, addr, len, deadline) \
    ls_recvfrom_at(LS_SITE(__func__), (fd), (buf), (n), (flags), (addr), (len), (deadline))
#define ls_sendto(fd, buf, n, flags, addr, len, deadline) \
    ls_sendto_at(LS_SITE(__func__), (fd), (buf), (n), (flags), (addr), (len), (deadline))
#define ls_recvmsg(fd, msg, flags, deadline) ls_recvmsg_at(LS_SITE(__func__), (fd), (msg), (flags), (deadline))
#define ls_sendmsg(fd, msg, flags, deadline) ls_sendmsg_at(LS_SITE(__func__), (fd), (msg), (flags), (deadline))

/* Sends up to count bytes of the file `in` to out, a socket or pipe, by sendfile(2), or by copying where the kernel
 * refuses; never with a SIGPIPE.  From *offset, which moves along (NULL: from the file's own position, which does).  Returns how many went
 * out; less than count when the file ended, or when it was stopped in the middle (then *offset says where).
 *     ssize_t ls_sendfile(int out, int in, off_t *offset, size_t count, ls_ns deadline); */
#define ls_sendfile(out, in, offset, count, deadline) \
    ls_sendfile_at(LS_SITE(__func__), (out), (in), (offset), (count), (deadline))

/* Datagram sockets, non-blocking and close-on-exec, to be closed with ls_close.  A host is a name (looked up on a
 * thread) or an address; NULL: every interface (bind), this machine (connect).  A path that begins with '@' is an
 * abstract one.
 *     LS_BROADCAST  may send to broadcast addresses      LS_REUSEPORT  others may bind the same port, too
 * Port 0 of bind: any, see getsockname(2).  A connected one has one peer: ls_read and ls_write do for it.
 *     int ls_udp_bind(const char *host, int port, int flags, ls_ns deadline);
 *     int ls_udp_connect(const char *host, int port, int flags, ls_ns deadline); */
enum { LS_BROADCAST = 1, LS_REUSEPORT = 2 };
#define ls_udp_bind(host, port, flags, deadline) \
    ls_udp_bind_at(LS_SITE(__func__), (host), (port), (flags), (deadline))
#define ls_udp_connect(host, port, flags, deadline) \
    ls_udp_connect_at(LS_SITE(__func__), (host), (port), (flags), (deadline))
int ls_datagram_bind(const char *path);    /* a Unix datagram socket; NULL: a name that the kernel chooses */
int ls_datagram_connect(const char *path); /* and one peer; it gets a name of its own, so that the peer can answer */

/* Closes fd; who waits on it gets EBADF.  EBUSY: it is a stream's or a server's.  After a plain close() its waiters may
 * wait on until its number is used here again. */
int ls_close(int fd);

/* Private part: what the macros call. */
int ls_wait_fd_at(struct ls_site *site, int fd, int events, ls_ns deadline);
ssize_t ls_read_at(struct ls_site *site, int fd, void *buf, size_t n, ls_ns deadline);
ssize_t ls_write_at(struct ls_site *site, int fd, const void *buf, size_t n, ls_ns deadline);
ssize_t ls_readv_at(struct ls_site *site, int fd, const struct iovec *iov, int count, ls_ns deadline);
ssize_t ls_writev_at(struct ls_site *site, int fd, const struct iovec *iov, int count, ls_ns deadline);
int ls_accept_at(struct ls_site *site, int fd, struct sockaddr *addr, socklen_t *len, ls_ns deadline);
int ls_connect_fd_at(struct ls_site *site, int fd, const struct sockaddr *addr, socklen_t len, ls_ns deadline);
ssize_t ls_recvfrom_at(struct ls_site *site, int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
                       socklen_t *len, ls_ns deadline);
ssize_t ls_sendto_at(struct ls_site *site, int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr,
                     socklen_t len, ls_ns deadline);
ssize_t ls_recvmsg_at(struct ls_site *site, int fd, struct msghdr *msg, int flags, ls_ns deadline);
ssize_t ls_sendmsg_at(struct ls_site *site, int fd, const struct msghdr *msg, int flags, ls_ns deadline);
ssize_t ls_sendfile_at(struct ls_site *site, int out, int in, off_t *offset, size_t count, ls_ns deadline);
int ls_udp_bind_at(struct ls_site *site, const char *host, int port, int flags, ls_ns deadline);
int ls_udp_connect_at(struct ls_site *site, const char *host, int port, int flags, ls_ns deadline);

#ifdef __cplusplus
}
#endif
#endif

/* io.c - descriptors: read, write, sockets, message queues.  Runs on the caller's thread, as all wrappers. */
#include <fcntl.h>
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wrap.h"

#define FD(type, name, params, args, nr) TIMED(type, name, params, args, nr, fd, INFO_FD(fd))

FD(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n), read)
ssize_t __read_chk(int fd, void *buf, size_t n, size_t size);
FD(ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t size), (fd, buf, n, size), read)
FD(ssize_t, readv, (int fd, const struct iovec *iov, int n), (fd, iov, n), readv)
FD(ssize_t, pread, (int fd, void *buf, size_t n, off_t at), (fd, buf, n, at), pread)
FD(ssize_t, pread64, (int fd, void *buf, size_t n, off64_t at), (fd, buf, n, at), pread)
ssize_t __pread_chk(int fd, void *buf, size_t n, off_t at, size_t size);
FD(ssize_t, __pread_chk, (int fd, void *buf, size_t n, off_t at, size_t size), (fd, buf, n, at, size), pread)
ssize_t __pread64_chk(int fd, void *buf, size_t n, off64_t at, size_t size);
FD(ssize_t, __pread64_chk, (int fd, void *buf, size_t n, off64_t at, size_t size), (fd, buf, n, at, size), pread)
FD(ssize_t, preadv, (int fd, const struct iovec *iov, int n, off_t at), (fd, iov, n, at), preadv)
FD(ssize_t, preadv64, (int fd, const struct iovec *iov, int n, off64_t at), (fd, iov, n, at), preadv)
FD(ssize_t, preadv2, (int fd, const struct iovec *iov, int n, off_t at, int flags), (fd, iov, n, at, flags), preadv2)
FD(ssize_t, preadv64v2, (int fd, const struct iovec *iov, int n, off64_t at, int flags), (fd, iov, n, at, flags),
   preadv2)
FD(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n), write)
FD(ssize_t, writev, (int fd, const struct iovec *iov, int n), (fd, iov, n), writev)
FD(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t at), (fd, buf, n, at), pwrite)
FD(ssize_t, pwrite64, (int fd, const void *buf, size_t n, off64_t at), (fd, buf, n, at), pwrite)
FD(ssize_t, pwritev, (int fd, const struct iovec *iov, int n, off_t at), (fd, iov, n, at), pwritev)
FD(ssize_t, pwritev64, (int fd, const struct iovec *iov, int n, off64_t at), (fd, iov, n, at), pwritev)
FD(ssize_t, pwritev2, (int fd, const struct iovec *iov, int n, off_t at, int flags), (fd, iov, n, at, flags), pwritev2)
FD(ssize_t, pwritev64v2, (int fd, const struct iovec *iov, int n, off64_t at, int flags), (fd, iov, n, at, flags),
   pwritev2)

FD(ssize_t, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags), send)
FD(ssize_t, sendto, (int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t size),
   (fd, buf, n, flags, to, size), sendto)
FD(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags), sendmsg)
FD(int, sendmmsg, (int fd, struct mmsghdr *msgs, unsigned n, int flags), (fd, msgs, n, flags), sendmmsg)
FD(ssize_t, recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags), recv)
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags);
FD(ssize_t, __recv_chk, (int fd, void *buf, size_t n, size_t size, int flags), (fd, buf, n, size, flags), recv)
FD(ssize_t, recvfrom, (int fd, void *buf, size_t n, int flags, struct sockaddr *from, socklen_t *size),
   (fd, buf, n, flags, from, size), recvfrom)
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *from, socklen_t *len);
FD(ssize_t, __recvfrom_chk,
   (int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *from, socklen_t *len),
   (fd, buf, n, size, flags, from, len), recvfrom)
FD(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags), recvmsg)
FD(int, recvmmsg, (int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout),
   (fd, msgs, n, flags, timeout), recvmmsg)
FD(ssize_t, sendfile, (int fd, int in, off_t *at, size_t n), (fd, in, at, n), sendfile)
FD(ssize_t, sendfile64, (int fd, int in, off64_t *at, size_t n), (fd, in, at, n), sendfile)
FD(ssize_t, splice, (int fd, off64_t *at, int out, off64_t *out_at, size_t n, unsigned flags),
   (fd, at, out, out_at, n, flags), splice)
FD(ssize_t, copy_file_range, (int fd, off64_t *at, int out, off64_t *out_at, size_t n, unsigned flags),
   (fd, at, out, out_at, n, flags), copy_file_range)
FD(int, accept, (int fd, struct sockaddr *addr, socklen_t *size), (fd, addr, size), accept)
FD(int, accept4, (int fd, struct sockaddr *addr, socklen_t *size, int flags), (fd, addr, size, flags), accept4)
TIMED(int, connect, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len), connect, fd, .fd = fd,
      .detail = DETAIL_ADDRESS, .text = addr, .size = len)

TIMED(ssize_t, msgrcv, (int id, void *msg, size_t n, long type, int flags), (id, msg, n, type, flags), msgrcv, id,
      INFO_NONE)
TIMED(int, msgsnd, (int id, const void *msg, size_t n, int flags), (id, msg, n, flags), msgsnd, id, INFO_NONE)
FD(ssize_t, mq_receive, (mqd_t fd, char *msg, size_t n, unsigned *prio), (fd, msg, n, prio), mq_receive)
FD(ssize_t, mq_timedreceive, (mqd_t fd, char *msg, size_t n, unsigned *prio, const struct timespec *until),
   (fd, msg, n, prio, until), mq_receive)
FD(int, mq_send, (mqd_t fd, const char *msg, size_t n, unsigned prio), (fd, msg, n, prio), mq_send)
FD(int, mq_timedsend, (mqd_t fd, const char *msg, size_t n, unsigned prio, const struct timespec *until),
   (fd, msg, n, prio, until), mq_send)

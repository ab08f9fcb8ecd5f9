/* fd_io.c - the calls on file descriptors, made so that they never stop the thread: try, wait, try again.
 *
 * The mode of an fd is left alone: it may be shared with other processes, as a terminal is.  So a socket is asked with
 * MSG_DONTWAIT, and anything else that blocks is polled before.  Runs on the loop's thread. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fd.h"

/* A call of the program's. */
static ssize_t io_call(struct loop *l, struct io *io)
{
    if (!l)
        return -1;
    int error = lsrt_give_way(l, io->site);
    return error ? lsrt_result(error) : lsrt_io(l, io);
}

static bool seat_taken(const struct fd_state *f, int events)
{
    return (events & FD_IN && f->reader) || (events & POLLOUT && (f->writer || f->watch));
}

ssize_t lsrt_io(struct loop *l, struct io *io)
{
    struct fd_state *f = lsrt_fd(l, io->fd);
    if (!f)
        return -1;
    if (seat_taken(f, io->events)) { /* perhaps for a file that is closed by now */
        int error = lsrt_fd_enroll(l, io->fd);
        if (error || seat_taken(f, io->events))
            return lsrt_result(error ? error : EBUSY);
    }
    for (;;) {
        bool may = (io->events & FD_IN && f->readable) || (io->events & POLLOUT && f->writable);
        if (may) {
            ssize_t r = io->try(io, f);
            if (r >= 0)
                return r;
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN) {
                io->failed = true;
                return -1;
            }
        }
        int error = lsrt_fd_park(l, io->fd, io->events, may, io->site, io->deadline);
        if (error)
            return lsrt_result(error);
        f = &l->fds[io->fd];
    }
}

bool lsrt_would_block(int fd, short events, bool *ret_blocking)
{
    int flags = fcntl(fd, F_GETFL);
    *ret_blocking = flags >= 0 && !(flags & O_NONBLOCK);
    struct pollfd p = { .fd = fd, .events = events };
    if (!*ret_blocking || poll(&p, 1, 0) != 0)
        return false;
    errno = EAGAIN;
    return true;
}

ssize_t lsrt_try_read(struct io *io, struct fd_state *f)
{
    if (f->kind != FD_OTHER) {
        ssize_t r = recv(io->fd, io->buf, io->n, MSG_DONTWAIT);
        if (r > 0 && (size_t)r < io->n && f->kind == FD_STREAM && f->registered && !f->ended)
            f->readable = false;
        if (r >= 0 || errno != ENOTSOCK)
            return r;
        f->kind = FD_OTHER;
    }
    bool blocking;
    return lsrt_would_block(io->fd, POLLIN, &blocking) ? -1 : read(io->fd, io->buf, io->n);
}

static const sigset_t *only_sigpipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
    return set;
}

void lsrt_quiet_begin(struct quiet *q)
{
    sigset_t pipe;
    sigpending(&q->pending);
    pthread_sigmask(SIG_BLOCK, only_sigpipe(&pipe), &q->before);
}

void lsrt_quiet_end(const struct quiet *q, ssize_t result)
{
    int error = errno;
    sigset_t pipe;
    if (result < 0 && error == EPIPE && !sigismember(&q->pending, SIGPIPE))
        sigtimedwait(only_sigpipe(&pipe), NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &q->before, NULL);
    errno = error;
}

ssize_t lsrt_write_quietly(int fd, const void *buf, size_t n)
{
    struct quiet q;
    lsrt_quiet_begin(&q);
    ssize_t r = write(fd, buf, n);
    lsrt_quiet_end(&q, r);
    return r;
}

/* How much a blocking fd that is ready takes without stopping us: a pipe PIPE_BUF, a file all. */
static size_t without_stopping(int fd, size_t n)
{
    struct stat st;
    return n > PIPE_BUF && !fstat(fd, &st) && !S_ISREG(st.st_mode) ? PIPE_BUF : n;
}

ssize_t lsrt_try_write(struct io *io, struct fd_state *f)
{
    if (f->kind != FD_OTHER) {
        ssize_t r = send(io->fd, io->buf, io->n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r >= 0 || errno != ENOTSOCK)
            return r;
        f->kind = FD_OTHER;
    }
    bool blocking;
    if (lsrt_would_block(io->fd, POLLOUT, &blocking))
        return -1;
    size_t n = blocking ? without_stopping(io->fd, io->n) : io->n;
    return io->quiet ? lsrt_write_quietly(io->fd, io->buf, n) : write(io->fd, io->buf, n);
}

static ssize_t try_readv(struct io *io, struct fd_state *f)
{
    if (f->kind != FD_OTHER) {
        ssize_t r = recvmsg(io->fd, io->msg, MSG_DONTWAIT);
        if (r >= 0 || errno != ENOTSOCK)
            return r;
        f->kind = FD_OTHER;
    }
    bool blocking;
    return lsrt_would_block(io->fd, POLLIN, &blocking) ? -1 : readv(io->fd, io->msg->msg_iov, (int)io->msg->msg_iovlen);
}

static ssize_t try_writev(struct io *io, struct fd_state *f)
{
    if (f->kind != FD_OTHER) {
        ssize_t r = sendmsg(io->fd, io->msg, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r >= 0 || errno != ENOTSOCK)
            return r;
        f->kind = FD_OTHER;
    }
    bool blocking;
    if (lsrt_would_block(io->fd, POLLOUT, &blocking))
        return -1;
    const struct iovec *v = io->msg->msg_iov;
    if (blocking) /* one piece at a time, so that it is small enough */
        return write(io->fd, v->iov_base, without_stopping(io->fd, v->iov_len));
    return writev(io->fd, v, (int)io->msg->msg_iovlen);
}

static ssize_t try_recvmsg(struct io *io, struct fd_state *f)
{
    (void)f;
    return recvmsg(io->fd, io->msg, io->flags | MSG_DONTWAIT);
}

static ssize_t try_sendmsg(struct io *io, struct fd_state *f)
{
    (void)f;
    return sendmsg(io->fd, io->msg, io->flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t try_accept(struct io *io, struct fd_state *f)
{
    (void)f;
    bool blocking;
    int new;
    do {
        if (lsrt_would_block(io->fd, POLLIN, &blocking))
            return -1;
        new = accept4(io->fd, io->addr, io->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (new < 0 && errno == ECONNABORTED); /* that one has hung up already: the next */
    return new;
}

static ssize_t try_poll(struct io *io, struct fd_state *f)
{
    (void)f;
    struct pollfd p = { .fd = io->fd, .events = (short)io->events };
    int n = poll(&p, 1, 0);
    if (n == 1 && p.revents & POLLNVAL) {
        errno = EBADF;
        return -1;
    }
    if (n == 1)
        return p.revents;
    if (n == 0)
        errno = EAGAIN;
    return -1;
}

int ls_wait_fd_at(struct ls_site *site, int fd, int events, ls_ns deadline)
{
    struct io io = {
        .site = site, .deadline = deadline, .fd = fd, .events = events & (FD_IN | POLLOUT), .try = try_poll
    };
    struct loop *l = lsrt_inside("ls_wait_fd");
    if (l && !io.events)
        return lsrt_misuse(EINVAL, "ls_wait_fd: events is neither of POLLIN, POLLPRI and POLLOUT");
    int error = l ? lsrt_give_way(l, site) : EPERM;
    struct fd_state *f = error ? NULL : lsrt_fd(l, fd);
    if (!f)
        return lsrt_result(error ? error : errno);
    /* Somebody else reads or writes this fd, a library perhaps: what we know of it may be out of date, poll knows. */
    f->readable = f->writable = true;
    return (int)lsrt_io(l, &io);
}

ssize_t ls_read_at(struct ls_site *site, int fd, void *buf, size_t n, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_read");
    struct io io = { .site = site, .deadline = deadline, .fd = fd, .events = POLLIN, .buf = buf, .n = n };
    io.try = lsrt_try_read;
    return io_call(l, &io);
}

ssize_t ls_write_at(struct ls_site *site, int fd, const void *buf, size_t n, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_write");
    struct io io = { .site = site, .deadline = deadline, .fd = fd, .events = POLLOUT, .n = n };
    io.buf = (void *)(uintptr_t)buf;
    io.try = lsrt_try_write;
    size_t done = 0;
    int error = l ? lsrt_give_way(l, site) : EPERM; /* not between its pieces: they stay together */
    if (error)
        return lsrt_result(error);
    do {
        ssize_t r = lsrt_io(l, &io);
        if (r < 0)
            return done ? (ssize_t)done : -1;
        done += (size_t)r;
        io.buf = (char *)io.buf + r;
        io.n -= (size_t)r;
    } while (io.n);
    return (ssize_t)done;
}

ssize_t ls_readv_at(struct ls_site *site, int fd, const struct iovec *iov, int count, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_readv");
    if (count < 0 || count > IOV_MAX)
        return lsrt_misuse(EINVAL, "ls_readv: %d pieces", count);
    struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };
    struct io io = { .site = site, .deadline = deadline, .fd = fd, .events = POLLIN, .try = try_readv, .msg = &msg };
    return io_call(l, &io);
}

ssize_t ls_writev_at(struct ls_site *site, int fd, const struct iovec *iov, int count, ls_ns deadline)
{
    enum { AT_ONCE = 16 }; /* the caller's iovec is not ours to change: a few pieces at a time are copied */
    struct loop *l = lsrt_inside("ls_writev");
    if (!l)
        return -1;
    if (count < 0 || count > IOV_MAX)
        return lsrt_misuse(EINVAL, "ls_writev: %d pieces", count);
    struct iovec some[AT_ONCE];
    struct msghdr msg = { .msg_iov = some };
    struct io io = { .site = site, .deadline = deadline, .fd = fd, .events = POLLOUT, .try = try_writev, .msg = &msg };
    size_t done = 0, skip = 0; /* skip: of the first piece went out already */
    int i = 0, error = lsrt_give_way(l, site);
    if (error)
        return lsrt_result(error);
    for (;;) {
        while (i < count && iov[i].iov_len == skip) {
            i++;
            skip = 0;
        }
        if (i == count)
            return (ssize_t)done;
        msg.msg_iovlen = (size_t)(count - i < AT_ONCE ? count - i : AT_ONCE);
        memcpy(some, iov + i, msg.msg_iovlen * sizeof *some);
        some[0].iov_base = (char *)some[0].iov_base + skip;
        some[0].iov_len -= skip;
        ssize_t r = lsrt_io(l, &io);
        if (r < 0)
            return done ? (ssize_t)done : -1;
        done += (size_t)r;
        skip += (size_t)r;
        while (i < count && skip >= iov[i].iov_len)
            skip -= iov[i++].iov_len;
    }
}

int ls_accept_at(struct ls_site *site, int fd, struct sockaddr *addr, socklen_t *len, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_accept");
    struct io io = { .site = site, .deadline = deadline, .fd = fd, .events = POLLIN, .addr = addr, .len = len };
    io.try = try_accept;
    int new = (int)io_call(l, &io);
    if (new >= 0)
        lsrt_fd_gone(l, new); /* the kernel gave us the number: what we knew was of its former file */
    return new;
}

ssize_t ls_recvmsg_at(struct ls_site *site, int fd, struct msghdr *msg, int flags, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_recvmsg");
    struct io io = { .site = site, .deadline = deadline, .fd = fd, .events = POLLIN, .msg = msg, .flags = flags };
    io.try = try_recvmsg;
    return io_call(l, &io);
}

ssize_t ls_sendmsg_at(struct ls_site *site, int fd, const struct msghdr *msg, int flags, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_sendmsg");
    struct io io = { .site = site, .deadline = deadline, .fd = fd, .events = POLLOUT, .flags = flags };
    io.msg = (struct msghdr *)(uintptr_t)msg;
    io.try = try_sendmsg;
    return io_call(l, &io);
}

ssize_t ls_recvfrom_at(struct ls_site *site, int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
                       socklen_t *len, ls_ns deadline)
{
    struct iovec iov = { .iov_base = buf, .iov_len = n };
    struct msghdr msg = { .msg_name = addr, .msg_namelen = addr && len ? *len : 0, .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t r = ls_recvmsg_at(site, fd, &msg, flags, deadline);
    if (r >= 0 && addr && len)
        *len = msg.msg_namelen;
    return r;
}

ssize_t ls_sendto_at(struct ls_site *site, int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr,
                     socklen_t len, ls_ns deadline)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = n };
    struct msghdr msg = { .msg_name = (void *)(uintptr_t)addr, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1 };
    return ls_sendmsg_at(site, fd, &msg, flags, deadline);
}

int ls_connect_fd_at(struct ls_site *site, int fd, const struct sockaddr *addr, socklen_t len, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_connect_fd");
    struct fd_state *f = l ? lsrt_fd(l, fd) : NULL;
    if (!f)
        return -1;
    if (seat_taken(f, POLLIN | POLLOUT))
        return lsrt_result(EBUSY);
    lsrt_fd_gone(l, fd); /* a socket that connects is new */
    uint32_t era = f->era;
    int flags = fcntl(fd, F_GETFL), error;
    if (flags < 0)
        return -1;
    for (;;) {
        if (!(flags & O_NONBLOCK))
            fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        error = connect(fd, addr, len) ? errno : 0;
        if (!(flags & O_NONBLOCK))
            fcntl(fd, F_SETFL, flags);
        if (error != EAGAIN)
            break;
        /* A unix socket's backlog is full, and no poll can tell when there is room. */
        ls_ns soon = ls_after(LS_MS);
        error = lsrt_park(l, LS_WHY_FD, on_fd(fd), site, soon < deadline ? soon : deadline);
        if (error != ETIMEDOUT || soon >= deadline)
            return lsrt_result(error);
        if (l->fds[fd].era != era) /* closed meanwhile: the number may be another file's */
            return lsrt_result(EBADF);
    }
    if (error != EINPROGRESS && error != EINTR)
        return lsrt_result(error);
    error = lsrt_fd_park(l, fd, POLLOUT, true, site, deadline);
    socklen_t size = sizeof error;
    if (!error && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
        return -1;
    return lsrt_result(error);
}

/* fd.c - waiting on file descriptors: one edge-triggered epoll registration per fd, for reading and writing at once.
 *
 * We know of each fd whether an edge came since it last had nothing to give (`readable`, `writable`).  A call tries
 * first when it may be ready, and parks at once when it is known not to be: a stream socket that gave less than it was
 * asked for is empty, and asking it again would cost a fifth of an echo server's time.
 *
 * A plain close() tells us nothing, and the number may come back as another file.  So EPOLL_CTL_ADD is the question "is
 * it still the same?": EEXIST says yes; success says no, and registers the new one.  It is asked before a task parks
 * after a vain try; where it would cost a syscall on the fast path, DOUBT_NS later, if the task still waits then. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop.h"

#define DOUBT_NS  (5 * LS_MS)
#define READ_END  (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)
#define WRITE_END (EPOLLOUT | EPOLLHUP | EPOLLERR)

enum kind { KIND_UNKNOWN, KIND_STREAM, KIND_SOCKET, KIND_OTHER }; /* STREAM: a short read emptied it */

struct fd_state {
    struct task *reader, *writer; /* who is parked on it */
    uint32_t generation;          /* in the events of its registration: those of an older one are not for us */
    uint8_t kind;
    bool registered; /* as far as we know */
    bool readable;   /* an edge came, or nothing is known */
    bool writable;
    bool ended;   /* a hang-up came: after a short read there is still the end to read */
    bool doubted; /* somebody parked on a registration that was not checked */
    bool listed;  /* is in the list of doubts */
    int next;     /* in it, -1: last */
    ls_ns since;  /* when the doubt arose */
};

/* Nothing is known any more: another file may have this number. */
static void fd_forget(struct fd_state *f)
{
    f->kind = KIND_UNKNOWN;
    f->registered = f->ended = false;
    f->readable = f->writable = true;
}

static struct fd_state *fd_find(struct loop *l, int fd)
{
    if (fd >= 0 && (size_t)fd < l->fd_count)
        return &l->fds[fd];
    if (fcntl(fd, F_GETFD) < 0) /* before a wild number makes the table grow */
        return NULL;
    size_t count = l->fd_count ? l->fd_count : 64;
    while (count <= (size_t)fd)
        count *= 2;
    struct fd_state *fds = realloc(l->fds, count * sizeof *fds);
    if (!fds)
        return NULL;
    for (size_t i = l->fd_count; i < count; i++) {
        fds[i] = (struct fd_state){ 0 };
        fd_forget(&fds[i]);
    }
    l->fds = fds;
    l->fd_count = count;
    return &l->fds[fd];
}

static enum kind kind_of(int fd)
{
    int type;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size))
        return KIND_OTHER;
    return type == SOCK_STREAM ? KIND_STREAM : KIND_SOCKET;
}

/* Makes sure that the file behind fd is registered; 0 or errno. */
static int fd_register(struct loop *l, int fd)
{
    struct fd_state *f = &l->fds[fd];
    uint32_t generation = f->generation + 1;
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                             .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd };
    if (!epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e)) {
        fd_forget(f);
        f->generation = generation;
        f->kind = (uint8_t)kind_of(fd);
    } else if (errno != EEXIST)
        return errno;
    f->registered = true;
    return 0;
}

static void wake_both(struct loop *l, struct fd_state *f, int code)
{
    if (f->reader)
        lsrt_wake(l, f->reader, code);
    if (f->writer)
        lsrt_wake(l, f->writer, code);
}

/* The file is closed, by us or behind our back. */
static void fd_gone(struct loop *l, struct fd_state *f)
{
    wake_both(l, f, EBADF);
    f->reader = f->writer = NULL;
    f->doubted = false;
    fd_forget(f);
}

static void doubt(struct loop *l, int fd)
{
    struct fd_state *f = &l->fds[fd];
    f->doubted = true;
    f->since = l->tick; /* some ms old at worst: the check comes that much earlier */
    if (f->listed)
        return;
    if (l->doubt < 0)
        l->doubt_due = f->since + DOUBT_NS;
    f->listed = true;
    f->next = l->doubt;
    l->doubt = fd;
}

ls_ns lsrt_fd_doubts(struct loop *l)
{
    if (l->doubt < 0)
        return LS_NEVER;
    ls_ns now = lsrt_now();
    if (now < l->doubt_due)
        return l->doubt_due;
    int fd = l->doubt, keep = -1;
    while (fd >= 0) {
        struct fd_state *f = &l->fds[fd];
        int next = f->next;
        if (f->doubted && now < f->since + DOUBT_NS) {
            f->next = keep;
            keep = fd;
        } else {
            f->listed = false;
            int error = f->doubted ? fd_register(l, fd) : 0;
            if (error)
                wake_both(l, f, error); /* closed behind our back, and not opened again */
            f->doubted = false;
        }
        fd = next;
    }
    l->doubt = keep;
    l->doubt_due = now + DOUBT_NS;
    return keep < 0 ? LS_NEVER : l->doubt_due;
}

void lsrt_fd_event(struct loop *l, uint64_t data, uint32_t events)
{
    uint32_t fd = (uint32_t)data;
    if (fd >= l->fd_count || l->fds[fd].generation != (uint32_t)(data >> 32))
        return;
    struct fd_state *f = &l->fds[fd];
    f->doubted = false;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        f->ended = true;
    if (events & EPOLLPRI && f->kind == KIND_STREAM)
        f->kind = KIND_SOCKET; /* a read stops at urgent data: short does not mean empty */
    if (events & READ_END) {
        f->readable = true;
        if (f->reader)
            lsrt_wake(l, f->reader, 0);
    }
    if (events & WRITE_END) {
        f->writable = true;
        if (f->writer)
            lsrt_wake(l, f->writer, 0);
    }
}

static bool seat_taken(struct fd_state *f, int events)
{
    return (events & POLLIN && f->reader) || (events & POLLOUT && f->writer);
}

/* Parks until fd is ready for one of events.  vain: a try has just failed, so check the registration now.  0 or errno. */
static int fd_park(struct loop *l, int fd, int events, bool vain, struct ls_site *site, ls_ns deadline)
{
    struct fd_state *f = &l->fds[fd];
    struct task *self = l->current;
    if (vain || !f->registered) {
        int error = fd_register(l, fd);
        if (error)
            return error;
    } else
        doubt(l, fd);
    if (events & POLLIN) {
        f->reader = self;
        f->readable = false;
    }
    if (events & POLLOUT) {
        f->writer = self;
        f->writable = false;
    }
    int code = lsrt_park(l, LS_WHY_FD, on_fd(fd), site, deadline);
    f = &l->fds[fd]; /* the table may have grown */
    if (f->reader == self)
        f->reader = NULL;
    if (f->writer == self)
        f->writer = NULL;
    if (code) { /* we asked for edges and did not wait for them: nothing is known */
        f->readable |= (events & POLLIN) != 0;
        f->writable |= (events & POLLOUT) != 0;
    }
    return code;
}

/* What every call does: try, wait, try again.  `try` is the call itself, made so that it does not block. */
struct io {
    struct loop *l;
    struct ls_site *site;
    ls_ns deadline;
    int fd, events;
    ssize_t (*try)(struct io *io, struct fd_state *f);
    void *buf;
    size_t n;
    struct sockaddr *addr;
    socklen_t *len;
};

static ssize_t fd_do(struct io *io, const char *call)
{
    struct loop *l = io->l = lsrt_inside(call);
    struct fd_state *f = l ? fd_find(l, io->fd) : NULL;
    if (!f)
        return -1;
    if (seat_taken(f, io->events))
        return lsrt_result(EBUSY);
    for (;;) {
        bool may = (io->events & POLLIN && f->readable) || (io->events & POLLOUT && f->writable);
        if (may) {
            ssize_t r = io->try(io, f);
            if (r >= 0)
                return r;
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno != EAGAIN)
                return -1;
        }
        int error = fd_park(l, io->fd, io->events, may, io->site, io->deadline);
        if (error)
            return lsrt_result(error);
        f = &l->fds[io->fd];
    }
}

/* True when the call would stop the thread: the fd is in blocking mode and not ready.  (We leave its mode alone: it may
 * be shared with other processes, as a terminal is.) */
static bool would_block(int fd, short events, bool *ret_blocking)
{
    int flags = fcntl(fd, F_GETFL);
    *ret_blocking = flags >= 0 && !(flags & O_NONBLOCK);
    struct pollfd p = { .fd = fd, .events = events };
    if (!*ret_blocking || poll(&p, 1, 0) != 0)
        return false;
    errno = EAGAIN;
    return true;
}

static ssize_t try_read(struct io *io, struct fd_state *f)
{
    if (f->kind != KIND_OTHER) {
        ssize_t r = recv(io->fd, io->buf, io->n, MSG_DONTWAIT);
        if (r > 0 && (size_t)r < io->n && f->kind == KIND_STREAM && f->registered && !f->ended)
            f->readable = false;
        if (r >= 0 || errno != ENOTSOCK)
            return r;
        f->kind = KIND_OTHER;
    }
    bool blocking;
    return would_block(io->fd, POLLIN, &blocking) ? -1 : read(io->fd, io->buf, io->n);
}

static ssize_t try_write(struct io *io, struct fd_state *f)
{
    if (f->kind != KIND_OTHER) {
        ssize_t r = send(io->fd, io->buf, io->n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r >= 0 || errno != ENOTSOCK)
            return r;
        f->kind = KIND_OTHER;
    }
    bool blocking;
    struct stat st;
    size_t n = io->n;
    if (would_block(io->fd, POLLOUT, &blocking))
        return -1;
    if (blocking && n > PIPE_BUF && !fstat(io->fd, &st) && !S_ISREG(st.st_mode))
        n = PIPE_BUF; /* a blocking pipe that is ready takes so much at once, and would stop us for more */
    return write(io->fd, io->buf, n);
}

static ssize_t try_accept(struct io *io, struct fd_state *f)
{
    (void)f;
    bool blocking;
    if (would_block(io->fd, POLLIN, &blocking))
        return -1;
    return accept4(io->fd, io->addr, io->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
        .site = site, .deadline = deadline, .fd = fd, .events = events & (POLLIN | POLLOUT), .try = try_poll
    };
    struct loop *l = lsrt_inside("ls_wait_fd");
    struct fd_state *f = l ? fd_find(l, fd) : NULL;
    if (!f)
        return -1;
    if (!io.events)
        return lsrt_result(EINVAL);
    /* Somebody else reads or writes this fd, a library perhaps: what we know of it may be out of date, poll knows. */
    f->readable = f->writable = true;
    return (int)fd_do(&io, "ls_wait_fd");
}

ssize_t ls_read_at(struct ls_site *site, int fd, void *buf, size_t n, ls_ns deadline)
{
    struct io io = {
        .site = site, .deadline = deadline, .fd = fd, .events = POLLIN, .try = try_read, .buf = buf, .n = n
    };
    return fd_do(&io, "ls_read");
}

ssize_t ls_write_at(struct ls_site *site, int fd, const void *buf, size_t n, ls_ns deadline)
{
    struct io io = { .site = site,
                     .deadline = deadline,
                     .fd = fd,
                     .events = POLLOUT,
                     .try = try_write,
                     .buf = (void *)(uintptr_t)buf,
                     .n = n };
    size_t done = 0;
    do {
        ssize_t r = fd_do(&io, "ls_write");
        if (r < 0)
            return done ? (ssize_t)done : -1;
        done += (size_t)r;
        io.buf = (char *)io.buf + r;
        io.n -= (size_t)r;
    } while (io.n);
    return (ssize_t)done;
}

int ls_accept_at(struct ls_site *site, int fd, struct sockaddr *addr, socklen_t *len, ls_ns deadline)
{
    struct io io = {
        .site = site, .deadline = deadline, .fd = fd, .events = POLLIN, .try = try_accept, .addr = addr, .len = len
    };
    int new = (int)fd_do(&io, "ls_accept");
    if (new >= 0 && (size_t) new < io.l->fd_count)
        fd_gone(io.l, &io.l->fds[new]); /* the kernel gave us the number: what we knew was of its former file */
    return new;
}

int ls_connect_fd_at(struct ls_site *site, int fd, const struct sockaddr *addr, socklen_t len, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_connect_fd");
    struct fd_state *f = l ? fd_find(l, fd) : NULL;
    if (!f)
        return -1;
    if (seat_taken(f, POLLIN | POLLOUT))
        return lsrt_result(EBUSY);
    fd_forget(f); /* a socket that connects is new */
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
    }
    if (error != EINPROGRESS && error != EINTR)
        return lsrt_result(error);
    error = fd_park(l, fd, POLLOUT, true, site, deadline);
    socklen_t size = sizeof error;
    if (!error && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
        return -1;
    return lsrt_result(error);
}

int ls_close(int fd)
{
    struct loop *l = lsrt_inside("ls_close");
    if (!l)
        return -1;
    if (fd >= 0 && (size_t)fd < l->fd_count)
        fd_gone(l, &l->fds[fd]);
    return close(fd);
}

void lsrt_fds_free(struct loop *l)
{
    free(l->fds);
}

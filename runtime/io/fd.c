/* fd.c - what a loop knows of file descriptors: one edge-triggered epoll registration each, for reading and writing.
 *
 * We know of each fd whether an edge came since it last had nothing to give (`readable`, `writable`).  A call tries
 * first when it may be ready, and parks at once when it is known not to be: a TCP socket that gave less than it was
 * asked for is empty, and asking it again would cost a fifth of an echo server's time.
 *
 * A plain close() tells us nothing, and the number may come back as another file.  So EPOLL_CTL_ADD is the question "is
 * it still the same?": EEXIST says yes; success says no, and registers the new one.  It is asked before a task parks
 * after a vain try; where it would cost a syscall on the fast path, DOUBT_NS later, if the task still waits then. */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DOUBT_NS  (5 * LS_MS)
#define READ_END  (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)
#define WRITE_END (EPOLLOUT | EPOLLHUP | EPOLLERR)

/* Nothing is known any more: another file may have this number. */
static void forget(struct fd_state *f)
{
    f->kind = FD_UNKNOWN;
    f->registered = f->ended = false;
    f->readable = f->writable = true;
}

struct fd_state *lsrt_fd(struct loop *l, int fd)
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
        forget(&fds[i]);
    }
    l->fds = fds;
    l->fd_count = count;
    return &l->fds[fd];
}

/* A read of a Unix socket stops behind bytes that an fd came with, so that a short one does not mean empty. */
static enum fd_kind kind_of(int fd)
{
    int type, domain;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size))
        return FD_OTHER;
    return type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6) ? FD_STREAM : FD_SOCKET;
}

/* Makes sure that the file behind fd is registered; 0 or errno.  Who waits for the file that had this number before, and
 * was closed behind our back, gets EBADF; not who parked in doubt, and may well mean the new one. */
int lsrt_fd_enroll(struct loop *l, int fd)
{
    struct fd_state *f = &l->fds[fd];
    uint32_t generation = f->generation + 1;
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                             .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd };
    if (!epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e)) {
        if (f->registered && !f->doubted)
            lsrt_fd_gone(l, fd);
        forget(f);
        f->generation = generation;
        f->kind = (uint8_t)kind_of(fd);
    } else if (errno != EEXIST)
        return errno;
    f->registered = true;
    return 0;
}

static void wake_both(struct loop *l, int fd, int code)
{
    struct fd_state *f = &l->fds[fd];
    if (f->reader)
        lsrt_wake(l, f->reader, code);
    if (f->writer)
        lsrt_wake(l, f->writer, code);
    if (f->watch)
        f->watch->writable(l, f->watch); /* its own write finds out what is wrong */
}

void lsrt_fd_gone(struct loop *l, int fd)
{
    if (fd < 0 || (size_t)fd >= l->fd_count)
        return;
    struct fd_state *f = &l->fds[fd];
    struct fd_watch *w = f->watch;
    lsrt_fd_unwatch(l, fd, w);
    wake_both(l, fd, EBADF);
    f->reader = f->writer = NULL;
    f->doubted = f->owned = false;
    f->era++;
    forget(f);
    if (w)
        w->writable(l, w); /* finds out that it lost its seat */
}

int lsrt_fd_own(struct loop *l, int fd)
{
    lsrt_fd_gone(l, fd); /* the number may have been another file's */
    struct fd_state *f = lsrt_fd(l, fd);
    if (f)
        f->owned = true;
    return f ? 0 : errno;
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
            int error = f->doubted ? lsrt_fd_enroll(l, fd) : 0;
            f->doubted = false;
            if (error)
                wake_both(l, fd, error); /* closed behind our back, and not opened again */
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
    if (events & EPOLLPRI && f->kind == FD_STREAM)
        f->kind = FD_SOCKET; /* a read stops at urgent data: short does not mean empty */
    if (events & READ_END) {
        f->readable = true;
        if (f->reader)
            lsrt_wake(l, f->reader, 0);
    }
    if (events & WRITE_END) {
        f->writable = true;
        if (f->writer)
            lsrt_wake(l, f->writer, 0);
        else if (f->watch)
            f->watch->writable(l, f->watch);
    }
}

int lsrt_fd_park(struct loop *l, int fd, int events, bool vain, struct ls_site *site, ls_ns deadline)
{
    struct fd_state *f = &l->fds[fd];
    struct task *self = l->current;
    if (vain || !f->registered) {
        int error = lsrt_fd_enroll(l, fd);
        if (error)
            return error;
    } else if (!f->owned)
        doubt(l, fd);
    if (events & FD_IN) {
        f->reader = self;
        f->readable = false;
    }
    if (events & POLLOUT) {
        f->writer = self;
        f->writable = false;
    }
    int code = lsrt_park(l, LS_WHY_FD, on_fd(fd), site, deadline);
    f = &l->fds[fd]; /* the table may have grown */
    bool evicted = (events & FD_IN && f->reader != self) || (events & POLLOUT && f->writer != self);
    if (f->reader == self)
        f->reader = NULL;
    if (f->writer == self)
        f->writer = NULL;
    if (evicted) /* closed after we were woken: the number may be another file's by now */
        return code ? code : EBADF;
    if (code) { /* we asked for edges and did not wait for them: nothing is known */
        f->readable |= (events & FD_IN) != 0;
        f->writable |= (events & POLLOUT) != 0;
    }
    return code;
}

int lsrt_fd_watch(struct loop *l, int fd, struct fd_watch *w)
{
    struct fd_state *f = lsrt_fd(l, fd);
    if (!f)
        return errno;
    if (f->writer || f->watch)
        return EBUSY;
    int error = lsrt_fd_enroll(l, fd);
    if (error)
        return error;
    f->watch = w;
    f->writable = false;
    l->outside++;
    return 0;
}

void lsrt_fd_unwatch(struct loop *l, int fd, struct fd_watch *w)
{
    if (fd < 0 || (size_t)fd >= l->fd_count || !w || l->fds[fd].watch != w)
        return;
    l->fds[fd].watch = NULL;
    l->fds[fd].writable = true;
    l->outside--;
}

int ls_close(int fd)
{
    struct loop *l = lsrt_on_loop("ls_close");
    if (!l)
        return -1;
    if (fd >= 0 && (size_t)fd < l->fd_count && l->fds[fd].owned)
        return lsrt_misuse(EBUSY, "ls_close: fd %d is a stream's, a server's or a process', which closes it itself", fd);
    lsrt_fd_gone(l, fd);
    return close(fd);
}

void lsrt_fds_free(struct loop *l)
{
    free(l->fds);
}

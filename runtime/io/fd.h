/* fd.h - waiting on file descriptors, for the files that do: fd.c knows the fds, fd_io.c tries, waits and tries again.
 * Runs on the loop's thread.  See fd.c on what is known of an fd. */
#ifndef LSRT_FD_H
#define LSRT_FD_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "runtime/core/loop.h"

#define FD_IN (POLLIN | POLLPRI) /* the reader's events; POLLOUT is the writer's */

enum fd_kind { FD_UNKNOWN, FD_STREAM, FD_SOCKET, FD_OTHER }; /* STREAM: of TCP, a short read emptied it */

/* Sits in the writer's seat instead of a task: called by the loop, on its own stack, when fd can be written. */
struct fd_watch {
    void (*writable)(struct loop *l, struct fd_watch *w);
};

struct fd_state {
    struct task *reader, *writer; /* who is parked on it */
    struct fd_watch *watch;       /* or who is to be told when it can be written */
    uint32_t generation;          /* in the events of its registration: those of an older one are not for us */
    uint32_t era;                 /* lsrt_fd_gone so far: it is another file when this has changed */
    uint8_t kind;                 /* enum fd_kind */
    bool registered;              /* as far as we know */
    bool readable;                /* an edge came, or nothing is known */
    bool writable;
    bool ended;   /* a hang-up came: after a short read there is still the end to read */
    bool owned;   /* a stream's: nobody else closes it, so there is nothing to doubt */
    bool doubted; /* somebody parked on a registration that was not checked */
    bool listed;  /* is in the list of doubts */
    int next;     /* in it, -1: last */
    ls_ns since;  /* when the doubt arose */
};

/* What is known of fd; NULL and errno.  Valid until the task waits, or another fd is looked up. */
struct fd_state *lsrt_fd(struct loop *l, int fd);
/* The file is closed, by us or behind our back, or is new: who waits gets EBADF, what was known is forgotten. */
void lsrt_fd_gone(struct loop *l, int fd);
/* fd is a new file of the runtime's own until lsrt_fd_gone; 0 or errno. */
int lsrt_fd_own(struct loop *l, int fd);
/* Makes sure that the file behind fd is registered; 0 or errno.  When it is another file than the last time, who waits
 * for that one gets EBADF. */
int lsrt_fd_enroll(struct loop *l, int fd);
/* Parks until fd is ready for one of events; 0 or errno.  vain: a try has just failed: check the registration now. */
int lsrt_fd_park(struct loop *l, int fd, int events, bool vain, struct ls_site *site, ls_ns deadline);
/* Takes the writer's seat after a write that was in vain; 0 or errno.  Every edge is told until it is given back. */
int lsrt_fd_watch(struct loop *l, int fd, struct fd_watch *w);
void lsrt_fd_unwatch(struct loop *l, int fd, struct fd_watch *w); /* nothing when it does not sit there */

/* Before a call that may wait but finds its fd ready each time: now and then the others have their turn all the same.
 * 0 or errno (ECANCELED). */
#define IO_CALLS 128
static inline int lsrt_give_way(struct loop *l, struct ls_site *site)
{
    if (l->io_step != l->dispatched) { /* another task, or this one after a wait */
        l->io_step = l->dispatched;
        l->io_calls = 0;
    }
    if (++l->io_calls < IO_CALLS)
        return 0;
    l->io_calls = 0;
    return ls_yield_at(site) ? errno : 0;
}

/* One call on an fd: try, wait, try again.  `try` is the call itself, made so that it does not block. */
struct io {
    struct ls_site *site;
    ls_ns deadline;
    int fd, events;
    ssize_t (*try)(struct io *io, struct fd_state *f);
    void *buf;
    size_t n;
    int flags;
    struct sockaddr *addr;
    socklen_t *len;
    struct msghdr *msg;
    bool quiet;  /* a write to a pipe raises no SIGPIPE either */
    bool failed; /* errno is the call's own, not the wait's */
};
ssize_t lsrt_io(struct loop *l, struct io *io); /* >= 0, or -1 and errno */
ssize_t lsrt_try_read(struct io *io, struct fd_state *f);
ssize_t lsrt_try_write(struct io *io, struct fd_state *f);
/* Around a write that has no MSG_NOSIGNAL: a SIGPIPE that it raises is taken back, unless one was pending before. */
struct quiet {
    sigset_t before, pending;
};
void lsrt_quiet_begin(struct quiet *q);
void lsrt_quiet_end(const struct quiet *q, ssize_t result); /* keeps errno, which goes with the result */
ssize_t lsrt_write_quietly(int fd, const void *buf, size_t n);
/* True, and EAGAIN, when a call would stop the thread: the fd is in blocking mode and not ready. */
bool lsrt_would_block(int fd, short events, bool *ret_blocking);

#endif

/* sendfile.c - a file to a socket, in the kernel where it can.
 *
 * sendfile(2) has no MSG_DONTWAIT, so it is asked only where the fd itself does not block; else, and where the kernel
 * refuses these two files, the bytes are copied.  Runs on the loop's thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "fd.h"

#define COPY_SIZE   (32 << 10)
#define PIECE       (256 << 10) /* at once; other tasks have their turn after a few */
#define YIELD_EVERY (1 << 20)

struct sending {
    struct io io; /* first: try_sendfile gets it */
    int in;
    off_t at;
    char *copy; /* NULL: the kernel does it */
};

static ssize_t try_sendfile(struct io *io, struct fd_state *f)
{
    (void)f;
    struct sending *s = (struct sending *)io;
    off_t at = s->at; /* moved by the kernel only when something went out */
    struct quiet q;
    lsrt_quiet_begin(&q); /* sendfile(2) knows no MSG_NOSIGNAL */
    ssize_t r = sendfile(io->fd, s->in, &at, io->n);
    lsrt_quiet_end(&q, r);
    return r;
}

static bool kernel_refuses(int error)
{
    return error == EINVAL || error == ENOSYS || error == EOVERFLOW || error == EOPNOTSUPP;
}

/* One piece of at most n bytes; how many went out, 0: the file is over; -1. */
static ssize_t send_piece(struct loop *l, struct sending *s, size_t n)
{
    s->io.n = n < PIECE ? n : PIECE;
    if (!s->copy) {
        s->io.try = try_sendfile;
        ssize_t r = lsrt_io(l, &s->io);
        if (r >= 0 || !s->io.failed || !kernel_refuses(errno))
            return r;
        s->io.failed = false;
        if (!(s->copy = malloc(COPY_SIZE)))
            return -1;
    }
    ssize_t got = pread(s->in, s->copy, s->io.n < COPY_SIZE ? s->io.n : COPY_SIZE, s->at);
    if (got <= 0)
        return got;
    s->io.try = lsrt_try_write;
    s->io.buf = s->copy;
    s->io.n = (size_t)got;
    return lsrt_io(l, &s->io);
}

ssize_t ls_sendfile_at(struct ls_site *site, int out, int in, off_t *offset, size_t count, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_sendfile");
    struct sending s = { .io = { .site = site, .deadline = deadline, .fd = out, .events = POLLOUT, .quiet = true },
                         .in = in };
    int flags = l ? fcntl(out, F_GETFL) : -1;
    s.at = offset ? *offset : l ? lseek(in, 0, SEEK_CUR) : -1;
    if (!l || flags < 0 || s.at < 0)
        return -1;
    if (!(flags & O_NONBLOCK) && !(s.copy = malloc(COPY_SIZE)))
        return -1;
    struct fd_state *f = lsrt_fd(l, out);
    uint32_t era = f ? f->era : 0;
    size_t done = 0;
    ssize_t r = 0;
    while (done < count && (r = send_piece(l, &s, count - done)) > 0) {
        s.at += r;
        bool turn = (done + (size_t)r) / YIELD_EVERY != done / YIELD_EVERY;
        done += (size_t)r;
        if (turn && done < count && (r = ls_yield_at(site)))
            break;
        if (turn && (f = lsrt_fd(l, out)) && f->era != era) { /* closed meanwhile: the number may be another file's */
            r = lsrt_result(EBADF);
            break;
        }
    }
    int error = errno;
    free(s.copy);
    if (offset)
        *offset = s.at;
    else
        lseek(in, s.at, SEEK_SET);
    errno = error;
    return done || r >= 0 ? (ssize_t)done : -1;
}

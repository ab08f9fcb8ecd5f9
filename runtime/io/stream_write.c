/* stream_write.c - writing to a stream: at once what the socket takes; the rest waits in s->out for the watch.
 * Runs on the loop's thread; see stream.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "stream.h"

/* One write of the fd's; how much it took, 0: it is full, -1 and errno. */
static ssize_t send_some(struct loop *l, struct stream *s, const void *buf, size_t n)
{
    struct fd_state *f = lsrt_fd(l, s->fd);
    if (!f)
        return -1;
    struct io io = { .fd = s->fd, .buf = (void *)(uintptr_t)buf, .n = n, .quiet = true };
    ssize_t r;
    do
        r = lsrt_try_write(&io, f);
    while (r < 0 && errno == EINTR);
    return r < 0 && errno == EAGAIN ? 0 : r;
}

void lsrt_stream_wake_drains(struct loop *l, struct stream *s, int code)
{
    for (struct wait *w = s->drains.first, *next; w; w = next) {
        next = w->next;
        if (code || buffer_len(&s->out) <= (size_t)w->item) {
            waitq_remove(&s->drains, w);
            lsrt_wake(l, w->task, code);
        }
    }
}

/* The connection is of no more use for writing. */
static int broken(struct loop *l, struct stream *s, int error)
{
    if (!s->write_error)
        s->write_error = error;
    buffer_drop(&s->out, buffer_len(&s->out));
    lsrt_fd_unwatch(l, s->fd, &s->watch);
    lsrt_stream_wake_drains(l, s, error);
    return error;
}

static void all_out(struct loop *l, struct stream *s)
{
    lsrt_fd_unwatch(l, s->fd, &s->watch);
    if (s->eof)
        shutdown(s->fd, SHUT_WR); /* nothing to be done where it is no socket */
}

void lsrt_stream_watch_fired(struct loop *l, struct fd_watch *w)
{
    struct stream *s = (struct stream *)(void *)((char *)w - offsetof(struct stream, watch));
    if (!buffer_len(&s->out) || s->closed)
        return;
    struct fd_state *f = lsrt_fd(l, s->fd);
    if (!f || f->watch != w) { /* somebody closed the fd under the stream */
        broken(l, s, EBADF);
        return;
    }
    ssize_t r = 1;
    while (buffer_len(&s->out) && (r = send_some(l, s, buffer_bytes(&s->out), buffer_len(&s->out))) > 0)
        buffer_drop(&s->out, (size_t)r); /* until it is full: there is an edge only after that */
    if (r < 0) {
        broken(l, s, errno);
        return;
    }
    if (!buffer_len(&s->out))
        all_out(l, s);
    lsrt_stream_wake_drains(l, s, 0);
}

int lsrt_stream_send(struct loop *l, struct stream *s, const void *buf, size_t n)
{
    if (s->write_error)
        return s->write_error;
    bool waiting = buffer_len(&s->out) > 0;
    size_t sent = 0;
    while (!waiting && sent < n) { /* a large one in pieces: a socket may take all */
        ssize_t r = send_some(l, s, (const char *)buf + sent, n - sent);
        if (r < 0)
            return broken(l, s, errno);
        if (r == 0)
            break;
        sent += (size_t)r;
    }
    if (sent == n)
        return 0;
    if (!buffer_add(&s->out, (const char *)buf + sent, n - sent))
        return sent ? broken(l, s, ENOMEM) : ENOMEM;
    if (waiting)
        return 0;
    int error = lsrt_fd_watch(l, s->fd, &s->watch);
    return error ? broken(l, s, error) : 0;
}

/* The stream of a handle, if it may be written to. */
static struct stream *writable(struct ls_stream *handle, const char *call, struct loop **ret_loop)
{
    struct stream *s = lsrt_stream_of(handle, false, call, ret_loop);
    if (s && s->eof) {
        lsrt_misuse(EPIPE, "%s: after ls_stream_write_eof of stream '%s'", call, s->object.name);
        return NULL;
    }
    if (s && s->filing) {
        lsrt_misuse(EBUSY, "%s: somebody sends a file over stream '%s'", call, s->object.name);
        return NULL;
    }
    return s;
}

static int put(struct loop *l, struct stream *s, const void *buf, size_t n)
{
    return lsrt_result(s->layer ? s->layer->write(l, s, buf, n) : lsrt_stream_send(l, s, buf, n));
}

int ls_stream_write(struct ls_stream *handle, const void *buf, size_t n)
{
    struct loop *l;
    struct stream *s = writable(handle, "ls_stream_write", &l);
    return s ? put(l, s, buf, n) : -1;
}

int ls_stream_writev(struct ls_stream *handle, const struct iovec *iov, int count)
{
    struct loop *l;
    struct stream *s = writable(handle, "ls_stream_writev", &l);
    if (!s)
        return -1;
    struct buffer whole = { 0 }; /* one write and one segment are worth a copy */
    for (int i = 0; i < count; i++)
        if (!buffer_add(&whole, iov[i].iov_base, iov[i].iov_len)) {
            buffer_free(&whole);
            return lsrt_result(ENOMEM);
        }
    int result = put(l, s, buffer_bytes(&whole), buffer_len(&whole)), error = errno;
    buffer_free(&whole);
    errno = error;
    return result;
}

int ls_stream_writef(struct ls_stream *handle, const char *format, ...)
{
    struct loop *l;
    struct stream *s = writable(handle, "ls_stream_writef", &l);
    if (!s)
        return -1;
    char few[512], *text = few;
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(few, sizeof few, format, ap);
    if (n >= (int)sizeof few && (text = malloc((size_t)n + 1)))
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(ap);
    int result = n < 0 ? -1 : text ? put(l, s, text, (size_t)n) : lsrt_result(ENOMEM), error = errno;
    if (text != few)
        free(text);
    errno = error;
    return result;
}

int lsrt_stream_wait_sent(struct loop *l, struct stream *s, size_t level, struct ls_site *site, ls_ns deadline)
{
    if (s->write_error || buffer_len(&s->out) <= level)
        return s->write_error;
    lsrt_stream_tell(s);
    struct wait w = { .item = (void *)level };
    s->users++;
    waitq_add(&s->drains, &w, l->current);
    int code = lsrt_park(l, LS_WHY_FD, on_fd(s->fd), site, deadline);
    waitq_remove(&s->drains, &w);
    if (!code)
        code = s->write_error;
    lsrt_stream_leave(l, s);
    return code;
}

int ls_stream_drain_at(struct ls_site *site, struct ls_stream *handle, ls_ns deadline)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, true, "ls_stream_drain", &l);
    if (!s)
        return -1;
    if (buffer_len(&s->out) <= s->high)
        return lsrt_result(s->write_error ? s->write_error : lsrt_give_way(l, site));
    size_t level = s->low;
    return lsrt_result(lsrt_stream_wait_sent(l, s, level, site, deadline));
}

int ls_stream_flush_at(struct ls_site *site, struct ls_stream *handle, ls_ns deadline)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, true, "ls_stream_flush", &l);
    return s ? lsrt_result(lsrt_stream_wait_sent(l, s, 0, site, deadline)) : -1;
}

int ls_stream_write_eof(struct ls_stream *handle)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_write_eof", &l);
    if (s && s->eof)
        return 0;
    if (!s || !writable(handle, "ls_stream_write_eof", &l))
        return -1;
    if (s->write_error)
        return lsrt_result(s->write_error);
    if (s->layer)
        s->layer->goodbye(l, s);
    s->eof = true;
    if (!buffer_len(&s->out))
        all_out(l, s);
    return 0;
}

/* Where the wire's bytes are not the file's, and where the fd is somebody else's to write to: through the stream. */
static ssize_t copy_file(struct loop *l, struct stream *s, int in, off_t *at, size_t count, struct ls_site *site,
                         ls_ns deadline)
{
    enum { PIECE = 32 << 10 };
    char *piece = malloc(PIECE);
    size_t done = 0;
    int error = piece ? 0 : ENOMEM;
    while (!error && done < count) {
        ssize_t n = pread(in, piece, count - done < PIECE ? count - done : PIECE, *at);
        if (n <= 0) {
            error = n < 0 ? errno : 0;
            break;
        }
        error = s->layer->write(l, s, piece, (size_t)n);
        if (error)
            break;
        *at += n;
        done += (size_t)n;
        error = buffer_len(&s->out) > s->high ? lsrt_stream_wait_sent(l, s, s->low, site, deadline)
                                              : lsrt_give_way(l, site);
    }
    free(piece);
    return done ? (ssize_t)done : lsrt_result(error);
}

ssize_t ls_stream_sendfile_at(struct ls_site *site, struct ls_stream *handle, int in, off_t *offset, size_t count,
                              ls_ns deadline)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, true, "ls_stream_sendfile", &l);
    if (!s || !writable(handle, "ls_stream_sendfile", &l))
        return -1;
    s->users++;
    s->filing = true;
    int error = lsrt_stream_wait_sent(l, s, 0, site, deadline);
    ssize_t r = -1;
    if (error)
        errno = error;
    else if (!s->layer)
        r = ls_sendfile_at(site, s->fd, in, offset, count, deadline);
    else {
        off_t at = offset ? *offset : lseek(in, 0, SEEK_CUR);
        r = at < 0 ? -1 : copy_file(l, s, in, &at, count, site, deadline);
        error = errno;
        if (offset)
            *offset = at;
        else if (at >= 0)
            lseek(in, at, SEEK_SET);
        errno = error;
    }
    s->filing = false;
    lsrt_stream_leave(l, s);
    return r;
}

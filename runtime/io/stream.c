/* stream.c - the life of a stream, and what is known of it.  Runs on the loop's thread; see stream.h. */
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "address.h"

#define LIMIT (64 << 10)
#define LOW   (16 << 10)

/* By the end of its loop, or by lsrt_stream_gone. */
static void destroy(struct loop *l, struct object *o)
{
    struct stream *s = (struct stream *)o;
    if (s->layer)
        s->layer->free(s);
    if (s->fd >= 0) {
        lsrt_fd_unwatch(l, s->fd, &s->watch);
        close(s->fd);
    }
    buffer_free(&s->in);
    buffer_free(&s->out);
    free(s->peer);
    free(s->local);
}

static void describe(const struct object *o, char *text, size_t size)
{
    const struct stream *s = (const struct stream *)o;
    snprintf(text, size, "fd %d, %zu to read, %zu unsent%s%s", s->fd, buffer_len(&s->in), buffer_len(&s->out),
             s->ended ? ", ended" : "", s->closing ? ", closing" : "");
}

const struct object_ops lsrt_stream_ops = {
    .kind = LS_OBJECT_STREAM, .noun = "stream", .size = sizeof(struct stream), .destroy = destroy, .describe = describe
};

static void address_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *), char text[ADDRESS_TEXT])
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    text[0] = 0;
    if (!get(fd, (struct sockaddr *)&a, &len))
        lsrt_address_text((struct sockaddr *)&a, len, text);
}

struct stream *lsrt_stream_new(struct loop *l, struct ls_site *site, int fd, const char *name)
{
    char peer[ADDRESS_TEXT];
    if (!name) {
        address_of(fd, getpeername, peer);
        name = peer[0] ? peer : NULL;
    }
    struct stream *s = lsrt_fd_own(l, fd) ? NULL : lsrt_object_new(l, &lsrt_stream_ops, site, name);
    if (!s) {
        lsrt_fd_gone(l, fd);
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    s->fd = fd;
    s->limit = LIMIT;
    s->high = LSRT_STREAM_HIGH;
    s->low = LOW;
    s->watch.writable = lsrt_stream_watch_fired;
    int on = 1; /* small writes go out at once; fails on what is not TCP */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return s;
}

struct ls_stream *ls_stream_from_fd_at(struct ls_site *site, int fd, const char *name)
{
    struct loop *l = lsrt_on_loop("ls_stream_from_fd");
    struct fd_state *f = l ? lsrt_fd(l, fd) : NULL;
    if (!f)
        return NULL;
    if (f->owned) {
        lsrt_misuse(EBUSY, "ls_stream_from_fd: fd %d is a stream's, a server's or a process': a dup(2) of it does", fd);
        return NULL;
    }
    struct stream *s = lsrt_stream_new(l, site, fd, name);
    return s ? lsrt_object_handle(l, s) : NULL;
}

struct stream *lsrt_stream_of(struct ls_stream *handle, bool waits, const char *call, struct loop **ret_loop)
{
    struct loop *l = *ret_loop = waits ? lsrt_inside(call) : lsrt_on_loop(call);
    struct stream *s = l ? lsrt_object_of(l, handle, &lsrt_stream_ops, call) : NULL;
    if (s && s->closed) {
        lsrt_misuse(EINVAL, "%s: stream '%s' was closed already", call, s->object.name);
        return NULL;
    }
    if (s && s->closing) {
        lsrt_misuse(EBADF, "%s: stream '%s' is being closed", call, s->object.name);
        return NULL;
    }
    return s;
}

void lsrt_stream_leave(struct loop *l, struct stream *s)
{
    int error = errno;
    if (--s->users == 0 && s->closed)
        lsrt_object_free(l, s);
    errno = error;
}

void lsrt_stream_tell(struct stream *s)
{
    if (ls_probe_on() && !s->object.probe_id)
        s->object.probe_id = ls_probe_object_new(LS_OBJECT_STREAM, s->object.name, s->object.site, s->fd);
}

void lsrt_stream_gone(struct loop *l, struct stream *s)
{
    s->closed = true;
    s->write_error = s->read_error = EBADF;
    buffer_drop(&s->out, buffer_len(&s->out));
    lsrt_fd_unwatch(l, s->fd, &s->watch);
    lsrt_fd_gone(l, s->fd); /* wakes the reader */
    lsrt_stream_wake_drains(l, s, EBADF);
    close(s->fd);
    s->fd = -1;
    if (!s->users)
        lsrt_object_free(l, s);
}

int ls_stream_close_at(struct ls_site *site, struct ls_stream *handle, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_stream_close");
    struct stream *s = l ? lsrt_object_of(l, handle, &lsrt_stream_ops, "ls_stream_close") : NULL;
    if (!s)
        return -1;
    if (s->closing && !s->closed)
        return lsrt_misuse(EBUSY, "ls_stream_close: somebody closes stream '%s' already", s->object.name);
    if (!(s = lsrt_stream_of(handle, true, "ls_stream_close", &l)))
        return -1;
    s->users++;
    s->closing = true;
    if (s->reader)
        lsrt_wake(l, s->reader, EBADF);
    lsrt_stream_wake_drains(l, s, EBADF);
    bool owed = s->write_error || buffer_len(&s->out);
    if (s->layer && !s->eof && !s->write_error)
        s->layer->goodbye(l, s);
    int error = lsrt_stream_wait_sent(l, s, 0, site, deadline);
    if (!owed && error != ECANCELED) /* a goodbye that nobody hears is no loss */
        error = 0;
    if (!s->closed) /* by ls_stream_abort, or the end of the loop */
        lsrt_stream_gone(l, s);
    lsrt_stream_leave(l, s);
    return lsrt_result(error);
}

int ls_stream_abort(struct ls_stream *handle)
{
    struct loop *l = lsrt_on_loop("ls_stream_abort");
    struct stream *s = l ? lsrt_object_of(l, handle, &lsrt_stream_ops, "ls_stream_abort") : NULL;
    if (!s)
        return -1;
    if (s->closed) /* but one that is being closed may be aborted */
        return lsrt_misuse(EINVAL, "ls_stream_abort: stream '%s' was closed already", s->object.name);
    lsrt_stream_gone(l, s);
    return 0;
}

/* What is known of a stream. */

static const char *address_text(char **kept, int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
    char text[ADDRESS_TEXT];
    if (!*kept) {
        address_of(fd, get, text);
        *kept = strdup(text);
    }
    return *kept ? *kept : "";
}

const char *ls_stream_peer(struct ls_stream *handle)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_peer", &l);
    return s ? address_text(&s->peer, s->fd, getpeername) : NULL;
}

const char *ls_stream_local(struct ls_stream *handle)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_local", &l);
    return s ? address_text(&s->local, s->fd, getsockname) : NULL;
}

int ls_stream_fd(struct ls_stream *handle)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_fd", &l);
    return s ? s->fd : -1;
}

int ls_stream_at_eof(struct ls_stream *handle)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_at_eof", &l);
    return s ? s->ended && !buffer_len(&s->in) : -1;
}

size_t ls_stream_buffered(struct ls_stream *handle)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_buffered", &l);
    return s ? buffer_len(&s->in) : 0;
}

size_t ls_stream_unsent(struct ls_stream *handle)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_unsent", &l);
    return s ? buffer_len(&s->out) : 0;
}

int ls_stream_set_limit(struct ls_stream *handle, size_t limit)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_set_limit", &l);
    if (!s)
        return -1;
    if (!limit)
        return lsrt_misuse(EINVAL, "ls_stream_set_limit: a limit of 0");
    s->limit = limit;
    return 0;
}

int ls_stream_set_write_limits(struct ls_stream *handle, size_t high, size_t low)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_set_write_limits", &l);
    if (!s)
        return -1;
    if (low > high)
        return lsrt_misuse(EINVAL, "ls_stream_set_write_limits: the low mark (%zu) is above the high one (%zu)", low,
                           high);
    s->high = high;
    s->low = low;
    return 0;
}

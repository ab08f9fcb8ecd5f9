/* stream_read.c - reading from a stream.  What has come is in s->in until a call gives it away as a whole, so nothing is
 * lost when a call is stopped.  Runs on the loop's thread; see stream.h. */
#include <errno.h>

#include "stream.h"

#define PAST_BUFFER 2048 /* a read of so many or more goes straight to the caller's memory */

int lsrt_stream_enter(struct loop *l, struct stream *s)
{
    if (s->reader)
        return EBUSY;
    s->reader = l->current;
    s->users++;
    return 0;
}

void lsrt_stream_exit(struct loop *l, struct stream *s)
{
    s->reader = NULL;
    lsrt_stream_leave(l, s);
}

/* The fd's own next bytes, to buf; 0: the end, -1 and errno. */
static ssize_t receive(struct loop *l, struct stream *s, void *buf, size_t n, struct ls_site *site, ls_ns deadline)
{
    int error = lsrt_give_way(l, site);
    if (error)
        return lsrt_result(error);
    lsrt_stream_tell(s);
    struct io io = { .site = site, .deadline = deadline, .fd = s->fd, .events = POLLIN, .buf = buf, .n = n };
    io.try = lsrt_try_read;
    ssize_t r = lsrt_io(l, &io);
    if (r == 0)
        s->ended = true;
    else if (r < 0 && io.failed && !s->read_error)
        s->read_error = errno;
    return r;
}

/* More bytes into s->in, at least `more` of them wanted: > 0, 0: the end, -1 and errno. */
static ssize_t fill(struct loop *l, struct stream *s, size_t more, struct ls_site *site, ls_ns deadline)
{
    if (s->ended)
        return 0;
    if (s->read_error)
        return lsrt_result(s->read_error);
    if (s->layer)
        return s->layer->fill(l, s, site, deadline);
    if (!buffer_reserve(&s->in, more))
        return lsrt_result(ENOMEM);
    ssize_t r = receive(l, s, s->in.at + s->in.to, buffer_space(&s->in), site, deadline);
    if (r > 0)
        s->in.to += (size_t)r;
    return r;
}

/* The stream of a handle, the reader's seat taken; NULL and errno. */
static struct stream *enter(struct ls_stream *handle, const char *call, struct loop **ret_loop)
{
    struct stream *s = lsrt_stream_of(handle, true, call, ret_loop);
    if (s && lsrt_stream_enter(*ret_loop, s)) {
        lsrt_misuse(EBUSY, "%s: task '%s' reads stream '%s' already", call, s->reader->name, s->object.name);
        return NULL;
    }
    return s;
}

ssize_t ls_stream_read_at(struct ls_site *site, struct ls_stream *handle, void *buf, size_t n, ls_ns deadline)
{
    struct loop *l;
    struct stream *s = enter(handle, "ls_stream_read", &l);
    if (!s)
        return -1;
    ssize_t r;
    if (!n)
        r = 0;
    else if (n >= PAST_BUFFER && !buffer_len(&s->in) && !s->layer && !s->ended && !s->read_error)
        r = receive(l, s, buf, n, site, deadline);
    else {
        r = buffer_len(&s->in) ? 1 : fill(l, s, 1, site, deadline);
        if (r > 0) {
            r = (ssize_t)(buffer_len(&s->in) < n ? buffer_len(&s->in) : n);
            buffer_take(&s->in, buf, (size_t)r);
        }
    }
    lsrt_stream_exit(l, s);
    return r;
}

ssize_t ls_stream_read_exactly_at(struct ls_site *site, struct ls_stream *handle, void *buf, size_t n, ls_ns deadline)
{
    struct loop *l;
    struct stream *s = enter(handle, "ls_stream_read_exactly", &l);
    if (!s)
        return -1;
    ssize_t r = 1;
    size_t len;
    while ((len = buffer_len(&s->in)) < n && (r = fill(l, s, n - len, site, deadline)) > 0)
        continue;
    if (len >= n) {
        buffer_take(&s->in, buf, n);
        r = (ssize_t)n;
    } else if (r == 0 && len)
        r = lsrt_result(ENODATA);
    lsrt_stream_exit(l, s);
    return r;
}

/* How long the bytes up to and with the separator are, 0: it is not there.  *scanned: so far we have looked. */
static size_t find(const struct buffer *b, const char *separator, size_t size, size_t *scanned)
{
    size_t from = *scanned >= size ? *scanned - (size - 1) : 0; /* it may lie across */
    char *bytes = buffer_bytes(b), *at = NULL;
    if (buffer_len(b) - from >= size)
        at = memmem(bytes + from, buffer_len(b) - from, separator, size);
    *scanned = buffer_len(b);
    return at ? (size_t)(at - bytes) + size : 0;
}

static ssize_t read_until(struct loop *l, struct stream *s, const char *separator, bool line, char *buf, size_t size,
                          struct ls_site *site, ls_ns deadline)
{
    size_t most = size - 1 < s->limit ? size - 1 : s->limit, scanned = 0, n;
    while (!(n = find(&s->in, separator, strlen(separator), &scanned))) {
        if (buffer_len(&s->in) >= most)
            break;
        ssize_t r = fill(l, s, 1, site, deadline);
        if (r < 0)
            return -1;
        if (r == 0) {
            if (!line && buffer_len(&s->in))
                return lsrt_result(ENODATA);
            n = buffer_len(&s->in);
            break;
        }
    }
    if (n > most || (!n && buffer_len(&s->in)))
        return lsrt_result(EMSGSIZE);
    buffer_take(&s->in, buf, n);
    buf[n] = 0;
    return (ssize_t)n;
}

static ssize_t until(struct ls_site *site, struct ls_stream *handle, const char *separator, bool line, char *buf,
                     size_t size, ls_ns deadline, const char *call)
{
    struct loop *l;
    struct stream *s = enter(handle, call, &l);
    if (!s)
        return -1;
    ssize_t r = separator && *separator && size
                    ? read_until(l, s, separator, line, buf, size, site, deadline)
                    : lsrt_misuse(EINVAL, "%s: %s", call, size ? "an empty separator" : "no room for anything");
    lsrt_stream_exit(l, s);
    return r;
}

ssize_t ls_stream_read_until_at(struct ls_site *site, struct ls_stream *s, const char *separator, char *buf,
                                size_t size, ls_ns deadline)
{
    return until(site, s, separator, false, buf, size, deadline, "ls_stream_read_until");
}

ssize_t ls_stream_readline_at(struct ls_site *site, struct ls_stream *s, char *buf, size_t size, ls_ns deadline)
{
    return until(site, s, "\n", true, buf, size, deadline, "ls_stream_readline");
}

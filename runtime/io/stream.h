/* stream.h - a stream: an fd with a buffer for each direction, and perhaps a layer (TLS) in between.
 *
 *     the program  <- in <-  [layer]  <-  fd          stream_read.c     one task at a time is in there
 *     the program    ->    [layer] -> out ->  fd      stream_write.c    out is empty unless the socket is full
 *
 * The bytes in `in` are the program's, those in `out` are the wire's.  What is in `out` goes out when the loop is told
 * that the socket has room (the watch), whoever runs then.
 * A stream whose handle is spent lives on until the last task has left its calls (`users`).  All on the loop's thread.
 */
#ifndef LSRT_STREAM_H
#define LSRT_STREAM_H

#include <loopscope/stream.h>

#include "buffer.h"
#include "fd.h"
#include "runtime/core/object.h"
#include "runtime/core/waitq.h"

#define LSRT_STREAM_HIGH ((size_t)64 << 10) /* bytes unsent that make a drain wait, where nobody says otherwise */

struct stream;

/* What lies between the program's bytes and the wire's. */
struct stream_layer {
    /* Gets more into s->in, waiting for it: how much, 0: the end, -1 and errno. */
    ssize_t (*fill)(struct loop *l, struct stream *s, struct ls_site *site, ls_ns deadline);
    int (*write)(struct loop *l, struct stream *s, const void *buf, size_t n); /* 0 or errno, by lsrt_stream_send */
    void (*goodbye)(struct loop *l, struct stream *s);                         /* nothing more will be written */
    void (*free)(struct stream *s);
};

struct stream {
    struct object object;
    int fd; /* -1: closed */
    const struct stream_layer *layer;
    void *tls; /* the layer's */
    struct buffer in, out;
    size_t limit, high, low;
    struct task *reader;   /* is in a read */
    struct waitq drains;   /* wait until no more than (size_t)item is in `out` */
    struct fd_watch watch; /* in the writer's seat while `out` has bytes */
    unsigned users;        /* tasks in a call that looks at the stream after waiting */
    int read_error;        /* of the connection; told again and again, so that it is not taken for an end */
    int write_error;
    bool ended;   /* the end came; what is in `in` is still to be read */
    bool eof;     /* nothing more will be written */
    bool filing;  /* ls_stream_sendfile is at work: nobody else writes */
    bool closing; /* ls_stream_close is at work */
    bool closed;  /* the handle is spent */
    char *peer, *local; /* NULL: not asked for yet */
};

extern const struct object_ops lsrt_stream_ops;

/* stream.c */
/* A stream over fd, which is its own from now on, also when it fails: NULL and errno. */
struct stream *lsrt_stream_new(struct loop *l, struct ls_site *site, int fd, const char *name);
/* The stream of a handle; NULL, errno and the error text.  waits: for a call that does. */
struct stream *lsrt_stream_of(struct ls_stream *handle, bool waits, const char *call, struct loop **ret_loop);
void lsrt_stream_leave(struct loop *l, struct stream *s); /* s->users--; keeps errno */
void lsrt_stream_tell(struct stream *s);                  /* to the trace, before the first wait in it */
void lsrt_stream_gone(struct loop *l, struct stream *s);  /* closes it; the handle is spent */

/* stream_read.c: the reader's seat.  0 or errno (EBUSY). */
int lsrt_stream_enter(struct loop *l, struct stream *s);
void lsrt_stream_exit(struct loop *l, struct stream *s);

/* stream_write.c */
int lsrt_stream_send(struct loop *l, struct stream *s, const void *buf, size_t n); /* bytes of the wire; 0 or errno */
/* Until no more than level bytes are unsent; 0 or errno. */
int lsrt_stream_wait_sent(struct loop *l, struct stream *s, size_t level, struct ls_site *site, ls_ns deadline);
void lsrt_stream_wake_drains(struct loop *l, struct stream *s, int code);
void lsrt_stream_watch_fired(struct loop *l, struct fd_watch *w);

#endif

/* stream.h - buffered streams over TCP, Unix sockets and TLS; servers with a task a connection.
 *
 *     static intptr_t echo(struct ls_stream *s, void *arg)          // a task of its own, "client 127.0.0.1:4711"
 *     {
 *         char line[1024];
 *         ssize_t n;
 *         while ((n = ls_stream_readline(s, line, sizeof line, ls_after(60 * LS_SEC))) > 0) {
 *             ls_stream_write(s, line, (size_t)n);
 *             if (ls_stream_drain(s, ls_after(10 * LS_SEC)))
 *                 break;
 *         }
 *         return n < 0 ? -1 : 0;                                    // s is flushed and closed for us
 *     }
 *     struct ls_server *server = ls_serve("127.0.0.1", 7777, echo, NULL, NULL);
 *     ls_server_wait(server, LS_NEVER);
 *
 * Reading.  -1 means that nothing was taken: what came meanwhile stays in the stream, the next call finds it, and
 * ls_stream_buffered() says how much it is.  One task may read at a time (EBUSY).
 * Writing.  ls_stream_write sends at once what the socket takes and keeps the rest, which goes out by itself while
 * tasks wait; it never waits, so call ls_stream_drain where a peer may be slow.  Any task may write and drain.
 * A stream belongs to its loop; every wait is in the trace with why = fd, under the stream's name. */
#ifndef LOOPSCOPE_STREAM_H
#define LOOPSCOPE_STREAM_H

#include <sys/uio.h>

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ls_stream; /* handles, never to be dereferenced */
struct ls_server;
struct ls_tls;

/* Connects to host (a name or an address) and port: names are looked up on a thread, addresses are tried in turn,
 * alternating families, a new one every 250 ms, and the first that answers wins (RFC 8305).  NULL and errno: ENOENT: no
 * such host; that of the last address when all have failed.  ls_connect_from binds to a local address before (port 0:
 * any).  A path that begins with '@' is an abstract one.
 *     struct ls_stream *ls_connect(const char *host, int port, ls_ns deadline);
 *     struct ls_stream *ls_connect_from(const char *local_host, int local_port, const char *host, int port,
 *                                       ls_ns deadline);
 *     struct ls_stream *ls_connect_unix(const char *path, ls_ns deadline); */
#define ls_connect(host, port, deadline) ls_connect_at(LS_SITE(__func__), NULL, 0, (host), (port), (deadline))
#define ls_connect_from(local_host, local_port, host, port, deadline) \
    ls_connect_at(LS_SITE(__func__), (local_host), (local_port), (host), (port), (deadline))
#define ls_connect_unix(path, deadline) ls_connect_unix_at(LS_SITE(__func__), (path), (deadline))
/* A stream over a connected socket, a pipe or a terminal, which is the stream's from now on.  name NULL: its peer's.
 * NULL and errno: EBADF; EBUSY: it is a stream's already; ENOMEM: then it was closed.
 *     struct ls_stream *ls_stream_from_fd(int fd, const char *name); */
#define ls_stream_from_fd(fd, name) ls_stream_from_fd_at(LS_SITE(__func__), (fd), (name))

/* Some bytes, at least one, up to n; 0: the end.
 *     ssize_t ls_stream_read(struct ls_stream *s, void *buf, size_t n, ls_ns deadline); */
#define ls_stream_read(s, buf, n, deadline) ls_stream_read_at(LS_SITE(__func__), (s), (buf), (n), (deadline))
/* n bytes; 0: the end came before the first, -1 and ENODATA: in the middle (ls_stream_buffered() says how far it came).
 *     ssize_t ls_stream_read_exactly(struct ls_stream *s, void *buf, size_t n, ls_ns deadline); */
#define ls_stream_read_exactly(s, buf, n, deadline) \
    ls_stream_read_exactly_at(LS_SITE(__func__), (s), (buf), (n), (deadline))
/* All up to and with the separator, and a '\0' behind it.  Returns the length without the '\0'; 0: the end came before
 * the first byte.  -1: ENODATA: the end came before the separator; EMSGSIZE: it is not within the first size - 1 bytes,
 * or not within the stream's limit: the bytes are kept.  readline: separator "\n"; a last line may lack it.
 *     ssize_t ls_stream_read_until(struct ls_stream *s, const char *separator, char *buf, size_t size,
 *                                  ls_ns deadline);
 *     ssize_t ls_stream_readline(struct ls_stream *s, char *buf, size_t size, ls_ns deadline); */
#define ls_stream_read_until(s, separator, buf, size, deadline) \
    ls_stream_read_until_at(LS_SITE(__func__), (s), (separator), (buf), (size), (deadline))
#define ls_stream_readline(s, buf, size, deadline) \
    ls_stream_readline_at(LS_SITE(__func__), (s), (buf), (size), (deadline))
int ls_stream_at_eof(struct ls_stream *s);      /* 1: the end came, and all before it was read */
size_t ls_stream_buffered(struct ls_stream *s); /* bytes that came and were not read */

/* Writes all n bytes; never waits.  0; -1: nothing was taken: ENOMEM, EPIPE (after ls_stream_write_eof), or what is
 * wrong with the connection (EPIPE, ECONNRESET; it may be told by a later call), without a SIGPIPE.  writef is printf's. */
int ls_stream_write(struct ls_stream *s, const void *buf, size_t n);
int ls_stream_writev(struct ls_stream *s, const struct iovec *iov, int count);
int ls_stream_writef(struct ls_stream *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Waits while there is too much to send: when it is more than the high mark, until it is no more than the low mark.
 * ls_stream_flush waits until all is handed to the kernel.
 *     int ls_stream_drain(struct ls_stream *s, ls_ns deadline);
 *     int ls_stream_flush(struct ls_stream *s, ls_ns deadline); */
#define ls_stream_drain(s, deadline) ls_stream_drain_at(LS_SITE(__func__), (s), (deadline))
#define ls_stream_flush(s, deadline) ls_stream_flush_at(LS_SITE(__func__), (s), (deadline))
/* Sends up to count bytes of the file `in` behind what was written before, as ls_sendfile (TLS: by copying).  Writing to
 * the stream meanwhile is EBUSY.
 *     ssize_t ls_stream_sendfile(struct ls_stream *s, int in, off_t *offset, size_t count, ls_ns deadline); */
#define ls_stream_sendfile(s, in, offset, count, deadline) \
    ls_stream_sendfile_at(LS_SITE(__func__), (s), (in), (offset), (count), (deadline))
/* No more will be written: the peer reads the end behind what was.  Never waits. */
int ls_stream_write_eof(struct ls_stream *s);
size_t ls_stream_unsent(struct ls_stream *s); /* bytes that were written and the kernel has not taken */

/* Sends what is left and closes; the handle is spent whatever it returns, but for EBUSY (somebody else closes it) and
 * misuse.  -1: not everything went out.  Who reads or drains gets EBADF.  ls_stream_abort sends nothing, never waits.
 *     int ls_stream_close(struct ls_stream *s, ls_ns deadline); */
#define ls_stream_close(s, deadline) ls_stream_close_at(LS_SITE(__func__), (s), (deadline))
int ls_stream_abort(struct ls_stream *s);

int ls_stream_set_limit(struct ls_stream *s, size_t limit); /* of read_until and readline; default 64 KiB */
int ls_stream_set_write_limits(struct ls_stream *s, size_t high, size_t low); /* default 64 KiB, 16 KiB */
/* "127.0.0.1:4711", "[::1]:80", "unix:/run/x"; "" when it has none.  Valid as long as the stream. */
const char *ls_stream_peer(struct ls_stream *s);
const char *ls_stream_local(struct ls_stream *s);
int ls_stream_fd(struct ls_stream *s); /* still the stream's: not to be closed, nor read or written beside it */

/* What a server runs for each connection, as a task named "client PEER".  The stream is flushed (for 5 s at most) and
 * closed when it returns, unless it did so itself.  -1 counts as a failure of that client, no more. */
typedef intptr_t ls_client_fn(struct ls_stream *s, void *arg);

struct ls_serve_opts {
    const char *name;        /* of the server in the trace; NULL: its address */
    const char *client;      /* what clients are called; NULL: "client" */
    int backlog;             /* 0: 512 */
    int reuse_port;          /* 1: other processes may listen on the same port, too */
    unsigned clients_max;    /* at a time, the next ones wait in the backlog; 0: no limit */
    size_t limit, high, low; /* of each stream; 0: the defaults */
};
struct ls_serve_stats {
    uint64_t accepted, failed; /* clients so far; those of them that returned -1 */
    unsigned clients;          /* now */
    uint64_t accept_errors;    /* out of fds or memory: it pauses, and goes on when there are some again */
};

/* Listens and accepts until it is closed.  host NULL: every interface; a name may have several addresses, all are
 * served (a name is looked up on a thread, and the task waits for it).  Port 0: any, see ls_server_port.  ls_serve_unix
 * replaces a dead socket at the path, and removes its own when it ends.  ls_serve_fd takes a socket that listens
 * already.  NULL and errno when it cannot listen.  opts may be NULL.
 *     struct ls_server *ls_serve(const char *host, int port, ls_client_fn *fn, void *arg,
 *                                const struct ls_serve_opts *opts);
 *     struct ls_server *ls_serve_unix(const char *path, ls_client_fn *fn, void *arg, const struct ls_serve_opts *opts);
 *     struct ls_server *ls_serve_fd(int fd, ls_client_fn *fn, void *arg, const struct ls_serve_opts *opts); */
#define ls_serve(host, port, fn, arg, ...) ls_serve_at(LS_SITE(#fn), (host), (port), (fn), (arg), __VA_ARGS__)
#define ls_serve_unix(path, fn, arg, ...)  ls_serve_unix_at(LS_SITE(#fn), (path), (fn), (arg), __VA_ARGS__)
#define ls_serve_fd(fd, fn, arg, ...)      ls_serve_fd_at(LS_SITE(#fn), (fd), (fn), (arg), __VA_ARGS__)
int ls_server_port(struct ls_server *server); /* 0 for a Unix socket */
int ls_server_stats(struct ls_server *server, struct ls_serve_stats *ret_stats);
/* Waits until somebody has closed the server and its clients are over.  EDEADLK: this task is one of them.
 *     int ls_server_wait(struct ls_server *server, ls_ns deadline); */
#define ls_server_wait(server, deadline) ls_server_wait_at(LS_SITE(__func__), (server), (deadline))
/* Stops accepting, waits for the clients to end, cancels those that are left at the deadline (0: at once) and waits for
 * them.  A client may call it: it does not wait for itself.  The handle is spent.  -1 and ETIMEDOUT when some were
 * cancelled, ECANCELED when the caller was (then it waits no longer, and the clients are cancelled).
 *     int ls_server_close(struct ls_server *server, ls_ns deadline); */
#define ls_server_close(server, deadline) ls_server_close_at(LS_SITE(__func__), (server), (deadline))

/* TLS, by OpenSSL: link with -lssl -lcrypto (a program that calls none of these needs no OpenSSL; ENOSYS when the
 * library was built without it).  A handshake computes on the loop: a server's took 0.9 ms with an RSA 2048 key and
 * 0.5 ms with a P-256 one (Zen 4); the trace shows it.  ls_tls_new reads files: make one context at the start and use it
 * for all connections.  What OpenSSL finds wrong is in ls_error_text(). */
struct ls_tls_opts {
    int server;              /* 1: this side is the server, and needs a certificate */
    const char *certificate; /* PEM file: own chain */
    const char *key;         /* PEM file: its key; NULL: it is in the certificate's file */
    const char *ca_file;     /* PEM file: whom to trust; NULL: whom the system trusts.  A server with one demands that
                              * clients show a certificate */
    int insecure;            /* 1: a client that checks neither certificate nor name */
    const char *const *alpn; /* protocols, best first, NULL at the end; NULL: none */
};
/* NULL and errno: ENOENT and the like; EINVAL: not a certificate, or not its key. */
struct ls_tls *ls_tls_new(const struct ls_tls_opts *opts);
int ls_tls_free(struct ls_tls *tls); /* streams that use it go on */
/* Speaks TLS on s from here on (asyncio's start_tls): what was written before goes out in the clear.  host, of a
 * client: whose certificate it must be (NULL only with insecure).  EPROTO: the handshake failed.  After a -1 the stream
 * is of no use but to be closed.  From now on an end without the peer's close_notify is an error and no end: a read
 * fails with ECONNABORTED, so that nobody can cut a message short unseen.  ls_stream_close says goodbye, and does not
 * wait for the peer's.
 *     int ls_stream_tls(struct ls_stream *s, struct ls_tls *tls, const char *host, ls_ns deadline); */
#define ls_stream_tls(s, tls, host, deadline) ls_stream_tls_at(LS_SITE(__func__), (s), (tls), (host), (deadline))
const char *ls_stream_alpn(struct ls_stream *s); /* the protocol that was agreed on; NULL: none */

/* Private part: what the macros call. */
struct ls_stream *ls_connect_at(struct ls_site *site, const char *local_host, int local_port, const char *host,
                                int port, ls_ns deadline);
struct ls_stream *ls_connect_unix_at(struct ls_site *site, const char *path, ls_ns deadline);
struct ls_stream *ls_stream_from_fd_at(struct ls_site *site, int fd, const char *name);
ssize_t ls_stream_read_at(struct ls_site *site, struct ls_stream *s, void *buf, size_t n, ls_ns deadline);
ssize_t ls_stream_read_exactly_at(struct ls_site *site, struct ls_stream *s, void *buf, size_t n, ls_ns deadline);
ssize_t ls_stream_read_until_at(struct ls_site *site, struct ls_stream *s, const char *separator, char *buf,
                                size_t size, ls_ns deadline);
ssize_t ls_stream_readline_at(struct ls_site *site, struct ls_stream *s, char *buf, size_t size, ls_ns deadline);
int ls_stream_drain_at(struct ls_site *site, struct ls_stream *s, ls_ns deadline);
int ls_stream_flush_at(struct ls_site *site, struct ls_stream *s, ls_ns deadline);
ssize_t ls_stream_sendfile_at(struct ls_site *site, struct ls_stream *s, int in, off_t *offset, size_t count,
                              ls_ns deadline);
int ls_stream_close_at(struct ls_site *site, struct ls_stream *s, ls_ns deadline);
struct ls_server *ls_serve_at(struct ls_site *site, const char *host, int port, ls_client_fn *fn, void *arg,
                              const struct ls_serve_opts *opts);
struct ls_server *ls_serve_unix_at(struct ls_site *site, const char *path, ls_client_fn *fn, void *arg,
                                   const struct ls_serve_opts *opts);
struct ls_server *ls_serve_fd_at(struct ls_site *site, int fd, ls_client_fn *fn, void *arg,
                                 const struct ls_serve_opts *opts);
int ls_server_wait_at(struct ls_site *site, struct ls_server *server, ls_ns deadline);
int ls_server_close_at(struct ls_site *site, struct ls_server *server, ls_ns deadline);
int ls_stream_tls_at(struct ls_site *site, struct ls_stream *s, struct ls_tls *tls, const char *host, ls_ns deadline);

#ifdef __cplusplus
}
#endif
#endif

/* connect.c - a stream to a host: its addresses in a race (RFC 8305), or to a Unix socket.
 *
 * The addresses are tried in the order of getaddrinfo, families alternating: the next one when the last has failed, or has
 * not answered for 250 ms.  The first to answer wins, the others are closed.  Runs on the loop's thread, in one task. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "address.h"
#include "stream.h"

#define STAGGER (250 * LS_MS)

struct attempt {
    struct fd_watch watch;
    struct task *task; /* who waits for it */
    int fd;            /* -1: not begun, or has failed */
    bool answered;
};

struct race {
    struct loop *l;
    const struct addrinfo *local; /* NULL: any */
    struct addrinfo **address;    /* in the order of the attempts */
    struct attempt *attempt;
    size_t count, begun, open;
    int error; /* of the last that failed */
};

static void answered(struct loop *l, struct fd_watch *w)
{
    struct attempt *a = (struct attempt *)w;
    a->answered = true;
    lsrt_wake(l, a->task, 0);
}

static void give_up(struct race *r, struct attempt *a, int error)
{
    lsrt_fd_unwatch(r->l, a->fd, &a->watch);
    close(a->fd);
    a->fd = -1;
    r->open--;
    r->error = error;
}

static int bind_local(const struct race *r, int fd, int family)
{
    const struct addrinfo *a = r->local;
    while (a && a->ai_family != family)
        a = a->ai_next;
    if (!r->local)
        return 0;
    if (!a)
        return EADDRNOTAVAIL;
    return bind(fd, a->ai_addr, a->ai_addrlen) ? errno : 0;
}

/* Tries the next address; true when it answered at once. */
static bool begin(struct race *r)
{
    const struct addrinfo *to = r->address[r->begun];
    struct attempt *a = &r->attempt[r->begun++];
    a->task = r->l->current;
    a->watch.writable = answered;
    a->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0) {
        r->error = errno;
        return false;
    }
    r->open++;
    lsrt_fd_gone(r->l, a->fd); /* the number may have been another file's */
    int error = bind_local(r, a->fd, to->ai_family);
    if (!error && !connect(a->fd, to->ai_addr, to->ai_addrlen))
        return a->answered = true;
    if (!error)
        error = errno == EINPROGRESS || errno == EINTR ? lsrt_fd_watch(r->l, a->fd, &a->watch) : errno;
    if (error)
        give_up(r, a, error);
    return false;
}

/* The fd of an attempt that has been answered well, taken out of the race; -1: none.  Those that failed are closed. */
static int winner(struct race *r)
{
    for (size_t i = 0; i < r->begun; i++) {
        struct attempt *a = &r->attempt[i];
        if (a->fd < 0 || !a->answered)
            continue;
        int error = 0, fd = a->fd;
        socklen_t size = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
            error = errno;
        if (error) {
            give_up(r, a, error);
            continue;
        }
        lsrt_fd_unwatch(r->l, fd, &a->watch);
        a->fd = -1;
        r->open--;
        return fd;
    }
    return -1;
}

/* Which attempt a wait is for, in the trace: the last one begun that is still open. */
static int latest(const struct race *r)
{
    for (size_t i = r->begun; i-- > 0;)
        if (r->attempt[i].fd >= 0)
            return r->attempt[i].fd;
    return -1;
}

/* The fd that is connected, -1 and r->error. */
static int run(struct race *r, struct ls_site *site, ls_ns deadline)
{
    for (;;) {
        if (r->begun < r->count && begin(r))
            return winner(r);
        ls_ns next = r->begun < r->count ? ls_after(STAGGER) : LS_NEVER;
        while (r->open) {
            int fd;
            size_t open = r->open;
            int code = lsrt_park(r->l, LS_WHY_FD, on_fd(latest(r)), site, next < deadline ? next : deadline);
            if ((fd = winner(r)) >= 0)
                return fd;
            if (code && (code != ETIMEDOUT || next >= deadline)) {
                r->error = code;
                return -1;
            }
            if (code ||
                (r->open < open && r->begun < r->count)) /* it takes too long, or one has failed: on to the next */
                break;
        }
        if (!r->open && r->begun == r->count)
            return -1;
    }
}

/* The list in the order of the attempts: the families take turns, each in its own order, the first one begins. */
static void alternate(struct addrinfo *list, struct addrinfo **order)
{
    struct addrinfo *a = list, *b = list;
    int first = list->ai_family;
    size_t n = 0;
    while (a || b) {
        while (a && a->ai_family != first)
            a = a->ai_next;
        if (a) {
            order[n++] = a;
            a = a->ai_next;
        }
        while (b && b->ai_family == first)
            b = b->ai_next;
        if (b) {
            order[n++] = b;
            b = b->ai_next;
        }
    }
}

static int race(struct loop *l, struct addrinfo *list, const struct addrinfo *local, struct ls_site *site,
                ls_ns deadline, int *ret_fd)
{
    struct race r = { .l = l, .local = local };
    for (struct addrinfo *a = list; a; a = a->ai_next)
        r.count++;
    r.address = calloc(r.count, sizeof *r.address);
    r.attempt = calloc(r.count, sizeof *r.attempt);
    int fd = -1;
    if (r.address && r.attempt) {
        alternate(list, r.address);
        fd = run(&r, site, deadline);
        for (size_t i = 0; i < r.begun; i++)
            if (r.attempt[i].fd >= 0)
                give_up(&r, &r.attempt[i], r.error);
    } else
        r.error = ENOMEM;
    free(r.address);
    free(r.attempt);
    if (fd < 0)
        return r.error;
    *ret_fd = fd;
    return 0;
}

struct ls_stream *ls_connect_at(struct ls_site *site, const char *local_host, int local_port, const char *host,
                                int port, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_connect");
    if (!l)
        return NULL;
    struct addrinfo *list = NULL, *local = NULL;
    int fd = -1, error = lsrt_address_find(site, "ls_connect", host, port, SOCK_STREAM, false, deadline, &list);
    if (!error && (local_host || local_port))
        error = lsrt_address_find(site, "ls_connect_from", local_host, local_port, SOCK_STREAM, true, deadline, &local);
    if (!error)
        error = race(l, list, local, site, deadline, &fd);
    if (local)
        freeaddrinfo(local);
    if (list)
        freeaddrinfo(list);
    if (error) {
        errno = error;
        return NULL;
    }
    char name[ADDRESS_TEXT];
    snprintf(name, sizeof name, "%s:%d", host ? host : "localhost", port);
    struct stream *s = lsrt_stream_new(l, site, fd, name);
    return s ? lsrt_object_handle(l, s) : NULL;
}

struct ls_stream *ls_connect_unix_at(struct ls_site *site, const char *path, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_connect_unix");
    struct sockaddr_un a;
    socklen_t len;
    int error = l ? lsrt_address_unix(path, &a, &len) : 0;
    if (error)
        lsrt_misuse(error, "ls_connect_unix: '%s' is no path of a socket", path ? path : "(null)");
    int fd = l && !error ? socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return NULL;
    if (ls_connect_fd_at(site, fd, (struct sockaddr *)&a, len, deadline)) {
        error = errno;
        close(fd);
        errno = error;
        return NULL;
    }
    char name[ADDRESS_TEXT];
    snprintf(name, sizeof name, "unix:%s", path);
    struct stream *s = lsrt_stream_new(l, site, fd, name);
    return s ? lsrt_object_handle(l, s) : NULL;
}

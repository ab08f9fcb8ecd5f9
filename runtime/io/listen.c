/* listen.c - makes servers: the sockets they listen on.  Runs on the loop's thread; see server.h. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "server.h"

#define BACKLOG 512
#define AGAIN   16 /* tries to find one free port for all addresses */

static const struct ls_serve_opts no_opts;

static struct server *server_new(struct loop *l, struct ls_site *site, const char *name, ls_client_fn *fn, void *arg,
                                 const struct ls_serve_opts *opts, size_t room)
{
    if (opts->low > (opts->high ? opts->high : LSRT_STREAM_HIGH)) {
        lsrt_misuse(EINVAL, "ls_serve: the low mark of its streams (%zu) is above the high one", opts->low);
        return NULL;
    }
    struct server *v = lsrt_object_new(l, &lsrt_server_ops, site, opts->name ? opts->name : name);
    if (!v)
        return NULL;
    v->fn = fn;
    v->arg = arg;
    v->clients_max = opts->clients_max;
    v->limit = opts->limit;
    v->high = opts->high;
    v->low = opts->low;
    v->client = strdup(opts->client ? opts->client : "client");
    v->listeners = calloc(room, sizeof *v->listeners);
    if (!v->client || !v->listeners) {
        lsrt_object_free(l, v);
        errno = ENOMEM;
        return NULL;
    }
    return v;
}

static int port_of(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
    if (a->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)a)->sin6_port);
    return 0;
}

static void set_port(struct sockaddr *a, int port)
{
    if (a->sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)a)->sin_port = htons((uint16_t)port);
    else if (a->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons((uint16_t)port);
}

/* fd, which listens, is the server's from now on; 0 or errno. */
static int add(struct loop *l, struct server *v, int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len))
        return errno;
    int error = lsrt_fd_own(l, fd);
    if (error)
        return error;
    struct listener *n = &v->listeners[v->count++];
    n->fd = fd;
    lsrt_address_text((struct sockaddr *)&a, len, n->name);
    if (!v->port)
        v->port = port_of(&a);
    return 0;
}

/* A socket that listens at addr; -1 and errno. */
static int listening(const struct sockaddr *addr, socklen_t len, const struct ls_serve_opts *opts)
{
    int on = 1, fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool failed = false;
    if (addr->sa_family != AF_UNIX)
        failed = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0;
    if (addr->sa_family == AF_INET6) /* IPv4 has a socket of its own */
        failed |= setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0;
    if (opts->reuse_port)
        failed |= setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0;
    if (failed || bind(fd, addr, len) || listen(fd, opts->backlog ? opts->backlog : BACKLOG)) {
        int error = errno;
        close(fd);
        return lsrt_result(error);
    }
    return fd;
}

/* All addresses of the list on one port; 0 or errno.  An address family that this machine lacks is passed over. */
static int listen_all(struct loop *l, struct server *v, struct addrinfo *list, int port,
                      const struct ls_serve_opts *opts)
{
    int error = EADDRNOTAVAIL;
    for (struct addrinfo *a = list; a; a = a->ai_next) {
        if (!port && v->port)
            set_port(a->ai_addr, v->port); /* the one that the kernel chose for the first */
        int fd = listening(a->ai_addr, a->ai_addrlen, opts);
        if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
            error = errno;
            continue;
        }
        if (fd < 0)
            return errno;
        if ((error = add(l, v, fd))) {
            close(fd);
            return error;
        }
    }
    return v->count ? 0 : error;
}

static struct ls_server *started(struct loop *l, struct server *v, int error)
{
    if (!error)
        error = lsrt_server_start(l, v);
    if (!error)
        return lsrt_object_handle(l, v);
    lsrt_server_stop(l, v);
    v->closing = v->closed = true;
    if (!v->users) /* else a listener's task has begun, and is the last to leave */
        lsrt_object_free(l, v);
    errno = error;
    return NULL;
}

struct ls_server *ls_serve_at(struct ls_site *site, const char *host, int port, ls_client_fn *fn, void *arg,
                              const struct ls_serve_opts *opts)
{
    struct loop *l = lsrt_inside("ls_serve");
    if (!l)
        return NULL;
    if (!fn) {
        lsrt_misuse(EINVAL, "ls_serve: no function for the clients");
        return NULL;
    }
    opts = opts ? opts : &no_opts;
    struct addrinfo *list;
    int error = lsrt_address_find(site, "ls_serve", host, port, SOCK_STREAM, true, LS_NEVER, &list);
    if (error) {
        errno = error;
        return NULL;
    }
    size_t count = 0;
    for (struct addrinfo *a = list; a; a = a->ai_next)
        count++;
    char name[ADDRESS_TEXT];
    snprintf(name, sizeof name, "%s:%d", host ? host : "*", port);
    struct server *v = server_new(l, site, name, fn, arg, opts, count);
    error = v ? 0 : errno;
    for (int i = 0; v && i < AGAIN; i++) {
        error = listen_all(l, v, list, port, opts);
        if (!error || port || error != EADDRINUSE)
            break;
        lsrt_server_stop(l, v); /* the port of the first is taken at another address: all over again */
        v->count = 0;
        v->port = 0;
        for (struct addrinfo *a = list; a; a = a->ai_next)
            set_port(a->ai_addr, 0);
    }
    freeaddrinfo(list);
    if (!v) {
        errno = error;
        return NULL;
    }
    if (!error && !opts->name && !port) { /* now that it is known */
        snprintf(v->object.name, sizeof v->object.name, "%.28s:%d", host ? host : "*", v->port);
    }
    return started(l, v, error);
}

/* Removes the socket at path when nobody listens there any more; 0 or errno. */
static int remove_dead(const struct sockaddr_un *a, socklen_t len)
{
    struct stat st;
    if (!a->sun_path[0] || stat(a->sun_path, &st))
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return EADDRINUSE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    bool dead = connect(fd, (const struct sockaddr *)a, len) && errno == ECONNREFUSED;
    close(fd);
    if (!dead)
        return EADDRINUSE;
    return unlink(a->sun_path) ? errno : 0;
}

void lsrt_server_unlink(const struct server *v)
{
    struct stat st;
    if (!stat(v->path, &st) && st.st_dev == v->dev && st.st_ino == v->ino)
        unlink(v->path);
}

struct ls_server *ls_serve_unix_at(struct ls_site *site, const char *path, ls_client_fn *fn, void *arg,
                                   const struct ls_serve_opts *opts)
{
    struct loop *l = lsrt_on_loop("ls_serve_unix");
    if (!l)
        return NULL;
    opts = opts ? opts : &no_opts;
    struct sockaddr_un a;
    socklen_t len;
    int error = lsrt_address_unix(path, &a, &len);
    if (error || !fn) {
        lsrt_misuse(error ? error : EINVAL, "ls_serve_unix: %s", fn ? "no path for a socket" : "no function");
        return NULL;
    }
    char name[ADDRESS_TEXT];
    snprintf(name, sizeof name, "unix:%s", path);
    struct server *v = server_new(l, site, name, fn, arg, opts, 1);
    if (!v)
        return NULL;
    error = remove_dead(&a, len);
    if (!error && path[0] != '@' && !(v->path = strdup(path)))
        error = ENOMEM;
    int fd = error ? -1 : listening((struct sockaddr *)&a, len, opts);
    if (!error && fd < 0)
        error = errno;
    struct stat st;
    if (!error && v->path && !stat(path, &st)) {
        v->dev = st.st_dev;
        v->ino = st.st_ino;
    }
    if (!error && (error = add(l, v, fd)))
        close(fd);
    return started(l, v, error);
}

struct ls_server *ls_serve_fd_at(struct ls_site *site, int fd, ls_client_fn *fn, void *arg,
                                 const struct ls_serve_opts *opts)
{
    struct loop *l = lsrt_on_loop("ls_serve_fd");
    if (!l)
        return NULL;
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size))
        return NULL;
    if (!listens || !fn) {
        lsrt_misuse(EINVAL, "ls_serve_fd: fd %d: %s", fd, fn ? "not a socket that listens" : "no function");
        return NULL;
    }
    char name[32];
    snprintf(name, sizeof name, "fd %d", fd);
    struct server *v = server_new(l, site, name, fn, arg, opts ? opts : &no_opts, 1);
    return v ? started(l, v, add(l, v, fd)) : NULL;
}

/* datagram.c - sockets for ls_recvfrom and ls_sendto: UDP and Unix.  Runs on the loop's thread. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "fd.h"

/* A socket that `name` gives an address, or a peer; -1 and errno. */
static int opened(struct loop *l, int family, int flags, int (*name)(int fd, const struct sockaddr *, socklen_t),
                  const struct sockaddr *addr, socklen_t len)
{
    int on = 1, fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if ((flags & LS_BROADCAST && setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on)) ||
        (flags & LS_REUSEPORT && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) || name(fd, addr, len)) {
        int error = errno;
        close(fd);
        return lsrt_result(error);
    }
    lsrt_fd_gone(l, fd); /* the number may have been another file's */
    return fd;
}

/* The first address of the host that works. */
static int udp(struct ls_site *site, const char *call, const char *host, int port, int flags, bool passive,
               ls_ns deadline)
{
    struct loop *l = lsrt_inside(call);
    if (!l)
        return -1;
    if (flags & ~(LS_BROADCAST | LS_REUSEPORT))
        return lsrt_misuse(EINVAL, "%s: unknown flags %#x", call, flags);
    struct addrinfo *list;
    int error = lsrt_address_find(site, call, host, port, SOCK_DGRAM, passive, deadline, &list), fd = -1;
    if (error)
        return lsrt_result(error);
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = opened(l, a->ai_family, flags, passive ? bind : connect, a->ai_addr, a->ai_addrlen);
        error = errno;
    }
    freeaddrinfo(list);
    return fd < 0 ? lsrt_result(error) : fd;
}

int ls_udp_bind_at(struct ls_site *site, const char *host, int port, int flags, ls_ns deadline)
{
    return udp(site, "ls_udp_bind", host, port, flags, true, deadline);
}

int ls_udp_connect_at(struct ls_site *site, const char *host, int port, int flags, ls_ns deadline)
{
    return udp(site, "ls_udp_connect", host, port, flags, false, deadline);
}

int ls_datagram_bind(const char *path)
{
    struct loop *l = lsrt_inside("ls_datagram_bind");
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    socklen_t len = sizeof a.sun_family; /* the kernel chooses an abstract name */
    int error = l && path ? lsrt_address_unix(path, &a, &len) : 0;
    if (error)
        return lsrt_misuse(error, "ls_datagram_bind: '%s' is no path for a socket", path);
    return l ? opened(l, AF_UNIX, 0, bind, (struct sockaddr *)&a, len) : -1;
}

int ls_datagram_connect(const char *path)
{
    struct loop *l = lsrt_inside("ls_datagram_connect");
    struct sockaddr_un a;
    socklen_t len;
    int error = l ? lsrt_address_unix(path, &a, &len) : 0;
    if (error)
        return lsrt_misuse(error, "ls_datagram_connect: '%s' is no path of a socket", path ? path : "(null)");
    int fd = l ? ls_datagram_bind(NULL) : -1;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, len)) {
        error = errno;
        close(fd);
        return lsrt_result(error);
    }
    return fd;
}

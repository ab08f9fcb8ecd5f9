/* sleep.c - sleeping, waiting for a signal, and asking for names. */
#include <netdb.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "wrap.h"

TIMED(unsigned, sleep, (unsigned seconds), (seconds), sleep, 0, INFO_NONE)
TIMED(int, usleep, (useconds_t us), (us), usleep, 0, INFO_NONE)
TIMED(int, nanosleep, (const struct timespec *t, struct timespec *left), (t, left), nanosleep, 0, INFO_NONE)
TIMED(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *t, struct timespec *left),
      (clock, flags, t, left), clock_nanosleep, 0, INFO_NONE)
TIMED(int, pause, (void), (), pause, 0, INFO_NONE)
TIMED(int, sigsuspend, (const sigset_t *set), (set), sigsuspend, 0, INFO_NONE)
TIMED(int, sigwait, (const sigset_t *set, int *sig), (set, sig), sigwait, 0, INFO_NONE)
TIMED(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info), (set, info), sigwaitinfo, 0, INFO_NONE)
TIMED(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *t), (set, info, t), sigtimedwait,
      0, INFO_NONE)

TIMED(int, getaddrinfo, (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result),
      (node, service, hints, result), getaddrinfo, 0, .fd = -1, .detail = DETAIL_HOST, .text = node, .more = service)
TIMED(struct hostent *, gethostbyname, (const char *path), (path), gethostbyname, 0, INFO_PATH(path))
TIMED(struct hostent *, gethostbyname2, (const char *path, int af), (path, af), gethostbyname2, 0, INFO_PATH(path))
TIMED(int, gethostbyname_r,
      (const char *path, struct hostent *ret, char *buf, size_t n, struct hostent **result, int *error),
      (path, ret, buf, n, result, error), gethostbyname_r, 0, INFO_PATH(path))
TIMED(int, gethostbyname2_r,
      (const char *path, int af, struct hostent *ret, char *buf, size_t n, struct hostent **result, int *error),
      (path, af, ret, buf, n, result, error), gethostbyname2_r, 0, INFO_PATH(path))
TIMED(struct hostent *, gethostbyaddr, (const void *addr, socklen_t n, int type), (addr, n, type), gethostbyaddr, 0,
      INFO_NONE)
TIMED(int, gethostbyaddr_r,
      (const void *addr, socklen_t len, int type, struct hostent *ret, char *buf, size_t n, struct hostent **result,
       int *error),
      (addr, len, type, ret, buf, n, result, error), gethostbyaddr_r, 0, INFO_NONE)
TIMED(int, getnameinfo,
      (const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_n, char *service, socklen_t service_n,
       int flags),
      (addr, len, host, host_n, service, service_n, flags), getnameinfo, 0, .fd = -1, .detail = DETAIL_ADDRESS,
      .text = addr, .size = len)

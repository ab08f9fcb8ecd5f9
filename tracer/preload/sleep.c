/* sleep.c - sleeping, waiting for a signal, and asking for names. */
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "wrap.h"

TIMED(unsigned, sleep, (unsigned seconds), (seconds), sleep, 0, INFO_NONE)
TIMED(int, usleep, (useconds_t us), (us), usleep, 0, INFO_NONE)
TIMED(int, nanosleep, (const struct timespec *t, struct timespec *left), (t, left), nanosleep, 0, INFO_NONE)
TIMED(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *t, struct timespec *left),
      (clock, flags, t, left), clock_nanosleep, 0, INFO_NONE)
TIMED(int, thrd_sleep, (const struct timespec *t, struct timespec *left), (t, left), thrd_sleep, 0, INFO_NONE)
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

/* Users and groups: a file, or a directory server at the other end of a network. */
#define ID(type, by)                                                                                       \
    TIMED(struct type *, by##nam, (const char *path), (path), by##nam, 0, INFO_PATH(path))                 \
    TIMED(int, by##nam_r, (const char *path, struct type *ret, char *buf, size_t n, struct type **result), \
          (path, ret, buf, n, result), by##nam_r, 0, INFO_PATH(path))
ID(passwd, getpw)
ID(group, getgr)
TIMED(struct passwd *, getpwuid, (uid_t id), (id), getpwuid, id, INFO_NONE)
TIMED(int, getpwuid_r, (uid_t id, struct passwd *ret, char *buf, size_t n, struct passwd **result),
      (id, ret, buf, n, result), getpwuid_r, id, INFO_NONE)
TIMED(struct group *, getgrgid, (gid_t id), (id), getgrgid, id, INFO_NONE)
TIMED(int, getgrgid_r, (gid_t id, struct group *ret, char *buf, size_t n, struct group **result),
      (id, ret, buf, n, result), getgrgid_r, id, INFO_NONE)
TIMED(int, getgrouplist, (const char *path, gid_t group, gid_t *groups, int *n), (path, group, groups, n), getgrouplist,
      0, INFO_PATH(path))
TIMED(int, initgroups, (const char *path, gid_t group), (path, group), initgroups, 0, INFO_PATH(path))

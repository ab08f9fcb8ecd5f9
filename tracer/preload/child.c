/* child.c - children: making them and waiting for them.  vfork is never wrapped: a wrapper's frame would be gone when
 * the parent comes back to it. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wrap.h"

TIMED(pid_t, wait, (int *status), (status), wait, 0, INFO_NONE)
TIMED(pid_t, waitpid, (pid_t pid, int *status, int flags), (pid, status, flags), waitpid, pid, INFO_NONE)
TIMED(int, waitid, (idtype_t type, id_t pid, siginfo_t *info, int flags), (type, pid, info, flags), waitid, pid,
      INFO_NONE)
TIMED(pid_t, wait3, (int *status, int flags, struct rusage *usage), (status, flags, usage), wait3, 0, INFO_NONE)
TIMED(pid_t, wait4, (pid_t pid, int *status, int flags, struct rusage *usage), (pid, status, flags, usage), wait4, pid,
      INFO_NONE)
TIMED(int, system, (const char *path), (path), system, 0, INFO_PATH(path))
TIMED(FILE *, popen, (const char *path, const char *mode), (path, mode), popen, 0, INFO_PATH(path))
TIMED(int, pclose, (FILE * f), (f), pclose, 0, INFO_NONE)

/* The child has the parent's block and slot: it must not write there.  It only stops using them; the rest (a new pid, a
 * slot of its own) is for its first poll, if it has one.  The recorder is named now: later the child may have locked
 * itself into a seccomp filter that kills for it. */
#define FORK(name)                                                                                                \
    {                                                                                                             \
        struct call call;                                                                                         \
        bool on = call_begin(&call, CALL_fork, 0);                                                                \
        pid_t pid = REAL(name)();                                                                                 \
        if (pid == 0) {                                                                                           \
            probe_self.armed = 0;                                                                                 \
            probe_page.alive = 0;                                                                                 \
            if (probe_process.arena)                                                                              \
                probe_declare();                                                                                  \
        } else if (on) {                                                                                          \
            call_end(&call, CALL_fork, pid, &(const struct call_info){ INFO_NONE }, __builtin_return_address(0)); \
        }                                                                                                         \
        return pid;                                                                                               \
    }
EXPORT pid_t fork(void) FORK(fork) EXPORT pid_t _Fork(void) FORK(_Fork)

/* What is open when a process ends is no turn of a loop: atexit handlers and destructors may take their time. */
EXPORT void exit(int status)
{
    if (probe_process.arena)
        probe_leaving(true);
    REAL(exit)(status);
    __builtin_unreachable();
}

/* process.h - child processes and signals, awaited by tasks. */
#ifndef LOOPSCOPE_PROCESS_H
#define LOOPSCOPE_PROCESS_H

#include <signal.h>

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a child's stdin, stdout or stderr goes. */
enum ls_stdio {
    LS_STDIO_INHERIT, /* where ours goes */
    LS_STDIO_PIPE,    /* to us, see ls_process_fd */
    LS_STDIO_NULL,    /* /dev/null */
    LS_STDIO_FD,      /* to opts.fd of the same place; that fd stays yours */
    LS_STDIO_STDOUT,  /* stderr only: where its stdout goes */
};
struct ls_process_opts {
    char *const *env; /* NULL: ours; it does not change where the program is searched for */
    const char *cwd;  /* NULL: ours */
    enum ls_stdio in, out, err;
    int fd[3];       /* for LS_STDIO_FD */
    int new_session; /* setsid(2): no terminal, and its own process group */
    int keep_fds;    /* 1: it inherits every fd that is not close-on-exec, instead of the three alone */
    int outlive;     /* 1: it may live longer than its handle and this loop */
};

/* Starts a program: argv[0] is searched for in PATH unless it has a slash; opts NULL: all as in a zeroed one.  The
 * child begins with no signal blocked and none ignored, but SIGHUP, SIGINT and SIGQUIT where we ignore them (nohup).
 * NULL and errno when it could not be started: ENOENT, EACCES (not a program, or a directory in between), ENOTDIR
 * (cwd), EAGAIN (too many processes), EMFILE ... The handle is given back by ls_process_free, or by the end of the
 * loop.  Then a child that is not over is killed (SIGKILL) unless opts.outlive; it leaves no zombie (one that outlives
 * the loop is left to whoever waits for it).
 *     struct ls_process *ls_process_spawn(char *const argv[], const struct ls_process_opts *opts); */
struct ls_process;
#define ls_process_spawn(...) ls_process_spawn_at(LS_SITE(__func__), __VA_ARGS__) /* literals have commas */
int ls_process_free(struct ls_process *process); /* EBUSY: a task waits for it.  NULL is allowed */

/* Waits for the child's end; *ret_status is as from waitpid (WIFEXITED ...; may be NULL).  By as many tasks as like, as
 * often as they like.  -1 leaves the child alone.  ECHILD: somebody else reaped it (waitpid(-1), or SIGCHLD is
 * ignored).
 *     int ls_process_wait(struct ls_process *process, int *ret_status, ls_ns deadline); */
#define ls_process_wait(process, ret_status, deadline) \
    ls_process_wait_at(LS_SITE(__func__), (process), (ret_status), (deadline))

/* Writes input to its stdin and closes that, reads its stdout and stderr to their ends, and waits for the child's: all
 * at once, so that no full pipe can stop it.  (A grandchild that keeps them open keeps us waiting.)  What is not a pipe
 * is left out; a stdin that the child closed early is no error, and raises no SIGPIPE.  *ret_out and *ret_err are yours
 * to free(), with a 0 after their end; NULL, 0 for what is no pipe.  Each may be NULL: then it is read and dropped. -1
 * leaves the child alone, and what was read is kept: call it again, with the same input, to go on.  EBUSY: another task
 * does.
 *     int ls_process_communicate(struct ls_process *process, const void *input, size_t n, char **ret_out,
 *                                size_t *ret_out_size, char **ret_err, size_t *ret_err_size, ls_ns deadline); */
#define ls_process_communicate(process, input, n, ret_out, ret_out_size, ret_err, ret_err_size, deadline)           \
    ls_process_communicate_at(LS_SITE(__func__), (process), (input), (n), (ret_out), (ret_out_size), (ret_err), \
                              (ret_err_size), (deadline))

/* Sends a signal; never to a stranger that got its pid.  ESRCH: it is over.  EPERM: it runs as another user. */
int ls_process_signal(struct ls_process *process, int signal);
int ls_process_terminate(struct ls_process *process); /* SIGTERM */
int ls_process_kill(struct ls_process *process);      /* SIGKILL */
pid_t ls_process_pid(struct ls_process *process);     /* also when it is over: then it may be a stranger's */

/* Our end of its stdin (0), stdout (1) or stderr (2), for ls_read and ls_write: non-blocking, close-on-exec.  It
 * belongs to the process: it is closed by ls_process_close or with the handle, not by ls_close (EBUSY).  To read lines:
 * ls_stream_from_fd(dup(ls_process_fd(process, 1)), NULL), a stream of its own.  A write to a child
 * that closed its end raises SIGPIPE, as to any pipe, unless it is ignored.  EBADF: no pipe, or closed. */
int ls_process_fd(struct ls_process *process, int which);
int ls_process_close(struct ls_process *process, int which); /* of stdin: the child reads its end */

/* Waits for one of the signals of set; *ret_info says which, who sent it and with what value (may be NULL).  Returns
 * its number, -1 with errno.  Tasks may wait for different sets at once; a signal that several wait for goes to the
 * first.  The signals are blocked in this thread from the first wait for them until the loop ends: so none that comes
 * between two waits is lost (one that is pending then takes its course), and a handler of it runs no more.  A signal to
 * the process goes to any thread that does not block it: block it (pthread_sigmask) before other threads are started,
 * or in all of them.  ls_pool threads block all, children none.  EINVAL: the set is empty, or has a signal that cannot
 * be blocked (SIGKILL, SIGSTOP).
 *     int ls_signal_await(const sigset_t *set, siginfo_t *ret_info, ls_ns deadline); */
#define ls_signal_await(set, ret_info, deadline) ls_signal_await_at(LS_SITE(__func__), (set), (ret_info), (deadline))

/* Private part: what the macros call. */
struct ls_process *ls_process_spawn_at(struct ls_site *site, char *const argv[], const struct ls_process_opts *opts);
int ls_process_wait_at(struct ls_site *site, struct ls_process *process, int *ret_status, ls_ns deadline);
int ls_process_communicate_at(struct ls_site *site, struct ls_process *process, const void *input, size_t n,
                              char **ret_out, size_t *ret_out_size, char **ret_err, size_t *ret_err_size,
                              ls_ns deadline);
int ls_signal_await_at(struct ls_site *site, const sigset_t *set, siginfo_t *ret_info, ls_ns deadline);

#ifdef __cplusplus
}
#endif
#endif

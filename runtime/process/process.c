/* process.c - child processes: spawn, wait, signal, and what becomes of them.  Runs on the loop's thread.
 *
 * The loop's epoll watches a pidfd of each child: no SIGCHLD, no thread, and no other child's end is taken.  Where
 * there is none (a kernel before 5.3, a sandbox, valgrind) a timer looks every few ms while somebody waits.  A child is
 * reaped as soon as it is over, and its status is kept with the handle.  One whose handle was given back before (or
 * whose loop ends) is killed, unless it may outlive that; its object stays, out of the program's reach, until it was
 * reaped. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/core/schedule.h"
#include "runtime/io/fd.h"

#define KILL_WAIT LS_SEC /* at the loop's end, for one that was killed: longer than the kernel needs */
#define PAUSE_MIN LS_MS
#define PAUSE_MAX (20 * LS_MS)

/* Ends the watch, too: the close alone does not while a fork of ours has the fd. */
static void close_pidfd(struct loop *l, struct process *p)
{
    if (p->pidfd < 0)
        return;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, p->pidfd, NULL);
    close(p->pidfd);
    p->pidfd = -1;
}

/* Looks whether it is over, and reaps it. */
static bool over(struct loop *l, struct process *p)
{
    siginfo_t info = { .si_pid = 0 };
    if (p->over)
        return true;
    if (waitid(p->pidfd < 0 ? P_PID : P_PIDFD, (id_t)(p->pidfd < 0 ? p->pid : p->pidfd), &info, WEXITED | WNOHANG))
        p->error = errno;
    else if (!info.si_pid)
        return false;
    p->status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0)
                                           : info.si_status | (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
    close_pidfd(l, p);
    return p->over = true;
}

/* The same, and wakes who waits for it. */
static bool look(struct loop *l, struct process *p)
{
    if (!over(l, p))
        return false;
    while (waitq_serve(l, &p->waiters))
        continue;
    if (p->talker)
        lsrt_wake(l, p->talker, 0);
    return true;
}

static void event(struct loop *l, struct object *o, uint32_t events)
{
    (void)events;
    struct process *p = (struct process *)o;
    if (look(l, p) && p->retired)
        lsrt_object_free(l, p);
    else if (p->talker) /* one of its pipes may be ready */
        lsrt_wake(l, p->talker, 0);
}

/* Looks again in a while, as long as somebody wants to know. */
static void look_fires(struct loop *l, struct timer_node *n)
{
    struct process *p = (struct process *)(void *)((char *)n - offsetof(struct process, look));
    p->pause = p->pause < PAUSE_MAX / 2 ? 2 * p->pause : PAUSE_MAX;
    if (!look(l, p)) {
        if (p->waiters.count || p->talker || (p->retired && !l->virtual_time)) /* virtual time would race */
            (void)lsrt_process_look_later(l, p);                               /* takes the place of this one */
    } else if (p->retired)
        lsrt_object_free(l, p);
}

int lsrt_process_look_later(struct loop *l, struct process *p)
{
    p->look.fire = look_fires;
    if (p->pidfd >= 0 || p->over || p->look.place)
        return 0;
    return lsrt_timer_add(&l->timers, &p->look, lsrt_now() + p->pause);
}

/* 0, or -1 and errno.  It was not reaped, so its pid is its own. */
static int send_signal(struct process *p, int signal)
{
    return p->pidfd < 0 ? kill(p->pid, signal) : pidfd_send_signal(p->pidfd, signal, NULL, 0);
}

static void kill_now(struct process *p)
{
    if (!p->over && !p->outlive && !p->killed)
        p->killed = send_signal(p, SIGKILL) == 0;
}

/* It was killed: blocks until it is over, or for KILL_WAIT, whatever signals come meanwhile. */
static void await_end(struct loop *l, struct process *p)
{
    ls_ns until = clock_read(CLOCK_MONOTONIC) + KILL_WAIT;
    while (!over(l, p) && clock_read(CLOCK_MONOTONIC) < until) {
        struct pollfd end = { .fd = p->pidfd, .events = POLLIN }; /* -1: just the pause */
        poll(&end, 1, p->pidfd < 0 ? 1 : KILL_WAIT / LS_MS);
    }
}

/* The loop ends, or it is over and retired. */
static void destroy(struct loop *l, struct object *o)
{
    struct process *p = (struct process *)o;
    if (!over(l, p)) {
        if (!p->killed && !p->outlive) /* all of them first: they end side by side */
            for (struct object *q = lsrt_object_next(l, 0); q; q = lsrt_object_next(l, q->index + 1))
                if (q->ops == &lsrt_process_ops)
                    kill_now((struct process *)q);
        if (p->killed)
            await_end(l, p);
        close_pidfd(l, p);
    }
    lsrt_timer_remove(&l->timers, &p->look);
    for (int i = 0; i < 3; i++) {
        lsrt_process_close_fd(l, p, i);
        buffer_free(&p->got[i]);
    }
}

static void describe(const struct object *o, char *text, size_t size)
{
    const struct process *p = (const struct process *)o;
    const char *retired = p->retired ? ", given back" : "";
    if (!p->over)
        snprintf(text, size, "pid %d runs, %zu wait%s", (int)p->pid, p->waiters.count, retired);
    else if (p->error)
        snprintf(text, size, "pid %d, reaped by somebody else", (int)p->pid);
    else if (WIFSIGNALED(p->status))
        snprintf(text, size, "pid %d ended by signal %d", (int)p->pid, WTERMSIG(p->status));
    else
        snprintf(text, size, "pid %d ended with %d", (int)p->pid, WEXITSTATUS(p->status));
}

const struct object_ops lsrt_process_ops = { .kind = LS_OBJECT_PROCESS,
                                             .noun = "process",
                                             .size = sizeof(struct process),
                                             .destroy = destroy,
                                             .event = event,
                                             .describe = describe };

static struct process *process_of(struct loop *l, struct ls_process *handle, const char *call)
{
    return l ? lsrt_object_of(l, handle, &lsrt_process_ops, call) : NULL;
}

/* --- spawn ------------------------------------------------------------------------------------------------------- */

/* What posix_spawn is told, and the fds that are open for it. */
struct plan {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int ours[3];   /* pipes: go to the process */
    int theirs[3]; /* closed after the spawn */
};

/* The child's end must not be where the child's own stdin, stdout and stderr are put.  0 or errno. */
static int out_of_the_way(int *fd)
{
    if (*fd > 2)
        return 0;
    int up = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    if (up < 0)
        return errno;
    close(*fd);
    *fd = up;
    return 0;
}

/* Prepares the child's fd `i`.  0 or errno. */
static int plan_fd(struct plan *plan, int i, enum ls_stdio where, int fd)
{
    int pipes[2], error = 0;
    switch (where) {
    case LS_STDIO_INHERIT: return 0;
    case LS_STDIO_NULL:
        return posix_spawn_file_actions_addopen(&plan->actions, i, "/dev/null", i ? O_WRONLY : O_RDONLY, 0);
    case LS_STDIO_STDOUT: /* after fd 1 was put in its place */
        return i == 2 ? posix_spawn_file_actions_adddup2(&plan->actions, 1, 2) : EINVAL;
    case LS_STDIO_PIPE:
        if (pipe2(pipes, O_CLOEXEC))
            return errno;
        plan->theirs[i] = pipes[i ? 1 : 0];
        plan->ours[i] = pipes[i ? 0 : 1];
        if (fcntl(plan->ours[i], F_SETFL, O_NONBLOCK) < 0)
            return errno;
        break;
    case LS_STDIO_FD: /* a copy: it may be 0, 1 or 2 itself, for another place */
        plan->theirs[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (plan->theirs[i] < 0)
            return errno;
        break;
    default: return EINVAL;
    }
    error = out_of_the_way(&plan->theirs[i]);
    return error ? error : posix_spawn_file_actions_adddup2(&plan->actions, plan->theirs[i], i);
}

/* The signals that the child shall not ignore: all, but what nohup and shells tell a whole family to ignore. */
static void default_signals(sigset_t *set)
{
    static const int family[] = { SIGHUP, SIGINT, SIGQUIT };
    sigfillset(set);
    for (size_t i = 0; i < sizeof family / sizeof *family; i++) {
        struct sigaction now;
        if (!sigaction(family[i], NULL, &now) && now.sa_handler == SIG_IGN)
            sigdelset(set, family[i]);
    }
}

static int plan_all(struct plan *plan, const struct ls_process_opts *o)
{
    sigset_t none, defaults;
    sigemptyset(&none);
    default_signals(&defaults);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (o->new_session)
        flags |= POSIX_SPAWN_SETSID;
    int error = posix_spawnattr_setsigmask(&plan->attr, &none);
    if (!error)
        error = posix_spawnattr_setsigdefault(&plan->attr, &defaults);
    if (!error)
        error = posix_spawnattr_setflags(&plan->attr, flags);
    const enum ls_stdio where[3] = { o->in, o->out, o->err };
    for (int i = 0; i < 3 && !error; i++)
        error = plan_fd(plan, i, where[i], o->fd[i]);
    if (!error && !o->keep_fds)
        error = posix_spawn_file_actions_addclosefrom_np(&plan->actions, 3);
    if (!error && o->cwd)
        error = posix_spawn_file_actions_addchdir_np(&plan->actions, o->cwd);
    return error;
}

/* Starts the program; 0 or errno. */
static int start(struct process *p, char *const argv[], const struct ls_process_opts *o)
{
    struct plan plan = { .ours = { -1, -1, -1 }, .theirs = { -1, -1, -1 } };
    extern char **environ;
    int error = posix_spawn_file_actions_init(&plan.actions);
    if (error)
        return error;
    posix_spawnattr_init(&plan.attr);
    error = plan_all(&plan, o);
    if (!error)
        error = posix_spawnp(&p->pid, argv[0], &plan.actions, &plan.attr, argv, o->env ? o->env : environ);
    for (int i = 0; i < 3; i++)
        if (plan.theirs[i] >= 0)
            close(plan.theirs[i]);
    for (int i = 0; i < 3; i++) {
        p->fd[i] = plan.ours[i]; /* whatever comes: they go with p */
        p->piped[i] = plan.ours[i] >= 0;
    }
    posix_spawnattr_destroy(&plan.attr);
    posix_spawn_file_actions_destroy(&plan.actions);
    return error;
}

struct ls_process *ls_process_spawn_at(struct ls_site *site, char *const argv[], const struct ls_process_opts *opts)
{
    static const struct ls_process_opts defaults;
    struct loop *l = lsrt_on_loop("ls_process_spawn");
    if (!l)
        return NULL;
    if (!argv || !argv[0]) {
        lsrt_misuse(EINVAL, "ls_process_spawn: no program: argv[0] is NULL");
        return NULL;
    }
    if (l->refusing) {
        errno = ECANCELED;
        return NULL;
    }
    const struct ls_process_opts *o = opts ? opts : &defaults;
    const char *slash = strrchr(argv[0], '/');
    struct process *p = lsrt_object_new(l, &lsrt_process_ops, site, slash && slash[1] ? slash + 1 : argv[0]);
    if (!p)
        return NULL;
    p->pidfd = p->fd[0] = p->fd[1] = p->fd[2] = -1;
    p->outlive = o->outlive != 0;
    p->pause = PAUSE_MIN;
    int error = start(p, argv, o);
    p->over = error != 0;
    if (!error) {
        for (int i = 0; i < 3; i++)
            if (p->fd[i] >= 0)
                lsrt_fd_own(l, p->fd[i]); /* without memory it is only not known to be ours */
        snprintf(p->object.name + strlen(p->object.name), sizeof p->object.name - strlen(p->object.name), " (%d)",
                 (int)p->pid);
        p->pidfd = pidfd_open(p->pid, 0);
        error = p->pidfd < 0 ? errno : lsrt_object_watch(l, &p->object, p->pidfd, EPOLLIN);
        if (p->pidfd < 0 && (error == ENOSYS || error == EPERM)) /* the kernel has none, or a sandbox forbids it */
            error = 0;
        else if (error == ESRCH) { /* SIGCHLD is ignored, and it is over: nobody will know more */
            p->error = ECHILD;
            p->over = true;
            error = 0;
        } else if (error) {
            kill(p->pid, SIGKILL);
            while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                continue;
            p->over = true;
            close_pidfd(l, p);
        }
    }
    if (error) {
        lsrt_object_free(l, p);
        errno = error;
        return NULL;
    }
    return lsrt_object_handle(l, p);
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

int ls_process_wait_at(struct ls_site *site, struct ls_process *process, int *ret_status, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_process_wait");
    struct process *p = process_of(l, process, "ls_process_wait");
    if (!p)
        return -1;
    struct wait w;
    bool known = look(l, p);
    int error = lsrt_process_look_later(l, p);
    if (!error && !known)
        error = waitq_park(l, &p->waiters, &w, LS_WHY_CHILD, &p->object, site, deadline);
    error = error ? error : p->error;
    if (!error && ret_status)
        *ret_status = p->status;
    return lsrt_result(error);
}

int ls_process_free(struct ls_process *process)
{
    if (!process)
        return 0;
    struct loop *l = lsrt_on_loop("ls_process_free");
    struct process *p = process_of(l, process, "ls_process_free");
    if (!p)
        return -1;
    if (p->waiters.count || p->talker)
        return lsrt_misuse(EBUSY, "ls_process_free: a task waits for process '%s'", p->object.name);
    if (over(l, p)) {
        lsrt_object_free(l, p);
        return 0;
    }
    kill_now(p);
    for (int i = 0; i < 3; i++)
        lsrt_process_close_fd(l, p, i);
    p->retired = true;
    lsrt_object_retire(l, &p->object);
    if (p->pidfd >= 0) /* should that fail, or the other, the loop's end reaps it */
        lsrt_object_watch(l, &p->object, p->pidfd, EPOLLIN);
    (void)lsrt_process_look_later(l, p);
    return 0;
}

int ls_process_signal(struct ls_process *process, int signal)
{
    struct loop *l = lsrt_on_loop("ls_process_signal");
    struct process *p = process_of(l, process, "ls_process_signal");
    if (!p)
        return -1;
    return p->over ? lsrt_result(ESRCH) : send_signal(p, signal);
}

int ls_process_terminate(struct ls_process *process)
{
    return ls_process_signal(process, SIGTERM);
}

int ls_process_kill(struct ls_process *process)
{
    return ls_process_signal(process, SIGKILL);
}

pid_t ls_process_pid(struct ls_process *process)
{
    struct loop *l = lsrt_on_loop("ls_process_pid");
    struct process *p = process_of(l, process, "ls_process_pid");
    return p ? p->pid : -1;
}

/* --- its pipes --------------------------------------------------------------------------------------------------- */

void lsrt_process_close_fd(struct loop *l, struct process *p, int which)
{
    int fd = p->fd[which];
    if (fd < 0)
        return;
    p->fd[which] = -1;
    lsrt_fd_gone(l, fd);
    close(fd);
}

/* The process, when it has this pipe; NULL, EBADF. */
static struct process *pipe_of(struct ls_process *process, int which, const char *call)
{
    struct loop *l = lsrt_on_loop(call);
    struct process *p = process_of(l, process, call);
    if (!p)
        return NULL;
    if (which >= 0 && which <= 2 && p->fd[which] >= 0)
        return p;
    lsrt_misuse(EBADF, "%s: process '%s' has no pipe %d here, or it is closed", call, p->object.name, which);
    return NULL;
}

int ls_process_fd(struct ls_process *process, int which)
{
    struct process *p = pipe_of(process, which, "ls_process_fd");
    return p ? p->fd[which] : -1;
}

int ls_process_close(struct ls_process *process, int which)
{
    struct process *p = pipe_of(process, which, "ls_process_close");
    if (!p)
        return -1;
    lsrt_process_close_fd(lsrt_loop(), p, which);
    return 0;
}

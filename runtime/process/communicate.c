/* communicate.c - ls_process_communicate: a child's three pipes and its end, all at once.  Runs on the loop's thread.
 *
 * One task does all: it goes round the pipes without blocking, and waits for the child when none gave or took anything.
 * What wakes it is an epoll of the pipes, which the loop's own watches for the process: so the trace shows one wait,
 * for the child, and no helper tasks. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "process.h"
#include "runtime/io/fd.h"

#define PIECE 65536 /* a pipe's capacity as a rule */

/* The pipes: 1: something went through, 0: nothing can now, -1: errno. */
static int feed(struct loop *l, struct process *p, const char *input, size_t n)
{
    if (p->fd[0] < 0)
        return 0;
    size_t left = n > p->sent ? n - p->sent : 0;
    ssize_t r = left ? lsrt_write_quietly(p->fd[0], input + p->sent, left < PIECE ? left : PIECE) : 0;
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (r < 0 && errno != EPIPE)
        return -1;
    if (r > 0)
        p->sent += (size_t)r;
    if (r < 0 || p->sent >= n)
        lsrt_process_close_fd(l, p, 0);
    return 1;
}

static int drain(struct loop *l, struct process *p, int which, bool wanted)
{
    struct buffer *b = &p->got[which];
    if (p->fd[which] < 0)
        return 0;
    if (!buffer_reserve(b, PIECE)) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t r = read(p->fd[which], b->at + b->to, PIECE);
    if (r < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (r == 0)
        lsrt_process_close_fd(l, p, which);
    else if (wanted)
        b->to += (size_t)r;
    return 1;
}

/* An epoll of the pipes, watched for the process; -1 and errno. */
static int pipes_watch(struct loop *l, struct process *p)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        return -1;
    int error = lsrt_object_watch(l, &p->object, epoll, EPOLLIN | EPOLLET);
    for (int i = 0; i < 3 && !error; i++) {
        struct epoll_event e = { .events = (i ? EPOLLIN : EPOLLOUT) | EPOLLET };
        if (p->fd[i] >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd[i], &e))
            error = errno;
    }
    if (!error)
        return epoll;
    close(epoll);
    errno = error;
    return -1;
}

/* An edge-triggered epoll inside an epoll tells of its next event only when the last was taken. */
static void edges_take(int epoll)
{
    struct epoll_event events[3];
    epoll_wait(epoll, events, 3, 0);
}

static int talk(struct loop *l, struct process *p, int epoll, const void *input, size_t n, const bool wanted[3],
                struct ls_site *site, ls_ns deadline)
{
    for (;;) {
        edges_take(epoll); /* before the pipes are tried: what comes later is another edge */
        int in = feed(l, p, input, n);
        int out = in < 0 ? -1 : drain(l, p, 1, wanted[1]);
        int err = out < 0 ? -1 : drain(l, p, 2, wanted[2]);
        if (err < 0)
            return errno;
        bool piped = p->fd[0] >= 0 || p->fd[1] >= 0 || p->fd[2] >= 0;
        if (!piped && p->over)
            return 0;
        if (!in && !out && !err) {
            int error = lsrt_process_look_later(l, p);
            if (!error)
                error = lsrt_park(l, LS_WHY_CHILD, on_object(&p->object), site, deadline);
            if (error)
                return error;
        } else if (ls_yield_at(site)) /* a child that never stops must not keep the others from running */
            return errno;
        else if (deadline != LS_NEVER && deadline <= lsrt_now())
            return ETIMEDOUT;
    }
}

/* The bytes as the caller gets them: with a 0 after their end.  False: no memory. */
static bool terminated(struct buffer *b)
{
    if (!buffer_reserve(b, 1))
        return false;
    b->at[b->to] = 0;
    return true;
}

static void hand_over(struct buffer *b, bool piped, char **ret_bytes, size_t *ret_size)
{
    if (ret_size)
        *ret_size = piped ? buffer_len(b) : 0;
    if (ret_bytes) {
        *ret_bytes = piped ? b->at : NULL;
        if (piped)
            *b = (struct buffer){ 0 };
    }
    buffer_free(b);
}

int ls_process_communicate_at(struct ls_site *site, struct ls_process *process, const void *input, size_t n,
                              char **ret_out, size_t *ret_out_size, char **ret_err, size_t *ret_err_size,
                              ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_process_communicate");
    struct process *p = l ? lsrt_object_of(l, process, &lsrt_process_ops, "ls_process_communicate") : NULL;
    if (!p)
        return -1;
    if (p->talker)
        return lsrt_misuse(EBUSY, "ls_process_communicate: task '%s' does so with process '%s' already",
                           p->talker->name, p->object.name);
    bool wanted[3] = { false, ret_out != NULL, ret_err != NULL };
    int epoll = pipes_watch(l, p);
    if (epoll < 0)
        return -1;
    p->talker = l->current;
    int error = talk(l, p, epoll, input, n, wanted, site, deadline);
    p->talker = NULL;
    close(epoll);
    for (int i = 1; i < 3 && !error; i++)
        if (!terminated(&p->got[i]))
            error = ENOMEM;
    if (error)
        return lsrt_result(error);
    hand_over(&p->got[1], p->piped[1], ret_out, ret_out_size);
    hand_over(&p->got[2], p->piped[2], ret_err, ret_err_size);
    return 0;
}

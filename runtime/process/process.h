/* process.h - a child process: what process.c and communicate.c share.  Runs on the loop's thread. */
#ifndef LSRT_PROCESS_H
#define LSRT_PROCESS_H

#include "runtime/io/buffer.h"
#include "runtime/core/object.h"
#include "runtime/core/timer.h"
#include "runtime/core/waitq.h"

struct process {
    struct object object; /* first */
    pid_t pid;
    bool over;   /* and reaped */
    int pidfd;   /* watched by the loop while it runs; -1: the kernel has none, so a timer looks every now and then */
    struct timer_node look;
    ls_ns pause; /* until the next look */
    int fd[3];   /* our ends of its pipes, -1: none */
    int error;   /* ECHILD: somebody else reaped it, its status is not known */
    int status;  /* over: as from waitpid */
    bool piped[3];
    bool outlive, killed;
    bool retired; /* its handle was given back: it goes when it is over */
    struct waitq waiters;

    struct task *talker; /* in ls_process_communicate */
    size_t sent;         /* of its input, by all calls of it so far */
    struct buffer got[3];
};

extern const struct object_ops lsrt_process_ops;
int lsrt_process_look_later(struct loop *l, struct process *p); /* before a wait: for want of a pidfd; 0 or ENOMEM */
void lsrt_process_close_fd(struct loop *l, struct process *p, int which); /* nothing when it is closed */

#endif

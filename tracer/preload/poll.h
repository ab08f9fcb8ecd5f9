/* poll.h - one poll of a thread, whoever makes it: the libc calls (poll.c) and io_uring (uring.c). */
#ifndef LOOPSCOPE_PRELOAD_POLL_H
#define LOOPSCOPE_PRELOAD_POLL_H

#include "wrap.h"

struct pollfd;

struct poll_who {
    enum ls_loop_kind kind;
    enum ls_call call;
    int key;         /* struct probe_habit has key and place */
    const struct pollfd *set; /* poll's own, else NULL */
    uint32_t fds;    /* how many descriptors it waits for */
    uint32_t asked;  /* events that it may return at most */
    int64_t timeout; /* ns, -1 none */
    const struct probe_sets *sets; /* select's own, else NULL */
    const struct timespec *span; /* the same where the kernel reads it, not libc: looked at when it has; else NULL */
    uint64_t place;
};

struct poll_call {
    ticks_t start;
    struct call call;
};

enum poll_mode {
    POLL_PASS,  /* not ours to tell */
    POLL_LEARN, /* this thread is no loop yet */
    POLL_TURN,  /* the loop's own: a turn ends here */
    POLL_CALL   /* a blocking call inside a turn */
};

/* Around the call, when probe_process.arena is set.  from: the wrapper's return address. */
PROBE_HIDDEN enum poll_mode poll_begin(struct poll_call *p, const struct poll_who *who);
PROBE_HIDDEN void poll_end(struct poll_call *p, enum poll_mode mode, const struct poll_who *who, int ready,
                           const void *from);

#endif

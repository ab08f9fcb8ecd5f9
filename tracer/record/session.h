/* session.h - the private directory and the arena in it (arena.h): made by the recorder, found by the target through one
 * environment variable, removed at the end; what a killed recorder left behind is swept by the next one. */
#ifndef LOOPSCOPE_SESSION_H
#define LOOPSCOPE_SESSION_H

#include <limits.h>
#include <stddef.h>

#include "../arena.h"

struct session {
    char dir[PATH_MAX - 8], path[PATH_MAX]; /* path: the arena, what LOOPSCOPE_SESSION holds */
    int lock_fd;                        /* held while the recorder lives */
    struct ls_arena *arena;
    size_t size;
};

struct session_options {
    ns_t threshold, call_min;
    size_t ring_bytes; /* 0 = LS_RING_DEFAULT */
    uint32_t slots;    /* 0 = LS_SLOTS_DEFAULT */
    enum ls_clock clock;
    uint64_t ticks_per_sec;
};

/* Makes directory and arena; the arena's `on` is still 0.  0 or -errno. */
int session_create(const struct session_options *options, struct session *ret_session);
/* Makes sure that the records a ring is about to take have memory behind them, so that a full /dev/shm never becomes a
 * SIGBUS in the target.  -ENOSPC: there is none, the caller switches the probes off.  `head`: the slot's. */
int session_back(struct session *s, uint32_t slot, uint64_t head);
/* Unmaps and removes.  The target's mappings stay valid and are ignored from then on. */
void session_remove(struct session *s);

#endif

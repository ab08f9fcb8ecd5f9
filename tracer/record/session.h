/* session.h - the private directory and the arena in it (arena.h): made by the recorder, found by the target through one
 * environment variable, removed at the end; what a killed recorder left behind is swept by the next one. */
#ifndef LOOPSCOPE_SESSION_H
#define LOOPSCOPE_SESSION_H

#include <limits.h>
#include <stddef.h>

#include "../arena.h"

struct session {
    char dir[PATH_MAX - 48], path[PATH_MAX]; /* path: the arena, what LOOPSCOPE_SESSION holds */
    int lock_fd;                        /* held while the recorder lives */
    int fd;                             /* of the arena, for memory behind its rings */
    struct ls_arena *arena;
    size_t size;
    uint64_t slots, records; /* of the arena and of a ring; our copies, the arena is the target's to write */
    uint64_t *backed; /* by slot: how many of them have memory */
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
/* Puts memory behind the part of a ring that comes next, during its first lap, and lets its writer go on to there: no
 * store of the target may meet a hole of a full /dev/shm, which is a SIGBUS.  -ENOSPC: there is none; what has no room
 * is dropped and counted by its writer, and a later call may succeed.  `head`: the slot's. */
int session_back(struct session *s, uint32_t slot, uint64_t head);
/* Unmaps and removes.  The target's mappings stay valid and are ignored from then on. */
void session_remove(struct session *s);

#endif

/* inbox.h - what other threads give to a loop: notes in a list, and an eventfd that wakes the loop for the first of
 * them.
 *
 * One inbox a loop, made at its first use; jobs that are over and posted functions come in through it.  Notes and
 * inboxes live in memory of their own that is never given back, so whoever holds an old number of either may look at it
 * at any time: a handle (index, generation) that is spent is found out by comparing.  Pushing is lock-free and
 * async-signal-safe; the rest runs on the loop's thread. */
#ifndef LSRT_INBOX_H
#define LSRT_INBOX_H

#include <stdatomic.h>
#include <stdint.h>

#include <loopscope/probe.h>

struct loop;
struct inbox;

struct note {
    void (*fn)(void *arg);
    void *arg;
    struct ls_site *site;  /* of a posted function; NULL: fn is the runtime's own, and not told in the trace */
    _Atomic uint32_t next; /* index + 1 of the next in the list it is in, 0: the last */
    uint32_t index;
};

struct note *lsrt_note_new(struct ls_site *site, void (*fn)(void *arg), void *arg); /* NULL: no memory */
void lsrt_note_free(struct note *n);

/* The loop's inbox; NULL and errno when it could not be made. */
struct inbox *lsrt_inbox(struct loop *l);
uint64_t lsrt_inbox_handle(const struct inbox *b); /* 48 bits, not 0 */
/* Gives a note to the loop of a handle, which calls fn(arg) and frees the note.  0; ESRCH: the loop has ended, the note
 * is still yours; EINVAL: never a handle. */
int lsrt_inbox_push(uint64_t handle, struct note *n);
void lsrt_inbox_drain(struct loop *l); /* calls what came */
/* Nothing comes in any more; what has come is called.  The pool's threads have ended by now. */
void lsrt_inbox_close(struct loop *l);

/* A forked child: all handles are spent, because the loops are the parent's. */
void lsrt_inboxes_forget(void);

#define LSRT_INBOX_EVENT UINT64_MAX /* data of its epoll event */

#endif

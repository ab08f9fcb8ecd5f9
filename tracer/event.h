/* event.h - the 32-byte record that crosses the ring: the contract between the target and the recorder.
 *
 * A probe (in the target) writes these; drain (in the recorder) reads them.  Nothing here is trusted by the
 * reader: the target may be buggy or hostile, so every count and kind is checked again on the other side.
 *
 * Most events are one record.  Some are a *group*: the head record, then attachments (EV_MORE, EV_TEXT, EV_STACK)
 * that belong to it.  A group is reserved and published as one, so a reader sees all of it or nothing.  EV_TEXT
 * and EV_STACK are followed by `aux` raw records that hold bytes, not events.
 *
 * Times are in ticks of the arena's clock (arena.h): TSC when it is invariant, else CLOCK_MONOTONIC in ns. */
#ifndef LOOPSCOPE_EVENT_H
#define LOOPSCOPE_EVENT_H

#include <stdint.h>

typedef uint64_t ns_t;    /* a time or a duration in nanoseconds */
typedef uint64_t ticks_t; /* the same in ticks of the arena's clock; only the recorder converts */

struct ls_event {
    ticks_t time;
    uint8_t kind;  /* enum ls_event_kind */
    uint8_t flags; /* per kind */
    uint16_t aux;  /* per kind */
    uint32_t id;   /* per kind */
    uint64_t a, b; /* per kind */
};
_Static_assert(sizeof(struct ls_event) == 32, "two records a cache line, and the recorder counts on it");

enum ls_event_kind {
    EV_NONE = 0,  /* never written: zeroed memory is not an event */
    EV_GAP,       /* events were lost before this one.  a: how many, b: time of the first loss */
    /* loops and calls: what the preload sees */
    EV_LOOP,      /* this thread is a loop from now on.  flags: enum ls_loop_kind; EV_TEXT name may follow.
                     flags LOOP_NONE: the loop was left, what follows is no iteration until the next EV_LOOP */
    EV_POLL,      /* a poll returned: one turn of the loop ended when it was entered, the next one starts now.
                     time: return, a: entry (ticks), b: timeout asked (ns as int64, -1 = none),
                     aux: events returned (EV_READY_ERROR: the poll failed), id: events asked for,
                     flags: enum ls_loop_kind */
    EV_CALL,      /* a libc call that kept a loop thread for >= call_min.  time: start, a: ticks it took,
                     b: result (int64), aux: enum ls_call, id: fd as int32 (-1 none), flags: EV_CALL_*
                     always followed by EV_MORE; then EV_TEXT (path, host: what tells it apart) and EV_STACK if any */
    /* tasks: what a linked-in runtime tells (probe.h) */
    EV_TASK_NEW,  /* id: task, a: parent task | site << 32; EV_TEXT name may follow, else the site's function.
                     flags: enum ls_why of its first wait, b: target of it; LS_WHY_SPAWN (0): it is ready at once */
    EV_TASK_END,  /* id: task, flags: enum ls_outcome, a: error or result */
    EV_OBSERVED,  /* id: task whose result somebody took */
    EV_SWITCH,    /* one scheduling point, one timestamp: `from` stops running and `to` starts.
                     id: to (0 = the loop itself), a: from (0 = the loop) | site of the await << 32,
                     flags: enum ls_why of from's wait, b: target of that wait (task, object or fd) */
    EV_WAKE,      /* id: task made ready, a: waker task (0 = the loop: timer, fd), b: ns since when it was (a late timer) */
    EV_OBJECT_NEW,/* id: object, aux: enum ls_object_kind, a: site, b: fd (int64, -1 none); EV_TEXT name may follow */
    EV_OBJECT_END,/* id: object */
    EV_MARK,      /* time: start, a: ticks it lasted (0 = a point), b: value (double's bits), id: task; EV_TEXT name */
    EV_SITE,      /* a call site, sent once.  id: site, a: line; EV_TEXT "function\0file" follows */
    /* attachments */
    EV_MORE,      /* of EV_CALL.  id: errno after it, a: return address of the wrapper, b: object (mutex address),
                     time: tid that held the lock when the wait began (0 = not known) */
    EV_TEXT,      /* id: length in bytes (<= EV_TEXT_MAX), aux: raw records that follow */
    EV_STACK,     /* id: bytes of stack (<= EV_STACK_MAX), a: stack pointer at byte 0 of the copy,
                     aux: raw records that follow: one struct ls_regs, then the bytes; flags: EV_STACK_* */
    /* tasks again: what came later */
    EV_FINISH,    /* a task is over and the next one runs; EV_TASK_END, EV_OBSERVED, EV_WAKE and EV_SWITCH in one, in
                     this order, with one timestamp.  id: to (0 = the loop), a: the one that is over | the task that its
                     end made ready << 32 (0 none), b: result, flags: enum ls_outcome, aux: EV_FINISH_* */
    EV_HOLD,      /* id: object (a lock), a: task, flags: 1 it holds it from now on, 0 it gave it back.  Told when somebody
                     begins to wait for it, and while somebody does: an uncontended lock costs no event */
    EV_MEMBER,    /* id: object (a group, a select), a and b: four tasks or objects that it is waiting for, 32 bits each, 0 none */
    EV_DETACHED,  /* id: task that nobody means to await */
    EV_ALLOW,     /* flags 1: from now on this thread may block its loop, EV_TEXT says why; 0: no longer */
    EV_KINDS
};

#define EV_FINISH_OBSERVED 1u /* the task made ready takes the result */

#define EV_READY_ERROR 0xffffu
#define EV_TEXT_MAX    1024u
#define EV_STACK_MAX   32768u

/* EV_CALL flags */
#define EV_CALL_POLL 1u /* a poll inside a busy period: on another set or a single fd, so a blocking call */

/* EV_STACK flags */
#define EV_STACK_CUT 1u /* the copy ended before the known end of the stack */

/* Registers that start an unwind, in DWARF order of the architecture: x86-64: rax rdx rcx rbx rsi rdi rbp rsp r8-r15 rip;
 * aarch64: x0-x30 sp pc.  Registers that are not known (caller-saved ones, at a call) are 0. */
#define LS_NREGS 36
struct ls_regs {
    uint64_t r[LS_NREGS];
};
_Static_assert(sizeof(struct ls_regs) % sizeof(struct ls_event) == 0, "registers fill whole raw records");
#if defined __x86_64__
enum { LS_REG_FP = 6, LS_REG_SP = 7, LS_REG_IP = 16, LS_REG_USED = 17 };
#elif defined __aarch64__
enum { LS_REG_FP = 29, LS_REG_SP = 31, LS_REG_IP = 32, LS_REG_USED = 33 };
#endif

/* Names of these are in the trace (tables loop, task, step, object); the order is the wire format: append only. */
enum ls_loop_kind { LOOP_NONE, LOOP_EPOLL, LOOP_POLL, LOOP_SELECT, LOOP_IO_URING, LOOP_RUNTIME, LOOP_ASYNCIO, LOOP_KINDS };
#define LS_LOOP_KIND_NAMES { "none", "epoll", "poll", "select", "io_uring", "runtime", "asyncio" }

static inline uint32_t ev_raw_records(uint32_t bytes)
{
    return (bytes + (uint32_t)sizeof(struct ls_event) - 1) / (uint32_t)sizeof(struct ls_event);
}

#endif

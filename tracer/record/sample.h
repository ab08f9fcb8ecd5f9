/* sample.h - one stack of one thread of the target, taken from outside.  On a CPU: the thread is stopped by ptrace for
 * about 30 us, sees no signal, and no code runs in it.  Asleep: it is not touched, its stack is read where it lies.
 *
 * All jobs of one tracee are made by one thread (ptrace belongs to a thread), here the watchdog's.  No other thread
 * of the process may wait for "any child" (waitpid(-1)): it would steal the stops. */
#ifndef LOOPSCOPE_SAMPLE_H
#define LOOPSCOPE_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../arena.h"
#include "proc.h"
#include "stackcopy.h"

#define SAMPLE_SMALL 8192u
#define SAMPLE_LARGE 32768u

struct sample_request {
    pid_t pid, tid;                 /* as /proc has them here */
    const struct proc_thread *proc; /* must be open and stay so while the job lasts */
    struct ls_slot *slot;           /* NULL in a test: nothing is known of its poll and its stack */
    enum ls_clock clock;
    uint64_t ticks_per_sec;
    uint32_t size; /* bytes of stack wanted, SAMPLE_SMALL or SAMPLE_LARGE */
};

enum sample_phase { SAMPLE_IDLE, SAMPLE_STOPPING, SAMPLE_DYING };

struct sample_job {
    enum sample_phase phase;
    struct sample_request request;
    /* results, when it is idle again */
    struct stack_copy *copy; /* NULL: none.  Whoever takes it frees it */
    const char *refused;     /* why there is none, a static string; NULL: the thread has gone */
    uint64_t word;           /* the state word at the stop */
    bool repaired;           /* an EINTR was taken back; the kernel gives it all the same if a handler runs */
};

/* Begins a job and waits for it a short while (2 ms at most).  0: done, look at the results.  -EAGAIN: the thread has
 * not come to its stop yet; call sample_continue about every millisecond until it is done.
 * Does not ask whether the thread is on a CPU: the watchdog does, the tests do not want to. */
int sample_begin(struct sample_job *job, const struct sample_request *request);
int sample_continue(struct sample_job *job);

/* The stack of a thread that sleeps in `asleep` (proc_thread_syscall), read without touching it: registers but for ip
 * and sp are not known.  NULL when it cannot be read or the thread woke up meanwhile. */
struct stack_copy *sample_asleep(const struct sample_request *request, const struct proc_syscall *asleep);

#endif

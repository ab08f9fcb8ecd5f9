/* grab.h - for tests: start a program, and take a stack from it as the sampler does, but in the simplest way. */
#ifndef LOOPSCOPE_TEST_GRAB_H
#define LOOPSCOPE_TEST_GRAB_H

#include <sys/types.h>

#include "tracer/record/stackcopy.h"

/* Compiles tests/targets/SOURCE (C, or C++ by its name) to `out`.  0 when that worked. */
int grab_compile(const char *source, const char *flags, const char *out);
/* Starts argv with input and output on /dev/null; it dies with the test. */
pid_t grab_spawn(char *const argv[]);
void grab_kill(pid_t pid);
/* Waits until the CPU time of `pid` has advanced in five looks 20 ms apart: it started and computes.  At most 20 s. */
int grab_wait_busy(pid_t pid);
/* Stops the thread, copies up to `max` bytes of its stack, lets it go on.  NULL when it has gone.  free() it. */
struct stack_copy *grab_stack(pid_t tid, unsigned max);

#endif

/* syscalls.h - names of system calls that a loop can be found asleep in without a wrapper's knowledge. */
#ifndef LOOPSCOPE_SYSCALLS_H
#define LOOPSCOPE_SYSCALLS_H

#include <stdbool.h>

/* NULL when it is not one of them. */
const char *syscall_name(long nr);
/* It waits for another thread or process to let go of something. */
bool syscall_locks(long nr);

#endif

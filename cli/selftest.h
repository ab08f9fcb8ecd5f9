/* selftest.h - `record --selftest`: does recording work on this machine, step by step? */
#ifndef LOOPSCOPE_SELFTEST_H
#define LOOPSCOPE_SELFTEST_H

/* Records a small loop that blocks twice and reads the trace; then says of `command` (NULL: none) whether the preload
 * can see into it.  Prints a line a step; returns 0 when all is well, 1 when something is missing. */
int selftest(const char *command);

#endif

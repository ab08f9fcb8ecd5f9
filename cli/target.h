/* target.h - what `record` knows of the command before it runs: whether the preload can see into it. */
#ifndef LOOPSCOPE_TARGET_H
#define LOOPSCOPE_TARGET_H

/* Path of libloopscope-preload.so: $LOOPSCOPE_PRELOAD, beside the program, ../lib of it; NULL when there is none. */
const char *target_preload_library(void);
/* Says on stderr, once, when `command` cannot be seen into: static, setuid, another architecture.  Scripts are followed
 * to their interpreter. */
void target_warn(const char *command);
/* `record --selftest`: records a small program that stalls (or argv) and says step by step what works here.
 * Exit code 0 = all of it. */
int target_selftest(char **argv);

#endif

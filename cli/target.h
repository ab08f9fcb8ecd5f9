/* target.h - what `record` knows of the command before it runs: where it is, and whether the preload can see into it. */
#ifndef LOOPSCOPE_TARGET_H
#define LOOPSCOPE_TARGET_H

#include <stdbool.h>
#include <stddef.h>

/* The directory this program is in. */
const char *target_own_directory(void);
/* Path of libloopscope-preload.so: $LOOPSCOPE_PRELOAD, beside the program, ../lib of it; NULL when there is none. */
const char *target_preload_library(void);
/* Where execvp(3) would find `command`: 0, or -ENOENT, -EACCES … */
int target_find(const char *command, char *ret_path, size_t size);
/* Whether the program at `path` runs with our library in it; without it a misfit runs as it always does. */
bool target_fits(const char *path);
/* Says on stderr, once, when `command` cannot be seen into: static, setuid, Go, another architecture.  Scripts are
 * followed to their interpreter.  False when something was said. */
bool target_warn(const char *command);

#endif

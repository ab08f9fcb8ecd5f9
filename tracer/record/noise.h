/* noise.h - whose code a frame is, by the names of module, function and file.  Tables, no state. */
#ifndef LOOPSCOPE_NOISE_H
#define LOOPSCOPE_NOISE_H

#include <stdbool.h>

#include "symbol.h"

/* Native code.  module: path; is_program: it is the executable itself; function may be NULL. */
enum frame_noise noise_native(const char *module, bool is_program, const char *function);
/* JIT code, by language and source file (NULL when not known). */
enum frame_noise noise_jit(const char *function, const char *file, const char *language);

/* The inner engine of an interpreter or of a loop (eval loop, call glue, dispatch): it stands on every stack of such a
 * program and so tells nothing. */
bool noise_is_engine(const char *function);
/* main and its like: the program's own, but on every stack of it. */
bool noise_is_entry(const char *function);

#endif

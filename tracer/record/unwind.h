/* unwind.h - from a stack copy to the addresses of its frames.  libunwind's remote accessors over the copy, then the
 * live process, then the ELF files; frame pointers where there is no CFI.  Used by one thread. */
#ifndef LOOPSCOPE_UNWIND_H
#define LOOPSCOPE_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "modules.h"
#include "stackcopy.h"

#define UNWIND_FRAMES 512

struct unwound {
    int n;
    bool partial;                /* did not reach the end of the stack */
    uint64_t ip[UNWIND_FRAMES];  /* frame 0 first; exact for frame 0, return addresses (not less 1) for the others */
    bool exact[UNWIND_FRAMES];   /* ip is where it ran (frame 0, above a signal frame), not a return address */
};

struct unwinder *unwinder_new(void);
void unwinder_free(struct unwinder *u);
/* Frames of `copy`, in the address space that `map` describes.  Always leaves at least frame 0. */
void unwind_stack(struct unwinder *u, struct module_map *map, const struct stack_copy *copy, struct unwound *ret_frames);

#endif

/* debuginfo.h - what an ELF file and its debug files say about an address: function, lines, inlined calls, and how to
 * unwind it.  All addresses are link-time ones.  debuginfo.c is the only file that knows elfutils.  One thread. */
#ifndef LOOPSCOPE_DEBUGINFO_H
#define LOOPSCOPE_DEBUGINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "../event.h"
#include "module_file.h"

struct debuginfo;

struct debuginfo_level { /* one level of inlining, or the function itself; strings live as long as the debuginfo */
    const char *function; /* as the linker sees it (mangled), else the plain name; NULL when not known */
    const char *file;
    int line;
};

/* Cheap: files are opened and tables built by the first question. */
struct debuginfo *debuginfo_open(struct module_file *file);
void debuginfo_close(struct debuginfo *d);

/* The symbol that covers `rel`, NULL when there is none; *ret_start where it begins. */
const char *debuginfo_function(struct debuginfo *d, uint64_t rel, uint64_t *ret_start);
/* Source of `rel`, innermost inlined call first, the function itself last; 0 when there is no DWARF for it. */
int debuginfo_lines(struct debuginfo *d, uint64_t rel, struct debuginfo_level *ret_levels, int max);

/* One step up by the CFI, for files that libunwind cannot search (no .eh_frame_hdr, only .debug_frame): changes `regs`
 * from the frame at `rel` to its caller.  `known` has a bit for each register whose value is known.
 * 1, 0 = there is no caller, -ENOENT no CFI here, -EFAULT memory could not be read, -EINVAL the CFI makes no sense. */
typedef bool debuginfo_read(void *ctx, uint64_t address, uint64_t *ret_word);
int debuginfo_step(struct debuginfo *d, uint64_t rel, struct ls_regs *regs, uint64_t *known, bool *ret_signal,
                   debuginfo_read *read, void *ctx);

#endif

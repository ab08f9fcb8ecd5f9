/* symbol.h - from an address to function, file:line and inlined frames.  elfutils, with a sorted symbol table a file
 * and a cache by address; /tmp/perf-PID.map for JIT code.  Used by one thread. */
#ifndef LOOPSCOPE_SYMBOL_H
#define LOOPSCOPE_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

#include "modules.h"

#define SYMBOL_INLINES 16

/* Whose code a frame is, so that a report can fold what does not matter.  In the trace: frame.noise. */
enum frame_noise {
    FRAME_USER = 0,     /* the program's own */
    FRAME_LIBRARY = 1,  /* a shared library that is not part of the next kinds */
    FRAME_RUNTIME = 2,  /* interpreter or event-loop machinery: libpython, node and V8, libuv, libevent, ours (runtime/) */
    FRAME_LIBC = 3,     /* libc, ld.so, libpthread, vdso, start-up code */
    FRAME_PROBE = 4     /* loopscope's own wrappers */
};

struct symbol {
    const char *function;  /* "module+0x1234" is left to the reader: NULL when not known */
    const char *file;      /* NULL when there is no DWARF */
    int line;              /* 0 when not known */
    uint64_t entry;        /* link-time address where the function begins; 0 when not known */
    const char *language;  /* "c", "python", "js"; NULL when not known (JIT code without a map) */
    enum frame_noise noise;
};

/* Takes DEBUGINFOD_URLS out of the environment: a recording never asks the network.  Call it in the recorder's own
 * process, not where the command is started from. */
struct symbolizer *symbolizer_new(void);
void symbolizer_free(struct symbolizer *s);
/* Names `ip` in `map`: ret[0] is the innermost inlined frame, the last is the function itself; returns how many (>= 1).
 * exact: ip is where it ran; else a return address, looked up at ip - 1.  Strings live as long as the symbolizer. */
int symbolize(struct symbolizer *s, struct module_map *map, uint64_t ip, bool exact,
              struct symbol ret[static SYMBOL_INLINES], struct module_ref *ret_ref);

#endif

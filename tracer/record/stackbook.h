/* stackbook.h - stacks as rows: each distinct frame and each distinct stack gets an id once, and a row once.
 * A stack is its leaf in a prefix tree (parent = the caller), as in the trace.  Used by one thread. */
#ifndef LOOPSCOPE_STACKBOOK_H
#define LOOPSCOPE_STACKBOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "modules.h"
#include "rows.h"
#include "stackcopy.h"
#include "symbol.h"
#include "unwind.h"

struct stackbook_sink { /* where new rows go; any may be NULL */
    void *ctx;
    void (*module)(void *ctx, const struct row_module *row);
    void (*frame)(void *ctx, const struct row_frame *row);
    void (*stack)(void *ctx, const struct row_stack *row);
};

struct stackbook_frame {   /* strings belong to the symbolizer and the module files: free those after the book */
    const char *function;  /* NULL when not known: then module and entry tell it apart */
    const char *file;      /* NULL when there is no DWARF */
    int line;
    const char *language;
    enum frame_noise noise;
    const char *module;    /* path; NULL for JIT code */
    uint64_t address;      /* link-time address; of the call instruction, not behind it */
    uint64_t entry;        /* where its function begins, 0 when not known */
    int depth;             /* 0: a real frame; > 0: inlined into the frame outside of it, so many levels */
    int64_t id;            /* frame.id */
};

struct stackbook;

struct stackbook *stackbook_new(const struct stackbook_sink *sink);
void stackbook_free(struct stackbook *book);
/* Unwinds and names `copy` of the process whose row is `process`.  Returns stack.id (the leaf), or ROW_NULL when there
 * was nothing; *ret_partial: the stack did not reach its end. */
int64_t stackbook_add(struct stackbook *book, int64_t process, struct module_map *map, struct unwinder *unwinder,
                      struct symbolizer *symbolizer, const struct stack_copy *copy, bool *ret_partial);
/* The frame.id of a lone return address; ROW_NULL for address 0. */
int64_t stackbook_address(struct stackbook *book, int64_t process, struct module_map *map,
                          struct symbolizer *symbolizer, uint64_t return_address);
/* A stack of one frame for a lone return address (call.stack when there was no copy); ROW_NULL for address 0. */
int64_t stackbook_caller(struct stackbook *book, int64_t process, struct module_map *map,
                         struct symbolizer *symbolizer, uint64_t return_address);
/* A stack of frames that are known already, innermost first; texts are compared by pointer.  For tests and fixtures. */
int64_t stackbook_put(struct stackbook *book, const struct stackbook_frame *frames, int n, bool partial);
/* The frames of a stack, innermost first; returns how many (<= max). */
int stackbook_frames(const struct stackbook *book, int64_t stack, struct stackbook_frame *ret_frames, int max);
/* Was it marked partial when it was added? */
bool stackbook_partial(const struct stackbook *book, int64_t stack);

#endif

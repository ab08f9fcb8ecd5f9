/* place.h - what a stall is blamed on: the function that its samples share, and a fingerprint of it that is the same in
 * another run and another build.  Pure: it only reads the book. */
#ifndef LOOPSCOPE_PLACE_H
#define LOOPSCOPE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "stackbook.h"

struct place {
    char function[128];   /* "module+0x1234" when it has no name, "[jit code]" */
    char file[256];       /* "" when not known */
    int line;
    int percent;          /* of the samples that have it */
    char fingerprint[33]; /* hex; over names, not addresses or lines */
    int64_t stack;        /* the sample that stands for all */
};

/* Blames n stacks (ROW_NULL among them is skipped).  False when no stack tells anything: *ret_place is not touched. */
bool place_of(const struct stackbook *book, const int64_t *stacks, int n, struct place *ret_place);

#endif

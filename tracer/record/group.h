/* group.h - one event with its attachments, found in raw records.  The only place that knows how a group is framed:
 * drain asks where it ends, assemble what is in it.  Trusts nothing: every length is checked against what is there. */
#ifndef LOOPSCOPE_GROUP_H
#define LOOPSCOPE_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "../event.h"

struct group {
    const struct ls_event *head;
    const struct ls_event *more;  /* EV_MORE of a call */
    const char *text;             /* not terminated; NULL when there is none */
    uint32_t text_size;
    const struct ls_event *stack; /* EV_STACK and its raw records; NULL */
};

enum { GROUP_CUT = -1, GROUP_BAD = -2 };

/* Finds the group at events[0 .. n).  Returns its length in records (>= 1), GROUP_CUT when it goes on after n,
 * GROUP_BAD when this is none. */
long group_read(const struct ls_event *events, size_t n, struct group *ret_group);

#endif

/* pager.h - long text on a terminal goes through the user's pager: PAGER, else less; "" or "cat" is none. */
#ifndef LOOPSCOPE_PAGER_H
#define LOOPSCOPE_PAGER_H

#include <stdbool.h>
#include <sys/types.h>

/* From here on stdout goes to the pager, when stdout is a terminal that can have one.  Its pid, or 0: there is none. */
pid_t pager_start(void);
/* Ends the text and waits until the reader has had enough. */
void pager_finish(pid_t pager);

/* Columns to fit into: COLUMNS, the terminal's, or 100 in a file. */
int page_width(void);
bool page_wants_colour(void);

#endif

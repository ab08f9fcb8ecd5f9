/* place.h - stalls grouped by where in the code they happened, and a stack made short.  Pure. */
#ifndef LOOPSCOPE_VIEWER_PLACE_H
#define LOOPSCOPE_VIEWER_PLACE_H

#include "query_report.h"

enum place_by { BY_PLACE, BY_TASK, BY_LOOP };

struct place {
    int worst;                    /* index of its longest stall: it stands for the rest */
    int n, n_partial, n_no_stack, n_ongoing, n_in_gap;
    int64_t total, longest, first_t, last_t;
    int64_t victims, victim_sum, victim_max, suppressed;
    double harm;                  /* what it is ranked by, see place_harm */
    bool one_loop, one_task;      /* all of its stalls on the same */
    int64_t owner;                /* BY_TASK, BY_LOOP: the id they are listed under, NOT_KNOWN for none */
    double owner_harm;
    int64_t owner_n, owner_total;
};

/* How much waiting one stall caused, in ns: what its tasks say they waited; without tasks, the events that had
 * gathered times its length (each waited for that long at most); and never less than its own length. */
double place_harm(const struct report_stall *s);

/* Groups the stalls, worst harm first (by owner first, unless BY_PLACE).  Allocates *ret_places; 0 or -ENOMEM. */
int place_group(const struct report_data *d, enum place_by by, struct place **ret_places, int *ret_n);

#define PLACE_PIECE 120
/* The frame that carries the name a verdict begins with ("json_encode (97 % of 4 samples)"), 0 when none does: the
 * frames inside it are only where one sample happened to hit. */
int place_blamed(const struct report_frame *frames, int n, const char *detail);
/* What matters of a stack: "db_commit store.c:218", innermost first; ".." where frames were folded away.  A frame
 * without a name is shown only where no other is.  Returns how many pieces. */
int place_stack(const struct report_frame *frames, int n, char ret_pieces[][PLACE_PIECE], int max);
/* One frame as text. */
void place_frame(const struct report_frame *f, char *ret_text, int size);
/* The frame that a person would name: the innermost one of the program itself, else the best there is; -1: none. */
int place_culprit(const struct report_frame *frames, int n);

#endif

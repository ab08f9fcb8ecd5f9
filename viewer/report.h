/* report.h - the report as text for people and as JSON for programs, from the same data. */
#ifndef LOOPSCOPE_REPORT_H
#define LOOPSCOPE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "place.h"
#include "query_report.h"

struct report_options {
    enum place_by by;
    int top;       /* stalls, calls and tasks shown, each */
    int width;     /* columns to fit into; 60 at least */
    bool colour;
};

/* Writes the report; the caller checks the stream.  0, or -ENOMEM. */
int report_text(FILE *out, struct trace *t, const struct report_data *d, const struct report_options *options);

/* The same and more, as one JSON document ("loopscope_report": 1): every stall, loop, call, gap and notice; times in
 * ns.  0, or -ENOMEM. */
int report_json(FILE *out, struct trace *t, const struct report_data *d, const struct report_options *options);

/* The verdict, one sentence. `places` are grouped BY_PLACE, worst first. */
void report_verdict(struct trace *t, const struct report_data *d, const struct place *places, int n, char *ret_text,
                    int size);

/* What there is to say about how complete the data are: line `i` (0, 1, ...); false when there are no more. */
bool report_trust(const struct report_data *d, int i, char *ret_text, int size);

/* What did not stall yet but deserves a word; as report_trust. */
bool report_lint(const struct report_data *d, int i, char *ret_text, int size);

/* The advice for one place, "" when there is none. */
const char *report_remedy(struct trace *t, const struct report_data *d, const struct place *p);

/* "loop 2 (pid 4123)", "loop 0 accept". */
void report_loop_name(const struct report_data *d, int loop, char *ret_text, int size);

/* The call as people write it: name(detail), or name(fd 7). */
void report_call_name(const struct report_call *c, char *ret_text, int size);

/* The name of the program that was recorded. */
void report_program(const struct report_data *d, char *ret_text, int size);

#endif

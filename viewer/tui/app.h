/* app.h - the terminal viewer as one call. */
#ifndef LOOPSCOPE_TUI_APP_H
#define LOOPSCOPE_TUI_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/query.h"

struct app_options {
    const char *file;      /* for the header */
    const char *screen;    /* NULL = the first */
    const char *color;     /* "auto", "never", "8", "256" */
    bool ascii;
    /* Where to begin; the worst stall when none of them is set (-1, 0, 0). */
    int64_t time, nth_stall, task;
};

/* Shows the trace until the user leaves.  0, or -1 and one line in ret_error: "what: why; what next".
 * A signal that ended it is raised again when the terminal is back. */
int app_run(struct trace *trace, const struct app_options *options, char *ret_error, int error_size);

#endif

/* query.h - a trace, opened for reading.  Every SELECT of the viewers is in query.c and query_*.c (the only files here
 * that know SQLite); everything else asks through this header and its siblings query_*.h. */
#ifndef LOOPSCOPE_QUERY_H
#define LOOPSCOPE_QUERY_H

#include <stdbool.h>
#include <stdint.h>

struct trace;

enum trace_wait {
    TRACE_AS_IS,      /* open it even while it is written (live) */
    TRACE_FINISHED    /* wait until the recorder that writes it has finished */
};

/* Opens FILE read-only.  0, or -1 and one line in ret_error: "what: why; what next". */
int trace_open(const char *path, enum trace_wait wait, struct trace **ret_trace, char *ret_error, int error_size);
void trace_close(struct trace *t);

#endif

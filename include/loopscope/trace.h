/* trace.h - what a program says about itself in the trace: spans, marks, counters, allowed blocks; ls_dump. */
#ifndef LOOPSCOPE_TRACE_H
#define LOOPSCOPE_TRACE_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif

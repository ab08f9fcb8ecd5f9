/* tasks.h - structured concurrency: await, gather, wait, groups, timeouts, shields, cancellation, futures, locals. */
#ifndef LOOPSCOPE_TASKS_H
#define LOOPSCOPE_TASKS_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif

/* sync.h - what tasks share: locks, events, conditions, semaphores, barriers, queues, channels and select. */
#ifndef LOOPSCOPE_SYNC_H
#define LOOPSCOPE_SYNC_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif

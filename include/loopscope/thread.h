/* thread.h - other threads: to_thread, pools, posting to a loop; and calls at a later time. */
#ifndef LOOPSCOPE_THREAD_H
#define LOOPSCOPE_THREAD_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif

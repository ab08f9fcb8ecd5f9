/* process.h - child processes and signals. */
#ifndef LOOPSCOPE_PROCESS_H
#define LOOPSCOPE_PROCESS_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif

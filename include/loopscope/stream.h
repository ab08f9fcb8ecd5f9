/* stream.h - buffered streams over TCP, Unix sockets and TLS; servers. */
#ifndef LOOPSCOPE_STREAM_H
#define LOOPSCOPE_STREAM_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif

/* io.h - waiting on file descriptors, datagrams, sendfile, files, names of hosts. */
#ifndef LOOPSCOPE_IO_H
#define LOOPSCOPE_IO_H

#include <loopscope/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif

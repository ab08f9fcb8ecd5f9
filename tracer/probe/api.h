/* api.h - probe.h as its own implementation sees it: the functions, exported, without the inline checks around them. */
#ifndef LOOPSCOPE_PROBE_API_H
#define LOOPSCOPE_PROBE_API_H

#pragma GCC visibility push(default)
#define LS_PROBE_PLAIN
#include <loopscope/probe.h>
extern const char ls_probe_owner; /* attach.c */
#pragma GCC visibility pop

#endif

/* standin.h - `record` as a faithful stand-in for the command it runs: signals, stops, exit. */
#ifndef LOOPSCOPE_STANDIN_H
#define LOOPSCOPE_STANDIN_H

#include <sys/types.h>

/* Takes over signal handling: from now on every signal is queued, none is acted on. */
void standin_prepare(void);
/* Undoes it in the forked child, so that the command starts with the signals that we were started with. */
void standin_child(void);
/* Waits for `command`, passing on what we are sent and stopping when it stops.  Returns its wait status. */
int standin_wait(pid_t command);
/* Ends as the command did: by its signal (no core of ours), or with its exit code. */
_Noreturn void standin_exit(int status);

#endif

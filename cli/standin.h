/* standin.h - `record` as a faithful stand-in for the command it runs: signals, stops, timers, descriptors, exit. */
#ifndef LOOPSCOPE_STANDIN_H
#define LOOPSCOPE_STANDIN_H

#include <stdbool.h>
#include <sys/types.h>

/* Takes over signal handling: from now on every signal is queued, none is acted on. */
void standin_prepare(void);
/* As fork(2).  The child waits until all that was sent to us meanwhile has reached it, and starts with the signals and
 * timers that we were started with. */
pid_t standin_fork(void);
/* Lets go of what only the command may hold open: standard input and output, and all but the two descriptors. */
void standin_let_go(int keep, int keep_too);
/* Waits for `command`, passing on what we are sent (not what `recorder` sends) and stopping when it stops; `socket`
 * tells the recorder of that.  Returns its wait status. */
int standin_wait(pid_t command, pid_t recorder, int socket);
/* After the command's end: waits until `socket` can be read; false when somebody asks us to end before (^C, TERM). */
bool standin_patience(int socket);
/* Ends as the command did: by its signal (no core of ours), or with its exit code. */
_Noreturn void standin_exit(int status);

#endif

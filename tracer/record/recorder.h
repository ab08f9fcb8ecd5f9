/* recorder.h - the recorder process: `record` forks it and talks to it over one SEQPACKET socket; it outlives the
 * command when a daemon of its tree goes on. */
#ifndef LOOPSCOPE_RECORDER_H
#define LOOPSCOPE_RECORDER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../event.h"

struct recorder_options {
    const char *file;
    ns_t threshold, call_min;
    ns_t duration;       /* 0 = until the last process has gone */
    int64_t max_size;    /* bytes of the trace, 0 = no limit */
    size_t ring_bytes;   /* 0 = default */
    char **argv;         /* the command, for meta.argv; NULL-terminated */
};

/* One message of the socket.  The stand-in is `record` itself, which waits for the command. */
struct recorder_message {
    enum {
        REC_READY,    /* recorder: text = path of the arena */
        REC_FAILED,   /* recorder: it cannot record; text says why */
        REC_STARTED,  /* stand-in: value = pid of the command */
        REC_EXITED,   /* stand-in: value = wait status of the command */
        REC_STOPS,    /* stand-in: value = 1 it stops itself because the command was stopped, 0 it goes on */
        REC_FINISHED, /* recorder: the file is finished; text = one line about it */
        REC_LIVES_ON  /* recorder: value processes of the tree live on; text = the file */
    } kind;
    int value;
    char text[PATH_MAX + 256];
};
int recorder_send(int socket, int kind, int value, const char *text);          /* 0 or -errno */
int recorder_receive(int socket, struct recorder_message *ret_message);       /* 1, 0 = the other side has gone, -errno */

/* Is the recorder.  `socket`: to the stand-in; `root`: 0, or the pid of a process that started us through
 * LOOPSCOPE_RECORD (then `socket` only carries REC_READY).  Returns the exit code of the process. */
int recorder_run(const struct recorder_options *options, int socket, pid_t root);

#endif

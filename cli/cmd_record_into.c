/* cmd_record_into.c - `loopscope record-into FILE PID`: how the link-in library starts the recorder by itself, when
 * LOOPSCOPE_RECORD=FILE is in the environment.  Descriptor 3 is the library's pipe: it gets the arena's path, or
 * nothing when recording is not possible.  Not for people, so not in help. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/command.h"
#include "tracer/record/recorder.h"

/* Between the recorder's socket and the library's pipe. */
static int hand_over(int socket)
{
    struct recorder_message m;
    if (recorder_receive(socket, &m) != 1 || m.kind != REC_READY)
        return 1;
    strcat(m.text, "\n");
    return write(3, m.text, strlen(m.text)) < 0;
}

static int run(const void *values, int argc, char **argv)
{
    (void)values;
    (void)argc;
    static char *no_command[] = { NULL };
    struct recorder_options o = { .file = argv[0], .threshold = 20000000, .call_min = 1000000, .argv = no_command };
    pid_t target = atoi(argv[1]);
    int pair[2];
    if (target <= 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return 1;
    if (fork()) { /* the target waits for this process, and must not find the recorder among its children */
        close(pair[1]);
        return hand_over(pair[0]);
    }
    setsid();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    dup2(pair[1], 3);
    close_range(4, ~0u, 0);
    return recorder_run(&o, 3, target);
}

const struct command cmd_record_into = {
    .name = "record-into",
    .args = "FILE PID",
    .run = run,
    .min_args = 2,
    .max_args = 2,
    .usage_exit = 125,
};

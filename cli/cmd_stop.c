/* cmd_stop.c - `loopscope stop FILE`: ends a recording that goes on because a daemon of its command lives on. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/command.h"
#include "viewer/query_info.h"

/* The pid of the recorder that writes `file`: 0 when nobody does, -1 and ret_error when the file cannot be read. */
static int recorder_of(const char *file, char *ret_error, int size)
{
    struct trace *t;
    struct trace_facts facts;
    if (trace_open(file, TRACE_AS_IS, &t, ret_error, size))
        return -1;
    int pid = query_facts(t, &facts, ret_error, size);
    char *text = query_meta(t, "recorder_pid");
    if (!pid && facts.being_written && text)
        pid = atoi(text);
    free(text);
    trace_close(t);
    return pid;
}

static int run(const void *values, int argc, char **argv)
{
    (void)values;
    const char *file = argc ? argv[0] : "loopscope.db";
    char error[512];
    int pid = recorder_of(file, error, sizeof error);
    if (pid < 0)
        return complain(2, "stop: %s", error);
    if (!pid)
        return complain(0, "stop: %s is not being recorded", file);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0))
        return complain(2, "stop: cannot reach the recorder, pid %d: %s", pid, strerror(errno));
    poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1); /* until the file is finished */
    close(fd);
    return 0;
}

const struct command cmd_stop = {
    .name = "stop",
    .args = "[FILE]",
    .summary = "end a recording that outlived its command",
    .about = "Asks the recorder of FILE to finish, and waits until it has.  The recorded processes go on.",
    .run = run,
    .max_args = 1,
    .usage_exit = 2,
};

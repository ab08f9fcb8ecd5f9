/* cmd_record.c - `loopscope record`: starts the recorder and the command, stands in for the command until it ends.
 *
 * Three processes: this one (the stand-in), the recorder (a session of its own, so that no ^C and no hang-up reaches
 * it) and the command, which is our child and in our process group, as it would be of whoever started us. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/selftest.h"
#include "cli/standin.h"
#include "cli/target.h"
#include "tracer/arena.h"
#include "tracer/record/recorder.h"

enum { EXIT_OWN = 125, EXIT_CANNOT = 126, EXIT_NOT_FOUND = 127 }; /* as env(1) */

#define LEAST_THRESHOLD 100000 /* ns */

struct record_values {
    const char *output;
    int64_t threshold, call_min, buffer, duration, max_size;
    bool quiet, selftest;
};

static const struct option options[] = {
    { "output", 'o', OPT_TEXT, offsetof(struct record_values, output), "FILE", "write the trace there [loopscope.db]",
      NULL },
    { "threshold", 't', OPT_DURATION, offsetof(struct record_values, threshold), "TIME",
      "a loop busy for longer than this is a stall [20ms]", NULL },
    { "call-min", 0, OPT_DURATION, offsetof(struct record_values, call_min), "TIME",
      "store blocking calls that took at least this long [1ms]", NULL },
    { "buffer", 0, OPT_SIZE, offsetof(struct record_values, buffer), "SIZE", "memory for each loop's events [8M]",
      NULL },
    { "duration", 0, OPT_DURATION, offsetof(struct record_values, duration), "TIME",
      "stop recording after this long; the command goes on", NULL },
    { "max-size", 0, OPT_SIZE, offsetof(struct record_values, max_size), "SIZE",
      "stop recording when the trace has grown to this", NULL },
    { "quiet", 'q', OPT_FLAG, offsetof(struct record_values, quiet), NULL, "say nothing of its own", NULL },
    { "selftest", 0, OPT_FLAG, offsetof(struct record_values, selftest), NULL,
      "check that recording works here, and that COMMAND (if given) can be seen into", NULL },
    { 0 },
};

static void defaults(void *values)
{
    struct record_values *v = values;
    v->output = "loopscope.db";
    v->threshold = 20 * 1000 * 1000;
    v->call_min = 1000 * 1000;
}

/* The recorder's side of the fork: nothing of the terminal or of the caller's pipes may be kept open by it. */
static _Noreturn void become_recorder(const struct recorder_options *o, int socket)
{
    setsid();
    int null = open("/dev/null", O_RDWR);
    int keep = fcntl(socket, F_DUPFD_CLOEXEC, 3);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    dup2(keep, 3);
    fcntl(3, F_SETFD, FD_CLOEXEC);
    close_range(4, ~0u, 0);
    _exit(recorder_run(o, 3, 0));
}

/* Starts the recorder and waits until it is ready: 0 and the arena's path, else a message was printed. */
static int start_recorder(const struct recorder_options *o, int *ret_socket, pid_t *ret_pid,
                          struct recorder_message *ret_ready)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return complain(EXIT_OWN, "record: cannot start the recorder: %s", strerror(errno));
    pid_t pid = fork();
    if (!pid) {
        close(pair[0]);
        become_recorder(o, pair[1]);
    }
    close(pair[1]);
    if (pid < 0)
        return complain(EXIT_OWN, "record: cannot start the recorder: %s", strerror(errno));
    if (recorder_receive(pair[0], ret_ready) != 1)
        return complain(EXIT_OWN, "record: the recorder died before it was ready; nothing was started");
    if (ret_ready->kind != REC_READY)
        return complain(EXIT_OWN, "record: %s", ret_ready->text);
    *ret_socket = pair[0];
    *ret_pid = pid;
    return 0;
}

/* The command's environment: our library first, then whatever the user preloads himself. */
static void set_environment(const char *preload, const char *arena)
{
    const char *theirs = getenv("LD_PRELOAD");
    char *list;
    if (asprintf(&list, "%s%s%s", preload, theirs && *theirs ? ":" : "", theirs ? theirs : "") < 0)
        _exit(EXIT_OWN);
    setenv("LD_PRELOAD", list, 1);
    setenv(LS_SESSION_ENV, arena, 1);
}

/* Forks and execs.  0 and its pid, and where exec's error will be read: nothing, when there was none. */
static int start_command(char **argv, const char *preload, const char *arena, pid_t *ret_pid, int *ret_report)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC))
        return complain(EXIT_OWN, "record: pipe: %s", strerror(errno));
    pid_t pid = standin_fork();
    if (!pid) {
        if (preload)
            set_environment(preload, arena);
        execvp(argv[0], argv);
        int error = errno;
        if (write(report[1], &error, sizeof error) != sizeof error)
            _exit(EXIT_OWN);
        _exit(EXIT_CANNOT);
    }
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return complain(EXIT_OWN, "record: cannot start '%s': %s", argv[0], strerror(errno));
    }
    *ret_pid = pid;
    *ret_report = report[0];
    return 0;
}

/* What the recorder says at the end, to the user.  It is waited for unless it goes on: its session is removed then. */
static void tell_end(int socket, pid_t recorder, const struct record_values *v)
{
    struct recorder_message m;
    if (!standin_patience(socket)) {
        complain(0, "record: %s is still being finished, by process %d; its readers wait for that", v->output,
                 recorder);
        return;
    }
    bool told = recorder_receive(socket, &m) == 1;
    if (!told || m.kind != REC_LIVES_ON)
        waitpid(recorder, NULL, 0);
    if (!told)
        complain(0, "record: the recorder died; what it stored until then is in %s: `loopscope repair %s` finishes it",
                 v->output, v->output);
    else if (m.kind == REC_FAILED)
        complain(0, "record: %s", m.text);
    else if (v->quiet)
        return;
    else if (m.kind == REC_LIVES_ON)
        complain(0, "record: %d process%s of the command live%s on and %s recorded; `loopscope stop %s` ends that",
                 m.value, m.value == 1 ? "" : "es", m.value == 1 ? "s" : "", m.value == 1 ? "is" : "are", v->output);
    else
        fprintf(stderr, "loopscope: %s\n", m.text);
}

static int run(const void *values, int argc, char **argv)
{
    const struct record_values *v = values;
    if (!argc && !v->selftest)
        return complain(EXIT_OWN, "record: no command; see 'loopscope help record'");
    const char *preload = target_preload_library();
    if (!preload)
        return complain(EXIT_OWN, "record: libloopscope-preload.so is neither beside loopscope nor in ../lib; "
                                  "build or install it, or set LOOPSCOPE_PRELOAD");
    if (v->threshold < LEAST_THRESHOLD)
        return complain(EXIT_OWN,
                        "record: --threshold: nearly every turn of a loop is longer than that; give 100us or more");
    if (v->selftest)
        return selftest(argc ? argv[0] : NULL);
    if (!v->quiet)
        target_warn(argv[0]);

    struct recorder_options o = {
        .file = v->output,
        .threshold = (ns_t)v->threshold,
        .call_min = (ns_t)v->call_min,
        .duration = (ns_t)v->duration,
        .max_size = v->max_size,
        .ring_bytes = (size_t)v->buffer,
        .argv = argv,
    };
    int socket = -1, report = -1, r, error;
    struct recorder_message ready;
    pid_t command = 0, recorder = 0;
    char path[PATH_MAX];
    if ((r = target_find(argv[0], path, sizeof path)))
        return complain(r == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, "record: cannot run '%s': %s", argv[0],
                        strerror(-r));
    standin_prepare();
    if ((r = start_recorder(&o, &socket, &recorder, &ready)))
        return r;
    if ((r = start_command(argv, target_fits(path) ? preload : NULL, ready.text, &command, &report))) {
        recorder_send(socket, REC_EXITED, r << 8, NULL);
        recorder_receive(socket, &ready);
        return r;
    }
    recorder_send(socket, REC_STARTED, command, NULL);
    standin_let_go(socket, report);
    int status = standin_wait(command, recorder, socket);
    recorder_send(socket, REC_EXITED, status, NULL);
    if (read(report, &error, sizeof error) == sizeof error) {
        recorder_receive(socket, &ready);
        return complain(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, "record: cannot run '%s': %s", argv[0],
                        strerror(error));
    }
    tell_end(socket, recorder, v);
    standin_exit(status);
}

const struct command cmd_record = {
    .name = "record",
    .args = "[--] COMMAND [ARG...]",
    .summary = "run a command and record its event loops",
    .about = "Runs COMMAND as it would run without us (signals, job control, exit status), with the preload\n"
             "library in every process of its tree, and writes what its event loops did to FILE: iterations,\n"
             "blocking calls, stalls with stacks, and tasks if it is linked with the loopscope runtime.  An\n"
             "existing FILE is kept once as FILE.old.\n"
             "\n"
             "Exits as COMMAND did; 125: loopscope failed, 126: COMMAND cannot be run, 127: it was not found.",
    .options = options,
    .values_size = sizeof(struct record_values),
    .defaults = defaults,
    .run = run,
    .min_args = 0,
    .max_args = -1,
    .stop_at_first = 1,
    .usage_exit = EXIT_OWN,
};

/* selftest.c - records a program that stalls in a known way, through the same path as any other, and checks the trace
 * for what must be in it.  The program is this one, by the hidden command `selftest-loop`. */
#include "cli/selftest.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/target.h"
#include "viewer/query_info.h"
#include "viewer/query_sql.h"

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A loop that sleeps on its thread once and computes once, 60 ms each. */
static int loop(const void *values, int argc, char **argv)
{
    (void)values, (void)argc, (void)argv;
    struct epoll_event e;
    int ep = epoll_create1(EPOLL_CLOEXEC);
    for (int turn = 0; turn < 6; turn++) {
        epoll_wait(ep, &e, 1, 5);
        if (turn == 3)
            nanosleep(&(struct timespec){ 0, 60000000 }, NULL);
        for (uint64_t until = now_ms() + 60; turn == 4 && now_ms() < until;)
            ;
    }
    close(ep);
    return 0;
}

const struct command cmd_selftest_loop = { .name = "selftest-loop", .run = loop, .usage_exit = 2 };

struct answer {
    char text[256];
};

static bool no_names(void *ctx, int n, const char *const *names)
{
    (void)ctx, (void)n, (void)names;
    return true;
}

static bool first_cell(void *ctx, int n, const struct sql_cell *cells)
{
    struct answer *a = ctx;
    if (n && cells[0].text)
        snprintf(a->text, sizeof a->text, "%s", cells[0].text);
    return false;
}

/* The first cell of the first row; "" when there is none. */
static struct answer ask(struct trace *t, const char *sql)
{
    struct answer a = { "" };
    char error[256];
    query_sql(t, sql, &(struct sql_reader){ &a, no_names, first_cell }, error, sizeof error);
    return a;
}

static bool say(bool ok, const char *step, const char *more)
{
    printf("%-4s %s%s%s\n", ok ? "ok" : "FAIL", step, *more ? ": " : "", more);
    return ok;
}

static bool record_loop(const char *file)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    pid_t pid = fork();
    if (!pid) {
        execl(self, "loopscope", "record", "-q", "-o", file, "--", self, "selftest-loop", (char *)NULL);
        _exit(127);
    }
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool check_trace(struct trace *t)
{
    struct answer loops = ask(t, "SELECT count(*) FROM loop");
    struct answer blocked = ask(t, "SELECT detail FROM stall WHERE cause = 'call' AND dur >= 59000000");
    struct answer spun = ask(t, "SELECT detail FROM stall WHERE cause IN ('cpu', 'preempted') AND dur >= 59000000");
    struct answer why = ask(t, "SELECT text FROM notice WHERE kind = 'no_stack'");
    struct answer stack = ask(t, "SELECT function FROM stack_line JOIN sample USING (stack) WHERE function IS NOT NULL LIMIT 1");
    bool ok = say(atoi(loops.text) == 1, "the preload saw the loop", "");
    ok &= say(blocked.text[0], "a blocking call was caught", blocked.text);
    ok &= say(spun.text[0], "a computation was caught", spun.text);
    ok &= say(stack.text[0], "its stack was sampled and named", stack.text[0] ? stack.text : why.text);
    return ok;
}

int selftest(const char *command)
{
    char dir[] = "/tmp/loopscope-selftest-XXXXXX", file[64], error[512];
    if (!mkdtemp(dir))
        return complain(1, "record: --selftest: cannot make a directory in /tmp");
    snprintf(file, sizeof file, "%s/t.db", dir);
    struct trace *t;
    bool ok = say(record_loop(file), "a recording ran", "");
    if (ok && trace_open(file, TRACE_FINISHED, &t, error, sizeof error)) {
        ok = say(false, "the trace can be read", error);
    } else if (ok) {
        ok = check_trace(t);
        trace_close(t);
    }
    unlink(file);
    rmdir(dir);
    if (command) {
        char path[PATH_MAX];
        int r = target_find(command, path, sizeof path);
        ok &= say(!r && target_warn(command), "the command can be seen into", r ? strerror(-r) : path);
    }
    return ok ? 0 : 1;
}

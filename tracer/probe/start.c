/* start.c - LOOPSCOPE_RECORD=FILE: a program that is linked with libloopscope starts its own recorder.  Runs in the
 * constructor, on the first thread, before main. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "self.h"

#define READY_MS 2000
#define READY_FD 3 /* where `loopscope record-into` writes the arena's path */

/* LOOPSCOPE, then beside this library, then PATH (a name without a slash). */
static void find_tool(char *ret_path, size_t size)
{
    const char *named = secure_getenv("LOOPSCOPE");
    Dl_info info;
    if (named && *named) {
        snprintf(ret_path, size, "%s", named);
        return;
    }
    if (dladdr((void *)find_tool, &info) && info.dli_fname && strrchr(info.dli_fname, '/')) {
        int dir = (int)(strrchr(info.dli_fname, '/') - info.dli_fname);
        static const char *const beside[] = { "loopscope", "../bin/loopscope" };
        for (int i = 0; i < 2; i++) {
            snprintf(ret_path, size, "%.*s/%s", dir, info.dli_fname, beside[i]);
            if (access(ret_path, X_OK) == 0)
                return;
        }
    }
    snprintf(ret_path, size, "loopscope");
}

/* In the grandchild: nothing but fd 3 and the standard ones goes along, and no variable that would start it again. */
static void run_recorder(const char *tool, const char *file, pid_t target, int ready)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", (int)target);
    if (ready != READY_FD)
        dup2(ready, READY_FD);
    else
        fcntl(READY_FD, F_SETFD, 0);
    closefrom(READY_FD + 1);
    setsid(); /* a ^C for the program must not end the recorder before it has written the end */
    unsetenv("LOOPSCOPE_RECORD");
    unsetenv("LD_PRELOAD");
    execlp(tool, tool, "record-into", file, number, (char *)NULL);
    _exit(127);
}

/* One line, or nothing after READY_MS. */
static bool read_line(int fd, char *ret_line, size_t size)
{
    size_t n = 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (n + 1 < size) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        long left = READY_MS - ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
            return false;
        if (!p.revents)
            continue;
        if (read(fd, ret_line + n, 1) != 1)
            return false;
        if (ret_line[n] == '\n') {
            ret_line[n] = 0;
            return n > 0;
        }
        n++;
    }
    return false;
}

const char *probe_start_recorder(const char *file)
{
    static char line[4096];
    char tool[4096];
    int ends[2];
    pid_t target = getpid();

    find_tool(tool, sizeof(tool));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    /* Twice, so that the program has no child it does not know of: wait() must find only its own. */
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0)
            run_recorder(tool, file, target, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    bool ready = child > 0 && read_line(ends[0], line, sizeof(line));
    close(ends[0]);
    if (!ready)
        return NULL;
    setenv(LS_SESSION_ENV, line, 1); /* what this program starts belongs to the same recording */
    return line;
}

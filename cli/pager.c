/* pager.c - starts PAGER between us and the terminal.  main's thread only. */
#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *pager_command(void)
{
    const char *pager = getenv("PAGER"), *term = getenv("TERM");

    if (!isatty(STDOUT_FILENO) || !term || strcmp(term, "dumb") == 0)
        return NULL;
    if (!pager)
        return "less 2>/dev/null || cat"; /* without less the shell has read nothing, and cat shows it all */
    return *pager && strcmp(pager, "cat") != 0 ? pager : NULL;
}

pid_t pager_start(void)
{
    const char *command = pager_command();
    int ends[2];
    pid_t pid;

    if (!command || pipe2(ends, O_CLOEXEC) < 0)
        return 0;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        dup2(ends[0], STDIN_FILENO);
        setenv("LESS", "FRX", 0); /* one screenful is just printed, colours stay */
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    return pid > 0 ? pid : 0;
}

void pager_finish(pid_t pager)
{
    if (!pager)
        return;
    signal(SIGPIPE, SIG_IGN); /* the reader may have left early */
    fflush(stdout);
    clearerr(stdout);
    close(STDOUT_FILENO); /* the end of the text */
    while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
        ;
}

int page_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int width = 100;
    if (columns && atoi(columns) > 0)
        width = atoi(columns);
    else if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    return width < 60 ? 60 : width > 140 ? 140 : width; /* longer lines are hard to read */
}

bool page_wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

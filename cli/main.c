/* main.c - finds the command, parses its options, runs it, and checks that what it said was written. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "help.h"
#include "options.h"

static const struct command *find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

/* -h, --help, -V and --version mean the commands of that name, as everywhere. */
static const char *command_of(const char *word)
{
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
        return "help";
    if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
        return "version";
    return word;
}

static int run(const struct command *cmd, int argc, char **argv)
{
    char error[512];
    int left = 0, code;
    void *values = calloc(1, cmd->values_size ? cmd->values_size : 1);

    if (!values)
        return complain(cmd->usage_exit, "%s: out of memory", cmd->name);
    if (cmd->defaults)
        cmd->defaults(values);
    switch (options_parse(cmd, values, argc, argv, &left, error, sizeof error)) {
    case OPTIONS_DONE: code = cmd->run(values, left, argv); break;
    case OPTIONS_HELP:
        help_command(stdout, cmd);
        code = 0;
        break;
    default: code = complain(cmd->usage_exit, "%s: %s; see 'loopscope help %s'", cmd->name, error, cmd->name);
    }
    free(values);
    return code;
}

/* A report that a full disk cut short must not end in success.  A reader that has gone (| head) is no error. */
static int close_stdout(int code)
{
    int failed = ferror(stdout);

    errno = 0;
    if (fflush(stdout) != 0)
        failed = 1;
    if (!failed || errno == EPIPE)
        return code;
    return complain(code ? code : 2, "standard output: %s", errno ? strerror(errno) : "not all of it was written");
}

int main(int argc, char **argv)
{
    const struct command *cmd;
    const char *name, *nearest;

    if (argc < 2) {
        help_overview(stderr);
        return 2;
    }
    name = command_of(argv[1]);
    cmd = find(name);
    if (cmd)
        return close_stdout(run(cmd, argc - 2, argv + 2));
    nearest = help_nearest(name);
    if (*name == '-')
        return complain(2, "%s: no such option; see 'loopscope help'", name);
    if (nearest)
        return complain(2, "%s: no such command; did you mean '%s'?", name, nearest);
    return complain(2, "%s: no such command; see 'loopscope help'", name);
}

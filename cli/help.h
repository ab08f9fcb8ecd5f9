/* help.h - the help of one command, made from its table. */
#ifndef LOOPSCOPE_HELP_H
#define LOOPSCOPE_HELP_H

#include <stdio.h>

#include "command.h"

/* The command of that name that help shows, or NULL. */
const struct command *help_find(const char *name);
/* The command whose name is nearest, or NULL. */
const char *help_nearest(const char *name);
void help_overview(FILE *out);
void help_command(FILE *out, const struct command *cmd);

#endif

/* cmd_help.c - `loopscope help [COMMAND]` and -h of every command: all of it made from the tables. */
#include "help.h"

#include <string.h>

#include "options.h"
#include "pager.h"

enum { NAMES_MAX = 64, GAP = 2 };

const struct command *help_find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if ((*c)->summary && strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

const char *help_nearest(const char *name)
{
    const char *names[NAMES_MAX + 1];
    int n = 0;

    for (const struct command *const *c = commands; *c && n < NAMES_MAX; c++)
        if ((*c)->summary)
            names[n++] = (*c)->name;
    names[n] = NULL;
    return options_nearest(name, names);
}

void help_overview(FILE *out)
{
    fputs("usage: loopscope COMMAND [options] [arguments]\n\n"
          "An oscilloscope for event loops: what blocked the loop, for how long, where in the\n"
          "code, and who had to wait.  Nothing is rebuilt:\n\n"
          "  loopscope record -- ./server       run it and write loopscope.db\n"
          "  loopscope report                   the stalls, worst harm first\n"
          "  loopscope view                     the timeline in the terminal\n\ncommands:\n",
          out);
    for (const struct command *const *c = commands; *c; c++)
        if ((*c)->summary)
            fprintf(out, "  %-12s %s\n", (*c)->name, (*c)->summary);
    fputs("\n'loopscope help COMMAND' tells more.\n", out);
}

/* "-n, --limit N" into text; returns its length. */
static int spell_option(const struct option *o, char *ret_text, size_t size)
{
    const char *arg = o->arg ? o->arg : o->values;
    char letter[] = { '-', o->letter, 0 };

    return snprintf(ret_text, size, "%s%s%s%s%s%s", o->letter ? letter : "   ", o->letter && *o->name ? "," : "",
                    *o->name ? " --" : "", o->name, arg ? " " : "", arg ? arg : "");
}

void help_command(FILE *out, const struct command *cmd)
{
    static const struct option help_itself = { "help", 'h', OPT_FLAG, 0, NULL, "show this", NULL };
    char text[128];
    int width = spell_option(&help_itself, text, sizeof text);

    fprintf(out, "usage: loopscope %s%s%s%s\n\n%s\n", cmd->name, cmd->options && cmd->options->name ? " [options]" : "",
            *cmd->args ? " " : "", cmd->args, cmd->summary ? cmd->summary : "");
    if (cmd->about)
        fprintf(out, "\n%s\n", cmd->about);
    fputs("\noptions:\n", out);
    for (const struct option *o = cmd->options; o && o->name; o++) {
        int n = spell_option(o, text, sizeof text);
        width = n > width ? n : width;
    }
    for (const struct option *o = cmd->options; o && o->name; o++) {
        spell_option(o, text, sizeof text);
        fprintf(out, "  %-*s%s\n", width + GAP, text, o->help);
    }
    spell_option(&help_itself, text, sizeof text);
    fprintf(out, "  %-*s%s\n", width + GAP, text, help_itself.help);
}

static int run(const void *values, int argc, char **argv)
{
    const struct command *cmd = argc ? help_find(argv[0]) : NULL;
    pid_t pager;
    (void)values;

    if (argc && !cmd) {
        const char *nearest = help_nearest(argv[0]);
        if (nearest)
            return complain(2, "help: %s: no such command; did you mean '%s'?", argv[0], nearest);
        return complain(2, "help: %s: no such command; see 'loopscope help'", argv[0]);
    }
    pager = pager_start();
    if (cmd)
        help_command(stdout, cmd);
    else
        help_overview(stdout);
    pager_finish(pager);
    return 0;
}

const struct command cmd_help = {
    .name = "help",
    .args = "[COMMAND]",
    .summary = "show the commands, or the options of one",
    .run = run,
    .max_args = 1,
    .usage_exit = 2,
};

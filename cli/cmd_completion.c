/* cmd_completion.c - `loopscope completion bash|zsh|fish`: the tables as a completion script. */
#include <stdio.h>
#include <string.h>

#include "command.h"

/* What an argument of a command or an option can be, told from how help names it. */
enum meaning { MEANS_NOTHING, MEANS_FILE, MEANS_TRACE, MEANS_PROGRAM, MEANS_COMMAND, MEANS_WORDS };

static enum meaning meaning_of_args(const struct command *cmd)
{
    if (cmd->stop_at_first)
        return MEANS_PROGRAM;
    if (strstr(cmd->args, "COMMAND"))
        return MEANS_COMMAND;
    if (strchr(cmd->args, '|'))
        return MEANS_WORDS;
    return *cmd->args ? MEANS_TRACE : MEANS_NOTHING;
}

static enum meaning meaning_of_value(const struct option *o)
{
    if (o->kind == OPT_FLAG)
        return MEANS_NOTHING;
    if (o->values)
        return MEANS_WORDS;
    return o->arg && strstr(o->arg, "FILE") ? MEANS_FILE : MEANS_NOTHING;
}

/* "bash|zsh" as "bash zsh" */
static void put_words(const char *values)
{
    for (; *values; values++)
        putchar(*values == '|' ? ' ' : *values);
}

/* Text inside a single-quoted string; `special` get a backslash. */
static void put_quoted(const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            putchar('\\');
        if (*text == '\'' && !strchr(special, '\''))
            fputs("'\\'", stdout);
        putchar(*text);
    }
}

static void put_command_names(void)
{
    for (const struct command *const *c = commands; *c; c++)
        if ((*c)->summary)
            printf("%s%s", c == commands ? "" : " ", (*c)->name);
}

/* -- bash ------------------------------------------------------------------------------------------------------ */

static const char *bash_reply(enum meaning meaning)
{
    switch (meaning) {
    case MEANS_FILE: return "COMPREPLY=($(compgen -f -- \"$cur\"))";
    case MEANS_TRACE: return "COMPREPLY=($(compgen -f -X '!*.db' -- \"$cur\") $(compgen -d -- \"$cur\"))";
    case MEANS_PROGRAM: return "COMPREPLY=($(compgen -c -- \"$cur\"))";
    case MEANS_COMMAND: return "COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))";
    default: return "COMPREPLY=()";
    }
}

static void bash_words(const char *values)
{
    fputs("COMPREPLY=($(compgen -W '", stdout);
    put_words(values);
    fputs("' -- \"$cur\"))", stdout);
}

static void bash_option_names(const struct option *o)
{
    if (o->letter)
        printf("-%c ", o->letter);
    if (*o->name)
        printf("--%s ", o->name);
}

/* One case branch an option that takes a value, for the word before the cursor. */
static void bash_values(const struct command *cmd)
{
    for (const struct option *o = cmd->options; o && o->name; o++) {
        if (o->kind == OPT_FLAG)
            continue;
        fputs("        ", stdout);
        if (o->letter)
            printf("%s,-%c%s", cmd->name, o->letter, *o->name ? "|" : "");
        if (*o->name)
            printf("%s,--%s", cmd->name, o->name);
        fputs(") ", stdout);
        if (o->values)
            bash_words(o->values);
        else
            fputs(bash_reply(meaning_of_value(o)), stdout);
        fputs("; return ;;\n", stdout);
    }
}

static void bash(void)
{
    puts("# bash completion for loopscope; made by: loopscope completion bash\n"
         "_loopscope() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=${COMP_WORDS[1]} i");
    fputs("    local commands='", stdout);
    put_command_names();
    puts("'\n"
         "    if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\")); return; fi\n"
         "    for ((i = 2; i < COMP_CWORD; i++)); do  # behind -- it is the other program's own\n"
         "        if [ \"${COMP_WORDS[i]}\" = -- ]; then\n"
         "            if declare -F _command_offset >/dev/null; then _command_offset $((i + 1))\n"
         "            else COMPREPLY=($(compgen -c -f -- \"$cur\")); fi\n"
         "            return\n"
         "        fi\n"
         "    done\n"
         "    # --option=value comes as three words\n"
         "    if [ \"$cur\" = = ]; then cur=; elif [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
         "    case $cmd,$prev in");
    for (const struct command *const *c = commands; *c; c++)
        if ((*c)->summary)
            bash_values(*c);
    puts("    esac\n"
         "    case $cmd,$cur in");
    for (const struct command *const *c = commands; *c; c++) {
        if (!(*c)->summary)
            continue;
        printf("        %s,-*) COMPREPLY=($(compgen -W '", (*c)->name);
        for (const struct option *o = (*c)->options; o && o->name; o++)
            bash_option_names(o);
        printf("-h --help' -- \"$cur\")) ;;\n        %s,*) ", (*c)->name);
        if (meaning_of_args(*c) == MEANS_WORDS)
            bash_words((*c)->args);
        else
            fputs(bash_reply(meaning_of_args(*c)), stdout);
        puts(" ;;");
    }
    puts("    esac\n"
         "}\n"
         "complete -o filenames -F _loopscope loopscope");
}

/* -- zsh ------------------------------------------------------------------------------------------------------- */

static const char *zsh_action(enum meaning meaning)
{
    switch (meaning) {
    case MEANS_FILE: return "_files";
    case MEANS_TRACE: return "_files -g \"*.db\"";
    case MEANS_PROGRAM: return "_normal";
    case MEANS_COMMAND: return "->commands";
    default: return "";
    }
}

static void zsh_option(const struct option *o, const char *form, const char *dashes)
{
    fputs(" \\\n                '", stdout);
    printf("%s%s%s[", o->kind == OPT_LIST ? "*" : "", dashes, form);
    put_quoted(o->help, "[]\\");
    putchar(']');
    if (o->kind != OPT_FLAG) {
        putchar(':');
        put_quoted(o->arg ? o->arg : "value", ":[]\\");
        putchar(':');
        if (o->values) {
            putchar('(');
            put_words(o->values);
            putchar(')');
        } else {
            fputs(zsh_action(meaning_of_value(o)), stdout);
        }
    }
    putchar('\'');
}

static void zsh(void)
{
    puts("#compdef loopscope\n"
         "# zsh completion for loopscope; made by: loopscope completion zsh\n"
         "_loopscope() {\n"
         "    local state line\n"
         "    local -a commands=(");
    for (const struct command *const *c = commands; *c; c++)
        if ((*c)->summary) {
            printf("        '%s:", (*c)->name);
            put_quoted((*c)->summary, ":\\");
            puts("'");
        }
    puts("    )\n"
         "    if ((CURRENT == 2)); then _describe command commands; return; fi\n"
         "    local command=$words[2]\n"
         "    shift words\n"
         "    ((CURRENT--))\n"
         "    case $command in");
    for (const struct command *const *c = commands; *c; c++) {
        if (!(*c)->summary)
            continue;
        printf("        %s)\n            _arguments -s%s '(- *)'{-h,--help}'[show help]'", (*c)->name,
               (*c)->stop_at_first ? " -A '-*'" : "");
        for (const struct option *o = (*c)->options; o && o->name; o++) {
            const char letter[] = { o->letter, 0 };
            if (o->letter)
                zsh_option(o, letter, "-");
            if (*o->name)
                zsh_option(o, o->name, "--");
        }
        if (meaning_of_args(*c) == MEANS_WORDS) {
            fputs(" \\\n                '1:argument:(", stdout);
            put_words((*c)->args);
            fputs(")'", stdout);
        } else if (meaning_of_args(*c) != MEANS_NOTHING) {
            printf(" \\\n                '*:%s:%s%s'", (*c)->stop_at_first ? ":command" : "argument",
                   (*c)->stop_at_first ? " " : "", zsh_action(meaning_of_args(*c)));
        }
        puts(" ;;");
    }
    puts("    esac\n"
         "    if [[ $state == commands ]]; then _describe command commands; fi\n"
         "}\n"
         "if [[ $funcstack[1] == _loopscope ]]; then _loopscope \"$@\"; else compdef _loopscope loopscope; fi");
}

/* -- fish ------------------------------------------------------------------------------------------------------ */

static void fish_line(const char *command)
{
    printf("complete -c loopscope -n '__fish_seen_subcommand_from %s'", command);
}

static void fish_describe(const char *text)
{
    fputs(" -d '", stdout);
    put_quoted(text, "'\\");
    puts("'");
}

static void fish_option(const struct command *cmd, const struct option *o)
{
    fish_line(cmd->name);
    if (o->letter)
        printf(" -s %c", o->letter);
    if (*o->name)
        printf(" -l %s", o->name);
    if (o->values) {
        fputs(" -x -a '", stdout);
        put_words(o->values);
        putchar('\'');
    } else if (o->kind != OPT_FLAG) {
        fputs(meaning_of_value(o) == MEANS_FILE ? " -r -F" : " -x", stdout);
    }
    fish_describe(o->help);
}

static void fish(void)
{
    puts("# fish completion for loopscope; made by: loopscope completion fish\n"
         "complete -c loopscope -f");
    for (const struct command *const *c = commands; *c; c++)
        if ((*c)->summary) {
            printf("complete -c loopscope -n __fish_use_subcommand -a %s", (*c)->name);
            fish_describe((*c)->summary);
        }
    for (const struct command *const *c = commands; *c; c++) {
        if (!(*c)->summary)
            continue;
        for (const struct option *o = (*c)->options; o && o->name; o++)
            fish_option(*c, o);
        fish_line((*c)->name);
        puts(" -s h -l help -d 'show help'");
        switch (meaning_of_args(*c)) {
        case MEANS_TRACE:
            fish_line((*c)->name);
            puts(" -k -a '(__fish_complete_suffix .db)'");
            break;
        case MEANS_PROGRAM:
            fish_line((*c)->name);
            puts(" -a '(__fish_complete_subcommand --fcs-skip=2)'");
            break;
        case MEANS_COMMAND:
            fish_line((*c)->name);
            fputs(" -a '", stdout);
            put_command_names();
            puts("'");
            break;
        case MEANS_WORDS:
            fish_line((*c)->name);
            fputs(" -a '", stdout);
            put_words((*c)->args);
            puts("'");
            break;
        default: break;
        }
    }
}

static int run(const void *values, int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
    (void)values, (void)argc;

    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(argv[0], shells[i].name) == 0) {
            shells[i].print();
            return 0;
        }
    return complain(2, "completion: '%s' is none of bash, zsh, fish; see 'loopscope help completion'", argv[0]);
}

const struct command cmd_completion = {
    .name = "completion",
    .args = "bash|zsh|fish",
    .summary = "print a completion script for your shell",
    .about = "For one session of bash:  source <(loopscope completion bash)\n"
             "`make install` puts the scripts where the shells find them.",
    .run = run,
    .min_args = 1,
    .max_args = 1,
    .usage_exit = 2,
};

/* command.h - one table of commands, one table of options a command: parsing, -h, completion and the man-page check
 * are all made from them.  A cmd_NAME.c holds a `const struct command cmd_NAME` and is thin. */
#ifndef LOOPSCOPE_COMMAND_H
#define LOOPSCOPE_COMMAND_H

#include <stddef.h>

enum option_kind {
    OPT_FLAG,      /* bool */
    OPT_TEXT,      /* const char * */
    OPT_COUNT,     /* int64_t, >= 0 */
    OPT_DURATION,  /* int64_t ns: 20ms, 1.5s, 2h; ns us ms s m h, a bare number is refused but for 0 */
    OPT_SIZE,      /* int64_t bytes: 64K, 8M, 1G */
    OPT_LIST       /* const char *[OPTION_LIST_MAX]: may be given several times */
};
#define OPTION_LIST_MAX 16

struct option {
    const char *name;      /* long name without dashes; "" = none.  The table ends with name NULL */
    char letter;           /* 0 = none */
    enum option_kind kind;
    size_t offset;         /* of the value in the command's value struct */
    const char *arg;       /* how help names the argument, NULL for a flag */
    const char *help;      /* does not begin with a capital, no full stop */
    const char *values;    /* "place|task|loop": what OPT_TEXT may be, NULL = anything */
};

struct command {
    const char *name;
    const char *args;      /* "[FILE]", after the options in the usage line */
    const char *summary;   /* one line, no full stop; NULL: internal, help does not show it */
    const char *about;     /* the paragraphs of `help NAME`, may be NULL */
    const struct option *options;
    size_t values_size;    /* of the struct that options write into */
    void (*defaults)(void *values);                            /* NULL: all zero */
    int (*run)(const void *values, int argc, char **argv);     /* argv: what is left after the options; returns the exit code */
    int min_args, max_args;                                    /* max -1 = any */
    int stop_at_first;     /* the first non-option ends the options (record: the command's own options are its own) */
    int usage_exit;        /* exit code for wrong usage: 2; record: 125 */
};

extern const struct command *const commands[]; /* NULL-terminated; in the order of help */

/* `loopscope: what: why; what next` on stderr, control characters escaped; returns `code`. */
int complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

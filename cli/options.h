/* options.h - from argv to a command's value struct, by the option table of the command.  Prints nothing. */
#ifndef LOOPSCOPE_OPTIONS_H
#define LOOPSCOPE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "command.h"

enum options_result {
    OPTIONS_DONE,  /* values are set, argv[0 .. *ret_argc) is what is not an option */
    OPTIONS_HELP,  /* -h or --help was there */
    OPTIONS_WRONG  /* ret_error says what: "--by: 'x' is none of place, task, loop" */
};

/* Parses argv (without the program and the command) into `values`, which has values_size bytes and its defaults.
 * Understands --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -abc for flags, and -- as the end of the options; no
 * abbreviations, so that a script does not break when an option is added.  Options may follow arguments, unless
 * cmd->stop_at_first.  argv is reordered: the arguments move to its front, and NULL
 * ends them (argv[argc] must be there to be written). */
enum options_result options_parse(const struct command *cmd, void *values, int argc, char **argv, int *ret_argc,
                                  char *ret_error, size_t error_size);

/* "20ms", "1.5s", "2h", "0" -> ns.  "64K", "8M", "100" -> bytes.  0, or -EINVAL, or -ERANGE over INT64_MAX. */
int options_duration(const char *text, int64_t *ret_ns);
int options_size(const char *text, int64_t *ret_bytes);

/* The entry of `names` (NULL-terminated) that `word` most likely was meant to be, NULL when none is near. */
const char *options_nearest(const char *word, const char *const *names);

#endif

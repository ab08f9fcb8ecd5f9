/* cmd_repair.c - `loopscope repair FILE`: finishes a trace whose recorder died. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "tracer/record/store.h"

static int run(const void *values, int argc, char **argv)
{
    char text[256] = "";
    int r = store_repair(argv[0], text, sizeof text);
    (void)values, (void)argc;

    if (r < 0)
        return complain(2, "repair: %s: %s", argv[0], *text ? text : strerror(-r));
    printf("%s: %s\n", argv[0], text);
    return 0;
}

const struct command cmd_repair = {
    .name = "repair",
    .args = "FILE",
    .summary = "finish a trace whose recorder was killed",
    .about = "Such a trace can be read as it is, slowly and without its summaries.  This builds the\n"
             "indexes and summaries that its recorder did not get to, and makes it one file again.\n"
             "A trace that is finished already is left alone.",
    .run = run,
    .min_args = 1,
    .max_args = 1,
    .usage_exit = 2,
};

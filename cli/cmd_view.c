/* cmd_view.c - `loopscope view [FILE]`: the timeline in the terminal. */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "viewer/query.h"
#include "viewer/tui/app.h"

struct view_values {
    bool ascii;
    const char *screen, *color, *time;
};

static const struct option view_options[] = {
    { "time", 't', OPT_TEXT, offsetof(struct view_values, time), "TIME",
      "begin at TIME (12.5s), at the third stall ('!3'), or where task 412 was born ('#412')", NULL },
    { "screen", 's', OPT_TEXT, offsetof(struct view_values, screen), NULL, "the screen to begin with", "timeline" },
    { "ascii", 0, OPT_FLAG, offsetof(struct view_values, ascii), NULL, "draw with ASCII characters only", NULL },
    { "color", 0, OPT_TEXT, offsetof(struct view_values, color), NULL, "colours to use", "auto|never|8|256" },
    { 0 },
};

/* A whole positive number, 0 when it is not one. */
static int64_t number(const char *text)
{
    char *end;
    long long n = strtoll(text, &end, 10);

    return *text && !*end && n > 0 ? n : 0;
}

static int run(const void *values, int argc, char **argv)
{
    const struct view_values *v = values;
    const char *file = argc ? argv[0] : "loopscope.db";
    struct app_options o = { .file = file, .screen = v->screen, .color = v->color, .ascii = v->ascii, .time = -1 };
    char error[512] = "";
    struct trace *trace = NULL;

    if (v->time && v->time[0] == '!')
        o.nth_stall = number(v->time + 1);
    else if (v->time && v->time[0] == '#')
        o.task = number(v->time + 1);
    if (v->time && !o.nth_stall && !o.task && options_duration(v->time, &o.time) < 0)
        return complain(2, "view: --time: '%s' is not a time like 12.5s, !3 or #412", v->time);
    if (trace_open(file, TRACE_FINISHED, &trace, error, sizeof error) < 0)
        return complain(2, "view: %s", error);
    int r = app_run(trace, &o, error, sizeof error);
    trace_close(trace);
    return r < 0 ? complain(2, "view: %s", error) : 0;
}

const struct command cmd_view = {
    .name = "view",
    .args = "[FILE]",
    .summary = "look at the timeline in the terminal",
    .about = "Loops, tasks and stalls as lanes over time.  It begins at the worst stall; ] and [ go to the next and the\n"
             "previous one, + and - zoom, ? lists all keys.  FILE is loopscope.db when it is not given.",
    .options = view_options,
    .values_size = sizeof(struct view_values),
    .run = run,
    .max_args = 1,
    .usage_exit = 2,
};

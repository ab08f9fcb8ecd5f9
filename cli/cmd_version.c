/* cmd_version.c - `loopscope version`: ours, of the trace format, and of what it stands on. */
#include <stdio.h>

#include "command.h"
#include "viewer/query_info.h"
#include "viewer/query_sql.h"

static int run(const void *values, int argc, char **argv)
{
    (void)values, (void)argc, (void)argv;
    printf("loopscope %s\ntrace format %d\nSQLite %s\n", LOOPSCOPE_VERSION, TRACE_FORMAT, query_sql_version());
    return 0;
}

const struct command cmd_version = {
    .name = "version",
    .args = "",
    .summary = "print the version of loopscope and of the trace format",
    .run = run,
    .usage_exit = 2,
};

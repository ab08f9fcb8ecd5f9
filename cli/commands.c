/* commands.c - every subcommand, in the order of help.  One without a summary is ours alone and not shown. */
#include "command.h"

extern const struct command cmd_record, cmd_record_into, cmd_stop, cmd_report, cmd_tasks, cmd_tree, cmd_view, cmd_info, cmd_sql, cmd_repair,
    cmd_help, cmd_version, cmd_completion, cmd_selftest_loop;

const struct command *const commands[] = {
    &cmd_record, &cmd_report, &cmd_tasks,   &cmd_tree,       &cmd_view,        &cmd_info,          &cmd_sql, &cmd_stop,
    &cmd_repair, &cmd_help,   &cmd_version, &cmd_completion, &cmd_record_into, &cmd_selftest_loop, NULL,
};

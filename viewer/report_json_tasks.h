/* report_json_tasks.h - what the JSON report says about tasks; private to report_json*.c. */
#ifndef LOOPSCOPE_REPORT_JSON_TASKS_H
#define LOOPSCOPE_REPORT_JSON_TASKS_H

#include "json_out.h"
#include "query_report.h"

json_t *report_json_tasks(const struct report_data *d, int *error);
json_t *report_json_groups(struct trace *t, const struct report_data *d, int *error);
json_t *report_json_failures(struct trace *t, const struct report_data *d, int *error);
json_t *report_json_unobserved(struct trace *t, const struct report_data *d, int *error);
/* Who awaited a task at that moment, and who awaited that one. */
json_t *report_json_awaited_by(struct trace *t, int64_t task, int64_t at, int *error);

#endif

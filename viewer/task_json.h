/* task_json.h - one task, and the moment, as JSON: what tasks.c makes and tree.c uses, too. */
#ifndef LOOPSCOPE_TASK_JSON_H
#define LOOPSCOPE_TASK_JSON_H

#include "json_out.h"
#include "query_tasks.h"

json_t *task_json(struct trace *t, struct task_list *list, const struct task_info *k, int *error);
json_t *task_moment_json(const struct task_list *list, int *error);

#endif

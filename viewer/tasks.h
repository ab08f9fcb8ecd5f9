/* tasks.h - `loopscope tasks`: what became of each task, as a table for people and as JSON for programs. */
#ifndef LOOPSCOPE_TASKS_H
#define LOOPSCOPE_TASKS_H

#include "page.h"
#include "query_tasks.h"

/* Both write to the page's stream, which the caller checks.  0, or -ENOMEM. */
int tasks_text(const struct page *p, struct trace *t, struct task_list *list, const struct task_query *query);
int tasks_json(FILE *out, struct trace *t, struct task_list *list);

/* Says so when the trace is not finished, or events were lost. */
void task_doubts(const struct page *p, const struct task_list *list);
/* The moment in words: "at 1.204 s", "at the end (1.204 s)". */
void task_moment_words(const struct task_moment *m, char *ret_text, int size);

#endif

/* task_words.h - the phrases about tasks that report, tasks and tree share. */
#ifndef LOOPSCOPE_TASK_WORDS_H
#define LOOPSCOPE_TASK_WORDS_H

#include "query_tasks.h"

/* "writer #3"; "#3" when it has no name. */
void task_label(int64_t id, const char *name, char *ret_text, int size);
/* What it waits for: "lock 'db', held by writer #3", "task fetch #5", "group, 2 of 3 over", "fd 7", "queue 'jobs' (get)",
 * "sleep"; "" when it does not wait, "not known" when nobody knows. */
void task_waits_for(struct task_list *list, const struct task_info *k, char *ret_text, int size);
/* How it ended: "ok", "ENOENT", "cancelled"; "?" when nobody knows. */
void task_outcome(const char *outcome, int64_t error, char *ret_text, int size);
/* "accept_loop server.c:88"; "" when the site is not known. */
void task_site(struct trace *t, int64_t site, char *ret_text, int size);
/* A name with each number in it as one '*': "client 4812" -> "client *". */
void task_pattern(const char *name, char *ret_text, int size);

#endif

/* tree.h - `loopscope tree`: who awaits whom at one moment, and where that goes in a circle. */
#ifndef LOOPSCOPE_TREE_H
#define LOOPSCOPE_TREE_H

#include "page.h"
#include "query_tasks.h"

struct tree;

/* The graph of who waits for whom among the tasks of `list`, which must outlive it.  NULL: no memory. */
struct tree *tree_new(struct task_list *list);
void tree_free(struct tree *tree);
/* Circles of waits that nobody in them can leave by himself. */
int tree_deadlocks(const struct tree *tree);
/* One of them in words: "a -> lock 'x' held by b -> lock 'y' held by a". */
void tree_deadlock_words(const struct tree *tree, int i, char *ret_text, int size);

/* At most `lines` lines of tasks; the caller checks the stream.  0, or -ENOMEM. */
int tree_text(const struct page *p, struct trace *t, const struct tree *tree, int64_t lines);
int tree_json(FILE *out, struct trace *t, const struct tree *tree);

#endif

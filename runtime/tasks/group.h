/* group.h - what other files want to know of groups; group.c. */
#ifndef LSRT_GROUP_H
#define LSRT_GROUP_H

struct task;

/* t is closing a group (t->joining): the first of its tasks; on by t->group_next. */
struct task *lsrt_group_first(const struct task *t);
/* The groups that t has open are being cancelled: who says so cancels the tasks himself. */
void lsrt_groups_end(struct task *t);

#endif

/* report_tasks.h - what the text of the report says about tasks; private to report*.c.  Each prints its part with a blank line
 * after it, or nothing. */
#ifndef LOOPSCOPE_REPORT_TASKS_H
#define LOOPSCOPE_REPORT_TASKS_H

#include "page.h"
#include "report.h"

/* Where the time of tasks went; crowds of one name are one line.  0, or -ENOMEM. */
int report_tasks(const struct page *p, const struct report_data *d, const struct report_options *o, struct trace *t);
/* One line, without a blank one: the task and who awaited it, up to the first; nothing when nobody did. */
void report_awaited_by(const struct page *p, int indent, int64_t task, const char *name, int64_t at, struct trace *t);
void report_failures(const struct page *p, const struct report_data *d, const struct report_options *o, struct trace *t);
int report_unobserved(const struct page *p, const struct report_data *d, const struct report_options *o, struct trace *t);
/* Stalls that the program said are meant. */
void report_allowed(const struct page *p, const struct report_data *d, const struct report_options *o);

#endif

/* report_tasks.c - the report's parts about tasks: where their time went, what failed and by which way, and whose result
 * nobody took. */
#include "report_tasks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "query_tasks.h"
#include "task_words.h"

#define CROWD 10 /* so many tasks of one name and place are one line */

/* --- where their time went ------------------------------------------------------------------------------------------ */

static const struct report_group *crowd_of(const struct report_data *d, const struct report_task *k)
{
    char pattern[100];
    task_pattern(k->name, pattern, sizeof pattern);
    for (int i = 0; i < d->n_groups; i++)
        if (d->groups[i].n >= CROWD && d->groups[i].site == k->site && strcmp(d->groups[i].pattern, pattern) == 0)
            return &d->groups[i];
    return NULL;
}

/* "ok", or what else became of them: "12 ok, 3 failed". */
static void outcomes(const struct report_group *g, char *ret_text, int size)
{
    const struct {
        int64_t n;
        const char *word;
    } parts[] = { { g->ok, "ok" }, { g->failed, "failed" }, { g->cancelled, "cancelled" }, { g->alive, "alive" } };
    int used = 0;
    *ret_text = 0;
    for (int i = 0; i < 4; i++)
        if (parts[i].n == g->n)
            snprintf(ret_text, (size_t)size, "%s", parts[i].word);
    for (int i = 0; i < 4 && !(*ret_text && !used) && used < size - 40; i++)
        if (parts[i].n)
            used += snprintf(ret_text + used, (size_t)(size - used), "%s%s %s", used ? ", " : "",
                             human_count(parts[i].n).s, parts[i].word);
}

static void task_line(struct table *table, const struct report_task *k, struct trace *t)
{
    char outcome[40], made[CELL], after[CELL];
    task_outcome(k->outcome, k->error, outcome, sizeof outcome);
    task_site(t, k->site, made, sizeof made);
    task_site(t, k->run_max_site, after, sizeof after);
    table_cell(table, 0, "#%" PRId64 " %.80s", k->id, k->name);
    table_cell(table, 1, "%s", human_duration(k->run).s);
    table_cell(table, 2, "%s", human_duration(k->queue).s);
    table_cell(table, 3, "%s", human_duration(k->wait).s);
    table_cell(table, 4, "%s", human_duration(k->queue_max).s);
    table_cell(table, 5, "%s", human_duration(k->run_max).s);
    table_cell(table, 6, "%s", human_count(k->steps).s);
    table_cell(table, 7, "%s", *k->outcome ? outcome : *k->state ? k->state : "alive");
    table_cell(table, 8, "%s", *after ? after : made);
    table->rows++;
}

static void crowd_line(struct table *table, const struct report_group *g, struct trace *t)
{
    char words[CELL], made[CELL], after[CELL];
    outcomes(g, words, sizeof words);
    task_site(t, g->site, made, sizeof made);
    task_site(t, g->run_max_site, after, sizeof after);
    table_cell(table, 0, "%.100s x %s", *g->pattern ? g->pattern : "(no name)", human_count(g->n).s);
    table_cell(table, 1, "%s", human_duration(g->run).s);
    table_cell(table, 2, "%s", human_duration(g->queue).s);
    table_cell(table, 3, "%s", human_duration(g->wait).s);
    table_cell(table, 4, "%s", human_duration(g->queue_max).s);
    table_cell(table, 5, "%s", human_duration(g->run_max).s);
    table_cell(table, 6, "%s", human_count(g->steps).s);
    table_cell(table, 7, "%s", words);
    table_cell(table, 8, "%s", *after ? after : made);
    table->rows++;
}

int report_tasks(const struct page *p, const struct report_data *d, const struct report_options *o, struct trace *t)
{
    static const char *const titles[] = { "TASKS by queue", "run",   "queue",   "wait",        "slowest",
                                          "longest",        "steps", "outcome", "longest from" };
    struct table table;
    int g = 0, k = 0;
    int64_t most = d->n_groups ? d->groups[0].queue : 0;
    if (d->n_tasks == 0)
        return 0;
    if (table_make(&table, o->top, 9, titles, 1 | 128 | 256) != 0)
        return -ENOMEM;
    while (table.rows < o->top) { /* both lists are in this order already */
        while (g < d->n_groups && d->groups[g].n < CROWD)
            g++;
        while (k < d->n_tasks && crowd_of(d, &d->tasks[k]))
            k++;
        int64_t crowd = g < d->n_groups ? d->groups[g].queue : -1, one = k < d->n_tasks ? d->tasks[k].queue : -1;
        if ((crowd < 0 && k == d->n_tasks) || (table.rows >= 3 && (crowd > one ? crowd : one) < most / 20))
            break; /* the many that hardly waited */
        if (crowd >= 0 && (crowd >= one || k == d->n_tasks))
            crowd_line(&table, &d->groups[g++], t);
        else
            task_line(&table, &d->tasks[k++], t);
    }
    table_print(p, &table);
    fputc('\n', p->f);
    return 0;
}

/* --- what failed ---------------------------------------------------------------------------------------------------- */

void report_awaited_by(const struct page *p, int indent, int64_t task, const char *name, int64_t at, struct trace *t)
{
    struct task_await chain[AWAITS_MAX];
    char pieces[AWAITS_MAX + 1][260], *list[AWAITS_MAX + 1], label[120], site[100];
    int n = task > 0 ? tasks_awaited_by(t, task, at, chain, AWAITS_MAX) : 0;
    if (n == 0)
        return;
    task_label(task, name, label, sizeof label);
    snprintf(pieces[0], sizeof *pieces, "%s", label);
    for (int i = 0; i < n; i++) {
        task_label(chain[i].task, chain[i].name, label, sizeof label);
        task_site(t, chain[i].site, site, sizeof site);
        snprintf(pieces[i + 1], sizeof *pieces, "awaited by %s%s%s", label, *site ? " in " : "", site);
    }
    for (int i = 0; i <= n; i++)
        list[i] = pieces[i];
    page_flow(p, indent, list, n + 1, " < ", 6, FAINT);
}

void report_failures(const struct page *p, const struct report_data *d, const struct report_options *o, struct trace *t)
{
    if (d->n_failures == 0)
        return;
    fprintf(p->f, "%sTASKS THAT FAILED%s\n", page_on(p, TITLE), page_off(p, TITLE));
    for (int i = 0; i < d->n_failures && i < o->top; i++) {
        const struct report_failure *f = &d->failures[i];
        char error[40], label[120], site[100], lead[60], text[400];
        task_outcome("error", f->error, error, sizeof error);
        task_label(f->id, f->name, label, sizeof label);
        task_site(t, f->site, site, sizeof site);
        int n = snprintf(text, sizeof text, "%s%s%s", label, *site ? " from " : "", site);
        if (f->n > 1)
            n += snprintf(text + n, sizeof text - (size_t)n, "; %s x %s", *f->pattern ? f->pattern : "(no name)",
                          human_count(f->n).s);
        if (f->unobserved && f->n > 1)
            n += snprintf(text + n, sizeof text - (size_t)n, "; nobody took the result of %s",
                          human_count(f->unobserved).s);
        else if (f->unobserved)
            snprintf(text + n, sizeof text - (size_t)n, "; nobody took the result");
        snprintf(lead, sizeof lead, " %-11s ", error);
        page_paragraph(p, lead, 13, text, PLAIN);
        report_awaited_by(p, 13, f->id, f->name, f->t, t);
    }
    if (d->n_failures > o->top)
        fprintf(p->f, "    and %s: -n %d shows them\n", human_plural(d->n_failures - o->top, "more", "more").s,
                d->n_failures);
    fputc('\n', p->f);
}

int report_unobserved(const struct page *p, const struct report_data *d, const struct report_options *o,
                      struct trace *t)
{
    static const char *const titles[] = { "RESULTS NOBODY TOOK", "n", "what", "made at" };
    static const char *const words[] = {
        [UNOBSERVED_CANCEL] = "cancelled, and nobody looked", [NEVER_AWAITED] = "never awaited nor detached"
    };
    struct table table;
    int64_t rest = 0;
    if (d->unobserved_n[UNOBSERVED_CANCEL] + d->unobserved_n[NEVER_AWAITED] == 0)
        return 0;
    if (table_make(&table, o->top, 4, titles, 1 | 4 | 8) != 0)
        return -ENOMEM;
    for (int i = 0; i < d->n_unobserved; i++) {
        const struct report_unobserved *u = &d->unobserved[i];
        char made[CELL], label[120];
        if (u->kind == UNOBSERVED_ERROR)
            continue; /* is among those that failed */
        if (table.rows == o->top) {
            rest += u->n;
            continue;
        }
        task_label(u->id, u->name, label, sizeof label);
        task_site(t, u->site, made, sizeof made);
        table_cell(&table, 0, "%s", u->n > 1 && *u->pattern ? u->pattern : label);
        table_cell(&table, 1, "%s", human_count(u->n).s);
        table_cell(&table, 2, "%s", words[u->kind]);
        table_cell(&table, 3, "%s", made);
        table.rows++;
    }
    table_print(p, &table);
    if (rest)
        fprintf(p->f, " and %s\n", human_plural(rest, "more task", "more tasks").s);
    fputc('\n', p->f);
    return 0;
}

/* --- what is meant -------------------------------------------------------------------------------------------------- */

void report_allowed(const struct page *p, const struct report_data *d, const struct report_options *o)
{
    char text[400];
    int shown = 0;
    for (int i = 0; i < d->n_allowed; i++) {
        const struct report_stall *s = &d->allowed[i];
        int64_t n = 0, total = 0, longest = 0;
        bool first = true;
        for (int k = 0; k < d->n_allowed && k < 10000; k++) {
            if (strcmp(d->allowed[k].allowed, s->allowed) != 0)
                continue;
            first &= k >= i;
            n++;
            total += d->allowed[k].dur;
            longest = d->allowed[k].dur > longest ? d->allowed[k].dur : longest;
        }
        if (!first || i >= 10000 || shown++ >= o->top)
            continue;
        if (shown == 1)
            fprintf(p->f, "%sALLOWED to block%s\n", page_on(p, TITLE), page_off(p, TITLE));
        if (n > 1)
            snprintf(text, sizeof text, "allowed: %.200s: %s times, %s in all, worst %s", s->allowed, human_count(n).s,
                     human_duration(total).s, human_duration(longest).s);
        else
            snprintf(text, sizeof text, "allowed: %.200s: %s at %s", s->allowed, human_duration(longest).s,
                     human_offset(s->t).s);
        page_paragraph(p, " - ", 3, text, PLAIN);
    }
    if (shown)
        fputc('\n', p->f);
}

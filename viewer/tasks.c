/* tasks.c - the table of tasks, and the same as JSON.  ASCII of our own, as the report. */
#include "tasks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "task_json.h"
#include "task_words.h"

static const char *const state_names[] = TASK_STATE_NAMES;

void task_moment_words(const struct task_moment *m, char *ret_text, int size)
{
    const char *at = human_offset(m->at).s;
    struct human keep;
    snprintf(keep.s, sizeof keep.s, "%s", at);
    switch (m->why) {
    case MOMENT_ASKED: snprintf(ret_text, (size_t)size, "at %s", keep.s); break;
    case MOMENT_END: snprintf(ret_text, (size_t)size, "at the end (%s)", keep.s); break;
    case MOMENT_DEADLOCK: snprintf(ret_text, (size_t)size, "when a loop found a deadlock (%s)", keep.s); break;
    case MOMENT_CLOSE: snprintf(ret_text, (size_t)size, "before the loop was closed (%s)", keep.s); break;
    }
}

void task_doubts(const struct page *p, const struct task_list *list)
{
    char words[200];
    if (!list->finished && list->moment.why == MOMENT_END)
        page_paragraph(p, "", 2,
                       "NOT FINISHED: what those that are alive wait for is stored when the recording ends; --at looks "
                       "at an earlier moment.",
                       BAD);
    if (!list->lost)
        return;
    snprintf(words, sizeof words, "%s lost: who waits, for what, and who holds a lock may be out of date.",
             human_plural(list->lost, "event was", "events were").s);
    page_paragraph(p, "", 2, words, BAD);
}

static int64_t life_of(const struct task_info *k, const struct task_moment *m)
{
    return k->t == NOT_KNOWN ? NOT_KNOWN : (k->t_end == NOT_KNOWN ? m->duration : k->t_end) - k->t;
}

/* "ready", or how it ended. */
static void state_words(const struct task_info *k, char *ret_text, int size)
{
    if (k->state == TASK_DONE)
        task_outcome(k->outcome, k->error, ret_text, size);
    else
        snprintf(ret_text, (size_t)size, "%s", state_names[k->state]);
}

/* What it waits for; of one that is over what is wrong with that. */
static void what_words(const struct task_info *k, struct task_list *list, char *ret_text, int size)
{
    bool failed = strcmp(k->outcome, "error") == 0;
    task_waits_for(list, k, ret_text, size);
    if (k->state == TASK_DONE && !k->observed && failed)
        snprintf(ret_text, (size_t)size, "nobody looked at the error");
    else if (k->state == TASK_DONE && !k->observed && !k->detached && k->parent > 0)
        snprintf(ret_text, (size_t)size, "never awaited");
}

int tasks_text(const struct page *p, struct trace *t, struct task_list *list, const struct task_query *query)
{
    static const char *const titles[] = { "TASKS", "state", "waits for", "for",   "life", "run",
                                          "queue", "wait",  "longest",   "steps", "at" };
    char moment[80], head[200];
    struct table table;
    task_moment_words(&list->moment, moment, sizeof moment);
    if (list->total == 0) {
        fprintf(p->f, "No tasks: nothing that was recorded is linked with the loopscope runtime, or calls probe.h.\n");
        return 0;
    }
    snprintf(head, sizeof head, "%s%s%s, states %s", human_plural(list->found, "task", "tasks").s,
             query->state ? " " : "", query->state ? query->state : "", moment);
    fprintf(p->f, "%s", head);
    if (list->n_tasks < list->found)
        fprintf(p->f, "; the first %s, --limit shows more", human_count(list->n_tasks).s);
    fprintf(p->f, "\n");
    task_doubts(p, list);
    fputc('\n', p->f);
    if (list->n_tasks == 0)
        return 0;
    if (table_make(&table, list->n_tasks, 11, titles, 1 | 2 | 4 | 1024) != 0)
        return -ENOMEM;
    table.soft = 2;
    for (int i = 0; i < list->n_tasks; i++, table.rows++) {
        struct task_info *k = &list->tasks[i];
        bool waits = k->state == TASK_WAITING || k->state == TASK_READY;
        char state[40], what[CELL], site[CELL];
        state_words(k, state, sizeof state);
        what_words(k, list, what, sizeof what);
        task_site(t, k->state == TASK_DONE || k->wait_site == NOT_KNOWN ? k->site : k->wait_site, site, sizeof site);
        table_cell(&table, 0, "#%" PRId64 " %.80s", k->id, k->name);
        table_cell(&table, 1, "%s", state);
        table_cell(&table, 2, "%s", what);
        table_cell(&table, 3, "%s", waits && k->since != NOT_KNOWN ? human_duration(list->moment.at - k->since).s : "");
        table_cell(&table, 4, "%s", human_duration(life_of(k, &list->moment)).s);
        table_cell(&table, 5, "%s", human_duration(k->run).s);
        table_cell(&table, 6, "%s", human_duration(k->queue).s);
        table_cell(&table, 7, "%s", human_duration(k->wait).s);
        table_cell(&table, 8, "%s", human_duration(k->run_max).s);
        table_cell(&table, 9, "%s", human_count(k->steps).s);
        table_cell(&table, 10, "%s", site);
    }
    table_print(p, &table);
    return 0;
}

/* --- JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *target_json(const struct task_target *g, int *e)
{
    static const char *const kinds[] = { "none", "fd", "task", "object" };
    json_t *o = json_object();
    json_put(o, "kind", json_text(g->kind == TARGET_OBJECT ? g->noun : kinds[g->kind]), e);
    json_put(o, "id", json_number(g->id), e);
    json_put(o, "name", json_text_or_null(g->name), e);
    json_put(o, "held_by", json_number(g->holder), e);
    json_put(o, "held_by_name", json_text_or_null(g->holder_name), e);
    json_put(o, "members", json_integer(g->members), e);
    json_put(o, "members_over", json_integer(g->members_over), e);
    return o;
}

json_t *task_json(struct trace *t, struct task_list *list, const struct task_info *k, int *e)
{
    struct task_target g = tasks_target(list, k);
    char made[CELL], waits[CELL];
    json_t *o = json_object();
    task_site(t, k->site, made, sizeof made);
    task_site(t, k->wait_site, waits, sizeof waits);
    json_put(o, "id", json_number(k->id), e);
    json_put(o, "name", json_text_or_null(k->name), e);
    json_put(o, "parent", json_number(k->parent), e);
    json_put(o, "loop", json_number(k->loop), e);
    json_put(o, "state", json_text(state_names[k->state]), e);
    json_put(o, "outcome", json_text_or_null(k->outcome), e);
    json_put(o, "error", json_number(k->error), e);
    json_put(o, "observed", json_boolean(k->observed), e);
    json_put(o, "detached", json_boolean(k->detached), e);
    json_put(o, "made_at", json_text_or_null(made), e);
    json_put(o, "t", json_number(k->t), e);
    json_put(o, "t_end", json_number(k->t_end), e);
    json_put(o, "steps", json_number(k->steps), e);
    json_put(o, "run_ns", json_number(k->run), e);
    json_put(o, "queue_ns", json_number(k->queue), e);
    json_put(o, "wait_ns", json_number(k->wait), e);
    json_put(o, "run_max_ns", json_number(k->run_max), e);
    json_put(o, "queue_max_ns", json_number(k->queue_max), e);
    json_put(o, "why", json_text_or_null(k->state == TASK_DONE ? "" : k->why), e);
    json_put(o, "target", g.kind == TARGET_NONE ? json_null() : target_json(&g, e), e);
    json_put(o, "await_at", json_text_or_null(k->state == TASK_DONE ? "" : waits), e);
    json_put(o, "since", json_number(k->state == TASK_DONE ? NOT_KNOWN : k->since), e);
    return o;
}

json_t *task_moment_json(const struct task_list *list, int *e)
{
    static const char *const reasons[] = { "asked", "end", "deadlock", "close" };
    json_t *o = json_object();
    json_put(o, "at", json_number(list->moment.at), e);
    json_put(o, "reason", json_text(reasons[list->moment.why]), e);
    json_put(o, "duration_ns", json_number(list->moment.duration), e);
    json_put(o, "events_lost", json_number(list->lost), e);
    return o;
}

int tasks_json(FILE *out, struct trace *t, struct task_list *list)
{
    int error = 0;
    json_t *root = json_object(), *tasks = json_array();
    for (int i = 0; i < list->n_tasks; i++)
        json_append(tasks, task_json(t, list, &list->tasks[i], &error), &error);
    json_put(root, "loopscope_tasks", json_integer(1), &error);
    json_put(root, "moment", task_moment_json(list, &error), &error);
    json_put(root, "total", json_number(list->total), &error);
    json_put(root, "found", json_number(list->found), &error);
    json_put(root, "tasks", tasks, &error);
    if (!error && json_dumpf(root, out, JSON_INDENT(1)) == 0)
        fputc('\n', out); /* a failed write shows in ferror(out), which the caller checks */
    json_decref(root);
    return error;
}

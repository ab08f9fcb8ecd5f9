/* report_json_tasks.c - the parts of the JSON report about tasks; see report_json.c. */
#include "report_json_tasks.h"

#include "place.h"
#include "query_tasks.h"
#include "task_words.h"

json_t *report_json_awaited_by(struct trace *t, int64_t task, int64_t at, int *e)
{
    struct task_await chain[AWAITS_MAX];
    int n = task > 0 ? tasks_awaited_by(t, task, at, chain, AWAITS_MAX) : 0;
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        char site[PLACE_PIECE];
        json_t *o = json_object();
        task_site(t, chain[i].site, site, sizeof site);
        json_put(o, "task", json_number(chain[i].task), e);
        json_put(o, "name", json_text_or_null(chain[i].name), e);
        json_put(o, "await_at", json_text_or_null(site), e);
        json_append(list, o, e);
    }
    return list;
}

static json_t *site_json(struct trace *t, int64_t site)
{
    char text[PLACE_PIECE];
    task_site(t, site, text, sizeof text);
    return json_text_or_null(text);
}

json_t *report_json_groups(struct trace *t, const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_groups; i++) {
        const struct report_group *g = &d->groups[i];
        json_t *o = json_object();
        json_put(o, "pattern", json_text_or_null(g->pattern), e);
        json_put(o, "made_at", site_json(t, g->site), e);
        json_put(o, "n", json_number(g->n), e);
        json_put(o, "alive", json_number(g->alive), e);
        json_put(o, "ok", json_number(g->ok), e);
        json_put(o, "error", json_number(g->failed), e);
        json_put(o, "cancelled", json_number(g->cancelled), e);
        json_put(o, "steps", json_number(g->steps), e);
        json_put(o, "run_ns", json_number(g->run), e);
        json_put(o, "queue_ns", json_number(g->queue), e);
        json_put(o, "wait_ns", json_number(g->wait), e);
        json_put(o, "run_max_ns", json_number(g->run_max), e);
        json_put(o, "run_max_from", site_json(t, g->run_max_site), e);
        json_put(o, "queue_max_ns", json_number(g->queue_max), e);
        json_put(o, "worst_task", json_number(g->worst), e);
        json_append(list, o, e);
    }
    return list;
}

json_t *report_json_failures(struct trace *t, const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_failures; i++) {
        const struct report_failure *f = &d->failures[i];
        char error[40];
        json_t *o = json_object();
        task_outcome("error", f->error, error, sizeof error);
        json_put(o, "task", json_number(f->id), e);
        json_put(o, "name", json_text_or_null(f->name), e);
        json_put(o, "pattern", json_text_or_null(f->pattern), e);
        json_put(o, "made_at", site_json(t, f->site), e);
        json_put(o, "error", json_number(f->error), e);
        json_put(o, "error_name", json_text(error), e);
        json_put(o, "t", json_number(f->t), e);
        json_put(o, "n", json_number(f->n), e);
        json_put(o, "unobserved", json_number(f->unobserved), e);
        json_put(o, "awaited_by", report_json_awaited_by(t, f->id, f->t, e), e);
        json_append(list, o, e);
    }
    return list;
}

json_t *report_json_unobserved(struct trace *t, const struct report_data *d, int *e)
{
    static const char *const kinds[] = { "error", "cancelled", "never_awaited" };
    json_t *list = json_array();
    for (int i = 0; i < d->n_unobserved; i++) {
        const struct report_unobserved *u = &d->unobserved[i];
        json_t *o = json_object();
        json_put(o, "kind", json_text(kinds[u->kind]), e);
        json_put(o, "task", json_number(u->id), e);
        json_put(o, "name", json_text_or_null(u->name), e);
        json_put(o, "pattern", json_text_or_null(u->pattern), e);
        json_put(o, "made_at", site_json(t, u->site), e);
        json_put(o, "error", u->kind == UNOBSERVED_ERROR ? json_number(u->error) : json_null(), e);
        json_put(o, "n", json_number(u->n), e);
        json_append(list, o, e);
    }
    return list;
}

json_t *report_json_tasks(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_tasks; i++) {
        const struct report_task *k = &d->tasks[i];
        json_t *o = json_object();
        json_put(o, "id", json_number(k->id), e);
        json_put(o, "name", json_text_or_null(k->name), e);
        json_put(o, "parent", json_number(k->parent), e);
        json_put(o, "loop", json_number(k->loop_id), e);
        json_put(o, "state", json_text_or_null(k->state), e);
        json_put(o, "outcome", json_text_or_null(k->outcome), e);
        json_put(o, "steps", json_number(k->steps), e);
        json_put(o, "run_ns", json_number(k->run), e);
        json_put(o, "queue_ns", json_number(k->queue), e);
        json_put(o, "wait_ns", json_number(k->wait), e);
        json_put(o, "run_max_ns", json_number(k->run_max), e);
        json_put(o, "queue_max_ns", json_number(k->queue_max), e);
        json_put(o, "error", json_number(k->error), e);
        json_append(list, o, e);
    }
    return list;
}

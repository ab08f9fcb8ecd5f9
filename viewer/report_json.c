/* report_json.c - the report for programs: one JSON document, written by jansson.  Version 1: names stay, new ones may
 * be added.  Times are integer nanoseconds from the start of the recording; null is "not known". */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static json_t *number(int64_t v)
{
    return v == NOT_KNOWN ? json_null() : json_integer(v);
}

/* Texts are cut to fit here and there, maybe inside a character; jansson refuses what is no UTF-8. */
static json_t *text(const char *s)
{
    char clean[4200];
    human_clean(s, clean, sizeof clean);
    return json_string(clean);
}

static json_t *text_or_null(const char *s)
{
    return *s ? text(s) : json_null();
}

static json_t *share(double part, double whole)
{
    return whole > 0 ? json_real(part / whole) : json_null();
}

/* Jansson's setters take the reference and accept NULL, so that a failed allocation shows as one failed set. */
static void put(json_t *object, const char *key, json_t *value, int *error)
{
    if (json_object_set_new(object, key, value) != 0)
        *error = -ENOMEM;
}

static void append(json_t *array, json_t *value, int *error)
{
    if (json_array_append_new(array, value) != 0)
        *error = -ENOMEM;
}

static json_t *session(const struct report_data *d, int *e)
{
    const struct report_session *s = &d->session;
    json_t *o = json_object();
    char program[64];
    report_program(d, program, sizeof program);
    put(o, "file", text(s->path), e);
    put(o, "version", text_or_null(s->version), e);
    put(o, "program", text(program), e);
    put(o, "argv", text_or_null(s->argv), e);
    put(o, "host", text_or_null(s->host), e);
    put(o, "kernel", text_or_null(s->kernel), e);
    put(o, "clock", text_or_null(s->clock), e);
    put(o, "t0_realtime_ns", number(s->t0_realtime), e);
    put(o, "duration_ns", number(s->duration), e);
    put(o, "threshold_ns", number(s->threshold), e);
    put(o, "call_min_ns", number(s->call_min), e);
    put(o, "from_ns", number(d->from), e);
    put(o, "to_ns", number(d->to), e);
    put(o, "events", number(s->events), e);
    put(o, "lost", number(s->lost), e);
    put(o, "rows_lost", number(s->rows_lost), e);
    put(o, "recorder_cpu_ns", number(s->recorder_cpu), e);
    put(o, "exit_status", number(s->exit_status), e);
    put(o, "exit_signal", number(s->exit_signal), e);
    put(o, "finalized", json_boolean(s->finalized), e);
    put(o, "recording", json_boolean(s->recording), e);
    put(o, "ended_by", text_or_null(s->ended_by), e);
    put(o, "processes_attached", number(s->attached), e);
    put(o, "threads_refused", number(s->refused), e);
    put(o, "threads", number(s->threads), e);
    put(o, "tasks", number(s->tasks), e);
    put(o, "samples", number(s->samples), e);
    put(o, "samples_partial", number(s->samples_partial), e);
    return o;
}

static json_t *processes(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_processes; i++) {
        const struct report_process *p = &d->processes[i];
        json_t *o = json_object();
        put(o, "id", number(p->id), e);
        put(o, "pid", number(p->pid), e);
        put(o, "parent", number(p->parent), e);
        put(o, "exe", text_or_null(p->exe), e);
        put(o, "cmdline", text_or_null(p->cmdline), e);
        put(o, "t", number(p->t), e);
        put(o, "t_end", number(p->t_end), e);
        put(o, "exit_status", number(p->exit_status), e);
        put(o, "exit_signal", number(p->exit_signal), e);
        append(list, o, e);
    }
    return list;
}

static json_t *loops(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_loops; i++) {
        const struct report_loop *l = &d->loops[i];
        json_t *o = json_object();
        put(o, "id", number(l->id), e);
        put(o, "kind", text_or_null(l->kind), e);
        put(o, "name", text_or_null(l->name), e);
        put(o, "thread", number(l->thread), e);
        put(o, "tid", number(l->tid), e);
        put(o, "thread_name", text_or_null(l->thread_name), e);
        put(o, "pid", l->process >= 0 ? number(d->processes[l->process].pid) : json_null(), e);
        put(o, "t", number(l->t), e);
        put(o, "t_end", number(l->t_end), e);
        put(o, "iterations", number(l->iterations), e);
        put(o, "busy_ns", number(l->busy), e);
        put(o, "poll_ns", number(l->poll), e);
        put(o, "busy_share", share((double)l->busy, (double)l->busy + (double)l->poll), e);
        put(o, "p50_ns", number(l->busy_p50), e);
        put(o, "p99_ns", number(l->busy_p99), e);
        put(o, "max_ns", number(l->busy_max), e);
        put(o, "max_t", number(l->busy_max_t), e);
        put(o, "empty_polls", number(l->empty_polls), e);
        put(o, "full_polls", number(l->full_polls), e);
        put(o, "late_wakes", number(l->late_polls), e);
        put(o, "late_max_ns", number(l->late_max), e);
        append(list, o, e);
    }
    return list;
}

/* Every frame, noise included: folding is for people. */
static json_t *stack(struct trace *t, int64_t id, int *e)
{
    struct report_frame frames[REPORT_FRAMES];
    int n = report_stack(t, id, frames, REPORT_FRAMES);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_t *o = json_object();
        put(o, "function", text_or_null(frames[i].function), e);
        put(o, "file", text_or_null(frames[i].file), e);
        put(o, "line", frames[i].line > 0 ? json_integer(frames[i].line) : json_null(), e);
        put(o, "module", text_or_null(frames[i].module), e);
        put(o, "address", json_integer(frames[i].address), e);
        put(o, "language", text_or_null(frames[i].language), e);
        put(o, "noise", json_integer(frames[i].noise), e);
        append(list, o, e);
    }
    return list;
}

static json_t *stalls(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_stalls; i++) {
        const struct report_stall *s = &d->stalls[i];
        json_t *o = json_object();
        put(o, "id", number(s->id), e);
        put(o, "t", number(s->t), e);
        put(o, "dur_ns", number(s->dur), e);
        put(o, "ongoing", json_boolean(s->ongoing), e);
        put(o, "loop", number(s->loop_id), e);
        put(o, "thread", number(s->thread), e);
        put(o, "task", number(s->task), e);
        put(o, "task_name", text_or_null(s->task_name), e);
        put(o, "cause", text(s->cause), e);
        put(o, "detail", text_or_null(s->detail), e);
        put(o, "call", text_or_null(s->call_name), e);
        put(o, "call_id", number(s->call), e);
        put(o, "cpu_ns", number(s->cpu), e);
        put(o, "runq_ns", number(s->runq), e);
        put(o, "blocked_ns", number(s->blocked), e);
        put(o, "majflt", number(s->majflt), e);
        put(o, "fingerprint", text_or_null(s->fingerprint), e);
        put(o, "stack", number(s->stack), e);
        put(o, "partial", json_boolean(s->partial), e);
        put(o, "samples", json_integer(s->n_samples), e);
        put(o, "suppressed", number(s->suppressed), e);
        put(o, "in_gap", json_boolean(s->in_gap != 0), e);
        put(o, "victims", number(s->victims), e);
        put(o, "victim_sum_ns", number(s->victim_sum), e);
        put(o, "victim_max_ns", number(s->victim_max), e);
        append(list, o, e);
    }
    return list;
}

static json_t *places(struct trace *t, const struct report_data *d, const struct place *p, int n, enum place_by by, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++, p++) {
        const struct report_stall *s = &d->stalls[p->worst];
        json_t *o = json_object();
        put(o, "fingerprint", text_or_null(s->fingerprint), e);
        put(o, "cause", text(s->cause), e);
        put(o, "detail", text_or_null(s->detail), e);
        put(o, "call", text_or_null(s->call_name), e);
        put(o, by == BY_TASK ? "task" : "loop", by == BY_PLACE ? p->one_loop ? number(s->loop_id) : json_null()
                                                               : number(p->owner), e);
        put(o, "n", json_integer(p->n), e);
        put(o, "total_ns", number(p->total), e);
        put(o, "longest_ns", number(p->longest), e);
        put(o, "harm_ns", json_real(p->harm), e);
        put(o, "victims", number(p->victims), e);
        put(o, "victim_sum_ns", number(p->victim_sum), e);
        put(o, "victim_max_ns", number(p->victim_max), e);
        put(o, "first_t", number(p->first_t), e);
        put(o, "last_t", number(p->last_t), e);
        put(o, "worst_stall", number(s->id), e);
        put(o, "ongoing", json_integer(p->n_ongoing), e);
        put(o, "partial", json_integer(p->n_partial), e);
        put(o, "without_stack", json_integer(p->n_no_stack), e);
        put(o, "in_gap", json_integer(p->n_in_gap), e);
        put(o, "suppressed", number(p->suppressed), e);
        put(o, "remedy", text_or_null(report_remedy(d, p)), e);
        put(o, "stack", stack(t, s->stack, e), e);
        append(list, o, e);
    }
    return list;
}

static json_t *calls(struct trace *t, const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_calls; i++) {
        const struct report_call *c = &d->calls[i];
        struct report_frame frames[REPORT_FRAMES];
        char from[PLACE_PIECE] = "";
        int at = place_culprit(frames, report_stack(t, c->stack, frames, REPORT_FRAMES));
        if (at >= 0)
            place_frame(&frames[at], from, sizeof from);
        json_t *o = json_object();
        put(o, "name", text(c->name), e);
        put(o, "detail", text_or_null(c->detail), e);
        put(o, "fd", number(c->fd), e);
        put(o, "over_threshold", json_boolean(c->over), e);
        put(o, "n", number(c->n), e);
        put(o, "total_ns", number(c->total), e);
        put(o, "longest_ns", number(c->longest), e);
        put(o, "longest_t", number(c->t), e);
        put(o, "loop", number(c->loop_id), e);
        put(o, "task", number(c->task), e);
        put(o, "from", text_or_null(from), e);
        append(list, o, e);
    }
    return list;
}

static json_t *tasks(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_tasks; i++) {
        const struct report_task *k = &d->tasks[i];
        json_t *o = json_object();
        put(o, "id", number(k->id), e);
        put(o, "name", text_or_null(k->name), e);
        put(o, "parent", number(k->parent), e);
        put(o, "loop", number(k->loop_id), e);
        put(o, "state", text_or_null(k->state), e);
        put(o, "outcome", text_or_null(k->outcome), e);
        put(o, "steps", number(k->steps), e);
        put(o, "run_ns", number(k->run), e);
        put(o, "queue_ns", number(k->queue), e);
        put(o, "wait_ns", number(k->wait), e);
        put(o, "run_max_ns", number(k->run_max), e);
        append(list, o, e);
    }
    return list;
}

static json_t *gaps(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_gaps; i++) {
        const struct report_gap *g = &d->gaps[i];
        json_t *o = json_object();
        put(o, "thread", number(g->thread), e);
        put(o, "t", number(g->t), e);
        put(o, "t_end", number(g->t_end), e);
        put(o, "lost", number(g->lost), e);
        put(o, "reason", text_or_null(g->reason), e);
        append(list, o, e);
    }
    return list;
}

static json_t *notices(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_notices; i++) {
        const struct report_notice *n = &d->notices[i];
        json_t *o = json_object();
        put(o, "t", number(n->t), e);
        put(o, "process", number(n->process), e);
        put(o, "n", number(n->n), e);
        put(o, "kind", text(n->kind), e);
        put(o, "text", text_or_null(n->text), e);
        append(list, o, e);
    }
    return list;
}

static json_t *lines(const struct report_data *d, bool (*next)(const struct report_data *, int, char *, int), int *e)
{
    json_t *list = json_array();
    char line[700];
    for (int i = 0; i < 100 && next(d, i, line, sizeof line); i++)
        append(list, text(line), e);
    return list;
}

int report_json(FILE *out, struct trace *t, const struct report_data *d, const struct report_options *o)
{
    struct place *list = NULL;
    int n = 0, error = place_group(d, BY_PLACE, &list, &n);
    char verdict[700];
    if (error)
        return error;
    json_t *root = json_object();
    report_verdict(t, d, list, n, verdict, sizeof verdict);
    if (o->by != BY_PLACE) {
        free(list);
        list = NULL;
        error = place_group(d, o->by, &list, &n);
    }
    put(root, "loopscope_report", json_integer(1), &error);
    put(root, "verdict", text(verdict), &error);
    put(root, "session", session(d, &error), &error);
    put(root, "processes", processes(d, &error), &error);
    put(root, "loops", loops(d, &error), &error);
    if (!error)
        put(root, "places", places(t, d, list, n, o->by, &error), &error);
    put(root, "stalls", stalls(d, &error), &error);
    put(root, "calls", calls(t, d, &error), &error);
    put(root, "tasks", tasks(d, &error), &error);
    put(root, "lints", lines(d, report_lint, &error), &error);
    put(root, "trust", lines(d, report_trust, &error), &error);
    put(root, "gaps", gaps(d, &error), &error);
    put(root, "notices", notices(d, &error), &error);
    if (!error && json_dumpf(root, out, JSON_INDENT(1)) == 0)
        fputc('\n', out); /* a failed write shows in ferror(out), which the caller checks */
    json_decref(root);
    free(list);
    return error;
}

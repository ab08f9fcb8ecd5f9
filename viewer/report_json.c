/* report_json.c - the report for programs: one JSON document, written by jansson.  Version 1: names stay, new ones may
 * be added.  Times are integer nanoseconds from the start of the recording; null is "not known". */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "json_out.h"
#include "report.h"
#include "report_json_tasks.h"

static json_t *session(const struct report_data *d, int *e)
{
    const struct report_session *s = &d->session;
    json_t *o = json_object();
    char program[64];
    report_program(d, program, sizeof program);
    json_put(o, "file", json_text(s->path), e);
    json_put(o, "version", json_text_or_null(s->version), e);
    json_put(o, "program", json_text(program), e);
    json_put(o, "argv", json_text_or_null(s->argv), e);
    json_put(o, "host", json_text_or_null(s->host), e);
    json_put(o, "kernel", json_text_or_null(s->kernel), e);
    json_put(o, "clock", json_text_or_null(s->clock), e);
    json_put(o, "t0_realtime_ns", json_number(s->t0_realtime), e);
    json_put(o, "duration_ns", json_number(s->duration), e);
    json_put(o, "threshold_ns", json_number(s->threshold), e);
    json_put(o, "call_min_ns", json_number(s->call_min), e);
    json_put(o, "from_ns", json_number(d->from), e);
    json_put(o, "to_ns", json_number(d->to), e);
    json_put(o, "events", json_number(s->events), e);
    json_put(o, "lost", json_number(s->lost), e);
    json_put(o, "rows_lost", json_number(s->rows_lost), e);
    json_put(o, "recorder_cpu_ns", json_number(s->recorder_cpu), e);
    json_put(o, "exit_status", json_number(s->exit_status), e);
    json_put(o, "exit_signal", json_number(s->exit_signal), e);
    json_put(o, "finalized", json_boolean(s->finalized), e);
    json_put(o, "recording", json_boolean(s->recording), e);
    json_put(o, "ended_by", json_text_or_null(s->ended_by), e);
    json_put(o, "processes_attached", json_number(s->attached), e);
    json_put(o, "threads_refused", json_number(s->refused), e);
    json_put(o, "threads", json_number(s->threads), e);
    json_put(o, "tasks", json_number(s->tasks), e);
    json_put(o, "samples", json_number(s->samples), e);
    json_put(o, "samples_partial", json_number(s->samples_partial), e);
    return o;
}

static json_t *processes(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_processes; i++) {
        const struct report_process *p = &d->processes[i];
        json_t *o = json_object();
        json_put(o, "id", json_number(p->id), e);
        json_put(o, "pid", json_number(p->pid), e);
        json_put(o, "parent", json_number(p->parent), e);
        json_put(o, "exe", json_text_or_null(p->exe), e);
        json_put(o, "cmdline", json_text_or_null(p->cmdline), e);
        json_put(o, "t", json_number(p->t), e);
        json_put(o, "t_end", json_number(p->t_end), e);
        json_put(o, "exit_status", json_number(p->exit_status), e);
        json_put(o, "exit_signal", json_number(p->exit_signal), e);
        json_append(list, o, e);
    }
    return list;
}

static json_t *loops(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_loops; i++) {
        const struct report_loop *l = &d->loops[i];
        json_t *o = json_object();
        json_put(o, "id", json_number(l->id), e);
        json_put(o, "kind", json_text_or_null(l->kind), e);
        json_put(o, "name", json_text_or_null(l->name), e);
        json_put(o, "thread", json_number(l->thread), e);
        json_put(o, "tid", json_number(l->tid), e);
        json_put(o, "thread_name", json_text_or_null(l->thread_name), e);
        json_put(o, "pid", l->process >= 0 ? json_number(d->processes[l->process].pid) : json_null(), e);
        json_put(o, "t", json_number(l->t), e);
        json_put(o, "t_end", json_number(l->t_end), e);
        json_put(o, "iterations", json_number(l->iterations), e);
        json_put(o, "busy_ns", json_number(l->busy), e);
        json_put(o, "poll_ns", json_number(l->poll), e);
        json_put(o, "busy_share", json_share((double)l->busy, (double)l->busy + (double)l->poll), e);
        json_put(o, "p50_ns", json_number(l->busy_p50), e);
        json_put(o, "p99_ns", json_number(l->busy_p99), e);
        json_put(o, "max_ns", json_number(l->busy_max), e);
        json_put(o, "max_t", json_number(l->busy_max_t), e);
        json_put(o, "empty_polls", json_number(l->empty_polls), e);
        json_put(o, "full_polls", json_number(l->full_polls), e);
        json_put(o, "late_wakes", json_number(l->late_polls), e);
        json_put(o, "late_max_ns", json_number(l->late_max), e);
        json_append(list, o, e);
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
        json_put(o, "function", json_text_or_null(frames[i].function), e);
        json_put(o, "file", json_text_or_null(frames[i].file), e);
        json_put(o, "line", frames[i].line > 0 ? json_integer(frames[i].line) : json_null(), e);
        json_put(o, "module", json_text_or_null(frames[i].module), e);
        json_put(o, "address", json_integer(frames[i].address), e);
        json_put(o, "language", json_text_or_null(frames[i].language), e);
        json_put(o, "noise", json_integer(frames[i].noise), e);
        json_append(list, o, e);
    }
    return list;
}

static json_t *stalls(const struct report_stall *v, int n, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const struct report_stall *s = &v[i];
        json_t *o = json_object();
        json_put(o, "id", json_number(s->id), e);
        json_put(o, "t", json_number(s->t), e);
        json_put(o, "dur_ns", json_number(s->dur), e);
        json_put(o, "ongoing", json_boolean(s->ongoing), e);
        json_put(o, "loop", json_number(s->loop_id), e);
        json_put(o, "thread", json_number(s->thread), e);
        json_put(o, "task", json_number(s->task), e);
        json_put(o, "task_name", json_text_or_null(s->task_name), e);
        json_put(o, "cause", json_text(s->cause), e);
        json_put(o, "detail", json_text_or_null(s->detail), e);
        json_put(o, "call", json_text_or_null(s->call_name), e);
        json_put(o, "call_id", json_number(s->call), e);
        json_put(o, "cpu_ns", json_number(s->cpu), e);
        json_put(o, "runq_ns", json_number(s->runq), e);
        json_put(o, "blocked_ns", json_number(s->blocked), e);
        json_put(o, "majflt", json_number(s->majflt), e);
        json_put(o, "fingerprint", json_text_or_null(s->fingerprint), e);
        json_put(o, "stack", json_number(s->stack), e);
        json_put(o, "partial", json_boolean(s->partial), e);
        json_put(o, "samples", json_integer(s->n_samples), e);
        json_put(o, "suppressed", json_number(s->suppressed), e);
        json_put(o, "allowed", json_text_or_null(s->allowed), e);
        json_put(o, "in_gap", json_boolean(s->in_gap != 0), e);
        json_put(o, "victims", json_number(s->victims), e);
        json_put(o, "victim_sum_ns", json_number(s->victim_sum), e);
        json_put(o, "victim_max_ns", json_number(s->victim_max), e);
        json_append(list, o, e);
    }
    return list;
}

static json_t *places(struct trace *t, const struct report_data *d, const struct place *p, int n, enum place_by by,
                      int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++, p++) {
        const struct report_stall *s = &d->stalls[p->worst];
        json_t *o = json_object();
        json_put(o, "fingerprint", json_text_or_null(s->fingerprint), e);
        json_put(o, "cause", json_text(s->cause), e);
        json_put(o, "detail", json_text_or_null(s->detail), e);
        json_put(o, "call", json_text_or_null(s->call_name), e);
        json_put(o, by == BY_TASK ? "task" : "loop",
                 by == BY_PLACE ? p->one_loop ? json_number(s->loop_id) : json_null() : json_number(p->owner), e);
        json_put(o, "n", json_integer(p->n), e);
        json_put(o, "total_ns", json_number(p->total), e);
        json_put(o, "longest_ns", json_number(p->longest), e);
        json_put(o, "harm_ns", json_real(p->harm), e);
        json_put(o, "victims", json_number(p->victims), e);
        json_put(o, "victim_sum_ns", json_number(p->victim_sum), e);
        json_put(o, "victim_max_ns", json_number(p->victim_max), e);
        json_put(o, "first_t", json_number(p->first_t), e);
        json_put(o, "last_t", json_number(p->last_t), e);
        json_put(o, "worst_stall", json_number(s->id), e);
        json_put(o, "ongoing", json_integer(p->n_ongoing), e);
        json_put(o, "partial", json_integer(p->n_partial), e);
        json_put(o, "without_stack", json_integer(p->n_no_stack), e);
        json_put(o, "in_gap", json_integer(p->n_in_gap), e);
        json_put(o, "suppressed", json_number(p->suppressed), e);
        json_put(o, "remedy", json_text_or_null(report_remedy(t, d, p)), e);
        json_put(o, "stack", stack(t, s->stack, e), e);
        json_put(o, "awaited_by", report_json_awaited_by(t, s->task, s->t, e), e);
        json_append(list, o, e);
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
        json_put(o, "name", json_text(c->name), e);
        json_put(o, "detail", json_text_or_null(c->detail), e);
        json_put(o, "fd", json_number(c->fd), e);
        json_put(o, "over_threshold", json_boolean(c->over), e);
        json_put(o, "n", json_number(c->n), e);
        json_put(o, "total_ns", json_number(c->total), e);
        json_put(o, "longest_ns", json_number(c->longest), e);
        json_put(o, "longest_t", json_number(c->t), e);
        json_put(o, "loop", json_number(c->loop_id), e);
        json_put(o, "task", json_number(c->task), e);
        json_put(o, "from", json_text_or_null(from), e);
        json_append(list, o, e);
    }
    return list;
}

static json_t *gaps(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_gaps; i++) {
        const struct report_gap *g = &d->gaps[i];
        json_t *o = json_object();
        json_put(o, "thread", json_number(g->thread), e);
        json_put(o, "t", json_number(g->t), e);
        json_put(o, "t_end", json_number(g->t_end), e);
        json_put(o, "lost", json_number(g->lost), e);
        json_put(o, "reason", json_text_or_null(g->reason), e);
        json_append(list, o, e);
    }
    return list;
}

static json_t *notices(const struct report_data *d, int *e)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_notices; i++) {
        const struct report_notice *n = &d->notices[i];
        json_t *o = json_object();
        json_put(o, "t", json_number(n->t), e);
        json_put(o, "process", json_number(n->process), e);
        json_put(o, "n", json_number(n->n), e);
        json_put(o, "kind", json_text(n->kind), e);
        json_put(o, "text", json_text_or_null(n->text), e);
        json_append(list, o, e);
    }
    return list;
}

static json_t *lines(const struct report_data *d, bool (*next)(const struct report_data *, int, char *, int), int *e)
{
    json_t *list = json_array();
    char line[700];
    for (int i = 0; i < 100 && next(d, i, line, sizeof line); i++)
        json_append(list, json_text(line), e);
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
    json_put(root, "loopscope_report", json_integer(1), &error);
    json_put(root, "verdict", json_text(verdict), &error);
    json_put(root, "session", session(d, &error), &error);
    json_put(root, "processes", processes(d, &error), &error);
    json_put(root, "loops", loops(d, &error), &error);
    if (!error)
        json_put(root, "places", places(t, d, list, n, o->by, &error), &error);
    json_put(root, "stalls", stalls(d->stalls, d->n_stalls, &error), &error);
    json_put(root, "allowed", stalls(d->allowed, d->n_allowed, &error), &error);
    json_put(root, "calls", calls(t, d, &error), &error);
    json_put(root, "tasks", report_json_tasks(d, &error), &error);
    json_put(root, "task_groups", report_json_groups(t, d, &error), &error);
    json_put(root, "failures", report_json_failures(t, d, &error), &error);
    json_put(root, "unobserved", report_json_unobserved(t, d, &error), &error);
    json_put(root, "lints", lines(d, report_lint, &error), &error);
    json_put(root, "trust", lines(d, report_trust, &error), &error);
    json_put(root, "gaps", gaps(d, &error), &error);
    json_put(root, "notices", notices(d, &error), &error);
    if (!error && json_dumpf(root, out, JSON_INDENT(1)) == 0)
        fputc('\n', out); /* a failed write shows in ferror(out), which the caller checks */
    json_decref(root);
    free(list);
    return error;
}

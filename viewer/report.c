/* report.c - the report as text: verdict, stalls, loops, calls, tasks, and how far to trust it.  ASCII of our own, so
 * that it reads the same over any terminal and in any mail. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "remedy.h"
#include "report_tasks.h"

#define INDENT        13 /* where the lines under a stall begin */
#define LINES_MAX     24 /* of trust, and of lints */
#define STACK_LINES   2
#define HELD_UP_LEAST 1000000 /* ns in all */

/* --- the parts of the report ------------------------------------------------------------------------------------- */

static void heading(const struct page *p, const struct report_data *d)
{
    const struct report_session *s = &d->session;
    char parts[10][160], *list[10], program[64];
    int n = 0;
    report_program(d, program, sizeof program);
    const struct report_process *first = d->n_processes ? &d->processes[0] : NULL;
    if (d->n_processes > 1)
        snprintf(parts[n++], sizeof *parts, "%.60s (%s, %s)", program,
                 human_plural(d->n_processes, "process", "processes").s,
                 human_plural(s->threads, "thread", "threads").s);
    else if (first && s->threads > 1)
        snprintf(parts[n++], sizeof *parts, "%.60s (pid %" PRId64 ", %s)", program, first->pid,
                 human_plural(s->threads, "thread", "threads").s);
    else if (first)
        snprintf(parts[n++], sizeof *parts, "%.60s (pid %" PRId64 ")", program, first->pid);
    else
        snprintf(parts[n++], sizeof *parts, "%.60s", program);
    if (d->ranged)
        snprintf(parts[n++], sizeof *parts, "%s to %s of %s", human_offset(d->from).s, human_offset(d->to).s,
                 human_duration(s->duration).s);
    else
        snprintf(parts[n++], sizeof *parts, "%s", human_duration(s->duration).s);
    if (s->t0_realtime != NOT_KNOWN)
        snprintf(parts[n++], sizeof *parts, "from %s %.8s", human_date(s->t0_realtime).s,
                 human_clock(s->t0_realtime).s);
    snprintf(parts[n++], sizeof *parts, "%s", human_plural(d->n_loops, "loop", "loops").s);
    if (s->tasks > 0)
        snprintf(parts[n++], sizeof *parts, "%s", human_plural(s->tasks, "task", "tasks").s);
    if (s->events != NOT_KNOWN)
        snprintf(parts[n++], sizeof *parts, "%s", human_plural(s->events, "event", "events").s);
    if (s->lost != NOT_KNOWN)
        snprintf(parts[n++], sizeof *parts, "%s lost", human_count(s->lost).s);
    for (int i = 0; i < n; i++)
        list[i] = parts[i];
    page_flow(p, 0, list, n, ", ", 4, PLAIN);
    if (s->recording)
        page_paragraph(p, "", 2,
                       "STILL RECORDING: this is what is stored by now; stacks may get their names only at the end.",
                       BAD);
    else if (!s->finalized) {
        char text[512];
        snprintf(text, sizeof text,
                 "CUT SHORT: the recorder ended before its work did; `loopscope repair %.300s` finishes "
                 "the file. Here is what it had stored.",
                 s->path);
        page_paragraph(p, "", 2, text, BAD);
    }
    fputc('\n', p->f);
}

/* Who else had to wait, in words; nothing when nobody is known to have. */
static int held_up(const struct report_data *d, const struct place *pl, char *ret_text, int size)
{
    const struct report_stall *s = &d->stalls[pl->worst];
    bool tasks = s->loop >= 0 && strcmp(d->loops[s->loop].kind, "runtime") == 0;
    if (pl->victims <= (tasks ? 0 : pl->n))
        return 0; /* one event after a stall is only what the loop went on with */
    if (tasks && pl->victim_sum < HELD_UP_LEAST)
        return 0; /* ready for a moment when it was over */
    if (tasks)
        snprintf(ret_text, (size_t)size, "held up %s, %s in all", human_plural(pl->victims, "task", "tasks").s,
                 human_duration(pl->victim_sum).s);
    else
        snprintf(ret_text, (size_t)size, "held up %s", human_plural(pl->victims, "ready event", "ready events").s);
    return 1;
}

/* What speaks for the cause, where the cause leaves a question. */
static int evidence(const struct report_stall *s, char *ret_text, int size)
{
    double dur = s->dur > 0 ? (double)s->dur : 1;
    if (strcmp(s->cause, "cpu") == 0 && strncmp(s->detail, "on a CPU", 8) == 0)
        return 0; /* no stack was taken: it stands where the place would */
    if (strcmp(s->cause, "cpu") == 0 && s->cpu != NOT_KNOWN)
        snprintf(ret_text, (size_t)size, "on a CPU %s of it", human_percent((double)s->cpu / dur).s);
    else if ((strcmp(s->cause, "preempted") == 0 || strcmp(s->cause, "throttled") == 0) && s->runq != NOT_KNOWN)
        snprintf(ret_text, (size_t)size, "ready but without a CPU %s of it", human_percent((double)s->runq / dur).s);
    else if (strcmp(s->cause, "fault") == 0 && s->majflt != NOT_KNOWN)
        snprintf(ret_text, (size_t)size, "%s", human_plural(s->majflt, "page read from disk", "pages read").s);
    else if (strcmp(s->cause, "unknown") == 0 && s->cpu != NOT_KNOWN)
        snprintf(ret_text, (size_t)size, "CPU %s, without a CPU %s, asleep %s", human_duration(s->cpu).s,
                 human_duration(s->runq).s, human_duration(s->blocked).s);
    else
        return 0;
    return 1;
}

/* The line under a place: how often, who waited, where, when. */
static void context(const struct page *p, const struct report_data *d, const struct place *pl, struct trace *t)
{
    const struct report_stall *s = &d->stalls[pl->worst];
    char parts[10][200], *list[10];
    int n = 0;
    if (pl->n > 1)
        snprintf(parts[n++], sizeof *parts, "%s times, %s in all", human_count(pl->n).s, human_duration(pl->total).s);
    n += held_up(d, pl, parts[n], sizeof *parts);
    if (d->n_loops > 1 && pl->one_loop)
        report_loop_name(d, s->loop, parts[n++], sizeof *parts);
    else if (d->n_loops > 1)
        snprintf(parts[n++], sizeof *parts, "several loops");
    if (s->task != NOT_KNOWN && s->task != 0) {
        struct report_frame site;
        char made[PLACE_PIECE] = "";
        if (report_site(t, s->task_site, &site))
            place_frame(&site, made, sizeof made);
        snprintf(parts[n++], sizeof *parts, "%stask #%" PRId64 "%s%.40s%s%.80s", pl->one_task ? "" : "worst in ",
                 s->task, *s->task_name ? " " : "", s->task_name, *made ? " from " : "", made);
    }
    if (pl->n > 1)
        snprintf(parts[n++], sizeof *parts, "first at %s, last at %s", human_offset(pl->first_t).s,
                 human_offset(pl->last_t).s);
    else if (d->session.t0_realtime != NOT_KNOWN)
        snprintf(parts[n++], sizeof *parts, "at %s (%s)", human_offset(s->t).s,
                 human_clock(d->session.t0_realtime + s->t).s);
    else
        snprintf(parts[n++], sizeof *parts, "at %s", human_offset(s->t).s);
    n += evidence(s, parts[n], sizeof *parts);
    if (pl->n_ongoing)
        snprintf(parts[n++], sizeof *parts, "HAS NOT ENDED");
    if (pl->n_in_gap)
        snprintf(parts[n++], sizeof *parts, "events were lost here: cause not certain");
    for (int i = 0; i < n; i++)
        list[i] = parts[i];
    page_flow(p, INDENT, list, n, "; ", 4, PLAIN);
}

static void stack_line(const struct page *p, const struct place *pl, const struct report_data *d, struct trace *t)
{
    enum { MAX = 24 };
    const struct report_stall *s = &d->stalls[pl->worst];
    struct report_frame frames[REPORT_FRAMES];
    char pieces[MAX + 1][PLACE_PIECE], *list[MAX + 1];
    int depth = report_stack(t, s->stack, frames, REPORT_FRAMES), from = place_blamed(frames, depth, s->detail);
    int n = place_stack(frames + from, depth - from, pieces, MAX);
    if (n == 0)
        return;
    if (s->partial)
        snprintf(pieces[n++], sizeof *pieces, "(partial)");
    for (int i = 0; i < n; i++)
        list[i] = pieces[i];
    page_flow(p, INDENT, list, n, " < ", STACK_LINES, FAINT);
}

static void one_place(const struct page *p, const struct report_data *d, const struct place *pl, int rank,
                      struct trace *t)
{
    const struct report_stall *s = &d->stalls[pl->worst];
    const char *detail = *s->detail ? s->detail : *s->call_name ? s->call_name : "where is not known";
    char cut[300], length[HUMAN_SIZE];
    if (s->ongoing) /* at least as long as the recording saw of it */
        snprintf(length, sizeof length, "%.1s%.29s", s->dur > 0 ? ">" : "?",
                 s->dur > 0 ? human_duration(s->dur).s : "");
    else
        snprintf(length, sizeof length, "%.31s", human_duration(pl->longest).s);
    human_clean(detail, cut, sizeof cut);
    human_cut(cut, p->width - INDENT - 11);
    fprintf(p->f, "%2d  %s%7s%s  %s%-9s%s  %s\n", rank, page_on(p, BAD), length, page_off(p, BAD), page_on(p, CAUSE),
            s->cause, page_off(p, CAUSE), cut);
    context(p, d, pl, t);
    stack_line(p, pl, d, t);
    report_awaited_by(p, INDENT, s->task, s->task_name, s->t, t);
    const char *remedy = report_remedy(t, d, pl);
    if (*remedy)
        page_paragraph(p, "          => ", INDENT, remedy, PLAIN);
}

static void owner_line(const struct page *p, const struct report_data *d, const struct place *pl, enum place_by by)
{
    const struct report_stall *s = &d->stalls[pl->worst];
    char name[160];
    if (by == BY_LOOP)
        report_loop_name(d, s->loop, name, sizeof name);
    else if (s->task == NOT_KNOWN || s->task == 0)
        snprintf(name, sizeof name, "no task");
    else
        snprintf(name, sizeof name, "#%" PRId64 " %.100s", s->task, s->task_name);
    human_clean(name, name, sizeof name);
    fprintf(p->f, "%s%s: %s, %s in all%s\n", page_on(p, TITLE), name, human_plural(pl->owner_n, "stall", "stalls").s,
            human_duration(pl->owner_total).s, page_off(p, TITLE));
}

static void stalls(const struct page *p, const struct report_data *d, const struct report_options *o,
                   const struct place *places, int n, struct trace *t)
{
    fprintf(p->f, "%sSTALLS over %s, worst harm first%s\n", page_on(p, TITLE), human_duration(d->session.threshold).s,
            page_off(p, TITLE));
    int64_t rest = 0, rest_total = 0;
    for (int i = 0; i < n; i++) {
        if (i >= o->top) {
            rest += places[i].n;
            rest_total += places[i].total;
            continue;
        }
        if (o->by != BY_PLACE && (i == 0 || places[i].owner != places[i - 1].owner))
            owner_line(p, d, &places[i], o->by);
        one_place(p, d, &places[i], i + 1, t);
    }
    if (rest)
        fprintf(p->f, "    and %s in %s, %s in all: -n %d shows them\n", human_plural(rest, "more", "more").s,
                human_plural(n - o->top, "place", "places").s, human_duration(rest_total).s, n);
    fputc('\n', p->f);
}

static int loops(const struct page *p, const struct report_data *d, const struct report_options *o)
{
    static const char *const titles[] = { "LOOPS", "thread", "busy", "turns", "turn p50", "p99", "max", "late wakes" };
    struct table t;
    int shown = d->n_loops < 2 * o->top ? d->n_loops : 2 * o->top; /* few, most often; a thousand threads do happen */
    if (table_make(&t, shown, 8, titles, 3) != 0)
        return -ENOMEM;
    for (int i = 0; i < shown; i++) {
        const struct report_loop *l = &d->loops[i];
        char name[120];
        double all = (double)l->busy + (double)l->poll;
        report_loop_name(d, i, name, sizeof name);
        table_cell(&t, 0, "%s %s", strncmp(name, "loop ", 5) == 0 ? name + 5 : name, l->kind);
        if (*l->thread_name || l->tid == NOT_KNOWN)
            table_cell(&t, 1, "%.20s", *l->thread_name ? l->thread_name : "-");
        else
            table_cell(&t, 1, "tid %" PRId64, l->tid);
        table_cell(&t, 2, "%s", l->iterations ? human_percent(all > 0 ? (double)l->busy / all : 0).s : "-");
        table_cell(&t, 3, "%s", human_count(l->iterations).s);
        table_cell(&t, 4, "%s", human_duration(l->busy_p50).s);
        table_cell(&t, 5, "%s", human_duration(l->busy_p99).s);
        table_cell(&t, 6, "%s", human_duration(l->busy_max).s);
        table_cell(&t, 7, "%s", human_count(l->late_polls).s);
        t.rows++;
    }
    table_print(p, &t);
    if (shown < d->n_loops)
        fprintf(p->f, " and %s\n", human_plural(d->n_loops - shown, "more loop", "more loops").s);
    fputc('\n', p->f);
    return 0;
}

static int calls(const struct page *p, const struct report_data *d, const struct report_options *o, struct trace *trace)
{
    char title[80];
    snprintf(title, sizeof title, "CALLS under %s on a loop thread", human_duration(d->session.threshold).s);
    const char *titles[] = { title, "n", "total", "max", "from" };
    struct table t;
    if (table_make(&t, o->top, 5, titles, 1 | 16) != 0)
        return -ENOMEM;
    for (int i = 0; i < d->n_calls && t.rows < o->top; i++) {
        const struct report_call *c = &d->calls[i];
        struct report_frame frames[REPORT_FRAMES];
        char from[PLACE_PIECE] = "", name[300];
        if (c->over)
            continue;
        int at = place_culprit(frames, report_stack(trace, c->stack, frames, REPORT_FRAMES));
        if (at >= 0)
            place_frame(&frames[at], from, sizeof from);
        report_call_name(c, name, sizeof name);
        table_cell(&t, 0, "%.120s", name);
        table_cell(&t, 1, "%s", human_count(c->n).s);
        table_cell(&t, 2, "%s", human_duration(c->total).s);
        table_cell(&t, 3, "%s", human_duration(c->longest).s);
        table_cell(&t, 4, "%s", from);
        t.rows++;
    }
    if (t.rows) {
        table_print(p, &t);
        fputc('\n', p->f);
    } else {
        free(t.cells);
    }
    return 0;
}

static void no_loop(const struct page *p, const struct report_data *d)
{
    static const char *const reasons[] = {
        "it has no event loop: no thread came back again and again to epoll_wait, poll, select or io_uring_enter;",
        "it ended, or its children did, before a loop began;",
        "it is static, setuid or written in Go: the preload is not loaded (`file PROGRAM` tells);",
        "it polls by raw system calls, which cannot be seen.",
    };
    if (d->session.attached == 0)
        fprintf(p->f, "The preload took in none of its processes.\n");
    fprintf(p->f, "\nIt can be that\n");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        page_paragraph(p, " - ", 3, reasons[i], PLAIN);
    }
    page_paragraph(p, "", 0,
                   "`loopscope record --selftest -- COMMAND` tells whether the preload took. A program linked with "
                   "libloopscope needs none.",
                   PLAIN);
    if (d->session.exit_status != NOT_KNOWN && d->session.exit_status != 0)
        fprintf(p->f, "The program ended with exit status %" PRId64 ".\n", d->session.exit_status);
    fputc('\n', p->f);
}

/* Not a word about those that people and supervisors end a program by. */
static void killed_by(const struct page *p, const struct report_data *d)
{
    int64_t nr = d->session.exit_signal;
    const char *name = nr > 0 && nr < NSIG ? strsignal((int)nr) : NULL;
    if (!name || nr == SIGTERM || nr == SIGINT || nr == SIGHUP)
        return;
    fprintf(p->f, "The program was killed by signal %" PRId64 " (%s)", nr, name);
    if (d->last != NOT_KNOWN)
        fprintf(p->f, " while task %.40s #%" PRId64 " ran", d->last_name, d->last);
    fprintf(p->f, ".\n");
}

static void bullets(const struct page *p, const struct report_data *d, const char *title,
                    bool (*next)(const struct report_data *, int, char *, int))
{
    char text[700];
    for (int i = 0; i < LINES_MAX && next(d, i, text, sizeof text); i++) {
        if (i == 0)
            fprintf(p->f, "%s%s%s\n", page_on(p, TITLE), title, page_off(p, TITLE));
        page_paragraph(p, " - ", 3, text, PLAIN);
    }
}

int report_text(FILE *out, struct trace *t, const struct report_data *d, const struct report_options *o)
{
    struct page page = { out, o->width < 60 ? 60 : o->width, o->colour }, *p = &page;
    struct place *places = NULL;
    int n = 0, error = place_group(d, BY_PLACE, &places, &n);
    char text[700];
    if (error)
        return error;
    heading(p, d);
    report_verdict(t, d, places, n, text, sizeof text);
    page_paragraph(p, "", 0, text, TITLE);
    killed_by(p, d);
    if (d->n_loops == 0 && d->n_stalls == 0)
        no_loop(p, d);
    else
        fputc('\n', out);
    if (o->by != BY_PLACE) {
        free(places);
        error = place_group(d, o->by, &places, &n);
        if (error)
            return error;
    }
    if (n > 0)
        stalls(p, d, o, places, n, t);
    free(places);
    report_allowed(p, d, o);
    if (d->n_loops > 0 && (error = loops(p, d, o)))
        return error;
    if ((error = calls(p, d, o, t)) || (error = report_tasks(p, d, o, t)))
        return error;
    report_failures(p, d, o, t);
    if ((error = report_unobserved(p, d, o, t)))
        return error;
    if (report_lint(d, 0, text, sizeof text)) {
        bullets(p, d, "WORTH A LOOK", report_lint);
        fputc('\n', out);
    }
    bullets(p, d, "HOW FAR TO TRUST THIS", report_trust);
    return 0;
}

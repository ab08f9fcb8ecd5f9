/* report_words.c - the sentences that the text and the JSON report share: verdict, trust, lints, names.  Pure but for
 * the stack that the verdict names. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "remedy.h"
#include "report.h"

#define SHORT INT64_C(1000000000) /* a share of less than this says little */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The first word of a command line, without its folder. */
static bool called(const char *line, char *ret_name, int size)
{
    char word[300];
    snprintf(word, sizeof word, "%.299s", line);
    word[strcspn(word, " :")] = 0;
    human_clean(base_name(word), ret_name, size);
    return *word != 0;
}

void report_program(const struct report_data *d, char *ret_text, int size)
{
    /* The first with a loop and a name; a short-lived child may have gone before its name was read. */
    const struct report_process *best = NULL;
    for (int i = 0; i < d->n_processes; i++) {
        const struct report_process *p = &d->processes[i];
        if ((*p->cmdline || *p->exe) && (!best || (p->n_loops && !best->n_loops)))
            best = p;
    }
    /* By the name it was called with: the file may be another one's link (redis-server to redis-check-rdb). */
    if ((best && called(best->cmdline, ret_text, size)) || (best && called(best->exe, ret_text, size)) ||
        called(d->session.argv, ret_text, size))
        return;
    snprintf(ret_text, (size_t)size, "the program");
}

static int processes_with_loops(const struct report_data *d)
{
    int n = 0;
    for (int i = 0; i < d->n_processes; i++)
        n += d->processes[i].n_loops > 0;
    return n;
}

void report_loop_name(const struct report_data *d, int loop, char *ret_text, int size)
{
    if (loop < 0 || loop >= d->n_loops) {
        snprintf(ret_text, (size_t)size, "loop ?");
        return;
    }
    const struct report_loop *l = &d->loops[loop];
    char pid[40] = "";
    if (processes_with_loops(d) > 1 && l->process >= 0)
        snprintf(pid, sizeof pid, " (pid %" PRId64 ")", d->processes[l->process].pid);
    snprintf(ret_text, (size_t)size, "loop %" PRId64 "%s%.40s%s", l->id, *l->name ? " " : "", l->name, pid);
}

void report_call_name(const struct report_call *c, char *ret_text, int size)
{
    if (*c->detail && strchr(c->detail, '(') && strncmp(c->detail, c->name, strlen(c->name)) == 0)
        snprintf(ret_text, (size_t)size, "%s", c->detail); /* it is written out already */
    else if (*c->detail)
        snprintf(ret_text, (size_t)size, "%s(%s)", c->name, c->detail);
    else if (c->fd != NOT_KNOWN && c->fd >= 0)
        snprintf(ret_text, (size_t)size, "%s(fd %" PRId64 ")", c->name, c->fd);
    else
        snprintf(ret_text, (size_t)size, "%s", c->name);
}

static enum remedy_language language_of(const struct report_data *d, int loop)
{
    if (loop < 0)
        return REMEDY_C;
    int p = d->loops[loop].process;
    return remedy_language(p >= 0 ? d->processes[p].exe : "", d->loops[loop].kind);
}

/* libuv's spawn reads a pipe until the child has called exec: a read, but nobody's file. */
static bool is_spawn(struct trace *t, const struct report_stall *s)
{
    struct report_frame frames[8]; /* our own wrapper is four of them */
    int n = s->stack == NOT_KNOWN ? 0 : report_stack(t, s->stack, frames, 8);
    for (int i = 0; i < n; i++)
        if (strcmp(frames[i].function, "uv_spawn") == 0)
            return true;
    return false;
}

const char *report_remedy(struct trace *t, const struct report_data *d, const struct place *p)
{
    const struct report_stall *s = &d->stalls[p->worst];
    char call[64];
    snprintf(call, sizeof call, "%s", s->call_name);
    if (!*call) /* a call that never returned has no row; the detail begins with its name */
        snprintf(call, sizeof call, "%.*s", (int)strcspn(s->detail, "( "), s->detail);
    if (strcmp(call, "read") == 0 && is_spawn(t, s))
        snprintf(call, sizeof call, "posix_spawn");
    return remedy_for(s->cause, call, language_of(d, s->loop));
}

/* --- the verdict ----------------------------------------------------------------------------------------------- */

/* " in fsync called from db_commit (store.c:218)" */
static void verdict_place(struct trace *t, const struct report_stall *s, char *ret_text, int size)
{
    static const struct {
        const char *cause, *in_place, *alone;
    } causes[] = { { "cpu", "computing in", "computing" },
                   { "lock", "waiting for a lock in", "waiting for a lock" },
                   { "fault", "waiting for memory from disk in", "waiting for memory from disk" },
                   { "preempted", "while other programs had the CPU, in", "while other programs had the CPU" },
                   { "throttled", "out of CPU quota, in", "out of CPU quota" },
                   { "stopped", "stopped from outside, in", "stopped from outside" },
                   { "unknown", "cause not known, in", "cause not known" } };
    const char *words = "in", *alone = s->cause;
    struct report_frame frames[REPORT_FRAMES];
    char place[PLACE_PIECE] = "";
    int n = report_stack(t, s->stack, frames, REPORT_FRAMES), blamed = place_blamed(frames, n, s->detail);
    int at = blamed > 0 ? blamed : place_culprit(frames, n);

    if (at >= 0) {
        place_frame(&frames[at], place, sizeof place);
        char *blank = strchr(place, ' ');
        if (blank && *frames[at].file && frames[at].line > 0) { /* "f file.c:1" -> "f (file.c:1)" */
            char file[PLACE_PIECE];
            blank = strrchr(place, ' ');
            snprintf(file, sizeof file, "%s", blank + 1);
            snprintf(blank, (size_t)(place + sizeof place - blank), " (%.90s)", file);
        }
    }
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (strcmp(causes[i].cause, s->cause) == 0) {
            words = causes[i].in_place;
            alone = causes[i].alone;
        }
    if (*s->call_name && *place)
        snprintf(ret_text, (size_t)size, "in %.40s called from %s", s->call_name, place);
    else if (*s->call_name)
        snprintf(ret_text, (size_t)size, "in %.120s", *s->detail ? s->detail : s->call_name);
    else if (*place)
        snprintf(ret_text, (size_t)size, "%s %s", words, place);
    else
        snprintf(ret_text, (size_t)size, *s->detail ? "%s (%.120s)" : "%s", alone, s->detail);
}

static void verdict_quiet(const struct report_data *d, char *ret_text, int size)
{
    const struct report_loop *worst = NULL;
    for (int i = 0; i < d->n_loops; i++)
        if (d->loops[i].busy_max != NOT_KNOWN && (!worst || d->loops[i].busy_max > worst->busy_max))
            worst = &d->loops[i];
    int used = 0;
    if (d->session.lost > 0)
        used =
            snprintf(ret_text, (size_t)size, "No stall was seen, but %s lost: whether there was one is not determined",
                     human_plural(d->session.lost, "event was", "events were").s);
    else if (d->n_loops > 1)
        used = snprintf(ret_text, (size_t)size, "No stall: none of the %d loops was busy for longer than %s",
                        d->n_loops, human_duration(d->session.threshold).s);
    else
        used = snprintf(ret_text, (size_t)size, "No stall: the loop was never busy for longer than %s",
                        human_duration(d->session.threshold).s);
    if (worst)
        snprintf(ret_text + used, (size_t)(size - used), "; the longest busy period was %s, at %s.",
                 human_duration(worst->busy_max).s, human_offset(worst->busy_max_t).s);
    else
        snprintf(ret_text + used, (size_t)(size - used), ".");
}

void report_verdict(struct trace *t, const struct report_data *d, const struct place *places, int n, char *ret_text,
                    int size)
{
    if (d->n_loops == 0 && d->n_stalls == 0) {
        snprintf(ret_text, (size_t)size, "No event loop was seen%s.", d->session.recording ? " yet" : "");
        return;
    }
    if (n == 0) {
        verdict_quiet(d, ret_text, size);
        return;
    }
    int loops = 0, ongoing = 0;
    int64_t total = 0;
    for (int i = 0; i < n; i++) {
        total += places[i].total;
        ongoing += places[i].n_ongoing;
    }
    char *seen = calloc((size_t)d->n_loops + 1, 1);
    for (int i = 0; seen && i < d->n_stalls; i++)
        if (d->stalls[i].loop >= 0 && !seen[d->stalls[i].loop]++)
            loops++;
    free(seen);
    char who[64] = "The loop was", often[96], where[400];
    if (d->n_loops > 1 && loops == d->n_loops)
        snprintf(who, sizeof who, "%s loops were", loops == 2 ? "Both" : "All");
    else if (d->n_loops > 1)
        snprintf(who, sizeof who, "%d of %d loops %s", loops, d->n_loops, loops == 1 ? "was" : "were");
    if (d->n_stalls == 1)
        snprintf(often, sizeof often, "once, for");
    else
        snprintf(often, sizeof often, "%s times, %s in all; worst", human_count(d->n_stalls).s,
                 human_duration(total).s);
    /* The worst harm is not always the longest stall; who reads only this line is to know both. */
    const struct place *longest = &places[0];
    for (int i = 1; i < n; i++)
        if (places[i].longest > longest->longest)
            longest = &places[i];
    verdict_place(t, &d->stalls[places[0].worst], where, sizeof where);
    int used = snprintf(ret_text, (size_t)size, "%s blocked %s%s %s, %s", who, often,
                        longest == &places[0] ? "" : " harm:", human_duration(places[0].longest).s, where);
    if (longest != &places[0] && used < size) {
        verdict_place(t, &d->stalls[longest->worst], where, sizeof where);
        used += snprintf(ret_text + used, (size_t)(size - used), "; longest: %s, %s",
                         human_duration(longest->longest).s, where);
    }
    if (used < size)
        snprintf(ret_text + used, (size_t)(size - used), ".%s", ongoing ? " It has not ended." : "");
}

/* --- trust and lints: numbered lines, so that text and JSON can each go through them ----------------------------- */

struct lines {
    int wanted, at;
    char *text;
    int size;
};

/* True when this is the line that was asked for. */
__attribute__((format(printf, 2, 3))) static bool line(struct lines *l, const char *format, ...)
{
    if (l->at++ != l->wanted)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(l->text, (size_t)l->size, format, args);
    va_end(args);
    return true;
}

/* Each reason for lost events once: "ring full 1,204, ...". */
static void gap_reasons(const struct report_data *d, char *ret_text, int size)
{
    int used = 0;
    *ret_text = 0;
    for (int i = 0; i < d->n_gaps && i < 1000 && used < size - 80; i++) {
        const char *reason = *d->gaps[i].reason ? d->gaps[i].reason : "not known";
        int64_t lost = 0;
        bool first = true;
        for (int j = 0; j < d->n_gaps && j < 1000; j++) {
            if (strcmp(*d->gaps[j].reason ? d->gaps[j].reason : "not known", reason) != 0)
                continue;
            first &= j >= i;
            lost += d->gaps[j].lost;
        }
        if (first)
            used += snprintf(ret_text + used, (size_t)(size - used), "%s%.40s: %s", used ? ", " : "", reason,
                             human_count(lost).s);
    }
}

/* Its recorder did not come to its end, whether it was repaired since or not. */
static bool cut_short(const struct report_session *s)
{
    return strcmp(s->ended_by, "killed") == 0 || (!s->finalized && !s->recording);
}

static bool trust_losses(const struct report_data *d, struct lines *l)
{
    const struct report_session *s = &d->session;
    char why[300];
    if (s->lost <= 0 && d->n_gaps == 0 && cut_short(s))
        return line(l, "the recorder was killed: what came after its last commit is not here");
    if (s->lost <= 0 && d->n_gaps == 0)
        return line(l, "%s", s->lost == 0 ? "no events lost" : "how many events were lost is not known");
    gap_reasons(d, why, sizeof why);
    if (d->n_gaps == 0)
        return line(l, "%s lost, when and why is not known", human_plural(s->lost, "event was", "events were").s);
    return line(l, "%s lost in %s (%s), the first at %s: figures are too low there, and a quiet stretch proves nothing",
                human_plural(s->lost, "event was", "events were").s, human_plural(d->n_gaps, "gap", "gaps").s, why,
                human_offset(d->gaps[0].t).s);
}

/* A stall without a stack, and the reasons the recorder gave. */
static bool trust_stacks(const struct report_data *d, struct lines *l)
{
    int64_t without = 0, suppressed = 0, in_gap = 0;
    for (int i = 0; i < d->n_stalls; i++) {
        without += d->stalls[i].stack == NOT_KNOWN;
        suppressed += d->stalls[i].suppressed;
        in_gap += d->stalls[i].in_gap != 0;
    }
    if (d->session.samples > 0 && line(l, "%s of %s partial", human_count(d->session.samples_partial).s,
                                       human_plural(d->session.samples, "sampled stack", "sampled stacks").s))
        return true;
    char why[300] = "";
    int used = 0;
    for (int i = 0; i < d->n_notices && used < (int)sizeof why - 110; i++)
        if (strcmp(d->notices[i].kind, "no_stack") == 0)
            used += snprintf(why + used, sizeof why - (size_t)used, "%s%.100s", used ? "; " : ": ", d->notices[i].text);
    if (without > 0 && line(l, "%s of %s without a stack%s", human_count(without).s,
                            human_plural(d->n_stalls, "stall", "stalls").s, why))
        return true;
    if (suppressed > 0 && line(l, "%s not taken: more than 5 a minute from one place",
                               human_plural(suppressed, "stack was", "stacks were").s))
        return true;
    return in_gap > 0 && line(l, "%s where events were lost: the cause may be wrong",
                              human_plural(in_gap, "stall lies", "stalls lie").s);
}

/* A script whose functions have no names in the stacks: how to get them. */
static const char *nameless_script(const struct report_data *d)
{
    bool asked = strstr(d->session.argv, "perf") != NULL; /* it was run so, and the names are missing all the same */
    for (int i = 0; i < d->n_loops && d->session.scripted <= 0 && d->n_stalls > 0 && !asked; i++) {
        if (language_of(d, i) == REMEDY_PYTHON)
            return "Python functions have no names in these stacks: run it with `python3 -X perf` (3.12 or newer)";
        if (language_of(d, i) == REMEDY_NODE)
            return "JavaScript functions have no names in these stacks: run it with `node --perf-basic-prof`";
    }
    return NULL;
}

bool report_trust(const struct report_data *d, int i, char *ret_text, int size)
{
    struct lines l = { .wanted = i, .text = ret_text, .size = size };
    const struct report_session *s = &d->session;
    if (trust_losses(d, &l) || trust_stacks(d, &l))
        return true;
    if (s->rows_lost > 0 &&
        line(&l, "%s not stored (disk full or write error)", human_plural(s->rows_lost, "row was", "rows were").s))
        return true;
    if (s->refused > 0 &&
        line(&l, "%s not recorded: no slot was free", human_plural(s->refused, "thread was", "threads were").s))
        return true;
    for (int k = 0; k < d->n_notices; k++) {
        const struct report_notice *n = &d->notices[k];
        if (strcmp(n->kind, "no_stack") == 0)
            continue;
        char times[HUMAN_SIZE + 16] = "";
        if (n->n > 1)
            snprintf(times, sizeof times, " (%s times)", human_count(n->n).s);
        if (line(&l, "%s%s", *n->text ? n->text : n->kind, times))
            return true;
    }
    if (*s->ended_by && !cut_short(s) && line(&l, "the recording was ended by %.60s, the program went on", s->ended_by))
        return true;
    const char *nameless = nameless_script(d);
    if (nameless && line(&l, "%s", nameless))
        return true;
    if (s->recorder_cpu != NOT_KNOWN && s->recorder_cpu >= 0 && s->duration < SHORT &&
        line(&l, "the recorder used %s of CPU", human_duration(s->recorder_cpu).s))
        return true;
    if (s->recorder_cpu != NOT_KNOWN && s->recorder_cpu >= 0 && s->duration >= SHORT &&
        line(&l, "the recorder used %.1f %% of a core", 100 * (double)s->recorder_cpu / (double)s->duration))
        return true;
    if (d->n_loops > 0 && s->tasks <= 0 &&
        line(&l, "tasks are not seen in a loop that is not ours: loops, calls and stacks only"))
        return true;
    return line(&l, "not seen: calls inside static code, raw system calls, setuid programs, Go");
}

/* How long stalls of a loop were spent asleep; one that was ready but had no CPU would have computed. */
static double slept(const struct report_stall *v, int n, int64_t loop)
{
    static const char *const asleep[] = { "call", "lock", "fault", "unknown" };
    double sum = 0;
    for (int i = 0; i < n; i++)
        for (size_t k = 0; v[i].loop_id == loop && k < sizeof asleep / sizeof *asleep; k++)
            sum += strcmp(v[i].cause, asleep[k]) == 0 ? (double)v[i].dur : 0;
    return sum;
}

/* Its tasks keep each other from running: computing in tasks gains nothing over computing one after the other. */
static bool computes(const struct report_data *d, const struct report_loop *p)
{
    enum { LEAST = 50000000 }; /* ns */
    double computed = (double)p->busy, all = (double)p->busy + (double)p->poll;
    computed -= slept(d->stalls, d->n_stalls, p->id) + slept(d->allowed, d->n_allowed, p->id);
    for (int i = 0; i < d->n_calls; i++)
        if (d->calls[i].loop_id == p->id && !d->calls[i].over)
            computed -= (double)d->calls[i].total;
    return p->tasks_queued > 1 && p->busy > LEAST && computed > 0.9 * all && p->tasks_queue > p->busy / 2;
}

bool report_lint(const struct report_data *d, int i, char *ret_text, int size)
{
    struct lines l = { .wanted = i, .text = ret_text, .size = size };
    char name[300];
    if (d->deadlock != NOT_KNOWN &&
        line(&l, "deadlock: all tasks of a loop waited for one another at %s, loopscope tree shows who",
             human_offset(d->deadlock).s))
        return true;
    if (d->refused > 0 && line(&l, "%s with EDEADLK, first at %s: %s",
                               human_plural(d->refused, "wait was refused", "waits were refused").s,
                               human_offset(d->refused_at).s, d->refused_words + strlen("deadlock: ")))
        return true;
    if (d->abandoned > 0 && line(&l, "%s on awaiting when main was over, whatever ECANCELED said (%.40s)",
                                 human_plural(d->abandoned, "task went", "tasks went").s, d->abandoned_name))
        return true;
    for (int k = 0; k < d->n_calls; k++) {
        const char *words = d->calls[k].over ? NULL : remedy_lint(d->calls[k].name);
        report_call_name(&d->calls[k], name, sizeof name);
        human_cut(name, 50);
        if (words && line(&l, "%s %s", name, words))
            return true;
    }
    for (int k = 0; k < d->n_loops; k++) {
        const struct report_loop *p = &d->loops[k];
        report_loop_name(d, k, name, sizeof name);
        if (computes(d, p) &&
            line(&l,
                 "%s is CPU-bound: busy %s of the time, and %s ready for %s in all while others ran. "
                 "Tasks share one CPU: what computes gains by ls_to_thread, ls_pool_* or processes",
                 name, human_percent((double)p->busy / ((double)p->busy + (double)p->poll)).s,
                 human_plural(p->tasks_queued, "task was", "tasks were").s, human_duration(p->tasks_queue).s))
            return true;
        if (p->iterations < 100)
            continue; /* shares of a few turns say nothing */
        if ((double)p->busy > 0.9 * ((double)p->busy + (double)p->poll) && !computes(d, p) &&
            line(&l, "%s was busy %s of the time: a burst has to wait", name,
                 human_percent((double)p->busy / ((double)p->busy + (double)p->poll)).s))
            return true;
        /* A turn with timeout 0 is how asyncio runs what is ready: only nearly all of them, a thousand a second, spin. */
        if (p->empty_polls > p->iterations / 10 * 9 && p->iterations > (p->busy + p->poll) / 1000000 &&
            line(&l, "%s polls without waiting and finds nothing in %s of its turns: it burns CPU", name,
                 human_percent((double)p->empty_polls / (double)p->iterations).s))
            return true;
        if (p->full_polls > p->iterations / 5 &&
            line(&l, "%s got as many events as it asked for in %s of its turns: more were waiting, ask for more", name,
                 human_percent((double)p->full_polls / (double)p->iterations).s))
            return true;
    }
    return d->never_ran > 0 && line(&l, "%s made but never ran (%.40s)",
                                    human_plural(d->never_ran, "task was", "tasks were").s, d->never_name);
}

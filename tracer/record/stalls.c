/* stalls.c - collects what is known about each busy period that was too long and writes it down.
 *
 * A thread's events come in order: the calls of a busy period first, then the EV_POLL that ends it.  What the watchdog
 * saw comes from another thread, a look later; so a stall waits in `pending` until it has come, or cannot come any more.
 * Owned and run by the recorder's storing thread. */
#include "stalls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "judge.h"
#include "place.h"
#include "stackbook.h"
#include "symbol.h"
#include "unwind.h"

#define CALLS_KEPT    512 /* of one busy period; shorter ones beyond are only summed by the judge's share */
#define PENDING_WAIT  (3 * 1000000000ll) /* a note that has not come by then will not */
#define DEATH_WAIT_MS 200
#define DEATHS_WAITED 5 /* in a row without an answer; then nobody is waited for */
#define FULL_STACKS   5 /* samples stored a minute for one place */
#define PLACES        256
#define RAN_KEPT      4
#define LASTING       (1000 * 1000 * 1000ull) /* a stall is told before its end when it has lasted this long */

struct kept_call {
    struct judge_call call;
    char detail[128];
    int64_t stack; /* ROW_NULL when it has none */
};

struct thread_state {
    int64_t row, loop;
    struct process *process;
    uint32_t slot, generation;
    pid_t tid;
    struct kept_call *calls; /* of the open busy period */
    int n_calls, cap_calls;
    struct ran {
        int64_t task, run;
    } ran[RAN_KEPT];    /* the longest runs of the open busy period, the longest first; run 0: none */
    int64_t ongoing_id; /* stall row already written for the busy period that lasts, 0 none */
    ticks_t ongoing_since;
    struct watch_note *note; /* of a busy period that ended by death; NULL when there is none */
    int64_t allow_from;      /* it may block since then; ROW_NULL: it may not */
    int64_t allowed;         /* ns of the open busy period in which it might, without the block that is open */
    char allow_why[128];     /* of the last such block */
    ticks_t closed; /* `since` of the last busy period that has ended: the watchdog may know that later than we */
};

struct pending {
    struct row_iteration iteration;
    ticks_t since;
    bool in_gap;
    struct thread_state *thread;
    struct kept_call *calls; /* taken over */
    int n_calls;
    int64_t task, id;
    int64_t allowed;         /* ns of it in which it might block, */
    char allow_why[128];     /* and why; "": it might not */
    int64_t deadline;        /* ns: settle without a note then */
    struct watch_note *note; /* when it is here already */
};

struct place_count { /* for suppression: how many full stacks a place had in this minute */
    char fingerprint[33];
    int64_t minute;
    int n;
};

struct stalls {
    struct stalls_options o;
    struct module_files *files;
    struct unwinder *unwinder;
    struct symbolizer *symbolizer;
    struct stackbook *book;
    struct thread_state **threads; /* by thread row */
    int64_t n_threads;
    struct thread_state **loops; /* by loop row */
    int64_t n_loops;
    struct pending *pending;
    int n_pending, cap_pending;
    int64_t next_stall, next_sample, next_notice;
    int deaths_unseen;
    struct place_count places[PLACES];
    struct stalls_summary summary;
};

static void put_module(void *ctx, const struct row_module *row)
{
    store_module(ctx, row);
}
static void put_frame(void *ctx, const struct row_frame *row)
{
    store_frame(ctx, row);
}
static void put_stack(void *ctx, const struct row_stack *row)
{
    store_stack(ctx, row);
}

struct stalls *stalls_new(const struct stalls_options *options)
{
    struct stalls *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->o = *options;
    s->files = module_files_new();
    s->unwinder = unwinder_new();
    s->symbolizer = symbolizer_new();
    s->book = stackbook_new(&(struct stackbook_sink){ options->store, put_module, put_frame, put_stack });
    if (!s->files || !s->unwinder || !s->symbolizer || !s->book) {
        stalls_free(s);
        return NULL;
    }
    return s;
}

void stalls_free(struct stalls *s)
{
    if (!s)
        return;
    for (int64_t i = 0; i < s->n_threads; i++)
        if (s->threads[i]) {
            free(s->threads[i]->calls);
            free(s->threads[i]);
        }
    for (int i = 0; i < s->n_pending; i++)
        free(s->pending[i].calls);
    free(s->pending);
    free(s->threads);
    free(s->loops);
    stackbook_free(s->book);
    symbolizer_free(s->symbolizer);
    unwinder_free(s->unwinder);
    free(s); /* the files stay open as long as we run: the processes hold maps of them */
}

/* Makes room for index i in an array of pointers. */
static bool grow(struct thread_state ***v, int64_t *n, int64_t i)
{
    if (i < *n)
        return true;
    struct thread_state **w = realloc(*v, (size_t)(i + 64) * sizeof(struct thread_state *));
    if (!w)
        return false;
    memset(w + *n, 0, (size_t)(i + 64 - *n) * sizeof(struct thread_state *));
    *v = w;
    *n = i + 64;
    return true;
}

int stalls_thread(struct stalls *s, int64_t thread, struct process *process, uint32_t slot, uint32_t generation,
                  pid_t tid)
{
    struct thread_state *t = calloc(1, sizeof *t);
    if (!t || !grow(&s->threads, &s->n_threads, thread)) {
        free(t);
        return -ENOMEM;
    }
    *t = (struct thread_state){ .row = thread,
                                .loop = ROW_NULL,
                                .process = process,
                                .slot = slot,
                                .generation = generation,
                                .tid = tid,
                                .allow_from = ROW_NULL };
    s->threads[thread] = t;
    process_map(process, s->files); /* opened now: it may be dead when its first stack comes */
    return 0;
}

static struct thread_state *thread_of(struct stalls *s, int64_t row)
{
    return row >= 0 && row < s->n_threads ? s->threads[row] : NULL;
}

void stalls_thread_end(struct stalls *s, int64_t thread)
{
    struct thread_state *t = thread_of(s, thread);
    if (!t)
        return;
    free(t->calls);
    t->calls = NULL;
    t->n_calls = t->cap_calls = 0;
    if (t->note)
        watch_note_clear(t->note);
    free(t->note);
    t->note = NULL;
}

void stalls_loop(struct stalls *s, int64_t thread, int64_t loop)
{
    struct thread_state *t = thread_of(s, thread);
    if (!t || loop < 0 || !grow(&s->loops, &s->n_loops, loop))
        return;
    t->loop = loop;
    s->loops[loop] = t;
}

/* The stack that a wrapper sent along, as a copy the unwinder takes. */
static struct stack_copy *copy_of_event(const struct ls_event *e, pid_t pid, pid_t tid)
{
    struct stack_copy *copy = calloc(1, sizeof *copy + e->id);
    if (!copy)
        return NULL;
    copy->pid = pid;
    copy->tid = tid;
    copy->time = e->time;
    copy->cut = e->flags & EV_STACK_CUT;
    copy->sp = e->a;
    copy->size = e->id;
    memcpy(&copy->regs, e + 1, sizeof copy->regs);
    memcpy(copy->bytes, (const char *)(e + 1) + sizeof copy->regs, e->id);
    return copy;
}

static int64_t add_stack(struct stalls *s, struct thread_state *t, const struct stack_copy *copy, bool *ret_partial)
{
    struct module_map *map = process_map(t->process, s->files);
    *ret_partial = true;
    if (!map)
        return ROW_NULL;
    int64_t id = stackbook_add(s->book, t->process->row.id, map, s->unwinder, s->symbolizer, copy, ret_partial);
    s->summary.stacks++;
    s->summary.partial += *ret_partial;
    return id;
}

static void keep_call(struct thread_state *t, const struct assembled_call *c, int64_t stack)
{
    if (t->n_calls == CALLS_KEPT)
        return;
    if (t->n_calls == t->cap_calls) {
        int cap = t->cap_calls ? 2 * t->cap_calls : 8;
        struct kept_call *v = realloc(t->calls, (size_t)cap * sizeof *v);
        if (!v)
            return;
        t->calls = v;
        t->cap_calls = cap;
    }
    struct kept_call *k = &t->calls[t->n_calls++];
    *k = (struct kept_call){
        .call = { .call = c->call,
                  .t = (ns_t)c->row.t,
                  .dur = (ns_t)c->row.dur,
                  .fd = c->row.fd == ROW_NULL ? -1 : (int)c->row.fd,
                  .id = c->row.id },
        .stack = stack,
    };
    if (c->row.detail)
        snprintf(k->detail, sizeof k->detail, "%s", c->row.detail);
}

/* What a descriptor is, read while the call is fresh: "/var/lib/x.db", "socket", "eventpoll". */
static void describe_fd(pid_t pid, int64_t fd, char *ret_text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, (int)fd);
    ssize_t n = readlink(path, ret_text, size - 1);
    ret_text[n > 0 ? n : 0] = 0;
    char *kind = strstr(ret_text, ":[");
    if (ret_text[0] == '/' || !kind)
        return;
    if (!strncmp(ret_text, "anon_inode", 10)) /* "anon_inode:[eventpoll]" */
        memmove(ret_text, kind + 2, strlen(kind + 2) + 1);
    ret_text[strcspn(ret_text, ":]")] = 0; /* "socket:[229702]": the number splits what belongs together */
}

void stalls_call(struct stalls *s, const struct assembled_call *call)
{
    struct thread_state *t = thread_of(s, call->row.thread);
    if (!t)
        return;
    struct assembled_call c = *call;
    char detail[512] = "";
    bool partial;
    c.row.stack = ROW_NULL;
    if (c.stack) {
        struct stack_copy *copy = copy_of_event(c.stack, t->process->pid, t->tid);
        if (copy)
            c.row.stack = add_stack(s, t, copy, &partial);
        free(copy);
    } else if (process_map(t->process, s->files)) {
        c.row.stack = stackbook_caller(s->book, t->process->row.id, t->process->map, s->symbolizer, c.return_address);
    }
    if (c.owner > 0)
        snprintf(detail, sizeof detail, "0x%llx held by thread %d", (unsigned long long)c.object, c.owner);
    else if (!c.row.detail && c.row.fd != ROW_NULL && c.row.fd >= 0)
        describe_fd(t->process->pid, c.row.fd, detail, sizeof detail);
    if (detail[0] && !c.row.detail)
        c.row.detail = detail;
    store_call(s->o.store, &c.row);
    keep_call(t, &c, c.stack ? c.row.stack : ROW_NULL);
}

void stalls_step(struct stalls *s, int64_t loop, int64_t task, int64_t run)
{
    struct thread_state *t = loop >= 0 && loop < s->n_loops ? s->loops[loop] : NULL;
    if (!t || run <= t->ran[RAN_KEPT - 1].run)
        return;
    int i = RAN_KEPT - 1;
    for (; i > 0 && run > t->ran[i - 1].run; i--)
        t->ran[i] = t->ran[i - 1];
    t->ran[i] = (struct ran){ task, run };
}

/* Whom a busy period is named after: the task that ran longest, when a few such runs are half of it or more. */
static int64_t blamed_task(const struct thread_state *t, int64_t busy)
{
    int64_t sum = 0;
    for (int i = 0; i < RAN_KEPT; i++)
        sum += t->ran[i].run;
    return t->ran[0].run && sum >= busy / 2 ? t->ran[0].task : ROW_NULL;
}

void stalls_allow(struct stalls *s, const struct row_allow *row)
{
    struct thread_state *t = thread_of(s, row->thread);
    if (!t)
        return;
    if (row->t_end == ROW_NULL) {
        t->allow_from = row->t;
        snprintf(t->allow_why, sizeof t->allow_why, "%s", row->why);
    } else if (t->allow_from != ROW_NULL) {
        t->allowed += row->t_end - t->allow_from;
        t->allow_from = ROW_NULL;
    }
}

/* A busy period ended at `end`: how much of it was allowed.  A block that is still open goes on in the next. */
static int64_t take_allowed(struct thread_state *t, int64_t end)
{
    int64_t allowed = t->allowed;
    if (t->allow_from != ROW_NULL && t->allow_from < end) {
        allowed += end - t->allow_from;
        t->allow_from = end;
    }
    t->allowed = 0;
    return allowed;
}

void stalls_iteration(struct stalls *s, const struct row_iteration *row, int64_t thread, ticks_t since, bool in_gap)
{
    struct thread_state *t = thread_of(s, thread);
    if (!t)
        return;
    int64_t allowed = take_allowed(t, row->t + row->poll + (row->busy == ROW_NULL ? 0 : row->busy));
    /* How long a turn was in which events were lost only the watchdog can say. */
    if (in_gap || (row->busy != ROW_NULL && row->busy >= (int64_t)s->o.threshold)) {
        if (s->n_pending == s->cap_pending) {
            int cap = s->cap_pending ? 2 * s->cap_pending : 16;
            struct pending *v = realloc(s->pending, (size_t)cap * sizeof *v);
            if (!v)
                return;
            s->pending = v;
            s->cap_pending = cap;
        }
        bool told = t->ongoing_id && t->ongoing_since == since;
        s->pending[s->n_pending++] = (struct pending){
            .iteration = *row,
            .since = since,
            .in_gap = in_gap,
            .thread = t,
            .calls = t->calls,
            .n_calls = t->n_calls,
            .task = in_gap ? ROW_NULL : blamed_task(t, row->busy),
            .id = told ? t->ongoing_id : ++s->next_stall,
            .note = t->note,
            .allowed = allowed,
            .deadline = clock_ns(s->o.clock, clock_now(s->o.clock->kind)) + PENDING_WAIT,
        };
        if (allowed > 0)
            memcpy(s->pending[s->n_pending - 1].allow_why, t->allow_why, sizeof t->allow_why);
        t->calls = NULL;
        t->cap_calls = 0;
        t->note = NULL;
    }
    t->n_calls = 0;
    memset(t->ran, 0, sizeof t->ran);
    t->ongoing_id = 0;
    t->closed = since;
}

/* True when this place has had its full stacks for this minute. */
static bool suppress(struct stalls *s, const char *fingerprint, int64_t t)
{
    int64_t minute = t / (60 * 1000000000ll);
    struct place_count *oldest = s->places;
    for (int i = 0; i < PLACES; i++) {
        struct place_count *p = &s->places[i];
        if (!strcmp(p->fingerprint, fingerprint)) {
            if (p->minute != minute)
                p->n = 0;
            p->minute = minute;
            return ++p->n > FULL_STACKS;
        }
        if (p->minute < oldest->minute || !p->fingerprint[0])
            oldest = p->fingerprint[0] && !oldest->fingerprint[0] ? oldest : p;
    }
    snprintf(oldest->fingerprint, sizeof oldest->fingerprint, "%s", fingerprint);
    oldest->minute = minute;
    oldest->n = 1;
    return false;
}

/* The fingerprint of a stall without a stack: its cause and what the detail begins with. */
static void plain_fingerprint(const struct judge_verdict *v, char ret[static 33])
{
    snprintf(ret, 33, "%s:%.*s", v->cause, (int)strcspn(v->detail, "( "), v->detail);
}

static const struct kept_call *longest_with_stack(const struct pending *p, int64_t call)
{
    const struct kept_call *best = NULL;
    for (int i = 0; i < p->n_calls; i++) {
        const struct kept_call *k = &p->calls[i];
        if (k->stack == ROW_NULL)
            continue;
        if (k->call.id == call)
            return k;
        if (!best || k->call.dur > best->call.dur)
            best = k;
    }
    return best;
}

/* In a pid namespace a process calls itself by another number than /proc does; the watchdog has found out which. */
static void use_map_of(struct stalls *s, struct process *p, pid_t pid)
{
    if (pid == p->pid || (p->map && module_map_pid(p->map) == pid))
        return;
    struct module_map *map = module_map_open(s->files, pid);
    if (!map)
        return;
    module_map_close(p->map);
    p->map = map;
}

/* The stacks of a note's samples; returns how many there are. */
static int add_samples(struct stalls *s, struct thread_state *t, const struct watch_note *note, int64_t *ret_stacks,
                       bool *ret_partial)
{
    int n = 0;
    for (int i = 0; i < note->n_samples; i++, n++)
        ret_stacks[n] = add_stack(s, t, note->samples[i], &ret_partial[n]);
    return n;
}

static void write_stall(struct stalls *s, const struct pending *p, const struct watch_note *note)
{
    int64_t stacks[WATCH_SAMPLES];
    bool partial[WATCH_SAMPLES];
    if (note && note->n_samples)
        use_map_of(s, p->thread->process, note->pid);
    int n = note ? add_samples(s, p->thread, note, stacks, partial) : 0;

    struct place place = { .stack = ROW_NULL };
    bool placed = n && place_of(s->book, stacks, n, &place);
    struct judge_call calls[CALLS_KEPT];
    for (int i = 0; i < p->n_calls; i++) {
        calls[i] = p->calls[i].call;
        calls[i].detail = p->calls[i].detail[0] ? p->calls[i].detail : NULL;
    }
    int64_t t = p->iteration.t + p->iteration.poll;
    struct judge_input in = {
        .t = (ns_t)t,
        .dur = (ns_t)p->iteration.busy,
        .threshold = s->o.threshold,
        .calls = calls,
        .n_calls = p->n_calls,
        .note = note,
        .ticks_per_ns = (double)clock_ticks_per_sec(s->o.clock) / 1e9,
        .place = placed ? place.function : NULL,
        .place_percent = placed ? place.percent : 0,
        .n_samples = n,
    };
    struct judge_verdict v;
    judge(&in, &v);

    /* A call is blamed at the place its own stack shows; anything else where the samples were. */
    const struct kept_call *k = v.call != ROW_NULL || !placed ? longest_with_stack(p, v.call) : NULL;
    if (k)
        placed = place_of(s->book, &k->stack, 1, &place);
    char fingerprint[33];
    if (placed)
        snprintf(fingerprint, sizeof fingerprint, "%s", place.fingerprint);
    else
        plain_fingerprint(&v, fingerprint);
    bool enough = n && suppress(s, fingerprint, t);
    bool allowed = p->allowed > 0 && p->iteration.busy - p->allowed < (int64_t)s->o.threshold;

    struct row_stall row = {
        .id = p->id,
        .loop = p->iteration.loop,
        .thread = p->thread->row,
        .iteration = p->iteration.id,
        .task = p->task,
        .t = t,
        .dur = p->iteration.busy,
        .cause = v.cause,
        .detail = v.detail,
        .fingerprint = fingerprint,
        .cpu = v.cpu,
        .runq = v.runq,
        .blocked = v.blocked,
        .majflt = v.majflt,
        .call = v.call,
        .stack = placed ? place.stack : ROW_NULL,
        .victims = ROW_NULL,
        .victim_sum = ROW_NULL,
        .victim_max = ROW_NULL,
        .suppressed = enough ? n : allowed,
        .in_gap = p->in_gap,
        .allowed = allowed ? p->allow_why : NULL,
    };
    store_stall(s->o.store, &row);
    for (int i = 0; i < n && !enough; i++)
        if (stacks[i] != ROW_NULL)
            store_sample(s->o.store, &(struct row_sample){ .id = ++s->next_sample,
                                                           .stall = p->id,
                                                           .thread = p->thread->row,
                                                           .stack = stacks[i],
                                                           .t = clock_ns(s->o.clock, note->samples[i]->time),
                                                           .partial = partial[i] });
    if (!placed && note && note->no_stack)
        store_notice(s->o.store, &(struct row_notice){ .id = ++s->next_notice,
                                                       .t = t,
                                                       .n = 1,
                                                       .kind = "no_stack",
                                                       .process = p->thread->process->row.id,
                                                       .text = note->no_stack });
    if (allowed)
        return;
    s->summary.n++;
    if (row.dur > s->summary.longest) {
        s->summary.longest = row.dur;
        snprintf(s->summary.detail, sizeof s->summary.detail, "%s", v.detail);
    }
}

static int take_note(struct stalls *s, const struct thread_state *t, ticks_t since, struct watch_note *ret_note)
{
    return watch_take(s->o.watch, t->slot, t->generation, since, ret_note);
}

ticks_t stalls_killed(struct stalls *s, int64_t thread, ticks_t since)
{
    struct thread_state *t = thread_of(s, thread);
    struct watch_note note;
    int r = 0;
    for (int i = 0; t && i < DEATH_WAIT_MS / 5 && !(r = take_note(s, t, since, &note)); i++) {
        if (s->deaths_unseen == DEATHS_WAITED) /* hundreds may have died at once */
            break;
        nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
    }
    s->deaths_unseen = r ? 0 : s->deaths_unseen + (s->deaths_unseen < DEATHS_WAITED);
    if (r <= 0 || !(t->note = malloc(sizeof note)))
        return since;
    *t->note = note;
    return note.last;
}

/* 1 when it was written. */
static int settle_one(struct stalls *s, struct pending *p, bool last)
{
    struct watch_note note, *have = p->note;
    int r = have ? 1 : take_note(s, p->thread, p->since, &note);
    if (!r && !last && clock_ns(s->o.clock, clock_now(s->o.clock->kind)) < p->deadline)
        return 0;
    if (p->in_gap)
        p->iteration.busy = r > 0 ? clock_duration(s->o.clock, p->since, (have ? have : &note)->last) : 0;
    if (p->iteration.busy >= (int64_t)s->o.threshold)
        write_stall(s, p, have ? have : r > 0 ? &note : NULL);
    if (r > 0)
        watch_note_clear(have ? have : &note);
    free(have);
    free(p->calls);
    return 1;
}

void stalls_settle(struct stalls *s, bool last)
{
    int kept = 0;
    for (int i = 0; i < s->n_pending; i++)
        if (!settle_one(s, &s->pending[i], last))
            s->pending[kept++] = s->pending[i];
    s->n_pending = kept;
}

int stalls_pending(const struct stalls *s)
{
    return s->n_pending;
}

static struct thread_state *thread_of_note(struct stalls *s, const struct watch_note *note)
{
    for (int64_t i = s->n_threads - 1; i >= 0; i--)
        if (s->threads[i] && s->threads[i]->slot == note->slot && s->threads[i]->generation == note->generation)
            return s->threads[i];
    return NULL;
}

void stalls_ongoing(struct stalls *s)
{
    struct watch_note notes[16];
    int n = watch_ongoing(s->o.watch, LASTING, notes, 16);
    ticks_t now = clock_now(s->o.clock->kind);
    for (int i = 0; i < n; i++) {
        struct thread_state *t = thread_of_note(s, &notes[i]);
        if (!t || notes[i].since <= t->closed || notes[i].last <= notes[i].since) /* the last: it may be dead */
            continue;
        if (t->allow_from != ROW_NULL) /* whether it is a stall will be known at its end */
            continue;
        if (!t->ongoing_id || t->ongoing_since != notes[i].since) {
            t->ongoing_id = ++s->next_stall;
            t->ongoing_since = notes[i].since;
        }
        struct judge_call calls[CALLS_KEPT];
        for (int k = 0; k < t->n_calls; k++) {
            calls[k] = t->calls[k].call;
            calls[k].detail = t->calls[k].detail[0] ? t->calls[k].detail : NULL;
        }
        struct judge_input in = { .t = (ns_t)clock_ns(s->o.clock, notes[i].since),
                                  .dur = (ns_t)clock_duration(s->o.clock, notes[i].since, now),
                                  .threshold = s->o.threshold,
                                  .calls = calls,
                                  .n_calls = t->n_calls,
                                  .note = &notes[i],
                                  .ticks_per_ns = (double)clock_ticks_per_sec(s->o.clock) / 1e9 };
        struct judge_verdict v;
        judge(&in, &v);
        char fingerprint[33];
        plain_fingerprint(&v, fingerprint);
        store_stall(s->o.store, &(struct row_stall){ .id = t->ongoing_id,
                                                     .loop = t->loop,
                                                     .thread = t->row,
                                                     .iteration = ROW_NULL,
                                                     .task = ROW_NULL,
                                                     .t = (int64_t)in.t,
                                                     .dur = (int64_t)in.dur,
                                                     .cause = v.cause,
                                                     .detail = v.detail,
                                                     .fingerprint = fingerprint,
                                                     .cpu = v.cpu,
                                                     .runq = v.runq,
                                                     .blocked = v.blocked,
                                                     .majflt = v.majflt,
                                                     .call = ROW_NULL,
                                                     .stack = ROW_NULL,
                                                     .victims = ROW_NULL,
                                                     .victim_sum = ROW_NULL,
                                                     .victim_max = ROW_NULL });
    }
}

struct stalls_summary stalls_summary(const struct stalls *s)
{
    return s->summary;
}

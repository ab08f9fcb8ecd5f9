/* judge.c - the verdict on one stall.  Every possible cause gets a share of the stall's time from the evidence; what
 * held the loop for longest is the cause, and what cannot be explained for at least half of the time is `unknown`.
 *
 * Calls come from the wrappers and are exact.  The rest comes from the watchdog's note, whose counters cover the window
 * [first, last]; that is the stall itself when the loop slept before and after it, else a little more or less. */
#include "judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rows.h"
#include "syscalls.h"

#define HALF(whole) ((whole) / 2 + (whole) % 2)

/* What the note says, brought to the stall's own length. */
struct evidence {
    bool known;              /* cpu, runq and blocked are */
    ns_t cpu, runq, blocked; /* their sum is the stall */
    ns_t stopped, throttled;
    bool faults; /* it waited in page faults */
    uint64_t majflt;
    int sleep_syscall; /* -1 none */
};

/* All calls of one name. */
struct group {
    unsigned call;
    int n;
    ns_t sum, longest_dur;
    const struct judge_call *longest;
    bool alike; /* same fd and detail in each */
};

struct groups {
    ns_t total, lock;     /* of all; of the family LOCK */
    int names[2];         /* how many names in: other families, LOCK */
    struct group best[2]; /* the longest name of: other families, LOCK */
};

static ns_t at_most(ns_t v, ns_t limit)
{
    return v < limit ? v : limit;
}

/* v, counted in a window, less or more as the window is longer or shorter than the stall. */
static ns_t scaled(ns_t v, ns_t window, ns_t dur)
{
    return window ? at_most((ns_t)((double)v * (double)dur / (double)window), dur) : 0;
}

static ns_t note_ns(const struct judge_input *in, ticks_t from, ticks_t to)
{
    return to > from && in->ticks_per_ns > 0 ? (ns_t)((double)(to - from) / in->ticks_per_ns) : 0;
}

static struct evidence weigh(const struct judge_input *in, ns_t calls)
{
    const struct watch_note *n = in->note;
    struct evidence e = { .sleep_syscall = -1 };
    if (!n)
        return e;
    ns_t dur = in->dur, window = note_ns(in, n->first, n->last);
    uint32_t outside =
        n->looks_running + n->looks_sleeping + n->looks_fault; /* looks that found it in no call of ours */
    e.majflt = n->majflt;
    e.stopped = at_most(n->stopped + n->suspended, dur);
    e.sleep_syscall = n->sleep_syscall;
    e.faults = n->looks_fault > n->looks_sleeping || (n->majflt > 0 && n->looks_fault >= n->looks_sleeping);
    if (n->sched_known && window) {
        e.known = true;
        /* What nobody saw of it (no reading before the stall) counts as on a CPU when most of the rest was. */
        e.cpu =
            window > dur ? scaled(n->cpu, window, dur) : at_most(n->cpu + (dur - window) * (n->cpu * 2 > window), dur);
        e.runq = at_most(window > dur ? scaled(n->runq, window, dur) : n->runq, dur - e.cpu);
        e.blocked = dur - e.cpu - e.runq;
        /* A throttled thread is not in any queue on newer kernels, yet its state is "running": not asleep. */
        ns_t throttled = at_most(n->throttled, e.runq + e.blocked);
        if (throttled > e.runq) {
            e.blocked -= throttled - e.runq;
            e.runq = throttled;
        }
        e.throttled = throttled;
        /* The run clock moves by ticks of some ms: who was never found asleep was not. */
        ns_t asleep = e.blocked > e.stopped + calls ? e.blocked - e.stopped - calls : 0;
        if (n->looks_running && !n->looks_sleeping && !n->looks_fault && asleep > dur / 4) {
            e.cpu += asleep;
            e.blocked -= asleep;
        }
    } else if (outside) { /* no schedstat: the looks alone */
        e.cpu = (dur - calls) / outside * n->looks_running;
        e.blocked = dur - e.cpu;
    }
    return e;
}

static bool alike(const struct judge_call *a, const struct judge_call *b)
{
    return a->fd == b->fd && !a->detail == !b->detail && (!a->detail || !strcmp(a->detail, b->detail));
}

/* How much of a call lies in the stall. */
static ns_t inside(const struct judge_input *in, const struct judge_call *c)
{
    ns_t from = c->t > in->t ? c->t : in->t, end = c->t + c->dur, stall_end = in->t + in->dur;
    if (end < c->t || end > stall_end)
        end = stall_end;
    return end > from ? end - from : 0;
}

/* hang: the call it was still in when last looked at, dur 0 = none. */
static void group_calls(const struct judge_input *in, const struct judge_call *hang, struct groups *ret)
{
    struct group by[CALL_COUNT];
    memset(by, 0, sizeof by);
    memset(ret, 0, sizeof *ret);
    for (int i = 0; i < in->n_calls + (hang->dur > 0); i++) {
        const struct judge_call *c = i < in->n_calls ? &in->calls[i] : hang;
        struct group *g = &by[c->call < CALL_COUNT ? c->call : CALL_NONE];
        ns_t dur = inside(in, c);
        if (!dur)
            continue;
        g->alike = !g->n || (g->alike && alike(g->longest, c));
        g->n++;
        g->sum += dur;
        if (!g->longest || dur > g->longest_dur)
            g->longest = c, g->longest_dur = dur;
    }
    for (unsigned call = 0; call < CALL_COUNT; call++) {
        struct group *g = &by[call];
        int lock = ls_call_family(call) == FAM_LOCK;
        if (!g->n)
            continue;
        g->call = call;
        ret->total += g->sum;
        ret->lock += lock ? g->sum : 0;
        ret->names[lock]++;
        if (g->sum > ret->best[lock].sum)
            ret->best[lock] = *g;
    }
    ret->total = at_most(ret->total, in->dur);
    ret->lock = at_most(ret->lock, ret->total);
}

/* The call that had not returned, unless it is among those that have.  A lie of the target's costs nothing. */
static struct judge_call hanging(const struct judge_input *in)
{
    const struct watch_note *n = in->note;
    struct judge_call h = { .fd = -1, .id = ROW_NULL };
    if (!n || !n->hang_call || n->hang_call >= CALL_COUNT || n->hang_since < n->since)
        return h;
    ns_t from = note_ns(in, n->since, n->hang_since);
    if (from >= in->dur)
        return h;
    enum ls_family f = ls_call_family(n->hang_call);
    bool has_fd = f == FAM_IO || f == FAM_SYNC || n->hang_call == CALL_flock || n->hang_call == CALL_fcntl;
    h.call = n->hang_call;
    h.t = in->t + from;
    h.dur = in->dur - from;
    h.fd = has_fd && n->hang_arg <= INT32_MAX ? (int)n->hang_arg : -1;
    for (int i = 0; i < in->n_calls; i++)
        if (in->calls[i].call == h.call && in->calls[i].dur >= h.dur / 2)
            h.dur = 0;
    return h;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void add(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add(char *to, size_t size, const char *format, ...)
{
    size_t n = strlen(to);
    va_list args;
    va_start(args, format);
    vsnprintf(to + n, size - n, format, args);
    va_end(args);
}

/* 83 ms, 1.5 ms, 2.25 s */
static void add_time(char *to, size_t size, ns_t ns)
{
    if (ns >= 10000000000ull)
        add(to, size, "%.0f s", (double)ns / 1e9);
    else if (ns >= 1000000000)
        add(to, size, "%.2f s", (double)ns / 1e9);
    else if (ns >= 10000000)
        add(to, size, "%.0f ms", (double)ns / 1e6);
    else
        add(to, size, "%.1f ms", (double)ns / 1e6);
}

static int percent(ns_t part, ns_t whole)
{
    return whole ? (int)((double)part * 100 / (double)whole + 0.5) : 0;
}

/* name(fd 7 -> /path), name("host"), name(0x55..) held by thread 4123 */
static void add_call(char *to, size_t size, const struct group *g)
{
    const struct judge_call *c = g->longest;
    const char *detail = g->alike ? c->detail : NULL;
    int fd = g->alike ? c->fd : -1;
    add(to, size, "%s", ls_call_name(g->call));
    const char *held = detail ? strstr(detail, "held by") : NULL;
    if (held) { /* the lock inside the brackets, its owner behind them */
        int n = (int)(held - detail);
        while (n > 0 && (detail[n - 1] == ' ' || detail[n - 1] == ','))
            n--;
        if (n)
            add(to, size, "(%.*s)", n < 120 ? n : 120, detail);
        add(to, size, " %.60s", held);
    } else if (fd >= 0 && detail) {
        add(to, size, "(fd %d -> %.160s)", fd, detail);
    } else if (fd >= 0) {
        add(to, size, "(fd %d)", fd);
    } else if (detail) {
        bool quote = ls_call_family(g->call) == FAM_DNS && detail[0] != '"';
        add(to, size, quote ? "(\"%.160s\")" : "(%.160s)", detail);
    }
}

static void describe_calls(const struct judge_input *in, const struct groups *all, int lock, struct judge_verdict *v)
{
    const struct group *g = &all->best[lock];
    size_t size = sizeof v->detail;
    int others = all->names[lock] - 1;
    add_call(v->detail, size, g);
    if (g->n > 1)
        add(v->detail, size, " %d times", g->n);
    if (g->n > 1 || g->sum < in->dur - in->dur / 10) {
        add(v->detail, size, ", ");
        add_time(v->detail, size, g->sum);
        add(v->detail, size, " of ");
        add_time(v->detail, size, in->dur);
    }
    if (others > 0)
        add(v->detail, size, ", and %d other%s", others, others > 1 ? "s" : "");
    v->call = g->longest->id;
}

static void describe_cpu(const struct judge_input *in, ns_t cpu, struct judge_verdict *v)
{
    size_t size = sizeof v->detail;
    if (in->place && in->n_samples > 0) {
        add(v->detail, size, "%.180s (", in->place);
        if (in->n_samples > 1)
            add(v->detail, size, "%d %% of %d samples)", in->place_percent, in->n_samples);
        else
            add(v->detail, size, "1 sample)");
        return;
    }
    add(v->detail, size, "on a CPU %d %% of the time", percent(cpu, in->dur));
    if (in->note && in->note->no_stack)
        add(v->detail, size, "; no stack: %s", in->note->no_stack);
}

static void describe_unknown(const struct judge_input *in, const struct evidence *e, ns_t explained,
                             struct judge_verdict *v)
{
    size_t size = sizeof v->detail;
    if (!in->note)
        add(v->detail, size, "not seen while it lasted, and no call explains it");
    else if (e->known && e->blocked >= HALF(in->dur))
        add(v->detail, size, "asleep %d %% of the time, in no call we know%s%s", percent(e->blocked, in->dur),
            in->note->wchan[0] ? "; in the kernel: " : "", in->note->wchan);
    else
        add(v->detail, size, "only %d %% of it is explained", percent(explained, in->dur));
}

/* ---- the verdict ----------------------------------------------------------------------------------------------------- */

enum cause { STOPPED, PREEMPTED, CALLS, FAULT, ASLEEP, CPU, CAUSES };

static void sentence(const struct judge_input *in, const struct evidence *e, const struct groups *calls,
                     enum cause cause, const ns_t *share, struct judge_verdict *v)
{
    size_t size = sizeof v->detail;
    int lock = calls->lock >= HALF(calls->total);
    switch (cause) {
    case STOPPED:
        v->cause = "stopped";
        add_time(v->detail, size, share[STOPPED]);
        add(v->detail, size, " of ");
        add_time(v->detail, size, in->dur);
        add(v->detail, size,
            in->note->suspended > in->note->stopped ? ": the machine was suspended"
                                                    : ": stopped by a signal or a debugger");
        break;
    case PREEMPTED:
        v->cause = e->throttled >= HALF(share[PREEMPTED]) ? "throttled" : "preempted";
        add(v->detail, size,
            v->cause[0] == 't' ? "out of its cgroup's CPU quota %d %% of the time"
                               : "waiting for a CPU %d %% of the time",
            percent(share[PREEMPTED], in->dur));
        break;
    case CALLS:
        v->cause = lock ? "lock" : "call";
        describe_calls(in, calls, lock, v);
        break;
    case FAULT:
        v->cause = "fault";
        if (e->majflt)
            add(v->detail, size, "%" PRIu64 " major page fault%s, ", e->majflt, e->majflt > 1 ? "s" : "");
        else
            add(v->detail, size, "page faults, ");
        add_time(v->detail, size, share[FAULT]);
        add(v->detail, size, " asleep");
        break;
    case ASLEEP: {
        const char *name = syscall_name(e->sleep_syscall);
        v->cause = syscall_locks(e->sleep_syscall) ? "lock" : "call";
        if (name)
            add(v->detail, size, "%s, asleep ", name);
        else
            add(v->detail, size, "system call %d, asleep ", e->sleep_syscall);
        add_time(v->detail, size, share[ASLEEP]);
        add(v->detail, size, " of ");
        add_time(v->detail, size, in->dur);
        break;
    }
    default: v->cause = "cpu"; describe_cpu(in, share[CPU], v);
    }
}

/* Waiting for a CPU is to blame when there would have been no stall without it, or when it is nearly all there is. */
static bool is_preempted(const struct judge_input *in, const struct evidence *e)
{
    if (e->runq < HALF(in->dur))
        return false;
    return in->dur - e->runq < in->threshold || e->runq >= in->dur / 3 * 2 || e->throttled >= HALF(e->runq);
}

void judge(const struct judge_input *in, struct judge_verdict *ret_verdict)
{
    struct judge_verdict v = {
        .cause = "unknown", .cpu = ROW_NULL, .runq = ROW_NULL, .blocked = ROW_NULL, .majflt = ROW_NULL, .call = ROW_NULL
    };
    struct judge_call hang = hanging(in);
    struct groups calls;
    group_calls(in, &hang, &calls);
    struct evidence e = weigh(in, calls.total);
    if (e.known) {
        v.cpu = (int64_t)e.cpu;
        v.runq = (int64_t)e.runq;
        v.blocked = (int64_t)e.blocked;
    }
    if (in->note && in->note->looks)
        v.majflt = (int64_t)e.majflt;

    ns_t rest = in->dur - calls.total; /* outside calls */
    ns_t asleep = e.blocked > calls.total ? e.blocked - calls.total : 0;
    if (asleep > e.stopped)
        asleep -= e.stopped;
    else
        asleep = 0;
    ns_t share[CAUSES] = {
        [STOPPED] = e.stopped,
        [PREEMPTED] = e.runq,
        [CALLS] = calls.total,
        [FAULT] = e.faults ? asleep : 0,
        [ASLEEP] = !e.faults && e.sleep_syscall >= 0 ? asleep : 0,
        [CPU] = at_most(e.cpu, rest),
    };
    enum cause best = STOPPED;
    ns_t explained = 0;
    for (enum cause c = STOPPED; c < CAUSES; c++) {
        explained += share[c];
        if (share[c] > share[best])
            best = c;
    }
    /* Being stopped, or waiting for a CPU, happens inside of calls too and is then what made them long. */
    if (share[STOPPED] >= HALF(in->dur))
        best = STOPPED;
    else if (is_preempted(in, &e))
        best = PREEMPTED;
    else if (best == PREEMPTED)
        for (enum cause c = best = CALLS; c < CAUSES; c++)
            if (share[c] > share[best])
                best = c;
    explained = at_most(explained, in->dur);
    if (share[best] > 0 && explained >= HALF(in->dur))
        sentence(in, &e, &calls, best, share, &v);
    else
        describe_unknown(in, &e, explained, &v);
    *ret_verdict = v;
}

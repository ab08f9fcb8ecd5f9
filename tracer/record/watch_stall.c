/* watch_stall.c - the evidence of one stall, from the looks at its thread.
 *
 * The kernel's counters only grow, so what a stall used is the difference of two readings; the art is in the choice of
 * the first and the last.  What no counter tells (asleep, faulting, stopped) is counted by looks.  Owns nothing: the
 * watchdog's thread calls it, under the watchdog's mutex where a note changes. */
#include "watch_stall.h"

#include <string.h>

struct look stall_baseline(const struct look *before, const struct look *last, const struct snapshot *s,
                           const struct look *now)
{
    bool inside = last->known && LS_WORD_TURN(last->word) == LS_WORD_TURN(s->word) && last->time >= s->since;
    struct look earlier = inside ? *before : *last, base = inside ? *last : *now;
    if (!earlier.known || earlier.time > s->since)
        return base;
    if (earlier.asleep && LS_WORD_TURN(earlier.word) + 1 == LS_WORD_TURN(s->word))
        earlier.time = s->since;
    return s->since - earlier.time <= base.time - s->since ? earlier : base;
}

static ns_t grown(ns_t from, ns_t to)
{
    return to > from ? to - from : 0;
}

static bool is_stopped(const struct look *l)
{
    return l->known && (l->proc.state == 'T' || l->proc.state == 't');
}

void stall_add(struct stall *st, const struct look *l, ns_t since_last)
{
    struct watch_note *n = &st->note;
    if (l->known)
        n->last = l->time;
    if (l->known && st->base.known) {
        n->sched_known = l->proc.sched_known && st->base.proc.sched_known;
        n->cpu = grown(st->base.proc.cpu, l->proc.cpu);
        n->runq = grown(st->base.proc.runq, l->proc.runq);
        n->majflt = grown(st->base.proc.majflt, l->proc.majflt);
        n->suspended = grown(st->base.suspended, l->suspended);
        if (l->quota && st->base.quota)
            n->throttled = grown(st->base.throttled, l->throttled);
        /* stopped at both looks: all the time between; at one of them: half of it */
        n->stopped += since_last * (ns_t)(is_stopped(l) + is_stopped(&st->last)) / 2;
    }
    st->last = *l;
}

void stall_count(struct stall *st, const struct snapshot *s, const struct look *l, const struct proc_syscall *sc,
                 const char *wchan)
{
    struct watch_note *n = &st->note;
    bool in_call = LS_WORD_ACT(s->word) == ACT_CALL;
    n->looks++;
    n->hang_call = in_call ? (uint16_t)LS_WORD_CALL(s->word) : 0;
    n->hang_arg = in_call ? s->call_arg : 0;
    n->hang_since = in_call ? s->call_since : 0;
    if (is_stopped(l))
        n->looks_stopped++;
    else if (in_call)
        n->looks_in_call++;
    else if (l->known && sc->where == PROC_BLOCKED)
        n->looks_fault++;
    else if (l->known && sc->where == PROC_IN_SYSCALL)
        n->looks_sleeping++, n->sleep_syscall = (int)sc->nr;
    else if (l->known)
        n->looks_running++;
    if (wchan[0])
        memcpy(n->wchan, wchan, sizeof n->wchan);
}

struct look stall_end(const struct stall *st, const struct snapshot *s, const struct look *l)
{
    struct look end = *l;
    /* Asleep in the poll that ended it: nothing was used since then, so the counters are those of its end. */
    if (l->asleep && LS_WORD_TURN(s->word) == LS_WORD_TURN(st->last.word) + 1 && s->since <= l->time &&
        s->since >= st->last.time)
        end.time = s->since;
    return end;
}

ticks_t stall_sample_due(const struct stall *st, ticks_t threshold)
{
    if (st->step >= WATCH_SAMPLES)
        return UINT64_MAX;
    return st->note.since + ((threshold << (st->step / 2)) * (st->step % 2 ? 3 : 2)) / 2;
}

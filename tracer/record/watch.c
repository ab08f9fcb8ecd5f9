/* watch.c - the watchdog thread.  No fixed rate: every loop has the time of its next look.  Idle: 0.75 x threshold, so
 * that a stall of 1.2 x threshold is never missed.  Seen busy: exactly at since + threshold.  In a stall: often enough
 * to see its state and its end, with a sample at 1, 1.5, 2, 3, 4, 6, 8 ... x threshold.
 *
 * Owns what it knows of each slot (struct watched: its thread only) and the notes (under the mutex: the storing
 * thread takes them).  What a thread of the target says of itself is believed only where a lie is harmless: it is
 * never looked up, let alone stopped, unless its process really maps our arena. */
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "notebox.h"
#include "proc.h"
#include "sample.h"
#include "watch_stall.h"

#define MS           1000000ull
#define SCAN_EVERY   (5 * MS)  /* for new slots, when something wakes us anyway */
#define NOBODY       (25 * MS) /* no slot is live */
#define LONGEST_STEP (50 * MS) /* between two looks at one stall */
#define SHORTEST     (MS / 10) /* never sooner, whatever the target writes */
#define PENDING      (MS / 2)  /* a thread has not come to its stop yet */
#define FIND_EVERY   (50 * MS) /* a search through all of /proc */
#define NOTE_LIFE    (30 * 1000 * MS)
#define MAX_SLOTS    65536u

struct watched {
    bool live, gone; /* gone: the thread has ended, the slot will be freed */
    bool unproven;   /* to be looked for in other pid namespaces, not yet done */
    uint32_t index, generation;
    pid_t pid, tid;
    bool has_proc, may_sample;
    const char *no_stack;
    struct proc_thread proc;
    char cpu_stat[PROC_PATH];
    bool quota;
    struct look before, last; /* two readings outside stalls: of different turns */
    struct stall *stall;
    struct sample_job job;
    bool large; /* its last stack was cut */
    ticks_t next;
};

struct watch {
    struct ls_arena *arena;
    uint32_t slots;
    enum ls_clock clock;
    uint64_t ticks_per_sec;
    ticks_t threshold;
    struct proc_file file; /* the arena's */
    bool file_known;
    ticks_t next_scan, next_find;
    struct watched **watched; /* by slot; NULL until it was live once */
    uint32_t top;             /* slots above were never live */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows, and every watched->stall against its readers */
    pthread_cond_t wake;
    bool stop;
    struct notebox done;
    struct watch_stats stats;
};

static ticks_t to_ticks(const struct watch *w, ns_t ns)
{
    return (ticks_t)((double)ns * (double)w->ticks_per_sec / 1e9);
}

static ns_t to_ns(const struct watch *w, ticks_t ticks)
{
    return (ns_t)((double)ticks * 1e9 / (double)w->ticks_per_sec);
}

static ns_t clock_read(clockid_t id)
{
    struct timespec t = { 0 };
    clock_gettime(id, &t);
    return (ns_t)t.tv_sec * 1000000000ull + (ns_t)t.tv_nsec;
}

/* ---- notes ----------------------------------------------------------------------------------------------------- */

int watch_take(struct watch *w, uint32_t slot, uint32_t generation, ticks_t since, struct watch_note *ret_note)
{
    int r = -1;
    pthread_mutex_lock(&w->mutex);
    if (notebox_take(&w->done, slot, generation, since, ret_note))
        r = 1;
    else if (slot < w->slots && w->watched[slot] && w->watched[slot]->stall &&
             notebox_is(&w->watched[slot]->stall->note, slot, generation, since))
        r = 0;
    pthread_mutex_unlock(&w->mutex);
    return r;
}

int watch_ongoing(struct watch *w, ns_t min, struct watch_note *ret_notes, int max)
{
    int n = 0;
    ticks_t now = clock_now(w->clock);
    pthread_mutex_lock(&w->mutex);
    for (uint32_t i = 0; i < w->top && n < max; i++) {
        const struct stall *s = w->watched[i] ? w->watched[i]->stall : NULL;
        if (!s || now < s->note.since || to_ns(w, now - s->note.since) < min)
            continue;
        ret_notes[n] = s->note;
        ret_notes[n].n_samples = 0;
        memset(ret_notes[n++].samples, 0, sizeof ret_notes->samples);
    }
    pthread_mutex_unlock(&w->mutex);
    return n;
}

struct watch_stats watch_stats(struct watch *w)
{
    clockid_t id;
    pthread_mutex_lock(&w->mutex);
    struct watch_stats s = w->stats;
    pthread_mutex_unlock(&w->mutex);
    if (!pthread_getcpuclockid(w->thread, &id))
        s.cpu = clock_read(id);
    return s;
}

/* ---- what a slot is doing ---------------------------------------------------------------------------------------- */

/* False when the word changed at each try: then it is not stalled. */
static bool snapshot(struct ls_slot *slot, struct snapshot *ret)
{
    for (int i = 0; i < 4; i++) {
        struct snapshot s;
        /* acquire: pairs with the thread's release store of the word; on the values too, so that none of them is read
         * after the second look at the word.  A value newer than its word only makes a stall look over. */
        s.word = atomic_load_explicit(&slot->word, memory_order_acquire);
        s.since = atomic_load_explicit(&slot->since, memory_order_acquire);
        s.call_since = atomic_load_explicit(&slot->call_since, memory_order_acquire);
        s.call_arg = atomic_load_explicit(&slot->call_arg, memory_order_acquire);
        s.allow = atomic_load_explicit(&slot->allow, memory_order_acquire);
        if (atomic_load_explicit(&slot->word, memory_order_relaxed) == s.word) {
            if (atomic_load_explicit(&slot->left, memory_order_relaxed)) /* set at the end of its life: no partner */
                s.word = LS_WORD(ACT_NONE, 0, LS_WORD_TURN(s.word) + 1);
            *ret = s;
            return true;
        }
    }
    return false;
}

static bool is_busy(uint64_t word)
{
    return LS_WORD_ACT(word) == ACT_BUSY || LS_WORD_ACT(word) == ACT_CALL;
}

static struct look look_now(struct watch *w, struct watched *v, uint64_t word)
{
    struct look l = { .word = word };
    int e = v->has_proc ? proc_thread_read(&v->proc, &l.proc) : -ENOENT;
    if (e == -ESRCH || (!e && (l.proc.state == 'Z' || l.proc.state == 'X')))
        v->gone = true;
    if (!e && !v->gone) {
        l.known = true;
        l.asleep = LS_WORD_ACT(word) == ACT_POLL && (l.proc.state == 'S' || l.proc.state == 'D');
        l.suspended = clock_read(CLOCK_BOOTTIME) - clock_read(CLOCK_MONOTONIC);
        l.quota = v->quota && !proc_throttled(v->cpu_stat, &l.throttled, &v->quota);
    }
    l.time = clock_now(w->clock);
    return l;
}

/* ---- who a slot is ------------------------------------------------------------------------------------------------ */

/* Proves that (pid, tid) is a thread of a process that maps our arena. */
static void prove(struct watch *w, struct watched *v, ticks_t now)
{
    ns_t throttled;
    int maps = w->file_known ? proc_maps_file(v->pid, &w->file) : -ENOENT;
    v->unproven = false;
    /* Not allowed to look: another user's process, which the target may have become; or one of our namespace that has
     * the number which the target has in its own. */
    if (maps != 1 && w->file_known) {
        if (now < w->next_find) {
            v->unproven = true;
            return;
        }
        w->next_find = now + to_ticks(w, FIND_EVERY);
        maps = proc_find_in_namespace(v->pid, v->tid, &w->file, &v->pid, &v->tid) ? maps : 1;
    }
    if (maps == 1 || maps == -EACCES || maps == -EPERM)
        v->has_proc = !proc_thread_open(v->pid, v->tid, &v->proc);
    v->may_sample = v->has_proc && maps == 1;
    v->no_stack = v->may_sample ? NULL
                  : v->has_proc ? "no permission to look into its process (another user)"
                                : "its thread is not in /proc as it says (another pid namespace?)";
    if (!v->has_proc || proc_cpu_stat_path(v->pid, v->cpu_stat) || proc_throttled(v->cpu_stat, &throttled, &v->quota))
        v->cpu_stat[0] = 0, v->quota = false;
}

static void adopt(struct watch *w, uint32_t i, struct ls_slot *slot, ticks_t now)
{
    struct watched *v = w->watched[i];
    if (!v) {
        v = calloc(1, sizeof *v);
        if (!v)
            return; /* as if the slot were not there; tried again at the next scan */
    }
    pthread_mutex_lock(&w->mutex);
    *v = (struct watched){ .live = true, .index = i, .proc = { -1, -1, -1 }, .next = now };
    w->watched[i] = v;
    if (i >= w->top)
        w->top = i + 1;
    pthread_mutex_unlock(&w->mutex);
    v->generation = *(volatile uint32_t *)&slot->generation; /* volatile: read once, whatever a hostile target does */
    v->pid = *(volatile int32_t *)&slot->pid;
    v->tid = *(volatile int32_t *)&slot->tid;
    if (v->pid > 0 && v->tid > 0)
        prove(w, v, now);
    else
        v->no_stack = "its thread does not say who it is";
}

static void scan(struct watch *w, ticks_t now)
{
    for (uint32_t i = 0; i < w->slots; i++) {
        struct ls_slot *slot = ls_arena_slot(w->arena, i);
        /* acquire: pairs with the thread's release store of SLOT_LIVE; identity is complete then */
        if (atomic_load_explicit(&slot->state, memory_order_acquire) == SLOT_LIVE &&
            !(w->watched[i] && w->watched[i]->live))
            adopt(w, i, slot, now);
    }
    w->next_scan = now + to_ticks(w, SCAN_EVERY);
}

/* ---- a stall ------------------------------------------------------------------------------------------------------- */

static void open_stall(struct watch *w, struct watched *v, const struct snapshot *s, const struct look *l)
{
    struct stall *st = calloc(1, sizeof *st);
    if (!st)
        return;
    st->base = stall_baseline(&v->before, &v->last, s, l);
    st->last = *l;
    if (v->cpu_stat[0] && !st->base.quota) /* perhaps a quota was set meanwhile: counted from now on */
        st->base.quota = !proc_throttled(v->cpu_stat, &st->base.throttled, &v->quota);
    st->asleep_nr = -2;
    st->note = (struct watch_note){ .slot = v->index,
                                    .generation = v->generation,
                                    .since = s->since,
                                    .pid = v->pid,
                                    .tid = v->tid,
                                    .first = st->base.time,
                                    .last = l->known ? l->time : s->since, /* who is not seen may have died */
                                    .sleep_syscall = -1,
                                    .no_stack = v->no_stack };
    pthread_mutex_lock(&w->mutex);
    v->stall = st;
    pthread_mutex_unlock(&w->mutex);
}

static void keep_sample(struct watch *w, struct watched *v, struct stack_copy *c, uint64_t word)
{
    struct stall *st = v->stall;
    v->large = v->large || c->cut;
    bool fits = st && st->note.n_samples < WATCH_SAMPLES && LS_WORD_TURN(word) == LS_WORD_TURN(st->last.word);
    if (!fits) {
        free(c);
        return;
    }
    struct stack_copy *small = realloc(c, sizeof *c + c->size);
    pthread_mutex_lock(&w->mutex);
    st->note.samples[st->note.n_samples++] = small ? small : c;
    st->note.no_stack = NULL;
    w->stats.samples++;
    pthread_mutex_unlock(&w->mutex);
}

/* A job has come to its end. */
static void job_done(struct watch *w, struct watched *v)
{
    struct sample_job *j = &v->job;
    pthread_mutex_lock(&w->mutex);
    w->stats.repaired_eintr += j->repaired;
    w->stats.refused += j->refused != NULL;
    if (j->refused && v->stall && !v->stall->note.n_samples)
        v->stall->note.no_stack = j->refused;
    pthread_mutex_unlock(&w->mutex);
    struct stack_copy *c = j->copy;
    j->copy = NULL;
    if (c && LS_WORD_ACT(j->word) == ACT_BUSY)
        keep_sample(w, v, c, j->word);
    else
        free(c); /* it had gone on to something else when it stopped */
}

/* It may have executed another program since it was adopted: that one is none of ours. */
static bool still_proven(struct watch *w, struct watched *v)
{
    int maps = proc_maps_file(v->pid, &w->file);
    if (maps == 1)
        return true;
    if (maps != 0 && maps != -ENOENT && maps != -ESRCH)
        return false; /* we could not look (out of descriptors): that says nothing */
    struct ls_slot *slot = ls_arena_slot(w->arena, v->index);
    uint32_t live = SLOT_LIVE;
    v->gone = true;
    atomic_store_explicit(&slot->left, v->stall->note.last, memory_order_relaxed); /* ordered by the exchange below */
    /* The thread cannot say so any more.  Pairs with drain's acquire: what it wrote is final. */
    atomic_compare_exchange_strong_explicit(&slot->state, &live, SLOT_ENDED, memory_order_release, memory_order_relaxed);
    return false;
}

/* On a CPU: look.  Off CPU: don't touch. */
static void sample(struct watch *w, struct watched *v, const struct snapshot *s, const struct look *l,
                   const struct proc_syscall *sc, ticks_t now)
{
    struct stall *st = v->stall;
    struct ls_slot *slot = ls_arena_slot(w->arena, v->index);
    struct sample_request rq = { .pid = v->pid,
                                 .tid = v->tid,
                                 .proc = &v->proc,
                                 .slot = slot,
                                 .clock = w->clock,
                                 .ticks_per_sec = w->ticks_per_sec,
                                 .size = v->large ? SAMPLE_LARGE : SAMPLE_SMALL };
    bool in_call = LS_WORD_ACT(s->word) == ACT_CALL;
    if (!v->may_sample || s->allow || !still_proven(w, v))
        return;
    /* acquire: pairs with the thread's release store; still in the same part of the same turn? */
    if (atomic_load_explicit(&slot->word, memory_order_acquire) != s->word)
        return;
    if (l->proc.state == 'R' && !in_call) {
        if (sample_begin(&v->job, &rq) == 0)
            job_done(w, v);
        return;
    }
    /* A wrapped call takes its own stack when it returns; only one that seems never to return is looked at here. */
    bool hangs = !in_call || (s->call_since <= now && now - s->call_since >= 4 * w->threshold);
    bool known = sc->nr == st->asleep_nr && sc->sp == st->asleep_sp && sc->pc == st->asleep_pc;
    struct stack_copy *c = hangs && !known && sc->where != PROC_RUNNING ? sample_asleep(&rq, sc) : NULL;
    if (c) {
        st->asleep_nr = sc->nr, st->asleep_sp = sc->sp, st->asleep_pc = sc->pc;
        keep_sample(w, v, c, s->word);
    }
}

static void look_at_stall(struct watch *w, struct watched *v, const struct snapshot *s, const struct look *l,
                          ticks_t now)
{
    struct stall *st = v->stall;
    struct proc_syscall sc = { .where = PROC_RUNNING, .nr = -1 };
    char wchan[sizeof st->note.wchan] = "";
    bool asleep = l->known && (l->proc.state == 'S' || l->proc.state == 'D');
    if (asleep && proc_thread_syscall(&v->proc, &sc))
        sc = (struct proc_syscall){ .where = PROC_IN_SYSCALL, .nr = -1 }; /* may not read it: asleep all the same */
    if (asleep)
        proc_thread_wchan(&v->proc, wchan, sizeof wchan);
    pthread_mutex_lock(&w->mutex);
    stall_add(st, l, to_ns(w, l->time - st->last.time));
    stall_count(st, s, l, &sc, wchan);
    pthread_mutex_unlock(&w->mutex);

    if (now >= stall_sample_due(st, w->threshold)) {
        while (now >= stall_sample_due(st, w->threshold))
            st->step++;
        if (v->job.phase == SAMPLE_IDLE && (sc.where == PROC_RUNNING || sc.sp))
            sample(w, v, s, l, &sc, now);
    }
    ticks_t age = now - s->since, step = age / 8 > w->threshold / 2 ? age / 8 : w->threshold / 2;
    if (step > to_ticks(w, LONGEST_STEP))
        step = to_ticks(w, LONGEST_STEP);
    ticks_t due = stall_sample_due(st, w->threshold);
    v->next = now + step < due ? now + step : due;
}

/* The turn is over (s: what came after it), or the thread has gone (s NULL). */
static void finish_stall(struct watch *w, struct watched *v, const struct snapshot *s, const struct look *l,
                         ticks_t now)
{
    struct stall *st = v->stall;
    if (!st)
        return;
    pthread_mutex_lock(&w->mutex);
    if (s && l->known) {
        struct look last = stall_end(st, s, l);
        stall_add(st, &last, to_ns(w, last.time - st->last.time));
    }
    v->before = v->last = st->last;
    v->stall = NULL;
    notebox_add(&w->done, &st->note, now);
    pthread_mutex_unlock(&w->mutex);
    free(st);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------ */

static void retire(struct watch *w, struct watched *v, ticks_t now)
{
    finish_stall(w, v, NULL, NULL, now);
    proc_thread_close(&v->proc);
    v->live = false;
}

static void look_at(struct watch *w, struct watched *v, ticks_t now)
{
    struct ls_slot *slot = ls_arena_slot(w->arena, v->index);
    ticks_t idle = w->threshold * 3 / 4;
    v->next = now + idle;
    /* acquire: pairs with the store that ended or freed the slot, or claimed it again */
    if (atomic_load_explicit(&slot->state, memory_order_acquire) != SLOT_LIVE ||
        *(volatile uint32_t *)&slot->generation != v->generation) {
        if (v->job.phase == SAMPLE_IDLE) /* else when the job has come to its end */
            retire(w, v, now);
        return;
    }
    struct snapshot s;
    if (v->gone || !snapshot(slot, &s))
        return;
    if (v->unproven)
        prove(w, v, now);

    bool same = v->stall && is_busy(s.word) && s.since == v->stall->note.since &&
                LS_WORD_TURN(s.word) == LS_WORD_TURN(v->stall->last.word);
    bool overdue = is_busy(s.word) && s.since && s.since <= now && now - s.since >= w->threshold;
    if (!v->stall && v->last.asleep && v->last.word == s.word) {
        v->last.time = now; /* still asleep in the same poll: that reading is as good as a new one */
        return;
    }
    if (LS_WORD_ACT(s.word) == ACT_NONE && !v->stall) { /* no loop: nothing to know */
        v->last = (struct look){ .time = now, .word = s.word };
        return;
    }
    struct look l = look_now(w, v, s.word);
    if (v->gone) {
        finish_stall(w, v, NULL, NULL, now);
        return;
    }
    if (v->stall && !same)
        finish_stall(w, v, &s, &l, now);
    if (overdue && !v->stall)
        open_stall(w, v, &s, &l);
    if (overdue && v->stall) {
        look_at_stall(w, v, &s, &l, now);
        return;
    }
    if (LS_WORD_TURN(v->last.word) != LS_WORD_TURN(s.word))
        v->before = v->last;
    if (LS_WORD_TURN(v->last.word) != LS_WORD_TURN(s.word) || !is_busy(s.word))
        v->last = l;
    if (is_busy(s.word) && s.since && s.since <= now)
        v->next = s.since + w->threshold;
}

/* One round: looks at what is due; returns when the next one is. */
static ticks_t round_of_looks(struct watch *w)
{
    ticks_t now = clock_now(w->clock), next;
    if (now >= w->next_scan)
        scan(w, now);
    next = now + to_ticks(w, NOBODY);
    for (uint32_t i = 0; i < w->top; i++) {
        struct watched *v = w->watched[i];
        if (!v || !v->live)
            continue;
        now = clock_now(w->clock);
        if (v->job.phase != SAMPLE_IDLE && sample_continue(&v->job) == 0)
            job_done(w, v);
        if (now >= v->next) {
            look_at(w, v, now);
            if (v->next < now + to_ticks(w, SHORTEST))
                v->next = now + to_ticks(w, SHORTEST);
        }
        if (v->live && v->next < next)
            next = v->next;
        if (v->job.phase != SAMPLE_IDLE && now + to_ticks(w, PENDING) < next)
            next = now + to_ticks(w, PENDING);
    }
    pthread_mutex_lock(&w->mutex);
    notebox_expire(&w->done, now - to_ticks(w, NOTE_LIFE));
    pthread_mutex_unlock(&w->mutex);
    return next;
}

static void *run(void *arg)
{
    struct watch *w = arg;
    for (;;) {
        ticks_t next = round_of_looks(w), now = clock_now(w->clock);
        ns_t until = clock_read(CLOCK_MONOTONIC) + (next > now ? to_ns(w, next - now) : 0);
        struct timespec t = { (time_t)(until / 1000000000ull), (long)(until % 1000000000ull) };
        pthread_mutex_lock(&w->mutex);
        while (!w->stop && pthread_cond_timedwait(&w->wake, &w->mutex, &t) == 0)
            ;
        bool stop = w->stop;
        pthread_mutex_unlock(&w->mutex);
        if (stop)
            break;
    }
    /* Who has not come to its stop yet is waited for a little; the kernel detaches the rest when this thread ends. */
    for (uint32_t i = 0; i < w->top; i++)
        for (int k = 0; w->watched[i] && w->watched[i]->job.phase != SAMPLE_IDLE && k < 100; k++)
            if (sample_continue(&w->watched[i]->job))
                nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
    return NULL;
}

struct watch *watch_start(struct ls_arena *arena, ns_t threshold)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    /* Read once, before any target runs: it can write them later. */
    w->arena = arena;
    w->slots = arena->slots < MAX_SLOTS ? arena->slots : MAX_SLOTS;
    w->clock = arena->clock == LS_CLOCK_TSC ? LS_CLOCK_TSC : LS_CLOCK_MONOTONIC;
    w->ticks_per_sec = w->clock == LS_CLOCK_TSC && arena->ticks_per_sec ? arena->ticks_per_sec : 1000000000ull;
    w->threshold = to_ticks(w, threshold > MS / 5 ? threshold : MS / 5);
    w->file_known = proc_file_at(arena, &w->file) == 0;
    w->watched = calloc(w->slots ? w->slots : 1, sizeof(struct watched *));

    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&w->mutex, NULL);

    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int e = w->watched ? pthread_create(&w->thread, NULL, run, w) : ENOMEM;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!e)
        return w;
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w->watched);
    free(w);
    errno = e;
    return NULL;
}

void watch_stop(struct watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    notebox_expire(&w->done, UINT64_MAX);
    for (uint32_t i = 0; i < w->top; i++) {
        struct watched *v = w->watched[i];
        if (!v)
            continue;
        if (v->stall)
            watch_note_clear(&v->stall->note);
        free(v->stall);
        free(v->job.copy);
        if (v->live)
            proc_thread_close(&v->proc);
        free(v);
    }
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w->watched);
    free(w);
}

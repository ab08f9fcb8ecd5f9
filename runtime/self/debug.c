/* debug.c - LOOPSCOPE_DEBUG=1: says on stderr, one line each, what a program most likely did not mean.
 *
 * The environment is read when a loop starts; without it nothing here runs.  LOOPSCOPE_DEBUG_SLOW (a time as "50ms",
 * default 100ms) is how long a task may run without awaiting.  Runs on the loop's thread. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/core/loop.h"
#include "runtime/core/object.h"

#define SLOW_DEFAULT (100 * LS_MS)

bool lsrt_debug_wanted(void)
{
    const char *s = getenv("LOOPSCOPE_DEBUG");
    return s && *s && strcmp(s, "0") != 0;
}

/* "250ms", "1.5s", "300us", a plain number is ms; `otherwise` when it is none of these. */
static ls_ns span_of(const char *s, ls_ns otherwise)
{
    static const struct {
        const char *name;
        ls_ns ns;
    } units[] = { { "ns", 1 }, { "us", LS_US }, { "ms", LS_MS }, { "", LS_MS }, { "s", LS_SEC } };
    char *end;
    double n = s ? strtod(s, &end) : -1;
    if (!s || end == s || !(n > 0 && n < 1e9))
        return otherwise;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(end, units[i].name))
            return (ls_ns)(n * (double)units[i].ns);
    return otherwise;
}

void lsrt_debug_init(struct loop *l)
{
    l->debug = lsrt_debug_wanted();
    if (!l->debug)
        return;
    l->switch_hook |= LSRT_HOOK_DEBUG;
    l->step_limit = span_of(getenv("LOOPSCOPE_DEBUG_SLOW"), SLOW_DEFAULT);
}

/* One line with one write, so that lines of several threads stay whole.  Keeps errno. */
void lsrt_debug_say(const char *format, ...)
{
    char line[512] = "loopscope: ";
    int error = errno;
    size_t head = strlen(line);
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line + head, sizeof line - head - 1, format, ap);
    va_end(ap);
    size_t used = n < 0 ? head : head + (size_t)n < sizeof line - 2 ? head + (size_t)n : sizeof line - 2;
    line[used] = '\n';
    fwrite(line, 1, used + 1, stderr);
    fflush(stderr);
    errno = error;
}

/* "app.c:12", in a buffer of the caller. */
struct place {
    char text[96];
};
static const char *place(struct place *p, const struct ls_site *site)
{
    if (!site)
        return "?";
    snprintf(p->text, sizeof p->text, "%s:%" PRIu32, site->file, site->line);
    return p->text;
}

void lsrt_debug_misuse(struct loop *l, const char *text)
{
    struct place spawned, last;
    struct task *t = l ? l->current : NULL;
    if (!t)
        lsrt_debug_say("%s", text);
    else if (!t->at)
        lsrt_debug_say("%s (in task '%s', spawned at %s)", text, t->name, place(&spawned, t->site));
    else
        lsrt_debug_say("%s (in task '%s', spawned at %s, last awaited at %s)", text, t->name, place(&spawned, t->site),
                       place(&last, t->at));
}

/* How long a step takes is a matter of the real clock, whatever time the tasks live in. */
static ls_ns real_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ls_ns)t.tv_sec * LS_SEC + (ls_ns)t.tv_nsec;
}

void lsrt_debug_switch(struct loop *l, struct task *from, struct task *to)
{
    ls_ns now = real_now(), end = from && from->allow ? l->allowed_since : now;
    struct place spawned, since, until;
    if (from && end > l->step_began && end - l->step_began > l->step_limit)
        lsrt_debug_say("task '%s' (spawned at %s) ran for %" PRIu64 " ms without awaiting, from %s to %s", from->name,
                       place(&spawned, from->site), (end - l->step_began) / LS_MS,
                       l->step_from ? place(&since, l->step_from) : "its start",
                       from->state == TASK_DONE || from->state == TASK_FREE ? "its end" : place(&until, from->at));
    l->step_began = l->allowed_since = now;
    l->step_from = to ? to->at : NULL;
}

void lsrt_debug_call(struct loop *l, struct ls_site *site)
{
    ls_ns now = real_now();
    struct place set;
    if (site && now > l->step_began && now - l->step_began > l->step_limit)
        lsrt_debug_say("callback '%s' (set at %s) ran for %" PRIu64 " ms", site->function, place(&set, site),
                       (now - l->step_began) / LS_MS);
    l->step_began = l->allowed_since = now;
}

void lsrt_debug_stacks(struct loop *l)
{
    if (l->stacks.guard != GUARD_NONE || l->told_of_guards)
        return;
    l->told_of_guards = true;
    lsrt_debug_say(
        "the kernel gives no more guard pages (vm.max_map_count): an overflow goes unnoticed from stack %zu on",
        l->stacks.count);
}

void lsrt_debug_allow(struct loop *l, bool begins)
{
    ls_ns now = real_now();
    if (begins)
        l->allowed_since = now;
    else
        l->step_began += now - l->allowed_since;
}

void lsrt_debug_held(struct task *t, struct object *o)
{
    struct place spawned, made;
    lsrt_debug_say("task '%s' (spawned at %s) %s and still holds %s '%s' (made at %s)", t->name,
                   place(&spawned, t->site), t->state == TASK_ABANDONED ? "was abandoned" : "ended", o->ops->noun,
                   o->name, place(&made, o->site));
}

static bool error_lost(const struct task *t)
{
    return t->result == -1 && !t->observed && t->error != ECANCELED;
}

static const char *error_name(int error)
{
    const char *name = strerrorname_np(error);
    return name ? name : "-1";
}

void lsrt_debug_free(struct loop *l, struct task *t)
{
    struct place spawned;
    if (error_lost(t) && t != l->main)
        lsrt_debug_say("task '%s' (spawned at %s) failed with %s, and nobody took its result", t->name,
                       place(&spawned, t->site), error_name(t->error));
}

void lsrt_debug_future(struct object *o, int error)
{
    struct place made;
    lsrt_debug_say("future '%s' (made at %s) failed with %s, and nobody saw it", o->name, place(&made, o->site),
                   error_name(error));
}

void lsrt_debug_cancelled(struct task *t)
{
    struct place spawned, at;
    if (t->at)
        lsrt_debug_say("task '%s' (spawned at %s) was not over when main was: cancelled; it waited at %s", t->name,
                       place(&spawned, t->site), place(&at, t->at));
    else
        lsrt_debug_say("task '%s' (spawned at %s) was not over when main was: cancelled; it never ran", t->name,
                       place(&spawned, t->site));
}

void lsrt_debug_overdue(struct task *t)
{
    struct place spawned, at;
    lsrt_debug_say("task '%s' (spawned at %s) is not over when its grace is: from now on its awaits are refused; it "
                   "waits at %s",
                   t->name, place(&spawned, t->site), t->at ? place(&at, t->at) : "its start");
}

void lsrt_debug_abandoned(struct task *t)
{
    struct place at;
    lsrt_debug_say("task '%s' goes on awaiting at %s after main is over: abandoned", t->name, place(&at, t->at));
}

void lsrt_debug_loop_end(struct loop *l)
{
    struct place p;
    for (uint32_t i = 0; i < l->task_count; i++) {
        struct task *t = lsrt_task_at(l, i);
        if (t->state != TASK_DONE || t == l->main)
            continue;
        if (error_lost(t))
            lsrt_debug_free(l, t);
        else if (!t->observed && t->error != ECANCELED)
            lsrt_debug_say("task '%s' (spawned at %s) was never awaited or detached", t->name, place(&p, t->site));
    }
    for (struct object *o = lsrt_object_next(l, 0); o; o = lsrt_object_next(l, o->index + 1))
        if (!o->own)
            lsrt_debug_say("%s '%s' (made at %s) was never freed", o->ops->noun, o->name, place(&p, o->site));
}

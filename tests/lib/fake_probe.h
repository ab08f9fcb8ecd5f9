/* fake_probe.h - a probe that writes what it is told into a string: tests read the runtime's story as text.
 *
 * Include it first, in one .c of a test: it defines every function of probe.h, and so takes the place of libloopscope. */
#ifndef TESTS_FAKE_PROBE_H
#define TESTS_FAKE_PROBE_H

#define LS_PROBE_PLAIN /* the functions, not the macros that ask first */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <loopscope/probe.h>

int ls_recording;

static struct {
    char text[1 << 16];
    size_t used;
    uint32_t tasks, objects;
    char names[64][32]; /* by task id; "loop" is 0 */
    int polls;
    int marks;        /* 1: they are part of the story; those of a pool come from other threads */
    uint32_t running; /* task */
    const void *lo, *hi;
} fake = { .names = { "loop" } };

static void fake_say(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (fake.used < sizeof fake.text)
        fake.used += (size_t)vsnprintf(fake.text + fake.used, sizeof fake.text - fake.used, format, ap);
    va_end(ap);
}
static const char *fake_name(uint64_t task)
{
    return task < 64 ? fake.names[task] : "?";
}
static const char *fake_why(enum ls_why why)
{
    static const char *const names[] = { [LS_WHY_SPAWN] = "-",       [LS_WHY_YIELD] = "yield", [LS_WHY_SLEEP] = "sleep",
                                         [LS_WHY_FD] = "fd",         [LS_WHY_TASK] = "task",   [LS_WHY_GROUP] = "group",
                                         [LS_WHY_THREAD] = "thread", [LS_WHY_END] = "end",     [LS_WHYS] = NULL };
    return names[why] ? names[why] : "?";
}

void ls_probe_loop(const char *name)
{
    if (ls_recording)
        fake_say("loop %s\n", name);
}
void ls_probe_thread(void)
{
}
void ls_probe_loop_end(void)
{
    if (ls_recording)
        fake_say("loop end\n");
}
void ls_probe_poll_enter(void)
{
    fake.polls++;
}
void ls_probe_poll_exit(int ready, int asked, int64_t timeout_ns)
{
    (void)ready, (void)asked, (void)timeout_ns;
}
uint32_t ls_probe_task_new(uint32_t parent, struct ls_site *site, const char *name)
{
    uint32_t id = ++fake.tasks;
    if (id < 64)
        snprintf(fake.names[id], sizeof fake.names[id], "%s", name ? name : site->function);
    fake_say("new %s by %s\n", fake_name(id), fake_name(parent));
    return id;
}
void ls_probe_task_end(uint32_t task, enum ls_outcome outcome, int64_t result)
{
    fake_say("end %s %s %d\n", fake_name(task),
             outcome == LS_OUTCOME_OK      ? "ok"
             : outcome == LS_OUTCOME_ERROR ? "error"
                                           : "cancelled",
             (int)result);
}
void ls_probe_task_observed(uint32_t task)
{
    fake_say("observed %s\n", fake_name(task));
}
void ls_probe_task_detached(uint32_t task)
{
    (void)task; /* the stories here do not tell it */
}
void ls_probe_switch(uint32_t from, enum ls_why why, uint64_t target, struct ls_site *site, uint32_t to)
{
    fake_say("%s -> %s: %s", fake_name(from), fake_name(to), fake_why(why));
    if (why == LS_WHY_TASK)
        fake_say(" %s", fake_name(target));
    if (site)
        fake_say(" in %s", site->function);
    fake_say("\n");
    fake.running = to;
}
void ls_probe_wake(uint32_t task, uint32_t waker)
{
    fake_say("wake %s by %s\n", fake_name(task), fake_name(waker));
}
void ls_probe_stack(const void *lo, const void *hi)
{
    fake.lo = lo;
    fake.hi = hi;
}
void ls_probe_switch_stack(uint32_t from, enum ls_why why, uint64_t target, struct ls_site *site, uint32_t to,
                           const char *const stack[2])
{
    ls_probe_stack(stack ? stack[0] : NULL, stack ? stack[1] : NULL);
    ls_probe_switch(from, why, target, site, to);
}
void ls_probe_finish(uint32_t task, enum ls_outcome outcome, int64_t result, uint32_t woken, int observed, uint32_t to,
                     const char *const stack[2])
{
    ls_probe_stack(stack ? stack[0] : NULL, stack ? stack[1] : NULL);
    ls_probe_task_end(task, outcome, result);
    if (observed)
        ls_probe_task_observed(task);
    if (woken)
        ls_probe_wake(woken, task);
    ls_probe_switch(task, LS_WHY_END, 0, NULL, to);
}
void ls_probe_hold(uint32_t object, uint32_t task, int held)
{
    fake_say("%s %s object %u\n", fake_name(task), held ? "holds" : "gives back", object);
}
void ls_probe_members(uint32_t object, const uint32_t ids[], unsigned n)
{
    (void)object, (void)ids, (void)n;
}
void ls_probe_allow(const char *why)
{
    fake_say("may block: %s\n", why ? why : "no more");
}
void ls_probe_wake_late(uint32_t task, uint64_t late_ns)
{
    (void)late_ns; /* as long as the machine was busy */
    fake_say("wake %s by %s\n", fake_name(task), fake_name(0));
}
uint32_t ls_probe_object_new(enum ls_object_kind kind, const char *name, struct ls_site *site, int fd)
{
    (void)kind, (void)site, (void)fd;
    fake_say("object %s\n", name);
    return ++fake.objects;
}
void ls_probe_object_end(uint32_t object)
{
    (void)object;
    fake_say("object end\n");
}
uint64_t ls_probe_now(void)
{
    return 1;
}
void ls_probe_mark(const char *name, double value, uint64_t start)
{
    if (fake.marks)
        fake_say("%s %s of %s: %g\n", start ? "span" : "mark", name, fake_name(fake.running), value);
}
void ls_probe_mark_for(uint32_t task, const char *name, double value, uint64_t start)
{
    (void)task, (void)name, (void)value, (void)start;
}

#endif

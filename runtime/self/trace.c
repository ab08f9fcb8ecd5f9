/* trace.c - marks that need formatting, and the allowance to block.  Runs on the thread that it speaks of.
 *
 * An allowance is the task's, and the probe knows one a thread: so at a switch it is told what the next one may do.
 * switch_hook counts the tasks that have one; while there is none a switch does not look. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "runtime/core/loop.h"

void ls_markf_at(const char *format, ...)
{
    char name[201];
    int error = errno;
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    errno = error;
    ls_mark(name);
}

static const char **allowance(struct loop *l, struct task *t)
{
    return t ? &t->allow : &l->allow;
}

struct ls_allow ls_allow_begin(const char *why)
{
    struct ls_allow allow = { NULL };
    struct loop *l = lsrt_loop();
    if (!why)
        why = "no reason was given";
    if (l) {
        const char **now = allowance(l, l->current);
        allow.outer = *now;
        if (!*now) {
            l->switch_hook++;
            if (l->debug)
                lsrt_debug_allow(l, true);
        }
        *now = why;
    }
    ls_probe_allow(why);
    return allow;
}

void ls_allow_end(struct ls_allow *allow)
{
    struct loop *l = lsrt_loop();
    if (l) {
        *allowance(l, l->current) = allow->outer;
        if (!allow->outer) {
            l->switch_hook--;
            if (l->debug)
                lsrt_debug_allow(l, false);
        }
    }
    ls_probe_allow(allow->outer);
}

void lsrt_allow_switch(struct loop *l, struct task *from, struct task *to)
{
    const char *before = *allowance(l, from), *now = *allowance(l, to);
    if (before != now)
        ls_probe_allow(now);
}

/* exception.c - C++: what a task has caught and not left yet is its own.
 *
 * The C++ runtime keeps it a thread: a task that awaits inside a catch would rethrow, and free, what another has caught
 * meanwhile.  So it is changed at each switch, in programs that are linked with libstdc++ or libc++; others do not pay. */
#include "loop.h"

struct exceptions *__cxa_get_globals(void) __attribute__((weak));

void lsrt_exceptions_watch(struct loop *l)
{
    if (!__cxa_get_globals)
        return;
    l->thread_exceptions = __cxa_get_globals();
    l->switch_hook |= LSRT_HOOK_EXCEPTIONS;
}

void lsrt_exceptions_switch(struct loop *l, struct task *from, struct task *to)
{
    *(from ? &from->exceptions : &l->exceptions) = *l->thread_exceptions;
    *l->thread_exceptions = to ? to->exceptions : l->exceptions;
}

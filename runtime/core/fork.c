/* fork.c - what fork() leaves of the loops in the child: nothing.
 *
 * The child has the thread that forked, and a copy of its loop, which shares the epoll with the parent's: each event that
 * the child took would be one that the parent never sees.  So the thread has no loop there: what waits fails with EPERM,
 * ls_post to a loop of the parent with ESRCH, ls_run makes a new one; and when the function of the task that forked
 * returns, the child exits with its result.
 * (vfork, posix_spawn and clone do not come here: their children exec.) */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"
#include "runtime/thread/inbox.h"

static _Thread_local struct loop *left; /* of the parent's; kept, so that no leak checker misses it */

static void in_child(void)
{
    lsrt_dump_forget();
    lsrt_inboxes_forget();
    if (!lsrt_here)
        return;
    left = lsrt_here;
    lsrt_here = NULL;
    close(left->epoll);
}

static void watch(void)
{
    pthread_atfork(NULL, NULL, in_child);
}

void lsrt_fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
}

bool lsrt_forked(void)
{
    return left != NULL;
}

_Noreturn void lsrt_fork_end(intptr_t result)
{
    exit((int)result);
}

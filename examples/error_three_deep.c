/* error_three_deep.c - an error three awaits deep: no stack shows the way that it took, the trace does.
 *
 * handle awaits load, load awaits query, and query fails.  Each has a stack of its own; `loopscope tree` shows them as
 * one: who awaited whom, from which line.  `audit` fails, too, and nobody ever reads its result: the report says so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <loopscope/runtime.h>

static intptr_t query(void *user)
{
    ls_sleep(20 * LS_MS);
    errno = user ? ENOENT : 0; /* no such user */
    return -1;
}

static intptr_t load(void *user)
{
    intptr_t row = 0;
    if (ls_await(ls_spawn(query, user, "query %s", (char *)user), &row, LS_NEVER))
        return -1;
    return row; /* -1, and errno is query's */
}

static intptr_t handle(void *user)
{
    intptr_t page = 0;
    if (ls_await(ls_spawn(load, user, "load %s", (char *)user), &page, LS_NEVER))
        return -1;
    return page;
}

static intptr_t audit(void *arg)
{
    (void)arg;
    errno = EACCES;
    return -1;
}

static intptr_t app(void *arg)
{
    intptr_t page = 0;
    ls_detach(ls_spawn(audit, arg, NULL)); /* and its error is lost */
    int result = ls_await(ls_spawn(handle, "alice", "handle alice"), &page, LS_NEVER);
    printf("handle alice: %s\n", !result && page == -1 ? strerror(errno) : "served");
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

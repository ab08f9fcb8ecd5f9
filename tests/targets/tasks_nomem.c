/* tasks_nomem.c - each allocation of a program of tasks fails in turn: every call says so or does without, nobody is left
 * behind, nothing hangs.  Prints how many there were. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <loopscope/runtime.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static long count, failing; /* allocations of this run; the one that fails, 0: none is counted */

static bool fails(void)
{
    if (!failing || ++count != failing)
        return false;
    errno = ENOMEM;
    return true;
}
void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}
void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}
void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

static int alive, values;
static void must(bool truth, int line)
{
    if (truth)
        return;
    printf("tasks_nomem.c:%d: not so, when allocation %ld fails (errno %d, %s)\n", line, failing, errno,
           ls_error_text());
    exit(1);
}
#define MUST(truth)   must((truth), __LINE__)
#define NOMEM(result) MUST((result) == 0 || errno == ENOMEM)

static void drop(void *value)
{
    values--;
    (void)value;
}
static const struct ls_local key = { "key", drop };

static void leave(void *arg)
{
    (void)arg;
    alive--;
}
static void done(struct ls_task *task, void *arg)
{
    MUST(ls_done(task) == 1);
    ++*(int *)arg;
}
static intptr_t works(void *ms)
{
    struct ls_timeout scope;
    alive++;
    if (ls_defer(leave, NULL)) {
        MUST(errno == ENOMEM);
        alive--;
        return -1;
    }
    if (ls_local_set(&key, &values))
        MUST(errno == ENOMEM);
    else
        values++;
    bool open = !ls_timeout_begin(&scope, ls_after(50 * LS_MS));
    MUST(open || errno == ENOMEM);
    int status = ls_sleep((ls_ns)(intptr_t)ms * LS_MS), error = errno;
    MUST(!status || error == ECANCELED || error == ENOMEM);
    if (open)
        MUST(!ls_timeout_end(&scope) || errno == ETIMEDOUT);
    errno = error;
    return status;
}

static intptr_t waits_for_future(void *future)
{
    intptr_t value = 0;
    if (ls_future_await(future, &value, ls_after(LS_SEC)))
        MUST(errno == ENOMEM);
    else
        MUST(value == 9);
    return 0;
}

static void many(void)
{
    enum { N = 20 };
    struct ls_task *t[N];
    size_t n = 0;
    int called = 0, asked = 0;
    for (intptr_t i = 0; i < N; i++) {
        t[n] = ls_spawn(works, (void *)(10 + i), "a name of its own %d", (int)i);
        MUST(t[n] || errno == ENOMEM);
        if (t[n] && !ls_on_done(t[n], done, &called))
            asked++;
        n += t[n] != NULL;
    }
    bool over[N];
    if (ls_wait(t, n, LS_FIRST_DONE, over, ls_after(LS_SEC)))
        MUST(errno == ENOMEM);
    if (ls_next_done(t, n, NULL, NULL, LS_NEVER))
        MUST(errno == ENOMEM);
    size_t spent = 0;
    if (ls_gather(t, n - 1, NULL, LS_NEVER)) /* next_done has made one NULL, or one has failed */
        MUST(errno == ENOMEM || errno == EINVAL);
    else
        spent = n - 1;
    while (ls_reap(t + spent, n - spent, NULL, LS_NEVER))
        MUST(errno == ENOMEM);
    ls_sleep(LS_MS);
    MUST(called == asked);
}

static void groups(void)
{
    struct ls_group *g = ls_group_open("group");
    MUST(g || errno == ENOMEM);
    if (!g)
        return;
    ls_group_limit(g, 3);
    for (intptr_t i = 0; i < 8; i++)
        MUST(ls_group_spawn(g, works, (void *)(i == 5 ? 100 : i), NULL) || errno == ENOMEM || errno == ECANCELED);
    if (ls_group_room(g, LS_NEVER))
        MUST(errno == ECANCELED);
    if (ls_group_close(g, ls_after(LS_SEC)))
        MUST(errno == ENOMEM || errno == ECANCELED);
    MUST(alive == 0);
    ls_group_errors(NULL, NULL, 0);
}

static void futures(void)
{
    struct ls_future *f = ls_future_new("future");
    MUST(f || errno == ENOMEM);
    if (!f)
        return;
    struct ls_task *t = ls_spawn(waits_for_future, f, NULL);
    ls_yield();
    MUST(!ls_future_set(f, 9));
    if (t)
        ls_await(t, NULL, LS_NEVER);
    MUST(!ls_future_free(f));
}

static intptr_t app(void *arg)
{
    (void)arg;
    many();
    groups();
    futures();
    MUST(alive == 0);
    ls_detach(ls_spawn(works, (void *)1000, NULL)); /* is cancelled at the end */
    ls_sleep(LS_MS);
    return 7;
}

int main(void)
{
    static char out[256];
    setvbuf(stdout, out, _IOLBF, sizeof out);
    const struct ls_opts opts = { .virtual_time = true };
    long at = 0;
    do {
        count = 0;
        failing = ++at;
        intptr_t result = ls_run(app, NULL, &opts);
        int error = errno;
        failing = at; /* for the message */
        MUST(result == 7 || (result == -1 && error == ENOMEM));
        MUST(alive == 0 && values == 0);
    } while (count >= at);
    failing = 0;
    printf("%ld allocations failed, one by one\n", at - 1);
    return at > 50 ? 0 : 1;
}

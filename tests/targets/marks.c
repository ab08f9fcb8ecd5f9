/* marks.c - what a program says about itself: spans of tasks that take turns, marks, a counter, and two blocks of the
 * loop, one of them allowed: the target of tests/e2e/runtime_marks.py. */
#include <time.h>

#include <loopscope/runtime.h>

static void burn(long ms)
{
    struct timespec t = { 0, ms * 1000000 };
    nanosleep(&t, NULL);
}

static intptr_t worker(void *arg)
{
    intptr_t n = (intptr_t)arg;
    LS_SPAN("work")
    {
        ls_sleep((ls_ns)(40 - 10 * n) * LS_MS); /* the spans begin 1, 2 and end 2, 1 */
        LS_SPAN("inner") ls_yield();
    }
    ls_markf("worker %d is over", (int)n);
    return n;
}
static intptr_t blocks(void *arg)
{
    LS_ALLOW_BLOCK("reads its configuration") burn(60);
    ls_sleep(5 * LS_MS);
    LS_ALLOW_BLOCK("waits while others run") ls_sleep(30 * LS_MS);
    return (intptr_t)arg;
}
static intptr_t blocks_badly(void *arg)
{
    ls_sleep(20 * LS_MS); /* now `blocks` waits in its second block */
    burn(60);
    return (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    struct ls_task *t[2] = { ls_spawn(worker, (void *)1, "first"), ls_spawn(worker, (void *)2, "second") };
    for (int i = 0; i < 3; i++)
        ls_counter("depth", i * 1.5);
    ls_mark("started");
    if (ls_gather(t, 2, NULL, LS_NEVER))
        return 1;
    struct ls_task *b = ls_spawn(blocks, arg, NULL);
    ls_await(b, NULL, ls_after(62 * LS_MS));
    ls_await(ls_spawn(blocks_badly, arg, NULL), NULL, LS_NEVER);
    return ls_await(b, NULL, LS_NEVER);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

/* asyncio.run, Runner | ls_run
 * A coroutine is an ordinary function; ls_run returns what it returned.  The tasks that are left are cancelled once and
 * run to their end, awaiting as they like; here they have opts.close_grace for it. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t saver(void *arg)
{
    (void)arg;
    ls_sleep(100 * LS_SEC);
    ls_sleep(10 * LS_MS);
    printf("saved\n");
    return 0;
}
static intptr_t app(void *arg)
{
    struct ls_task *task = ls_spawn(saver, NULL, NULL);
    (void)arg;
    ls_sleep(10 * LS_MS);
    printf("hello, saver is %s\n", ls_done(task) ? "done" : "still there");
    ls_detach(task);
    return 42;
}
int main(void)
{
    printf("%d\n", (int)ls_run(app, NULL, NULL));
}

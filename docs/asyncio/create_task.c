/* create_task, current_task, get_name | ls_spawn, ls_self, ls_task_name
 * A task runs when the others had their turn.  Every task has a name, printf style; NULL: its function's. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t greet(void *name)
{
    const char *me = ls_task_name(ls_self());
    printf("%s starts\n", me);
    ls_sleep(10 * LS_MS);
    printf("%s greets %s\n", me, (char *)name);
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *a = ls_spawn(greet, "Alice", "task-%c", 'a');
    struct ls_task *b = ls_spawn(greet, "Bob", "task-%c", 'b');
    printf("both are made\n");
    ls_await(a, NULL, LS_NEVER);
    return ls_await(b, NULL, LS_NEVER);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

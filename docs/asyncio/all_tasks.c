/* all_tasks; print_call_graph (Python 3.14) | ls_tasks_foreach, ls_dump
 * ls_dump(2) prints every task, what it waits for, where, and who awaits it; a debugger may call it as well. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t nap(void *arg)
{
    return ls_sleep(60 * LS_SEC) + (intptr_t)arg;
}
static int tell(const struct ls_task_info *info, void *arg)
{
    if (info->task != arg) {
        printf("%s\n", info->name);
        ls_cancel(info->task, NULL);
    }
    return 0;
}
static intptr_t app(void *arg)
{
    for (int n = 0; n < 3; n++)
        ls_detach(ls_spawn(nap, arg, "nap-%d", n));
    ls_yield();
    return ls_tasks_foreach(tell, ls_self());
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

/* create_subprocess_exec, communicate, wait, terminate | ls_process_spawn, ls_process_communicate, ls_process_wait
 * posix_spawn and a pidfd: no signal handler, and no signal goes to a stranger. */
#include <loopscope/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static intptr_t app(void *arg)
{
    (void)arg;
    char *tr[] = { "tr", "a-z", "A-Z", NULL }, *sleeper[] = { "sleep", "60", NULL }, *out;
    size_t n;
    int status;
    struct ls_process_opts pipes = { .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE };
    struct ls_process *p = ls_process_spawn(tr, &pipes);
    ls_process_communicate(p, "hello", 5, &out, &n, NULL, NULL, LS_NEVER);
    ls_process_wait(p, &status, LS_NEVER);
    printf("%s %d\n", out, WEXITSTATUS(status));
    free(out);
    ls_process_free(p);

    p = ls_process_spawn(sleeper, NULL);
    ls_process_terminate(p);
    ls_process_wait(p, &status, LS_NEVER);
    printf("%d\n", -WTERMSIG(status));
    return ls_process_free(p);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

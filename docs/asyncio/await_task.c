/* await task: results and exceptions | ls_await
 * A task fails by returning -1 with errno set; whoever awaits it gets both. */
#include <ctype.h>
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static intptr_t parse(void *text)
{
    if (!isdigit(*(char *)text)) {
        errno = EINVAL;
        return -1;
    }
    return atoi(text);
}
static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_task *good = ls_spawn(parse, "12", NULL);
    struct ls_task *bad = ls_spawn(parse, "twelve", NULL);
    intptr_t number;
    ls_await(good, &number, LS_NEVER);
    printf("%d\n", (int)number);
    ls_await(bad, &number, LS_NEVER);
    if (number == -1)
        printf("failed: %s\n", strerrorname_np(errno));
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

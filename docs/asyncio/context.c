/* contextvars | ls_local_set, ls_local_get
 * Inherited at the spawn; what either sets later the other does not see. */
#include <loopscope/runtime.h>
#include <stdio.h>

static const struct ls_local user = { "user", NULL };

static intptr_t handler(void *arg)
{
    printf("inherited: %s\n", (char *)ls_local_get(&user));
    ls_local_set(&user, "bob");
    printf("changed: %s\n", (char *)ls_local_get(&user));
    return (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    const char *name = ls_local_get(&user);
    printf("%s\n", name ? name : "nobody");
    ls_local_set(&user, "alice");
    ls_await(ls_spawn(handler, arg, NULL), NULL, LS_NEVER);
    printf("still: %s\n", (char *)ls_local_get(&user));
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

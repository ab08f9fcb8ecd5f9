/* timeout, timeout_at, reschedule, expired | ls_timeout_begin, ls_timeout_reschedule, ls_timeout_end
 * For all that a task awaits between begin and end; scopes nest, and none swallows another's end. */
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_timeout outer, inner;
    ls_timeout_begin(&outer, ls_after(60 * LS_SEC));
    ls_sleep(LS_MS);
    ls_timeout_reschedule(&outer, ls_after(10 * LS_MS));
    ls_timeout_begin(&inner, ls_after(60 * LS_SEC));
    int status = ls_sleep(60 * LS_SEC);
    ls_timeout_end(&inner);
    if (!status)
        printf("not reached\n");
    int expired = ls_timeout_expired(&outer);
    if (ls_timeout_end(&outer) && errno == ETIMEDOUT)
        printf("the outer scope expired: %s\n", expired ? "True" : "False");
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

/* call_soon_threadsafe | ls_post, ls_loop_self
 * ls_post: from any thread, and from signal handlers; in the order of the posts. */
#include <loopscope/runtime.h>
#include <pthread.h>
#include <stdio.h>

static struct ls_loop *loop;
static struct ls_event *event;

static void tell(void *arg)
{
    printf("%s\n", (char *)arg);
}
static void set(void *arg)
{
    ls_event_set(arg);
}
static void *outside(void *arg)
{
    ls_post(loop, tell, "on the loop's thread");
    ls_post(loop, set, event);
    return arg;
}
static intptr_t app(void *arg)
{
    pthread_t thread;
    loop = ls_loop_self();
    event = ls_event_new("told");
    pthread_create(&thread, NULL, outside, arg);
    ls_event_wait(event, LS_NEVER);
    pthread_join(thread, NULL);
    return ls_event_free(event);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

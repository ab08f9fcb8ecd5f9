/* truth_event.c - a libevent program that blocks its loop in known ways: truth_event SEED LOG
 * link: -levent_core -lresolv build/obj/tests/truth/lib/blocks.o
 */
#include <event2/event.h>
#include <stdlib.h>

#include "lib/blocks.h"

static struct event_base *base;
static struct event *next, *ten[10];
static struct block_step step;
static int at, ten_done;
static int64_t ten_start;

static void plan_next(void)
{
    if (at == BLOCKS_PLAN)
        return;
    step = blocks_plan(at++);
    struct timeval pause = { 0, step.pause_ms * 1000 };
    evtimer_add(next, &pause);
}

static void on_ten(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    if (!ten_done)
        ten_start = blocks_now();
    block_cpu(8);
    if (++ten_done < 10)
        return;
    blocks_log_sum(ten_start, blocks_now() - ten_start, "block_cpu");
    plan_next();
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    if (step.kind) {
        block_run(step.kind, step.ms, step.expect);
        plan_next();
        return;
    }
    ten_done = 0;
    for (int i = 0; i < 10; i++)
        event_active(ten[i], EV_TIMEOUT, 1);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    blocks_start(argv[2], (unsigned)atoi(argv[1]));
    base = event_base_new();
    next = evtimer_new(base, on_step, NULL);
    for (int i = 0; i < 10; i++)
        ten[i] = evtimer_new(base, on_ten, NULL);
    plan_next();
    event_base_dispatch(base);
    blocks_end();
    return 0;
}

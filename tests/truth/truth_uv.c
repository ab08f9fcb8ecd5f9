/* truth_uv.c - a libuv program that blocks its loop in known ways: truth_uv SEED LOG
 * link: -luv -lresolv build/obj/tests/truth/lib/blocks.o
 */
#include <stdlib.h>
#include <uv.h>

#include "lib/blocks.h"

static uv_timer_t next, ten[10];
static int at, ten_done;
static int64_t ten_start;

static void plan_next(void);

static void on_ten(uv_timer_t *t)
{
    uv_timer_stop(t);
    if (!ten_done)
        ten_start = blocks_now();
    block_cpu(8);
    if (++ten_done < 10)
        return;
    blocks_log_sum(ten_start, blocks_now() - ten_start, "block_cpu");
    plan_next();
}

static struct block_step step;

static void on_step(uv_timer_t *t)
{
    (void)t;
    block_run(step.kind, step.ms, step.expect);
    plan_next();
}

static void plan_next(void)
{
    if (at == BLOCKS_PLAN)
        return;
    step = blocks_plan(at++);
    uv_update_time(uv_default_loop());
    if (step.kind) {
        uv_timer_start(&next, on_step, (uint64_t)step.pause_ms, 0);
        return;
    }
    ten_done = 0;
    for (int i = 0; i < 10; i++)
        uv_timer_start(&ten[i], on_ten, (uint64_t)step.pause_ms, 0);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    blocks_start(argv[2], (unsigned)atoi(argv[1]));
    uv_timer_init(uv_default_loop(), &next);
    for (int i = 0; i < 10; i++)
        uv_timer_init(uv_default_loop(), &ten[i]);
    plan_next();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    blocks_end();
    return 0;
}

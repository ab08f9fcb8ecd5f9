/* test_assemble.c - events in, rows out.  Ticks are nanoseconds here, and the recording starts at 0. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loopscope/probe.h"
#include "tracer/arena.h"
#include "tracer/call.h"
#include "tracer/record/assemble.h"

#define MAX 256

static struct {
    struct row_step step[MAX];
    struct row_iteration iteration[MAX];
    bool in_gap[MAX];
    struct row_task begun[MAX], ended[MAX];
    struct row_gap gap[MAX];
    struct row_hold hold[MAX];
    struct row_member member[MAX];
    struct row_allow allow[MAX];
    char allow_why[64];
    int64_t later[MAX]; /* task, negative: detached */
    int holds, members, allows, laters;
    struct assembled_call call;
    char call_detail[64], name[64], file[64];
    int steps, iterations, begins, ends, gaps, calls, loops, sites, objects, marks;
    int64_t loop_ended;
} got;

static void on_loop(void *c, const struct row_loop *r, int64_t t)
{
    (void)c, (void)t;
    got.loops++;
    snprintf(got.name, sizeof got.name, "%s/%s", r->kind, r->name ? r->name : "-");
}
static void on_loop_end(void *c, int64_t loop, int64_t t)
{
    (void)c, (void)loop;
    got.loop_ended = t;
}
static void on_iteration(void *c, const struct row_iteration *r, int64_t t, ticks_t since, bool gap)
{
    (void)c, (void)t, (void)since;
    got.in_gap[got.iterations] = gap;
    got.iteration[got.iterations++] = *r;
}
static void on_call(void *c, const struct assembled_call *r)
{
    (void)c;
    got.calls++;
    got.call = *r;
    snprintf(got.call_detail, sizeof got.call_detail, "%s", r->row.detail ? r->row.detail : "");
}
static void on_step(void *c, const struct row_step *r)
{
    (void)c;
    got.step[got.steps++] = *r;
}
static void on_begin(void *c, const struct row_task *r)
{
    (void)c;
    got.begun[got.begins++] = *r;
}
static void on_end(void *c, const struct row_task *r)
{
    (void)c;
    got.ended[got.ends++] = *r;
}
static void on_object(void *c, const struct row_object *r)
{
    (void)c;
    got.objects += strcmp(r->kind, "lock") == 0;
}
static void on_object_end(void *c, int64_t id, int64_t t)
{
    (void)c, (void)id, (void)t;
    got.objects += 100;
}
static void on_site(void *c, const struct row_site *r)
{
    (void)c;
    got.sites++;
    snprintf(got.name, sizeof got.name, "%s", r->function);
    snprintf(got.file, sizeof got.file, "%s", r->file ? r->file : "-");
}
static void on_mark(void *c, const struct row_mark *r)
{
    (void)c;
    got.marks += r->value > 1.4 && r->value < 1.6;
}
static void on_gap(void *c, const struct row_gap *r)
{
    (void)c;
    got.gap[got.gaps++] = *r;
}

static void on_later(void *c, int64_t task, bool observed, bool detached)
{
    (void)c;
    cr_assert(observed != detached);
    got.later[got.laters++] = detached ? -task : task;
}
static void on_hold(void *c, const struct row_hold *r)
{
    (void)c;
    got.hold[got.holds++] = *r;
}
static void on_member(void *c, const struct row_member *r)
{
    (void)c;
    got.member[got.members++] = *r;
}
static void on_allow(void *c, const struct row_allow *r)
{
    (void)c;
    got.allow[got.allows++] = *r;
    if (r->why)
        snprintf(got.allow_why, sizeof got.allow_why, "%s", r->why);
}

static const struct clock_map ns_clock = { .kind = LS_CLOCK_MONOTONIC };
static struct assembler *a;

static void setup(void)
{
    struct assemble_sink sink = { NULL,     on_loop,  on_loop_end, on_iteration,  on_call, on_step,
                                  on_begin, on_end,   on_object,   on_object_end, on_site, on_mark,
                                  on_gap,   on_later, on_hold,     on_member,     on_allow };
    memset(&got, 0, sizeof got);
    a = assembler_new(&sink, &ns_clock);
    assembler_thread(a, 1, 10);
    assembler_thread(a, 2, 10);
}
static void teardown(void)
{
    assembler_free(a);
}
TestSuite(assemble, .init = setup, .fini = teardown);

static size_t on(int64_t thread, struct ls_event e)
{
    return assembler_feed(a, thread, &e, 1);
}
static size_t feed(struct ls_event e)
{
    return on(1, e);
}

#define NEW(t, task) feed((struct ls_event){ .time = (t), .kind = EV_TASK_NEW, .id = (task) })
#define SWITCH(t, from, why_, to) \
    feed((struct ls_event){ .time = (t), .kind = EV_SWITCH, .a = (from), .flags = (why_), .id = (to) })
#define WAKE(t, task, by) feed((struct ls_event){ .time = (t), .kind = EV_WAKE, .id = (task), .a = (by) })
#define END(t, task)      feed((struct ls_event){ .time = (t), .kind = EV_TASK_END, .id = (task), .flags = LS_OUTCOME_OK })
#define POLL(entry, exit, n) \
    feed((struct ls_event){  \
        .time = (exit), .kind = EV_POLL, .a = (entry), .aux = (n), .id = 64, .flags = LOOP_EPOLL, .b = UINT64_MAX })
#define GAP(from, to) feed((struct ls_event){ .time = (to), .kind = EV_GAP, .a = 9, .b = (from) })

static void step_is(int i, int64_t task, int64_t t, int64_t wait, int64_t queue, int64_t run, int64_t waker)
{
    const struct row_step *s = &got.step[i];
    cr_expect_eq(s->task, task, "step %d: task %lld", i, (long long)s->task);
    cr_expect_eq(s->t, t, "step %d: t %lld", i, (long long)s->t);
    cr_expect_eq(s->wait, wait, "step %d: wait %lld", i, (long long)s->wait);
    cr_expect_eq(s->queue, queue, "step %d: queue %lld", i, (long long)s->queue);
    cr_expect_eq(s->run, run, "step %d: run %lld", i, (long long)s->run);
    cr_expect_eq(s->waker, waker, "step %d: waker %lld", i, (long long)s->waker);
}

/* --- iterations --- */

Test(assemble, a_turn_is_complete_when_the_next_poll_is_entered)
{
    POLL(100, 150, 3);
    cr_assert_eq(got.iterations, 0);
    cr_assert_str_eq(got.name, "epoll/-");
    POLL(400, 500, 1);
    cr_assert_eq(got.iterations, 1);
    struct row_iteration *i = &got.iteration[0];
    cr_expect_eq(i->id, 1);
    cr_expect_eq(i->t, 100);
    cr_expect_eq(i->poll, 50);
    cr_expect_eq(i->busy, 250);
    cr_expect_eq(i->ready, 3);
    cr_expect_eq(i->max_ready, 64);
    cr_expect_eq(i->timeout, -1);
}

Test(assemble, a_failed_poll_is_no_event_count)
{
    POLL(1, 2, EV_READY_ERROR);
    POLL(3, 4, 0);
    cr_assert_eq(got.iteration[0].ready, -1);
}

Test(assemble, a_loop_that_dies_busy_gets_its_last_turn)
{
    POLL(100, 150, 1);
    assembler_thread_end(a, 1, LS_WORD(ACT_BUSY, 0, 3), 150, 900);
    cr_assert_eq(got.iterations, 1);
    cr_assert_eq(got.iteration[0].busy, 750);
    cr_assert_eq(got.loop_ended, 900);
}

Test(assemble, a_loop_that_dies_in_its_poll_was_not_busy_there)
{
    POLL(100, 150, 1);
    assembler_thread_end(a, 1, LS_WORD(ACT_POLL, 0, 4), 200, 900);
    cr_assert_eq(got.iterations, 2);
    cr_assert_eq(got.iteration[0].busy, 50);
    cr_assert_eq(got.iteration[1].t, 200);
    cr_assert_eq(got.iteration[1].poll, 700);
    cr_assert_eq(got.iteration[1].busy, 0);
}

Test(assemble, a_gap_makes_the_turn_unknown_and_the_next_one_is_whole)
{
    POLL(100, 150, 1);
    GAP(200, 5000);
    POLL(6000, 6100, 1);
    POLL(6200, 6300, 1);
    cr_assert_eq(got.gaps, 1);
    cr_assert_eq(got.gap[0].t, 200);
    cr_assert_eq(got.gap[0].t_end, 5000);
    cr_assert_eq(got.gap[0].lost, 9);
    cr_assert_eq(got.iteration[0].busy, ROW_NULL);
    cr_assert(got.in_gap[0]);
    cr_assert_eq(got.iteration[1].busy, 100);
    cr_assert_not(got.in_gap[1]);
}

Test(assemble, a_left_loop_has_no_turns_until_it_is_entered_again)
{
    feed((struct ls_event){ .time = 50, .kind = EV_LOOP, .flags = LOOP_RUNTIME });
    POLL(100, 150, 1);
    feed((struct ls_event){ .time = 170, .kind = EV_LOOP, .flags = LOOP_NONE });
    cr_assert_eq(got.iterations, 2);
    cr_assert_eq(got.iteration[0].t, 50, "a runtime runs what is ready before its first poll");
    cr_assert_eq(got.iteration[0].busy, 50);
    cr_assert_eq(got.iteration[1].busy, 20);
    cr_assert_eq(POLL(1000, 1100, 1), 1);
    feed((struct ls_event){ .time = 2000, .kind = EV_LOOP, .flags = LOOP_RUNTIME });
    POLL(2100, 2200, 1);
    POLL(2300, 2400, 1);
    cr_assert_eq(got.iterations, 4);
    cr_assert_eq(got.iteration[2].t, 2000);
    cr_assert_eq(got.iteration[3].t, 2100);
}

Test(assemble, times_that_run_backwards_give_no_negative_durations)
{
    POLL(1000, 1100, 1);
    POLL(500, 400, 1);
    POLL(300, 1050, 1);
    assembler_finish(a, 10);
    for (int i = 0; i < got.iterations; i++) {
        cr_assert_geq(got.iteration[i].poll, 0);
        cr_assert_geq(got.iteration[i].busy, 0);
    }
}

/* --- steps --- */

Test(assemble, wait_then_queue_then_run)
{
    NEW(100, 1);
    SWITCH(130, 0, 0, 1);
    SWITCH(150, 1, LS_WHY_FD, 0);
    WAKE(200, 1, 0);
    SWITCH(260, 0, 0, 1);
    SWITCH(270, 1, LS_WHY_SLEEP, 0);
    cr_assert_eq(got.steps, 2);
    step_is(0, 1, 130, 0, 30, 20, 0);
    step_is(1, 1, 260, 50, 60, 10, 0);
    cr_assert_eq(got.step[0].why, LS_WHY_SPAWN);
    cr_assert_eq(got.step[1].why, LS_WHY_FD);
    cr_assert_eq(got.step[1].target, 0, "fd 0 is a descriptor");
}

Test(assemble, one_switch_ends_a_step_and_begins_another)
{
    NEW(0, 1);
    NEW(0, 2);
    SWITCH(10, 0, 0, 1);
    SWITCH(25, 1, LS_WHY_YIELD, 2);
    SWITCH(45, 2, LS_WHY_YIELD, 1);
    SWITCH(50, 1, LS_WHY_YIELD, 0);
    cr_assert_eq(got.steps, 3);
    step_is(0, 1, 10, 0, 10, 15, 0);
    step_is(1, 2, 25, 0, 25, 20, 0);
    step_is(2, 1, 45, 0, 20, 5, ROW_NULL);
}

Test(assemble, the_steps_of_a_task_add_up_to_its_life)
{
    uint64_t x = 7, t = 1000;
    NEW(t, 1);
    uint64_t born = t;
    SWITCH(t += 5, 0, 0, 1);
    for (int i = 0; i < 100; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        if (x >> 63) {
            SWITCH(t += x >> 50, 1, LS_WHY_YIELD, 0);
        } else {
            SWITCH(t += x >> 52, 1, LS_WHY_LOCK, 0);
            WAKE(t += x >> 53, 1, 0);
        }
        SWITCH(t += x >> 54, 0, 0, 1);
    }
    END(t += 3, 1);
    SWITCH(t += 4, 1, LS_WHY_END, 0);
    int64_t sum = 0;
    for (int i = 0; i < got.steps; i++)
        sum += got.step[i].wait + got.step[i].queue + got.step[i].run;
    cr_assert_eq(sum, (int64_t)(t - born));
    cr_assert_eq(got.ends, 1);
    struct row_task *k = &got.ended[0];
    cr_assert_eq(k->run + k->queue + k->wait, (int64_t)(t - born));
    cr_assert_eq(k->steps, 101);
    cr_assert_str_eq(k->state, "done");
    cr_assert_str_eq(k->outcome, "ok");
}

Test(assemble, a_wake_before_the_suspend_makes_the_wait_empty)
{
    NEW(0, 1);
    SWITCH(10, 0, 0, 1);
    WAKE(15, 1, 2); /* by another thread, while it still runs */
    SWITCH(20, 1, LS_WHY_EVENT, 0);
    SWITCH(50, 0, 0, 1);
    SWITCH(60, 1, LS_WHY_EVENT, 0);
    step_is(1, 1, 50, 0, 30, 10, 2);
}

Test(assemble, a_stale_early_wake_yields_to_the_true_one)
{
    NEW(0, 1);
    SWITCH(10, 0, 0, 1);
    WAKE(15, 1, 2);
    SWITCH(20, 1, LS_WHY_EVENT, 0);
    WAKE(45, 1, 3);
    SWITCH(50, 0, 0, 1);
    SWITCH(60, 1, LS_WHY_EVENT, 0);
    step_is(1, 1, 50, 25, 5, 10, 3);
}

Test(assemble, a_wake_whose_batch_came_first_counts_from_its_own_time)
{
    NEW(0, 1);
    SWITCH(10, 0, 0, 1);
    on(2, (struct ls_event){ .time = 30, .kind = EV_WAKE, .id = 1, .a = 9 });
    SWITCH(20, 1, LS_WHY_EVENT, 0);
    SWITCH(50, 0, 0, 1);
    SWITCH(60, 1, LS_WHY_EVENT, 0);
    step_is(1, 1, 50, 10, 20, 10, 9);
}

Test(assemble, a_wake_whose_batch_came_after_the_resume_is_put_right)
{
    NEW(0, 1);
    SWITCH(10, 0, 0, 1);
    SWITCH(20, 1, LS_WHY_EVENT, 0);
    SWITCH(50, 0, 0, 1);
    on(2, (struct ls_event){ .time = 30, .kind = EV_WAKE, .id = 1, .a = 9 });
    SWITCH(60, 1, LS_WHY_EVENT, 0);
    step_is(1, 1, 50, 10, 20, 10, 9);
}

Test(assemble, a_task_may_be_born_waiting)
{
    feed((struct ls_event){ .time = 100, .kind = EV_TASK_NEW, .id = 7, .flags = LS_WHY_FD, .b = 3 });
    WAKE(150, 7, 0);
    SWITCH(160, 0, LS_WHY_SPAWN, 7);
    SWITCH(190, 7, LS_WHY_FD, 0);
    step_is(0, 7, 160, 50, 10, 30, 0);
    cr_expect_eq(got.step[0].why, LS_WHY_FD);
    cr_expect_eq(got.step[0].target, 3);
    /* It ran on another thread, whose batch came first. */
    SWITCH(200, 0, LS_WHY_SPAWN, 8);
    on(2, (struct ls_event){ .time = 170, .kind = EV_TASK_NEW, .id = 8, .flags = LS_WHY_SLEEP });
    SWITCH(210, 8, LS_WHY_SLEEP, 0);
    step_is(1, 8, 200, 30, 0, 10, ROW_NULL);
    cr_expect_eq(got.step[1].why, LS_WHY_SLEEP);
    cr_expect_eq(feed((struct ls_event){ .time = 220, .kind = EV_TASK_NEW, .id = 9, .flags = LS_WHYS }), 1);
}

Test(assemble, a_late_timer_made_its_task_ready_when_it_was_due)
{
    NEW(10, 1);
    SWITCH(20, 0, 0, 1);
    SWITCH(30, 1, LS_WHY_SLEEP, 0);
    feed((struct ls_event){ .time = 100, .kind = EV_WAKE, .id = 1, .b = 60 }); /* due at 40, the loop was busy */
    SWITCH(110, 0, 0, 1);
    SWITCH(120, 1, LS_WHY_SLEEP, 0);
    step_is(1, 1, 110, 10, 70, 10, 0);
    feed((struct ls_event){ .time = 130, .kind = EV_WAKE, .id = 1, .b = UINT64_MAX }); /* a lie: not before it slept */
    SWITCH(140, 0, 0, 1);
    SWITCH(150, 1, LS_WHY_SLEEP, 0);
    step_is(2, 1, 140, 10, 10, 10, 0);
}

Test(assemble, a_second_wake_changes_nothing)
{
    NEW(0, 1);
    SWITCH(10, 0, 0, 1);
    SWITCH(20, 1, LS_WHY_LOCK, 0);
    WAKE(30, 1, 5);
    WAKE(35, 1, 6);
    SWITCH(50, 0, 0, 1);
    SWITCH(60, 1, LS_WHY_LOCK, 0);
    step_is(1, 1, 50, 10, 20, 10, 5);
}

Test(assemble, a_task_that_is_cancelled_before_it_runs_has_a_step_of_no_time)
{
    NEW(100, 1);
    END(180, 1);
    cr_assert_eq(got.steps, 1);
    step_is(0, 1, 180, 0, 80, 0, 0);
    cr_assert_eq(got.ended[0].t_end, 180);
}

Test(assemble, those_alive_at_the_end_tell_what_they_wait_for)
{
    NEW(0, 1);
    NEW(0, 2);
    SWITCH(10, 0, 0, 1);
    feed((struct ls_event){
        .time = 20, .kind = EV_SWITCH, .a = 1 | (uint64_t)6 << 32, .flags = LS_WHY_LOCK, .b = 77, .id = 0 });
    assembler_finish(a, 100);
    cr_assert_eq(got.ends, 2);
    struct row_task *k = got.ended[0].id == 1 ? &got.ended[0] : &got.ended[1];
    struct row_task *other = got.ended[0].id == 1 ? &got.ended[1] : &got.ended[0];
    cr_assert_str_eq(k->state, "waiting");
    cr_assert_eq(k->why, LS_WHY_LOCK);
    cr_assert_eq(k->target, 77);
    cr_assert_eq(k->wait_site, 6);
    cr_assert_eq(k->since, 20);
    cr_assert_eq(k->t_end, ROW_NULL);
    cr_assert_str_eq(other->state, "ready");
}

Test(assemble, one_that_runs_at_the_end_keeps_its_open_step)
{
    NEW(0, 1);
    SWITCH(10, 0, 0, 1);
    assembler_thread_end(a, 1, LS_WORD(ACT_BUSY, 0, 1), 5, 90);
    assembler_finish(a, 100);
    step_is(0, 1, 10, 0, 10, 80, 0);
    cr_assert_str_eq(got.ended[0].state, "running");
}

Test(assemble, a_result_taken_after_the_end_is_observed)
{
    NEW(0, 1);
    SWITCH(1, 0, 0, 1);
    END(2, 1);
    SWITCH(3, 1, LS_WHY_END, 0);
    cr_assert_eq(got.ended[0].observed, 0);
    feed((struct ls_event){ .time = 9, .kind = EV_OBSERVED, .id = 1 });
    feed((struct ls_event){ .time = 9, .kind = EV_OBSERVED, .id = 1 });
    cr_assert_eq(got.ends, 1);
    cr_assert_eq(got.laters, 1, "told once");
    cr_assert_eq(got.later[0], 1);
}

Test(assemble, a_result_taken_long_after_the_end_is_observed)
{
    enum { MANY = 20000 }; /* more than are remembered */
    static struct row_task ended;
    got.ends = 0;
    for (unsigned i = 1; i <= MANY; i++) {
        NEW(i, i);
        SWITCH(i, 0, 0, i);
        feed((struct ls_event){ .time = i, .kind = EV_FINISH, .a = i, .flags = LS_OUTCOME_OK });
        ended = got.ended[got.ends - 1];
        got.ends = got.begins = got.steps = 0;
    }
    cr_assert_eq(ended.id, MANY);
    feed((struct ls_event){ .time = MANY + 1, .kind = EV_OBSERVED, .id = 1 });
    feed((struct ls_event){ .time = MANY + 1, .kind = EV_DETACHED, .id = 2 });
    cr_assert_eq(got.laters, 2);
    cr_expect_eq(got.later[0], 1);
    cr_expect_eq(got.later[1], -2);
}

Test(assemble, a_finish_is_end_observed_wake_and_switch_at_one_time)
{
    NEW(0, 1);
    SWITCH(5, 0, 0, 1);
    NEW(10, 2);
    SWITCH(20, 1, LS_WHY_TASK, 2);
    cr_assert_eq(feed((struct ls_event){ .time = 50,
                                         .kind = EV_FINISH,
                                         .id = 1,
                                         .a = 2 | (uint64_t)1 << 32,
                                         .b = 7,
                                         .flags = LS_OUTCOME_ERROR,
                                         .aux = EV_FINISH_OBSERVED }),
                 0);
    cr_assert_eq(feed((struct ls_event){ .time = 60, .kind = EV_FINISH, .a = 1, .flags = LS_OUTCOME_OK }), 0);
    cr_assert_eq(got.steps, 3);
    step_is(0, 1, 5, 0, 5, 15, 0);
    step_is(1, 2, 20, 0, 10, 30, 0);
    step_is(2, 1, 50, 30, 0, 10, 2);
    cr_assert_eq(got.ends, 2);
    cr_expect_eq(got.ended[0].id, 2);
    cr_expect_eq(got.ended[0].error, 7);
    cr_expect_str_eq(got.ended[0].outcome, "error");
    cr_expect_eq(got.ended[0].observed, 1);
    cr_expect_eq(got.ended[0].t_end, 50);
    cr_expect_eq(got.ended[1].observed, 0);
    cr_expect_eq(got.ended[1].t_end, 60);
}

Test(assemble, a_finish_after_lost_events_ends_what_it_knows)
{
    NEW(0, 1);
    SWITCH(5, 0, 0, 1);
    GAP(6, 50);
    cr_assert_eq(feed((struct ls_event){ .time = 60, .kind = EV_FINISH, .id = 9, .a = 8, .flags = LS_OUTCOME_OK }), 1,
                 "8 was never seen");
    feed((struct ls_event){ .time = 70, .kind = EV_FINISH, .a = 9, .flags = LS_OUTCOME_OK });
    assembler_finish(a, 100);
    cr_assert_eq(got.ends, 2);
    cr_expect_eq(got.ended[0].id, 9);
    cr_expect_eq(got.ended[1].id, 1, "what became of it nobody knows");
    cr_expect_null(got.ended[1].outcome);
}

Test(assemble, a_detached_task_says_so)
{
    NEW(0, 1);
    feed((struct ls_event){ .time = 1, .kind = EV_DETACHED, .id = 1 });
    SWITCH(1, 0, 0, 1);
    feed((struct ls_event){ .time = 3, .kind = EV_FINISH, .a = 1, .flags = LS_OUTCOME_OK });
    cr_assert_eq(got.ended[0].detached, 1);
    cr_assert_eq(got.laters, 0);
}

#define HOLD(t, object, task, held) \
    feed((struct ls_event){ .time = (t), .kind = EV_HOLD, .id = (object), .a = (task), .flags = (held) })

Test(assemble, a_hold_lasts_from_its_first_waiter_to_the_hand_over)
{
    HOLD(10, 5, 1, 1);
    HOLD(30, 5, 1, 0);
    HOLD(30, 5, 2, 1);
    HOLD(40, 5, 2, 1); /* told again: what was between is over */
    cr_assert_eq(HOLD(50, 5, 3, 0), 0, "given back, but never told as held: no row");
    cr_assert_eq(HOLD(50, 0, 3, 1), 1);
    cr_assert_eq(got.holds, 2);
    assembler_finish(a, 100);
    cr_assert_eq(got.holds, 3);
    static const struct row_hold want[] = { { 1, 5, 1, 10, 30 }, { 2, 5, 2, 30, 40 }, { 3, 5, 2, 40, ROW_NULL } };
    cr_assert_eq(memcmp(got.hold, want, sizeof want), 0);
}

static void count_hold(void *c, const struct row_hold *r)
{
    (void)c;
    got.holds += r->t_end != ROW_NULL;
}
Test(assemble, very_many_holds_take_little_time) /* locks and tasks that were made in turn */
{
    struct assemble_sink sink = { .hold = count_hold };
    assembler_free(a);
    a = assembler_new(&sink, &ns_clock);
    assembler_thread(a, 1, 10);
    clock_t began = clock();
    for (uint32_t round = 2; round--;)
        for (uint32_t i = 1; i <= 1000000; i++)
            HOLD(i, 2 * i, 2 * i + 1, round);
    cr_assert_lt((double)(clock() - began) / CLOCKS_PER_SEC, 8);
    cr_assert_eq(got.holds, 1000000);
}

Test(assemble, members_of_a_wait_are_told_one_by_one)
{
    feed((struct ls_event){ .time = 10, .kind = EV_MEMBER, .id = 5, .a = 1 | (uint64_t)2 << 32, .b = 3 });
    cr_assert_eq(got.members, 3);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(got.member[i].object, 5);
        cr_expect_eq(got.member[i].task, i + 1);
        cr_expect_eq(got.member[i].t, 10);
    }
}

static size_t allow(uint64_t t, const char *why)
{
    struct ls_event e[2] = { { .time = t, .kind = EV_ALLOW, .flags = why != NULL } }, all[3];
    if (!why)
        return feed(e[0]);
    e[1] = (struct ls_event){ .kind = EV_TEXT, .id = (uint32_t)strlen(why), .aux = 1 };
    memcpy(all, e, sizeof e);
    memcpy(&all[2], why, strlen(why));
    return assembler_feed(a, 1, all, 3);
}

Test(assemble, an_allowed_block_is_told_at_both_ends)
{
    cr_assert_eq(allow(10, "reads its config"), 0);
    cr_assert_eq(got.allows, 1);
    cr_expect_str_eq(got.allow_why, "reads its config");
    cr_expect_eq(got.allow[0].t_end, ROW_NULL);
    allow(20, NULL);
    allow(25, NULL); /* one too many */
    cr_assert_eq(got.allows, 2);
    cr_expect_eq(got.allow[1].id, got.allow[0].id);
    cr_expect_eq(got.allow[1].t_end, 20);
    allow(30, "first");
    GAP(40, 90); /* it may have been left in there */
    cr_assert_eq(got.allows, 4);
    cr_expect_eq(got.allow[3].t_end, 40);
    allow(95, "to the end");
    assembler_thread_end(a, 1, LS_WORD(ACT_BUSY, 0, 3), 95, 99);
    cr_assert_eq(got.allows, 6);
    cr_expect_eq(got.allow[5].t_end, 99);
}

Test(assemble, a_gap_makes_parts_unknown_instead_of_long)
{
    NEW(0, 1);
    NEW(0, 2);
    SWITCH(10, 0, 0, 1);
    SWITCH(20, 1, LS_WHY_FD, 2);
    GAP(30, 500);
    SWITCH(600, 2, LS_WHY_FD, 1); /* 2 ran into the gap: nobody knows how often it stopped */
    SWITCH(650, 1, LS_WHY_FD, 2);
    SWITCH(700, 2, LS_WHY_FD, 0);
    cr_assert_eq(got.steps, 3);
    step_is(1, 1, 600, ROW_NULL, ROW_NULL, 50, ROW_NULL);
    step_is(2, 2, 650, 50, 0, 50, ROW_NULL);
}

Test(assemble, a_task_resumed_on_another_loop_is_taken_from_the_first)
{
    NEW(0, 1);
    SWITCH(10, 0, 0, 1);
    cr_assert_eq(on(2, (struct ls_event){ .time = 40, .kind = EV_SWITCH, .id = 1 }), 1);
    on(2, (struct ls_event){ .time = 55, .kind = EV_SWITCH, .a = 1, .flags = LS_WHY_FD });
    step_is(0, 1, 10, 0, 10, 30, 0);
    step_is(1, 1, 40, 0, 0, 15, ROW_NULL);
}

Test(assemble, lies_are_counted_and_change_little)
{
    cr_expect_eq(WAKE(1, 99, 0), 1, "unknown task");
    cr_expect_eq(END(2, 99), 1, "unknown task");
    NEW(3, 1);
    cr_expect_eq(NEW(4, 1), 1, "twice");
    cr_expect_eq(SWITCH(5, 42, 0, 0), 1, "from a task that does not run");
    SWITCH(6, 0, 0, 1);
    END(7, 1);
    cr_expect_eq(END(8, 1), 1, "ended twice");
    SWITCH(9, 1, LS_WHY_END, 0);
    cr_expect_eq(SWITCH(10, 0, 0, 1), 1, "resumed after its end");
    cr_expect_eq(feed((struct ls_event){ .kind = 200 }), 1, "unknown kind");
    cr_expect_eq(feed((struct ls_event){ .kind = EV_MORE }), 1, "attachment of nothing");
    cr_expect_eq(feed((struct ls_event){ .kind = EV_POLL, .flags = 99 }), 1, "unknown loop kind");
    cr_expect_eq(assembler_feed(a, 77, &(struct ls_event){ .kind = EV_WAKE }, 1), 1, "unknown thread");
    cr_expect_eq(got.steps, 1);
    cr_expect_eq(got.ends, 1);
}

Test(assemble, invented_tasks_are_bounded)
{
    size_t bad = 0;
    for (uint32_t id = 1; id < (2u << 20) + 100; id++) {
        bad += NEW(id, id);
        got.begins = 0;
    }
    cr_assert_geq(bad, 99);
    cr_assert_geq(assembler_refused(a), 99);
}

/* --- groups --- */

Test(assemble, a_call_brings_errno_text_and_stack)
{
    struct ls_event e[16] = {
        { .time = 500, .kind = EV_CALL, .aux = CALL_fsync, .id = 7, .a = 2000, .b = (uint64_t)-1 },
        { .time = 4242, .kind = EV_MORE, .id = 5, .a = 0xabc, .b = 0xdef },
        { .kind = EV_TEXT, .id = 9, .aux = 1 },
        { .time = 0 },
        { .kind = EV_STACK, .id = 40, .aux = 9 + 2, .a = 0x7000 },
    };
    memcpy(&e[3], "/tmp/data", 9);
    cr_assert_eq(assembler_feed(a, 1, e, 16), 0);
    cr_assert_eq(got.calls, 1);
    cr_assert_eq(got.call.row.t, 500);
    cr_assert_eq(got.call.row.dur, 2000);
    cr_assert_eq(got.call.row.fd, 7);
    cr_assert_eq(got.call.row.error, 5);
    cr_assert_eq(got.call.row.result, -1);
    cr_assert_eq(got.call.owner, 4242);
    cr_assert_str_eq(got.call.row.name, "fsync");
    cr_assert_str_eq(got.call_detail, "/tmp/data");
    cr_assert_eq(got.call.stack, &e[4]);
    cr_assert_eq(assembler_feed(a, 1, e, 2), 0, "text and stack may be missing");
    cr_assert_neq(assembler_feed(a, 1, e, 1), 0, "EV_MORE may not");
    e[2].id = 5000;
    cr_assert_neq(assembler_feed(a, 1, e, 4), 0, "a text longer than its records");
}

Test(assemble, a_site_has_two_texts)
{
    struct ls_event e[2] = { { .kind = EV_SITE, .id = 3, .a = 77 }, { .kind = EV_TEXT, .id = 10, .aux = 1 } };
    struct ls_event all[3] = { e[0], e[1] };
    memcpy(&all[2], "main\0app.c", 10);
    cr_assert_eq(assembler_feed(a, 1, all, 3), 0);
    cr_assert_str_eq(got.name, "main");
    cr_assert_str_eq(got.file, "app.c");
    all[1].id = 4; /* one text only, and no zero at its end */
    cr_assert_eq(assembler_feed(a, 1, all, 3), 0);
    cr_assert_str_eq(got.name, "main");
    cr_assert_str_eq(got.file, "-");
}

Test(assemble, objects_and_marks)
{
    double v = 1.5;
    struct ls_event mark = { .time = 10, .kind = EV_MARK, .a = 5 };
    memcpy(&mark.b, &v, sizeof v);
    feed(mark);
    feed((struct ls_event){ .kind = EV_OBJECT_NEW, .id = 5, .aux = LS_OBJECT_LOCK, .b = UINT64_MAX });
    feed((struct ls_event){ .kind = EV_OBJECT_END, .id = 5 });
    cr_assert_eq(feed((struct ls_event){ .kind = EV_OBJECT_NEW, .id = 5, .aux = 99 }), 1);
    cr_assert_eq(got.marks, 1);
    cr_assert_eq(got.objects, 101);
}

/* --- a property: whatever a runtime does, a task's steps follow each other without a hole from its birth to its end --- */

enum { LIVES = 3000, LOOPS = 2, QUEUED = 64 };
enum model_state { M_NONE, M_READY, M_WAITING, M_RUNNING, M_OVER };
static struct life {
    enum model_state state; /* what the runtime that is played knows */
    int loop;
    int64_t born, ended;
    int64_t end_of_last, sum; /* what the rows say: the end of its last step, the sum of all parts */
    int64_t told_end, told_sum, since;
    char told_state[12];
} life[LIVES + 1];
static int holes, reasonless;

static void life_step(void *c, const struct row_step *r)
{
    (void)c;
    struct life *k = &life[r->task];
    holes += r->wait < 0 || r->queue < 0 || r->t - r->wait - r->queue != k->end_of_last;
    reasonless += r->why < 0 || r->why >= LS_WHYS;
    k->end_of_last = r->t + r->run;
    k->sum += r->wait + r->queue + r->run;
}
static void life_begin(void *c, const struct row_task *r)
{
    (void)c;
    life[r->id].end_of_last = r->t;
}
static void life_end(void *c, const struct row_task *r)
{
    (void)c;
    life[r->id].told_end = r->t_end;
    life[r->id].told_sum = r->run + r->queue + r->wait;
    life[r->id].since = r->since;
    snprintf(life[r->id].told_state, sizeof life[r->id].told_state, "%s", r->state);
    reasonless += r->t_end == ROW_NULL && !strcmp(r->state, "waiting") && (r->why == ROW_NULL || r->target == ROW_NULL);
}
static void life_later(void *c, int64_t task, bool observed, bool detached)
{
    (void)c, (void)task, (void)observed, (void)detached;
}

static uint64_t dice_state;
static unsigned dice(unsigned n)
{
    dice_state ^= dice_state << 13, dice_state ^= dice_state >> 7, dice_state ^= dice_state << 17;
    return (unsigned)((dice_state >> 20) % n);
}

static struct ls_event queued[LOOPS + 1][QUEUED]; /* events reach the assembler in batches, a thread at a time */
static size_t n_queued[LOOPS + 1];
static size_t bad_events;

static void deliver(int loop)
{
    bad_events += assembler_feed(a, loop, queued[loop], n_queued[loop]);
    n_queued[loop] = 0;
}

static void send(int loop, struct ls_event e)
{
    queued[loop][n_queued[loop]++] = e;
    if (n_queued[loop] == QUEUED || dice(8) == 0)
        deliver(loop);
}

/* Some task of that loop in that state, 0 when there is none near. */
static unsigned some_task(int loop, enum model_state state, unsigned made)
{
    unsigned first = made > 40 ? made - 40 : 0;
    for (unsigned i = 0; made && i < 12; i++) {
        unsigned k = 1 + first + dice(made - first);
        if (life[k].loop == loop && life[k].state == state)
            return k;
    }
    return 0;
}

static unsigned run_next(int loop, unsigned made)
{
    unsigned to = dice(10) ? some_task(loop, M_READY, made) : 0;
    if (to)
        life[to].state = M_RUNNING;
    return to;
}

static void play(uint64_t seed)
{
    unsigned running[LOOPS + 1] = { 0 }, made = 0;
    uint64_t t = 1000;
    dice_state = seed * 0x9e3779b97f4a7c15u + 1;
    for (int round = 0; round < 20000; round++) {
        int loop = 1 + (int)dice(LOOPS);
        unsigned now = running[loop], other;
        t += dice(4) ? dice(50) : 0;
        switch (dice(6)) {
        case 0: /* spawn */
            if (made == LIVES)
                break;
            life[++made] = (struct life){ .state = M_READY, .loop = loop, .born = (int64_t)t };
            send(loop, (struct ls_event){ .time = t, .kind = EV_TASK_NEW, .id = made, .a = now });
            if (dice(3) == 0)
                send(loop, (struct ls_event){ .time = t, .kind = EV_DETACHED, .id = made });
            break;
        case 1: /* wake, by this thread's task or from another thread */
            other = some_task(1 + (int)dice(LOOPS), M_WAITING, made);
            if (other) {
                life[other].state = M_READY;
                for (int l = 1; l <= LOOPS; l++) /* nobody can be woken out of a wait that nobody has heard of */
                    deliver(l);
                send(loop, (struct ls_event){ .time = t, .kind = EV_WAKE, .id = other, .a = now });
                deliver(loop);
            }
            break;
        case 2: /* over */
            if (!now)
                break;
            other = dice(2) ? some_task(loop, M_WAITING, made) : 0;
            if (other)
                life[other].state = M_READY;
            life[now].state = M_OVER;
            life[now].ended = (int64_t)t;
            running[loop] = run_next(loop, made);
            if (dice(4)) {
                send(loop, (struct ls_event){ .time = t,
                                              .kind = EV_FINISH,
                                              .id = running[loop],
                                              .a = now | (uint64_t)other << 32,
                                              .aux = other ? EV_FINISH_OBSERVED : 0,
                                              .flags = (uint8_t)(LS_OUTCOME_OK + dice(3)) });
                break;
            }
            send(loop, (struct ls_event){ .time = t, .kind = EV_TASK_END, .id = now, .flags = LS_OUTCOME_OK });
            if (other)
                send(loop, (struct ls_event){ .time = t, .kind = EV_WAKE, .id = other, .a = now });
            send(loop,
                 (struct ls_event){ .time = t, .kind = EV_SWITCH, .id = running[loop], .a = now, .flags = LS_WHY_END });
            break;
        case 3: /* cancelled before it could run again */
            other = some_task(loop, dice(2) ? M_WAITING : M_READY, made);
            if (!other)
                break;
            life[other].state = M_OVER;
            life[other].ended = (int64_t)t;
            send(loop, (struct ls_event){ .time = t, .kind = EV_TASK_END, .id = other, .flags = LS_OUTCOME_CANCELLED });
            break;
        default: /* suspend, or the loop resumes one */
            if (now)
                life[now].state = dice(3) ? M_WAITING : M_READY;
            running[loop] = run_next(loop, made);
            if (running[loop] || now)
                send(loop,
                     (struct ls_event){ .time = t,
                                        .kind = EV_SWITCH,
                                        .id = running[loop],
                                        .a = now,
                                        .b = 5,
                                        .flags = life[now].state == M_READY ? LS_WHY_YIELD
                                                                            : (uint8_t)(LS_WHY_SLEEP + dice(20)) });
        }
    }
    for (int l = 1; l <= LOOPS; l++)
        deliver(l);
    assembler_finish(a, t += 100);
    for (unsigned i = 1; i <= made; i++) {
        struct life *k = &life[i];
        int64_t end = k->state == M_OVER ? k->ended : k->state == M_RUNNING ? (int64_t)t : k->since;
        cr_assert_eq(k->sum, k->told_sum, "seed %u: task %u: its totals are not those of its steps", (unsigned)seed, i);
        cr_assert_eq(k->sum, end - k->born, "seed %u: task %u (%s): %lld of %lld ns", (unsigned)seed, i, k->told_state,
                     (long long)k->sum, (long long)(end - k->born));
        cr_assert_eq(k->told_end, k->state == M_OVER ? k->ended : ROW_NULL);
        cr_assert_str_eq(k->told_state, k->state == M_OVER      ? "done"
                                        : k->state == M_RUNNING ? "running"
                                        : k->state == M_READY   ? "ready"
                                                                : "waiting");
    }
    cr_assert_eq(holes, 0, "seed %u", (unsigned)seed);
    cr_assert_eq(reasonless, 0, "seed %u", (unsigned)seed);
    cr_assert_eq(bad_events, 0, "seed %u", (unsigned)seed);
}

Test(assemble, steps_fill_the_life_of_every_task_whatever_happens)
{
    struct assemble_sink sink = { .loop = on_loop,
                                  .loop_end = on_loop_end,
                                  .step = life_step,
                                  .task_begin = life_begin,
                                  .task_end = life_end,
                                  .task_later = life_later };
    for (uint64_t seed = 1; seed <= 30; seed++) {
        assembler_free(a);
        memset(life, 0, sizeof life);
        a = assembler_new(&sink, &ns_clock);
        for (int l = 1; l <= LOOPS; l++)
            assembler_thread(a, l, 10);
        play(seed);
    }
}

/* test_assemble_task.c - events in, steps of tasks out, and what tasks hold, wait for and are allowed. */
#include "tests/lib/assembled.h"

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

/* test_assemble.c - events in, rows out: turns of loops, groups of events, objects. */
#include "tests/lib/assembled.h"

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

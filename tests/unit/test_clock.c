/* test_clock.c - ticks to ns: exact, stable, growing, and unharmed by a clock that jumps. */
#include <criterion/criterion.h>

#include "tracer/record/clock.h"

#define SEC 1000000000ll

Test(clock, monotonic_ticks_are_nanoseconds)
{
    struct clock_map c = { .kind = LS_CLOCK_MONOTONIC, .t0 = 5000 };
    cr_assert_eq(clock_ns(&c, 5007), 7);
    cr_assert_eq(clock_ns(&c, 4990), -10);
    cr_assert_eq(clock_duration(&c, 5000, 6000), 1000);
    cr_assert_eq(clock_ticks_per_sec(&c), (uint64_t)SEC);
}

Test(clock, rate_is_applied_from_the_start)
{
    struct clock_map c;
    clock_begin(&c, 1000, 77, 0.5);
    cr_assert_eq(clock_ns(&c, 1000), 0);
    cr_assert_eq(clock_ns(&c, 3000), 1000);
    cr_assert_eq(clock_ns(&c, 800), -100);
    cr_assert_eq(clock_ticks_per_sec(&c), 2000000000u);
}

Test(clock, a_pair_never_moves_the_past)
{
    struct clock_map c;
    clock_begin(&c, 0, 0, 0.5);
    int64_t before = clock_ns(&c, 1999999999);
    clock_add(&c, 2000000000, SEC + 50000); /* the rate was 50 ppm off */
    cr_assert_eq(clock_ns(&c, 1999999999), before);
    cr_assert_geq(clock_ns(&c, 2000000000), before);
}

Test(clock, drift_is_made_good_within_some_seconds)
{
    struct clock_map c;
    double true_rate = 0.5 * (1 + 80e-6);
    clock_begin(&c, 0, 0, 0.5);
    for (int s = 1; s <= 200; s++) /* more pairs than there is room for */
        clock_add(&c, (ticks_t)s * 2000000000u, (ns_t)((double)s * 2e9 * true_rate));
    int64_t want = (int64_t)(200.5 * 2e9 * true_rate);
    int64_t error = clock_ns(&c, (ticks_t)(200.5 * 2e9)) - want;
    cr_assert(error > -2000 && error < 2000, "%lld ns off", (long long)error);
    cr_assert_leq(c.n, CLOCK_PAIRS);
    int64_t last = -1;
    for (ticks_t t = 0; t < 400000000000u; t += 123456789) {
        int64_t ns = clock_ns(&c, t);
        cr_assert_gt(ns, last);
        last = ns;
    }
}

Test(clock, a_machine_that_slept_does_not_bend_time)
{
    struct clock_map c;
    clock_begin(&c, 0, 0, 1.0);
    clock_add(&c, SEC, SEC);
    clock_add(&c, 101 * SEC, 2 * SEC); /* 99 s that CLOCK_MONOTONIC did not count */
    clock_add(&c, 102 * SEC, 3 * SEC);
    int64_t second = clock_duration(&c, 102 * SEC, 103 * SEC);
    cr_assert(second > SEC - 2000000 && second < SEC + 2000000, "%lld", (long long)second);
}

Test(clock, any_tick_gives_a_number_that_can_be_added)
{
    struct clock_map c;
    clock_begin(&c, 1ull << 63, 0, 40.0);
    cr_assert_leq(clock_ns(&c, UINT64_MAX), INT64_MAX / 4);
    cr_assert_geq(clock_ns(&c, 0), INT64_MIN / 4);
    c = (struct clock_map){ .kind = LS_CLOCK_MONOTONIC, .t0 = 10 };
    cr_assert_leq(clock_ns(&c, 1ull << 63), INT64_MAX / 4);
}

Test(clock, the_machines_clock_agrees_with_itself)
{
    struct clock_map c;
    struct timespec a, b;
    clock_start(&c, clock_choose());
    clock_gettime(CLOCK_MONOTONIC, &a);
    ticks_t from = clock_now(c.kind);
    do
        clock_gettime(CLOCK_MONOTONIC, &b);
    while ((b.tv_sec - a.tv_sec) * SEC + b.tv_nsec - a.tv_nsec < 20000000);
    int64_t took = clock_duration(&c, from, clock_now(c.kind));
    cr_assert_geq(took, 19800000, "%lld", (long long)took); /* it may be more: we can be preempted */
}

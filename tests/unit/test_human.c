/* test_human.c - numbers and times as people read them, and back. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "viewer/human.h"

static void same(struct human have, const char *want)
{
    cr_expect_str_eq(have.s, want, "'%s' is not '%s'", have.s, want);
}

Test(human, duration_has_three_digits_at_most)
{
    same(human_duration(0), "0 ns");
    same(human_duration(850), "850 ns");
    same(human_duration(12345), "12.3 us");
    same(human_duration(61800000), "61.8 ms");
    same(human_duration(134000000), "134 ms");
    same(human_duration(20000000), "20 ms");
    same(human_duration(1204000000), "1.2 s");
    same(human_duration(38400000000), "38.4 s");
}

Test(human, duration_rounds_up_into_the_next_unit)
{
    same(human_duration(999499), "999 us");
    same(human_duration(999500), "1 ms");
    same(human_duration(99960000), "100 ms");
    same(human_duration(999600000), "1 s");
    same(human_duration(59960000000), "1 m 00 s");
}

Test(human, long_durations_are_in_minutes_and_hours)
{
    same(human_duration(125000000000), "2 m 05 s");
    same(human_duration(3599000000001), "1 h 00 m");
    same(human_duration(11520000000000), "3 h 12 m");
}

Test(human, what_is_not_known_is_a_dash_and_extremes_do_not_overflow)
{
    same(human_duration(NOT_KNOWN), "-");
    same(human_count(NOT_KNOWN), "-");
    same(human_offset(NOT_KNOWN), "-");
    same(human_duration(-1500000), "-1.5 ms");
    human_duration(INT64_MAX);
    human_duration(INT64_MIN + 1);
    human_offset(INT64_MIN + 1);
    human_clock(INT64_MAX);
    human_count(INT64_MAX);
}

Test(human, counts_are_grouped_then_shortened)
{
    same(human_count(0), "0");
    same(human_count(1204), "1,204");
    same(human_count(412009), "412,009");
    same(human_count(9812345), "9.8 M");
    same(human_count(12400000000), "12.4 G");
    same(human_plural(1, "task", "tasks"), "1 task");
    same(human_plural(0, "task", "tasks"), "0 tasks");
}

Test(human, a_share_never_claims_all_or_nothing_wrongly)
{
    same(human_percent(0.934), "93 %");
    same(human_percent(0.001), "<1 %");
    same(human_percent(0.999), ">99 %");
    same(human_percent(1), "100 %");
    same(human_percent(0), "0 %");
    same(human_percent(0.0 / (double)(NOT_KNOWN == 0)), "0 %");
}

Test(human, moments)
{
    same(human_offset(12345678901), "12.345 s");
    same(human_offset(192345000000), "3:12.345");
    same(human_offset(3723456000000), "1:02:03.456");
    setenv("TZ", "UTC", 1);
    tzset();
    same(human_clock(1700000000250000000), "22:13:20.250");
    same(human_date(1700000000250000000), "2023-11-14");
}

Test(human, clean_leaves_nothing_a_terminal_would_obey)
{
    char out[64], tiny[5];
    human_clean("a\033[31mb\nc\x7f\xc2\x9b" "d\xff\xe2\x82", out, sizeof out);
    cr_expect_str_eq(out, "a?[31mb c??d???");
    human_clean("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8c", out, sizeof out);
    cr_expect_str_eq(out, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8c");
    human_clean("\xed\xa0\x80\xc0\x80", out, sizeof out); /* a surrogate and an overlong 0 */
    cr_expect_str_eq(out, "?????");
    human_clean("a\xe2\x80\xae" "b\xe2\x81\xa6" "c\xd8\x9c" "d\xe2\x80\xa8" "e\xe2\x80\xa6", out, sizeof out);
    cr_expect_str_eq(out, "a?b?c?d?e\xe2\x80\xa6"); /* the last is what it looks like, the others turn the text around */
    human_clean("abc\xe2\x82\xac", tiny, sizeof tiny); /* the last character does not fit as a whole */
    cr_expect_str_eq(tiny, "abc");
}

Test(human, cut_counts_columns_not_bytes)
{
    char s[32] = "gr\xc3\xbc\xc3\x9f dich", t[32] = "/var/lib/shop/wal";
    cr_expect_eq(human_width(s), 9);
    human_cut(s, 9);
    cr_expect_eq(human_width(s), 9);
    human_cut(s, 6);
    cr_expect_str_eq(s, "gr\xc3\xbc\xc3\x9f..");
    human_cut_left(t, 10);
    cr_expect_str_eq(t, "..shop/wal");
}

Test(human, durations_are_read_back)
{
    int64_t ns = -1;
    const char *end = human_scan_duration("50ms and", &ns);
    cr_assert_not_null(end);
    cr_expect_str_eq(end, " and");
    cr_expect_eq(ns, 50000000);
    cr_expect(human_scan_duration("1.5 s", &ns) && ns == 1500000000);
    cr_expect(human_scan_duration("2h", &ns) && ns == 7200000000000);
    cr_expect(human_scan_duration("0", &ns) && ns == 0);
}

Test(human, what_is_no_duration_is_refused)
{
    static const char *const wrong[] = { "", "50", "ms", "-5ms", "5 parsecs", "5msx", "inf", "nan", " 5ms", "1e30h" };
    int64_t ns;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_null(human_scan_duration(wrong[i], &ns), "'%s' was taken", wrong[i]);
}

Test(human, moments_are_offsets_or_wall_clock)
{
    const int64_t t0 = 1700000000000000000; /* 22:13:20 UTC */
    int64_t t = -1;
    setenv("TZ", "UTC", 1);
    tzset();
    cr_expect(human_scan_moment("12.5s", t0, &t) == 0 && t == 12500000000);
    cr_expect(human_scan_moment("22:13:50", t0, &t) == 0 && t == 30000000000);
    cr_expect(human_scan_moment("22:13:20.250", t0, &t) == 0 && t == 250000000);
    cr_expect(human_scan_moment("22:15", t0, &t) == 0 && t == 100000000000);
    cr_expect(human_scan_moment("00:00:00", t0, &t) == 0 && t == 6400000000000, "the next day");
    cr_expect(human_scan_moment("25:00", t0, &t) != 0);
    cr_expect(human_scan_moment("12", t0, &t) != 0);
    cr_expect(human_scan_moment("12:", t0, &t) != 0);
    cr_expect(human_scan_moment("22:13:20x", t0, &t) != 0);
    cr_expect(human_scan_moment("22:13", NOT_KNOWN, &t) != 0, "without a wall clock");
}

/* test_text.c - moments, and text cut to a width. */
#include <criterion/criterion.h>

#include "viewer/tui/text.h"

Test(text, times_are_grouped)
{
    char got[TEXT_MAX];
    cr_assert_str_eq(text_time(got, 12475913204, 1000000), "12.475 913 s");
    cr_assert_str_eq(text_time(got, 12475913204, 10), "12.475 913 204 s");
}

Test(text, cut_never_exceeds_its_width)
{
    char got[64];
    cr_assert_eq(text_cut(got, sizeof got, "checkout", 8, "~"), 8);
    cr_assert_str_eq(got, "checkout");
    cr_assert_eq(text_cut(got, sizeof got, "checkout", 5, "~"), 5);
    cr_assert_str_eq(got, "chec~");
    cr_assert_eq(text_cut(got, sizeof got, "checkout", 0, "~"), 0);
    cr_assert_eq(text_cut(got, sizeof got, "\xff\xfe", 1, "~"), 1);
}

/* test_options.c - the parser of the option tables, against a table that has one option of each kind. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

struct values {
    bool json, quiet;
    const char *by, *list[OPTION_LIST_MAX];
    int64_t n, from, size;
};

static const struct option table[] = {
    { "json", 0, OPT_FLAG, offsetof(struct values, json), NULL, "", NULL },
    { "quiet", 'q', OPT_FLAG, offsetof(struct values, quiet), NULL, "", NULL },
    { "by", 'b', OPT_TEXT, offsetof(struct values, by), NULL, "", "place|task|loop" },
    { "limit", 'n', OPT_COUNT, offsetof(struct values, n), "N", "", NULL },
    { "from", 0, OPT_DURATION, offsetof(struct values, from), "T", "", NULL },
    { "size", 's', OPT_SIZE, offsetof(struct values, size), "SIZE", "", NULL },
    { "add", 'a', OPT_LIST, offsetof(struct values, list), "X", "", NULL },
    { NULL, 0, OPT_FLAG, 0, NULL, NULL, NULL },
};

static const struct command any = { .name = "any", .args = "[ARG...]", .options = table, .max_args = -1 };

/* One parse of up to 9 words, and all that came of it. */
struct parsed {
    enum options_result result;
    struct values values;
    char *argv[40], error[256];
    int argc;
};

static struct parsed parse_as(const struct command *cmd, char *const *words)
{
    struct parsed p = { .argc = -1 };
    int n = 0;

    while (words[n]) {
        p.argv[n] = words[n];
        n++;
    }
    p.result = options_parse(cmd, &p.values, n, p.argv, &p.argc, p.error, sizeof p.error);
    return p;
}
#define PARSE_AS(cmd, ...) parse_as(cmd, (char *[]){ __VA_ARGS__, NULL })
#define PARSE(...)         PARSE_AS(&any, __VA_ARGS__)

static void assert_wrong(struct parsed p, const char *error)
{
    cr_assert_eq(p.result, OPTIONS_WRONG);
    cr_assert_str_eq(p.error, error);
    cr_assert_eq(p.argc, -1, "output parameters are untouched on failure");
}

Test(options, long_with_next_word)
{
    struct parsed p = PARSE("--by", "task", "--json");
    cr_assert_eq(p.result, OPTIONS_DONE);
    cr_assert_str_eq(p.values.by, "task");
    cr_assert(p.values.json);
    cr_assert_eq(p.argc, 0);
}

Test(options, long_with_equals)
{
    struct parsed p = PARSE("--by=loop", "--limit=7");
    cr_assert_str_eq(p.values.by, "loop");
    cr_assert_eq(p.values.n, 7);
}

Test(options, letters_cluster_and_carry_a_value)
{
    struct parsed p = PARSE("-qn5", "-n", "6", "-s64K");
    cr_assert(p.values.quiet);
    cr_assert_eq(p.values.n, 6, "the last one counts");
    cr_assert_eq(p.values.size, 64 << 10);
}

Test(options, arguments_may_come_between)
{
    struct parsed p = PARSE("a.db", "--json", "b.db", "-");
    cr_assert(p.values.json);
    cr_assert_eq(p.argc, 3);
    cr_assert_str_eq(p.argv[0], "a.db");
    cr_assert_str_eq(p.argv[1], "b.db");
    cr_assert_str_eq(p.argv[2], "-");
    cr_assert_null(p.argv[3], "execvp takes it as it is");
}

Test(options, double_dash_ends_them)
{
    struct parsed p = PARSE("x", "--", "--json", "--");
    cr_assert_not(p.values.json);
    cr_assert_eq(p.argc, 3);
    cr_assert_str_eq(p.argv[1], "--json");
    cr_assert_str_eq(p.argv[2], "--");
}

Test(options, stop_at_first_leaves_the_commands_own)
{
    struct command record = any;
    record.stop_at_first = 1;
    struct parsed p = PARSE_AS(&record, "-q", "server", "--json", "-n5");
    cr_assert_eq(p.result, OPTIONS_DONE);
    cr_assert(p.values.quiet);
    cr_assert_not(p.values.json);
    cr_assert_eq(p.argc, 3);
    cr_assert_str_eq(p.argv[0], "server");
}

Test(options, list_keeps_the_order)
{
    struct parsed p = PARSE("-a1", "--add=2", "--add", "3");
    cr_assert_str_eq(p.values.list[0], "1");
    cr_assert_str_eq(p.values.list[1], "2");
    cr_assert_str_eq(p.values.list[2], "3");
    cr_assert_null(p.values.list[3]);
}

Test(options, list_has_an_end)
{
    char *words[OPTION_LIST_MAX + 2] = { NULL };
    for (int i = 0; i <= OPTION_LIST_MAX; i++)
        words[i] = "-ax";
    assert_wrong(parse_as(&any, words), "-a: given more than 16 times");
}

Test(options, help_wherever_it_stands)
{
    cr_assert_eq(PARSE("-h").result, OPTIONS_HELP);
    cr_assert_eq(PARSE("x", "--json", "--help").result, OPTIONS_HELP);
    cr_assert_eq(PARSE("-qh").result, OPTIONS_HELP);
    cr_assert_eq(PARSE("--", "-h").result, OPTIONS_DONE);
}

Test(options, wrong_usage_is_named)
{
    assert_wrong(PARSE("--by", "x"), "--by: 'x' is none of place, task, loop");
    assert_wrong(PARSE("-b", ""), "-b: '' is none of place, task, loop");
    assert_wrong(PARSE("--by", "plac"), "--by: 'plac' is none of place, task, loop");
    assert_wrong(PARSE("--by"), "--by: needs a value");
    assert_wrong(PARSE("-n"), "-n: needs a value");
    assert_wrong(PARSE("--json=1"), "--json: takes no value");
    assert_wrong(PARSE("-z"), "-z: no such option");
    assert_wrong(PARSE("--limit", "1.5"), "--limit: '1.5' is not a whole number");
    assert_wrong(PARSE("--limit", "-1"), "--limit: '-1' is not a whole number");
    assert_wrong(PARSE("--from", "20"), "--from: '20' is not a duration like 20ms or 1.5s (ns us ms s m h)");
    assert_wrong(PARSE("--size", "9999999999T"), "--size: '9999999999T' is too large");
}

Test(options, no_abbreviations_but_a_hint)
{
    assert_wrong(PARSE("--jso"), "--jso: no such option (--json?)");
    assert_wrong(PARSE("--jsno"), "--jsno: no such option (--json?)");
    assert_wrong(PARSE("--zzzzzz"), "--zzzzzz: no such option");
}

Test(options, number_of_arguments)
{
    struct command two = any;
    two.args = "OLD NEW";
    two.min_args = two.max_args = 2;
    assert_wrong(PARSE_AS(&two, "a"), "needs OLD NEW");
    assert_wrong(PARSE_AS(&two, "a", "b", "c"), "'c' is one argument too many");
    cr_assert_eq(PARSE_AS(&two, "a", "b").result, OPTIONS_DONE);
}

Test(options, durations)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = { { "0", 0 },
                 { "7ns", 7 },
                 { "1us", 1000 },
                 { "20ms", 20000000 },
                 { "1.5s", 1500000000 },
                 { "0.000000001s", 1 },
                 { "2m", 120000000000 },
                 { "2h", 7200000000000 } };
    static const char *const bad[] = { "",    "20",   "ms",   "1.ms", ".5s",  "-1s", "+1s",
                                       "1 s", "1e3s", "1,5s", "0x1s", "infs", "1S",  "1sx" };
    int64_t ns;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(options_duration(good[i].text, &ns), 0, "%s", good[i].text);
        cr_assert_eq(ns, good[i].ns, "%s is %lld", good[i].text, (long long)ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_lt(options_duration(bad[i], &ns), 0, "%s", bad[i]);
    cr_assert_lt(options_duration("99999999999h", &ns), 0);
    cr_assert_lt(options_duration("99999999999999999999ns", &ns), 0);
}

Test(options, sizes)
{
    int64_t bytes;
    cr_assert_eq(options_size("100", &bytes), 0);
    cr_assert_eq(bytes, 100);
    cr_assert_eq(options_size("1.5M", &bytes), 0);
    cr_assert_eq(bytes, 3 << 19);
    cr_assert_lt(options_size("1Q", &bytes), 0);
    cr_assert_lt(options_size("M", &bytes), 0);
}

Test(options, nearest_name)
{
    static const char *const names[] = { "record", "report", "view", "sql", NULL };
    cr_assert_str_eq(options_nearest("reprot", names), "report");
    cr_assert_str_eq(options_nearest("rec", names), "record");
    cr_assert_str_eq(options_nearest("sqk", names), "sql");
    cr_assert_null(options_nearest("banana", names));
    cr_assert_null(options_nearest("x", names));
}

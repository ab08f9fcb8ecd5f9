/* Tasks that are over before the next commit are one row; those that live on are not held back by it. */
#include "tracer/record/newborn.h"

#include <criterion/criterion.h>
#include <string.h>

static struct newborns *n;
static void open_(void)
{
    n = newborns_new();
}
static void close_(void)
{
    newborns_free(n);
}
TestSuite(newborn, .init = open_, .fini = close_);

/* All fields unknown but the id. */
static struct row_task row(int64_t id)
{
    struct row_task r;
    int64_t *cells = (int64_t *)(void *)&r;
    for (size_t i = 0; i < sizeof r / sizeof *cells; i++)
        cells[i] = ROW_NULL;
    r.id = id;
    r.name = r.state = r.outcome = NULL;
    return r;
}

Test(newborn, a_short_life_is_one_row)
{
    char name[] = "client";
    struct row_task begin = row(5), end = row(5);
    begin.name = name;
    begin.parent = 3;
    begin.t = 100;
    begin.observed = 0;
    cr_assert_null(newborns_add(n, &begin));
    strcpy(name, "------"); /* the text was copied */
    end.state = "done";
    end.t = 90; /* born earlier, as was learned since */
    end.t_end = 200;
    end.observed = 1;
    const struct row_task *whole = newborns_add(n, &end);
    cr_assert_not_null(whole);
    cr_assert_str_eq(whole->name, "client");
    cr_assert_str_eq(whole->state, "done");
    cr_assert(whole->parent == 3 && whole->t == 90 && whole->t_end == 200 && whole->observed == 1);
    cr_assert_eq(whole->site, ROW_NULL);
    cr_assert_eq(newborns_count(n), 0);
    cr_assert_null(newborns_take(n, 5));
}

Test(newborn, who_lives_on_is_written_at_the_commit_and_its_end_later)
{
    for (int64_t id = 7; id >= 1; id -= 2) {
        struct row_task begin = row(id);
        cr_assert_null(newborns_add(n, &begin));
    }
    cr_assert_eq(newborns_count(n), 4);
    cr_assert_eq(newborns_take(n, 3)->id, 3);
    int64_t sum = 0;
    for (const struct row_task *r; (r = newborns_take(n, 0));)
        sum += r->id;
    cr_assert_eq(sum, 1 + 5 + 7);
    struct row_task end = row(5);
    end.state = "done";
    const struct row_task *now = newborns_add(n, &end);
    cr_assert(now && now->id == 5 && !now->name);
}

Test(newborn, who_has_no_place_is_written_at_once)
{
    char name[100];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    struct row_task longer = row(1);
    longer.name = name;
    cr_assert_eq(newborns_add(n, &longer), &longer);
    struct row_task first = row(11), second = row(11 + (1 << 20));
    cr_assert_null(newborns_add(n, &first));
    const struct row_task *out = newborns_add(n, &second); /* the same place */
    cr_assert(out && out->id == 11);
    cr_assert_eq(newborns_take(n, 0)->id, 11 + (1 << 20));
    cr_assert_null(newborns_take(n, 0));
}

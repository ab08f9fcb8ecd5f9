/* schedule.h - what the fuzzers of schedules share: dice, failures, kinds of steps, rounds in virtual time whose order a
 * seed decides.  A fuzzer's steps are rows of its table; a row's function says whether it went well.
 *
 * usage: FUZZER [STEPS] [SEED]     A failure says the seed of its round: FUZZER 1 SEED does it again. */
#ifndef LOOPSCOPE_TESTS_SCHEDULE_H
#define LOOPSCOPE_TESTS_SCHEDULE_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

#include "runtime/core/loop.h"
#include "runtime/core/object.h"

#define TICK  (10 * LS_US)
#define TICKS 60 /* a round, before all are told to go */

static struct {
    uint64_t seed, x;
    uint64_t step;       /* of the round */
    bool ending;         /* the round is: all are told to go */
    uint64_t left, done; /* steps, of all rounds */
} dice;

__attribute__((format(printf, 2, 3), noreturn)) static void fail(int line, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "seed %" PRIu64 ", step %" PRIu64 ", task '%s', line %d: ", dice.seed, dice.step,
            ls_self() ? ls_task_name(ls_self()) : "-", line);
    vfprintf(stderr, format, ap);
    fprintf(stderr, " (errno %s, last misuse: %s)\n", strerrorname_np(errno), ls_error_text());
    va_end(ap);
    ls_dump(2);
    abort();
}
#define must(truth) ((truth) ? (void)0 : fail(__LINE__, "%s", #truth))

static uint64_t rnd(uint64_t n)
{
    dice.x ^= dice.x << 13, dice.x ^= dice.x >> 7, dice.x ^= dice.x << 17;
    return (dice.x >> 11) % n;
}

/* In so many us, and a whole number of them. */
static ls_ns soon(uint64_t us)
{
    return (ls_now() / LS_US + us) * LS_US;
}
static ls_ns some_deadline(void)
{
    uint64_t kind = rnd(8);
    return kind < 3 ? LS_NEVER : kind == 3 ? 1 : soon(1 + rnd(30));
}

/* The result of a wait that may fail for these reasons only. */
static bool went_well(int result, int line)
{
    if (result >= 0)
        return true;
    if (errno != ETIMEDOUT && errno != ECANCELED && errno != EAGAIN)
        fail(line, "an error that cannot be");
    return false;
}
#define well(call) went_well((call), __LINE__)

struct kind {
    const char *name;
    bool (*run)(int depth);
    unsigned weight;
};
static uint64_t went[40]; /* how often each kind of step went well */

/* One step of a kind that the dice choose; the table ends with a name NULL. */
static void step_of(const struct kind *kinds, int depth)
{
    unsigned sum = 0;
    for (const struct kind *k = kinds; k->name; k++)
        sum += k->weight;
    uint64_t at = rnd(sum);
    const struct kind *k = kinds;
    while (at >= k->weight)
        at -= k++->weight;
    dice.step++;
    dice.done++;
    dice.left -= dice.left > 0;
    went[k - kinds] += k->run(depth);
}

/* Those in groups, too: a task that has to have a lock again that one of its group holds would wait for ever. */
static void cancel_all(void)
{
    struct loop *l = lsrt_loop();
    for (uint32_t i = 0; i < l->task_count; i++) {
        struct task *t = lsrt_task_at(l, i);
        if (t != l->main && (t->state == TASK_READY || t->state == TASK_PARKED))
            lsrt_task_cancel(l, t, "main's");
    }
}

/* Nobody is left, and nothing. */
static void check_empty(void)
{
    struct loop *l = lsrt_loop();
    must(!lsrt_object_next(l, 0));
    must(l->live == 1);
    for (uint32_t i = 0; i < l->task_count; i++)
        must(lsrt_task_at(l, i) == l->main || lsrt_task_at(l, i)->state == TASK_FREE);
}

/* Rounds until the steps are used up; the main function. */
static int run_rounds(int argc, char **argv, ls_fn *round, const struct kind *kinds)
{
    dice.left = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, rounds = 0;
    bool one = argc > 2 && dice.left <= 1;
    if (one)
        dice.left = UINT64_MAX;
    do {
        dice.seed = seed++;
        dice.x = dice.seed * 0x9e3779b97f4a7c15u | 1;
        dice.step = 0;
        dice.ending = false;
        uint64_t order = rnd(4) ? rnd(UINT64_MAX) : 0; /* without a seed, too */
        if (ls_run(round, NULL, &(struct ls_opts){ .virtual_time = true, .seed = order, .stack_size = 256 << 10 }))
            fail(__LINE__, "ls_run");
        rounds++;
    } while (dice.left && !one);
    printf("%" PRIu64 " steps in %" PRIu64 " rounds;", dice.done, rounds);
    for (const struct kind *k = kinds; k->name; k++)
        printf(" %s %" PRIu64, k->name, went[k - kinds]);
    printf("\n");
    return 0;
}

#endif

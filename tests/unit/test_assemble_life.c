/* test_assemble_life.c - a property: whatever a runtime does, a task's steps follow each other without a hole from its birth to its end. */
#include "tests/lib/assembled.h"

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

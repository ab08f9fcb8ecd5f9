/* summary.c - rows of table lod.  Owns one open row for each level of each lane.  Used by the storing thread. */
#include "summary.h"

#include <stdlib.h>
#include <string.h>

#include "../../include/loopscope/probe.h"

#define LEVELS 10 /* 32^10 spans */

struct open_row {
    struct row_lod row;
    int64_t longest_run; /* of row.longest */
    int64_t last_t;      /* of the row before at this level: (lane, level, t) is a key */
    uint32_t children;
    uint32_t told;       /* a row of this level went out */
};

struct lane {
    int64_t id;          /* 0: free place in the table */
    struct open_row *level[LEVELS];
};

struct summary {
    void (*emit)(void *ctx, const struct row_lod *row);
    void *ctx;
    int64_t threshold;
    struct lane *lane;   /* open addressing */
    size_t n, size;      /* size: a power of two */
};

struct summary *summary_new(void (*emit)(void *ctx, const struct row_lod *row), void *ctx)
{
    struct summary *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->emit = emit;
    s->ctx = ctx;
    s->threshold = INT64_MAX;
    s->size = 64;
    s->lane = calloc(s->size, sizeof *s->lane);
    if (!s->lane) {
        free(s);
        return NULL;
    }
    return s;
}

static void free_rows(struct lane *l)
{
    for (int i = 0; i < LEVELS; i++)
        free(l->level[i]);
}

void summary_free(struct summary *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->size; i++)
        free_rows(&s->lane[i]);
    free(s->lane);
    free(s);
}

void summary_threshold(struct summary *s, int64_t ns)
{
    s->threshold = ns;
}

static size_t place_of(const struct summary *s, int64_t id)
{
    return (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 32) & (s->size - 1);
}

static struct lane *look(const struct summary *s, int64_t id)
{
    size_t i = place_of(s, id);
    while (s->lane[i].id && s->lane[i].id != id)
        i = (i + 1) & (s->size - 1);
    return &s->lane[i];
}

static struct lane *lane_of(struct summary *s, int64_t id)
{
    struct lane *l = look(s, id);
    if (l->id)
        return l;
    if (s->n * 4 >= s->size * 3) {
        struct summary big = { .size = s->size * 2, .lane = calloc(s->size * 2, sizeof *big.lane) };
        if (!big.lane)
            return NULL;
        for (size_t i = 0; i < s->size; i++) {
            if (s->lane[i].id)
                *look(&big, s->lane[i].id) = s->lane[i];
        }
        free(s->lane);
        s->lane = big.lane;
        s->size = big.size;
        l = look(s, id);
    }
    l->id = id;
    s->n++;
    return l;
}

/* Takes a lane out of the table; those that it had pushed aside move up. */
static void take_out(struct summary *s, struct lane *l)
{
    size_t mask = s->size - 1, hole = (size_t)(l - s->lane);
    for (size_t i = (hole + 1) & mask; s->lane[i].id; i = (i + 1) & mask) {
        size_t home = place_of(s, s->lane[i].id);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            s->lane[hole] = s->lane[i];
            hole = i;
        }
    }
    memset(&s->lane[hole], 0, sizeof *s->lane);
    s->n--;
}

/* Values of a damaged file may be anything: stay inside the numbers. */
static int64_t sum(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? (b > 0 ? INT64_MAX : INT64_MIN) : r;
}

static void add(struct summary *s, struct lane *l, int level, const struct row_lod *child, int64_t child_run);

/* The open row of a level goes out and counts one level up. */
static void tell(struct summary *s, struct lane *l, int level)
{
    struct open_row *o = l->level[level];
    struct row_lod row = o->row;
    if (o->told && row.t <= o->last_t)
        row.t = sum(o->last_t, 1);
    s->emit(s->ctx, &row);
    o->last_t = row.t;
    o->told = 1;
    o->children = 0;
    if (level + 1 < LEVELS)
        add(s, l, level + 1, &row, o->longest_run);
}

static void add(struct summary *s, struct lane *l, int level, const struct row_lod *child, int64_t child_run)
{
    struct open_row *o = l->level[level];
    if (!o && !(o = l->level[level] = calloc(1, sizeof *o)))
        return;
    if (!o->children) {
        o->row = *child;
        o->row.level = level;
        o->longest_run = child_run;
    } else {
        struct row_lod *r = &o->row;
        if (child->t_end > r->t_end)
            r->t_end = child->t_end;
        r->n += child->n;
        r->run = sum(r->run, child->run);
        r->queue = sum(r->queue, child->queue);
        r->wait = sum(r->wait, child->wait);
        if (child->worst > r->worst)
            r->worst = child->worst;
        if (child_run > o->longest_run) {
            o->longest_run = child_run;
            r->longest = child->longest;
        }
    }
    if (++o->children == SUMMARY_FAN)
        tell(s, l, level);
}

static int64_t known(int64_t ns)
{
    return ns > 0 ? ns : 0; /* ROW_NULL: events were lost */
}

static int64_t worst_wait(int64_t why)
{
    switch (why) {
    case LS_WHY_SLEEP: return WORST_TIMER;
    case LS_WHY_FD: case LS_WHY_THREAD: case LS_WHY_DNS: case LS_WHY_CHILD: case LS_WHY_SIGNAL: case LS_WHY_FILE:
    case LS_WHY_USER: return WORST_IO;
    default: return WORST_LOCK;
    }
}

static void span(struct summary *s, struct row_lod *row)
{
    struct lane *l = row->lane ? lane_of(s, row->lane) : NULL;
    if (l)
        add(s, l, 1, row, row->run);
}

void summary_step(struct summary *s, const struct row_step *row)
{
    int64_t run = known(row->run), queue = known(row->queue), wait = known(row->wait);
    struct row_lod r = { .lane = -known(row->task), .t = sum(sum(row->t, -queue), -wait), .t_end = sum(row->t, run),
                         .n = 1, .run = run, .queue = queue, .wait = wait, .longest = row->id };
    r.worst = run >= s->threshold ? WORST_STALL : run ? WORST_RUN : queue ? WORST_READY : worst_wait(row->why);
    span(s, &r);
}

void summary_iteration(struct summary *s, const struct row_iteration *row)
{
    int64_t run = known(row->busy), wait = known(row->poll);
    struct row_lod r = { .lane = known(row->loop), .t = row->t, .t_end = sum(sum(row->t, wait), run), .n = 1,
                         .run = run, .wait = wait, .longest = row->id };
    r.worst = row->busy == ROW_NULL ? WORST_GAP : run >= s->threshold ? WORST_STALL : run ? WORST_RUN : WORST_IO;
    span(s, &r);
}

/* A level that never sent a row has one open row over everything: the level below is short enough without it. */
static void close_lane(struct summary *s, struct lane *l)
{
    for (int level = 1; level < LEVELS && l->level[level] && l->level[level]->told; level++) {
        if (l->level[level]->children)
            tell(s, l, level);
    }
    free_rows(l);
    memset(l->level, 0, sizeof l->level);
}

void summary_close(struct summary *s, int64_t lane)
{
    struct lane *l = lane ? look(s, lane) : NULL;
    if (!l || !l->id)
        return;
    close_lane(s, l);
    take_out(s, l);
}

void summary_close_all(struct summary *s)
{
    for (size_t i = 0; i < s->size; i++) {
        if (s->lane[i].id)
            close_lane(s, &s->lane[i]);
    }
    memset(s->lane, 0, s->size * sizeof *s->lane);
    s->n = 0;
}

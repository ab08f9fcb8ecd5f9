/* newborn.c - see newborn.h: a direct-mapped table, by the low bits of the id. */
#include "newborn.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 8192 /* ids of one thread come in order, so these many tasks are kept at a time */
#define NAME   64   /* a name that is longer is not kept: its row is written at once */

struct newborn {
    struct row_task row; /* id 0: the place is free */
    char name[NAME];
};
struct newborns {
    size_t count, swept; /* swept: no place before this one is taken */
    struct row_task out;
    char out_name[NAME];
    struct newborn place[PLACES];
};

struct newborns *newborns_new(void)
{
    return calloc(1, sizeof(struct newborns));
}

void newborns_free(struct newborns *n)
{
    free(n);
}

size_t newborns_count(const struct newborns *n)
{
    return n->count;
}

static const struct row_task *take(struct newborns *n, struct newborn *b)
{
    n->out = b->row;
    if (n->out.name) {
        memcpy(n->out_name, b->name, sizeof n->out_name);
        n->out.name = n->out_name;
    }
    b->row.id = 0;
    n->count--;
    return &n->out;
}

static void keep(struct newborns *n, struct newborn *b, const struct row_task *row)
{
    b->row = *row;
    if (row->name) {
        strcpy(b->name, row->name); /* its length was looked at */
        b->row.name = b->name;
    }
    size_t at = (size_t)(b - n->place);
    if (at < n->swept)
        n->swept = at;
    n->count++;
}

/* What the later row says, and what only the earlier one did. */
static void merge(struct row_task *earlier, const struct row_task *later)
{
#define LATER(field, none) earlier->field = later->field != (none) ? later->field : earlier->field
    LATER(process, ROW_NULL);
    LATER(loop, ROW_NULL);
    LATER(parent, ROW_NULL);
    LATER(site, ROW_NULL);
    LATER(t, ROW_NULL);
    LATER(t_end, ROW_NULL);
    LATER(name, NULL);
    LATER(state, NULL);
    LATER(outcome, NULL);
    LATER(error, ROW_NULL);
    LATER(observed, ROW_NULL);
    LATER(detached, ROW_NULL);
    LATER(why, ROW_NULL);
    LATER(target, ROW_NULL);
    LATER(wait_site, ROW_NULL);
    LATER(since, ROW_NULL);
    LATER(steps, ROW_NULL);
    LATER(run, ROW_NULL);
    LATER(queue, ROW_NULL);
    LATER(wait, ROW_NULL);
    LATER(run_max, ROW_NULL);
    LATER(run_max_site, ROW_NULL);
    LATER(queue_max, ROW_NULL);
#undef LATER
}

const struct row_task *newborns_add(struct newborns *n, const struct row_task *row)
{
    struct newborn *b = &n->place[(uint64_t)row->id % PLACES];
    if (b->row.id == row->id) {
        const struct row_task *whole = take(n, b);
        merge(&n->out, row);
        return whole;
    }
    if (row->id <= 0 || row->state || (row->name && strlen(row->name) >= NAME))
        return row; /* not its beginning, or none that can be kept */
    const struct row_task *other = b->row.id ? take(n, b) : NULL;
    keep(n, b, row);
    return other;
}

const struct row_task *newborns_take(struct newborns *n, int64_t id)
{
    if (!n->count)
        return NULL;
    if (id) {
        struct newborn *b = &n->place[(uint64_t)id % PLACES];
        return b->row.id == id ? take(n, b) : NULL;
    }
    while (!n->place[n->swept].row.id)
        n->swept++;
    return take(n, &n->place[n->swept]);
}

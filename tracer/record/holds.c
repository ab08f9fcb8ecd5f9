/* holds.c - EV_HOLD and EV_MEMBER become rows.  Pure; used by the storing thread.
 * Owns the holds that are open, by lock and task; at most HOLDS_MAX, because a hostile target may invent them. */
#include "holds.h"

#include <stdlib.h>

#define HOLDS_MAX (1u << 20)
#define BUCKETS   (1u << 16)

struct open_hold {
    struct open_hold *next; /* in its hash chain */
    struct row_hold row;
};

struct hold_table {
    const struct assemble_sink *sink;
    uint32_t n;
    int64_t id;
    struct open_hold *bucket[BUCKETS];
};

struct hold_table *hold_table_new(const struct assemble_sink *sink)
{
    struct hold_table *ht = calloc(1, sizeof *ht);
    if (ht)
        ht->sink = sink;
    return ht;
}

static void drop_all(struct hold_table *ht)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        for (struct open_hold *h = ht->bucket[i], *next; h; h = next) {
            next = h->next;
            free(h);
        }
        ht->bucket[i] = NULL;
    }
    ht->n = 0;
}

void hold_table_free(struct hold_table *ht)
{
    if (ht)
        drop_all(ht);
    free(ht);
}

/* Where the hold of that lock by that task hangs, or would. */
static struct open_hold **place_of(struct hold_table *ht, int64_t object, int64_t task)
{
    uint64_t key = ((uint64_t)object << 32 | (uint32_t)task) * 0x9e3779b97f4a7c15u; /* 2^64 / the golden ratio */
    struct open_hold **h = &ht->bucket[(key ^ key >> 32) >> 7 & (BUCKETS - 1)];
    while (*h && ((*h)->row.object != object || (*h)->row.task != task))
        h = &(*h)->next;
    return h;
}

/* Ids are given when a row is told, so that they come in order. */
static void tell(struct hold_table *ht, struct open_hold *h, int64_t t_end)
{
    h->row.id = ++ht->id;
    h->row.t_end = t_end;
    ht->sink->hold(ht->sink->ctx, &h->row);
}

size_t hold_event(struct hold_table *ht, int64_t t, const struct ls_event *e)
{
    int64_t task = (int64_t)(uint32_t)e->a;
    if (!e->id || !task)
        return 1;
    struct open_hold **place = place_of(ht, e->id, task), *h = *place;
    if (h)
        tell(ht, h, t > h->row.t ? t : h->row.t);
    if (e->flags && !h && ht->n < HOLDS_MAX && (h = malloc(sizeof *h))) {
        h->next = NULL;
        *place = h;
        ht->n++;
    }
    if (e->flags && h) {
        h->row = (struct row_hold){ .object = e->id, .task = task, .t = t };
    } else if (h) {
        *place = h->next;
        ht->n--;
        free(h);
    }
    return 0;
}

size_t member_event(struct hold_table *ht, int64_t t, const struct ls_event *e)
{
    const uint64_t four[] = { e->a & UINT32_MAX, e->a >> 32, e->b & UINT32_MAX, e->b >> 32 };
    if (!e->id)
        return 1;
    for (size_t i = 0; i < sizeof four / sizeof *four; i++) {
        if (four[i])
            ht->sink->member(ht->sink->ctx, &(struct row_member){ .object = e->id, .task = (int64_t)four[i], .t = t });
    }
    return 0;
}

void hold_table_finish(struct hold_table *ht)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        for (struct open_hold *h = ht->bucket[i]; h; h = h->next)
            tell(ht, h, ROW_NULL);
    }
    drop_all(ht);
}

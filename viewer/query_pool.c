/* query_pool.c - memory for what is read from a trace; see query_pool.h. */
#include "query_pool.h"

#include <stdlib.h>
#include <string.h>

#include "human.h"

#define CHUNK (64 << 10)

struct chunk {
    struct chunk *next;
    size_t used, size;
    char bytes[];
};
struct pool {
    struct chunk *first;
    bool failed; /* some allocation did: the load fails as a whole, nobody else checks */
};

static char *pool_take(struct pool *p, size_t n)
{
    struct chunk *c = p->first;
    if (!c || c->size - c->used < n) {
        size_t size = n > CHUNK ? n : CHUNK;
        c = malloc(sizeof *c + size);
        if (!c) {
            p->failed = true;
            return NULL;
        }
        *c = (struct chunk){ .next = p->first, .size = size };
        p->first = c;
    }
    c->used += n;
    return c->bytes + c->used - n;
}

const char *pool_safe(struct pool *p, const char *raw)
{
    if (!raw || !*raw)
        return "";
    size_t size = strnlen(raw, 4096) + 1;
    char *copy = pool_take(p, size);
    if (!copy)
        return "";
    human_clean(raw, copy, (int)size);
    return copy;
}

const char *pool_text(struct pool *p, sqlite3_stmt *s, int column)
{
    return pool_safe(p, (const char *)sqlite3_column_text(s, column));
}

void *pool_push(struct pool *p, void *array, int *n, size_t size)
{
    static _Thread_local char scratch[512];
    void **a = array;
    if ((*n & (*n - 1)) == 0) { /* 0, 1, 2, 4, 8 ... are full */
        void *bigger = *n < (1 << 29) ? realloc(*a, (*n ? (size_t)*n * 2 : 1) * size) : NULL;
        if (!bigger) {
            p->failed = true;
            return memset(scratch, 0, size);
        }
        *a = bigger;
    }
    return memset((char *)*a + (size_t)(*n)++ * size, 0, size);
}

struct pool *pool_new(void)
{
    return calloc(1, sizeof(struct pool));
}

void pool_fail(struct pool *p)
{
    p->failed = true;
}

bool pool_failed(const struct pool *p)
{
    return p->failed;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (struct chunk *c = p->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(p);
}

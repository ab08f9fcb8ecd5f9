/* query_pool.h - private to query*.c: texts of a trace, made safe to show, in chunks that are freed together; and arrays
 * that grow.  An allocation that failed is kept: the load fails as a whole, nobody else checks. */
#ifndef LOOPSCOPE_QUERY_POOL_H
#define LOOPSCOPE_QUERY_POOL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

struct pool;

struct pool *pool_new(void); /* NULL: no memory */
void pool_free(struct pool *p);
void pool_fail(struct pool *p); /* something of the caller's could not be had */
bool pool_failed(const struct pool *p);
/* A copy that is safe to show; "" for NULL. */
const char *pool_safe(struct pool *p, const char *raw);
const char *pool_text(struct pool *p, sqlite3_stmt *s, int column);
/* One more zeroed element of a growing array (void *array: address of the pointer); a scratch element when memory is short. */
void *pool_push(struct pool *p, void *array, int *n, size_t size);

#endif

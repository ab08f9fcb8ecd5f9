/* json_out.h - building a JSON document with jansson: what the report, tasks and tree share.  Failed allocations are kept
 * in one `error` for the whole document, looked at once. */
#ifndef LOOPSCOPE_JSON_OUT_H
#define LOOPSCOPE_JSON_OUT_H

#include <errno.h>
#include <jansson.h>

#include "human.h"

static inline json_t *json_number(int64_t v)
{
    return v == NOT_KNOWN ? json_null() : json_integer(v);
}

/* Texts are cut to fit here and there, maybe inside a character; jansson refuses what is no UTF-8. */
static inline json_t *json_text(const char *s)
{
    char clean[4200];
    human_clean(s, clean, sizeof clean);
    return json_string(clean);
}

static inline json_t *json_text_or_null(const char *s)
{
    return *s ? json_text(s) : json_null();
}

static inline json_t *json_share(double part, double whole)
{
    return whole > 0 ? json_real(part / whole) : json_null();
}

/* Jansson's setters take the reference and accept NULL, so that a failed allocation shows as one failed set. */
static inline void json_put(json_t *object, const char *key, json_t *value, int *error)
{
    if (json_object_set_new(object, key, value) != 0)
        *error = -ENOMEM;
}

static inline void json_append(json_t *array, json_t *value, int *error)
{
    if (json_array_append_new(array, value) != 0)
        *error = -ENOMEM;
}

#endif

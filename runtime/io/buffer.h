/* buffer.h - bytes in a row: added at the end, taken from the front.  Zeroed memory is an empty one. */
#ifndef LSRT_BUFFER_H
#define LSRT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST 4096
#define BUFFER_KEEP  (64 << 10) /* an empty buffer that is larger gives its memory back */

struct buffer {
    char *at;
    size_t from, to, room; /* the bytes are at[from .. to) */
};

static inline size_t buffer_len(const struct buffer *b)
{
    return b->to - b->from;
}
static inline char *buffer_bytes(const struct buffer *b)
{
    return b->at + b->from;
}
static inline size_t buffer_space(const struct buffer *b)
{
    return b->room - b->to;
}

/* Makes space for n more bytes at the end; false: no memory, nothing changed. */
static inline bool buffer_reserve(struct buffer *b, size_t n)
{
    if (n <= buffer_space(b))
        return true;
    size_t len = buffer_len(b);
    if (n > (size_t)-1 / 4 - len)
        return false;
    /* Moving the bytes is enough when it frees a half: else many small takes would move them again and again. */
    if (len + n <= b->room && len <= b->room / 2) {
        memmove(b->at, b->at + b->from, len);
    } else {
        size_t room = b->room ? b->room : BUFFER_FIRST;
        while (room < len + n)
            room *= 2;
        char *at = malloc(room);
        if (!at)
            return false;
        if (len)
            memcpy(at, b->at + b->from, len);
        free(b->at);
        b->at = at;
        b->room = room;
    }
    b->from = 0;
    b->to = len;
    return true;
}

static inline bool buffer_add(struct buffer *b, const void *bytes, size_t n)
{
    if (!n)
        return true;
    if (!buffer_reserve(b, n))
        return false;
    memcpy(b->at + b->to, bytes, n);
    b->to += n;
    return true;
}

static inline void buffer_free(struct buffer *b)
{
    free(b->at);
    *b = (struct buffer){ 0 };
}

/* The first n bytes are done with. */
static inline void buffer_drop(struct buffer *b, size_t n)
{
    b->from += n;
    if (b->from < b->to)
        return;
    b->from = b->to = 0;
    if (b->room > BUFFER_KEEP)
        buffer_free(b);
}

static inline void buffer_take(struct buffer *b, void *bytes, size_t n)
{
    if (n)
        memcpy(bytes, buffer_bytes(b), n);
    buffer_drop(b, n);
}

#endif

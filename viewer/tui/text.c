/* text.c - moments as the timeline shows them, and text cut to a width.  Pure. */
#include "text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

enum { US = 1000, MS = 1000 * US, SECOND = 1000 * MS };

char *text_time(char ret[TEXT_MAX], tns_t t, tns_t column)
{
    int64_t rest = t < 0 ? 0 : t % SECOND;
    int n = snprintf(ret, TEXT_MAX, "%" PRId64 ".%03" PRId64 " %03" PRId64, t < 0 ? 0 : t / SECOND, rest / MS,
                     rest / US % 1000);
    if (column < US)
        n += snprintf(ret + n, TEXT_MAX - (size_t)n, " %03" PRId64, rest % US);
    snprintf(ret + n, TEXT_MAX - (size_t)n, " s");
    return ret;
}

/* One character of a name from the trace: its length in bytes and its columns.  Bytes that are no character, and
 * characters that would move the cursor, take one column. */
static int step(const char *text, mbstate_t *state, int *ret_columns)
{
    wchar_t c;
    size_t n = mbrtowc(&c, text, MB_LEN_MAX, state);

    *ret_columns = 1;
    if (n == (size_t)-1 || n == (size_t)-2) {
        memset(state, 0, sizeof *state);
        return 1;
    }
    int width = wcwidth(c);
    if (width >= 0)
        *ret_columns = width;
    return n ? (int)n : 1;
}

int text_width(const char *text)
{
    mbstate_t state = { 0 };
    int columns = 0, w;

    while (*text) {
        text += step(text, &state, &w);
        columns += w;
    }
    return columns;
}

int text_cut(char *ret, size_t size, const char *text, int columns, const char *mark)
{
    mbstate_t state = { 0 };
    bool cut = text_width(text) > columns;
    int room = cut ? columns - text_width(mark) : columns, used = 0, w;
    size_t at = 0;

    while (*text && room >= 0) {
        int n = step(text, &state, &w);
        if (used + w > room || at + (size_t)n + strlen(mark) >= size)
            break;
        memcpy(ret + at, text, (size_t)n);
        at += (size_t)n;
        used += w;
        text += n;
    }
    ret[at] = 0;
    if (cut && room >= 0) {
        strcpy(ret + at, mark);
        used += text_width(mark);
    }
    return used;
}

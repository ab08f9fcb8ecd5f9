/* text.c - numbers and names as people read them, and text cut to a width.  Pure. */
#include "text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

enum { US = 1000, MS = 1000 * US, SECOND = 1000 * MS };

/* Three digits that count: 6.18, 61.8, 618. */
static void three_digits(char *ret, double value, const char *unit)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(ret, TEXT_MAX, "%.*f %s", decimals, value, unit);
}

char *text_duration(char ret[TEXT_MAX], tns_t d)
{
    double x = (double)d;
    int64_t seconds = d / SECOND;

    if (d < US)
        snprintf(ret, TEXT_MAX, "%" PRId64 " ns", d);
    else if (x < 999.5 * US)
        three_digits(ret, x / US, "us");
    else if (x < 999.5 * MS)
        three_digits(ret, x / MS, "ms");
    else if (seconds < 100)
        three_digits(ret, x / SECOND, "s");
    else if (seconds < 3600)
        snprintf(ret, TEXT_MAX, "%" PRId64 " m %02" PRId64 " s", seconds / 60, seconds % 60);
    else
        snprintf(ret, TEXT_MAX, "%" PRId64 " h %02" PRId64 " m", seconds / 3600, seconds / 60 % 60);
    return ret;
}

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

char *text_count(char ret[TEXT_MAX], int64_t n)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            ret[at++] = ',';
        ret[at++] = digits[i];
    }
    ret[at] = 0;
    return ret;
}

char *text_count_short(char ret[TEXT_MAX], int64_t n)
{
    if (n < 100000)
        return text_count(ret, n);
    snprintf(ret, TEXT_MAX, "%.1f %s", (double)n / (n < 1000000000 ? 1e6 : 1e9), n < 1000000000 ? "M" : "G");
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

/* lanes.c - from spans to columns.  A column shows the worst state inside it, so that nothing bad disappears when many
 * spans share one column; the share of running time is summed beside it.  Pure. */
#include "lanes.h"

#include <string.h>

void lanes_clear(struct columns *c, tns_t from, tns_t per, int w)
{
    c->from = from;
    c->per = per > 0 ? per : 1;
    c->w = w < 0 ? 0 : w < LANES_WIDTH_MAX ? w : LANES_WIDTH_MAX;
    memset(c->at, 0, sizeof c->at);
}

/* The column of t, also outside of the window, rounding down; saturates far away. */
static int64_t column_of(const struct columns *c, tns_t t)
{
    tns_t d;

    if (__builtin_sub_overflow(t, c->from, &d))
        return t < c->from ? -1 : c->w;
    return d >= 0 ? d / c->per : -1;
}

/* `run` of the span's running time falls evenly on it: the part of it in [a, b). */
static tns_t share(const struct span *s, tns_t a, tns_t b)
{
    tns_t length = s->end - s->t;
    tns_t run = s->run < length ? s->run : length;

    return run == length ? b - a : (tns_t)((double)run * (double)(b - a) / (double)length);
}

void lanes_add(void *columns, const struct span *span)
{
    struct columns *c = columns;
    int64_t first = column_of(c, span->t), last = column_of(c, span->end - 1);

    if (span->end <= span->t || last < 0 || first >= c->w)
        return;
    if (span->state == SPAN_STALL && first >= 0)
        c->at[first].stall_start = true;
    first = first < 0 ? 0 : first;
    last = last < c->w ? last : c->w - 1;
    for (int64_t x = first; x <= last; x++) {
        struct column *col = &c->at[x];
        tns_t a = c->from + x * c->per, b = a + c->per;
        a = a > span->t ? a : span->t;
        b = b < span->end ? b : span->end;
        if (span->run > 0) {
            tns_t run = share(span, a, b);
            col->run += run > 0 ? run : 1;
            if (col->run > c->per)
                col->run = c->per;
        }
        if (span->state > col->state)
            col->state = (unsigned char)span->state;
    }
}

void lanes_mark_life(struct columns *c, tns_t born, tns_t ended)
{
    int64_t x = born == NS_NONE ? -1 : column_of(c, born);

    if (x >= 0 && x < c->w)
        c->at[x].born = true;
    x = ended == NS_NONE ? -1 : column_of(c, ended);
    if (x >= 0 && x < c->w)
        c->at[x].ended = true;
}

void lanes_shift(struct columns *c, int k, int *ret_first, int *ret_end)
{
    int keep = c->w - (k < 0 ? -k : k);

    c->from += k * c->per;
    if (keep <= 0) {
        memset(c->at, 0, sizeof c->at);
        *ret_first = 0;
        *ret_end = c->w;
        return;
    }
    memmove(c->at + (k < 0 ? -k : 0), c->at + (k < 0 ? 0 : k), (size_t)keep * sizeof *c->at);
    *ret_first = k < 0 ? 0 : keep;
    *ret_end = k < 0 ? -k : c->w;
    memset(c->at + *ret_first, 0, (size_t)(*ret_end - *ret_first) * sizeof *c->at);
}

int lanes_eighths(const struct columns *c, int x)
{
    tns_t run = c->at[x].run;

    if (run <= 0)
        return 0;
    int n = (int)((run * (double)LANES_EIGHTHS) / (double)c->per + 0.5);
    return n < 1 ? 1 : n;
}

tns_t lanes_tick(tns_t per, int label_w)
{
    static const int nice[] = { 1, 2, 5 };
    tns_t power = 1;

    for (;; power *= 10)
        for (int i = 0; i < 3; i++)
            if (nice[i] * power / per >= label_w || power > INT64_MAX / 100)
                return nice[i] * power;
}

/* place.c - stalls grouped by place, worst harm first, and stacks collapsed to what matters.  Pure. */
#include "place.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double place_harm(const struct report_stall *s)
{
    double harm = (double)s->dur;
    if (s->victim_sum != NOT_KNOWN)
        harm = s->victim_sum > s->dur ? (double)s->victim_sum : harm;
    else if (s->victims != NOT_KNOWN && s->victims > 1)
        harm *= (double)s->victims;
    return harm;
}

static int64_t owner_of(const struct report_stall *s, enum place_by by)
{
    return by == BY_TASK ? s->task : by == BY_LOOP ? s->loop_id : 0;
}

/* A stall without a stack has no fingerprint: its detail is the best name of the place. */
static const char *name_of(const struct report_stall *s)
{
    return *s->fingerprint ? s->fingerprint : s->detail;
}

struct sorting {
    const struct report_stall *stalls;
    enum place_by by;
};

static int by_key(const void *a, const void *b, void *arg)
{
    const struct sorting *o = arg;
    int i = *(const int *)a, j = *(const int *)b;
    const struct report_stall *x = &o->stalls[i], *y = &o->stalls[j];
    int64_t ox = owner_of(x, o->by), oy = owner_of(y, o->by);
    int order = ox < oy ? -1 : ox > oy;
    if (!order)
        order = strcmp(name_of(x), name_of(y));
    if (!order)
        order = strcmp(x->cause, y->cause);
    if (!order)
        order = strcmp(x->call_name, y->call_name);
    return order ? order : (i > j) - (i < j);
}

static bool same_key(const struct report_stall *x, const struct report_stall *y, enum place_by by)
{
    /* The call too: an interpreter's frames may be the same around time.sleep and a wait for a child. */
    return owner_of(x, by) == owner_of(y, by) && strcmp(name_of(x), name_of(y)) == 0 &&
           strcmp(x->cause, y->cause) == 0 && strcmp(x->call_name, y->call_name) == 0;
}

static void add(struct place *p, const struct report_data *d, int i)
{
    const struct report_stall *s = &d->stalls[i], *first = &d->stalls[p->n ? p->worst : i];
    p->one_loop = p->n ? p->one_loop && s->loop_id == first->loop_id : true;
    p->one_task = p->n ? p->one_task && s->task == first->task : true;
    p->first_t = p->n && p->first_t < s->t ? p->first_t : s->t;
    p->last_t = p->n && p->last_t > s->t ? p->last_t : s->t;
    if (!p->n || s->dur > p->longest) {
        p->longest = s->dur;
        p->worst = i;
    }
    p->n++;
    p->total += s->dur;
    p->n_partial += s->partial;
    p->n_no_stack += s->stack == NOT_KNOWN;
    p->n_ongoing += s->ongoing;
    p->n_in_gap += s->in_gap != 0;
    p->suppressed += s->suppressed;
    if (s->victims != NOT_KNOWN)
        p->victims += s->victims;
    if (s->victim_sum != NOT_KNOWN)
        p->victim_sum += s->victim_sum;
    if (s->victim_max != NOT_KNOWN && s->victim_max > p->victim_max)
        p->victim_max = s->victim_max;
    p->harm += place_harm(s);
}

static int by_harm(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->owner_harm != y->owner_harm)
        return x->owner_harm > y->owner_harm ? -1 : 1;
    if (x->owner != y->owner)
        return x->owner < y->owner ? -1 : 1;
    if (x->harm != y->harm)
        return x->harm > y->harm ? -1 : 1;
    if (x->longest != y->longest)
        return x->longest > y->longest ? -1 : 1;
    return (x->worst > y->worst) - (x->worst < y->worst);
}

int place_group(const struct report_data *d, enum place_by by, struct place **ret_places, int *ret_n)
{
    int n = 0;
    int *order = calloc((size_t)d->n_stalls + 1, sizeof *order);
    struct place *places = calloc((size_t)d->n_stalls + 1, sizeof *places);
    if (!order || !places) {
        free(order);
        free(places);
        return -ENOMEM;
    }
    for (int i = 0; i < d->n_stalls; i++)
        order[i] = i;
    struct sorting how = { d->stalls, by };
    qsort_r(order, (size_t)d->n_stalls, sizeof *order, by_key, &how);
    for (int i = 0; i < d->n_stalls; i++) {
        const struct report_stall *s = &d->stalls[order[i]];
        if (i == 0 || !same_key(s, &d->stalls[order[i - 1]], by))
            places[n++].owner = owner_of(s, by);
        add(&places[n - 1], d, order[i]);
    }
    /* Places of one owner stand together now: add up, then give each the sum. */
    for (int i = 0, j; by != BY_PLACE && i < n; i = j) {
        struct place sum = { 0 };
        for (j = i; j < n && places[j].owner == places[i].owner; j++) {
            sum.harm += places[j].harm;
            sum.n += places[j].n;
            sum.total += places[j].total;
        }
        for (int k = i; k < j; k++) {
            places[k].owner_harm = sum.harm;
            places[k].owner_n = sum.n;
            places[k].owner_total = sum.total;
        }
    }
    qsort(places, (size_t)n, sizeof *places, by_harm);
    free(order);
    *ret_places = places;
    *ret_n = n;
    return 0;
}

/* --- stacks ---------------------------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

void place_frame(const struct report_frame *f, char *ret_text, int size)
{
    char name[64];
    if (*f->function) {
        snprintf(name, sizeof name, "%.63s", f->function);
        human_clean(name, ret_text, size < 64 ? size : 64); /* the cut may have split a character */
        if (strlen(f->function) > sizeof name - 1)
            human_cut(ret_text, 50);
    } else if (*f->module) {
        snprintf(ret_text, (size_t)size, "%.48s+0x%" PRIx64, base_name(f->module), (uint64_t)f->address);
    } else {
        snprintf(ret_text, (size_t)size, "0x%" PRIx64, (uint64_t)f->address);
    }
    size_t used = strlen(ret_text);
    if (*f->file && f->line > 0)
        snprintf(ret_text + used, (size_t)size - used, " %.40s:%" PRId64, base_name(f->file), f->line);
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Interpreter frames that say only "a function is being called": of no use even when nothing better is there. */
static bool plumbing(const struct report_frame *f)
{
    return !*f->function || starts(f->function, "_Py") || starts(f->function, "PyIter_") || starts(f->function, "PyObject_") || starts(f->function, "PyEval_") ||
           starts(f->function, "PyRun_") || starts(f->function, "Py_") || strstr(f->function, "vectorcall") ||
           starts(f->function, "cfunction_") || starts(f->function, "method_") || starts(f->function, "pymain_") ||
           starts(f->function, "run_mod") ||
           starts(f->function, "gen_send_") || starts(f->function, "task_step") || starts(f->function, "context_run") || starts(f->function, "v8::internal::Builtin_") ||
           starts(f->function, "Builtins_") || starts(f->function, "uv__") || starts(f->function, "uv_run");
}

/* The noisiest kind of frame still worth showing: the program's own when it has any.  Never libc's: the call has a
 * name already, and its start-up code is in every stack. */
static int64_t least_noise(const struct report_frame *frames, int n)
{
    int64_t least = NOISE_LIBC;
    for (int i = 0; i < n; i++)
        if (frames[i].noise < least && (frames[i].noise == NOISE_USER || !plumbing(&frames[i])))
            least = frames[i].noise;
    return least == NOISE_LIBC ? NOISE_USER : least;
}

/* A frame with a name of the scripting language, not of its interpreter. */
static bool scripted(const struct report_frame *f)
{
    return strcmp(f->language, "python") == 0 || strcmp(f->language, "js") == 0;
}

static bool shown(const struct report_frame *frames, int i, int64_t least)
{
    if (frames[i].noise == NOISE_PROBE || frames[i].noise > least)
        return false;
    return frames[i].noise == NOISE_USER || !plumbing(&frames[i]);
}

int place_blamed(const struct report_frame *frames, int n, const char *detail)
{
    for (int i = 0; i < n; i++) {
        size_t length = strlen(frames[i].function);
        if (length > 0 && strncmp(detail, frames[i].function, length) == 0 && strncmp(detail + length, " (", 2) == 0)
            return i;
    }
    return 0;
}

int place_culprit(const struct report_frame *frames, int n)
{
    int64_t least = least_noise(frames, n);
    int first = -1;
    for (int i = 0; i < n; i++) {
        if (frames[i].noise != least || (least != NOISE_USER && plumbing(&frames[i])))
            continue;
        if (*frames[i].function)
            return i;
        first = first < 0 ? i : first; /* without a name: only when nothing has one */
    }
    return first;
}

int place_stack(const struct report_frame *frames, int n, char ret_pieces[][PLACE_PIECE], int max)
{
    int64_t least = least_noise(frames, n);
    int count = 0, last = -1;
    bool named = false;
    for (int i = 0; i < n; i++)
        named |= *frames[i].function && shown(frames, i, least);
    while (n > 0 && frames[n - 1].noise > least) /* what called main is never news */
        n--;
    for (int i = 0; i < n && count < max; i++) {
        /* The library or built-in function that the program called stands for whatever it did inside. */
        bool entry = least == NOISE_USER && i + 1 < n && count == 0 && frames[i + 1].noise == NOISE_USER &&
                     (frames[i].noise == NOISE_LIBRARY || (frames[i].noise == NOISE_RUNTIME && scripted(&frames[i])));
        if (!entry && !shown(frames, i, least))
            continue;
        if (named && count > 0 && !*frames[i].function)
            continue;
        if (count > 0 && i == n - 1 && strcmp(frames[i].function, "main") == 0)
            break; /* everything is called from main; what main itself did, is worth its line */
        if (last >= 0 && i > last + 1 && count + 1 < max)
            strcpy(ret_pieces[count++], "..");
        place_frame(&frames[i], ret_pieces[count++], PLACE_PIECE);
        last = i;
    }
    return count;
}

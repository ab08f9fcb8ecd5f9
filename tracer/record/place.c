/* place.c - chooses what a stall is blamed on.
 *
 * The samples of one stall differ in their innermost frames and agree in the outer ones.  The blame goes to the deepest
 * function that (nearly) all of them are in, among the frames that say most: the program's own; where there are none, a
 * library's; where the program runs in an interpreter without a JIT map, the built-in function that it called.  No
 * state; any thread that may read the book. */
#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noise.h"

#define FRAMES_MAX  512
#define SAMPLES_MAX 64
#define SHARED      90 /* percent of the samples: one or two may have been taken on the way in or out */
#define PRINTED     3  /* frames in a fingerprint */

struct sample {
    int64_t stack;
    bool partial;
    int n;
    struct stackbook_frame *frame; /* innermost first, without libc and loopscope */
};

struct choice {
    int sample, frame;
    int percent;
};

/* JIT code whose compiler wrote no map: all that can be said of it is that it is such. */
static bool is_unnamed_jit(const struct stackbook_frame *f)
{
    return !f->module && !f->function;
}

/* Python and JavaScript may well call a function of theirs main. */
static bool is_entry(const struct stackbook_frame *f)
{
    return f->module && noise_is_entry(f->function);
}

/* The same function, whatever line it is at.  What has no name goes by where it begins. */
static bool same_function(const struct stackbook_frame *a, const struct stackbook_frame *b)
{
    if ((a->module == NULL) != (b->module == NULL) || (a->module && strcmp(a->module, b->module) != 0))
        return false;
    if (is_unnamed_jit(a) && is_unnamed_jit(b))
        return true;
    if (a->function && b->function)
        return !strcmp(a->function, b->function);
    return !a->function && !b->function && (a->entry ? a->entry == b->entry : a->address == b->address);
}

static int find_function(const struct sample *s, const struct stackbook_frame *f)
{
    for (int i = 0; i < s->n; i++)
        if (same_function(&s->frame[i], f))
            return i;
    return -1;
}

static int share(const struct sample *s, int n, const struct stackbook_frame *f)
{
    int with = 0;
    for (int i = 0; i < n; i++)
        with += find_function(&s[i], f) >= 0;
    return with * 100 / n;
}

/* What is looked for, in this order: later ones only when the ones before found nothing. */
struct pass {
    enum frame_noise kind;
    bool unnamed; /* functions without a name too */
    bool engine;  /* interpreter and loop machinery too */
};

static bool is_candidate(const struct stackbook_frame *f, const struct pass *p)
{
    return f->noise == p->kind && !is_entry(f) && (p->unnamed || f->function) &&
           (p->engine || !noise_is_engine(f->function));
}

/* The deepest such function that SHARED percent are in; when there is none, the one that most are in. */
static bool choose_kind(const struct sample *s, int n, const struct pass *p, struct choice *ret)
{
    struct choice best = { .percent = 0 };

    for (int i = 0; i < n; i++)
        for (int k = 0; k < s[i].n && best.percent < SHARED; k++)
            if (is_candidate(&s[i].frame[k], p)) {
                int percent = share(s, n, &s[i].frame[k]);
                if (percent > best.percent)
                    best = (struct choice){ i, k, percent };
            }
    if (best.percent > 0)
        *ret = best;
    return best.percent > 0;
}

/* In an interpreter: what it called last, the outermost named frame inside of its engine's innermost one. */
static int builtin_of(const struct sample *s)
{
    int engine = 0;
    while (engine < s->n && !noise_is_engine(s->frame[engine].function))
        engine++;
    if (engine == s->n)
        return -1;
    for (int k = engine - 1; k >= 0; k--)
        if (s->frame[k].function && (s->frame[k].noise == FRAME_RUNTIME || s->frame[k].noise == FRAME_LIBRARY))
            return k;
    return engine > 0 && is_unnamed_jit(&s->frame[engine - 1]) ? engine - 1 : -1;
}

static bool choose_builtin(const struct sample *s, int n, struct choice *ret)
{
    struct choice best = { .percent = 0 };

    for (int i = 0; i < n; i++) {
        int k = builtin_of(&s[i]);
        int percent = k >= 0 ? share(s, n, &s[i].frame[k]) : 0;
        if (percent > best.percent)
            best = (struct choice){ i, k, percent };
    }
    *ret = best;
    return best.percent > 0;
}

static bool choose(const struct sample *s, int n, struct choice *ret)
{
    static const struct pass own[] = { { FRAME_USER, false, true }, { FRAME_USER, true, true } };
    static const struct pass other[] = { { FRAME_LIBRARY, false, false },
                                         { FRAME_RUNTIME, false, false },
                                         { FRAME_RUNTIME, false, true },
                                         { FRAME_LIBRARY, true, true },
                                         { FRAME_RUNTIME, true, true } };
    static const struct pass eval_loop = { FRAME_RUNTIME, false, true };

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (choose_kind(s, n, &own[i], ret))
            return true;
    if (choose_builtin(s, n, ret)) {
        /* Each sample in another one: it is the script itself that computes, and only the eval loop is in all. */
        struct choice engine;
        if (ret->percent < SHARED && choose_kind(s, n, &eval_loop, &engine) && engine.percent >= SHARED)
            *ret = engine;
        return true;
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (choose_kind(s, n, &other[i], ret))
            return true;
    if (s[0].n == 0)
        return false;
    *ret = (struct choice){ 0, 0, share(s, n, &s[0].frame[0]) }; /* main, then */
    return true;
}

/* Of the samples that are in the chosen function, the one that tells most: whole, and with a line. */
static void choose_representative(const struct sample *s, int n, struct choice *c)
{
    const struct stackbook_frame *f = &s[c->sample].frame[c->frame];
    int best_score = -1;
    struct choice best = *c;

    for (int i = 0; i < n; i++) {
        int k = find_function(&s[i], f);
        int score = k < 0 ? -1 : 2 * !s[i].partial + (s[i].frame[k].line > 0);
        if (score > best_score) {
            best_score = score;
            best = (struct choice){ i, k, c->percent };
        }
    }
    *c = best;
}

static const char *basename_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static uint64_t hash_text(uint64_t h, const char *text)
{
    do
        h = (h ^ (unsigned char)*text) * 0x100000001b3ull; /* FNV-1a; the end is hashed too, as a separator */
    while (*text++);
    return h;
}

/* A function as text: its name, else where it begins. */
static void function_text(const struct stackbook_frame *f, char *ret, size_t size)
{
    if (f->function)
        snprintf(ret, size, "%s", f->function);
    else if (is_unnamed_jit(f))
        snprintf(ret, size, "[jit code]");
    else
        snprintf(ret, size, "%s+0x%llx", basename_of(f->module), (unsigned long long)(f->entry ? f->entry : f->address));
}

/* The chosen function and up to two outside of it.  The program's own are preferred: what stands between them may differ
 * from one version of a library to the next. */
static void fingerprint(const struct sample *s, int frame, char ret[static 33])
{
    uint64_t a = 0xcbf29ce484222325ull, b = 0x84222325cbf29ce4ull;
    bool own = s->frame[frame].noise == FRAME_USER;
    const struct stackbook_frame *last = NULL;
    char text[512];

    for (int i = frame, printed = 0; i < s->n && printed < PRINTED; i++) {
        const struct stackbook_frame *f = &s->frame[i];
        if (i > frame && ((own && f->noise != FRAME_USER) || is_entry(f) || noise_is_engine(f->function) ||
                          same_function(f, last))) /* how deep a recursion was says nothing */
            continue;
        function_text(f, text, sizeof text);
        const char *module = f->module ? basename_of(f->module) : f->file ? basename_of(f->file) : "";
        a = hash_text(hash_text(a, module), text);
        b = hash_text(hash_text(b, text), module);
        last = f;
        printed++;
    }
    snprintf(ret, 33, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
}

static void load_sample(const struct stackbook *book, int64_t stack, struct stackbook_frame *frames, struct sample *ret)
{
    int n = stackbook_frames(book, stack, frames, FRAMES_MAX), kept = 0;
    bool partial = stackbook_partial(book, stack);

    if (n > 1 && !partial && !frames[n - 1].function)
        n--; /* _start of a stripped program */
    for (int i = 0; i < n; i++)
        if (frames[i].noise != FRAME_PROBE && frames[i].noise != FRAME_LIBC)
            frames[kept++] = frames[i];
    *ret = (struct sample){ .stack = stack, .partial = partial, .n = kept, .frame = frames };
}

bool place_of(const struct stackbook *book, const int64_t *stacks, int n, struct place *ret_place)
{
    struct sample sample[SAMPLES_MAX];
    struct choice c;
    int n_samples = 0;
    bool found = false;
    struct stackbook_frame *frames = n > 0 ? malloc(SAMPLES_MAX * FRAMES_MAX * sizeof *frames) : NULL;

    for (int i = 0; frames && i < n && n_samples < SAMPLES_MAX; i++)
        if (stacks[i] != ROW_NULL) {
            load_sample(book, stacks[i], frames + (size_t)n_samples * FRAMES_MAX, &sample[n_samples]);
            n_samples += sample[n_samples].n > 0;
        }
    if (n_samples > 0 && choose(sample, n_samples, &c)) {
        choose_representative(sample, n_samples, &c);
        const struct sample *s = &sample[c.sample];
        const struct stackbook_frame *f = &s->frame[c.frame];
        struct place p = { .line = f->line, .percent = c.percent, .stack = s->stack };
        function_text(f, p.function, sizeof p.function);
        snprintf(p.file, sizeof p.file, "%s", f->file ? f->file : "");
        fingerprint(s, c.frame, p.fingerprint);
        *ret_place = p;
        found = true;
    }
    free(frames);
    return found;
}

/* options.c - the parser of the option tables.  Owns nothing: text values point into argv.  main's thread only. */
#include "options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {
    { "ns", 1 },          { "us", 1000 },         { "ms", 1000000 }, { "s", 1000000000 },
    { "m", 60000000000 }, { "h", 3600000000000 }, { NULL, 0 },
};

static const struct unit size_units[] = {
    { "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { "T", (int64_t)1 << 40 }, { NULL, 0 },
};

/* Reads "12", "1.5" and a unit, exactly and without the locale: strtod would take "1,5" in some of them, "inf" and
 * "0x1p3" in all. */
static int scan_quantity(const char *text, const struct unit *units, int64_t *ret_value)
{
    int64_t whole = 0, part = 0, scale = 1;
    const char *p = text;

    if (*p < '0' || *p > '9')
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *p - '0', &whole))
            return -ERANGE;
    if (*p == '.') {
        if (*++p < '0' || *p > '9')
            return -EINVAL;
        for (; *p >= '0' && *p <= '9'; p++)
            if (scale < 1000000000) {
                part = part * 10 + (*p - '0');
                scale *= 10;
            }
    }
    for (; units->name; units++)
        if (strcmp(p, units->name) == 0)
            break;
    if (!units->name)
        return -EINVAL;
    /* part < scale <= 1e9, so only the product by a large unit needs the wide type */
    if (__builtin_mul_overflow(whole, units->factor, &whole) ||
        __builtin_add_overflow(whole, (int64_t)((__int128)part * units->factor / scale), &whole))
        return -ERANGE;
    *ret_value = whole;
    return 0;
}

int options_duration(const char *text, int64_t *ret_ns)
{
    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    return scan_quantity(text, duration_units, ret_ns);
}

int options_size(const char *text, int64_t *ret_bytes)
{
    return scan_quantity(text, size_units, ret_bytes);
}

static int scan_count(const char *text, int64_t *ret_count)
{
    static const struct unit none[] = { { "", 1 }, { NULL, 0 } };

    if (strchr(text, '.'))
        return -EINVAL;
    return scan_quantity(text, none, ret_count);
}

/* Is `text` one of "place|task|loop"? */
static bool is_one_of(const char *text, const char *values)
{
    size_t n = strlen(text);

    for (const char *v = values; v; v = strchr(v, '|')) {
        v += *v == '|';
        if (strncmp(v, text, n) == 0 && (v[n] == '|' || !v[n]))
            return true;
    }
    return false;
}

/* How many letters must be added, dropped, changed or swapped with their neighbour to make a into b. */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    size_t row[3][MAX + 1], n = strlen(a), m = strlen(b);

    if (n > MAX || m > MAX)
        return MAX;
    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *options_nearest(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t length = strlen(word), least = length < 4 ? 2 : 3; /* must be nearer than this */

    for (; *names; names++) {
        size_t d = distance(word, *names);
        if (length >= 3 && strncmp(word, *names, length) == 0)
            d = 1; /* its beginning */
        if (d < least) {
            least = d;
            nearest = *names;
        }
    }
    return nearest;
}

static void say_unknown(const struct command *cmd, const char *typed, size_t length, char *ret_error, size_t size)
{
    enum { MAX = 64 };
    const char *names[MAX + 1], *nearest;
    char word[64];
    int n = 0;

    for (const struct option *o = cmd->options; o && o->name && n < MAX; o++)
        if (*o->name)
            names[n++] = o->name;
    names[n++] = "help";
    names[n] = NULL;
    snprintf(word, sizeof word, "%.*s", (int)length, typed);
    nearest = options_nearest(word, names);
    if (nearest)
        snprintf(ret_error, size, "--%s: no such option (--%s?)", word, nearest);
    else
        snprintf(ret_error, size, "--%s: no such option", word);
}

/* "place|task|loop" as "place, task, loop" */
static void spell_values(const char *values, char *ret_text, size_t size)
{
    size_t n = 0;

    for (; *values && n + 3 < size; values++) {
        if (*values == '|')
            ret_text[n++] = ',';
        ret_text[n++] = *values == '|' ? ' ' : *values;
    }
    ret_text[n] = 0;
}

/* Stores one value.  `typed` is the option as it was given, for the message. */
static bool store(const struct option *o, void *values, const char *typed, const char *text, char *ret_error,
                  size_t size)
{
    void *at = (char *)values + o->offset;
    const char *kind = NULL;
    int r = 0;

    switch (o->kind) {
    case OPT_FLAG: *(bool *)at = true; return true;
    case OPT_TEXT:
        if (o->values && !is_one_of(text, o->values)) {
            char spelled[256];
            spell_values(o->values, spelled, sizeof spelled);
            snprintf(ret_error, size, "%s: '%s' is %s %s", typed, text, strchr(o->values, '|') ? "none of" : "not", spelled);
            return false;
        }
        *(const char **)at = text;
        return true;
    case OPT_LIST:
        for (int i = 0; i < OPTION_LIST_MAX; i++)
            if (!((const char **)at)[i]) {
                ((const char **)at)[i] = text;
                return true;
            }
        snprintf(ret_error, size, "%s: given more than %d times", typed, OPTION_LIST_MAX);
        return false;
    case OPT_COUNT:
        kind = "a whole number";
        r = scan_count(text, at);
        break;
    case OPT_DURATION:
        kind = "a duration like 20ms or 1.5s (ns us ms s m h)";
        r = options_duration(text, at);
        break;
    case OPT_SIZE:
        kind = "a size like 64K, 8M or 1G";
        r = options_size(text, at);
        break;
    }
    if (r == -ERANGE)
        snprintf(ret_error, size, "%s: '%s' is too large", typed, text);
    else if (r < 0)
        snprintf(ret_error, size, "%s: '%s' is not %s", typed, text, kind);
    return r == 0;
}

static const struct option *by_name(const struct command *cmd, const char *name, size_t length)
{
    for (const struct option *o = cmd->options; o && o->name; o++)
        if (*o->name && strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

static const struct option *by_letter(const struct command *cmd, char letter)
{
    for (const struct option *o = cmd->options; o && o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

/* argv[*i] begins with "--"; moves *i when the value is the next word. */
static enum options_result parse_long(const struct command *cmd, void *values, int argc, char **argv, int *i,
                                      char *ret_error, size_t size)
{
    const char *name = argv[*i] + 2, *text = strchr(name, '=');
    size_t length = text ? (size_t)(text - name) : strlen(name);
    const struct option *o = by_name(cmd, name, length);
    char typed[64];

    if (!o && strcmp(name, "help") == 0)
        return OPTIONS_HELP;
    if (!o) {
        say_unknown(cmd, name, length, ret_error, size);
        return OPTIONS_WRONG;
    }
    snprintf(typed, sizeof typed, "--%s", o->name);
    if (o->kind == OPT_FLAG && text) {
        snprintf(ret_error, size, "%s: takes no value", typed);
        return OPTIONS_WRONG;
    }
    if (text)
        text++;
    else if (o->kind != OPT_FLAG)
        text = ++*i < argc ? argv[*i] : NULL;
    if (!text && o->kind != OPT_FLAG) {
        snprintf(ret_error, size, "%s: needs a value", typed);
        return OPTIONS_WRONG;
    }
    return store(o, values, typed, text, ret_error, size) ? OPTIONS_DONE : OPTIONS_WRONG;
}

/* argv[*i] is "-abc": flags, and perhaps one option with a value at the end. */
static enum options_result parse_letters(const struct command *cmd, void *values, int argc, char **argv, int *i,
                                         char *ret_error, size_t size)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        const struct option *o = by_letter(cmd, *p);
        const char typed[] = { '-', *p, 0 };
        const char *text = NULL;

        if (!o && *p == 'h')
            return OPTIONS_HELP;
        if (!o) {
            snprintf(ret_error, size, "-%c: no such option", *p);
            return OPTIONS_WRONG;
        }
        if (o->kind != OPT_FLAG) {
            text = p[1] ? p + 1 : ++*i < argc ? argv[*i] : NULL;
            if (!text) {
                snprintf(ret_error, size, "%s: needs a value", typed);
                return OPTIONS_WRONG;
            }
        }
        if (!store(o, values, typed, text, ret_error, size))
            return OPTIONS_WRONG;
        if (text)
            break;
    }
    return OPTIONS_DONE;
}

enum options_result options_parse(const struct command *cmd, void *values, int argc, char **argv, int *ret_argc,
                                  char *ret_error, size_t error_size)
{
    int kept = 0, i = 0;

    for (; i < argc; i++) {
        enum options_result r;

        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (argv[i][0] != '-' || !argv[i][1]) { /* "-" alone is an argument */
            if (cmd->stop_at_first)
                break;
            argv[kept++] = argv[i];
            continue;
        }
        r = argv[i][1] == '-' ? parse_long(cmd, values, argc, argv, &i, ret_error, error_size)
                              : parse_letters(cmd, values, argc, argv, &i, ret_error, error_size);
        if (r != OPTIONS_DONE)
            return r;
    }
    while (i < argc)
        argv[kept++] = argv[i++];
    argv[kept] = NULL; /* kept <= argc, where main's argv has its NULL */
    if (kept < cmd->min_args) {
        snprintf(ret_error, error_size, "needs %s", cmd->args);
        return OPTIONS_WRONG;
    }
    if (cmd->max_args >= 0 && kept > cmd->max_args) {
        snprintf(ret_error, error_size, "'%s' is one argument too many", argv[cmd->max_args]);
        return OPTIONS_WRONG;
    }
    *ret_argc = kept;
    return OPTIONS_DONE;
}

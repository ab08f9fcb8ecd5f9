/* gate.c - parses and evaluates `--fail-if`.  Recursive descent into a small tree; three-valued logic over gaps. */
#include "gate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tracer/call.h"

#define DEPTH_MAX 64 /* of brackets */

enum unit { UNIT_TIME, UNIT_COUNT, UNIT_SHARE };
enum metric {
    M_STALL,
    M_STALLS,
    M_STALL_TOTAL,
    M_STALL_CAUSE,
    M_BUSY,
    M_P50,
    M_P99,
    M_MAX,
    M_CALL,
    M_CALLS,
    M_CALL_NAME,
    M_LOST,
    M_LOOPS,
    M_UNOBSERVED,
    M_NEVER_AWAITED
};

static const struct {
    const char *name; /* ends in '.': any word of the right kind follows */
    enum metric metric;
    enum unit unit;
} metrics[] = {
    { "stall", M_STALL, UNIT_TIME },
    { "stalls", M_STALLS, UNIT_COUNT },
    { "stall.total", M_STALL_TOTAL, UNIT_TIME },
    { "stall.", M_STALL_CAUSE, UNIT_TIME },
    { "busy", M_BUSY, UNIT_SHARE },
    { "iteration.p50", M_P50, UNIT_TIME },
    { "iteration.p99", M_P99, UNIT_TIME },
    { "iteration.max", M_MAX, UNIT_TIME },
    { "call", M_CALL, UNIT_TIME },
    { "calls", M_CALLS, UNIT_COUNT },
    { "call.", M_CALL_NAME, UNIT_TIME },
    { "lost", M_LOST, UNIT_COUNT },
    { "loops", M_LOOPS, UNIT_COUNT },
    { "unobserved", M_UNOBSERVED, UNIT_COUNT },
    { "never_awaited", M_NEVER_AWAITED, UNIT_COUNT },
};

enum node_kind { NODE_AND, NODE_OR, NODE_COMPARE };
enum op { OP_GT, OP_GE, OP_LT, OP_LE, OP_EQ, OP_NE };

struct gate {
    enum node_kind kind;
    struct gate *left, *right;
    enum metric metric;
    char word[48]; /* the cause or the call */
    enum op op;
    double value; /* ns, a count, or a share (0.9) */
};

struct parser {
    const char *text, *p;
    int depth;
    char *error;
    int error_size;
};

static struct gate *parse_or(struct parser *s);

static struct gate *fail(struct parser *s, const char *what)
{
    if (!*s->error)
        snprintf(s->error, (size_t)s->error_size, "'%.60s': %s at '%.30s'", s->text, what, *s->p ? s->p : "the end");
    return NULL;
}

static void blanks(struct parser *s)
{
    while (isspace((unsigned char)*s->p))
        s->p++;
}

static bool word_is(struct parser *s, const char *word)
{
    size_t n = strlen(word);
    blanks(s);
    if (strncmp(s->p, word, n) != 0 || isalnum((unsigned char)s->p[n]))
        return false;
    s->p += n;
    return true;
}

static bool known_word(enum metric metric, const char *word)
{
    static const char *const causes[] = {
        "cpu", "call", "lock", "fault", "preempted", "throttled", "stopped", "unknown"
    };
    for (size_t i = 0; metric == M_STALL_CAUSE && i < sizeof causes / sizeof *causes; i++)
        if (strcmp(causes[i], word) == 0)
            return true;
    for (unsigned i = 1; metric == M_CALL_NAME && i < CALL_COUNT; i++)
        if (strcmp(ls_call_name(i), word) == 0)
            return true;
    return false;
}

/* The metric named at the cursor: its row, or -1. */
static int metric_at(struct parser *s, char *ret_word, size_t size)
{
    char name[64];
    size_t n = strspn(s->p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    if (n == 0 || n >= sizeof name)
        return -1;
    memcpy(name, s->p, n);
    name[n] = 0;
    for (int i = 0; i < (int)(sizeof metrics / sizeof *metrics); i++) {
        size_t m = strlen(metrics[i].name);
        bool open = metrics[i].name[m - 1] == '.';
        if (open ? strncmp(name, metrics[i].name, m) != 0 || !known_word(metrics[i].metric, name + m)
                 : strcmp(name, metrics[i].name) != 0)
            continue;
        snprintf(ret_word, size, "%.47s", open ? name + m : "");
        s->p += n;
        return i;
    }
    return -1;
}

static int parse_op(struct parser *s, enum op *ret_op)
{
    static const struct {
        const char *text;
        enum op op;
    } ops[] = { { ">=", OP_GE }, { "<=", OP_LE }, { "!=", OP_NE }, { "==", OP_EQ },
                { ">", OP_GT },  { "<", OP_LT },  { "=", OP_EQ } };
    blanks(s);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strncmp(s->p, ops[i].text, strlen(ops[i].text)) != 0)
            continue;
        s->p += strlen(ops[i].text);
        *ret_op = ops[i].op;
        return 0;
    }
    return -1;
}

static int parse_value(struct parser *s, enum unit unit, double *ret_value)
{
    char *end;
    int64_t ns;
    blanks(s);
    if (unit == UNIT_TIME) {
        const char *stop = human_scan_duration(s->p, &ns);
        if (!stop)
            return -1;
        s->p = stop;
        *ret_value = (double)ns;
        return 0;
    }
    if (!isdigit((unsigned char)*s->p))
        return -1;
    *ret_value = strtod(s->p, &end);
    s->p = end;
    if (unit == UNIT_SHARE) {
        blanks(s);
        if (*s->p != '%')
            return -1;
        s->p++;
        *ret_value /= 100;
    }
    return 0;
}

static struct gate *node(struct parser *s, enum node_kind kind, struct gate *left, struct gate *right)
{
    struct gate *g = left && (kind == NODE_COMPARE || right) ? calloc(1, sizeof *g) : NULL;
    if (!g) {
        gate_free(left);
        gate_free(right);
        return fail(s, "out of memory");
    }
    *g = (struct gate){ .kind = kind, .left = left, .right = right };
    return g;
}

static struct gate *parse_compare(struct parser *s)
{
    static const char *const wants[] = { "expected a duration like 50ms", "expected a count like 3",
                                         "expected a share like 90%" };
    struct gate g = { .kind = NODE_COMPARE };
    blanks(s);
    if (*s->p == '(') {
        if (++s->depth > DEPTH_MAX)
            return fail(s, "too many brackets");
        s->p++;
        struct gate *inner = parse_or(s);
        blanks(s);
        if (inner && *s->p != ')') {
            gate_free(inner);
            return fail(s, "expected ')'");
        }
        s->p += inner != NULL;
        s->depth--;
        return inner;
    }
    int m = metric_at(s, g.word, sizeof g.word);
    if (m < 0 && strncmp(s->p, "call.", 5) == 0)
        return fail(s, "no call that is recorded has this name");
    if (m < 0 && strncmp(s->p, "stall.", 6) == 0)
        return fail(
            s, "expected stall.total or stall. and a cause (cpu call lock fault preempted throttled stopped unknown)");
    if (m < 0)
        return fail(s, "expected stall, stalls, stall.total, stall.CAUSE, busy, iteration.p99, call, calls, call.NAME, "
                       "lost, loops, unobserved or never_awaited");
    if (parse_op(s, &g.op) != 0)
        return fail(s, "expected one of > >= < <= = !=");
    if (parse_value(s, metrics[m].unit, &g.value) != 0)
        return fail(s, wants[metrics[m].unit]);
    g.metric = metrics[m].metric;
    struct gate *copy = malloc(sizeof *copy);
    if (!copy)
        return fail(s, "out of memory");
    *copy = g;
    return copy;
}

/* compare { "and" compare }, and with NODE_OR the level above it. */
static struct gate *parse_chain(struct parser *s, enum node_kind kind, const char *word,
                                struct gate *(*part)(struct parser *))
{
    struct gate *left = part(s);
    while (left && word_is(s, word)) {
        struct gate *right = part(s);
        if (!right) {
            gate_free(left);
            return NULL;
        }
        left = node(s, kind, left, right);
    }
    return left;
}

static struct gate *parse_and(struct parser *s)
{
    return parse_chain(s, NODE_AND, "and", parse_compare);
}

static struct gate *parse_or(struct parser *s)
{
    return parse_chain(s, NODE_OR, "or", parse_and);
}

int gate_parse(const char *text, struct gate **ret_gate, char *ret_error, int error_size)
{
    struct parser s = { .text = text, .p = text, .error = ret_error, .error_size = error_size };
    *ret_error = 0;
    struct gate *g = parse_or(&s);
    blanks(&s);
    if (g && *s.p) {
        gate_free(g);
        g = fail(&s, "expected 'and', 'or' or the end");
    }
    if (!g)
        return -1;
    *ret_gate = g;
    return 0;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    gate_free(g->left);
    gate_free(g->right);
    free(g);
}

/* --- evaluation -------------------------------------------------------------------------------------------------- */

static double stall_value(const struct gate *g, const struct report_data *d)
{
    double longest = 0, total = 0;
    for (int i = 0; i < d->n_stalls; i++) {
        const struct report_stall *s = &d->stalls[i];
        total += (double)s->dur;
        if ((double)s->dur > longest && (g->metric != M_STALL_CAUSE || strcmp(s->cause, g->word) == 0))
            longest = (double)s->dur;
    }
    return g->metric == M_STALLS ? d->n_stalls : g->metric == M_STALL_TOTAL ? total : longest;
}

static double loop_value(enum metric metric, const struct report_data *d)
{
    double worst = 0;
    for (int i = 0; i < d->n_loops; i++) {
        const struct report_loop *l = &d->loops[i];
        double all = (double)l->busy + (double)l->poll, v;
        if (l->iterations == 0)
            continue;
        switch (metric) {
        case M_BUSY: v = all > 0 ? (double)l->busy / all : 0; break;
        case M_P50: v = (double)l->busy_p50; break;
        case M_P99: v = (double)l->busy_p99; break;
        default: v = (double)l->busy_max;
        }
        worst = v > worst ? v : worst;
    }
    return worst;
}

static double call_value(const struct gate *g, const struct report_data *d)
{
    double longest = 0, n = 0;
    for (int i = 0; i < d->n_calls; i++) {
        const struct report_call *c = &d->calls[i];
        n += (double)c->n;
        if ((double)c->longest > longest && (g->metric != M_CALL_NAME || strcmp(c->name, g->word) == 0))
            longest = (double)c->longest;
    }
    return g->metric == M_CALLS ? n : longest;
}

static double value_of(const struct gate *g, const struct report_data *d)
{
    switch (g->metric) {
    case M_STALL:
    case M_STALLS:
    case M_STALL_TOTAL:
    case M_STALL_CAUSE: return stall_value(g, d);
    case M_BUSY:
    case M_P50:
    case M_P99:
    case M_MAX: return loop_value(g->metric, d);
    case M_CALL:
    case M_CALLS:
    case M_CALL_NAME: return call_value(g, d);
    case M_LOOPS: return d->n_loops;
    case M_UNOBSERVED: return (double)d->unobserved_n[UNOBSERVED_ERROR];
    case M_NEVER_AWAITED: return (double)d->unobserved_n[NEVER_AWAITED];
    default: return d->session.lost == NOT_KNOWN ? 0 : (double)d->session.lost;
    }
}

static enum gate_result compare(const struct gate *g, const struct report_data *d)
{
    double v = value_of(g, d);
    bool is;
    switch (g->op) {
    case OP_GT: is = v > g->value; break;
    case OP_GE: is = v >= g->value; break;
    case OP_LT: is = v < g->value; break;
    case OP_LE: is = v <= g->value; break;
    case OP_EQ: is = v == g->value; break;
    default: is = v != g->value;
    }
    if (d->session.lost <= 0 || g->metric == M_LOST)
        return is ? GATE_TRUE : GATE_FALSE;
    /* What was lost can only add to a longest, a total or a count: above the limit stays above.  Shares and
     * percentiles can move either way. */
    bool grows = g->metric != M_BUSY && g->metric != M_P50 && g->metric != M_P99 && g->metric != M_UNOBSERVED &&
                 g->metric != M_NEVER_AWAITED; /* whether a result was taken may be what was lost */
    if (grows && (g->op == OP_GT || g->op == OP_GE) && is)
        return GATE_TRUE;
    if (grows && (g->op == OP_LT || g->op == OP_LE) && !is)
        return GATE_FALSE;
    return GATE_NOT_DETERMINED;
}

enum gate_result gate_eval(const struct gate *g, const struct report_data *d)
{
    if (g->kind == NODE_COMPARE)
        return compare(g, d);
    enum gate_result a = gate_eval(g->left, d), b = gate_eval(g->right, d);
    enum gate_result decides = g->kind == NODE_OR ? GATE_TRUE : GATE_FALSE;
    if (a == decides || b == decides)
        return decides;
    return a == GATE_NOT_DETERMINED || b == GATE_NOT_DETERMINED ? GATE_NOT_DETERMINED : a;
}

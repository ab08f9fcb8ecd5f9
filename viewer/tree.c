/* tree.c - the graph of waits, and its deadlocks.  Pure over a task_list; tree_print.c shows it.
 *
 * A task waits for another, for the tasks of a group (or its turn among them), or for a lock that others hold.  Who waits for anything else (a
 * descriptor, a timer, a queue) can go on, and so can whoever waits for one that can: the rest is stuck, and following one
 * that is stuck from wait to wait ends in a circle, or at a lock whose holder is over.  That is a deadlock. */
#include "tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "task_words.h"
#include "tree_graph.h"

#define EDGES_MAX (16 << 20) /* a trace may claim that everybody waits for everybody */

int tree_find(const struct tree *g, int64_t id)
{
    int lo = 0, hi = g->list->n_tasks;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (g->list->tasks[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < g->list->n_tasks && g->list->tasks[lo].id == id ? lo : -1;
}

/* --- edges ---------------------------------------------------------------------------------------------------------- */

/* Whom the tasks that wait for one thing wait for: looked up once for all of them. */
struct collector {
    struct tree *g;
    struct edge *edges;
    size_t n, room;
};

static void collect(void *ctx, int64_t id, bool holds)
{
    struct collector *c = ctx;
    int to = tree_find(c->g, id);
    if (to < 0)
        return; /* over, or not of this moment */
    if (c->n == c->room) {
        size_t room = c->room ? c->room * 2 : 256;
        struct edge *more = realloc(c->edges, room * sizeof *more);
        if (!more) {
            c->g->failed = true;
            return;
        }
        c->edges = more;
        c->room = room;
    }
    c->edges[c->n++] = (struct edge){ .to = to, .as = holds ? HOLDS : AWAITED };
}

static void add_edges(struct tree *g, int from, const struct edge *edges, size_t n)
{
    if (g->n_edges + n > EDGES_MAX) {
        g->cut++;
        return;
    }
    while (g->n_edges + n > g->room) {
        size_t room = g->room ? g->room * 2 : 256;
        struct edge *more = realloc(g->edges, room * sizeof *more);
        if (!more) {
            g->failed = true;
            return;
        }
        g->edges = more;
        g->room = room;
    }
    g->nodes[from].first = g->n_edges;
    g->nodes[from].edges = (int)n;
    for (size_t e = 0; e < n; e++) {
        g->edges[g->n_edges++] = edges[e];
        if (edges[e].to != from && edges[e].as != FIRST) {
            g->nodes[edges[e].to].waiters++;
            g->nodes[edges[e].to].awaiters += edges[e].as == AWAITED;
        }
    }
}

/* Of those that are awaited in c, who does not wait for the same group: they have their turn. */
static size_t runners_of(const struct collector *c, const int *waits_for, int mark, struct edge *ret_runners)
{
    size_t n = 0;
    for (size_t e = 0; e < c->n; e++)
        if (c->edges[e].as == AWAITED && waits_for[c->edges[e].to] != mark)
            ret_runners[n++] = (struct edge){ .to = c->edges[e].to, .as = FIRST };
    return n;
}

/* The tasks v[0..n), which all wait for the same.  `waits_for` and `member_of` are marks of each task. */
static void find_edges_of(struct tree *g, struct collector *c, const int *v, int n, int *waits_for, int *member_of)
{
    const struct task_info *k = &g->list->tasks[v[0]];
    struct task_target target = { .kind = TARGET_TASK, .noun = "task" }; /* no need to look up its name */
    int mark = v[0] + 1;
    if (strcmp(k->why, "task") != 0)
        target = tasks_target(g->list, k);
    c->n = 0;
    tasks_blockers(g->list, k, &target, collect, c);
    struct edge *runners = malloc(sizeof *runners * (c->n + 1));
    if (!runners) {
        g->failed = true;
        return;
    }
    bool group = strcmp(target.noun, "group") == 0;
    for (int i = 0; i < n; i++)
        waits_for[v[i]] = mark;
    for (size_t e = 0; e < c->n && group; e++)
        if (c->edges[e].as == AWAITED)
            member_of[c->edges[e].to] = mark;
    size_t n_runners = group ? runners_of(c, waits_for, mark, runners) : 0;
    for (int i = 0; i < n && !g->failed; i++) {
        struct node *node = &g->nodes[v[i]];
        bool turn = member_of[v[i]] == mark; /* one of its tasks waits until another is over, any of them */
        add_edges(g, v[i], turn ? runners : c->edges, turn ? n_runners : c->n);
        node->any = turn || strcmp(k->why, "select") == 0 || strcmp(target.noun, "select") == 0 || target.holders > 1;
        /* Whoever ends with a lock keeps it for ever; what a semaphore gave out another may give back. */
        bool waits = g->list->tasks[v[i]].state == TASK_WAITING;
        node->dead_holder = waits && target.holder_over && target.holders == 1 &&
                            (strcmp(target.noun, "lock") == 0 || strcmp(target.noun, "rwlock") == 0);
        node->stuck = waits && (node->edges > 0 || node->dead_holder);
    }
    free(runners);
}

static int by_target(const void *a, const void *b, void *list)
{
    const struct task_info *tasks = ((const struct task_list *)list)->tasks, *x = &tasks[*(const int *)a],
                           *y = &tasks[*(const int *)b];
    if (x->target != y->target)
        return x->target < y->target ? -1 : 1;
    int why = strcmp(x->why, y->why);
    return why ? why : *(const int *)a - *(const int *)b;
}

static void find_edges(struct tree *g)
{
    const struct task_info *tasks = g->list->tasks;
    int n = g->list->n_tasks, waiting = 0, *v = malloc(sizeof *v * ((size_t)n + 1)),
        *marks = calloc((size_t)n + 1, 2 * sizeof *marks);
    struct collector c = { .g = g };
    g->failed = !v || !marks;
    for (int i = 0; i < n && !g->failed; i++)
        if (tasks[i].state != TASK_DONE && tasks[i].state != TASK_RUNNING && tasks[i].target != NOT_KNOWN)
            v[waiting++] = i;
    if (waiting)
        qsort_r(v, (size_t)waiting, sizeof *v, by_target, g->list);
    for (int i = 0, end; i < waiting && !g->failed; i = end) {
        for (end = i + 1; end < waiting && tasks[v[end]].target == tasks[v[i]].target &&
                          strcmp(tasks[v[end]].why, tasks[v[i]].why) == 0;)
            end++;
        find_edges_of(g, &c, v + i, end - i, marks, marks + n);
    }
    free(c.edges);
    free(marks);
    free(v);
}

/* --- deadlocks ------------------------------------------------------------------------------------------------------ */

/* Whether it is stuck, given what is known of those it waits for. */
static bool still_stuck(const struct node *n)
{
    return n->any ? n->stuck_edges == n->edges : n->dead_holder || n->stuck_edges > 0;
}

/* Backwards from those that can go on: `waits_on_me` lists are built once, so this is linear in the edges. */
static void free_the_rest(struct tree *g)
{
    int n = g->list->n_tasks, *todo = malloc(sizeof *todo * ((size_t)n + 1)), left = 0;
    size_t *start = calloc((size_t)n + 2, sizeof *start);
    int *back = malloc(sizeof *back * (g->n_edges + 1));
    if (!todo || !start || !back) {
        g->failed = true;
        goto out;
    }
    for (size_t e = 0; e < g->n_edges; e++)
        start[g->edges[e].to + 2]++;
    for (int i = 2; i < n + 2; i++)
        start[i] += start[i - 1];
    for (int i = 0; i < n; i++)
        for (int e = 0; e < g->nodes[i].edges; e++)
            back[start[g->edges[g->nodes[i].first + (size_t)e].to + 1]++] = i;
    for (int i = 0; i < n; i++) {
        g->nodes[i].stuck_edges = g->nodes[i].edges;
        if (!g->nodes[i].stuck)
            todo[left++] = i;
    }
    while (left) {
        int i = todo[--left];
        for (size_t b = start[i]; b < start[i + 1]; b++) {
            struct node *w = &g->nodes[back[b]];
            w->stuck_edges--;
            if (w->stuck && !still_stuck(w)) {
                w->stuck = false;
                todo[left++] = back[b];
            }
        }
    }
out:
    free(todo);
    free(start);
    free(back);
}

/* One that i waits for and that is stuck; -1: a holder that is over. */
static int next_stuck(const struct tree *g, int i)
{
    const struct node *n = &g->nodes[i];
    for (int e = 0; e < n->edges; e++) {
        int to = g->edges[n->first + (size_t)e].to;
        if (g->nodes[to].stuck)
            return to;
    }
    return -1;
}

static void add_cycle(struct tree *g, int first, int length)
{
    struct cycle *more = realloc(g->cycles, sizeof *more * (size_t)(g->n_cycles + 1));
    if (!more) {
        g->failed = true;
        return;
    }
    g->cycles = more;
    g->cycles[g->n_cycles++] = (struct cycle){ first, length };
}

static void find_cycles(struct tree *g)
{
    for (int i = 0; i < g->list->n_tasks; i++) {
        int at = i, mark = i + 1; /* who was reached from i has mark i + 1 */
        while (at >= 0 && g->nodes[at].stuck && !g->nodes[at].seen) {
            g->nodes[at].seen = mark;
            int next = next_stuck(g, at);
            if (next < 0) {
                if (g->nodes[at].dead_holder)
                    add_cycle(g, at, 0);
                break;
            }
            if (g->nodes[next].seen == mark) {
                int length = 1;
                for (int k = next_stuck(g, next); k != next; k = next_stuck(g, k))
                    length++;
                add_cycle(g, next, length);
                for (int k = next, left = length; left--; k = next_stuck(g, k))
                    g->nodes[k].in_cycle = true;
                break;
            }
            at = next;
        }
    }
}

struct tree *tree_new(struct task_list *list)
{
    struct tree *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->list = list;
    g->nodes = calloc((size_t)list->n_tasks + 1, sizeof *g->nodes);
    if (g->nodes) {
        find_edges(g);
        if (!g->failed)
            free_the_rest(g);
        if (!g->failed)
            find_cycles(g);
    }
    if (!g->nodes || g->failed) {
        tree_free(g);
        return NULL;
    }
    return g;
}

void tree_free(struct tree *g)
{
    if (!g)
        return;
    free(g->nodes);
    free(g->edges);
    free(g->cycles);
    free(g);
}

int tree_deadlocks(const struct tree *g)
{
    return g->n_cycles;
}

int tree_next_in_cycle(const struct tree *g, int i)
{
    return next_stuck(g, i);
}

/* "lock 'x' held by ": what leads from one to the next. */
static void link_words(const struct tree *g, int from, char *ret_text, int size)
{
    const struct task_info *k = &g->list->tasks[from];
    struct task_target target = tasks_target(g->list, k);
    char thing[120] = "";
    if (target.kind == TARGET_OBJECT && *target.name && strcmp(target.name, target.noun) != 0)
        snprintf(thing, sizeof thing, "%s '%.60s'", target.noun, target.name);
    else if (target.kind == TARGET_OBJECT)
        snprintf(thing, sizeof thing, "%s #%" PRId64, target.noun, target.id);
    const struct node *n = &g->nodes[from];
    bool turn = n->edges && g->edges[n->first].as == FIRST;
    snprintf(ret_text, (size_t)size, "%s%s", thing,
             turn             ? ", full with "
             : target.holders ? " held by "
             : *thing         ? " of "
                              : "");
}

void tree_deadlock_words(const struct tree *g, int i, char *ret_text, int size)
{
    enum { SHOWN = 8 }; /* of a circle of thousands */
    const struct cycle *c = &g->cycles[i];
    char label[120], link[200];
    int at = c->first, n;
    task_label(g->list->tasks[at].id, g->list->tasks[at].name, label, sizeof label);
    n = snprintf(ret_text, (size_t)size, "%s", label);
    if (!c->length) {
        struct task_target target = tasks_target(g->list, &g->list->tasks[at]);
        link_words(g, at, link, sizeof link);
        task_label(target.holder, target.holder_name, label, sizeof label);
        snprintf(ret_text + n, (size_t)(size - n), " -> %s%s, which is over", link, label);
        return;
    }
    for (int k = 0; k < c->length && n < size - 1; k++) {
        int next = next_stuck(g, at);
        if (k == SHOWN && c->length > SHOWN + 1) {
            n += snprintf(ret_text + n, (size_t)(size - n), " -> %d more", c->length - SHOWN);
            next = c->first;
            k = c->length;
        }
        link_words(g, k < c->length ? at : c->first, link, sizeof link);
        task_label(g->list->tasks[next].id, g->list->tasks[next].name, label, sizeof label);
        if (n < size - 1)
            n += snprintf(ret_text + n, (size_t)(size - n), " -> %s%s", k < c->length ? link : "", label);
        at = next;
    }
}

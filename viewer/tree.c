/* tree.c - the graph of waits, and its deadlocks.  Pure over a task_list; tree_print.c shows it.
 *
 * A task waits for another, for the tasks of a group, or for a lock that others hold.  Who waits for anything else (a
 * descriptor, a timer, a queue) can go on, and so can whoever waits for one that can: the rest is stuck, and following one
 * that is stuck from wait to wait ends in a circle, or at a lock whose holder is over.  That is a deadlock. */
#include "tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "task_words.h"
#include "tree_graph.h"

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

struct collector {
    struct tree *g;
    int from;
};

static void add_edge(void *ctx, int64_t id, bool holds)
{
    struct collector *c = ctx;
    struct tree *g = c->g;
    int to = tree_find(g, id);
    if (to < 0)
        return; /* over, or not of this moment */
    if (g->n_edges == g->room) {
        size_t room = g->room ? g->room * 2 : 256;
        struct edge *more = realloc(g->edges, room * sizeof *more);
        if (!more) {
            g->failed = true;
            return;
        }
        g->edges = more;
        g->room = room;
    }
    g->edges[g->n_edges++] = (struct edge){ .to = to, .holds = holds };
    if (to != c->from) {
        g->nodes[to].waiters++;
        g->nodes[to].awaiters += !holds;
    }
}

static void find_edges(struct tree *g)
{
    for (int i = 0; i < g->list->n_tasks && !g->failed; i++) {
        const struct task_info *k = &g->list->tasks[i];
        struct collector c = { g, i };
        struct node *n = &g->nodes[i];
        struct task_target target = { .kind = TARGET_TASK, .noun = "task" }; /* no need to look up its name */
        n->first = g->n_edges;
        if (k->state == TASK_DONE || k->state == TASK_RUNNING || k->target == NOT_KNOWN)
            continue;
        if (strcmp(k->why, "task") != 0)
            target = tasks_target(g->list, k);
        tasks_blockers(g->list, k, &target, add_edge, &c);
        n->edges = (int)(g->n_edges - n->first);
        n->any = strcmp(k->why, "select") == 0 || target.holders > 1;
        /* Whoever ends with a lock keeps it for ever; what a semaphore gave out another may give back. */
        n->dead_holder = target.holder_over && target.holders == 1 &&
                         (strcmp(target.noun, "lock") == 0 || strcmp(target.noun, "rwlock") == 0);
        n->stuck = k->state == TASK_WAITING && (n->edges > 0 || n->dead_holder);
    }
}

/* --- deadlocks ------------------------------------------------------------------------------------------------------ */

/* Whether i is stuck, given what is known of those it waits for. */
static bool still_stuck(const struct tree *g, int i)
{
    const struct node *n = &g->nodes[i];
    bool all = true, some = n->dead_holder;
    for (int e = 0; e < n->edges; e++) {
        bool stuck = g->nodes[g->edges[n->first + (size_t)e].to].stuck;
        all &= stuck;
        some |= stuck;
    }
    return n->any ? all : some;
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
    for (int i = 0; i < n; i++)
        if (!g->nodes[i].stuck)
            todo[left++] = i;
    while (left) {
        int i = todo[--left];
        for (size_t b = start[i]; b < start[i + 1]; b++) {
            int w = back[b];
            if (g->nodes[w].stuck && !still_stuck(g, w)) {
                g->nodes[w].stuck = false;
                todo[left++] = w;
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
        free_the_rest(g);
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
    snprintf(ret_text, (size_t)size, "%s%s", thing, target.holders ? " held by " : *thing ? " of " : "");
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

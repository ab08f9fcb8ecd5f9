/* tree_print.c - the forest of waits as text, bounded in every direction, and as JSON.
 *
 * A task stands under each that awaits it, with what it waits for itself under it the first time.  The holder of a lock
 * stands under the first that waits for the lock, when nobody awaits it.  Crowds of the same kind are one line. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "task_json.h"
#include "task_words.h"
#include "tasks.h"
#include "tree_graph.h"

enum { DEPTH_MAX = 8 /* names have room beside that */, CROWD = 4, DEADLOCKS_SHOWN = 10 };

struct printer {
    const struct page *page;
    struct trace *trace;
    const struct tree *g;
    bool *printed;
    int *owner; /* of a holder that nobody awaits: under whom it stands; -1 */
    int *deep;  /* those that are too deep: they stand on their own, later */
    int n_deep;
    struct table table;
    int64_t room;     /* lines that are left */
    int64_t left_out; /* tasks */
};

/* What a sibling is grouped by. */
struct item {
    int i;
    bool leaf;
    uint64_t key;
    int crowd;
};

static bool stands_under(const struct printer *p, int parent, const struct edge *e)
{
    return e->to != parent && (e->as == AWAITED || (e->as == HOLDS && p->owner[e->to] == parent));
}

static bool is_leaf(const struct printer *p, int i)
{
    const struct node *n = &p->g->nodes[i];
    for (int e = 0; e < n->edges; e++)
        if (stands_under(p, i, &p->g->edges[n->first + (size_t)e]))
            return false;
    return true;
}

static void state_words(const struct printer *p, const struct task_info *k, bool crowd, char *ret_text, int size)
{
    char waits[CELL];
    task_waits_for(p->g->list, k, waits, sizeof waits);
    if (k->state == TASK_RUNNING)
        snprintf(ret_text, (size_t)size, "runs");
    else if (k->state == TASK_READY)
        snprintf(ret_text, (size_t)size, "ready, waited for %.120s", waits);
    else if (strcmp(waits, "sleep") == 0)
        snprintf(ret_text, (size_t)size, "sleeps");
    else if (crowd && strcmp(k->why, "fd") == 0)
        snprintf(ret_text, (size_t)size, "waits for an fd each");
    else
        snprintf(ret_text, (size_t)size, "waits%s %.140s", *k->why ? " for" : ", for what is", waits);
}

/* One line: false when there is no room. */
static bool line(struct printer *p, const char *prefix, const struct item *it, bool again)
{
    const struct task_info *k = &p->g->list->tasks[it->i];
    const struct node *n = &p->g->nodes[it->i];
    char label[120], pattern[100], state[CELL], site[CELL];
    if (p->room <= 0) {
        p->left_out += again ? 0 : it->crowd;
        return false;
    }
    p->room--;
    task_pattern(k->name, pattern, sizeof pattern);
    if (it->crowd > 1)
        snprintf(label, sizeof label, "%.80s x %s", *pattern ? pattern : "#*", human_count(it->crowd).s);
    else
        task_label(k->id, k->name, label, sizeof label);
    state_words(p, k, it->crowd > 1, state, sizeof state);
    task_site(p->trace, k->wait_site, site, sizeof site);
    table_cell(&p->table, 0, "%s%s", prefix, label);
    table_cell(&p->table, 1, "%s%s", n->in_cycle || n->dead_holder ? "DEADLOCK: " : "", again ? "(above)" : state);
    table_cell(&p->table, 2, "%s",
               again || k->since == NOT_KNOWN ? "" : human_duration(p->g->list->moment.at - k->since).s);
    table_cell(&p->table, 3, "%s", again ? "" : site);
    p->table.rows++;
    return true;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t key_of(const struct task_info *k)
{
    char pattern[100];
    uint64_t h = 14695981039346656037u;
    task_pattern(k->name, pattern, sizeof pattern);
    for (const char *c = pattern; *c; c++)
        h = mix(h, (unsigned char)*c);
    for (const char *c = k->why; *c; c++)
        h = mix(h, (unsigned char)*c);
    h = mix(h, (uint64_t)k->state);
    h = mix(h, (uint64_t)k->wait_site);
    return mix(h, strcmp(k->why, "fd") == 0 ? 0 : (uint64_t)k->target);
}

static int by_key(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->leaf != y->leaf)
        return x->leaf ? 1 : -1;
    return x->key != y->key ? x->key < y->key ? -1 : 1 : x->i - y->i;
}
static int by_place(const void *a, const void *b)
{
    return ((const struct item *)a)->i - ((const struct item *)b)->i;
}

/* Leaves of one kind become one item; returns how many items are left, in the order of their ids. */
static int make_crowds(struct printer *p, struct item *v, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        v[i].crowd = 1;
        v[i].leaf = is_leaf(p, v[i].i) && !p->g->nodes[v[i].i].in_cycle && !p->printed[v[i].i];
        v[i].key = v[i].leaf && n >= CROWD ? key_of(&p->g->list->tasks[v[i].i]) : (uint64_t)i;
    }
    if (n < CROWD)
        return n;
    qsort(v, (size_t)n, sizeof *v, by_key);
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; v[i].leaf && end < n && v[end].key == v[i].key; end++)
            ;
        if (end - i < CROWD) {
            for (int k = i; k < end; k++)
                v[kept++] = v[k];
            continue;
        }
        for (int k = i; k < end; k++)
            p->printed[v[k].i] = true;
        v[kept] = v[i];
        v[kept++].crowd = end - i;
    }
    qsort(v, (size_t)kept, sizeof *v, by_place);
    return kept;
}

static void branch(struct printer *p, struct item *v, int n, const char *under, int depth);

/* Those that stand under `i`. */
static void children(struct printer *p, int i, const char *under, int depth)
{
    const struct node *n = &p->g->nodes[i];
    struct item *v = n->edges ? malloc(sizeof *v * (size_t)n->edges) : NULL;
    int count = 0;
    for (int e = 0; v && e < n->edges; e++)
        if (stands_under(p, i, &p->g->edges[n->first + (size_t)e]))
            v[count++].i = p->g->edges[n->first + (size_t)e].to;
    if (depth < DEPTH_MAX && count)
        branch(p, v, count, under, depth);
    for (int k = 0; k < count && depth >= DEPTH_MAX; k++)
        if (!p->printed[v[k].i] && p->n_deep < p->g->list->n_tasks)
            p->deep[p->n_deep++] = v[k].i;
    free(v);
}

static void branch(struct printer *p, struct item *v, int n, const char *under, int depth)
{
    char prefix[4 * DEPTH_MAX], deeper[4 * DEPTH_MAX];
    n = make_crowds(p, v, n);
    for (int k = 0; k < n; k++) {
        bool last = k + 1 == n, again = v[k].crowd == 1 && p->printed[v[k].i];
        snprintf(prefix, sizeof prefix, "%s%s", under, depth == 0 ? "" : last ? "`- " : "|- ");
        snprintf(deeper, sizeof deeper, "%s%s", under, depth == 0 ? "" : last ? "   " : "|  ");
        p->printed[v[k].i] = true;
        line(p, prefix, &v[k], again);
        if (!again && v[k].crowd == 1)
            children(p, v[k].i, deeper, depth + 1);
    }
}

static void alone(struct printer *p, int i)
{
    struct item one = { .i = i, .crowd = 1 };
    if (!p->printed[i])
        branch(p, &one, 1, "", 0);
}

/* Those that nobody waits for, and what was too deep; then what only stands in a circle. */
static int roots(struct printer *p, bool waited_for)
{
    int n = p->g->list->n_tasks, count = 0;
    struct item *v = malloc(sizeof *v * ((size_t)n + 1));
    if (!v)
        return -ENOMEM;
    for (int i = 0; i < n; i++)
        if (waited_for)
            alone(p, i); /* one of a circle: it shows the others */
        else if (!p->printed[i] && p->g->nodes[i].waiters == 0)
            v[count++].i = i;
    if (count)
        branch(p, v, count, "", 0);
    for (int k = 0; k < p->n_deep; k++)
        alone(p, p->deep[k]);
    p->n_deep = 0;
    free(v);
    return 0;
}

static void find_owners(struct printer *p)
{
    const struct tree *g = p->g;
    for (int i = 0; i < g->list->n_tasks; i++)
        p->owner[i] = -1;
    for (int i = 0; i < g->list->n_tasks; i++)
        for (int e = 0; e < g->nodes[i].edges; e++) {
            const struct edge *edge = &g->edges[g->nodes[i].first + (size_t)e];
            if (edge->as == HOLDS && !g->nodes[edge->to].awaiters && p->owner[edge->to] < 0)
                p->owner[edge->to] = i;
        }
}

static void heading(const struct page *p, const struct tree *g)
{
    char moment[80], counts[200] = "", words[1400];
    int of[TASK_DONE + 1] = { 0 }, used = 0;
    static const char *const verbs[] = { "running", "ready", "waiting", "" };
    for (int i = 0; i < g->list->n_tasks; i++)
        of[g->list->tasks[i].state]++;
    for (int s = 0; s < TASK_DONE; s++)
        if (of[s])
            used += snprintf(counts + used, sizeof counts - (size_t)used, "%s%s %s", used ? ", " : "",
                             human_count(of[s]).s, verbs[s]);
    task_moment_words(&g->list->moment, moment, sizeof moment);
    snprintf(words, sizeof words, "%s: %s alive: %s.", moment, human_plural(g->list->n_tasks, "task", "tasks").s,
             counts);
    *words = (char)(*words - 'a' + 'A');
    page_paragraph(p, "", 0, words, PLAIN);
    task_doubts(p, g->list);
    for (int i = 0; i < g->n_cycles && i < DEADLOCKS_SHOWN; i++) {
        tree_deadlock_words(g, i, words, sizeof words);
        page_paragraph(p, "deadlock: ", 10, words, BAD);
    }
    if (g->n_cycles > DEADLOCKS_SHOWN)
        fprintf(p->f, "          and %d deadlocks more\n", g->n_cycles - DEADLOCKS_SHOWN);
    if (g->cut) {
        snprintf(words, sizeof words, "%s too many to follow: whether they are in a deadlock is not known.",
                 human_plural(g->cut, "task has waits that are", "tasks have waits that are").s);
        page_paragraph(p, "", 0, words, BAD);
    }
    fputc('\n', p->f);
}

int tree_text(const struct page *page, struct trace *t, const struct tree *g, int64_t lines)
{
    static const char *const titles[] = { "WHO AWAITS WHOM", "state", "for", "at" };
    int n = g->list->n_tasks, error = 0;
    struct printer p = { .page = page, .trace = t, .g = g, .room = lines };
    if (g->list->total == 0) {
        fprintf(page->f,
                "No tasks: nothing that was recorded is linked with the loopscope runtime, or calls probe.h.\n");
        return 0;
    }
    if (n == 0) {
        char moment[80];
        task_moment_words(&g->list->moment, moment, sizeof moment);
        fprintf(page->f, "No task of %s was alive %s; --at %.3fs shows another moment.\n",
                human_count(g->list->total).s, moment, (double)g->list->moment.at / 2e9);
        return 0;
    }
    p.printed = calloc((size_t)n, sizeof *p.printed);
    p.owner = malloc(sizeof *p.owner * (size_t)n);
    p.deep = malloc(sizeof *p.deep * (size_t)n);
    if (!p.printed || !p.owner || !p.deep ||
        table_make(&p.table, lines < n * 2ll + 100 ? (int)lines : n * 2 + 100, 4, titles, 1 | 2 | 8) != 0) {
        free(p.printed);
        free(p.owner);
        free(p.deep);
        return -ENOMEM;
    }
    if (p.room > n * 2ll + 100)
        p.room = n * 2ll + 100;
    p.table.soft = 1;
    heading(page, g);
    find_owners(&p);
    if ((error = roots(&p, false)) == 0)
        error = roots(&p, true);
    table_print(page, &p.table);
    if (p.left_out)
        fprintf(page->f, "\nand %s not shown; --limit shows more, --json all of it\n",
                human_plural(p.left_out, "task that is", "tasks that are").s);
    free(p.printed);
    free(p.owner);
    free(p.deep);
    return error;
}

/* --- JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *ids_of(const struct tree *g, int i, bool holds, int *e)
{
    const struct node *n = &g->nodes[i];
    json_t *list = json_array();
    for (int k = 0; k < n->edges; k++) {
        const struct edge *edge = &g->edges[n->first + (size_t)k];
        if (edge->as == (holds ? HOLDS : AWAITED))
            json_append(list, json_number(g->list->tasks[edge->to].id), e);
    }
    return list;
}

static json_t *deadlocks(const struct tree *g, int *e)
{
    json_t *list = json_array();
    char words[1400];
    for (int i = 0; i < g->n_cycles; i++) {
        json_t *o = json_object(), *tasks = json_array();
        int at = g->cycles[i].first;
        tree_deadlock_words(g, i, words, sizeof words);
        json_put(o, "words", json_text(words), e);
        json_append(tasks, json_number(g->list->tasks[at].id), e);
        for (int k = 1; k < g->cycles[i].length; k++)
            json_append(tasks, json_number(g->list->tasks[at = tree_next_in_cycle(g, at)].id), e);
        json_put(o, "tasks", tasks, e);
        json_append(list, o, e);
    }
    return list;
}

int tree_json(FILE *out, struct trace *t, const struct tree *g)
{
    int error = 0;
    json_t *root = json_object(), *tasks = json_array(), *tops = json_array();
    for (int i = 0; i < g->list->n_tasks; i++) {
        const struct task_info *k = &g->list->tasks[i];
        json_t *o = task_json(t, g->list, k, &error);
        json_put(o, "awaits", ids_of(g, i, false, &error), &error);
        json_put(o, "blocked_by", ids_of(g, i, true, &error), &error);
        json_put(o, "deadlocked", json_boolean(g->nodes[i].in_cycle || g->nodes[i].dead_holder), &error);
        json_append(tasks, o, &error);
        if (g->nodes[i].waiters == 0)
            json_append(tops, json_number(k->id), &error);
    }
    json_put(root, "loopscope_tree", json_integer(1), &error);
    json_put(root, "moment", task_moment_json(g->list, &error), &error);
    json_put(root, "alive", json_integer(g->list->n_tasks), &error);
    json_put(root, "deadlocks", deadlocks(g, &error), &error);
    json_put(root, "not_followed", json_integer(g->cut), &error); /* tasks whose waits are too many */
    json_put(root, "roots", tops, &error);
    json_put(root, "tasks", tasks, &error);
    if (!error && json_dumpf(root, out, JSON_INDENT(1)) == 0)
        fputc('\n', out); /* a failed write shows in ferror(out), which the caller checks */
    json_decref(root);
    return error;
}

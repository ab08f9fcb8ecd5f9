/* tree_graph.h - the graph behind struct tree.  Private to tree.c, which makes it, and tree_print.c, which shows it. */
#ifndef LOOPSCOPE_TREE_GRAPH_H
#define LOOPSCOPE_TREE_GRAPH_H

#include "tree.h"

struct edge {
    int to;           /* index into list->tasks */
    enum { AWAITED, HOLDS, FIRST } as; /* HOLDS the lock; FIRST: of the same group, it has its turn, which must end */
};
struct node {         /* one for each task of the list */
    size_t first;     /* of its edges: those it waits for */
    int edges;
    int waiters, awaiters; /* others that wait for it, and those of them that await it; without those behind it */
    int stuck_edges;  /* private to free_the_rest: of its edges, to those that are stuck */
    bool any;         /* any of its edges is enough: a select, a lock with many holders, a turn in a group */
    bool dead_holder; /* it waits for a lock whose holder is over */
    bool stuck, in_cycle;
    int seen;         /* private to find_cycles */
};
struct cycle {
    int first, length; /* length 0: it ends at a holder that is over */
};
struct tree {
    struct task_list *list;
    struct node *nodes;
    struct edge *edges;
    size_t n_edges, room;
    struct cycle *cycles;
    int n_cycles;
    int cut;          /* tasks whose waits are too many to follow: nothing is said of them */
    bool failed;
};

int tree_find(const struct tree *g, int64_t id); /* index of a task, or -1 */
/* After i in its circle; -1: none is. */
int tree_next_in_cycle(const struct tree *g, int i);

#endif

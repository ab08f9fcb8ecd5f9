/* query_tasks.h - the tasks of a trace, and what each did at one moment: which of them ran, which waited, for what, and
 * who was in the way.  For `tasks` and `tree`.
 *
 * Times are ns from the start of the recording; NOT_KNOWN (human.h) where the file has NULL.  Texts are never NULL, safe
 * to show, and live as long as the struct that holds them. */
#ifndef LOOPSCOPE_QUERY_TASKS_H
#define LOOPSCOPE_QUERY_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "human.h"
#include "query.h"

enum task_state { TASK_RUNNING, TASK_READY, TASK_WAITING, TASK_DONE };
#define TASK_STATE_NAMES { "running", "ready", "waiting", "done" }

struct task_info {
    int64_t id, parent, loop, site, t, t_end, error;
    bool observed, detached;
    int64_t steps, run, queue, wait, run_max, run_max_site, queue_max; /* of its whole life in the recording */
    const char *name, *outcome; /* outcome "": it is alive, or nobody knows */
    enum task_state state;      /* at the moment that was asked for */
    const char *why;            /* WAITING, READY: "lock"; "" when nobody knows */
    int64_t target, wait_site, since;
};

/* What a wait is for, resolved. */
enum target_kind { TARGET_NONE, TARGET_FD, TARGET_TASK, TARGET_OBJECT };
struct task_target {
    enum target_kind kind;
    int64_t id;                       /* the fd, task or object */
    const char *noun, *name;          /* noun: "lock"; name of the task or object, "" */
    int64_t holder;                   /* task that held the lock at that moment, NOT_KNOWN */
    const char *holder_name;
    bool holder_over;                 /* it has ended and did not give it back */
    int holders;                      /* how many hold it: readers, or a semaphore's */
    int64_t members, members_over;    /* of a group or select: how many it waits for, how many of these have ended */
};

/* A moment: the end of the recording, or as asked for. */
struct task_moment {
    int64_t at, duration;
    enum { MOMENT_ASKED, MOMENT_END, MOMENT_DEADLOCK, MOMENT_CLOSE } why; /* CLOSE: before the loop cancelled what was left */
};

enum task_sort { SORT_QUEUE, SORT_RUN, SORT_WAIT, SORT_LONGEST, SORT_LIFE };
struct task_query {
    int64_t at;          /* NOT_KNOWN: the end */
    enum task_sort sort;
    const char *state;   /* running ready waiting done alive ok error cancelled; NULL: any */
    int64_t limit;
};

struct task_list {
    struct task_moment moment;
    struct task_info *tasks;
    int n_tasks;
    int64_t total, found;   /* in the trace, and of these the query's */
    int64_t lost;           /* events, up to the moment: what is shown may not be so */
    bool finished;          /* else what those alive at the end do is not stored yet, or never was */
    struct pool *pool;      /* private, both */
    struct task_lookups *lookups;
};

/* The tasks that a query asks for, in its order.  0, or -1 and one line in ret_error. */
int tasks_load(struct trace *t, const struct task_query *query, struct task_list **ret_list, char *ret_error,
               int error_size);
/* Those alive at a moment, by id; `at` NOT_KNOWN: the end, or when nobody was alive then the last deadlock, or the moment
 * before the loop was closed over those still alive. */
int tasks_alive(struct trace *t, int64_t at, struct task_list **ret_list, char *ret_error, int error_size);
void tasks_free(struct task_list *list);

/* What a task of the list waits for.  Texts live as long as the list. */
struct task_target tasks_target(struct task_list *list, const struct task_info *k);
/* Whom it waits for, one by one: the task; those of its group that are alive; those that hold the lock (`holds`). */
void tasks_blockers(struct task_list *list, const struct task_info *k, const struct task_target *target,
                    void (*one)(void *ctx, int64_t id, bool holds), void *ctx);

/* The way an error or a stall goes up: who awaited task `id` at that moment, who awaited that one, and so on. */
struct task_await {
    int64_t task, site; /* who, and where its await is */
    char name[80];
};
enum { AWAITS_MAX = 16 };
/* How many; fewer than there are when a file is damaged or the chain is longer than max. */
int tasks_awaited_by(struct trace *t, int64_t id, int64_t at, struct task_await *ret_chain, int max);

#endif

/* query_report.h - everything the report needs from a trace, read in one pass over each table.
 *
 * Times are ns from the start of the recording; NOT_KNOWN (human.h) where the file has NULL.  Texts are never NULL
 * unless said, safe to show (no control characters, valid UTF-8), and live as long as the struct report_data. */
#ifndef LOOPSCOPE_QUERY_REPORT_H
#define LOOPSCOPE_QUERY_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "query.h"
#include "human.h"

struct report_session {
    const char *path;             /* of the trace */
    const char *version, *host, *kernel, *clock, *argv;
    const char *ended_by;         /* "stop", "duration", "killed" ...; "": the program's end */
    int64_t t0_realtime, duration, threshold, call_min; /* threshold has its default when not known */
    int64_t events, lost;         /* lost: by the gap rows inside the range, or meta when that says more */
    int64_t rows_lost, recorder_cpu, exit_status, exit_signal;
    bool finalized, recording;    /* recording: not finalized, and the recorder lives */
    int64_t threads, tasks;       /* how many there are */
    int64_t attached, refused;    /* processes that took the preload; threads that found no slot */
    int64_t scripted;             /* frames that have a name in Python or JavaScript */
    int64_t samples, samples_partial; /* stacks taken while stalls lasted */
};

struct report_process {
    int64_t id, pid, parent, t, t_end, exit_status, exit_signal;
    const char *exe, *cmdline;
    int n_loops;
};

struct report_loop {
    int64_t id, thread, tid, t, t_end;
    int process;                  /* index, -1 not known */
    const char *kind, *name, *thread_name;
    /* of its turns inside the range: */
    int64_t iterations, poll, busy;        /* count and sums */
    int64_t busy_p50, busy_p99, busy_max;  /* NOT_KNOWN when there is none; p50 and p99 within 1 % */
    int64_t busy_max_t;                    /* when the longest began */
    int64_t empty_polls;                   /* timeout 0 and nothing was ready */
    int64_t full_polls;                    /* as many events returned as were asked for, and more than one */
    int64_t late_polls, late_max;          /* woke > 10 ms later than the timeout it had asked for */
    int64_t tasks_queued, tasks_queue;     /* tasks that were ready while others ran, and for how long in all */
};

struct report_stall {
    int64_t id, loop_id, thread, task, t, dur;
    int loop;                     /* index, -1 not known */
    bool ongoing;                 /* it had not ended when the trace did */
    const char *cause, *detail, *fingerprint, *task_name;
    int64_t task_site;            /* site.id the task was made at */
    int64_t cpu, runq, blocked, majflt;
    int64_t call;                 /* call.id, NOT_KNOWN */
    const char *call_name;        /* "" when no call explains it */
    int64_t stack;
    int64_t victims, victim_sum, victim_max; /* victims of a loop without tasks: events the next poll returned */
    int64_t suppressed, in_gap;
    int n_samples;
    bool partial;                 /* its stack is incomplete */
    const char *allowed;          /* why it may block; "": it may not */
};

/* Calls of one name and detail, those shorter than the threshold apart from the rest. */
struct report_call {
    const char *name, *detail;
    int64_t fd, n, total, longest, t, stack; /* fd, t, stack: of the longest */
    int64_t loop_id, task;
    bool over;                    /* threshold or longer */
};

struct report_task {
    int64_t id, parent, loop_id, site, error, steps, run, queue, wait, run_max, run_max_site, queue_max;
    const char *name, *state, *outcome;
};

/* Tasks of one name but for the numbers in it, made at one place. */
struct report_group {
    const char *pattern;          /* "client *" */
    int64_t site, n, alive, ok, failed, cancelled; /* how many of them, and how they ended */
    int64_t steps, run, queue, wait;               /* of all of them */
    int64_t run_max, run_max_site, queue_max;      /* the worst of all their steps */
    int64_t worst;                /* the task that was ready longest */
};

/* Tasks of one such group that nobody took the result of. */
enum report_unobserved_kind { UNOBSERVED_ERROR, UNOBSERVED_CANCEL, NEVER_AWAITED, UNOBSERVED_KINDS };
struct report_unobserved {
    enum report_unobserved_kind kind;
    const char *pattern, *name;   /* name of the first of them */
    int64_t id, site, error, n;   /* its id; error: errno */
};

/* Tasks of one such group that failed with one errno.  One that failed because the task it awaited did is not here. */
struct report_failure {
    const char *pattern, *name;
    int64_t id, site, error, t, n, unobserved; /* id, name, t: of the first; when it ended */
};

struct report_gap { int64_t thread, t, t_end, lost; const char *reason; };
struct report_notice { int64_t t, process, n; const char *kind, *text; };

struct report_data {
    struct report_session session;
    int64_t from, to;             /* the range that was asked for, clipped to the recording */
    bool ranged;
    struct report_process *processes; int n_processes;
    struct report_loop *loops;        int n_loops;
    struct report_stall *stalls;      int n_stalls;  /* by id */
    struct report_stall *allowed;     int n_allowed; /* those that the program said are meant; not among the stalls */
    struct report_call *calls;        int n_calls;   /* most time first */
    struct report_task *tasks;        int n_tasks;   /* longest ready time first; at most tasks_max of them */
    struct report_gap *gaps;          int n_gaps;
    struct report_notice *notices;    int n_notices;
    struct report_group *groups;      int n_groups;  /* longest ready time first */
    struct report_failure *failures;  int n_failures; /* most first */
    struct report_unobserved *unobserved; int n_unobserved; /* by kind, most first */
    int64_t unobserved_n[UNOBSERVED_KINDS]; /* tasks of each kind */
    int64_t never_ran;            /* tasks that were made and never resumed */
    const char *never_name;       /* one of them */
    int64_t deadlock;             /* when a loop last found that all its tasks wait for one another, NOT_KNOWN: never */
    int64_t refused, refused_at;  /* waits that were refused because they would go in a circle; the first */
    const char *refused_words;    /* that circle */
    int64_t abandoned;            /* tasks that went on awaiting after their loop was closed */
    const char *abandoned_name;   /* one of them */
    int64_t last;                 /* the one task that ran when the trace ended, NOT_KNOWN: none, or several */
    const char *last_name;
    struct pool *pool;            /* owns every text */
};

struct report_range {
    int64_t from, to;             /* INT64_MIN, INT64_MAX: all */
    int tasks_max;
};

/* Reads it all.  0, or -1 and one line in ret_error: the file is damaged, or memory is short. */
int report_load(struct trace *t, const struct report_range *range, struct report_data **ret_data, char *ret_error,
                int error_size);
void report_free(struct report_data *data);

#define REPORT_FRAMES 128
enum { NOISE_USER, NOISE_LIBRARY, NOISE_RUNTIME, NOISE_LIBC, NOISE_PROBE }; /* frame.noise */

struct report_frame {
    char function[160], file[160], module[96], language[16]; /* "" when not known */
    int64_t line, address, noise;
};
/* The frames of stack `id`, innermost first; how many (<= max). */
int report_stack(struct trace *t, int64_t id, struct report_frame *ret_frames, int max);

/* A call site in the program; false when it is not known. */
bool report_site(struct trace *t, int64_t id, struct report_frame *ret_frame);

/* The wall clock at t = 0, NOT_KNOWN: enough to read --from and --to. */
int64_t report_t0(struct trace *t);

#endif

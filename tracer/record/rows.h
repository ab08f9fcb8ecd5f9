/* rows.h - one struct a table of the trace (schema.sql says what each column means): what assemble and judge produce
 * and store writes.  All times are ns from the start of the recording.  NULL in the file is ROW_NULL here.
 * Text pointers are borrowed for the time of the call. */
#ifndef LOOPSCOPE_ROWS_H
#define LOOPSCOPE_ROWS_H

#include <stdint.h>

#define ROW_NULL INT64_MIN

struct row_process { int64_t id, pid, parent, t, t_end, exit_status, exit_signal; const char *exe, *cmdline; };
struct row_thread { int64_t id, process, tid, t, t_end; const char *name; };
struct row_loop { int64_t id, thread, t, t_end; const char *kind, *name; };
struct row_task {
    int64_t id, process, loop, parent, site, t, t_end;
    const char *name, *state, *outcome; /* outcome NULL while alive */
    int64_t error, observed, detached, why, target, wait_site, since;
    int64_t steps, run, queue, wait, run_max, run_max_site, queue_max;
};
struct row_step { int64_t id, task, loop, t, wait, queue, run, why, target, site, waker; };
struct row_iteration { int64_t id, loop, t, poll, busy, ready, max_ready, timeout; };
struct row_object { int64_t id, process, site, fd, t, t_end; const char *kind, *name; };
struct row_hold { int64_t id, object, task, t, t_end; };
struct row_member { int64_t object, task, t; };
struct row_call { int64_t id, thread, loop, task, t, dur, fd, result, error, stack; const char *name, *detail; };
struct row_mark { int64_t id, thread, task, t, dur; double value; const char *name, *text; };
struct row_allow { int64_t id, thread, t, t_end; const char *why; };
struct row_gap { int64_t id, thread, t, t_end, lost; const char *reason; };
struct row_stall {
    int64_t id, loop, thread, iteration, task, t, dur;
    const char *cause, *detail, *fingerprint, *allowed;
    int64_t cpu, runq, blocked, majflt, call, stack;
    int64_t victims, victim_sum, victim_max, suppressed, in_gap;
};
struct row_sample { int64_t id, stall, thread, t, stack, partial; };
struct row_module { int64_t id, process, base, size; const char *path, *build_id; };
struct row_frame { int64_t id, module, address, line, noise; const char *function, *file, *language; };
struct row_stack { int64_t id, parent, frame; };
struct row_site { int64_t id, line; const char *function, *file; };
/* What could not be seen, said once a kind and process; for the report's last block (our own table). */
struct row_notice { int64_t id, t, process, n; const char *kind, *text; };

#endif

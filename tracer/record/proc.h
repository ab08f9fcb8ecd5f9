/* proc.h - what /proc knows about a thread of the target: its CPU clocks, its state, the syscall it sleeps in, whether
 * its process really maps our arena.  Reads only; touches nothing of the target.  Used by the watchdog's thread.
 *
 * The descriptors of a proc_thread stay tied to the thread they were opened for: once it has gone they fail with
 * ESRCH, so a reused number is never taken for it. */
#ifndef LOOPSCOPE_PROC_H
#define LOOPSCOPE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../event.h"

struct proc_thread {
    int dir, stat, schedstat; /* of /proc/PID/task/TID; -1 when not open */
};

struct proc_reading {
    ns_t cpu, runq; /* since the thread began: on a CPU; runnable but not on one */
    bool sched_known;
    uint64_t majflt;
    char state; /* R S D T t Z ...; 0 unknown */
};

enum proc_where { PROC_RUNNING, PROC_IN_SYSCALL, PROC_BLOCKED }; /* BLOCKED: asleep, but in no syscall: a page fault */

struct proc_syscall {
    enum proc_where where;
    long nr;
    uint64_t arg[6], sp, pc; /* sp and pc are known when it is not running */
};

struct proc_status {
    uint64_t deliverable; /* signals that wait and are neither blocked nor ignored; bit n-1 = signal n */
    pid_t tracer;         /* 0 = none */
};

/* Which file a mapping is of. */
struct proc_file {
    unsigned major, minor;
    uint64_t inode;
};

#define PROC_PATH 512

int proc_thread_open(pid_t pid, pid_t tid, struct proc_thread *ret_thread);
void proc_thread_close(struct proc_thread *t);
/* 0, or -errno: -ESRCH when the thread has gone. */
int proc_thread_read(const struct proc_thread *t, struct proc_reading *ret_reading);
int proc_thread_syscall(const struct proc_thread *t, struct proc_syscall *ret_syscall);
int proc_thread_status(const struct proc_thread *t, struct proc_status *ret_status);
/* "" when it is not known or not asleep. */
void proc_thread_wchan(const struct proc_thread *t, char *ret_text, size_t size);

/* The file that our own mapping at `address` is of: 0 or -errno. */
int proc_file_at(const void *address, struct proc_file *ret_file);
/* 1 when process pid maps that file, 0 when it does not, -errno when we may not know. */
int proc_maps_file(pid_t pid, const struct proc_file *file);
/* The thread that is (pid, tid) inside its own pid namespace and whose process maps `file`; looks at every process.
 * 0 or -ESRCH. */
int proc_find_in_namespace(pid_t pid, pid_t tid, const struct proc_file *file, pid_t *ret_pid, pid_t *ret_tid);

/* What the processes that live in pid namespaces below ours call themselves: how many, or -errno.  The caller frees. */
int proc_inner_pids(pid_t **ret_pids);

/* The cpu.stat of the process's cgroup (v2, else v1): 0 or -errno. */
int proc_cpu_stat_path(pid_t pid, char ret_path[static PROC_PATH]);
/* How long its threads were throttled in all, and whether a quota is at work at all. */
int proc_throttled(const char *path, ns_t *ret_throttled, bool *ret_quota);

/* The parsers behind these, for the tests; text ends with NUL.  0 or -EINVAL. */
int proc_parse_stat(const char *text, char *ret_state, uint64_t *ret_majflt);
int proc_parse_schedstat(const char *text, ns_t *ret_cpu, ns_t *ret_runq);
int proc_parse_syscall(const char *text, struct proc_syscall *ret_syscall);
int proc_parse_status(const char *text, struct proc_status *ret_status);
int proc_parse_nspid(const char *text, pid_t *ret_innermost);
/* One line of a maps file: whether it is of `file`. */
bool proc_parse_maps_line(const char *line, uint64_t *ret_start, uint64_t *ret_end, struct proc_file *ret_file);

#endif

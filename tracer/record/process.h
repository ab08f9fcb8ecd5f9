/* process.h - the processes of the target's tree: who runs, who has gone, and whether anybody is left.  Storing thread. */
#ifndef LOOPSCOPE_PROCESS_H
#define LOOPSCOPE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "modules.h"
#include "rows.h"

struct process {
    pid_t pid;
    int pidfd;              /* -1 when it has gone or cannot be had */
    bool gone;
    uint64_t start;         /* its start time in /proc/PID/stat: pid and start name a process for good */
    struct module_map *map; /* NULL until a thread of it is a loop */
    struct row_process row; /* exe and cmdline are owned */
};

struct process_table;

struct process_table *process_table_new(void);
void process_table_free(struct process_table *t);
/* The process `pid`, entered now if it is new (t: now, ns since the start).  NULL when memory is out. */
struct process *process_enter(struct process_table *t, pid_t pid, int64_t now);
struct process *process_find(struct process_table *t, pid_t pid); /* the living one, or the last that had this pid */
/* Reads again what exec changed (exe, cmdline); true when it did. */
bool process_refresh(struct process *p);
/* Opens its module map (once), so that it can be unwound after its death. */
struct module_map *process_map(struct process *p, struct module_files *files);
/* Looks which have gone since the last call; gives each to `gone` once.  Returns how many live. */
int process_reap(struct process_table *t, int64_t now, void (*gone)(void *ctx, struct process *p), void *ctx);
void process_each(struct process_table *t, void (*fn)(void *ctx, struct process *p), void *ctx);

/* Enters every living process that maps the file `arena` (started at or after `since`, a start time as in
 * /proc/PID/stat).  Returns how many there are.  Scans twice when needed, so that a fork during the scan is seen. */
int process_scan(struct process_table *t, const char *arena, uint64_t since, int64_t now);

uint64_t process_start_time(pid_t pid); /* 0 when it does not exist */
char process_state(pid_t pid);          /* R S D T t Z …, 0 when it does not exist */

#endif

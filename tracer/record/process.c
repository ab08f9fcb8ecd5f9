/* process.c - the table of the target's processes, kept with pidfds (an exit is seen at once and a reused pid is not
 * mistaken) and, at the end of the command, by a scan of /proc for processes that still map the arena.
 * Owned by the recorder's storing thread. */
#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAP_KEPT 30000000000ll /* ns after its end: stalls of a process may still wait to be unwound */

struct process_table {
    struct process **v;
    int n, cap;
};

struct process_table *process_table_new(void)
{
    return calloc(1, sizeof(struct process_table));
}

void process_table_free(struct process_table *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->n; i++) {
        struct process *p = t->v[i];
        if (p->pidfd >= 0)
            close(p->pidfd);
        if (p->map)
            module_map_close(p->map);
        free((char *)p->row.exe);
        free((char *)p->row.cmdline);
        free(p);
    }
    free(t->v);
    free(t);
}

static ssize_t read_file(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t n = 0;
    for (ssize_t r; n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0;)
        n += (size_t)r;
    close(fd);
    buf[n] = 0;
    return (ssize_t)n;
}

/* Fields of /proc/PID/stat from the third on (after the name, which may hold anything): state and start time. */
static bool stat_fields(pid_t pid, char *ret_state, uint64_t *ret_start, pid_t *ret_parent)
{
    char path[64], buf[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    char *p;
    unsigned long long start;
    int parent;
    if (read_file(path, buf, sizeof buf) <= 0 || !(p = strrchr(buf, ')')) ||
        sscanf(p + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", ret_state,
               &parent, &start) != 3)
        return false;
    *ret_start = start;
    *ret_parent = parent;
    return true;
}

uint64_t process_start_time(pid_t pid)
{
    char state;
    uint64_t start;
    pid_t parent;
    return stat_fields(pid, &state, &start, &parent) ? start : 0;
}

char process_state(pid_t pid)
{
    char state;
    uint64_t start;
    pid_t parent;
    return stat_fields(pid, &state, &start, &parent) ? state : 0;
}

struct process *process_find(struct process_table *t, pid_t pid)
{
    for (int i = t->n - 1; i >= 0; i--)
        if (t->v[i]->pid == pid)
            return t->v[i];
    return NULL;
}

bool process_refresh(struct process *p)
{
    char path[64], exe[4096], cmd[4096];
    snprintf(path, sizeof path, "/proc/%d/exe", p->pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    if (n < 0)
        return false;
    exe[n] = 0;
    snprintf(path, sizeof path, "/proc/%d/cmdline", p->pid);
    n = read_file(path, cmd, sizeof cmd);
    if (n < 0)
        return false;
    while (n > 0 && !cmd[n - 1])
        n--;
    for (ssize_t i = 0; i < n; i++)
        if (!cmd[i])
            cmd[i] = ' ';
    cmd[n] = 0;
    if (p->row.exe && !strcmp(p->row.exe, exe) && !strcmp(p->row.cmdline, cmd))
        return false;
    free((char *)p->row.exe);
    free((char *)p->row.cmdline);
    p->row.exe = strdup(exe);
    p->row.cmdline = strdup(cmd);
    if (p->map) { /* another program now */
        module_map_close(p->map);
        p->map = NULL;
    }
    return true;
}

struct process *process_enter(struct process_table *t, pid_t pid, int64_t now)
{
    char state = 0;
    uint64_t start = 0;
    pid_t parent = 0;
    stat_fields(pid, &state, &start, &parent);
    struct process *p = process_find(t, pid);
    if (p && (p->start == start || !start))
        return p;
    if (t->n == t->cap) {
        int cap = t->cap ? 2 * t->cap : 16;
        struct process **v = realloc(t->v, (size_t)cap * sizeof *v);
        if (!v)
            return NULL;
        t->v = v;
        t->cap = cap;
    }
    if (!(p = calloc(1, sizeof *p)))
        return NULL;
    struct process *up = parent ? process_find(t, parent) : NULL;
    *p = (struct process){
        .pid = pid,
        .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
        .start = start,
        .row = { .id = t->n + 1,
                 .pid = pid,
                 .parent = up ? up->row.id : ROW_NULL,
                 .t = now,
                 .t_end = ROW_NULL,
                 .exit_status = ROW_NULL,
                 .exit_signal = ROW_NULL },
    };
    if (p->pidfd >= 0)
        fcntl(p->pidfd, F_SETFD, FD_CLOEXEC);
    process_refresh(p);
    t->v[t->n++] = p;
    return p;
}

struct module_map *process_map(struct process *p, struct module_files *files)
{
    if (!p->map && !p->gone)
        p->map = module_map_open(files, p->pid);
    return p->map;
}

static bool has_gone(const struct process *p)
{
    if (p->pidfd < 0)
        return process_start_time(p->pid) != p->start;
    struct pollfd f = { .fd = p->pidfd, .events = POLLIN };
    return poll(&f, 1, 0) > 0;
}

int process_reap(struct process_table *t, int64_t now, void (*gone)(void *ctx, struct process *p), void *ctx)
{
    int live = 0;
    for (int i = 0; i < t->n; i++) {
        struct process *p = t->v[i];
        if (p->gone) {
            if (p->map && now > p->row.t_end + MAP_KEPT) {
                module_map_close(p->map);
                p->map = NULL;
            }
            continue;
        }
        if (!has_gone(p)) {
            live++;
            continue;
        }
        p->gone = true;
        p->row.t_end = now;
        if (p->pidfd >= 0)
            close(p->pidfd);
        p->pidfd = -1;
        gone(ctx, p);
    }
    return live;
}

void process_each(struct process_table *t, void (*fn)(void *ctx, struct process *p), void *ctx)
{
    for (int i = 0; i < t->n; i++)
        fn(ctx, t->v[i]);
}

static bool maps_file(pid_t pid, const char *file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    while (!found && getline(&line, &size, f) > 0)
        found = strstr(line, file) != NULL;
    free(line);
    fclose(f);
    return found;
}

static int scan_once(struct process_table *t, const char *arena, uint64_t since, int64_t now)
{
    DIR *d = opendir("/proc");
    int found = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        pid_t pid = isdigit((unsigned char)e->d_name[0]) ? atoi(e->d_name) : 0;
        char state;
        uint64_t start;
        pid_t parent;
        if (!pid || pid == getpid() || !stat_fields(pid, &state, &start, &parent) || start < since || state == 'Z' ||
            !maps_file(pid, arena))
            continue;
        found += process_enter(t, pid, now) != NULL;
    }
    if (d)
        closedir(d);
    return found;
}

int process_scan(struct process_table *t, const char *arena, uint64_t since, int64_t now)
{
    int before = scan_once(t, arena, since, now);
    for (int again; (again = scan_once(t, arena, since, now)) != before; before = again)
        ;
    return before;
}

/* proc.c - reads /proc: schedstat, stat, syscall, status, maps, cgroup.  Owns the descriptors of a proc_thread.
 * Runs on the watchdog's thread; each reading is one pread, because it is made at every look.
 *
 * schedstat's cpu time of a thread that is running is as old as the last timer tick (4 ms at CONFIG_HZ=250, seen);
 * that of a thread that sleeps is exact. */
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int read_fd(int fd, char *buffer, size_t size)
{
    ssize_t n = pread(fd, buffer, size - 1, 0);
    if (n < 0)
        return -errno;
    if (n == 0)
        return -ESRCH;
    buffer[n] = 0;
    return 0;
}

static int read_at(int dir, const char *name, char *buffer, size_t size)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int e = read_fd(fd, buffer, size);
    close(fd);
    return e;
}

int proc_parse_stat(const char *text, char *ret_state, uint64_t *ret_majflt)
{
    const char *p = strrchr(text, ')'); /* the name may hold anything, brackets too */
    char state;
    uint64_t majflt;
    /* state ppid pgrp session tty tpgid flags minflt cminflt majflt */
    if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %" SCNu64, &state, &majflt) != 2)
        return -EINVAL;
    *ret_state = state;
    *ret_majflt = majflt;
    return 0;
}

int proc_parse_schedstat(const char *text, ns_t *ret_cpu, ns_t *ret_runq)
{
    char *end;
    errno = 0;
    ns_t cpu = strtoull(text, &end, 10);
    if (end == text || *end != ' ')
        return -EINVAL;
    const char *second = end + 1;
    ns_t runq = strtoull(second, &end, 10);
    if (end == second || errno)
        return -EINVAL;
    *ret_cpu = cpu;
    *ret_runq = runq;
    return 0;
}

int proc_parse_syscall(const char *text, struct proc_syscall *ret_syscall)
{
    struct proc_syscall s = { .where = PROC_RUNNING, .nr = -1 };
    if (strncmp(text, "running", 7) != 0) {
        char *end;
        s.nr = strtol(text, &end, 10);
        if (end == text)
            return -EINVAL;
        s.where = s.nr < 0 ? PROC_BLOCKED : PROC_IN_SYSCALL;
        uint64_t v[8];
        int want = s.nr < 0 ? 2 : 8;
        for (int i = 0; i < want; i++) {
            const char *from = end;
            v[i] = strtoull(from, &end, 16);
            if (end == from)
                return -EINVAL;
        }
        if (want == 8)
            memcpy(s.arg, v, sizeof s.arg);
        s.sp = v[want - 2];
        s.pc = v[want - 1];
    }
    *ret_syscall = s;
    return 0;
}

/* The text behind "\nKEY:" of a status file, NULL. */
static const char *status_field(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        if (!strncmp(p, key, n) && p[n] == ':')
            return p + n + 1;
    return NULL;
}

int proc_parse_status(const char *text, struct proc_status *ret_status)
{
    static const char *const keys[] = { "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt" };
    const char *tracer = status_field(text, "TracerPid");
    uint64_t set[5];
    if (!tracer)
        return -EINVAL;
    for (int i = 0; i < 5; i++) {
        const char *v = status_field(text, keys[i]);
        if (!v)
            return -EINVAL;
        set[i] = strtoull(v, NULL, 16);
    }
    uint64_t by_default = 1ull << (SIGCHLD - 1) | 1ull << (SIGCONT - 1) | 1ull << (SIGURG - 1) | 1ull << (SIGWINCH - 1);
    ret_status->tracer = (pid_t)strtol(tracer, NULL, 10);
    ret_status->deliverable = (set[0] | set[1]) & ~set[2] & ~set[3] & ~(by_default & ~set[4]);
    return 0;
}

int proc_parse_nspid(const char *text, pid_t *ret_innermost)
{
    const char *p = status_field(text, "NSpid");
    pid_t last = 0;
    while (p && *p && *p != '\n') {
        char *end;
        long v = strtol(p, &end, 10);
        if (end == p)
            break;
        last = (pid_t)v;
        p = end;
    }
    if (!last)
        return -EINVAL;
    *ret_innermost = last;
    return 0;
}

bool proc_parse_maps_line(const char *line, uint64_t *ret_start, uint64_t *ret_end, struct proc_file *ret_file)
{
    return sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %x:%x %" SCNu64, ret_start, ret_end, &ret_file->major,
                  &ret_file->minor, &ret_file->inode) == 5;
}

int proc_thread_open(pid_t pid, pid_t tid, struct proc_thread *ret_thread)
{
    char path[64];
    struct proc_thread t = { -1, -1, -1 };
    snprintf(path, sizeof path, "/proc/%d/task/%d", (int)pid, (int)tid);
    t.dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (t.dir < 0)
        return -errno;
    t.stat = openat(t.dir, "stat", O_RDONLY | O_CLOEXEC);
    if (t.stat < 0) {
        int e = -errno;
        proc_thread_close(&t);
        return e;
    }
    t.schedstat = openat(t.dir, "schedstat", O_RDONLY | O_CLOEXEC); /* absent without CONFIG_SCHED_INFO */
    *ret_thread = t;
    return 0;
}

void proc_thread_close(struct proc_thread *t)
{
    int *fd[] = { &t->dir, &t->stat, &t->schedstat };
    for (int i = 0; i < 3; i++) {
        if (*fd[i] >= 0)
            close(*fd[i]);
        *fd[i] = -1;
    }
}

int proc_thread_read(const struct proc_thread *t, struct proc_reading *ret_reading)
{
    char text[1024];
    struct proc_reading r = { 0 };
    int e = read_fd(t->stat, text, sizeof text);
    if (!e)
        e = proc_parse_stat(text, &r.state, &r.majflt);
    if (e)
        return e;
    r.sched_known =
        t->schedstat >= 0 && !read_fd(t->schedstat, text, sizeof text) && !proc_parse_schedstat(text, &r.cpu, &r.runq);
    *ret_reading = r;
    return 0;
}

int proc_thread_syscall(const struct proc_thread *t, struct proc_syscall *ret_syscall)
{
    char text[512];
    int e = read_at(t->dir, "syscall", text, sizeof text);
    return e ? e : proc_parse_syscall(text, ret_syscall);
}

int proc_thread_status(const struct proc_thread *t, struct proc_status *ret_status)
{
    char text[8192];
    int e = read_at(t->dir, "status", text, sizeof text);
    return e ? e : proc_parse_status(text, ret_status);
}

void proc_thread_wchan(const struct proc_thread *t, char *ret_text, size_t size)
{
    if (read_at(t->dir, "wchan", ret_text, size) || !strcmp(ret_text, "0"))
        ret_text[0] = 0;
    for (char *p = ret_text; *p; p++) /* a symbol's name, or we do not want it */
        if (!isalnum((unsigned char)*p) && *p != '_' && *p != '.')
            *p = 0;
}

/* Calls found(start, end, file, ctx) for each mapping until it says true: 1, 0, or -errno. */
static int each_mapping(const char *path, bool (*found)(uint64_t, uint64_t, const struct proc_file *, void *),
                        void *ctx)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return -errno;
    char line[512];
    int hit = 0, lines = 0;
    bool start_of_line = true;
    while (!hit && fgets(line, sizeof line, f)) {
        uint64_t start, end;
        struct proc_file file;
        lines++;
        if (start_of_line && proc_parse_maps_line(line, &start, &end, &file) && found(start, end, &file, ctx))
            hit = 1;
        start_of_line = strchr(line, '\n') != NULL; /* a path longer than the buffer comes in pieces */
    }
    int e = ferror(f) ? -errno : !lines ? -ESRCH : hit;
    fclose(f);
    return e;
}

struct find_address {
    uint64_t address;
    struct proc_file file;
};

static bool holds_address(uint64_t start, uint64_t end, const struct proc_file *file, void *ctx)
{
    struct find_address *f = ctx;
    f->file = *file;
    return f->address >= start && f->address < end;
}

int proc_file_at(const void *address, struct proc_file *ret_file)
{
    struct find_address f = { .address = (uintptr_t)address };
    int e = each_mapping("/proc/self/maps", holds_address, &f);
    if (e == 1 && f.file.inode)
        *ret_file = f.file;
    return e < 0 ? e : e && f.file.inode ? 0 : -ENOENT;
}

static bool same_file(uint64_t start, uint64_t end, const struct proc_file *file, void *ctx)
{
    const struct proc_file *want = ctx;
    (void)start, (void)end;
    return file->inode == want->inode && file->major == want->major && file->minor == want->minor;
}

int proc_maps_file(pid_t pid, const struct proc_file *file)
{
    char path[64];
    struct proc_file want = *file;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    return each_mapping(path, same_file, &want);
}

static pid_t innermost_pid(const char *path)
{
    char text[8192];
    pid_t pid;
    return read_at(AT_FDCWD, path, text, sizeof text) || proc_parse_nspid(text, &pid) ? 0 : pid;
}

static pid_t number_name(const struct dirent *d)
{
    char *end;
    long v = strtol(d->d_name, &end, 10);
    return *end || v <= 0 || v > INT32_MAX ? 0 : (pid_t)v;
}

static pid_t find_thread(pid_t pid, pid_t tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    pid_t hit = 0;
    for (struct dirent *d; dir && !hit && (d = readdir(dir));) {
        pid_t t = number_name(d);
        if (!t)
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)t);
        if (innermost_pid(path) == tid)
            hit = t;
    }
    if (dir)
        closedir(dir);
    return hit;
}

int proc_find_in_namespace(pid_t pid, pid_t tid, const struct proc_file *file, pid_t *ret_pid, pid_t *ret_tid)
{
    DIR *dir = opendir("/proc");
    int e = -ESRCH;
    for (struct dirent *d; dir && e && (d = readdir(dir));) {
        char path[64];
        pid_t p = number_name(d), t;
        if (!p || p == pid) /* the caller looked at that one already */
            continue;
        snprintf(path, sizeof path, "/proc/%d/status", (int)p);
        if (innermost_pid(path) != pid || proc_maps_file(p, file) != 1 || !(t = find_thread(p, tid)))
            continue;
        *ret_pid = p;
        *ret_tid = t;
        e = 0;
    }
    if (dir)
        closedir(dir);
    return e;
}

int proc_inner_pids(pid_t **ret_pids)
{
    DIR *dir = opendir("/proc");
    pid_t *pids = NULL;
    int n = 0, room = 0;
    if (!dir)
        return -errno;
    for (struct dirent *d; (d = readdir(dir));) {
        char path[64];
        pid_t p = number_name(d), inner;
        if (!p)
            continue;
        snprintf(path, sizeof path, "/proc/%d/status", (int)p);
        inner = innermost_pid(path);
        if (!inner || inner == p)
            continue;
        if (n == room) {
            room = room ? 2 * room : 64;
            pid_t *more = realloc(pids, (size_t)room * sizeof *pids);
            if (!more) {
                free(pids);
                closedir(dir);
                return -ENOMEM;
            }
            pids = more;
        }
        pids[n++] = inner;
    }
    closedir(dir);
    *ret_pids = pids;
    return n;
}

/* Whether the comma-separated list of controllers holds "cpu". */
static bool has_cpu(const char *list, const char *end)
{
    for (const char *p = list; p < end; p++) {
        const char *q = memchr(p, ',', (size_t)(end - p));
        if (!q)
            q = end;
        if (q - p == 3 && !memcmp(p, "cpu", 3))
            return true;
        p = q;
    }
    return false;
}

int proc_cpu_stat_path(pid_t pid, char ret_path[static PROC_PATH])
{
    char name[64], text[4096];
    snprintf(name, sizeof name, "/proc/%d/cgroup", (int)pid);
    int e = read_at(AT_FDCWD, name, text, sizeof text);
    if (e)
        return e;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *list = strchr(line, ':');
        char *path = list ? strchr(list + 1, ':') : NULL;
        if (!path || strstr(path, "/.."))
            continue;
        const char *mounts[] = { NULL, NULL };
        if (path == list + 1)
            mounts[0] = "/sys/fs/cgroup", mounts[1] = "/sys/fs/cgroup/unified";
        else if (has_cpu(list + 1, path))
            mounts[0] = "/sys/fs/cgroup/cpu", mounts[1] = "/sys/fs/cgroup/cpu,cpuacct";
        for (int i = 0; i < 2 && mounts[i]; i++) {
            char full[PROC_PATH];
            ns_t throttled;
            bool quota;
            if (snprintf(full, sizeof full, "%s%s/cpu.stat", mounts[i], path + 1) >= (int)sizeof full ||
                proc_throttled(full, &throttled, &quota))
                continue;
            memcpy(ret_path, full, sizeof full);
            return 0;
        }
    }
    return -ENOENT;
}

int proc_throttled(const char *path, ns_t *ret_throttled, bool *ret_quota)
{
    char text[4096];
    int e = read_at(AT_FDCWD, path, text, sizeof text);
    if (e)
        return e;
    ns_t throttled = 0;
    uint64_t periods = 0, v;
    bool known = false;
    for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
        if (sscanf(p, "throttled_usec %" SCNu64, &v) == 1)
            throttled = v * 1000, known = true;
        else if (sscanf(p, "throttled_time %" SCNu64, &v) == 1) /* v1: nanoseconds */
            throttled = v, known = true;
        else if (sscanf(p, "nr_periods %" SCNu64, &v) == 1)
            periods = v;
    }
    if (!known)
        return -ENOENT;
    *ret_throttled = throttled;
    *ret_quota = periods > 0;
    return 0;
}

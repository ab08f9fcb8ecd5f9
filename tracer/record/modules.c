/* modules.c - what is mapped where in a process: its /proc/PID/maps, each mapping joined to the file behind it.
 *
 * The process is bound by a descriptor of /proc/PID, so nothing is ever read of a later process with the same pid.
 * Nothing read here is trusted: maps and paths come from the target, so each number is checked before it is used, and
 * what is opened is looked at first.  Owns the mappings; the files are the registry's.  One thread. */
#include "modules.h"

#include "../event.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define MAPPINGS_MAX (1u << 20)   /* vm.max_map_count is 65,530 unless somebody raised it */
#define REBUILD_MAX  (256u << 20) /* of a file that only the process has */

struct mapping {
    uint64_t start, end, offset, bias;
    dev_t dev;
    ino_t ino;
    bool writable, executable;
    struct module_file *file; /* NULL: anonymous, or it could not be opened */
};

struct listing {             /* /proc/PID/maps, read anew */
    struct mapping *mapping; /* sorted by start, as the kernel prints them */
    char **path;             /* of each; NULL: it has none */
    int n, capacity;
};

struct module_map {
    struct module_files *files;
    pid_t pid;
    int proc_fd; /* /proc/PID: stays bound to this process when the pid is used again */
    int mem_fd;  /* its memory; -1 not opened yet, -2 not allowed */
    uint64_t version;
    ns_t loaded;
    bool gone;
    int n;
    struct mapping *mapping; /* as listed */
    const struct module_file *exe;
};

static ns_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ns_t)t.tv_sec * 1000000000u + (ns_t)t.tv_nsec;
}

int module_map_open_proc(const struct module_map *map, const char *name, int flags)
{
    int fd = openat(map->proc_fd, name, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static size_t process_read(struct module_map *map, uint64_t address, void *ret_bytes, size_t size)
{
    size_t done = 0;

    if (map->mem_fd == -1 && (map->mem_fd = module_map_open_proc(map, "mem", O_RDONLY)) < 0)
        map->mem_fd = -2;
    if (map->mem_fd < 0 || address > INT64_MAX)
        return 0;
    while (done < size) { /* a short read: the rest is another mapping, or nothing */
        ssize_t n = pread(map->mem_fd, (char *)ret_bytes + done, size - done, (off_t)(address + done));
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* Opens `name` under /proc/PID when it is the inode that is mapped.  The path is the target's: a fifo or a device at
 * that place must not be opened, so look first. */
static int open_mapped(const struct module_map *map, const char *name, ino_t ino, struct stat *ret_stat)
{
    struct stat st;
    char self[32];
    int path_fd = module_map_open_proc(map, name, O_PATH), fd = -1;

    if (path_fd < 0)
        return -1;
    if (fstat(path_fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == ino) {
        snprintf(self, sizeof self, "/proc/self/fd/%d", path_fd);
        fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        *ret_stat = st;
    }
    close(path_fd);
    return fd;
}

static bool same_inode(const struct mapping *a, const struct mapping *b)
{
    return a->ino == b->ino && a->dev == b->dev;
}

/* A file that cannot be opened any more, put together from what the process has mapped of it.  Section headers are
 * lost, the tables for unwinding are not. */
static bool rebuild(struct module_map *map, const struct mapping *all, int n, const struct mapping *m,
                    struct module_source *ret_source)
{
    uint64_t size = 0;
    unsigned char *image;

    for (int i = 0; i < n; i++)
        if (same_inode(&all[i], m) && all[i].offset < REBUILD_MAX && all[i].end - all[i].start < REBUILD_MAX)
            size = MAX(size, all[i].offset + (all[i].end - all[i].start));
    if (size == 0 || size > REBUILD_MAX || !(image = calloc(1, size)))
        return false;
    for (int i = 0; i < n; i++)
        if (same_inode(&all[i], m) && all[i].offset < size && all[i].end - all[i].start <= size - all[i].offset)
            process_read(map, all[i].start, image + all[i].offset, all[i].end - all[i].start);
    ret_source->image = image;
    ret_source->size = size;
    return true;
}

static struct module_file *mapped_file(struct module_map *map, const struct mapping *all, int n,
                                       const struct mapping *m, const char *path)
{
    struct module_source source = { .path = path, .dev = m->dev, .ino = m->ino };
    char name[PATH_MAX + 32];
    struct stat st;

    snprintf(name, sizeof name, "root%s", path);
    source.fd = open_mapped(map, name, m->ino, &st);
    if (source.fd < 0) { /* deleted or replaced: root still gets it here */
        snprintf(name, sizeof name, "map_files/%lx-%lx", (unsigned long)m->start, (unsigned long)m->end);
        source.fd = open_mapped(map, name, m->ino, &st);
    }
    if (source.fd >= 0) {
        source.mtime = st.st_mtim;
        source.size = (uint64_t)st.st_size;
    } else if (!rebuild(map, all, n, m, &source)) {
        return NULL;
    }
    return module_files_add(map->files, &source);
}

static uint64_t code_bias(const struct mapping *m)
{
    const struct module_segment *segment;
    int n = module_file_segments(m->file, &segment);
    uint64_t bias = 0;
    bool found = false;
    for (int i = 0; i < n; i++)
        if (!found || segment[i].executable)
            found |= module_segment_bias(&segment[i], m->start, m->offset, &bias);
    return bias;
}

/* Of data the offset alone does not tell: two segments often share a page of the file.  The right one has the bias that
 * code of the same file has. */
static uint64_t data_bias(const struct mapping *m, const struct mapping *all, const int *code, int n_code)
{
    const struct module_segment *segment;
    int n = module_file_segments(m->file, &segment);
    uint64_t bias = 0;
    for (int c = n_code - 1; c >= 0; c--)
        for (int i = 0; all[code[c]].file == m->file && i < n; i++)
            if (module_segment_bias(&segment[i], m->start, m->offset, &bias) && bias == all[code[c]].bias)
                return bias;
    return bias;
}

static bool parse_line(const char *line, struct mapping *ret_mapping, const char **ret_path)
{
    struct mapping m = { 0 };
    unsigned long start, end, offset, ino;
    unsigned maj, min;
    char perms[5];
    int at = 0;

    if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &start, &end, perms, &offset, &maj, &min, &ino, &at) < 7 ||
        at == 0 || start >= end)
        return false;
    m.start = start;
    m.end = end;
    m.offset = offset;
    m.dev = makedev(maj, min);
    m.ino = ino;
    m.writable = perms[1] == 'w';
    m.executable = perms[2] == 'x';
    *ret_mapping = m;
    *ret_path = line + at;
    return true;
}

static void strip_deleted(char *path)
{
    static const char deleted[] = " (deleted)";
    size_t n = strlen(path);
    if (n > sizeof deleted - 1 && !strcmp(path + n - (sizeof deleted - 1), deleted))
        path[n - (sizeof deleted - 1)] = '\0';
}

static bool listing_grow(struct listing *l)
{
    int more = l->capacity ? 2 * l->capacity : 64;
    struct mapping *mapping = realloc(l->mapping, (size_t)more * sizeof *mapping);
    if (!mapping)
        return false;
    l->mapping = mapping;
    char **path = realloc(l->path, (size_t)more * sizeof *path);
    if (!path)
        return false;
    l->path = path;
    l->capacity = more;
    return true;
}

static bool listing_add(struct listing *l, const struct mapping *m, const char *path)
{
    if (l->n == l->capacity && !listing_grow(l))
        return false;
    l->mapping[l->n] = *m;
    l->path[l->n] = path[0] ? strdup(path) : NULL;
    if (l->path[l->n])
        strip_deleted(l->path[l->n]);
    l->n++;
    return true;
}

/* 0 or -ENOMEM. */
static int listing_read(struct listing *l, FILE *in)
{
    char *line = NULL;
    size_t line_size = 0;
    bool fits = true;

    while (fits && getline(&line, &line_size, in) > 0 && l->n < (int)MAPPINGS_MAX) {
        struct mapping m;
        const char *path;
        line[strcspn(line, "\n")] = '\0';
        if (parse_line(line, &m, &path) && (l->n == 0 || m.start >= l->mapping[l->n - 1].end))
            fits = listing_add(l, &m, path);
    }
    free(line);
    return fits ? 0 : -ENOMEM;
}

static void listing_free(struct listing *l)
{
    free(l->mapping);
    for (int i = 0; i < l->n; i++)
        free(l->path[i]);
    free(l->path);
}

static const struct mapping *mapping_at(const struct module_map *map, uint64_t address)
{
    int lo = 0, hi = map->n;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (address >= map->mapping[mid].end)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < map->n && address >= map->mapping[lo].start ? &map->mapping[lo] : NULL;
}

/* Code first, data second: a file is opened for its code, and the mappings of its other parts share it.  Only the
 * mappings of code are searched for a file: a database may map ten thousand pieces of data. */
static void find_files(struct module_map *map, const struct listing *l)
{
    struct mapping *all = l->mapping;
    int n = l->n, n_code = 0, *code = malloc((size_t)n * sizeof *code);

    for (int i = 0; code && i < n; i++) {
        struct mapping *m = &all[i];
        const struct mapping *before = mapping_at(map, m->start);
        if (!m->executable || !l->path[i])
            continue;
        if (!strcmp(l->path[i], "[vdso]"))
            m->file = module_files_vdso(map->files);
        for (int c = n_code - 1; c >= 0 && !m->file && m->ino; c--)
            if (same_inode(&all[code[c]], m))
                m->file = all[code[c]].file;
        if (!m->file && before && m->ino && same_inode(before, m))
            m->file = before->file;
        if (!m->file && m->ino && l->path[i][0] == '/')
            m->file = mapped_file(map, all, n, m, l->path[i]);
        if (m->file) {
            m->bias = code_bias(m);
            code[n_code++] = i;
        }
    }
    for (int i = 0; code && i < n; i++) {
        struct mapping *m = &all[i];
        for (int c = n_code - 1; c >= 0 && !m->file && m->ino; c--)
            if (same_inode(&all[code[c]], m))
                m->file = all[code[c]].file;
        if (m->file && !m->executable)
            m->bias = data_bias(m, all, code, n_code);
    }
    free(code);
}

static void find_exe(struct module_map *map)
{
    struct stat st;
    map->exe = NULL;
    if (fstatat(map->proc_fd, "exe", &st, 0) != 0)
        return;
    for (int i = 0; i < map->n && !map->exe; i++)
        if (map->mapping[i].file && map->mapping[i].ino == st.st_ino)
            map->exe = map->mapping[i].file;
}

static bool same_mappings(const struct mapping *a, const struct mapping *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a[i].start != b[i].start || a[i].end != b[i].end || a[i].offset != b[i].offset || a[i].file != b[i].file ||
            a[i].executable != b[i].executable || a[i].writable != b[i].writable)
            return false;
    return true;
}

/* The mappings of `l` are the process's from now on. */
static void take_over(struct module_map *map, struct listing *l)
{
    free(map->mapping);
    map->mapping = l->mapping;
    map->n = l->n;
    l->mapping = NULL;
    map->version = module_files_next_version(map->files);
    find_exe(map);
}

int module_map_reload(struct module_map *map)
{
    struct listing l = { 0 };

    if (map->gone)
        return -ESRCH;
    map->loaded = now_ns();
    if (map->mem_fd >= 0)
        close(map->mem_fd); /* after an exec it would still be the former memory */
    map->mem_fd = -1;
    int fd = module_map_open_proc(map, "maps", O_RDONLY);
    FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!in) {
        map->gone = fd == -ESRCH || fd == -ENOENT;
        if (fd >= 0)
            close(fd);
        return fd < 0 ? fd : -ENOMEM;
    }
    int rc = listing_read(&l, in);
    fclose(in);
    if (rc == 0 && l.n == 0) { /* a zombie has no mappings: what we know stays */
        map->gone = true;
        rc = -ESRCH;
    }
    if (rc == 0) {
        find_files(map, &l);
        if (l.n != map->n || !same_mappings(l.mapping, map->mapping, l.n))
            take_over(map, &l);
    }
    listing_free(&l);
    return rc;
}

struct module_map *module_map_open(struct module_files *files, pid_t pid)
{
    struct module_map *map = calloc(1, sizeof *map);
    char path[32];

    if (!map)
        return NULL;
    map->files = files;
    map->pid = pid;
    map->mem_fd = -1;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    map->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc = map->proc_fd < 0 ? -errno : module_map_reload(map);
    if (rc < 0) {
        module_map_close(map);
        errno = rc == -ENOENT ? ESRCH : -rc;
        return NULL;
    }
    return map;
}

void module_map_close(struct module_map *map)
{
    if (!map)
        return;
    if (map->proc_fd >= 0)
        close(map->proc_fd);
    if (map->mem_fd >= 0)
        close(map->mem_fd);
    free(map->mapping);
    free(map);
}

struct module_ref module_map_peek(const struct module_map *map, uint64_t address)
{
    const struct mapping *m = mapping_at(map, address);
    if (!m)
        return (struct module_ref){ 0 };
    return (struct module_ref){ .file = m->file,
                                .rel = m->file ? address - m->bias : 0,
                                .bias = m->bias,
                                .executable = m->executable };
}

struct module_ref module_map_find(struct module_map *map, uint64_t address)
{
    struct module_ref ref = module_map_peek(map, address);
    if (!ref.executable && !map->gone && now_ns() - map->loaded > 1000000000u && module_map_reload(map) == 0)
        ref = module_map_peek(map, address);
    return ref;
}

size_t module_map_read(struct module_map *map, uint64_t address, void *ret_bytes, size_t size)
{
    const struct mapping *m = mapping_at(map, address);
    size_t n = 0;

    if (!m)
        return process_read(map, address, ret_bytes, size);
    size = MIN(size, m->end - address);
    if (m->file && !m->writable)
        n = module_file_pread(m->file, m->offset + (address - m->start), ret_bytes, size);
    if (n < size)
        n = process_read(map, address, ret_bytes, size);
    if (n < size && m->file && m->writable)
        n = module_file_pread(m->file, m->offset + (address - m->start), ret_bytes, size);
    return n;
}

pid_t module_map_pid(const struct module_map *map)
{
    return map->pid;
}

uint64_t module_map_version(const struct module_map *map)
{
    return map->version;
}

const struct module_file *module_map_exe(const struct module_map *map)
{
    return map->exe;
}

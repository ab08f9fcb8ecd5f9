/* modules.c - what is mapped where in a process, and the ELF files behind it.
 *
 * A file is opened when it is first seen and its descriptor is kept: later it may be replaced, deleted, or the process
 * killed.  It is read with pread through a few cached pages, never mapped: a file that somebody truncates would kill us
 * with SIGBUS.  Nothing read here is trusted: maps and files come from the target, so each number is checked before it
 * is used.  Of ELF only the headers are read here, by hand; all else is debuginfo.c.  One thread. */
#include "modules.h"

#include "../event.h"
#include "debuginfo.h"

#include <elf.h> /* behind event.h: its macro EV_NONE would hide ours */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define PAGE         4096u
#define CACHED_PAGES 32u
#define SEGMENTS_MAX 32
#define BUILD_ID_MAX 32u          /* bytes; SHA-1 is 20 */
#define MAPPINGS_MAX (1u << 20)   /* vm.max_map_count is 65,530 unless somebody raised it */
#define REBUILD_MAX  (256u << 20) /* of a file that only the process has */

struct segment {
    uint64_t vaddr, offset, filesz;
    bool executable;
};

struct cached_page {
    uint64_t number; /* + 1; 0 = empty */
    unsigned size;
    unsigned char bytes[PAGE];
};

struct module_file {
    struct module_file *next;
    dev_t dev;
    ino_t ino;
    struct timespec mtime;
    char *path;
    char build_id[2 * BUILD_ID_MAX + 1];
    uint64_t size;
    int fd;               /* -1: image */
    unsigned char *image; /* owned, unless it is our own vDSO */
    bool image_owned;
    int n_segments;
    struct segment segment[SEGMENTS_MAX];
    bool has_eh;
    struct module_eh_table eh;
    struct cached_page *cache; /* CACHED_PAGES of them, from the first read on */
    struct debuginfo *debuginfo;
};

struct module_files {
    struct module_file *first;
    uint64_t version;
};

struct mapping {
    uint64_t start, end, offset, bias;
    dev_t dev;
    ino_t ino;
    bool writable, executable;
    struct module_file *file; /* NULL: anonymous, or it could not be opened */
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
    struct mapping *mapping; /* sorted by start, as the kernel prints them */
    const struct module_file *exe;
};

static ns_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ns_t)t.tv_sec * 1000000000u + (ns_t)t.tv_nsec;
}

/* Files ---------------------------------------------------------------------------------------------------- */

static size_t file_pread(struct module_file *f, uint64_t offset, void *ret_bytes, size_t size)
{
    size_t done = 0;

    if (offset >= f->size)
        return 0;
    size = MIN(size, f->size - offset);
    if (f->image) {
        memcpy(ret_bytes, f->image + offset, size);
        return size;
    }
    if (!f->cache && !(f->cache = calloc(CACHED_PAGES, sizeof *f->cache)))
        return 0;
    while (done < size) {
        uint64_t number = (offset + done) / PAGE;
        size_t in_page = (offset + done) % PAGE, n = MIN(size - done, PAGE - in_page);
        struct cached_page *p = &f->cache[number % CACHED_PAGES];
        if (p->number != number + 1) {
            ssize_t got = pread(f->fd, p->bytes, PAGE, (off_t)(number * PAGE));
            p->number = got > 0 ? number + 1 : 0;
            p->size = got > 0 ? (unsigned)got : 0;
        }
        if (in_page >= p->size)
            break;
        n = MIN(n, p->size - in_page);
        memcpy((char *)ret_bytes + done, p->bytes + in_page, n);
        done += n;
    }
    return done;
}

size_t module_file_read(struct module_file *f, uint64_t rel, void *ret_bytes, size_t size)
{
    for (int i = 0; i < f->n_segments; i++) {
        const struct segment *s = &f->segment[i];
        if (rel >= s->vaddr && rel - s->vaddr < s->filesz)
            return file_pread(f, s->offset + (rel - s->vaddr), ret_bytes, MIN(size, s->filesz - (rel - s->vaddr)));
    }
    return 0;
}

static void file_free(struct module_file *f)
{
    debuginfo_close(f->debuginfo);
    if (f->fd >= 0)
        close(f->fd);
    if (f->image_owned)
        free(f->image);
    free(f->cache);
    free(f->path);
    free(f);
}

/* The build-id note among the notes at offset..offset + size. */
static void read_build_id(struct module_file *f, uint64_t offset, uint64_t size)
{
    size = MIN(size, PAGE);
    while (size >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        unsigned char desc[4 + BUILD_ID_MAX];
        if (file_pread(f, offset, &note, sizeof note) != sizeof note)
            return;
        uint64_t name = ((uint64_t)note.n_namesz + 3) & ~3ull, all = sizeof note + name + (((uint64_t)note.n_descsz + 3) & ~3ull);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz <= BUILD_ID_MAX &&
            file_pread(f, offset + sizeof note, desc, 4 + note.n_descsz) == 4 + note.n_descsz && !memcmp(desc, "GNU", 4)) {
            for (unsigned i = 0; i < note.n_descsz; i++)
                sprintf(f->build_id + 2 * i, "%02x", desc[4 + i]);
            return;
        }
        if (all > size)
            return;
        offset += all;
        size -= all;
    }
}

/* .eh_frame_hdr: only the table form that every linker writes (32-bit offsets from the header) is taken. */
static void read_eh_header(struct module_file *f, uint64_t vaddr)
{
    unsigned char h[12 + 8];
    uint32_t count;
    size_t n = module_file_read(f, vaddr, h, sizeof h), pointer;

    if (n < 12 || h[0] != 1 || h[3] != 0x3b || (h[2] & 0x0f) != 0x03)
        return;
    switch (h[1] & 0x0f) {
    case 0x02: case 0x0a: pointer = 2; break;
    case 0x03: case 0x0b: pointer = 4; break;
    case 0x00: case 0x04: case 0x0c: pointer = 8; break;
    default: return;
    }
    if (n < 4 + pointer + 4)
        return;
    memcpy(&count, h + 4 + pointer, 4);
    if (count == 0 || count > f->size / 8)
        return;
    f->eh = (struct module_eh_table){ .base = vaddr, .table = vaddr + 4 + pointer + 4, .count = count };
    f->has_eh = true;
}

/* Reads the headers.  False: this is no ELF file of our machine. */
static bool read_headers(struct module_file *f)
{
#if defined __x86_64__
    const unsigned machine = EM_X86_64;
#else
    const unsigned machine = EM_AARCH64;
#endif
    Elf64_Ehdr eh;
    uint64_t eh_frame = 0;

    if (file_pread(f, 0, &eh, sizeof eh) != sizeof eh || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
        eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != machine || eh.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        Elf64_Phdr ph;
        if (file_pread(f, eh.e_phoff + i * sizeof ph, &ph, sizeof ph) != sizeof ph)
            break;
        if (ph.p_type == PT_LOAD && f->n_segments < SEGMENTS_MAX && ph.p_offset + ph.p_filesz >= ph.p_offset)
            f->segment[f->n_segments++] = (struct segment){ ph.p_vaddr, ph.p_offset, ph.p_filesz, ph.p_flags & PF_X };
        else if (ph.p_type == PT_GNU_EH_FRAME)
            eh_frame = ph.p_vaddr;
        else if (ph.p_type == PT_NOTE && !f->build_id[0])
            read_build_id(f, ph.p_offset, ph.p_filesz);
    }
    if (eh_frame)
        read_eh_header(f, eh_frame);
    return f->n_segments > 0;
}

/* Takes over what `f` holds; returns the file the registry already has, or `f` itself. */
static struct module_file *files_add(struct module_files *files, struct module_file *f)
{
    for (struct module_file *o = files->first; o; o = o->next)
        if (o->dev == f->dev && o->ino == f->ino && o->size == f->size && o->mtime.tv_sec == f->mtime.tv_sec &&
            o->mtime.tv_nsec == f->mtime.tv_nsec && !strcmp(o->build_id, f->build_id)) {
            file_free(f);
            return o;
        }
    f->next = files->first;
    files->first = f;
    return f;
}

static struct module_file *file_new(const char *path)
{
    struct module_file *f = calloc(1, sizeof *f);
    if (f && !(f->path = strdup(path))) {
        free(f);
        return NULL;
    }
    if (f)
        f->fd = -1;
    return f;
}

/* The vDSO is the same image in every process of this kernel: ours stands for it. */
static struct module_file *vdso_file(struct module_files *files)
{
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
    for (struct module_file *o = files->first; o; o = o->next)
        if (!strcmp(o->path, "[vdso]"))
            return o;
    struct module_file *f = eh ? file_new("[vdso]") : NULL;
    if (!f)
        return NULL;
    f->image = (unsigned char *)(uintptr_t)eh;
    f->size = MAX(eh->e_shoff + (uint64_t)eh->e_shnum * eh->e_shentsize, (uint64_t)PAGE);
    if (!read_headers(f)) {
        file_free(f);
        return NULL;
    }
    return files_add(files, f);
}

/* A process's mappings ------------------------------------------------------------------------------------- */

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

/* A file that cannot be opened any more, put together from what the process has mapped of it.  Section headers are
 * lost, the tables for unwinding are not. */
static bool rebuild(struct module_map *map, const struct mapping *all, int n, const struct mapping *m, struct module_file *f)
{
    uint64_t size = 0;

    for (int i = 0; i < n; i++)
        if (all[i].ino == m->ino && all[i].dev == m->dev && all[i].offset < REBUILD_MAX && all[i].end - all[i].start < REBUILD_MAX)
            size = MAX(size, all[i].offset + (all[i].end - all[i].start));
    if (size == 0 || size > REBUILD_MAX || !(f->image = calloc(1, size)))
        return false;
    f->image_owned = true;
    f->size = size;
    for (int i = 0; i < n; i++)
        if (all[i].ino == m->ino && all[i].dev == m->dev && all[i].offset < size && all[i].end - all[i].start <= size - all[i].offset)
            process_read(map, all[i].start, f->image + all[i].offset, all[i].end - all[i].start);
    return true;
}

static struct module_file *mapped_file(struct module_map *map, const struct mapping *all, int n, const struct mapping *m,
                                       const char *path)
{
    struct module_file *f = file_new(path);
    char name[PATH_MAX + 32];
    struct stat st;

    if (!f)
        return NULL;
    snprintf(name, sizeof name, "root%s", path);
    f->fd = open_mapped(map, name, m->ino, &st);
    if (f->fd < 0) { /* deleted or replaced: root still gets it here */
        snprintf(name, sizeof name, "map_files/%lx-%lx", (unsigned long)m->start, (unsigned long)m->end);
        f->fd = open_mapped(map, name, m->ino, &st);
    }
    f->dev = m->dev;
    f->ino = m->ino;
    if (f->fd >= 0) {
        f->mtime = st.st_mtim;
        f->size = (uint64_t)st.st_size;
    } else if (!rebuild(map, all, n, m, f)) {
        file_free(f);
        return NULL;
    }
    if (!read_headers(f)) {
        file_free(f);
        return NULL;
    }
    return files_add(map->files, f);
}

/* What to add to a link-time address of the file so that it lies in this mapping, if it was made of segment `s`. */
static bool segment_bias(const struct mapping *m, const struct segment *s, uint64_t *ret_bias)
{
    if (m->offset < (s->offset & ~(uint64_t)(PAGE - 1)) || m->offset >= s->offset + s->filesz)
        return false;
    *ret_bias = m->start - m->offset + s->offset - s->vaddr;
    return true;
}

static uint64_t code_bias(const struct mapping *m)
{
    uint64_t bias = 0;
    bool found = false;
    for (int i = 0; i < m->file->n_segments; i++)
        if (!found || m->file->segment[i].executable)
            found |= segment_bias(m, &m->file->segment[i], &bias);
    return bias;
}

/* Of data the offset alone does not tell: two segments often share a page of the file.  The right one has the bias that
 * code of the same file has. */
static uint64_t data_bias(const struct mapping *m, const struct mapping *all, const int *code, int n_code)
{
    uint64_t bias = 0;
    for (int c = n_code - 1; c >= 0; c--)
        for (int i = 0; all[code[c]].file == m->file && i < m->file->n_segments; i++)
            if (segment_bias(m, &m->file->segment[i], &bias) && bias == all[code[c]].bias)
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

    if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &start, &end, perms, &offset, &maj, &min, &ino, &at) < 7 || at == 0 ||
        start >= end)
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

static bool same_inode(const struct mapping *a, const struct mapping *b)
{
    return a->ino == b->ino && a->dev == b->dev;
}

/* Code first, data second: a file is opened for its code, and the mappings of its other parts share it.  Only the
 * mappings of code are searched for a file: a database may map ten thousand pieces of data. */
static void find_files(struct module_map *map, struct mapping *all, char **paths, int n)
{
    int n_code = 0, *code = malloc((size_t)n * sizeof *code);

    for (int i = 0; code && i < n; i++) {
        struct mapping *m = &all[i];
        const struct mapping *before = mapping_at(map, m->start);
        if (!m->executable || !paths[i])
            continue;
        if (!strcmp(paths[i], "[vdso]"))
            m->file = vdso_file(map->files);
        for (int c = n_code - 1; c >= 0 && !m->file && m->ino; c--)
            if (same_inode(&all[code[c]], m))
                m->file = all[code[c]].file;
        if (!m->file && before && m->ino && same_inode(before, m))
            m->file = before->file;
        if (!m->file && m->ino && paths[i][0] == '/')
            m->file = mapped_file(map, all, n, m, paths[i]);
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

static void strip_deleted(char *path)
{
    static const char deleted[] = " (deleted)";
    size_t n = strlen(path);
    if (n > sizeof deleted - 1 && !strcmp(path + n - (sizeof deleted - 1), deleted))
        path[n - (sizeof deleted - 1)] = '\0';
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

int module_map_reload(struct module_map *map)
{
    char *line = NULL, **paths = NULL;
    struct mapping *all = NULL;
    size_t line_size = 0;
    int n = 0, capacity = 0, rc = 0;

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
    while (getline(&line, &line_size, in) > 0 && n < (int)MAPPINGS_MAX) {
        struct mapping m;
        const char *path;
        line[strcspn(line, "\n")] = '\0';
        if (!parse_line(line, &m, &path) || (n > 0 && m.start < all[n - 1].end))
            continue;
        if (n == capacity) {
            int more = capacity ? 2 * capacity : 64;
            void *a = realloc(all, (size_t)more * sizeof *all), *p = a ? realloc(paths, (size_t)more * sizeof *paths) : NULL;
            all = a ? a : all;
            paths = p ? p : paths;
            if (!a || !p) {
                rc = -ENOMEM;
                goto out;
            }
            capacity = more;
        }
        all[n] = m;
        paths[n] = path[0] ? strdup(path) : NULL;
        if (paths[n])
            strip_deleted(paths[n]);
        n++;
    }
    if (n == 0) { /* a zombie has no mappings: what we know stays */
        map->gone = true;
        rc = -ESRCH;
        goto out;
    }
    find_files(map, all, paths, n);
    if (n != map->n || !same_mappings(all, map->mapping, n)) {
        struct mapping *old = map->mapping;
        map->mapping = all;
        map->n = n;
        map->version = ++map->files->version;
        all = old;
        find_exe(map);
    }
out:
    fclose(in);
    free(line);
    free(all);
    for (int i = 0; i < n; i++)
        free(paths[i]);
    free(paths);
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
        n = file_pread(m->file, m->offset + (address - m->start), ret_bytes, size);
    if (n < size)
        n = process_read(map, address, ret_bytes, size);
    if (n < size && m->file && m->writable)
        n = file_pread(m->file, m->offset + (address - m->start), ret_bytes, size);
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

/* What others ask of a file -------------------------------------------------------------------------------- */

struct module_files *module_files_new(void)
{
    return calloc(1, sizeof(struct module_files));
}

void module_files_free(struct module_files *files)
{
    if (!files)
        return;
    while (files->first) {
        struct module_file *f = files->first;
        files->first = f->next;
        file_free(f);
    }
    free(files);
}

const char *module_file_path(const struct module_file *file)
{
    return file->path;
}

const char *module_file_build_id(const struct module_file *file)
{
    return file->build_id;
}

uint64_t module_file_size(const struct module_file *file)
{
    return file->size;
}

uint64_t module_file_extent(const struct module_file *file)
{
    uint64_t lo = UINT64_MAX, hi = 0;
    for (int i = 0; i < file->n_segments; i++) {
        lo = MIN(lo, file->segment[i].vaddr);
        hi = MAX(hi, file->segment[i].vaddr + file->segment[i].filesz);
    }
    return hi > lo && hi - lo < 1ull << 46 ? hi - lo : PAGE;
}

int module_file_source(const struct module_file *file, const void **ret_image, size_t *ret_size)
{
    *ret_image = file->image;
    *ret_size = file->size;
    return file->fd;
}

bool module_file_eh_table(const struct module_file *file, struct module_eh_table *ret_table)
{
    if (file->has_eh)
        *ret_table = file->eh;
    return file->has_eh;
}

uint64_t module_file_function_start(struct module_file *f, uint64_t rel)
{
    uint64_t lo = 0, hi = f->has_eh ? f->eh.count : 0;
    int32_t pair[2], best[2] = { 0 };
    uint32_t fde[4]; /* length, CIE, start, range: each 32 bits in what compilers write */

    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (module_file_read(f, f->eh.table + mid * 8, pair, sizeof pair) != sizeof pair)
            return 0;
        if (f->eh.base + (uint64_t)(int64_t)pair[0] <= rel) {
            memcpy(best, pair, sizeof best);
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    uint64_t start = f->eh.base + (uint64_t)(int64_t)best[0];
    if (lo == 0 || module_file_read(f, f->eh.base + (uint64_t)(int64_t)best[1], fde, sizeof fde) != sizeof fde ||
        rel - start >= fde[3])
        return 0;
    return start;
}

struct debuginfo *module_file_debuginfo(struct module_file *file)
{
    if (!file->debuginfo)
        file->debuginfo = debuginfo_open(file);
    return file->debuginfo;
}

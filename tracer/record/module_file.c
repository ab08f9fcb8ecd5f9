/* module_file.c - one ELF file, and the registry of those opened so far.
 *
 * A file is opened when it is first seen and its descriptor is kept: later it may be replaced, deleted, or the process
 * killed.  It is read with pread through a few cached pages, never mapped: a file that somebody truncates would kill us
 * with SIGBUS.  Files come from the target, so each number in them is checked before it is used.  Of ELF only the
 * headers are read here, by hand; all else is debuginfo.c.  One thread. */
#include "module_file.h"

#include "../event.h"
#include "debuginfo.h"

#include <elf.h> /* behind event.h: its macro EV_NONE would hide ours */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/param.h>
#include <unistd.h>

#define PAGE         4096u
#define CACHED_PAGES 32u
#define SEGMENTS_MAX 32
#define BUILD_ID_MAX 32u /* bytes; SHA-1 is 20 */

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
    struct module_segment segment[SEGMENTS_MAX];
    bool has_eh;
    struct module_eh_table eh;
    struct cached_page *cache; /* CACHED_PAGES of them, from the first read on */
    struct debuginfo *debuginfo;
};

struct module_files {
    struct module_file *first;
    uint64_t version;
};

/* Its bytes and headers ---------------------------------------------------------------------------------------- */

size_t module_file_pread(struct module_file *f, uint64_t offset, void *ret_bytes, size_t size)
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
        const struct module_segment *s = &f->segment[i];
        if (rel >= s->vaddr && rel - s->vaddr < s->filesz)
            return module_file_pread(f, s->offset + (rel - s->vaddr), ret_bytes,
                                     MIN(size, s->filesz - (rel - s->vaddr)));
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
        if (module_file_pread(f, offset, &note, sizeof note) != sizeof note)
            return;
        uint64_t name = ((uint64_t)note.n_namesz + 3) & ~3ull;
        uint64_t all = sizeof note + name + (((uint64_t)note.n_descsz + 3) & ~3ull);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz <= BUILD_ID_MAX &&
            module_file_pread(f, offset + sizeof note, desc, 4 + note.n_descsz) == 4 + note.n_descsz &&
            !memcmp(desc, "GNU", 4)) {
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
    case 0x02:
    case 0x0a: pointer = 2; break;
    case 0x03:
    case 0x0b: pointer = 4; break;
    case 0x00:
    case 0x04:
    case 0x0c: pointer = 8; break;
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

    if (module_file_pread(f, 0, &eh, sizeof eh) != sizeof eh || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
        eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != machine || eh.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        Elf64_Phdr ph;
        if (module_file_pread(f, eh.e_phoff + i * sizeof ph, &ph, sizeof ph) != sizeof ph)
            break;
        if (ph.p_type == PT_LOAD && f->n_segments < SEGMENTS_MAX && ph.p_offset + ph.p_filesz >= ph.p_offset)
            f->segment[f->n_segments++] =
                (struct module_segment){ ph.p_vaddr, ph.p_offset, ph.p_filesz, ph.p_flags & PF_X };
        else if (ph.p_type == PT_GNU_EH_FRAME)
            eh_frame = ph.p_vaddr;
        else if (ph.p_type == PT_NOTE && !f->build_id[0])
            read_build_id(f, ph.p_offset, ph.p_filesz);
    }
    if (eh_frame)
        read_eh_header(f, eh_frame);
    return f->n_segments > 0;
}

/* The registry ------------------------------------------------------------------------------------------------- */

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

uint64_t module_files_next_version(struct module_files *files)
{
    return ++files->version;
}

/* Takes over `f`; returns the file the registry already has, or `f` itself.  NULL: it is no ELF file of our machine. */
static struct module_file *add(struct module_files *files, struct module_file *f)
{
    if (!read_headers(f)) {
        file_free(f);
        return NULL;
    }
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

struct module_file *module_files_add(struct module_files *files, const struct module_source *source)
{
    struct module_file *f = file_new(source->path);
    if (!f) {
        if (source->fd >= 0)
            close(source->fd);
        free(source->image);
        return NULL;
    }
    f->dev = source->dev;
    f->ino = source->ino;
    f->mtime = source->mtime;
    f->size = source->size;
    f->fd = source->fd;
    f->image = source->image;
    f->image_owned = true;
    return add(files, f);
}

struct module_file *module_files_vdso(struct module_files *files)
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
    return add(files, f);
}

/* What others ask of a file ------------------------------------------------------------------------------------ */

const char *module_file_path(const struct module_file *file)
{
    return file->path;
}

const char *module_file_build_id(const struct module_file *file)
{
    return file->build_id;
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

int module_file_segments(const struct module_file *file, const struct module_segment **ret_segments)
{
    *ret_segments = file->segment;
    return file->n_segments;
}

bool module_segment_bias(const struct module_segment *segment, uint64_t start, uint64_t offset, uint64_t *ret_bias)
{
    if (offset < (segment->offset & ~(uint64_t)(PAGE - 1)) || offset >= segment->offset + segment->filesz)
        return false;
    *ret_bias = start - offset + segment->offset - segment->vaddr;
    return true;
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

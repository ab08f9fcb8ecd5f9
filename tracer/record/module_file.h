/* module_file.h - one ELF file that a process maps, and the registry of all that were opened: kept open, so that a file
 * that was replaced or deleted later can still be unwound.  What is mapped where is modules.h.  Used by one thread. */
#ifndef LOOPSCOPE_MODULE_FILE_H
#define LOOPSCOPE_MODULE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct module_files; /* all files opened so far: a file is opened once, however many processes map it */
struct module_file;  /* one ELF file by (device, inode, build-id); lives as long as the registry */
struct debuginfo;

struct module_files *module_files_new(void);
void module_files_free(struct module_files *files); /* after the last map was closed */
/* A number it never gave before: the version of a map. */
uint64_t module_files_next_version(struct module_files *files);

struct module_source {    /* where the bytes of a file come from */
    const char *path;
    dev_t dev;
    ino_t ino;
    struct timespec mtime;
    uint64_t size;
    int fd;               /* -1: image */
    unsigned char *image; /* from malloc */
};
/* The file of `source`, whose fd and image are taken over in every case; perhaps one that is known already.  NULL: it
 * is no ELF file of our machine, or out of memory. */
struct module_file *module_files_add(struct module_files *files, const struct module_source *source);
/* The vDSO is the same image in every process of this kernel: ours stands for it.  NULL when there is none. */
struct module_file *module_files_vdso(struct module_files *files);

const char *module_file_path(const struct module_file *file);
const char *module_file_build_id(const struct module_file *file); /* hex, "" when it has none */
/* From its first to its last link-time address. */
uint64_t module_file_extent(const struct module_file *file);
/* Bytes at a link-time address, as the linker wrote them.  Returns how many were read. */
size_t module_file_read(struct module_file *file, uint64_t rel, void *ret_bytes, size_t size);
/* Bytes at an offset in the file.  Returns how many were read. */
size_t module_file_pread(struct module_file *file, uint64_t offset, void *ret_bytes, size_t size);
/* Its file descriptor, or -1 and its image in memory (the vDSO, a file that could only be had from the process). */
int module_file_source(const struct module_file *file, const void **ret_image, size_t *ret_size);

/* What of the file is loaded, in the order of its headers.  Returns how many segments. */
struct module_segment { uint64_t vaddr, offset, filesz; bool executable; };
int module_file_segments(const struct module_file *file, const struct module_segment **ret_segments);
/* What to add to a link-time address so that it lies in a mapping at `start` of the file from `offset` on, if that was
 * made of this segment; false when it was not. */
bool module_segment_bias(const struct module_segment *segment, uint64_t start, uint64_t offset, uint64_t *ret_bias);

/* The sorted table of .eh_frame_hdr: `count` pairs of 32-bit offsets from `base`, the first pair at `table`.
 * False when the file has none that can be searched.  All are link-time addresses. */
struct module_eh_table { uint64_t base, table, count; };
bool module_file_eh_table(const struct module_file *file, struct module_eh_table *ret_table);
/* Where the function around `rel` begins, from that table; 0 when not known. */
uint64_t module_file_function_start(struct module_file *file, uint64_t rel);

/* Its debug information, opened at the first call; never NULL unless out of memory. */
struct debuginfo *module_file_debuginfo(struct module_file *file);

#endif

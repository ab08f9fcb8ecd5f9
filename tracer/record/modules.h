/* modules.h - the ELF files of a process: what is mapped where, opened while the process lives and kept open, so that
 * a process that was killed, and a file that was replaced, can still be unwound.  Used by one thread. */
#ifndef LOOPSCOPE_MODULES_H
#define LOOPSCOPE_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct module_files; /* all files opened so far: a file is opened once, however many processes map it */
struct module_file;  /* one ELF file by (device, inode, build-id); lives as long as the registry */
struct module_map;   /* one process: its mappings, sorted */
struct debuginfo;

struct module_files *module_files_new(void);
void module_files_free(struct module_files *files); /* after the last map was closed */

struct module_ref {             /* an address, seen from its file */
    struct module_file *file;   /* NULL: no file is mapped there (JIT code, or nothing) */
    uint64_t rel;               /* link-time address in the file (address - bias) */
    uint64_t bias;
    bool executable;            /* the mapping is */
};

/* Reads /proc/PID/maps and opens what is mapped executable.  Returns NULL with errno when the process has gone. */
struct module_map *module_map_open(struct module_files *files, pid_t pid);
void module_map_close(struct module_map *map);
pid_t module_map_pid(const struct module_map *map);
/* Reads the maps again (a new library, or an address nobody knew).  0, or -errno when the process has gone. */
int module_map_reload(struct module_map *map);
/* Where `address` is; reloads once a second at most when no code is known there. */
struct module_ref module_map_find(struct module_map *map, uint64_t address);
/* The same without reloading. */
struct module_ref module_map_peek(const struct module_map *map, uint64_t address);
/* A number no other map has, and a new one whenever the mappings changed: what caches of addresses hang on. */
uint64_t module_map_version(const struct module_map *map);
/* Bytes at `address`: constant ones from the file, others from the process while it lives, else from the file.
 * Returns how many were read, 0 when none. */
size_t module_map_read(struct module_map *map, uint64_t address, void *ret_bytes, size_t size);
const struct module_file *module_map_exe(const struct module_map *map); /* the program itself; NULL when not known */
/* Opens NAME under /proc/PID, O_CLOEXEC; never that of a later process with the same pid.  -errno. */
int module_map_open_proc(const struct module_map *map, const char *name, int flags);

const char *module_file_path(const struct module_file *file);
const char *module_file_build_id(const struct module_file *file); /* hex, "" when it has none */
uint64_t module_file_size(const struct module_file *file);
/* From its first to its last link-time address. */
uint64_t module_file_extent(const struct module_file *file);
/* Bytes at a link-time address, as the linker wrote them.  Returns how many were read. */
size_t module_file_read(struct module_file *file, uint64_t rel, void *ret_bytes, size_t size);
/* Its file descriptor, or -1 and its image in memory (the vDSO, a file that could only be had from the process). */
int module_file_source(const struct module_file *file, const void **ret_image, size_t *ret_size);

/* The sorted table of .eh_frame_hdr: `count` pairs of 32-bit offsets from `base`, the first pair at `table`.
 * False when the file has none that can be searched.  All are link-time addresses. */
struct module_eh_table { uint64_t base, table, count; };
bool module_file_eh_table(const struct module_file *file, struct module_eh_table *ret_table);
/* Where the function around `rel` begins, from that table; 0 when not known. */
uint64_t module_file_function_start(struct module_file *file, uint64_t rel);

/* Its debug information, opened at the first call; never NULL unless out of memory. */
struct debuginfo *module_file_debuginfo(struct module_file *file);

#endif

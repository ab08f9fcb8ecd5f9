/* modules.h - the ELF files of a process: what is mapped where, opened while the process lives and kept open, so that
 * a process that was killed, and a file that was replaced, can still be unwound.  Used by one thread. */
#ifndef LOOPSCOPE_MODULES_H
#define LOOPSCOPE_MODULES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct module_file; /* one ELF file by (device, inode, build-id), shared by all processes that map it */

struct module_map;  /* one process: its mappings, sorted */

struct module_ref {             /* an address, seen from its file */
    struct module_file *file;   /* NULL: no file is mapped there (JIT code, or nothing) */
    uint64_t rel;               /* link-time address in the file (address - bias) */
    bool executable;            /* the mapping is */
};

/* Reads /proc/PID/maps and opens what is mapped executable.  Returns NULL with errno when the process has gone. */
struct module_map *module_map_open(pid_t pid);
void module_map_close(struct module_map *map);
pid_t module_map_pid(const struct module_map *map);
/* Reads the maps again (a new library, or an address nobody knew).  0, or -errno when the process has gone. */
int module_map_reload(struct module_map *map);
/* Where `address` is; reloads once a second at most when nothing is known there. */
struct module_ref module_map_find(struct module_map *map, uint64_t address);

const char *module_file_path(const struct module_file *file);
const char *module_file_build_id(const struct module_file *file); /* hex, "" when it has none */

#endif

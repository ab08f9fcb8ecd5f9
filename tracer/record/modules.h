/* modules.h - what is mapped where in a process, read while it lives and kept, so that a process that was killed can
 * still be unwound.  The files behind it are module_file.h.  Used by one thread. */
#ifndef LOOPSCOPE_MODULES_H
#define LOOPSCOPE_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "module_file.h"

struct module_map; /* one process: its mappings, sorted */

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

#endif

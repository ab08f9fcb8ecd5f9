/* perfmap.h - /tmp/perf-PID.map: the names that a JIT compiler writes down for its code.  One thread. */
#ifndef LOOPSCOPE_PERFMAP_H
#define LOOPSCOPE_PERFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modules.h"

struct perfmap;

struct perfmap *perfmap_new(void); /* of one process; nothing is opened yet */
void perfmap_free(struct perfmap *p);
/* The name of `address`, reading what was added to the file since the last call.  The text is not terminated and valid
 * until the next call.  False when the process wrote no map, or nothing about this address. */
bool perfmap_find(struct perfmap *p, const struct module_map *map, uint64_t address, const char **ret_text,
                  size_t *ret_length, uint64_t *ret_start);
/* Adds lines as they stand in the file; a last line without its end waits for the rest.  (perfmap_find reads the file.) */
void perfmap_add(struct perfmap *p, const char *text, size_t length);

/* What the names of node and CPython say:  "JS:*foo /srv/app.js:12:3",  "py::foo:/srv/app.py". */
struct perfmap_name {
    char function[256];
    char file[512];       /* "" when it says none */
    int line;
    const char *language; /* "js", "python", NULL */
    bool machinery;       /* built-in code of the engine, not of the program */
};
void perfmap_parse(const char *text, size_t length, struct perfmap_name *ret_name);

#endif

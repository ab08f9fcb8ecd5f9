/* spill.h - a nameless file that holds batches memory has no room for.  Written and read in the same order, so what was
 * read is given back to the disk at once.  The caller locks. */
#ifndef LOOPSCOPE_SPILL_H
#define LOOPSCOPE_SPILL_H

#include <stddef.h>
#include <sys/types.h>

struct spill {
    int fd;          /* -1 until the first write */
    off_t end;       /* where the next write goes */
    off_t in_use;    /* bytes written and not yet read */
    const char *dir; /* borrowed */
};

void spill_init(struct spill *s, const char *dir);
/* Appends; *ret_at tells where.  0, or -errno (-ENOSPC: the disk is full) with nothing kept. */
int spill_write(struct spill *s, const void *bytes, size_t size, off_t *ret_at);
/* Reads back what was written at `at`, and frees it.  0 or -errno. */
int spill_read(struct spill *s, off_t at, void *ret_bytes, size_t size);
void spill_close(struct spill *s);

#endif

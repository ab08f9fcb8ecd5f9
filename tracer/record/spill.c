/* spill.c - the file behind the queue of drain.  Owns one descriptor of a file without a name, so that nothing is left
 * behind however the recorder ends. */
#include "spill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void spill_init(struct spill *s, const char *dir)
{
    *s = (struct spill){ .fd = -1, .dir = dir };
}

static int open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    /* Some file systems (overlay, NFS) have no O_TMPFILE. */
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/loopscope-spill-XXXXXX", dir) >= sizeof path)
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}

int spill_write(struct spill *s, const void *bytes, size_t size, off_t *ret_at)
{
    if (s->fd < 0) {
        int fd = open_nameless(s->dir);
        if (fd < 0)
            return fd;
        s->fd = fd;
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(s->fd, (const char *)bytes + done, size - done, s->end + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int error = n < 0 ? -errno : -ENOSPC;
            if (ftruncate(s->fd, s->end) < 0) /* what was half written takes no room; the next write goes there */
                return -errno;
            return error;
        }
        done += (size_t)n;
    }
    *ret_at = s->end;
    s->end += (off_t)size;
    s->in_use += (off_t)size;
    return 0;
}

int spill_read(struct spill *s, off_t at, void *ret_bytes, size_t size)
{
    int error = 0;
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(s->fd, (char *)ret_bytes + done, size - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            error = n < 0 ? -errno : -EIO;
            break;
        }
        done += (size_t)n;
    }
    s->in_use -= (off_t)size;
    if (s->in_use == 0 && ftruncate(s->fd, 0) == 0)
        s->end = 0;
    else /* best effort: a file system without holes keeps the bytes until the file is empty */
        (void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)size);
    return error;
}

void spill_close(struct spill *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

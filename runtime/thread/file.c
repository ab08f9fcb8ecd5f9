/* file.c - files: calls that the kernel only has as blocking ones, on the loop's pool.
 *
 * A call is a `struct op` of its own memory: paths and data are copied into it, results out of it when it succeeds, so
 * one that its task gave up touches nothing of the caller's.  The file descriptor is counted: by the handle, and by
 * each op until it is over.  Who gives the last back closes it, a thread of the pool as a rule: so no op ever works on
 * a number that has become another file's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool.h"
#include "runtime/core/object.h"

struct counted_fd {
    atomic_uint refs; /* the last one to be given back must see what the others did: release and acquire */
    int fd;
};

struct file {
    struct object object; /* first */
    struct counted_fd *fd;
    unsigned waits; /* tasks that wait for an op on it */
};

struct op {
    intptr_t (*fn)(struct op *op);                /* on a thread: result, or -1 and errno */
    void (*undo)(struct op *op, intptr_t result); /* on success that nobody wants.  May be NULL */
    struct counted_fd *fd;                        /* NULL: works on paths */
    const char *path, *to;
    int flags;
    mode_t mode;
    off_t offset; /* LS_HERE_: the file's own position */
    struct stat st;
    void *out; /* malloc'ed by fn */
    size_t n;  /* bytes of data; of out */
    char data[];
};

static void fd_ref(struct counted_fd *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); /* the caller has one */
}

/* 0, or -1 and errno of the close. */
static int fd_unref(struct counted_fd *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
        return 0;
    int fd = c->fd;
    free(c);
    return close(fd);
}

/* Both in a name of at most `size` bytes; of a long path the end. */
static void name_op(char *name, size_t size, const char *verb, const char *path)
{
    size_t room = size - strlen(verb) - 1, n = strlen(path);
    snprintf(name, size, "%s%s%s", verb, n > room ? "..." : "", n > room ? path + n - room + 3 : path);
}

static void destroy(struct loop *l, struct object *o)
{
    (void)l;
    fd_unref(((struct file *)o)->fd);
}
static void describe(const struct object *o, char *text, size_t size)
{
    const struct file *f = (const struct file *)o;
    snprintf(text, size, "fd %d, %u tasks wait", f->fd ? f->fd->fd : -1, f->waits);
}
static const struct object_ops file_ops = {
    .kind = LS_OBJECT_FILE, .noun = "file", .size = sizeof(struct file), .destroy = destroy, .describe = describe
};

/* What a call on a path waits on, or a close: the name alone. */
static const struct object_ops path_ops = { .kind = LS_OBJECT_FILE, .noun = "file" };

/* NULL: no memory. */
static struct op *op_new(intptr_t (*fn)(struct op *), const char *path, const char *to, size_t n)
{
    size_t p = path ? strlen(path) + 1 : 0, t = to ? strlen(to) + 1 : 0;
    if (n > SIZE_MAX / 2)
        return NULL;
    struct op *op = malloc(sizeof *op + n + p + t);
    if (!op)
        return NULL;
    *op = (struct op){ .fn = fn, .n = n, .offset = LS_HERE_ };
    if (path)
        op->path = memcpy(op->data + n, path, p);
    if (to)
        op->to = memcpy(op->data + n + p, to, t);
    return op;
}

static intptr_t op_work(void *arg)
{
    struct op *op = arg;
    intptr_t result = op->fn(op);
    int error = errno;
    fd_unref(op->fd);
    op->fd = NULL;
    errno = error;
    return result;
}

static void op_drop(void *arg, intptr_t result)
{
    struct op *op = arg;
    if (result != -1 && op->undo)
        op->undo(op, result);
    fd_unref(op->fd); /* when it never ran */
    free(op->out);
    free(op);
}

/* Runs the op, which works on `on`; its result, or -1 and errno.  The op is still the caller's when that is not -1. */
static intptr_t op_run(struct loop *l, struct op *op, const char *verb, struct object *on, bool must_run,
                       struct ls_site *site, ls_ns deadline)
{
    if (!op)
        return lsrt_result(ENOMEM);
    char name[64];
    name_op(name, sizeof name, verb, op->path ? op->path : on->name);
    struct work w = { .fn = op_work,
                      .arg = op,
                      .drop = op_drop,
                      .name = name,
                      .why = LS_WHY_FILE,
                      .on = on_object(on),
                      .must_run = must_run,
                      .site = site,
                      .deadline = deadline };
    intptr_t result;
    int op_error, error = lsrt_pool_run(l, NULL, &w, &result, &op_error);
    if (error)
        return lsrt_result(error);
    if (result == -1) {
        op_drop(op, -1);
        errno = op_error;
    }
    return result;
}

/* An op on a path: in the trace it waits on an object of that name. */
static intptr_t op_run_path(struct loop *l, struct op *op, const char *verb, struct ls_site *site, ls_ns deadline)
{
    if (op && !op->path) {
        op_drop(op, -1);
        return lsrt_misuse(EINVAL, "ls_file_*: the path to %sis NULL", verb);
    }
    struct object o = { .ops = &path_ops, .site = site };
    name_op(o.name, sizeof o.name, "", op ? op->path : "");
    intptr_t result = op_run(l, op, verb, &o, false, site, deadline);
    if (o.probe_id)
        ls_probe_object_end(o.probe_id);
    return result;
}

static intptr_t op_run_file(struct loop *l, struct file *f, struct op *op, const char *verb, struct ls_site *site,
                            ls_ns deadline)
{
    if (op) {
        fd_ref(f->fd);
        op->fd = f->fd;
    }
    f->waits++;
    intptr_t result = op_run(l, op, verb, &f->object, false, site, deadline);
    f->waits--;
    return result;
}

static struct file *file_of(struct loop *l, struct ls_file *handle, const char *call)
{
    return l ? lsrt_object_of(l, handle, &file_ops, call) : NULL;
}

/* An op without results but 0: runs it and frees it. */
static int finish(struct op *op, intptr_t result)
{
    if (result == -1)
        return -1;
    free(op->out);
    free(op);
    return 0;
}

/* --- open and close ---------------------------------------------------------------------------------------------- */

static intptr_t do_open(struct op *op)
{
    return open(op->path, op->flags | O_CLOEXEC, op->mode);
}
static void undo_open(struct op *op, intptr_t fd)
{
    (void)op;
    close((int)fd);
}

struct ls_file *ls_file_open_at(struct ls_site *site, const char *path, int flags, mode_t mode, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_open");
    if (!l)
        return NULL;
    struct op *op = op_new(do_open, path, NULL, 0);
    if (op) {
        op->flags = flags;
        op->mode = mode;
        op->undo = undo_open;
    }
    intptr_t fd = op_run_path(l, op, "open ", site, deadline);
    if (fd == -1)
        return NULL;
    char name[sizeof((struct object *)0)->name];
    name_op(name, sizeof name, "", op->path);
    struct counted_fd *c = malloc(sizeof *c);
    struct file *f = c ? lsrt_object_new(l, &file_ops, site, name) : NULL;
    free(op);
    if (!f) {
        free(c);
        close((int)fd);
        errno = ENOMEM;
        return NULL;
    }
    atomic_init(&c->refs, 1);
    c->fd = (int)fd;
    f->fd = c;
    return lsrt_object_handle(l, f);
}

static intptr_t do_close(struct op *op)
{
    struct counted_fd *c = op->fd;
    op->fd = NULL;
    return fd_unref(c);
}

int ls_file_close_at(struct ls_site *site, struct ls_file *file, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_close");
    struct file *f = file_of(l, file, "ls_file_close");
    if (!f)
        return -1;
    if (f->waits)
        return lsrt_misuse(EBUSY, "ls_file_close: %u tasks wait for file '%s'", f->waits, f->object.name);
    struct object o = f->object; /* goes on in the trace until it is closed */
    o.ops = &path_ops;
    struct op *op = op_new(do_close, NULL, NULL, 0);
    if (op) {
        op->fd = f->fd;
        f->fd = NULL;
    }
    f->object.probe_id = 0;
    lsrt_object_free(l, f); /* without an op this closes it */
    int result = finish(op, op_run(l, op, "close ", &o, true, site, deadline));
    int error = errno;
    if (o.probe_id)
        ls_probe_object_end(o.probe_id);
    errno = error;
    return result;
}

/* --- read and write ---------------------------------------------------------------------------------------------- */

static intptr_t do_read(struct op *op)
{
    ssize_t r;
    do
        r = op->offset == LS_HERE_ ? read(op->fd->fd, op->data, op->n) : pread(op->fd->fd, op->data, op->n, op->offset);
    while (r < 0 && errno == EINTR);
    return r;
}

ssize_t ls_file_read_at(struct ls_site *site, struct ls_file *file, void *buf, size_t n, off_t offset, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_read");
    struct file *f = file_of(l, file, "ls_file_read");
    if (!f)
        return -1;
    struct op *op = op_new(do_read, NULL, NULL, n);
    if (op)
        op->offset = offset;
    ssize_t r = op_run_file(l, f, op, "read ", site, deadline);
    if (r < 0)
        return -1;
    memcpy(buf, op->data, (size_t)r);
    free(op);
    return r;
}

static intptr_t do_write(struct op *op)
{
    for (size_t done = 0; done < op->n;) {
        const char *at = op->data + done;
        ssize_t r = op->offset == LS_HERE_ ? write(op->fd->fd, at, op->n - done)
                                           : pwrite(op->fd->fd, at, op->n - done, op->offset + (off_t)done);
        if (r < 0 && errno != EINTR)
            return -1;
        done += r > 0 ? (size_t)r : 0;
    }
    return (intptr_t)op->n;
}

ssize_t ls_file_write_at(struct ls_site *site, struct ls_file *file, const void *buf, size_t n, off_t offset,
                         ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_write");
    struct file *f = file_of(l, file, "ls_file_write");
    if (!f)
        return -1;
    struct op *op = op_new(do_write, NULL, NULL, n);
    if (op) {
        op->offset = offset;
        memcpy(op->data, buf, n);
    }
    ssize_t r = op_run_file(l, f, op, "write ", site, deadline);
    if (r >= 0)
        free(op);
    return r;
}

/* --- the rest ---------------------------------------------------------------------------------------------------- */

static intptr_t do_fsync(struct op *op)
{
    return op->flags ? fdatasync(op->fd->fd) : fsync(op->fd->fd);
}
int ls_file_fsync_at(struct ls_site *site, struct ls_file *file, int data_only, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_fsync");
    struct file *f = file_of(l, file, "ls_file_fsync");
    if (!f)
        return -1;
    struct op *op = op_new(do_fsync, NULL, NULL, 0);
    if (op)
        op->flags = data_only;
    return finish(op, op_run_file(l, f, op, "fsync ", site, deadline));
}

static intptr_t do_truncate(struct op *op)
{
    return ftruncate(op->fd->fd, op->offset);
}
int ls_file_truncate_at(struct ls_site *site, struct ls_file *file, off_t size, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_truncate");
    struct file *f = file_of(l, file, "ls_file_truncate");
    if (!f)
        return -1;
    struct op *op = op_new(do_truncate, NULL, NULL, 0);
    if (op)
        op->offset = size;
    return finish(op, op_run_file(l, f, op, "truncate ", site, deadline));
}

static intptr_t do_stat(struct op *op)
{
    return op->path ? stat(op->path, &op->st) : fstat(op->fd->fd, &op->st);
}
static int finish_stat(struct op *op, intptr_t result, struct stat *ret_stat)
{
    if (result == 0)
        *ret_stat = op->st;
    return finish(op, result);
}
int ls_file_fstat_at(struct ls_site *site, struct ls_file *file, struct stat *ret_stat, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_fstat");
    struct file *f = file_of(l, file, "ls_file_fstat");
    if (!f)
        return -1;
    struct op *op = op_new(do_stat, NULL, NULL, 0);
    return finish_stat(op, op_run_file(l, f, op, "fstat ", site, deadline), ret_stat);
}
int ls_file_stat_at(struct ls_site *site, const char *path, struct stat *ret_stat, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_stat");
    if (!l)
        return -1;
    struct op *op = op_new(do_stat, path, NULL, 0);
    return finish_stat(op, op_run_path(l, op, "stat ", site, deadline), ret_stat);
}

/* Calls that take paths and give nothing back. */
static int path_call(const char *call, const char *verb, intptr_t (*fn)(struct op *), const char *path, const char *to,
                     mode_t mode, struct ls_site *site, ls_ns deadline)
{
    struct loop *l = lsrt_inside(call);
    if (!l)
        return -1;
    struct op *op = op_new(fn, path, to, 0);
    if (op)
        op->mode = mode;
    return finish(op, op_run_path(l, op, verb, site, deadline));
}
static intptr_t do_rename(struct op *op)
{
    return rename(op->path, op->to);
}
int ls_file_rename_at(struct ls_site *site, const char *from, const char *to, ls_ns deadline)
{
    return path_call("ls_file_rename", "rename ", do_rename, from, to, 0, site, deadline);
}
static intptr_t do_unlink(struct op *op)
{
    return unlink(op->path);
}
int ls_file_unlink_at(struct ls_site *site, const char *path, ls_ns deadline)
{
    return path_call("ls_file_unlink", "unlink ", do_unlink, path, NULL, 0, site, deadline);
}
static intptr_t do_mkdir(struct op *op)
{
    return mkdir(op->path, op->mode);
}
int ls_file_mkdir_at(struct ls_site *site, const char *path, mode_t mode, ls_ns deadline)
{
    return path_call("ls_file_mkdir", "mkdir ", do_mkdir, path, NULL, mode, site, deadline);
}
static intptr_t do_rmdir(struct op *op)
{
    return rmdir(op->path);
}
int ls_file_rmdir_at(struct ls_site *site, const char *path, ls_ns deadline)
{
    return path_call("ls_file_rmdir", "rmdir ", do_rmdir, path, NULL, 0, site, deadline);
}

/* --- whole files and directories --------------------------------------------------------------------------------- */

/* Reads to the end into op->out, a byte larger than op->n. */
static int read_to_end(struct op *op, int fd, size_t room)
{
    for (;;) {
        char *out = realloc(op->out, room + 1);
        if (!out)
            return ENOMEM;
        op->out = out;
        while (op->n < room) {
            ssize_t r = read(fd, out + op->n, room - op->n);
            if (r < 0 && errno != EINTR)
                return errno;
            if (r == 0) {
                out[op->n] = 0;
                return 0;
            }
            op->n += r > 0 ? (size_t)r : 0;
        }
        room *= 2;
    }
}
static intptr_t do_read_all(struct op *op)
{
    int fd = open(op->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct stat st; /* one byte more than it has now: the next read says that it is the end */
    int error = fstat(fd, &st) ? errno : read_to_end(op, fd, st.st_size > 0 ? (size_t)st.st_size + 1 : 4096);
    close(fd);
    errno = error;
    return error ? -1 : 0;
}
int ls_file_read_all_at(struct ls_site *site, const char *path, char **ret_data, size_t *ret_size, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_read_all");
    if (!l)
        return -1;
    struct op *op = op_new(do_read_all, path, NULL, 0);
    if (op_run_path(l, op, "read ", site, deadline))
        return -1;
    *ret_data = op->out;
    if (ret_size)
        *ret_size = op->n;
    free(op);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}
/* One piece of memory: `n` pointers and a NULL, then `size` bytes of names. */
static char **names_in_one_piece(const char *names, size_t size, size_t n)
{
    char **all = malloc((n + 1) * sizeof *all + size);
    if (!all)
        return NULL;
    char *at = memcpy(all + n + 1, names, size);
    for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
        all[i] = at;
    all[n] = NULL;
    qsort(all, n, sizeof *all, by_name);
    return all;
}
static intptr_t do_list(struct op *op)
{
    DIR *dir = opendir(op->path);
    if (!dir)
        return -1;
    char *names = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&names, &size);
    int error = f ? 0 : ENOMEM;
    while (!error) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (!d) {
            error = errno;
            break;
        }
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0) {
            fwrite(d->d_name, strlen(d->d_name) + 1, 1, f);
            op->n++;
        }
    }
    if (f && fclose(f) && !error)
        error = ENOMEM;
    closedir(dir);
    if (!error && !(op->out = names_in_one_piece(names, size, op->n)))
        error = ENOMEM;
    free(names);
    errno = error;
    return error ? -1 : 0;
}
int ls_file_list_at(struct ls_site *site, const char *path, char ***ret_names, size_t *ret_count, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_file_list");
    if (!l)
        return -1;
    struct op *op = op_new(do_list, path, NULL, 0);
    if (op_run_path(l, op, "list ", site, deadline))
        return -1;
    *ret_names = op->out;
    if (ret_count)
        *ret_count = op->n;
    free(op);
    return 0;
}

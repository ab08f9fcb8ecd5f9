/* Files on the pool: what is read and written, giving up while a thread is at it, closing, wrong use. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static char dir[64], path[128], other[128];
static void enter(void)
{
    strcpy(dir, "/tmp/ls-file-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/data", dir);
    snprintf(other, sizeof other, "%s/other", dir);
}
static void leave(void)
{
    unlink(path);
    unlink(other);
    rmdir(dir);
}
TestSuite(file, .init = enter, .fini = leave);

static int open_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static intptr_t use_app(void *arg)
{
    (void)arg;
    char buf[32] = "";
    struct stat st;
    struct ls_file *f = ls_file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, LS_NEVER);
    if (!f)
        return 1;
    if (ls_file_write(f, "hello, ", 7, LS_NEVER) != 7 || ls_file_write(f, "world", 5, LS_NEVER) != 5)
        return 2;
    if (ls_file_pread(f, buf, 5, 7, LS_NEVER) != 5 || strcmp(buf, "world") != 0)
        return 3;
    if (ls_file_pwrite(f, "J", 1, 0, LS_NEVER) != 1 || ls_file_read(f, buf, 9, LS_NEVER) != 0) /* it is at the end */
        return 4;
    if (ls_file_fsync(f, LS_NEVER) || ls_file_fdatasync(f, LS_NEVER) || ls_file_fstat(f, &st, LS_NEVER) ||
        st.st_size != 12)
        return 5;
    if (ls_file_truncate(f, 5, LS_NEVER) || ls_file_stat(path, &st, LS_NEVER) || st.st_size != 5)
        return 6;
    if (ls_file_close(f, LS_NEVER))
        return 7;
    if (ls_file_rename(path, other, LS_NEVER) || ls_file_stat(path, &st, LS_NEVER) != -1 || errno != ENOENT)
        return 8;
    char *data;
    size_t size = 0;
    if (ls_file_read_all(other, &data, &size, LS_NEVER) || size != 5 || strcmp(data, "Jello") != 0)
        return 9;
    free(data);
    if (ls_file_unlink(other, LS_NEVER) || ls_file_read_all(other, &data, &size, LS_NEVER) != -1 || errno != ENOENT)
        return 10;
    if (ls_file_mkdir(other, 0700, LS_NEVER) || ls_file_rmdir(other, LS_NEVER) || ls_file_rmdir(other, LS_NEVER) != -1)
        return 11;
    return 0;
}
Test(file, all_calls_do_what_they_are_named_after)
{
    intptr_t r = ls_run(use_app, NULL, NULL);
    cr_assert_eq(r, 0, "%ld", (long)r);
}

static intptr_t whole_app(void *arg)
{
    (void)arg;
    enum { BIG = 3000000 };
    char *big = malloc(BIG), *data, **names;
    size_t size, n;
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i * 7 >> 3);
    struct ls_file *f = ls_file_open(path, O_WRONLY | O_CREAT, 0600, LS_NEVER);
    if (ls_file_write(f, big, BIG, LS_NEVER) != BIG || ls_file_close(f, LS_NEVER))
        return 1;
    if (ls_file_read_all(path, &data, &size, LS_NEVER) || size != BIG || memcmp(data, big, BIG) != 0 || data[BIG])
        return 2;
    free(data);
    free(big);
    if (ls_file_read_all("/proc/self/maps", &data, &size, LS_NEVER) || size < 1000 || strlen(data) != size)
        return 3; /* has no size of its own */
    free(data);
    if (ls_file_read_all("/dev/null", &data, &size, LS_NEVER) || size != 0 || *data)
        return 4;
    free(data);
    ls_file_close(ls_file_open(other, O_WRONLY | O_CREAT, 0600, LS_NEVER), LS_NEVER);
    if (ls_file_list(dir, &names, &n, LS_NEVER) || n != 2 || strcmp(names[0], "data") != 0 ||
        strcmp(names[1], "other") != 0 || names[2])
        return 5;
    free(names);
    if (ls_file_list("/nowhere", &names, &n, LS_NEVER) != -1 || errno != ENOENT)
        return 6;
    if (ls_file_list(path, &names, &n, LS_NEVER) != -1 || errno != ENOTDIR)
        return 7;
    return 0;
}
Test(file, whole_files_and_directories)
{
    intptr_t r = ls_run(whole_app, NULL, NULL);
    cr_assert_eq(r, 0, "%ld", (long)r);
}

/* A fifo: its reader waits until there is something, as a disk that does not answer. */
static char fifo_buf[8];
static intptr_t read_fifo(void *f)
{
    return ls_file_read(f, fifo_buf, sizeof fifo_buf, LS_NEVER);
}
static intptr_t stop_app(void *arg)
{
    (void)arg;
    intptr_t r;
    char *mine = malloc(8);
    strcpy(fifo_buf, "before");
    struct ls_file *in = ls_file_open(path, O_RDONLY | O_NONBLOCK, 0, LS_NEVER);
    struct ls_file *out = ls_file_open(path, O_WRONLY, 0, LS_NEVER);
    if (!in || !out)
        return 1;
    ls_file_close(in, LS_NEVER);
    in = ls_file_open(path, O_RDWR, 0, LS_NEVER); /* a blocking one */
    struct ls_task *t = ls_spawn(read_fifo, in, NULL);
    ls_sleep(5 * LS_MS);
    if (ls_file_close(in, LS_NEVER) != -1 || errno != EBUSY || !strstr(ls_error_text(), "1 tasks wait"))
        return 2;
    ls_cancel(t, NULL);
    if (ls_await(t, &r, LS_NEVER) || r != -1 || errno != ECANCELED)
        return 3;
    if (ls_file_read(in, mine, 8, ls_after(3 * LS_MS)) != -1 || errno != ETIMEDOUT)
        return 4;
    free(mine); /* the thread is still at it */
    int before = open_fds();
    if (ls_file_close(in, LS_NEVER)) /* its reads are still on: the last closes it */
        return 5;
    if (ls_file_close(in, LS_NEVER) != -1 || errno != EINVAL)
        return 6;
    if (open_fds() != before)
        return 7;
    if (ls_file_write(out, "0123456789abcdef", 16, LS_NEVER) != 16) /* both reads end */
        return 8;
    for (int i = 0; i < 1000 && open_fds() == before; i++)
        ls_sleep(LS_MS);
    if (open_fds() != before - 1)
        return 9;
    return strcmp(fifo_buf, "before") ? 10 : 0;
}
Test(file, a_read_that_was_given_up_touches_nothing)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
    int before = open_fds();
    intptr_t r = ls_run(stop_app, NULL, NULL);
    cr_assert_eq(r, 0, "%ld", (long)r);
    cr_assert_eq(open_fds(), before); /* `out` was closed by the loop's end */
}

static intptr_t open_fifo(void *arg)
{
    (void)arg;
    return ls_file_open(path, O_RDONLY, 0, LS_NEVER) ? 0 : -1; /* waits for a writer */
}
/* A thread of ours is in this system call.  (A job that had not begun would be withdrawn, and never run.) */
static int a_thread_is_in(long call)
{
    int found = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));) {
        char name[300];
        long in = -1;
        snprintf(name, sizeof name, "/proc/self/task/%s/syscall", e->d_name);
        FILE *f = fopen(name, "r");
        found |= f && fscanf(f, "%ld", &in) == 1 && in == call;
        if (f)
            fclose(f);
    }
    if (d)
        closedir(d);
    return found;
}
static intptr_t drop_open_app(void *arg)
{
    (void)arg;
    intptr_t r;
    struct ls_task *t = ls_spawn(open_fifo, NULL, NULL);
    for (int i = 0; i < 5000 && !a_thread_is_in(SYS_openat); i++)
        ls_sleep(LS_MS);
    ls_cancel(t, NULL);
    if (ls_await(t, &r, LS_NEVER) || r != -1 || errno != ECANCELED)
        return 1;
    struct ls_file *w = ls_file_open(path, O_WRONLY, 0, LS_NEVER);
    return w ? 0 : 2;
}
Test(file, an_open_that_was_given_up_is_closed)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
    int before = open_fds();
    cr_assert_eq(ls_run(drop_open_app, NULL, NULL), 0);
    cr_assert_eq(open_fds(), before);
}

/* ls_dump while a task waits for a call on a path: that is no file yet. */
static char dumped[4096];
static intptr_t dump_app(void *arg)
{
    (void)arg;
    struct ls_task *t = ls_spawn(open_fifo, NULL, NULL);
    ls_sleep(3 * LS_MS);
    int fd = memfd_create("dump", 0);
    if (fd < 0 || ls_dump(fd) || pread(fd, dumped, sizeof dumped - 1, 0) < 0)
        return 1;
    close(fd);
    struct ls_file *w = ls_file_open(path, O_WRONLY, 0, LS_NEVER);
    return w ? ls_await(t, NULL, LS_NEVER) : 2;
}
Test(file, a_dump_knows_a_path_that_is_not_open_yet)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(ls_run(dump_app, NULL, NULL), 0);
    char *at = strstr(dumped, "for file '"), wanted[160];
    snprintf(wanted, sizeof wanted, "for file '%s', at ", path);
    cr_assert(at && !strncmp(at, wanted, strlen(wanted)), "%s", dumped);
}

static intptr_t close_cancelled(void *f)
{
    ls_cancel(ls_self(), NULL);
    return ls_file_close(f, LS_NEVER);
}
static intptr_t close_app(void *arg)
{
    (void)arg;
    intptr_t r;
    struct stat st;
    ls_file_stat("/", &st, LS_NEVER); /* the pool is made at its first use, with an eventfd */
    int before = open_fds();
    struct ls_task *t = ls_spawn(close_cancelled, ls_file_open("/dev/null", O_RDONLY, 0, LS_NEVER), NULL);
    if (ls_await(t, &r, LS_NEVER) || r != -1 || errno != ECANCELED)
        return 1;
    if (ls_file_close(ls_file_open("/dev/null", O_RDONLY, 0, LS_NEVER), 1) != -1 || errno != ETIMEDOUT)
        return 2;
    for (int i = 0; i < 1000 && open_fds() != before; i++)
        ls_sleep(LS_MS);
    return open_fds() == before ? 0 : 3;
}
Test(file, close_closes_whatever_it_returns)
{
    cr_assert_eq(ls_run(close_app, NULL, NULL), 0);
}

static struct ls_file *stale;
static intptr_t misuse_app(void *arg)
{
    (void)arg;
    char c;
    stale = ls_file_open("/dev/null", O_RDONLY, 0, LS_NEVER);
    if (ls_file_read(NULL, &c, 1, LS_NEVER) != -1 || errno != EINVAL || !strstr(ls_error_text(), "file is NULL"))
        return 1;
    if (ls_file_read((struct ls_file *)ls_self(), &c, 1, LS_NEVER) != -1 || errno != EINVAL)
        return 2;
    if (ls_file_open(NULL, O_RDONLY, 0, LS_NEVER) || errno != EINVAL || !strstr(ls_error_text(), "NULL"))
        return 3;
    if (ls_file_write(stale, "x", 1, LS_NEVER) != -1 || errno != EBADF) /* write's own errno: it is read-only */
        return 4;
    if (ls_file_pread(stale, &c, 1, -5, LS_NEVER) != -1 || errno != EINVAL)
        return 5;
    if (ls_file_open("/nowhere/at all", O_RDONLY, 0, LS_NEVER) || errno != ENOENT)
        return 6;
    if (ls_file_read(stale, &c, SIZE_MAX, LS_NEVER) != -1 || errno != ENOMEM)
        return 7;
    return 0;
}
static intptr_t other_loop_app(void *arg)
{
    (void)arg;
    return ls_file_close(stale, LS_NEVER) == -1 && errno == EPERM ? 0 : 1;
}
Test(file, wrong_use_is_an_error)
{
    intptr_t r = ls_run(misuse_app, NULL, NULL);
    cr_assert_eq(r, 0, "%ld", (long)r);
    cr_assert_eq(ls_run(other_loop_app, NULL, NULL), 0);
    cr_assert_null(ls_file_open("/dev/null", O_RDONLY, 0, LS_NEVER));
    cr_assert_eq(errno, EPERM);
}

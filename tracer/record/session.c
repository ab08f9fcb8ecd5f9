/* session.c - makes and removes the session's directory and arena.  Runs in the recorder, on its storing thread.
 *
 * The arena is a sparse file on a tmpfs where there is one: on a disk, write-back of dirty pages would stall the
 * target at its next store.  Memory is put behind the rings by us, ahead of the writer, because a store into a hole
 * of a full tmpfs is a SIGBUS, and that would be the target's. */
#include "session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define RING_FIRST   (64u << 10) /* bytes of each ring that have memory from the start */
#define RING_AHEAD   (2u << 20)  /* and how far ahead of the writer we keep it, at least */
#define SLOTS_AHEAD  4           /* the slots that are claimed first have that much from the start, too */
#define PAGE_RECORDS (4096 / sizeof(struct ls_event))
#define DIR_PREFIX   "loopscope-"
#define ARENA_PREFIX "arena"
#define STALE_AFTER  60 /* s: a directory without a lock younger than this may be in the making */

static bool usable_dir(const char *dir, bool by_all)
{
    struct stat st;
    return dir && dir[0] == '/' && !stat(dir, &st) && S_ISDIR(st.st_mode) && (!by_all || st.st_mode & S_IXOTH) &&
           !access(dir, W_OK | X_OK);
}

static void remove_session_dir(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (!strcmp(e->d_name, "lock") || !strncmp(e->d_name, ARENA_PREFIX, strlen(ARENA_PREFIX)))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(dir);
}

/* Removes directories of ours whose recorder is gone: its lock can be had. */
static void sweep(const char *base)
{
    DIR *d = opendir(base);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        if (strncmp(e->d_name, DIR_PREFIX, strlen(DIR_PREFIX)))
            continue;
        char dir[PATH_MAX], lock[PATH_MAX + 8];
        struct stat st;
        if (snprintf(dir, sizeof dir, "%s/%s", base, e->d_name) >= (int)sizeof dir || lstat(dir, &st) ||
            !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
            continue;
        snprintf(lock, sizeof lock, "%s/lock", dir);
        int fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 ? st.st_mtime + STALE_AFTER < time(NULL) : !flock(fd, LOCK_EX | LOCK_NB))
            remove_session_dir(dir);
        if (fd >= 0)
            close(fd);
    }
    closedir(d);
}

/* The largest arena that fits: a small /dev/shm (64 MiB in a container) or ulimit -v gets fewer and smaller rings. */
static void fit(const char *dir, uint32_t *slots, uint64_t *records)
{
    struct statvfs vfs;
    struct rlimit file, memory;
    uint64_t space = UINT64_MAX;
    if (!statvfs(dir, &vfs) && vfs.f_blocks) /* a tmpfs without a limit says 0 */
        space = (uint64_t)vfs.f_bavail * vfs.f_frsize / 2;
    if (!getrlimit(RLIMIT_FSIZE, &file) && file.rlim_cur < space)
        space = file.rlim_cur;
    if (!getrlimit(RLIMIT_AS, &memory) && memory.rlim_cur / 4 < space)
        space = memory.rlim_cur / 4;
    while (ls_arena_size(*slots, *records) > space && (*slots > 16 || *records > 2048)) {
        if (*slots > 16)
            *slots /= 2;
        else
            *records /= 2;
    }
}

static uint64_t ring_records(size_t bytes)
{
    uint64_t n = 8;
    while (n * 2 * sizeof(struct ls_event) <= bytes)
        n *= 2;
    return n;
}

/* Memory (on a disk: blocks) behind bytes [from, to) of a ring. */
static int populate(struct session *s, uint32_t slot, uint64_t from, uint64_t to)
{
    uint64_t at = s->size - (s->slots - slot) * s->records * sizeof(struct ls_event) + from;
    if (!fallocate(s->fd, 0, (off_t)at, (off_t)(to - from)))
        return 0;
    if (errno != EOPNOTSUPP)
        return -ENOSPC;
    char *page = (char *)s->arena + (at & ~(uint64_t)4095);
    if (!madvise(page, (to - from + (at & 4095) + 4095) & ~(uint64_t)4095, MADV_POPULATE_WRITE))
        return 0;
    return -ENOSPC; /* EFAULT: there is none.  EINVAL: a kernel before 5.14, where touching would be the same SIGBUS, in us */
}

/* Memory behind a ring's first n records. */
static int back_up_to(struct session *s, uint32_t slot, uint64_t n)
{
    n = (n + PAGE_RECORDS - 1) / PAGE_RECORDS * PAGE_RECORDS;
    if (n > s->records)
        n = s->records;
    int r = populate(s, slot, s->backed[slot] * sizeof(struct ls_event), n * sizeof(struct ls_event));
    if (r)
        return r;
    s->backed[slot] = n;
    /* Ensure the writer, which acquires it, stores there only after the memory is there. */
    atomic_store_explicit(&ls_arena_slot(s->arena, slot)->holes, n < s->records ? n : 0, memory_order_release);
    return 0;
}

int session_back(struct session *s, uint32_t slot, uint64_t head)
{
    uint64_t have = s->backed[slot], want = head + RING_AHEAD / sizeof(struct ls_event);
    if (have == s->records)
        return 0;
    if (head >= s->records)
        return back_up_to(s, slot, s->records); /* it says it has been all the way round */
    want += head;                               /* who has written much may write as much again before we look again */
    return have > head && have - head >= (want - head) / 2 ? 0 : back_up_to(s, slot, want);
}

static int make_arena(struct session *s, const struct session_options *o)
{
    uint32_t slots = o->slots ? o->slots : LS_SLOTS_DEFAULT;
    uint64_t records = ring_records(o->ring_bytes ? o->ring_bytes : LS_RING_DEFAULT);
    fit(s->dir, &slots, &records);
    s->size = ls_arena_size(slots, records);
    s->slots = slots;
    s->records = records;
    if (!(s->backed = calloc(slots, sizeof *s->backed)))
        return -ENOMEM;

    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    size_t rings = s->size - (size_t)slots * records * sizeof(struct ls_event);
    int r = ftruncate(fd, (off_t)s->size) ? errno : posix_fallocate(fd, 0, (off_t)rings);
    void *map = MAP_FAILED;
    if (!r) {
        map = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        r = map == MAP_FAILED ? errno : 0;
    }
    s->fd = fd;
    if (r)
        return -r;
    s->arena = map;
    *s->arena = (struct ls_arena){
        .magic = LS_ARENA_MAGIC,
        .version = LS_ARENA_VERSION,
        .slots = slots,
        .ring_records = records,
        .ring_offset = rings,
        .clock = o->clock,
        .recorder_pid = getpid(),
        .threshold = (ticks_t)((double)o->threshold * (double)o->ticks_per_sec / 1e9),
        .call_min = (ticks_t)((double)o->call_min * (double)o->ticks_per_sec / 1e9),
        .ticks_per_sec = o->ticks_per_sec,
        .next_id = 1,
    };
    for (uint32_t i = 0; i < slots && !r; i++)
        r = back_up_to(s, i, (i < SLOTS_AHEAD ? RING_AHEAD : RING_FIRST) / sizeof(struct ls_event));
    return r;
}

/* What root starts may become another user and then call exec (su, setpriv, gosu): that program opens the arena anew.
 * So root's is open to all, in a directory that none of them can list, by a name that none can guess: only a process
 * of the recording has it, in its environment. */
static int name_arena(struct session *s)
{
    uint64_t secret[2] = { 0 };
    if (!geteuid() && getrandom(secret, sizeof secret, 0) != sizeof secret)
        return -errno;
    if (geteuid())
        snprintf(s->path, sizeof s->path, "%s/" ARENA_PREFIX, s->dir);
    else
        snprintf(s->path, sizeof s->path, "%s/" ARENA_PREFIX "-%016" PRIx64 "%016" PRIx64, s->dir, secret[0],
                 secret[1]);
    return 0;
}

static int create_in(const char *base, const struct session_options *options, struct session *ret_session)
{
    struct session s = { .lock_fd = -1, .fd = -1 };
    int r = 0;
    if (snprintf(s.dir, sizeof s.dir, "%s/" DIR_PREFIX "XXXXXX", base) >= (int)sizeof s.dir)
        return -ENAMETOOLONG;
    if (!mkdtemp(s.dir))
        return -errno;
    snprintf(s.path, sizeof s.path, "%s/lock", s.dir);
    s.lock_fd = open(s.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s.lock_fd < 0 || flock(s.lock_fd, LOCK_EX | LOCK_NB))
        r = -errno;
    if (!r)
        r = name_arena(&s);
    if (!r)
        r = make_arena(&s, options);
    if (!r && !geteuid() && (fchmod(s.fd, 0666) || chmod(s.dir, 0711)))
        r = -errno;
    if (r) {
        session_remove(&s);
        return r;
    }
    *ret_session = s;
    return 0;
}

/* Where: a tmpfs of the user's, the system's, or any temporary directory; the first that has room.  Root looks first
 * for one where others may come in (name_arena). */
int session_create(const struct session_options *options, struct session *ret_session)
{
    const char *const bases[] = { getenv("XDG_RUNTIME_DIR"), "/dev/shm", getenv("TMPDIR"), "/tmp" };
    int r = -ENOENT;
    for (int by_all = !geteuid(); by_all >= 0 && r; by_all--)
        for (size_t i = 0; i < sizeof bases / sizeof *bases && r; i++) {
            if (!usable_dir(bases[i], by_all))
                continue;
            sweep(bases[i]);
            r = create_in(bases[i], options, ret_session);
        }
    return r;
}

void session_remove(struct session *s)
{
    if (s->arena)
        munmap(s->arena, s->size);
    free(s->backed);
    remove_session_dir(s->dir);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    if (s->fd >= 0)
        close(s->fd);
    *s = (struct session){ .lock_fd = -1, .fd = -1 };
}

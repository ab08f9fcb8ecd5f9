/* attach.c - the constructor: finds the session, maps its arena, keeps no descriptor.  Runs once a process image,
 * on its first thread, before main.  Any trouble means: nothing records, and nothing is said. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "self.h"

#define SLOTS_MAX 4096u

/* Exported by both libraries.  When the preload is there too, the name means its copy, for both: the library that
 * sees another's owns nothing and stays asleep, and all ls_* calls of the program go to the preload. */
const char ls_probe_owner = 1;
extern const char own_owner __attribute__((alias("ls_probe_owner"), visibility("hidden")));

int ls_recording;

static bool header_good(const struct ls_arena *a, uint64_t size)
{
    if (a->magic != LS_ARENA_MAGIC || a->version != LS_ARENA_VERSION || !a->slots || a->slots > SLOTS_MAX)
        return false;
    if (a->ring_records < 8 || a->ring_records > 1u << 26 || (a->ring_records & (a->ring_records - 1)))
        return false;
    uint64_t slots_end = ls_arena_slots_offset() + (uint64_t)a->slots * sizeof(struct ls_slot);
    uint64_t rings = (uint64_t)a->slots * a->ring_records * sizeof(struct ls_event);
    return a->ring_offset % 4096 == 0 && a->ring_offset >= slots_end && a->ring_offset < size &&
           rings <= size - a->ring_offset;
}

/* How much of the arena to map: a process with a tight address space gives 1/16 of it at most. */
static uint64_t length_to_map(const struct ls_arena *a, uint32_t *ret_slots)
{
    uint64_t ring = a->ring_records * sizeof(struct ls_event);
    struct rlimit limit;
    *ret_slots = a->slots;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        uint64_t most = limit.rlim_cur / 16;
        if (most < a->ring_offset + ring)
            return 0;
        uint64_t fit = (most - a->ring_offset) / ring;
        if (fit < *ret_slots)
            *ret_slots = (uint32_t)fit;
    }
    return a->ring_offset + *ret_slots * ring;
}

static struct ls_arena *map_arena(const char *path)
{
    static union {
        struct ls_arena arena;
        char bytes[sizeof(struct ls_arena)];
    } header;
    struct stat st;
    void *map = MAP_FAILED;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && pread(fd, header.bytes, sizeof(header), 0) == sizeof(header) &&
        header_good(&header.arena, (uint64_t)st.st_size)) {
        uint64_t length = length_to_map(&header.arena, &probe_process.slots);
        if (length)
            map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    close(fd);
    probe_process.ring_offset = header.arena.ring_offset;
    probe_process.ring_records = header.arena.ring_records;
    return map == MAP_FAILED ? NULL : map;
}

static void child_of_fork(void)
{
    probe_page.alive = 0;
}

static void watch_for_forks(void)
{
    if (madvise(&probe_page, sizeof(probe_page), MADV_WIPEONFORK) != 0)
        pthread_atfork(NULL, NULL, child_of_fork); /* before Linux 4.14: a raw clone is not noticed there */
    probe_page.alive = 1;
}

__attribute__((constructor)) static void attach(void)
{
    const char *volatile owner = &ls_probe_owner; /* through the symbol table, not folded by the compiler */
    if (owner != &own_owner || probe_process.arena)
        return;
    const char *session = secure_getenv(LS_SESSION_ENV), *file = secure_getenv("LOOPSCOPE_RECORD");
    if (!session && !file)
        return;
    int error = errno;
    if (!session && *file)
        session = probe_start_recorder(file);
    struct ls_arena *arena = session ? map_arena(session) : NULL;
    if (arena) {
        probe_process.tsc = arena->clock == LS_CLOCK_TSC;
        probe_process.call_min = arena->call_min;
        probe_process.threshold = arena->threshold;
        probe_process.pid = getpid();
        probe_process.arena = arena;
        watch_for_forks();
        probe_key();
        probe_declare();
        probe_attached();
        __atomic_store_n(&ls_recording, 1, __ATOMIC_RELAXED); /* read by ls_probe_on() of any thread */
    }
    errno = error;
}

/* exit() that was not called through the preload's wrapper, such as main's return: later, but not too late. */
__attribute__((destructor)) static void detach(void)
{
    if (probe_process.arena)
        probe_leaving(true);
}

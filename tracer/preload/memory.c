/* memory.c - the arena is large address space and little memory.  A program that locks all its memory would fill it,
 * and one that limits its address space would find it used up: the rings that nobody in this process writes are
 * unmapped just before. */
#include <sys/mman.h>
#include <sys/resource.h>

#include "wrap.h"

#define SPARE 2 /* rings that stay mapped for loops to come, unless memory is counted */

EXPORT int mlockall(int flags)
{
    struct rlimit limit;
    if (probe_process.arena && getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
        probe_shrink(limit.rlim_cur == RLIM_INFINITY ? SPARE : 0, UINT64_MAX);
    return REAL(mlockall)(flags);
}

static void limit_coming(int resource, uint64_t soft)
{
    if (resource == RLIMIT_AS && soft != RLIM_INFINITY && probe_process.arena)
        probe_shrink(UINT32_MAX, soft / 16);
}

/* The header says that limit is not NULL. */
EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    if (resource == RLIMIT_AS)
        limit_coming(RLIMIT_AS, limit->rlim_cur);
    return REAL(setrlimit)(resource, limit);
}
EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    if (resource == RLIMIT_AS)
        limit_coming(RLIMIT_AS, limit->rlim_cur);
    return REAL(setrlimit64)(resource, limit);
}
/* Another process than this one is not ours to prepare: it runs our wrappers itself or has no arena. */
EXPORT int prlimit(__pid_t pid, enum __rlimit_resource resource, const struct rlimit *limit, struct rlimit *old)
{
    if (resource == RLIMIT_AS && limit && (pid == 0 || pid == probe_process.pid))
        limit_coming(RLIMIT_AS, limit->rlim_cur);
    return REAL(prlimit)(pid, resource, limit, old);
}
EXPORT int prlimit64(__pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *limit, struct rlimit64 *old)
{
    if (resource == RLIMIT_AS && limit && (pid == 0 || pid == probe_process.pid))
        limit_coming(RLIMIT_AS, limit->rlim_cur);
    return REAL(prlimit64)(pid, resource, limit, old);
}

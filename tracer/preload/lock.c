/* lock.c - waiting for another thread, and loading code.
 *
 * A mutex is first tried: one that is free is taken exactly as lock would take it, and costs no timestamp.  Only a
 * thread that must wait is timed, and says who holds the lock. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/sem.h>
#include <threads.h>

#include "wrap.h"

#define INFO_LOCK(lock_) .fd = -1, .detail = DETAIL_LOCK, .text = (lock_)
#define LOCK(name, type, more, args, nr) \
    TIMED(int, name, (type * lock more), args, nr, (uintptr_t)lock, INFO_LOCK(lock))
#define COMMA ,

#define MUTEX(name, params, args)                                                                           \
    EXPORT int name params                                                                                  \
    {                                                                                                       \
        struct call call;                                                                                   \
        if (likely(!probe_self.armed))                                                                      \
            return REAL(name) args;                                                                         \
        int taken = pthread_mutex_trylock(mutex);                                                           \
        if (taken == 0 || taken == EOWNERDEAD)                                                              \
            return taken;                                                                                   \
        int32_t owner = mutex->__data.__owner;                                                              \
        if (!call_begin(&call, CALL_##name, (uintptr_t)mutex))                                              \
            return REAL(name) args;                                                                         \
        int result = REAL(name) args;                                                                       \
        call_end(&call, CALL_##name, result, &(const struct call_info){ INFO_LOCK(mutex), .owner = owner }, \
                 __builtin_return_address(0));                                                              \
        return result;                                                                                      \
    }
MUTEX(pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
MUTEX(pthread_mutex_timedlock, (pthread_mutex_t * mutex, const struct timespec *until), (mutex, until))
MUTEX(pthread_mutex_clocklock, (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *until),
      (mutex, clock, until))

LOCK(pthread_rwlock_rdlock, pthread_rwlock_t, , (lock), pthread_rwlock_rdlock)
LOCK(pthread_rwlock_wrlock, pthread_rwlock_t, , (lock), pthread_rwlock_wrlock)
LOCK(pthread_rwlock_timedrdlock, pthread_rwlock_t, COMMA const struct timespec *until, (lock, until),
     pthread_rwlock_timedrdlock)
LOCK(pthread_rwlock_timedwrlock, pthread_rwlock_t, COMMA const struct timespec *until, (lock, until),
     pthread_rwlock_timedwrlock)
LOCK(pthread_rwlock_clockrdlock, pthread_rwlock_t, COMMA clockid_t clock COMMA const struct timespec *until,
     (lock, clock, until), pthread_rwlock_timedrdlock)
LOCK(pthread_rwlock_clockwrlock, pthread_rwlock_t, COMMA clockid_t clock COMMA const struct timespec *until,
     (lock, clock, until), pthread_rwlock_timedwrlock)
LOCK(pthread_cond_wait, pthread_cond_t, COMMA pthread_mutex_t *mutex, (lock, mutex), pthread_cond_wait)
LOCK(pthread_cond_timedwait, pthread_cond_t, COMMA pthread_mutex_t *mutex COMMA const struct timespec *until,
     (lock, mutex, until), pthread_cond_timedwait)
LOCK(pthread_cond_clockwait, pthread_cond_t,
     COMMA pthread_mutex_t *mutex COMMA clockid_t clock COMMA const struct timespec *until, (lock, mutex, clock, until),
     pthread_cond_clockwait)
LOCK(pthread_barrier_wait, pthread_barrier_t, , (lock), pthread_barrier_wait)
LOCK(sem_wait, sem_t, , (lock), sem_wait)
LOCK(sem_timedwait, sem_t, COMMA const struct timespec *until, (lock, until), sem_timedwait)
LOCK(sem_clockwait, sem_t, COMMA clockid_t clock COMMA const struct timespec *until, (lock, clock, until),
     sem_clockwait)

LOCK(mtx_lock, mtx_t, , (lock), mtx_lock)
LOCK(mtx_timedlock, mtx_t, COMMA const struct timespec *until, (lock, until), mtx_timedlock)
LOCK(cnd_wait, cnd_t, COMMA mtx_t *mutex, (lock, mutex), cnd_wait)
LOCK(cnd_timedwait, cnd_t, COMMA mtx_t *mutex COMMA const struct timespec *until, (lock, mutex, until), cnd_timedwait)

TIMED(int, thrd_join, (thrd_t thread, int *value), (thread, value), thrd_join, thread, INFO_NONE)
TIMED(int, pthread_join, (pthread_t thread, void **value), (thread, value), pthread_join, thread, INFO_NONE)
TIMED(int, pthread_timedjoin_np, (pthread_t thread, void **value, const struct timespec *until), (thread, value, until),
      pthread_timedjoin_np, thread, INFO_NONE)
TIMED(int, pthread_clockjoin_np, (pthread_t thread, void **value, clockid_t clock, const struct timespec *until),
      (thread, value, clock, until), pthread_timedjoin_np, thread, INFO_NONE)
TIMED(int, semop, (int id, struct sembuf *ops, size_t n), (id, ops, n), semop, id, INFO_NONE)
TIMED(int, semtimedop, (int id, struct sembuf *ops, size_t n, const struct timespec *t), (id, ops, n, t), semtimedop,
      id, INFO_NONE)

/* The C library searches by the run path of the object that the call comes from, so a call that it must attribute is
 * passed on by a jump, with its own return address: only names that need no search are timed. */
static bool needs_no_search(const char *path)
{
    bool slash = false;
    for (; path && *path; path++) {
        slash |= *path == '/';
        if (*path == '$')
            return false;
    }
    return slash;
}
EXPORT void *dlopen(const char *path, int flags)
{
    struct call call;
    if (likely(!probe_self.armed) || !needs_no_search(path) || !call_begin(&call, CALL_dlopen, 0))
        return REAL(dlopen)(path, flags);
    void *handle = REAL(dlopen)(path, flags);
    call_end(&call, CALL_dlopen, (intptr_t)handle, &(const struct call_info){ INFO_PATH(path) },
             __builtin_return_address(0));
    return handle;
}
EXPORT void *dlmopen(Lmid_t ns, const char *path, int flags)
{
    struct call call;
    if (likely(!probe_self.armed) || !needs_no_search(path) || !call_begin(&call, CALL_dlmopen, 0))
        return REAL(dlmopen)(ns, path, flags);
    void *handle = REAL(dlmopen)(ns, path, flags);
    call_end(&call, CALL_dlmopen, (intptr_t)handle, &(const struct call_info){ INFO_PATH(path) },
             __builtin_return_address(0));
    return handle;
}

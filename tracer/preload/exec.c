/* exec.c - what a new program image inherits.  Usually everything, untouched.  Where the loader could not open our
 * library any more (after chroot, after dropping privileges, when the recording was cleaned away) or could not use it
 * (a 32-bit program, one built with AddressSanitizer, whose runtime must come first), it would print an error or
 * the program would stop: there the two variables that make it ours are left out.
 *
 * All of this may run in a child of vfork: system calls and the stack only. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../misfit.h"
#undef EV_NONE /* elf.h: a version of ELF; event.h: no event */
#include "wrap.h"

#define LIBRARY   "libloopscope-preload.so"
#define PRELOAD   "LD_PRELOAD="
#define SESSION   LS_SESSION_ENV "="
#define ENV_MOST  8192 /* variables; an environment beyond this is passed on as it is */
#define TEXT_MOST 16384

enum exec_kind { EXEC_VE, EXEC_VPE, EXEC_FD, EXEC_AT, EXEC_SPAWN, EXEC_SPAWNP };

struct exec {
    enum exec_kind kind;
    const char *file;
    char *const *argv;
    int fd, flags; /* fexecve, execveat */
    pid_t *pid;    /* posix_spawn */
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
};

static int go(const struct exec *e, char *const *envp)
{
    switch (e->kind) {
    case EXEC_VE: return REAL(execve)(e->file, e->argv, envp);
    case EXEC_VPE: return REAL(execvpe)(e->file, e->argv, envp);
    case EXEC_FD: return REAL(fexecve)(e->fd, e->argv, envp);
    case EXEC_AT: return REAL(execveat)(e->fd, e->file, e->argv, envp, e->flags);
    case EXEC_SPAWN: return REAL(posix_spawn)(e->pid, e->file, e->actions, e->attributes, e->argv, envp);
    case EXEC_SPAWNP: return REAL(posix_spawnp)(e->pid, e->file, e->actions, e->attributes, e->argv, envp);
    }
    return -1;
}

/* The next item of LD_PRELOAD's list: its length, 0 at the end. */
static size_t next_item(const char **at)
{
    *at += strspn(*at, ": ");
    return strcspn(*at, ": ");
}

static bool is_ours(const char *item, size_t n)
{
    size_t own = sizeof(LIBRARY) - 1;
    return n >= own && memcmp(item + n - own, LIBRARY, own) == 0 && (n == own || item[n - own - 1] == '/');
}

/* 1 it can be opened, 0 it cannot, -1 not known (no descriptor left). */
static int reachable(const char *path, int flags)
{
    int fd = REAL(open)(path, flags | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        REAL(close)(fd);
        return 1;
    }
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EINTR ? -1 : 0;
}

/* Another user than root who still holds root's way around permissions (setpriv does, up to the exec) loses it by the
 * exec: what he can open now says nothing, so the permission bits decide. */
static bool loses_powers(void)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct sets[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
    const uint32_t around = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
    return geteuid() != 0 && syscall(SYS_capget, &head, sets) == 0 && sets[0].effective & around;
}
static bool may(const char *path, mode_t bit)
{
    struct stat st;
    if (REAL(stat)(path, &st) != 0)
        return false;
    if (st.st_uid == geteuid())
        return st.st_mode & bit << 6;
    return st.st_mode & (st.st_gid == getegid() ? bit << 3 : bit);
}
static bool reachable_by_bits(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        bool passes = may(path, 1);
        *p = '/';
        if (!passes)
            return false;
    }
    return may(path, 4);
}

static bool misfit_fd(int fd)
{
    return misfit(fd, REAL(pread));
}

static bool misfit_at(int dir, const char *path)
{
    int fd = REAL(openat)(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool bad = misfit_fd(fd);
    if (fd >= 0)
        REAL(close)(fd);
    return bad;
}

/* The file that a search along PATH finds first, as the search sees it. */
static bool misfit_on_path(const char *file, char *const *envp)
{
    const char *path = "/bin:/usr/bin";
    char full[PATH_MAX];
    (void)envp;
    for (char **v = environ; v && *v; v++) /* the caller's PATH, not the new one */
        if (strncmp(*v, "PATH=", 5) == 0)
            path = *v + 5;
    size_t file_n = strnlen(file, NAME_MAX + 1);
    for (;;) {
        size_t n = strcspn(path, ":");
        if (n + file_n + 2 <= sizeof(full)) {
            memcpy(full, path, n);
            if (n)
                full[n++] = '/';
            memcpy(full + n, file, file_n);
            full[n + file_n] = 0;
            if (REAL(access)(full, X_OK) == 0)
                return misfit_at(AT_FDCWD, full);
        }
        path += strcspn(path, ":");
        if (!*path++)
            return false;
    }
}

static bool does_not_fit(const struct exec *e, char *const *envp)
{
    switch (e->kind) {
    case EXEC_FD: return misfit_fd(e->fd);
    case EXEC_AT: return e->file[0] ? misfit_at(e->fd, e->file) : misfit_fd(e->fd);
    case EXEC_VE:
    case EXEC_SPAWN: return misfit_at(AT_FDCWD, e->file);
    case EXEC_VPE:
    case EXEC_SPAWNP: return strchr(e->file, '/') ? misfit_at(AT_FDCWD, e->file) : misfit_on_path(e->file, envp);
    }
    return false;
}

/* Without our library in it; "" when nothing is left. */
static void strip_preload(const char *list, char *out)
{
    char *p = out;
    for (size_t n; (n = next_item(&list)); list += n) {
        if (is_ours(list, n))
            continue;
        if (p != out)
            *p++ = ':';
        memcpy(p, list, n);
        p += n;
    }
    *p = 0;
}

/* What is open when this process becomes another program is no turn of a loop.  A vfork child speaks for itself only. */
static int leave(const struct exec *e, char *const *envp)
{
    bool spawn = e->kind == EXEC_SPAWN || e->kind == EXEC_SPAWNP;
    bool leaving = !spawn && probe_process.arena && probe_self.slot && getpid() == probe_process.pid;
    if (leaving)
        probe_leaving(true);
    int result = go(e, envp);
    if (leaving)
        probe_leaving(false);
    return result;
}

__attribute__((noinline)) static int go_without(const struct exec *e, char *const *envp, size_t n, const char *preload)
{
    char *clean[n + 1], list[sizeof(PRELOAD) + strlen(preload)];
    size_t k = 0;
    memcpy(list, PRELOAD, sizeof(PRELOAD) - 1);
    strip_preload(preload, list + sizeof(PRELOAD) - 1);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(envp[i], SESSION, sizeof(SESSION) - 1) == 0)
            continue;
        if (strncmp(envp[i], PRELOAD, sizeof(PRELOAD) - 1) != 0)
            clean[k++] = envp[i];
        else if (list[sizeof(PRELOAD) - 1])
            clean[k++] = list;
    }
    clean[k] = NULL;
    return leave(e, clean);
}

static int run(const struct exec *e, char *const *envp)
{
    const char *preload = NULL, *session = NULL, *ours = NULL;
    size_t n = 0, ours_n = 0;
    char path[PATH_MAX];

    if (!envp || !e->file)
        return leave(e, envp);
    for (; envp[n]; n++) {
        if (strncmp(envp[n], PRELOAD, sizeof(PRELOAD) - 1) == 0)
            preload = envp[n] + sizeof(PRELOAD) - 1;
        else if (strncmp(envp[n], SESSION, sizeof(SESSION) - 1) == 0)
            session = envp[n] + sizeof(SESSION) - 1;
    }
    const char *item = preload;
    for (size_t size; item && (size = next_item(&item)); item += size)
        if (is_ours(item, size)) {
            ours = item;
            ours_n = size;
        }
    if (!ours || n > ENV_MOST || ours_n >= sizeof(path) || strnlen(preload, TEXT_MOST) == TEXT_MOST)
        return leave(e, envp);

    int error = errno;
    memcpy(path, ours, ours_n);
    path[ours_n] = 0;
    bool drop = (path[0] == '/' && loses_powers() && !reachable_by_bits(path)) ||
                (strchr(path, '/') && reachable(path, O_RDONLY) == 0) || (session && reachable(session, O_RDWR) == 0) ||
                does_not_fit(e, envp);
    errno = error;
    return drop ? go_without(e, envp, n, preload) : leave(e, envp);
}

EXPORT int execve(const char *file, char *const argv[], char *const envp[])
{
    return run(&(const struct exec){ .kind = EXEC_VE, .file = file, .argv = argv }, envp);
}
EXPORT int execv(const char *file, char *const argv[])
{
    return run(&(const struct exec){ .kind = EXEC_VE, .file = file, .argv = argv }, environ);
}
EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    return run(&(const struct exec){ .kind = EXEC_VPE, .file = file, .argv = argv }, envp);
}
EXPORT int execvp(const char *file, char *const argv[])
{
    return run(&(const struct exec){ .kind = EXEC_VPE, .file = file, .argv = argv }, environ);
}
EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    return run(&(const struct exec){ .kind = EXEC_FD, .file = "", .fd = fd, .argv = argv }, envp);
}
EXPORT int execveat(int fd, const char *file, char *const argv[], char *const envp[], int flags)
{
    return run(&(const struct exec){ .kind = EXEC_AT, .file = file, .fd = fd, .argv = argv, .flags = flags }, envp);
}

/* The arguments as a vector on the stack, as the C library makes it. */
#define EXECL(kind_, with_env)                                                               \
    {                                                                                        \
        va_list list;                                                                        \
        size_t n = 0;                                                                        \
        va_start(list, first);                                                               \
        for (const char *a = first; a; a = va_arg(list, const char *))                       \
            n++;                                                                             \
        va_end(list);                                                                        \
        char *argv[n + 1];                                                                   \
        va_start(list, first);                                                               \
        argv[0] = (char *)first;                                                             \
        for (size_t i = 1; i <= n; i++)                                                      \
            argv[i] = va_arg(list, char *);                                                  \
        char *const *envp = (with_env) ? va_arg(list, char *const *) : environ;              \
        va_end(list);                                                                        \
        return run(&(const struct exec){ .kind = kind_, .file = file, .argv = argv }, envp); \
    }
EXPORT int execl(const char *file, const char *first, ...) EXECL(EXEC_VE, 0) EXPORT
    int execlp(const char *file, const char *first, ...) EXECL(EXEC_VPE, 0) EXPORT
    int execle(const char *file, const char *first, ...) EXECL(EXEC_VE, 1)

#define SPAWN(name, kind_)                                                                       \
    EXPORT int name(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,     \
                    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) \
    {                                                                                            \
        struct call call;                                                                        \
        const struct exec e = { kind_, file, argv, -1, 0, pid, actions, attributes };            \
        bool on = call_begin(&call, CALL_##name, 0);                                             \
        int result = run(&e, envp);                                                              \
        if (on)                                                                                  \
            call_end(&call, CALL_##name, result, &(const struct call_info){ INFO_PATH(file) },   \
                     __builtin_return_address(0));                                               \
        return result;                                                                           \
    }
        SPAWN(posix_spawn, EXEC_SPAWN) SPAWN(posix_spawnp, EXEC_SPAWNP)

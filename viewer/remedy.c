/* remedy.c - the table from cause, call and language to advice.  The first row that fits wins. */
#include "remedy.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "../tracer/call.h"

struct row {
    const char *cause;       /* NULL: any */
    enum ls_family family;   /* FAM_NONE: any */
    const char *calls;       /* " name name ", NULL: any of the family */
    const char *advice[REMEDY_LANGUAGES]; /* NULL: as in C */
};

static const struct row rows[] = {
    { "preempted", FAM_NONE, NULL,
      { "Another program had the CPU: not this code's fault. Fewer busy threads per core, a higher priority, or a "
        "core of its own." } },
    { "throttled", FAM_NONE, NULL,
      { "The control group had used up its CPU quota: raise cpu.max, or run fewer threads." } },
    { "stopped", FAM_NONE, NULL,
      { "The process was stopped from outside (SIGSTOP, a debugger, suspend): nothing to mend in the code." } },
    { "fault", FAM_NONE, NULL,
      { "Memory had to come from disk (swapped out, or a cold mapped file): mlock it, read it ahead in a thread "
        "(madvise MADV_WILLNEED), or give it more RAM." } },
    { "lock", FAM_LOCK, " sem_wait sem_timedwait sem_clockwait ",
      { "The loop sleeps until another thread signals: let that thread wake the loop by an eventfd instead.",
        "Only this task should wait: ls_sem or ls_event between tasks; a thread wakes them by ls_post, or is awaited "
        "by ls_to_thread.",
        /* CPython's locks are semaphores, its GIL is a condition */
        "A lock, queue, event or join of `threading`: another thread has it or has not answered yet. Take it in "
        "asyncio.to_thread; between tasks use asyncio's own.", NULL } },
    { "lock", FAM_LOCK, " pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait cnd_wait cnd_timedwait futex ",
      { "The loop sleeps until another thread signals: let that thread wake the loop by an eventfd instead.",
        "Only this task should wait: ls_cond or ls_event between tasks; a thread wakes them by ls_post, or is awaited "
        "by ls_to_thread.",
        "Most likely the GIL: another Python thread computes. Move that work into a process "
        "(ProcessPoolExecutor).", NULL } },
    { NULL, FAM_LOCK, " flock fcntl lockf ",
      { "Another process holds the file lock: try with LOCK_NB and come back by a timer, or lock in a thread.",
        "Another process holds the file lock: take it inside ls_to_thread.",
        "Another process holds the file lock: take it in asyncio.to_thread, or try with LOCK_NB.", NULL } },
    { NULL, FAM_LOCK, " pthread_join pthread_timedjoin_np thrd_join pthread_barrier_wait ",
      { "The loop waits for a thread to end: let the thread report by an eventfd, join when it has.",
        "The loop waits for a thread: run its work by ls_to_thread, which awaits it; between tasks ls_await or "
        "ls_barrier.",
        "The loop waits for a thread to end: await asyncio.to_thread instead of Thread.join().", NULL } },
    { NULL, FAM_LOCK, NULL,
      { "The lock's owner keeps it too long: do less under the lock, or hand the part that needs it to a thread.",
        "The lock's owner keeps it too long: ls_lock or ls_rwlock between tasks; do less under what threads share, or "
        "take it inside ls_to_thread.",
        "Another thread holds the lock: use asyncio.Lock between tasks, asyncio.to_thread for what must share.",
        NULL } },
    { "lock", FAM_NONE, NULL,
      { "The lock's owner keeps it too long: do less under the lock, or hand the part that needs it to a thread.",
        "The lock's owner keeps it too long: ls_lock or ls_rwlock between tasks; do less under what threads share, or "
        "take it inside ls_to_thread.", NULL, NULL } },
    { NULL, FAM_DNS,
      " getpwnam getpwnam_r getpwuid getpwuid_r getgrnam getgrnam_r getgrgid getgrgid_r getgrouplist initgroups ",
      { "Users and groups may come over the network (LDAP, SSSD): ask in a worker thread, or before the loop begins.",
        "Users and groups may come over the network (LDAP, SSSD): ask by ls_to_thread, or before the loop begins.",
        "Users and groups may come over the network (LDAP, SSSD): asyncio.to_thread.", NULL } },
    { NULL, FAM_DNS, NULL,
      { "Names are resolved on the loop: use an async resolver (c-ares, getaddrinfo_a) or a worker thread.",
        "Names are resolved on the loop: use ls_getaddrinfo or ls_getnameinfo (ls_connect does so by itself).",
        "Names are resolved on the loop: await loop.getaddrinfo(), or asyncio.to_thread.", NULL } },
    { NULL, FAM_SYNC, NULL,
      { "It waits for the disk: hand it to a thread, or commit in batches.",
        "It waits for the disk: ls_file_fsync or ls_file_fdatasync, or ls_to_thread; or commit in batches.",
        "It waits for the disk: asyncio.to_thread(os.fsync, fd), or commit in batches.",
        "It waits for the disk: use the async form, fs.fsync or fileHandle.sync()." } },
    { NULL, FAM_SLEEP, " sleep usleep nanosleep clock_nanosleep thrd_sleep ",
      { "A sleep holds up everything on the loop: use a timer of the loop.",
        "A sleep holds up every task: use ls_sleep.",
        "A sleep holds up every task: await asyncio.sleep() instead of time.sleep().",
        "A sleep holds up every callback: use setTimeout." } },
    { NULL, FAM_SLEEP, NULL,
      { "The loop waits for a signal: take it by a signalfd in the loop's poll.",
        "The loop waits for a signal: use ls_signal_await.",
        "The loop waits for a signal: use loop.add_signal_handler().", NULL } },
    { NULL, FAM_CHILD, " wait waitpid waitid wait3 wait4 pclose ",
      { "The loop waits for a child: watch a pidfd in the loop's poll, or reap at SIGCHLD with WNOHANG.",
        "The loop waits for a child: start it by ls_process_spawn and use ls_process_wait.",
        "The loop waits for a child: asyncio.create_subprocess_exec and await proc.wait().",
        "The loop waits for a child: use the async form, child_process.spawn or exec." } },
    { NULL, FAM_CHILD, " system popen ",
      { "The loop waits for a shell: start it with posix_spawn and watch its pidfd or pipe.",
        "The loop waits for a shell: ls_process_spawn and ls_process_communicate.",
        "The loop waits for a shell: asyncio.create_subprocess_shell.",
        "The loop waits for a shell: use the async form, child_process.exec." } },
    { NULL, FAM_CHILD, " fork ",
      { "Forking a big process copies its page tables: start children by posix_spawn, from a small helper process, or "
        "at start.",
        "Forking a big process copies its page tables: ls_process_spawn does not.",
        "Forking a big process copies its page tables: asyncio.create_subprocess_exec, or fork at start.", NULL } },
    { NULL, FAM_CHILD, NULL,
      { "Forking a big process copies its page tables: start children from a small helper process, or at start." } },
    { NULL, FAM_LOAD, NULL, { "Loading code reads the disk and runs constructors: load it at start, before the loop." } },
    { NULL, FAM_STDIO, NULL,
      { "stdio waits for a slow file or pipe: write from a thread, or make the stream non-blocking and buffer.",
        "stdio waits for a slow file or pipe: ls_file_read_all, ls_file_write, or ls_to_thread.",
        "A slow file or pipe: asyncio.to_thread; for logs, logging.handlers.QueueHandler.",
        "A slow file or pipe: use the async form (fs.promises, streams)." } },
    { NULL, FAM_FILE, NULL,
      { "It waits for the disk or a network file system: do it in a worker thread, or remember the answer.",
        "It waits for the disk or a network file system: use its ls_file_ form (ls_file_open, ls_file_stat ...), or "
        "ls_to_thread.",
        "It waits for the disk or a network file system: asyncio.to_thread.",
        "It waits for the disk or a network file system: use the async form (fs.promises)." } },
    { NULL, FAM_IO, " syslog vsyslog ",
      { "The log daemon reads too slowly, or is gone: log from a thread of its own, or to a file or pipe that drops.",
        "The log daemon reads too slowly, or is gone: log from a thread that takes lines from a queue.",
        "The log daemon reads too slowly: logging.handlers.QueueHandler.", NULL } },
    { NULL, FAM_IO, " connect ",
      { "The socket is blocking: set O_NONBLOCK first, then wait for it to become writable in the loop's poll.",
        "The socket is blocking: use ls_connect, or ls_connect_fd for your own.",
        "The socket is blocking: await asyncio.open_connection().",
        NULL } },
    { NULL, FAM_IO, " sendfile splice copy_file_range pread preadv preadv2 pwrite pwritev pwritev2 ",
      { "Regular files are never ready or not ready, they block: use a worker thread or io_uring.",
        "Regular files are never ready or not ready, they block: use ls_file_pread, ls_file_pwrite, or ls_to_thread.",
        "Regular files block: asyncio.to_thread.", "Regular files block: use the async form (fs.promises)." } },
    { NULL, FAM_IO, NULL,
      { "The descriptor is blocking: set O_NONBLOCK and wait in the loop's poll; a regular file needs a thread.",
        "The descriptor is blocking: use its ls_ form (ls_read, ls_write, ls_accept ...); regular files: ls_file_read.",
        "The descriptor is blocking: use an asyncio stream; for a file or a blocking library asyncio.to_thread.",
        "A synchronous read or write: use the async form (fs.promises, streams)." } },
    { NULL, FAM_POLL, NULL,
      { "A wait of its own inside a callback, on other descriptors: add them to the loop, or do it in a thread.",
        "A wait of its own inside a task: use ls_wait_fd, or ls_to_thread for a library that polls by itself.",
        "A blocking library waits for its own socket: use its asyncio form, or asyncio.to_thread.", NULL } },
    { "cpu", FAM_NONE, NULL,
      { "It computes: do it in parts and return to the loop between them, or move it to a thread.",
        "It computes: ls_yield() between parts, or ls_to_thread.",
        "It computes: a process pool (loop.run_in_executor), or parts with await asyncio.sleep(0) between.",
        "It computes: use the async form (crypto.pbkdf2, zlib.gzip ...), or a worker_thread." } },
    { "call", FAM_NONE, NULL,
      { "It waits inside a system call: do it in a worker thread, or wait for it in the loop's poll.",
        "It waits inside a system call: hand it to a thread (ls_to_thread).",
        "It waits inside a system call: asyncio.to_thread.", NULL } },
    { "unknown", FAM_NONE, NULL,
      { "Neither CPU time nor a call that can be seen explains it: strace -f -T -p PID shows raw system calls." } },
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum remedy_language remedy_language(const char *exe, const char *loop_kind)
{
    const char *name = exe ? base_name(exe) : "";
    if (strcmp(loop_kind, "runtime") == 0)
        return REMEDY_RUNTIME;
    if (strcmp(loop_kind, "asyncio") == 0 || strncmp(name, "python", 6) == 0 || strncmp(name, "pypy", 4) == 0)
        return REMEDY_PYTHON;
    if (strcmp(name, "node") == 0 || strcmp(name, "nodejs") == 0)
        return REMEDY_NODE;
    return REMEDY_C;
}

static enum ls_family family_of(const char *call)
{
    for (unsigned i = 1; i < CALL_COUNT; i++)
        if (strcmp(ls_call_name(i), call) == 0)
            return ls_call_family(i);
    return FAM_NONE;
}

/* Is `word` one of " a b c "? */
static bool among(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = strstr(words, word); p && n > 0; p = strstr(p + 1, word))
        if (p[-1] == ' ' && p[n] == ' ') /* the list begins with a blank, so p[-1] is inside */
            return true;
    return false;
}

const char *remedy_for(const char *cause, const char *call, enum remedy_language language)
{
    enum ls_family family = call ? family_of(call) : FAM_NONE;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        if (r->cause && strcmp(r->cause, cause) != 0)
            continue;
        /* A row for any cause is about calls: a stall that a call does not explain is not its business. */
        if (!r->cause && strcmp(cause, "call") != 0 && strcmp(cause, "lock") != 0)
            continue;
        if (r->family != FAM_NONE && r->family != family)
            continue;
        if (r->calls && !among(r->calls, call))
            continue;
        return r->advice[language] ? r->advice[language] : r->advice[REMEDY_C];
    }
    return "";
}

const char *remedy_lint(const char *call)
{
    switch (family_of(call)) {
    case FAM_DNS: return "resolves names on the loop: fast until a name server is slow, then seconds";
    case FAM_SYNC: return "waits for the disk on the loop: as slow as the disk is busy";
    case FAM_CHILD: return "starts or awaits children on the loop";
    case FAM_SLEEP: return "sleeps on the loop";
    default: return NULL;
    }
}

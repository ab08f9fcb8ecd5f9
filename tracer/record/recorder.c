/* recorder.c - the recorder's main loop: batches from drain go through assemble and stalls into the store, until the
 * command's last process has gone, `stop` asks, or a limit is reached.  Then the file is finished.
 *
 * Threads of this process: this one (storing), drain's, and watch's.  Only this one knows SQLite, libunwind, elfutils. */
#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "drain.h"
#include "intake.h"
#include "process.h"
#include "session.h"
#include "stalls.h"
#include "store.h"
#include "watch.h"

#define QUEUE_MAX     (256u << 20) /* bytes of events in memory before they spill to disk */
#define HOUSEKEEPING  (100 * 1000 * 1000)
#define NAP_MS        100 /* at most, when nothing comes */
#define LAST_NOTES_MS 100
#define SYNC_EVERY    (1000 * 1000 * 1000)
#define FOLLOW_OFTEN  (2000 * 1000 * 1000ll) /* of the recording */
#define FOLLOW_EVERY  (1000 * 1000 * 1000)
#define FILES         65536
#define GRACE         (200 * 1000 * 1000) /* what was told to end with the command has ended by then */

struct recorder {
    const struct recorder_options *o;
    struct session session;
    struct clock_map clock;
    struct store *store;
    struct drain *drain;
    struct watch *watch;
    struct stalls *stalls;
    struct intake in;
    struct process_table *processes;
    int64_t ended;          /* when the recording did; what was in the rings is stored after it */
    _Atomic bool no_memory; /* set by drain's thread, read by this one: a ring could not grow */
    bool refused_told, no_memory_told;
    int socket; /* to the stand-in; -1 when it has gone */
    pid_t standin;
    pid_t command;      /* 0 before it was started */
    int command_fd;     /* pidfd of it */
    char command_was;   /* at the last look while the stand-in was stopped; 0: that was not yet */
    bool standin_stops; /* of itself, as the command has; else somebody stopped it */
    bool exited;        /* the command has; `status` holds how */
    int status;
    uint64_t born; /* our start time, as /proc has it */
    int64_t last_housekeeping, last_sync, last_scan, last_follow;
    const char *ended_by; /* NULL: the last process has gone */
};

static volatile sig_atomic_t stop_asked; /* SIGTERM: `loopscope stop`; set by the handler, read by the main loop */

static void on_stop(int sig)
{
    (void)sig;
    stop_asked = 1;
}

static int64_t now_ns(struct recorder *r)
{
    return clock_ns(&r->clock, clock_now(r->clock.kind));
}

/* --- the command and its tree ------------------------------------------------------------------------------------ */

static void process_gone(void *ctx, struct process *p)
{
    struct recorder *r = ctx;
    drain_process_gone(r->drain, p->pid);
    store_process(r->store, &p->row);
}

static void command_exited(struct recorder *r, int status)
{
    r->exited = true;
    r->status = status;
    struct process *p = r->command && r->processes ? process_find(r->processes, r->command) : NULL;
    if (!p) /* unknown, or the file is finished already */
        return;
    p->row.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : ROW_NULL;
    p->row.exit_signal = WIFSIGNALED(status) ? WTERMSIG(status) : ROW_NULL;
    store_process(r->store, &p->row);
}

static void command_text(const struct recorder *r, char *ret_text, size_t size)
{
    *ret_text = 0;
    for (size_t n = 0, i = 0; r->o->argv && r->o->argv[i] && n < size; i++)
        n += (size_t)snprintf(ret_text + n, size - n, "%s%s", i ? " " : "", r->o->argv[i]);
}

/* Before its exec the command is a copy of us, and a short one is gone before its name can be read. */
static void name_command(const struct recorder *r, struct process *p)
{
    char text[4096] = "";
    ssize_t n = readlink("/proc/self/exe", text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    if (p->row.exe && strcmp(p->row.exe, text))
        return;
    command_text(r, text, sizeof text);
    free((char *)p->row.exe);
    free((char *)p->row.cmdline);
    p->row.exe = NULL;
    p->row.cmdline = strdup(text);
}

static void command_started(struct recorder *r, pid_t pid)
{
    r->command = pid;
    r->command_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    /* A limit may have ended the recording before the command began. */
    struct process *p = r->processes ? process_enter(r->processes, pid, now_ns(r)) : NULL;
    if (!p)
        return;
    name_command(r, p);
    store_process(r->store, &p->row);
}

/* The stand-in died without a word: SIGKILL.  What was sent to it reaches the command, this signal too. */
static void standin_gone(struct recorder *r)
{
    close(r->socket);
    r->socket = -1;
    if (r->exited)
        return;
    if (r->command_fd >= 0) {
        syscall(SYS_pidfd_send_signal, r->command_fd, SIGKILL, NULL, 0);
        poll(&(struct pollfd){ .fd = r->command_fd, .events = POLLIN }, 1, 1000);
    }
    command_exited(r, SIGKILL);
}

static void hear_standin(struct recorder *r)
{
    struct recorder_message m;
    while (r->socket >= 0 && poll(&(struct pollfd){ .fd = r->socket, .events = POLLIN }, 1, 0) > 0) {
        if (recorder_receive(r->socket, &m) != 1)
            standin_gone(r);
        else if (m.kind == REC_STARTED)
            command_started(r, m.value);
        else if (m.kind == REC_EXITED)
            command_exited(r, m.value);
        else if (m.kind == REC_STOPS)
            r->standin_stops = m.value;
    }
}

/* SIGSTOP cannot be caught by the stand-in, so we pass it on; and when the command alone was continued, the stand-in is. */
static void mirror_stop(struct recorder *r)
{
    if (r->socket < 0 || !r->command || r->exited)
        return;
    if (process_state(r->standin) != 'T') {
        r->command_was = 0;
        return;
    }
    char command = process_state(r->command);
    hear_standin(r); /* it says that it stops before it does */
    if (command != 'T' && command) {
        if (r->standin_stops || r->command_was == 'T')
            kill(r->standin, SIGCONT);
        else if (r->command_was && /* at the first look it may be about to stop */
                 !syscall(SYS_pidfd_send_signal, r->command_fd, SIGSTOP, NULL, 0))
            command = 'T';
    }
    r->command_was = command;
}

static void tell(struct recorder *r, int kind, int value, const char *text)
{
    if (r->socket < 0)
        return;
    recorder_send(r->socket, kind, value, text);
    close(r->socket);
    r->socket = -1;
}

/* Whether anybody is left to record; tells the stand-in once when the command is not the last. */
static bool anybody_left(struct recorder *r)
{
    int64_t now = now_ns(r);
    bool first = !r->last_scan;
    if (!first && now - r->last_scan < (r->socket >= 0 ? GRACE : SYNC_EVERY))
        return true;
    process_reap(r->processes, now, process_gone, r);
    int live = process_scan(r->processes, r->session.path, r->born, now);
    r->last_scan = now;
    /* A program that started us by itself has not mapped the arena yet when it is first looked at. */
    const struct process *root = r->standin ? NULL : process_find(r->processes, r->command);
    if (root && !root->gone)
        return true;
    if (live > 0 && !first)
        tell(r, REC_LIVES_ON, live, r->o->file);
    return live > 0;
}

/* --- start ------------------------------------------------------------------------------------------------------- */

/* The recorder runs where the target does not, when that is asked for by an affinity (taskset); else anywhere. */
static void choose_cpus(void)
{
    cpu_set_t mine, all, rest;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_ZERO(&all);
    CPU_ZERO(&rest);
    if (sched_getaffinity(0, sizeof mine, &mine))
        return;
    for (long i = 0; i < n && i < CPU_SETSIZE; i++) {
        CPU_SET(i, &all);
        if (!CPU_ISSET(i, &mine))
            CPU_SET(i, &rest);
    }
    if (CPU_COUNT(&rest) == 0 || sched_setaffinity(0, sizeof rest, &rest))
        sched_setaffinity(0, sizeof all, &all);
}

/* The limits are the command's: ours are as wide as we may make them. */
static void widen_limits(void)
{
    const int ours[] = { RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_CPU };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        struct rlimit l, wide = { RLIM_INFINITY, RLIM_INFINITY };
        if (ours[i] == RLIMIT_NOFILE)
            wide.rlim_cur = wide.rlim_max = FILES;
        if (getrlimit((__rlimit_resource_t)ours[i], &l) || l.rlim_cur >= wide.rlim_cur)
            continue;
        if (setrlimit((__rlimit_resource_t)ours[i], &wide)) {
            l.rlim_cur = l.rlim_max;
            setrlimit((__rlimit_resource_t)ours[i], &l);
        }
    }
}

static void own_process(void)
{
    prctl(PR_SET_NAME, "loopscope-rec");
    struct sigaction ignore = { .sa_handler = SIG_IGN }, stop = { .sa_handler = on_stop };
    const int ignored[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGXFSZ, SIGTSTP,
                            SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGALRM };
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        sigaction(ignored[i], &ignore, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    widen_limits();
    choose_cpus();
}

static void put_meta(struct recorder *r)
{
    struct utsname host;
    struct timespec wall;
    char text[4096] = "";
    command_text(r, text, sizeof text);
    store_meta_text(r->store, "loopscope_version", LOOPSCOPE_VERSION);
    store_meta_text(r->store, "argv", text);
    if (!uname(&host)) {
        store_meta_text(r->store, "host", host.nodename);
        store_meta_text(r->store, "kernel", host.release);
    }
    clock_gettime(CLOCK_REALTIME, &wall);
    store_meta_int(r->store, "t0_realtime_ns", (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - now_ns(r));
    store_meta_int(r->store, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
    store_meta_text(r->store, "clock", r->clock.kind == LS_CLOCK_TSC ? "tsc" : "monotonic");
    store_meta_int(r->store, "threshold_ns", (int64_t)r->o->threshold);
    store_meta_int(r->store, "call_min_ns", (int64_t)r->o->call_min);
    store_meta_int(r->store, "recorder_pid", getpid());
    store_meta_int(r->store, "recorder_start", (int64_t)r->born);
    store_meta_int(r->store, "finalized", 0);
}

/* On drain's thread.  A writer that meets the end of its ring's memory drops and counts. */
static void back_ring(void *ctx, uint32_t slot, uint64_t head)
{
    struct recorder *r = ctx;
    if (session_back(&r->session, slot, head))
        atomic_store_explicit(&r->no_memory, true, memory_order_relaxed); /* a flag, nothing is published by it */
}

/* Session and store; 0, or a sentence for the user. */
static const char *start(struct recorder *r, char *text, size_t size)
{
    clock_start(&r->clock, clock_choose());
    struct session_options so = { .threshold = r->o->threshold,
                                  .call_min = r->o->call_min,
                                  .ring_bytes = r->o->ring_bytes,
                                  .clock = r->clock.kind,
                                  .ticks_per_sec = clock_ticks_per_sec(&r->clock) };
    int e = session_create(&so, &r->session);
    if (e) {
        snprintf(text, size, "cannot make shared memory in XDG_RUNTIME_DIR, /dev/shm, TMPDIR or /tmp: %s; %s",
                 strerror(-e), e == -EFBIG || e == -ENOMEM ? "see ulimit -f and -v" : "free some space");
        return text;
    }
    if ((e = store_create(r->o->file, &r->store))) {
        snprintf(text, size, "cannot create %s: %s; choose another file with -o", r->o->file,
                 e == -EINVAL ? "Not a regular file" : strerror(-e));
        return text;
    }
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", r->o->file);
    char *slash = strrchr(dir, '/');
    snprintf(slash ? slash + (slash == dir) : dir, slash ? 1 : sizeof dir, "%s", slash ? "" : ".");
    r->processes = process_table_new();
    r->watch = watch_start(r->session.arena, r->o->threshold);
    r->drain = drain_start_backed(r->session.arena, dir, QUEUE_MAX, back_ring, r);
    r->stalls =
        r->watch ? stalls_new(&(struct stalls_options){ r->store, r->watch, &r->clock, r->o->threshold }) : NULL;
    struct intake_options in = { r->store, r->stalls, r->processes, &r->clock, (uint32_t)r->session.slots };
    if (!r->processes || !r->watch || !r->drain || !r->stalls || intake_open(&r->in, &in))
        return "cannot start: out of memory or threads";
    put_meta(r);
    store_commit(r->store, true);
    return NULL;
}

/* --- running ----------------------------------------------------------------------------------------------------- */

/* A shell may exec what it was asked to start: as a rule soon, so it is looked at seldom once the recording is older. */
static void follow_command(struct recorder *r, int64_t now)
{
    struct process *command = r->standin && !r->exited ? process_find(r->processes, r->command) : NULL;
    if (!command || command->gone || now - r->last_follow < (now < FOLLOW_OFTEN ? HOUSEKEEPING : FOLLOW_EVERY))
        return;
    r->last_follow = now;
    if (process_refresh(command)) {
        name_command(r, command);
        store_process(r->store, &command->row);
    }
}

/* What the arena had no room for; once each. */
static void tell_limits(struct recorder *r)
{
    bool refused = atomic_load_explicit(&r->session.arena->refused, memory_order_relaxed); /* the targets' count */
    bool no_memory = atomic_load_explicit(&r->no_memory, memory_order_relaxed);
    if (refused && !r->refused_told)
        intake_gap(&r->in, ROW_NULL, ROW_NULL, "a loop thread found no free slot; it is not in this trace");
    if (no_memory && !r->no_memory_told)
        intake_gap(&r->in, ROW_NULL, ROW_NULL, "shared memory is full: loops record less");
    r->refused_told |= refused;
    r->no_memory_told |= no_memory;
}

static void housekeeping(struct recorder *r)
{
    int64_t now = now_ns(r);
    hear_standin(r);
    stalls_settle(r->stalls, false);
    store_commit(r->store, false);
    if (now - r->last_housekeeping < HOUSEKEEPING)
        return;
    r->last_housekeeping = now;
    process_reap(r->processes, now, process_gone, r);
    follow_command(r, now);
    mirror_stop(r);
    stalls_ongoing(r->stalls);
    tell_limits(r);
    if (now - r->last_sync >= SYNC_EVERY) {
        r->last_sync = now;
        clock_sync(&r->clock);
    }
}

static bool too_large(struct recorder *r)
{
    if (!r->in.full && r->o->max_size && store_size(r->store) >= r->o->max_size) {
        r->in.full = true;
        r->ended_by = "max-size";
    }
    return r->in.full;
}

static bool over(struct recorder *r)
{
    if (too_large(r))
        return true;
    if (stop_asked)
        r->ended_by = "stop";
    else if (r->o->duration && now_ns(r) >= (int64_t)r->o->duration)
        r->ended_by = "duration";
    else
        return r->exited && !anybody_left(r);
    return true;
}

static void pump(struct recorder *r, int timeout_ms, int *ret_more)
{
    struct batch b;
    *ret_more = drain_next(r->drain, timeout_ms, &b);
    if (*ret_more > 0) {
        intake_batch(&r->in, &b);
        drain_release(r->drain, &b);
    }
}

/* Until there are events, the stand-in has a word, `stop` asks, or something may be due. */
static void wait_for_work(struct recorder *r)
{
    struct pollfd f[2] = { { .fd = drain_fd(r->drain), .events = POLLIN }, { .fd = r->socket, .events = POLLIN } };
    poll(f, 2, f[0].fd < 0 ? NAP_MS / 5 : NAP_MS);
}

static ns_t own_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (ns_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u +
           (ns_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u;
}

static void put_process(void *ctx, struct process *p)
{
    store_process(ctx, &p->row);
}

static uint64_t lost(struct recorder *r)
{
    struct drain_stats d = drain_stats(r->drain);
    return d.lost + d.bad + r->in.bad + r->in.skipped + store_rows_lost(r->store);
}

/* Everything that is still in the rings, then the file's end.  0 or -errno. */
static int finish(struct recorder *r)
{
    int more = 1;
    int64_t end = r->ended = now_ns(r);
    atomic_store_explicit(&r->session.arena->on, 0, memory_order_relaxed); /* read by every probe */
    store_meta_int(r->store, "finishing", 1);                              /* a reader waits from now on, see query.c */
    store_commit(r->store, true);
    drain_stop(r->drain);
    while (more >= 0) {
        pump(r, 100, &more);
        store_commit(r->store, false);
        too_large(r); /* what is queued may be more than all that was stored */
    }
    for (int i = 0; i < LAST_NOTES_MS / 5 && stalls_pending(r->stalls); i++) {
        nanosleep(&(struct timespec){ 0, 5000000 }, NULL); /* the watchdog has not looked since they ended */
        stalls_settle(r->stalls, false);
    }
    stalls_settle(r->stalls, true);
    intake_finish(&r->in);
    store_make_room(r->store);
    if (r->in.skipped)
        intake_gap(&r->in, ROW_NULL, (int64_t)r->in.skipped, "max-size reached");
    tell_limits(r);
    process_reap(r->processes, end, process_gone, r);
    process_each(r->processes, put_process, r->store);

    struct drain_stats d = drain_stats(r->drain);
    struct watch_stats w = watch_stats(r->watch);
    watch_stop(r->watch); /* the command may go on: nobody looks at it any more */
    r->watch = NULL;
    store_meta_int(r->store, "duration_ns", end);
    store_meta_int(r->store, "events", (int64_t)d.events);
    store_meta_int(r->store, "lost", (int64_t)lost(r));
    store_meta_int(r->store, "spilled", (int64_t)d.spilled);
    store_meta_int(r->store, "stack_samples", (int64_t)w.samples);
    store_meta_int(r->store, "stack_refused", (int64_t)w.refused);
    store_meta_int(r->store, "processes_attached", atomic_load(&r->session.arena->processes));
    store_meta_int(r->store, "threads_refused", atomic_load(&r->session.arena->refused));
    store_meta_int(r->store, "recorder_cpu_ns", (int64_t)own_cpu());
    if (r->exited && WIFEXITED(r->status))
        store_meta_int(r->store, "exit_status", WEXITSTATUS(r->status));
    if (r->exited && WIFSIGNALED(r->status))
        store_meta_int(r->store, "exit_signal", WTERMSIG(r->status));
    if (r->ended_by)
        store_meta_text(r->store, "ended_by", r->ended_by);
    return store_finish(r->store);
}

/* One line for the user: what there is to see. */
static void sum_up(struct recorder *r, char *text, size_t size)
{
    struct stalls_summary s = stalls_summary(r->stalls);
    double seconds = (double)r->ended / 1e9;
    if (!r->in.loops)
        snprintf(text, size, "%s: no event loop seen in %.1f s; `loopscope report %s` says why that can be", r->o->file,
                 seconds, r->o->file);
    else if (!s.n)
        snprintf(text, size, "%s: no stall%s in %.1f s of %lld loop%s, %llu lost", r->o->file, lost(r) ? " seen" : "",
                 seconds, (long long)r->in.loops, r->in.loops == 1 ? "" : "s", (unsigned long long)lost(r));
    else
        snprintf(text, size, "%s: %lld stall%s in %.1f s, worst %.1f ms, %s; %llu lost; see `loopscope report %s`",
                 r->o->file, (long long)s.n, s.n == 1 ? "" : "s", seconds, (double)s.longest / 1e6, s.detail,
                 (unsigned long long)lost(r), r->o->file);
}

static void end(struct recorder *r)
{
    stalls_free(r->stalls);
    intake_close(&r->in);
    drain_free(r->drain);
    if (r->watch)
        watch_stop(r->watch);
    process_table_free(r->processes);
    store_close(r->store);
    session_remove(&r->session);
    r->processes = NULL;
}

int recorder_run(const struct recorder_options *options, int socket, pid_t root)
{
    static struct recorder r; /* lives as long as the process */
    char text[PATH_MAX + 256];
    r = (struct recorder){ .o = options,
                           .socket = socket,
                           .command_fd = -1,
                           .standin = root ? 0 : getppid(),
                           .born = process_start_time(getpid()) };
    own_process();
    const char *trouble = start(&r, text, sizeof text);
    if (trouble) {
        recorder_send(socket, REC_FAILED, 0, trouble);
        if (r.session.arena)
            session_remove(&r.session);
        return 1;
    }
    atomic_store_explicit(&r.session.arena->on, 1, memory_order_release); /* read by every probe */
    recorder_send(socket, REC_READY, 0, r.session.path);
    if (root) { /* started by a library: its process is the command, and nobody listens to us any more */
        close(socket);
        r.socket = -1;
        command_started(&r, root);
        r.born = process_start_time(root);
        r.exited = true;
    }
    for (int more = 0; !over(&r);) {
        pump(&r, 0, &more);
        if (!more)
            wait_for_work(&r);
        housekeeping(&r);
    }
    int e = finish(&r);
    const char *store_text;
    bool failed = e || store_error(r.store, &store_text);
    if (failed)
        snprintf(text, sizeof text, "%s is incomplete: %s; free some space and run `loopscope repair %s`",
                 options->file, e ? strerror(-e) : store_text, options->file);
    else
        sum_up(&r, text, sizeof text);
    end(&r);
    if (!r.exited) { /* a limit ended the recording, not the command: wait for it, so that it is told at its end */
        while (r.socket >= 0 && !r.exited) {
            poll(&(struct pollfd){ .fd = r.socket, .events = POLLIN }, 1, 100);
            hear_standin(&r);
            mirror_stop(&r);
        }
    }
    tell(&r, failed ? REC_FAILED : REC_FINISHED, 0, text);
    return failed;
}

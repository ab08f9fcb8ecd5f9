/* Children: what they get, what they say, how they end; waiting by many, giving up, what becomes of who is left. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#define SH(script) ((char *[]){ "sh", "-c", (script), NULL })
#define PIPES      (&(struct ls_process_opts){ .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE, .err = LS_STDIO_PIPE })
#define RUN(app)                                                                        \
    do {                                                                                \
        intptr_t run_ = ls_run((app), NULL, NULL);                                      \
        cr_assert_eq(run_, 0, "%ld, errno %d, %s", (long)run_, errno, ls_error_text()); \
    } while (0)

/* The kernel's pidfd_open, unless a test says that there is none. */
static int no_pidfds;
int pidfd_open(pid_t pid, unsigned flags)
{
    if (!no_pidfds)
        return (int)syscall(SYS_pidfd_open, pid, flags);
    errno = ENOSYS;
    return -1;
}

static int open_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}
static int no_children(void)
{
    return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
}

/* Runs a script; its stdout, which must be short. */
static char said[256];
static int status;
static int sh(char *script, struct ls_process_opts opts)
{
    char *out;
    opts.out = LS_STDIO_PIPE;
    struct ls_process *p = ls_process_spawn(SH(script), &opts);
    if (!p || ls_process_communicate(p, NULL, 0, &out, NULL, NULL, NULL, LS_NEVER) ||
        ls_process_wait(p, &status, LS_NEVER))
        return -1;
    snprintf(said, sizeof said, "%s", out);
    free(out);
    return ls_process_free(p);
}

static intptr_t talk_app(void *arg)
{
    (void)arg;
    char *out, *err;
    size_t out_n, err_n;
    struct ls_process *p = ls_process_spawn(SH("tr a-z A-Z; echo no >&2; exit 3"), PIPES);
    if (!p || ls_process_communicate(p, "hello", 5, &out, &out_n, &err, &err_n, LS_NEVER))
        return 1;
    if (out_n != 5 || strcmp(out, "HELLO") != 0 || err_n != 3 || strcmp(err, "no\n") != 0)
        return 2;
    free(out);
    free(err);
    for (int i = 0; i < 2; i++) /* as often as one likes, its time over or not */
        if (ls_process_wait(p, &status, (ls_ns)i) || !WIFEXITED(status) || WEXITSTATUS(status) != 3)
            return 3;
    if (ls_process_communicate(p, NULL, 0, &out, &out_n, NULL, NULL, 1) || !out || out_n || *out)
        return 4; /* nothing more to say */
    free(out);
    if (ls_process_signal(p, SIGTERM) != -1 || errno != ESRCH)
        return 5;
    if (ls_process_free(p) || ls_process_free(p) != -1 || errno != EINVAL)
        return 6;
    return 0;
}
Test(process, communicate_and_wait)
{
    int before = open_fds();
    RUN(talk_app);
    cr_assert(no_children());
    cr_assert_eq(open_fds(), before);
}

static intptr_t big_app(void *arg)
{
    (void)arg;
    enum { N = 10000000 };
    char *in = malloc(N), *out, *err;
    size_t out_n, err_n;
    for (size_t i = 0; i < N; i++)
        in[i] = (char)(i * 31 >> 5);
    struct ls_process *p = ls_process_spawn(SH("tee /dev/stderr"), PIPES);
    if (ls_process_communicate(p, in, N, &out, &out_n, &err, &err_n, LS_NEVER))
        return 1;
    if (out_n != N || err_n != N || memcmp(in, out, N) != 0 || memcmp(in, err, N) != 0)
        return 2;
    free(in);
    free(out);
    free(err);
    return 0;
}
Test(process, ten_megabytes_on_every_pipe)
{
    RUN(big_app);
}

static intptr_t early_app(void *arg)
{
    (void)arg;
    static char in[1000000];
    char *out;
    /* closes its stdin and goes on; closes all and goes on; never reads at all */
    struct ls_process *p = ls_process_spawn(SH("exec <&-; echo a; sleep 0.01; echo b"), PIPES);
    if (ls_process_communicate(p, in, sizeof in, &out, NULL, NULL, NULL, LS_NEVER) || strcmp(out, "a\nb\n") != 0)
        return 1;
    free(out);
    ls_process_free(p);
    ls_ns start = ls_now();
    p = ls_process_spawn(SH("exec <&- >&- 2>&-; sleep 0.03"), PIPES);
    if (ls_process_communicate(p, in, sizeof in, &out, NULL, NULL, NULL, LS_NEVER) || *out ||
        ls_now() < start + 25 * LS_MS)
        return 2; /* waits for its end, too */
    free(out);
    ls_process_free(p);
    p = ls_process_spawn(SH("exit 7"), PIPES);
    if (ls_process_communicate(p, in, sizeof in, NULL, NULL, NULL, NULL, LS_NEVER) ||
        ls_process_wait(p, &status, LS_NEVER) || WEXITSTATUS(status) != 7)
        return 3;
    return 0;
}
Test(process, a_child_that_closes_its_pipes_early)
{
    signal(SIGPIPE, SIG_DFL); /* would end us */
    RUN(early_app);
    sigset_t pending;
    sigpending(&pending);
    cr_assert(!sigismember(&pending, SIGPIPE));
}

static intptr_t retry_app(void *arg)
{
    (void)arg;
    static char in[300000];
    memset(in, 'x', sizeof in);
    char *out = (char *)1;
    size_t n = 99;
    struct ls_process *p = ls_process_spawn(SH("echo begin; sleep 0.05; wc -c"), PIPES);
    if (ls_process_communicate(p, in, sizeof in, &out, &n, NULL, NULL, ls_after(15 * LS_MS)) != -1 ||
        errno != ETIMEDOUT || out != (char *)1 || n != 99)
        return 1;
    if (ls_process_communicate(p, in, sizeof in, &out, &n, NULL, NULL, LS_NEVER))
        return 2;
    int good = !strcmp(out, "begin\n300000\n");
    free(out);
    return good ? 0 : 3;
}
Test(process, communicate_goes_on_after_its_time_was_over)
{
    RUN(retry_app);
}

static intptr_t talks(void *p)
{
    return ls_process_communicate(p, NULL, 0, NULL, NULL, NULL, NULL, LS_NEVER);
}
static intptr_t waits(void *p)
{
    int s = 0;
    return ls_process_wait(p, &s, LS_NEVER) ? -1 : WTERMSIG(s);
}
static intptr_t cancel_app(void *arg)
{
    (void)arg;
    intptr_t r[4];
    struct ls_process *p = ls_process_spawn((char *[]){ "sleep", "100", NULL }, PIPES);
    struct ls_task *t = ls_spawn(talks, p, NULL), *w[4];
    for (int i = 0; i < 4; i++)
        w[i] = ls_spawn(waits, p, NULL);
    ls_sleep(2 * LS_MS);
    if (ls_process_free(p) != -1 || errno != EBUSY || !strstr(ls_error_text(), "sleep ("))
        return 1;
    if (ls_process_communicate(p, NULL, 0, NULL, NULL, NULL, NULL, LS_NEVER) != -1 || errno != EBUSY)
        return 2;
    ls_cancel(t, NULL);
    ls_cancel(w[1], NULL);
    if (ls_await(t, r, LS_NEVER) || r[0] != -1 || errno != ECANCELED)
        return 3;
    if (ls_process_wait(p, NULL, ls_after(LS_MS)) != -1 || errno != ETIMEDOUT)
        return 4;
    if (kill(ls_process_pid(p), 0)) /* nobody harmed it */
        return 5;
    if (ls_process_terminate(p) || ls_gather_all(w, 4, r, LS_NEVER))
        return 6;
    if (r[0] != SIGTERM || r[1] != -ECANCELED || r[2] != SIGTERM || r[3] != SIGTERM)
        return 7;
    if (ls_process_communicate(p, NULL, 0, NULL, NULL, NULL, NULL, LS_NEVER))
        return 8;
    return 0;
}
Test(process, cancel_leaves_the_child_alone_and_all_waiters_are_told)
{
    RUN(cancel_app);
}

static intptr_t kill_app(void *arg)
{
    (void)arg;
    struct ls_process *p = ls_process_spawn(SH("trap '' TERM; echo ready; while :; do sleep 1; done"), PIPES);
    char buf[8];
    if (ls_read(ls_process_fd(p, 1), buf, sizeof buf, LS_NEVER) != 6)
        return 1;
    if (ls_process_terminate(p) || ls_process_wait(p, &status, ls_after(10 * LS_MS)) != -1)
        return 2;
    if (ls_process_signal(p, 0) || ls_process_kill(p) || ls_process_wait(p, &status, LS_NEVER))
        return 3;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 4;
}
Test(process, signals_reach_it)
{
    RUN(kill_app);
}

static intptr_t streams_app(void *arg)
{
    (void)arg;
    char buf[64];
    struct ls_process *p = ls_process_spawn((char *[]){ "cat", NULL }, PIPES);
    int in = ls_process_fd(p, 0), out = ls_process_fd(p, 1);
    for (int i = 0; i < 100; i++)
        if (ls_write(in, "ping", 4, LS_NEVER) != 4 || ls_read(out, buf, sizeof buf, LS_NEVER) != 4)
            return 1;
    if (!(fcntl(in, F_GETFD) & FD_CLOEXEC) || !(fcntl(in, F_GETFL) & O_NONBLOCK))
        return 2;
    if (ls_close(in) != -1 || errno != EBUSY || ls_stream_from_fd(out, NULL) || errno != EBUSY)
        return 5;
    struct ls_stream *lines = ls_stream_from_fd(dup(out), "lines");
    if (ls_write(in, "two\nlines\n", 10, LS_NEVER) != 10 ||
        ls_stream_readline(lines, buf, sizeof buf, ls_after(LS_SEC)) != 4 ||
        ls_stream_readline(lines, buf, sizeof buf, ls_after(LS_SEC)) != 6 || strcmp(buf, "lines\n") ||
        ls_stream_close(lines, LS_NEVER))
        return 6;
    if (ls_process_close(p, 0) || ls_read(out, buf, sizeof buf, LS_NEVER) != 0)
        return 3;
    if (ls_process_fd(p, 0) != -1 || errno != EBADF || ls_process_close(p, 0) != -1 || ls_process_fd(p, 3) != -1)
        return 4;
    return ls_process_wait(p, &status, LS_NEVER) || status;
}
Test(process, its_pipes_are_fds_as_any_other)
{
    RUN(streams_app);
}

static intptr_t opts_app(void *arg)
{
    int *pair = arg;
    char *env[] = { "COLOUR=red", NULL };
    if (sh("echo $COLOUR; pwd", (struct ls_process_opts){ .env = env, .cwd = "/usr" }) ||
        strcmp(said, "red\n/usr\n") != 0)
        return 1;
    if (sh("echo a; echo b >&2", (struct ls_process_opts){ .err = LS_STDIO_STDOUT }) || strcmp(said, "a\nb\n") != 0)
        return 2;
    if (sh("cat; echo end", (struct ls_process_opts){ .in = LS_STDIO_NULL }) || strcmp(said, "end\n") != 0)
        return 3;
    if (sh("ps -o sid= -p $$ | tr -d ' '; echo $$", (struct ls_process_opts){ .new_session = 1 }))
        return 4;
    long sid, pid;
    if (sscanf(said, "%ld %ld", &sid, &pid) != 2 || sid != pid)
        return 5;
    /* its fds: 0, 1, 2 and what ls opens itself */
    if (sh("ls /proc/self/fd | tr '\\n' ' '", (struct ls_process_opts){ 0 }) || strcmp(said, "0 1 2 3 ") != 0)
        return 6;
    if (sh("echo kept > /proc/self/fd/$KEPT", (struct ls_process_opts){ .keep_fds = 1 }))
        return 7;
    char buf[16] = "";
    struct ls_process *p = ls_process_spawn(
        SH("read x; echo got $x; echo bad >&2"),
        &(struct ls_process_opts){
            .in = LS_STDIO_FD, .out = LS_STDIO_FD, .err = LS_STDIO_FD, .fd = { pair[0], pair[1], pair[1] } });
    if (!p || ls_process_wait(p, &status, LS_NEVER) || status)
        return 8;
    return ls_read(pair[2], buf, sizeof buf, LS_NEVER) == 16 && !memcmp(buf, "got words\nbad\nx", 13) ? 0 : 9;
}
Test(process, environment_directory_stdio_session_and_fds)
{
    int in[2], out[2];
    cr_assert(!pipe(in) && !pipe(out));
    cr_assert_eq(write(in[1], "words\n", 6), 6);
    char kept[16];
    snprintf(kept, sizeof kept, "%d", out[1]);
    setenv("KEPT", kept, 1);
    int fds[3] = { in[0], out[1], out[0] };
    intptr_t r = ls_run(opts_app, fds, NULL);
    cr_assert(r == 0 || r == 9, "%ld %s", (long)r, said);
    char buf[64] = "";
    if (r == 9) { /* the first read got less */
        cr_assert_gt(read(out[0], buf, sizeof buf), 0);
    }
}

static intptr_t errors_app(void *arg)
{
    (void)arg;
    if (ls_process_spawn((char *[]){ "no-such-program-at-all", NULL }, PIPES) || errno != ENOENT)
        return 1;
    if (ls_process_spawn((char *[]){ "/etc/passwd", NULL }, NULL) || errno != EACCES)
        return 2;
    if (ls_process_spawn(SH("true"), &(struct ls_process_opts){ .cwd = "/nowhere" }) || errno != ENOENT)
        return 3;
    if (ls_process_spawn(SH("true"), &(struct ls_process_opts){ .cwd = "/etc/passwd" }) || errno != ENOTDIR)
        return 4;
    if (ls_process_spawn(SH("true"), &(struct ls_process_opts){ .out = LS_STDIO_FD, .fd = { 0, 999, 0 } }) ||
        errno != EBADF)
        return 5;
    if (ls_process_spawn(SH("true"), &(struct ls_process_opts){ .out = LS_STDIO_STDOUT }) || errno != EINVAL)
        return 6;
    if (ls_process_spawn(NULL, NULL) || errno != EINVAL || ls_process_spawn((char *[]){ NULL }, NULL) ||
        errno != EINVAL)
        return 7;
    if (ls_process_wait(NULL, NULL, LS_NEVER) != -1 || errno != EINVAL || ls_process_free(NULL))
        return 8;
    return 0;
}
Test(process, what_cannot_be_started_is_an_error_and_leaves_nothing)
{
    int before = open_fds();
    RUN(errors_app);
    cr_assert(no_children());
    cr_assert_eq(open_fds(), before);
    cr_assert_null(ls_process_spawn(SH("true"), NULL));
    cr_assert_eq(errno, EPERM);
}

static intptr_t signals_app(void *arg)
{
    (void)arg;
    return sh("grep -E 'SigBlk|SigIgn' /proc/self/status | tr -d '\\n\\t'", (struct ls_process_opts){ 0 });
}
Test(process, a_child_begins_with_no_signal_blocked_or_ignored)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* as nohup does */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    intptr_t r = ls_run(signals_app, NULL, NULL);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    cr_assert_eq(r, 0);
    unsigned long long blocked, ignored;
    cr_assert_eq(sscanf(said, "SigBlk:%llxSigIgn:%llx", &blocked, &ignored), 2);
    cr_assert_eq(blocked, 0);
    cr_assert_eq(ignored & ~(3ull << 31), 1, "%llx", ignored); /* 32 and 33 are glibc's own */
}

/* What is left behind. */
static pid_t left[3];
static intptr_t left_app(void *arg)
{
    (void)arg;
    char *argv[] = { "sleep", "100", NULL };
    struct ls_process *freed = ls_process_spawn(argv, NULL), *kept = ls_process_spawn(argv, NULL),
                      *outlives = ls_process_spawn(argv, &(struct ls_process_opts){ .outlive = 1 });
    left[0] = ls_process_pid(freed);
    left[1] = ls_process_pid(kept);
    left[2] = ls_process_pid(outlives);
    if (ls_process_free(freed) || ls_process_free(outlives))
        return 1;
    for (int i = 0; i < 1000 && !kill(left[0], 0); i++) /* killed, and reaped by the loop */
        ls_sleep(LS_MS);
    if (!kill(left[0], 0) || errno != ESRCH || kill(left[2], 0))
        return 2;
    struct ls_process *quick = ls_process_spawn(SH("exit 0"), &(struct ls_process_opts){ .outlive = 1 });
    pid_t pid = ls_process_pid(quick);
    if (ls_process_free(quick))
        return 3;
    for (int i = 0; i < 1000 && !kill(pid, 0); i++)
        ls_sleep(LS_MS);
    return kill(pid, 0) ? 0 : 4;
}
Test(process, who_is_left_is_killed_unless_he_may_outlive)
{
    RUN(left_app);
    cr_assert(kill(left[1], 0) == -1 && errno == ESRCH);
    cr_assert_eq(kill(left[2], SIGKILL), 0);
    cr_assert_eq(waitpid(left[2], &status, 0), left[2]);
    cr_assert(no_children());
}

static intptr_t stolen_app(void *arg)
{
    (void)arg;
    struct ls_process *p = ls_process_spawn(SH("exit 0"), NULL);
    waitpid(ls_process_pid(p), NULL, 0); /* not his */
    return ls_process_wait(p, NULL, LS_NEVER) == -1 && errno == ECHILD ? 0 : 1;
}
static intptr_t ignored_app(void *arg)
{
    (void)arg;
    struct ls_process *p = ls_process_spawn(SH("sleep 0.01"), NULL);
    return ls_process_wait(p, NULL, LS_NEVER) == -1 && errno == ECHILD ? 0 : 1;
}
Test(process, a_child_that_somebody_else_reaped)
{
    RUN(stolen_app);
    signal(SIGCHLD, SIG_IGN);
    RUN(ignored_app);
}

/* A fork of ours keeps the pidfd open: the end of the child must not wake the loop ever again. */
static ls_ns cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (ls_ns)t.tv_sec * LS_SEC + (ls_ns)t.tv_nsec;
}
static intptr_t forked_app(void *arg)
{
    (void)arg;
    struct ls_process *p = ls_process_spawn(SH("read x"), &(struct ls_process_opts){ .in = LS_STDIO_PIPE });
    pid_t fork_of_ours = fork();
    if (!fork_of_ours) {
        pause();
        _exit(0);
    }
    ls_process_close(p, 0);
    ls_process_kill(p);
    if (ls_process_wait(p, NULL, LS_NEVER))
        return 1;
    ls_ns before = cpu_time();
    ls_sleep(300 * LS_MS);
    ls_ns used = cpu_time() - before;
    kill(fork_of_ours, SIGKILL);
    waitpid(fork_of_ours, NULL, 0);
    return used < 30 * LS_MS ? 0 : 2;
}
Test(process, an_end_is_told_once_whoever_has_its_fd)
{
    RUN(forked_app);
}

/* Signals come while the loop's end waits for those it killed. */
static void ignore(int number)
{
    (void)number;
}
static intptr_t interrupted_app(void *arg)
{
    (void)arg;
    for (int i = 0; i < 30; i++)
        if (!ls_process_spawn((char *[]){ "sleep", "100", NULL }, NULL))
            return 1;
    return 0;
}
Test(process, no_signal_leaves_a_zombie)
{
    struct itimerval often = { { 0, 50 }, { 0, 50 } };
    struct sigaction a = { .sa_handler = ignore };
    sigaction(SIGALRM, &a, NULL);
    sigaction(SIGCHLD, &a, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    intptr_t r = ls_run(interrupted_app, NULL, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
    cr_assert_eq(r, 0, "%ld %s", (long)r, strerror(errno));
    cr_assert(no_children());
}

enum { MANY = 1000, AT_ONCE = 50 };
static int sum;
static intptr_t many_worker(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY / AT_ONCE; i++) {
        int s;
        struct ls_process *p = ls_process_spawn((char *[]){ "/bin/false", NULL }, NULL);
        if (!p || ls_process_wait(p, &s, LS_NEVER) || ls_process_free(p))
            return -1;
        sum += WEXITSTATUS(s);
    }
    return 0;
}
static intptr_t many_app(void *arg)
{
    (void)arg;
    struct ls_task *t[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        t[i] = ls_spawn(many_worker, NULL, NULL);
    return ls_gather(t, AT_ONCE, NULL, LS_NEVER);
}
Test(process, a_thousand_children)
{
    int before = open_fds();
    RUN(many_app);
    cr_assert_eq(sum, MANY);
    cr_assert(no_children());
    cr_assert_eq(open_fds(), before);
}

static void without_pidfds(void)
{
    no_pidfds = 1;
}
Test(process, without_pidfds_they_talk_and_end, .init = without_pidfds)
{
    int before = open_fds();
    RUN(talk_app);
    RUN(kill_app);
    RUN(early_app);
    cr_assert(no_children());
    cr_assert_eq(open_fds(), before);
}
Test(process, without_pidfds_all_waiters_are_told, .init = without_pidfds)
{
    RUN(cancel_app);
    cr_assert(no_children());
}
Test(process, without_pidfds_who_is_left_is_killed, .init = without_pidfds)
{
    RUN(left_app);
    cr_assert(kill(left[1], 0) == -1 && errno == ESRCH);
    cr_assert_eq(kill(left[2], SIGKILL), 0);
    cr_assert_eq(waitpid(left[2], &status, 0), left[2]);
    cr_assert(no_children());
}
Test(process, without_pidfds_one_that_somebody_else_reaped, .init = without_pidfds)
{
    RUN(stolen_app);
    signal(SIGCHLD, SIG_IGN);
    RUN(ignored_app);
}

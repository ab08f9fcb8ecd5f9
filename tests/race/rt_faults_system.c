/* rt_faults_system.c - threads, files, names, processes, signals, sockets, streams and servers while memory, mappings,
 * epoll, fds, threads and processes fail: see faults.h.  Waits end after SOON, where the other side failed.
 * link: -lssl -lcrypto -Wl,@tests/race/faults.link */
#include <netdb.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "faults.h"

/* --- threads ----------------------------------------------------------------------------------------------------- */

static intptr_t in_thread(void *arg)
{
    return (intptr_t)arg;
}
static intptr_t threads(void *arg)
{
    intptr_t result = 7;
    (void)arg;
    for (int i = 0; i < 3; i++)
        if (MAY_FAIL(!ls_to_thread(in_thread, (void *)5, &result, LS_NEVER)))
            MUST(result == 5);
    return 0;
}

static int dropped;
static void drop(void *arg, intptr_t result)
{
    (void)result;
    dropped++;
    free(arg);
}
static intptr_t runs_in_pool(void *arg)
{
    void *mine = malloc(8);
    intptr_t result;
    if (!MAY_FAIL(mine))
        return 0;
    if (MAY_FAIL(!ls_pool_run_drop(arg, in_thread, mine, drop, &result, LS_NEVER))) {
        MUST(result == (intptr_t)mine);
        drop(mine, 0);
    }
    return 1;
}
/* What a job was given is freed once, by one side or the other. */
static intptr_t pools(void *arg)
{
    struct ls_pool *p = ls_pool_new("pool", 2);
    struct ls_task *t[5];
    int n = 0, had = 0;
    (void)arg;
    dropped = 0;
    while (p && n < 5 && MAY_FAIL(t[n] = ls_spawn(runs_in_pool, p, NULL)))
        n++;
    while (n--) {
        intptr_t result;
        MUST(!ls_await(t[n], &result, LS_NEVER));
        had += result == 1;
    }
    MUST(had == dropped);
    MUST(!p || !ls_pool_free(p));
    return p || fits(errno) ? 0 : -1;
}

static atomic_int posted, arrived;
static void arrives(void *arg)
{
    (void)arg;
    arrived++;
}
static void *poster(void *loop)
{
    for (int i = 0; i < 300; i++)
        posted += MAY_FAIL(!ls_post(loop, arrives, NULL));
    return NULL;
}
static intptr_t adds_one(void *arg)
{
    ls_yield();
    return (intptr_t)arg + 1;
}
static void *caller(void *loop)
{
    for (intptr_t i = 0; i < 3; i++) {
        intptr_t result = 0;
        if (MAY_STOP(!ls_run_threadsafe(loop, adds_one, (void *)i, &result, ls_after(LS_SEC))))
            MUST(result == i + 1 || (result == -1 && fits(errno)));
    }
    return NULL;
}
static intptr_t over_there(void *arg)
{
    pthread_t *t = arg;
    return pthread_join(*t, NULL);
}
/* Every post that was taken arrives, at the loop's end at the latest. */
static intptr_t posts(void *arg)
{
    struct ls_loop *l = ls_loop_self();
    pthread_t t[2];
    (void)arg;
    posted = arrived = 0;
    if (!MAY_FAIL(l))
        return 0;
    MUST(!__real_pthread_create(&t[0], NULL, poster, l) && !__real_pthread_create(&t[1], NULL, caller, l));
    for (int i = 0; i < 2; i++)
        if (!MAY_FAIL(!ls_to_thread(over_there, &t[i], NULL, LS_NEVER))) {
            if (i) /* it waits for this loop: until its deadline at most */
                ls_sleep(LS_MS);
            pthread_join(t[i], NULL);
        }
    ls_yield();
    if (MAY_FAIL(!ls_sleep(LS_MS)))
        MUST(posted == arrived);
    return 0;
}

/* --- files and names --------------------------------------------------------------------------------------------- */

static intptr_t files(void *arg)
{
    char path[64], copy[80], buf[16], *data;
    char **names;
    size_t size;
    struct stat st;
    (void)arg;
    snprintf(path, sizeof path, "/tmp/rt_faults.%d", (int)getpid());
    snprintf(copy, sizeof copy, "%s.2", path);
    struct ls_file *f = ls_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, LS_NEVER);
    if (MAY_FAIL(f)) {
        bool wrote = MAY_FAIL(ls_file_write(f, "hello", 5, LS_NEVER) == 5);
        MAY_FAIL(!ls_file_fdatasync(f, LS_NEVER));
        ssize_t n = ls_file_pread(f, buf, sizeof buf, 0, LS_NEVER);
        if (MAY_FAIL(n >= 0))
            MUST(n == (wrote ? 5 : 0));
        MAY_FAIL(!ls_file_fstat(f, &st, LS_NEVER));
        MAY_FAIL(!ls_file_close(f, LS_NEVER));
        if (MAY_FAIL(!ls_file_read_all(path, &data, &size, LS_NEVER))) {
            MUST(size == (wrote ? 5u : 0u));
            free(data);
        }
        MAY_FAIL(!ls_file_rename(path, copy, LS_NEVER));
    }
    if (MAY_FAIL(!ls_file_list("/proc/self/task", &names, &size, LS_NEVER))) {
        MUST(size >= 1 && !names[size]);
        free(names);
    }
    unlink(path);
    unlink(copy);
    return 0;
}

static intptr_t names(void *arg)
{
    struct addrinfo *list;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char host[256];
    (void)arg;
    int code = ls_getaddrinfo("localhost", "80", NULL, &list, LS_NEVER);
    if (MAY_FAIL(!code || code == EAI_MEMORY || code == EAI_SYSTEM) && !code)
        freeaddrinfo(list);
    code = ls_getnameinfo((struct sockaddr *)&a, sizeof a, host, sizeof host, NULL, 0, 0, LS_NEVER);
    MUST(!code || code == EAI_MEMORY || (code == EAI_SYSTEM && fits(errno)));
    return 0;
}

/* --- processes and signals --------------------------------------------------------------------------------------- */

static char big[300000];

static intptr_t processes(void *arg)
{
    char *cat[] = { "cat", NULL }, *true_[] = { "true", NULL }, *out = NULL;
    size_t size = 0;
    int status;
    (void)arg;
    struct ls_process *p = ls_process_spawn(true_, NULL);
    if (MAY_FAIL(p)) {
        if (MAY_FAIL(!ls_process_wait(p, &status, LS_NEVER)))
            MUST(WIFEXITED(status) && !WEXITSTATUS(status));
        MUST(!ls_process_free(p));
    }
    p = ls_process_spawn(cat, &(struct ls_process_opts){ .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE });
    if (!MAY_FAIL(p))
        return 0;
    for (int tries = 0; tries < 3; tries++) /* what failed may be gone on with */
        if (MAY_FAIL(!ls_process_communicate(p, big, sizeof big, &out, &size, NULL, NULL, LS_NEVER))) {
            MUST(size == sizeof big && !memcmp(out, big, size));
            free(out);
            break;
        }
    MUST(!ls_process_free(p)); /* when it still runs, it is killed */
    p = ls_process_spawn(cat, &(struct ls_process_opts){ .in = LS_STDIO_PIPE });
    MAY_FAIL(p); /* is left to the loop's end */
    return 0;
}

static intptr_t processes_by_look(void *arg)
{
    no_pidfd = true;
    processes(arg);
    no_pidfd = false;
    return 0;
}

static intptr_t signals(void *arg)
{
    sigset_t set;
    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    bool got = false;
    for (int i = 0; i < 3 && !got; i++)
        got = MAY_FAIL(ls_signal_await(&set, NULL, LS_NEVER) == SIGUSR1);
    int result = got ? ls_signal_await(&set, NULL, ls_after(LS_MS)) : -1;
    MUST(result == -1 && follows(errno));
    if (!got)
        sigtimedwait(&set, NULL, &(struct timespec){ 0 });
    return 0;
}

/* --- sockets ----------------------------------------------------------------------------------------------------- */

static intptr_t writes(void *arg)
{
    return ls_write(*(int *)arg, "x", 1, LS_NEVER);
}
static intptr_t fds(void *arg)
{
    int p[2];
    char c;
    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p))
        return 0;
    struct ls_task *t = ls_spawn(writes, &p[1], NULL);
    if (MAY_FAIL(t)) {
        intptr_t result;
        bool read = MAY_STOP(ls_read(p[0], &c, 1, SOON) == 1);
        if (MAY_FAIL(!ls_await(t, &result, LS_NEVER)) && read)
            MUST(result == 1 && c == 'x');
    }
    MAY_STOP(ls_wait_fd(p[1], POLLOUT, SOON) >= 0);
    ls_close(p[0]);
    ls_close(p[1]);
    return 0;
}

static intptr_t datagrams(void *arg)
{
    char c;
    (void)arg;
    int a = ls_udp_bind("127.0.0.1", 0, 0, SOON), b = ls_datagram_bind(NULL);
    if (MAY_STOP(a >= 0)) {
        MAY_STOP(ls_recvfrom(a, &c, 1, 0, NULL, NULL, ls_after(LS_MS)) >= 0);
        MUST(!ls_close(a));
    }
    if (b >= 0)
        MUST(!ls_close(b));
    int p[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    off_t at = 0;
    if (!socketpair(AF_UNIX, SOCK_STREAM, 0, p)) {
        MAY_STOP(ls_sendfile(p[0], file, &at, 1000000, ls_after(LS_MS)) >= 0);
        ls_close(p[0]);
        ls_close(p[1]);
    }
    close(file);
    return 0;
}

static intptr_t echo(struct ls_stream *s, void *arg)
{
    char line[128];
    ssize_t n;
    (void)arg;
    while (MAY_STOP((n = ls_stream_readline(s, line, sizeof line, SOON)) >= 0) && n)
        if (!MAY_STOP(!ls_stream_write(s, line, (size_t)n) && !ls_stream_write(s, big, sizeof big) &&
                      !ls_stream_drain(s, SOON)))
            return -1;
    return n;
}
static void talk(struct ls_stream *s)
{
    char line[128], *all;
    if (!MAY_STOP(s))
        return;
    all = malloc(sizeof big);
    const char *peer = ls_stream_peer(s);
    if (peer && all && MAY_STOP(!ls_stream_writef(s, "%s, %60s\n", peer, "x")) &&
        MAY_STOP(ls_stream_readline(s, line, sizeof line, SOON) >= 0)) {
        ssize_t n = ls_stream_read_exactly(s, all, sizeof big, SOON); /* 0: the other side gave up */
        if (MAY_STOP(n >= 0) && n)
            MUST(n == sizeof big && !memcmp(all, big, sizeof big));
    }
    free(all);
    MAY_STOP(!ls_stream_close(s, SOON));
}
static intptr_t client(void *arg)
{
    talk(ls_connect("127.0.0.1", (int)(intptr_t)arg, SOON));
    return 0;
}
static intptr_t servers(void *arg)
{
    struct ls_task *t[3];
    int n = 0;
    char path[64];
    (void)arg;
    snprintf(path, sizeof path, "/tmp/rt_faults.%d.sock", (int)getpid());
    MUST(access(path, F_OK)); /* the run before has removed it */
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    MAY_FAIL(v);
    struct ls_server *u = ls_serve_unix(path, echo, NULL, NULL);
    MAY_FAIL(u);
    while (v && n < 3 && MAY_FAIL(t[n] = ls_spawn(client, (void *)(intptr_t)ls_server_port(v), "client %d", n)))
        n++;
    if (u)
        talk(ls_connect_unix(path, SOON));
    while (n--)
        if (!MAY_FAIL(!ls_await(t[n], NULL, LS_NEVER)))
            ls_detach(t[n]);
    if (v)
        MAY_STOP(!ls_server_close(v, SOON));
    if (u && failing % 2) /* the other half is left to the end of the loop */
        MAY_STOP(!ls_server_close(u, SOON));
    return 0;
}

static char certificate[64];
static const char *const protocols[] = { "echo/1", NULL };

static intptr_t tls_echo(struct ls_stream *s, void *tls)
{
    char line[64];
    ssize_t n = -1;
    if (MAY_STOP(!ls_stream_tls(s, tls, NULL, SOON)) &&
        MAY_STOP((n = ls_stream_readline(s, line, sizeof line, SOON)) >= 0))
        MAY_STOP(!ls_stream_write(s, line, (size_t)n));
    return n < 0 ? -1 : 0;
}
static intptr_t tls(void *arg)
{
    struct ls_tls *theirs =
        ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = certificate, .alpn = protocols });
    struct ls_tls *ours = ls_tls_new(&(struct ls_tls_opts){ .insecure = 1, .alpn = protocols });
    char line[64];
    (void)arg;
    MAY_FAIL(theirs && ours);
    struct ls_server *v = theirs && ours ? ls_serve_unix("@rt_faults_tls", tls_echo, theirs, NULL) : NULL;
    struct ls_stream *s = v ? ls_connect_unix("@rt_faults_tls", SOON) : NULL;
    if (v && MAY_STOP(s)) {
        if (MAY_STOP(!ls_stream_tls(s, ours, NULL, SOON)) && MAY_STOP(!ls_stream_write(s, "hello\n", 6))) {
            ssize_t n = ls_stream_readline(s, line, sizeof line, SOON);
            if (MAY_STOP(n >= 0 || errno == ECONNABORTED) && n > 0)
                MUST(n == 6 && !strcmp(line, "hello\n") && ls_stream_alpn(s) && !strcmp(ls_stream_alpn(s), "echo/1"));
        }
        ls_stream_close(s, SOON);
    }
    if (v)
        MAY_STOP(!ls_server_close(v, SOON));
    MUST((!ours || !ls_tls_free(ours)) && (!theirs || !ls_tls_free(theirs)));
    return 0;
}
static void make_certificate(void)
{
    char command[512];
    snprintf(certificate, sizeof certificate, "/tmp/rt_faults.%d.pem", (int)getpid());
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
             "-keyout %s.key -out %s 2>/dev/null && cat %s.key >> %s && rm %s.key",
             certificate, certificate, certificate, certificate, certificate);
    if (system(command))
        exit(1);
}

int main(int argc, char **argv)
{
    static const struct scenario scenarios[] = {
        { "a pool's threads", threads, false },
        { "pools and what is dropped", pools, false },
        { "posts and calls from threads", posts, false },
        { "files", files, false },
        { "names of hosts", names, false },
        { "processes", processes, false },
        { "processes without pidfds", processes_by_look, false },
        { "signals", signals, false },
        { "fds", fds, false },
        { "datagrams and sendfile", datagrams, false },
        { "servers and streams", servers, false },
        { "TLS", tls, false },
    };
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7);
    make_certificate();
    int result = run_all(scenarios, sizeof scenarios / sizeof *scenarios, argc == 4 ? argv : argv + argc - 1);
    unlink(certificate);
    return result;
}

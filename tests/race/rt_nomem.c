/* rt_nomem.c - servers, streams and datagrams while memory runs out: each allocation of a run fails once, in turn.
 *
 * Every run must end, without a crash, and leave no fd open.  Exit 77 where a sanitizer owns malloc. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
int main(void)
{
    return 77;
}
#else

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static _Thread_local bool armed; /* only this thread's allocations fail */
static int countdown, failures;

static bool fails(void)
{
    if (!armed || countdown-- > 0)
        return false;
    armed = false; /* the one: what clears up after it has memory */
    failures++;
    errno = ENOMEM;
    return true;
}
void *malloc(size_t n)
{
    return fails() ? NULL : __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    return fails() ? NULL : __libc_realloc(p, n);
}

#define SOON ls_after(50 * LS_MS)

static char big[300000];

static intptr_t echo(struct ls_stream *s, void *arg)
{
    char line[128];
    ssize_t n;
    (void)arg;
    while ((n = ls_stream_readline(s, line, sizeof line, SOON)) > 0)
        if (ls_stream_write(s, line, (size_t)n) || ls_stream_write(s, big, sizeof big) || ls_stream_drain(s, SOON))
            return -1;
    return n;
}

static void talk(struct ls_stream *s)
{
    char line[128], *all = malloc(sizeof big);
    if (!s)
        return;
    const char *peer = ls_stream_peer(s);
    if (peer && all && !ls_stream_writef(s, "%s, %600s\n", peer, "x") && !ls_stream_write(s, "short\n", 6) &&
        ls_stream_readline(s, line, sizeof line, SOON) >= 0)
        ls_stream_read_exactly(s, all, sizeof big, SOON);
    free(all);
    ls_stream_close(s, SOON);
}

static intptr_t client(void *arg)
{
    talk(ls_connect("127.0.0.1", (int)(intptr_t)arg, SOON));
    return 0;
}

static void datagrams(void)
{
    int a = ls_udp_bind("127.0.0.1", 0, 0, SOON), b = ls_datagram_bind(NULL);
    char c;
    if (a >= 0)
        ls_recvfrom(a, &c, 1, 0, NULL, NULL, ls_after(LS_MS));
    if (a >= 0)
        ls_close(a);
    if (b >= 0)
        ls_close(b);
}

static void files(void)
{
    int p[2], file = open("/proc/self/exe", O_RDONLY);
    off_t at = 0;
    if (!socketpair(AF_UNIX, SOCK_STREAM, 0, p)) {
        ls_sendfile(p[0], file, &at, 100000, ls_after(LS_MS));
        ls_close(p[0]);
        ls_close(p[1]);
    }
    close(file);
}

static intptr_t app(void *arg)
{
    (void)arg;
    struct ls_server *v = ls_serve("127.0.0.1", 0, echo, NULL, NULL);
    struct ls_server *u = ls_serve_unix("@rt_nomem", echo, NULL, NULL);
    struct ls_task *t[3] = { 0 };
    for (int i = 0; v && i < 3; i++)
        t[i] = ls_spawn(client, (void *)(intptr_t)ls_server_port(v), "client %d", i);
    talk(ls_connect_unix("@rt_nomem", SOON));
    for (int i = 0; i < 3; i++)
        if (t[i] && ls_await(t[i], NULL, ls_after(LS_SEC)))
            ls_detach(t[i]);
    datagrams();
    files();
    if (v)
        ls_server_close(v, SOON);
    if (u && failures % 2) /* the other half is left to the end of the loop */
        ls_server_close(u, SOON);
    return 0;
}

static int open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

int main(void)
{
    int before = open_fds(), runs = 0;
    for (;; runs++) {
        int had = failures;
        countdown = runs;
        armed = true;
        ls_run(app, NULL, NULL);
        armed = false;
        if (open_fds() != before) {
            printf("rt_nomem: %d fds were left open when allocation %d failed\n", open_fds() - before, runs);
            return 1;
        }
        if (failures == had) /* the run had no allocation left to fail */
            break;
    }
    printf("rt_nomem: ok, %d allocations failed in turn\n", failures);
    return failures < 40;
}
#endif

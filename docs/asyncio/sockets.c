/* sock_recv, sock_sendall, sock_accept, sock_connect | ls_read, ls_write, ls_close
 * ls_read, ls_write, ls_accept, ls_connect_fd on any fd, blocking or not. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t reader(void *fd)
{
    char text[100];
    ssize_t n = ls_read(*(int *)fd, text, sizeof text, LS_NEVER);
    printf("%.*s\n", (int)n, text);
    return 0;
}
static intptr_t app(void *arg)
{
    (void)arg;
    int s[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    struct ls_task *t = ls_spawn(reader, &s[1], NULL);
    ls_sleep(10 * LS_MS);
    ls_write(s[0], "hello", 5, LS_NEVER);
    ls_await(t, NULL, LS_NEVER);
    ls_close(s[0]);
    return ls_close(s[1]);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

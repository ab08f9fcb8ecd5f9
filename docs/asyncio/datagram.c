/* create_datagram_endpoint | ls_udp_bind, ls_udp_connect, ls_recvfrom, ls_sendto
 * No protocol class: a task reads and answers. */
#include <loopscope/runtime.h>
#include <netinet/in.h>
#include <stdio.h>

static intptr_t echo(void *arg)
{
    int fd = *(int *)arg;
    char in[100], out[100];
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    ssize_t n = ls_recvfrom(fd, in, sizeof in, 0, (struct sockaddr *)&peer, &len, LS_NEVER);
    for (ssize_t i = 0; i < n; i++)
        out[i] = in[n - 1 - i];
    return ls_sendto(fd, out, (size_t)n, 0, (struct sockaddr *)&peer, len, LS_NEVER);
}
static intptr_t app(void *arg)
{
    (void)arg;
    int server = ls_udp_bind("127.0.0.1", 0, 0, LS_NEVER);
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;
    char text[100];
    getsockname(server, (struct sockaddr *)&addr, &len);
    struct ls_task *t = ls_spawn(echo, &server, NULL);
    int client = ls_udp_connect("127.0.0.1", ntohs(addr.sin_port), 0, LS_NEVER);
    ls_write(client, "olleh", 5, LS_NEVER);
    ssize_t n = ls_read(client, text, sizeof text, LS_NEVER);
    printf("%.*s\n", (int)n, text);
    ls_await(t, NULL, LS_NEVER);
    ls_close(client);
    return ls_close(server);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

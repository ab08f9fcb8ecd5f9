/* tcp_echo_blocking.c - the naive twin of tcp_echo.c: a task for each client, and plain read and write in it.
 *
 * The fault: read() waits in the thread until this client speaks, and no other client is heard meanwhile.  The report: a
 * stall as long as the silence, cause `call`, in read from `echo`, with the client's name. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static intptr_t echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buf[4096];
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0) /* here */
        if (write(fd, buf, (size_t)n) != n)
            break;
    return close(fd);
}

struct args {
    int port, clients;
};

static intptr_t app(void *arg)
{
    struct args *a = arg;
    struct ls_task *tasks[16] = { 0 };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)a->port) };
    socklen_t size = sizeof address;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s, (struct sockaddr *)&address, size) || listen(s, 16) ||
        getsockname(s, (struct sockaddr *)&address, &size)) {
        perror("tcp_echo_blocking");
        return 1;
    }
    printf("echo on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int i = 0; i < a->clients; i++) {
        if (ls_wait_fd(s, POLLIN, LS_NEVER) < 0)
            return 1;
        tasks[i] = ls_spawn(echo, (void *)(intptr_t)accept(s, NULL, NULL), "client %d", i + 1);
    }
    ls_gather(tasks, (size_t)a->clients, NULL, LS_NEVER);
    return close(s);
}

int main(int argc, char **argv)
{
    struct args a = { argc == 3 ? atoi(argv[1]) : 0, argc == 3 ? atoi(argv[2]) : 0 };
    if (a.clients < 1 || a.clients > 16) {
        fprintf(stderr, "usage: tcp_echo_blocking PORT CLIENTS    1 to 16\n");
        return 2;
    }
    return (int)ls_run(app, &a, &(struct ls_opts){ .name = "echo" });
}

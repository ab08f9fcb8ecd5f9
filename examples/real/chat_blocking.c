/* chat_blocking.c - the naive twin of chat.c: what one client says is written to all others right away.
 *
 * The fault: a client that does not read fills its socket; then write() to it waits in the thread, and everybody waits for
 * the slowest.  The report: a stall, cause `call`, in write from `say`, in the task of the one who spoke. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <loopscope/runtime.h>

#define CLIENTS_MAX 16

static struct {
    int fds[CLIENTS_MAX], count;
} room;

static void say(int from, const char *text, size_t length)
{
    char head[16];
    int n = snprintf(head, sizeof head, "%d: ", from + 1);
    for (int i = 0; i < room.count; i++) {
        if (i == from || room.fds[i] < 0)
            continue;
        if (write(room.fds[i], head, (size_t)n) != n || write(room.fds[i], text, length) < 0) /* here */
            perror("chat_blocking");
    }
}

static intptr_t chat(void *arg)
{
    int me = (int)(intptr_t)arg, fd = room.fds[me];
    char text[1024];
    ssize_t n;
    while ((n = ls_read(fd, text, sizeof text, LS_NEVER)) > 0)
        say(me, text, (size_t)n);
    room.fds[me] = -1;
    return ls_close(fd);
}

struct args {
    int port, clients;
};

static intptr_t app(void *arg)
{
    struct args *a = arg;
    struct ls_task *tasks[CLIENTS_MAX] = { 0 };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)a->port) };
    socklen_t size = sizeof address;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s, (struct sockaddr *)&address, size) || listen(s, 16) ||
        getsockname(s, (struct sockaddr *)&address, &size)) {
        perror("chat_blocking");
        return 1;
    }
    printf("chat on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int i = 0; i < a->clients; i++) {
        if (ls_wait_fd(s, POLLIN, LS_NEVER) < 0)
            return 1;
        room.fds[room.count++] = accept(s, NULL, NULL);
        setsockopt(room.fds[i], SOL_SOCKET, SO_SNDBUF, &(int){ 65536 }, sizeof(int));
        dprintf(room.fds[i], "you are %d\n", i + 1);
        tasks[i] = ls_spawn(chat, (void *)(intptr_t)i, "client %d", i + 1);
    }
    ls_gather(tasks, (size_t)a->clients, NULL, LS_NEVER);
    return close(s);
}

int main(int argc, char **argv)
{
    struct args a = { argc == 3 ? atoi(argv[1]) : 0, argc == 3 ? atoi(argv[2]) : 0 };
    if (a.clients < 1 || a.clients > CLIENTS_MAX) {
        fprintf(stderr, "usage: chat_blocking PORT CLIENTS    1 to %d\n", CLIENTS_MAX);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    return (int)ls_run(app, &a, &(struct ls_opts){ .name = "chat" });
}

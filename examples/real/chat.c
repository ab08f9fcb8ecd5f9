/* chat.c - a chat server: what one client says all others hear; each has a queue of its own.
 *
 *     chat PORT CLIENTS        on 127.0.0.1, port 0: any; ends when so many clients have come and gone
 * What it teaches: never write to somebody else's connection.  A client is two tasks: one reads what it says and puts it
 * into everybody's queue, without ever waiting; one takes from its queue and writes.  Who reads too slowly fills only its
 * own queue, and is dropped when that is full.  In the trace: each client waits for its socket and for its queue by name;
 * a slow one's writer waits (why = fd), nobody else does.  Its blocking twin is chat_blocking.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loopscope/runtime.h>

#define BACKLOG 64

struct message { /* counted: it is in many queues at once */
    int users;
    size_t length;
    char text[];
};
struct client {
    struct client *next;
    struct ls_stream *stream;
    struct ls_queue *messages; /* of struct message pointers */
    int number;
};
struct room {
    struct client *clients;
    struct ls_sem *gone;
    int count, dropped;
};

static void done_with(struct message *m)
{
    if (!--m->users)
        free(m);
}

static void say(struct room *room, const struct client *from, const char *text, size_t length)
{
    struct message *m = malloc(sizeof *m + length + 16);
    if (!m)
        return;
    m->users = 1;
    m->length = (size_t)sprintf(m->text, "%d: ", from->number);
    memcpy(m->text + m->length, text, length);
    m->length += length;
    for (struct client *c = room->clients; c; c = c->next) {
        if (c == from)
            continue;
        m->users++;
        if (!ls_queue_put_nowait(c->messages, &m))
            continue;
        if (errno == EAGAIN) { /* its queue is full; from now on the error is EPIPE, until its tasks have ended */
            room->dropped++;
            ls_queue_shutdown(c->messages, 0);
            ls_stream_abort(c->stream);
        }
        done_with(m);
    }
    done_with(m);
}

static intptr_t writer(void *client)
{
    struct client *c = client;
    struct message *m;
    int status = 0;
    while (!status && !ls_queue_get(c->messages, &m, LS_NEVER)) {
        status = ls_stream_write(c->stream, m->text, m->length) || ls_stream_drain(c->stream, LS_NEVER);
        done_with(m);
    }
    return status ? -1 : 0;
}

static intptr_t chat(struct ls_stream *s, void *arg)
{
    struct room *room = arg;
    struct client me = { .next = room->clients, .stream = s, .number = ++room->count }, **at;
    char line[1024], name[32];
    ssize_t n;
    snprintf(name, sizeof name, "for client %d", me.number);
    me.messages = ls_queue_new(name, sizeof(struct message *), BACKLOG);
    struct ls_task *task = me.messages ? ls_spawn(writer, &me, "writer %d", me.number) : NULL;
    ls_stream_set_write_limits(s, 16384, 4096); /* who is slow shows here, and not after megabytes in the kernel */
    setsockopt(ls_stream_fd(s), SOL_SOCKET, SO_SNDBUF, &(int){ 65536 }, sizeof(int));
    room->clients = &me;
    ls_stream_writef(s, "you are %d\n", me.number);
    while (task && (n = ls_stream_readline(s, line, sizeof line, LS_NEVER)) > 0) {
        say(room, &me, line, (size_t)n);
        if (ls_yield()) /* more lines may have come at once: the writers get their turn between them */
            break;
    }
    for (at = &room->clients; *at != &me; at = &(*at)->next)
        continue;
    *at = me.next;
    ls_queue_shutdown(me.messages, 0);
    ls_reap(&task, 1, "its client has left", LS_NEVER);
    for (struct message *m; !ls_queue_get_nowait(me.messages, &m);)
        done_with(m);
    ls_queue_free(me.messages);
    ls_sem_release(room->gone);
    return 0;
}

struct args {
    int port, clients;
};

static intptr_t app(void *arg)
{
    struct args *a = arg;
    struct room room = { .gone = ls_sem_new("clients gone", 0, 0) };
    struct ls_server *server = ls_serve("127.0.0.1", a->port, chat, &room, NULL);
    if (!room.gone || !server) {
        perror("chat");
        return 1;
    }
    printf("chat on 127.0.0.1:%d\n", ls_server_port(server));
    fflush(stdout);
    for (int i = 0; i < a->clients; i++)
        ls_sem_acquire(room.gone, LS_NEVER);
    printf("%d clients, %d dropped\n", room.count, room.dropped);
    int status = ls_server_close(server, ls_after(LS_SEC));
    ls_sem_free(room.gone);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct args a = { argc == 3 ? atoi(argv[1]) : 0, argc == 3 ? atoi(argv[2]) : 0 };
    if (a.clients < 1) {
        fprintf(stderr, "usage: chat PORT CLIENTS\n");
        return 2;
    }
    return (int)ls_run(app, &a, &(struct ls_opts){ .name = "chat" });
}

/* serve.c - servers: a task for each listening socket that accepts, a task for each connection.
 *
 * A server lives until its handle is spent and the last of its tasks and waiters has left (`users`).  What a task leaves
 * behind is cleared up when it is over, by the loop (ls_on_done), so that one that was cancelled before it began is, too.
 * Runs on the loop's thread. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "server.h"

#define PAUSE  (50 * LS_MS) /* after an accept that failed for want of fds or memory */
#define LINGER (5 * LS_SEC) /* for what a client's function left unsent */

static void destroy(struct loop *l, struct object *o)
{
    struct server *v = (struct server *)o;
    lsrt_server_stop(l, v);
    while (v->clients) { /* at the end of the loop only: their tasks are no more */
        struct client *c = v->clients;
        v->clients = c->next;
        free(c);
    }
    free(v->listeners);
    free(v->client);
    free(v->path);
}

static void describe(const struct object *o, char *text, size_t size)
{
    const struct server *v = (const struct server *)o;
    snprintf(text, size, "%u clients, %llu accepted, %llu accept errors%s", v->stats.clients,
             (unsigned long long)v->stats.accepted, (unsigned long long)v->stats.accept_errors,
             v->closing ? ", closing" : "");
}

const struct object_ops lsrt_server_ops = {
    .kind = LS_OBJECT_SERVER, .noun = "server", .size = sizeof(struct server), .destroy = destroy, .describe = describe
};

static void leave(struct loop *l, struct server *v)
{
    if (--v->users == 0 && v->closed)
        lsrt_object_free(l, v);
}

static void wake_all(struct loop *l, struct waitq *q)
{
    while (waitq_serve(l, q))
        continue;
}

/* Who waits for the end of the server, when this is it. */
static void wake_waiters(struct loop *l, struct server *v)
{
    if (v->closing && !v->clients)
        wake_all(l, &v->waiters);
}

/* A client's task is over, or never began. */
static void client_over(struct ls_task *task, void *arg)
{
    struct client *c = arg;
    struct server *v = c->server;
    struct loop *l = lsrt_loop();
    intptr_t result = 0;
    if (!ls_result(task, &result) && result == -1) {
        v->stats.failed++;
        if (l->debug && !ls_cancelled(task))
            lsrt_debug_say("server '%s': task '%s' failed: %s", v->object.name, ls_task_name(task),
                           strerror(ls_error(task)));
    }
    ls_detach(task);
    if (!c->stream->closed && !c->stream->closing) /* else somebody is at it */
        lsrt_stream_gone(l, c->stream);
    lsrt_stream_leave(l, c->stream);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    free(c);
    v->stats.clients--;
    waitq_serve(l, &v->room);
    wake_all(l, &v->closers); /* they look again */
    wake_waiters(l, v);
    leave(l, v);
}

static intptr_t client_main(void *arg)
{
    struct client *c = arg;
    struct loop *l = lsrt_loop();
    struct ls_stream *handle = lsrt_object_handle(l, c->stream);
    intptr_t result = c->server->fn(handle, c->server->arg);
    int error = errno;
    bool hurry = c->server->closing && l->current->cancels;
    if (!c->stream->closed && !c->stream->closing)
        ls_stream_close_at(c->server->object.site, handle, hurry ? 0 : ls_after(LINGER));
    errno = error;
    return result;
}

/* A task for the connection fd; 0 or errno. */
static int client_new(struct loop *l, struct server *v, int fd, const struct sockaddr *addr, socklen_t len)
{
    char peer[ADDRESS_TEXT];
    lsrt_address_text(addr, len, peer);
    struct ls_site *site = v->object.site;
    struct stream *s = lsrt_stream_new(l, site, fd, peer);
    struct client *c = s ? calloc(1, sizeof *c) : NULL;
    struct ls_task *task = NULL;
    if (c) {
        *c = (struct client){ .server = v, .stream = s };
        if ((task = ls_spawn_at(site, client_main, c, "%s %s", v->client, peer)) && ls_on_done(task, client_over, c)) {
            ls_cancel(task, NULL); /* it has not begun, so it never will */
            ls_detach(task);
            task = NULL;
        }
    }
    if (!task) {
        int error = errno;
        if (s)
            lsrt_stream_gone(l, s);
        free(c);
        return error;
    }
    s->limit = v->limit ? v->limit : s->limit;
    s->high = v->high ? v->high : s->high;
    s->low = v->low ? v->low : s->low < s->high ? s->low : s->high;
    s->users++;
    c->task = task;
    c->next = v->clients;
    c->link = &v->clients;
    if (c->next)
        c->next->link = &c->next;
    v->clients = c;
    v->users++;
    v->stats.clients++;
    v->stats.accepted++;
    return 0;
}

/* Whether the server can go on after this error of accept, or of making a task. */
static bool passes(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return true;
    /* What the network had to say of that one connection: accept(2). */
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM: return true;
    default: return false;
    }
}

static intptr_t listener_main(void *arg)
{
    struct listener *n = arg;
    struct server *v = n->server;
    struct loop *l = lsrt_loop();
    int error = 0;
    while (n->fd >= 0) {
        if (v->clients_max && ls_wait_fd_at(n->site, n->fd, POLLIN, LS_NEVER) < 0) {
            error = errno;
            break;
        }
        /* Only now: another listener may have filled the last place while this one waited. */
        if (v->clients_max && v->stats.clients >= v->clients_max) {
            struct wait w = { 0 };
            if ((error = waitq_park(l, &v->room, &w, LS_WHY_SEM, &v->object, n->site, LS_NEVER)))
                break;
            continue;
        }
        struct sockaddr_storage a;
        socklen_t len = sizeof a;
        if (ls_probe_on() && !v->object.probe_id)
            v->object.probe_id = ls_probe_object_new(LS_OBJECT_SERVER, v->object.name, v->object.site, n->fd);
        int fd = ls_accept_at(n->site, n->fd, (struct sockaddr *)&a, &len, v->clients_max ? 0 : LS_NEVER);
        if (fd < 0 && errno == ETIMEDOUT) /* that one has hung up already */
            continue;
        error = fd < 0 ? errno : client_new(l, v, fd, (struct sockaddr *)&a, len);
        if (!error)
            continue;
        if (!passes(error))
            break;
        v->stats.accept_errors++;
        if (l->debug && !n->complained)
            lsrt_debug_say("server '%s': accept: %s; it goes on when there is room", v->object.name, strerror(error));
        n->complained = true;
        if ((error = lsrt_park(l, LS_WHY_SLEEP, on_object(&v->object), n->site, ls_after(PAUSE))) != ETIMEDOUT)
            break;
    }
    return n->fd < 0 || error == ECANCELED ? 0 : lsrt_result(error);
}

static void listener_over(struct ls_task *task, void *arg)
{
    struct listener *n = arg;
    n->task = NULL;
    ls_detach(task);
    leave(lsrt_loop(), n->server);
}

int lsrt_server_start(struct loop *l, struct server *v)
{
    (void)l;
    for (size_t i = 0; i < v->count; i++) {
        struct listener *n = &v->listeners[i];
        n->server = v;
        n->site = v->object.site;
        if (!(n->task = ls_spawn_at(n->site, listener_main, n, "accept %s", n->name)))
            return errno;
        if (ls_on_done(n->task, listener_over, n)) {
            int error = errno;
            ls_cancel(n->task, NULL);
            ls_detach(n->task);
            n->task = NULL;
            return error;
        }
        v->users++;
    }
    return 0;
}

void lsrt_server_stop(struct loop *l, struct server *v)
{
    for (size_t i = 0; i < v->count; i++) {
        struct listener *n = &v->listeners[i];
        if (n->fd < 0)
            continue;
        lsrt_fd_gone(l, n->fd);
        close(n->fd);
        n->fd = -1;
    }
    if (v->path) {
        lsrt_server_unlink(v);
        free(v->path);
        v->path = NULL;
    }
}

/* Cancels the listeners: those in a pause or waiting for room do not see that their fd has gone. */
static void stop_accepting(struct loop *l, struct server *v)
{
    lsrt_server_stop(l, v);
    for (size_t i = 0; i < v->count; i++)
        if (v->listeners[i].task)
            ls_cancel(v->listeners[i].task, "the server is being closed");
    wake_waiters(l, v);
}

static struct server *server_of(struct ls_server *handle, bool waits, const char *call, struct loop **ret_loop)
{
    struct loop *l = *ret_loop = waits ? lsrt_inside(call) : lsrt_on_loop(call);
    struct server *v = l ? lsrt_object_of(l, handle, &lsrt_server_ops, call) : NULL;
    if (v && v->closed) {
        lsrt_misuse(EINVAL, "%s: server '%s' was closed already", call, v->object.name);
        return NULL;
    }
    return v;
}

static void cancel_clients(struct server *v, struct ls_task *but)
{
    for (struct client *c = v->clients; c; c = c->next)
        if (c->task != but)
            ls_cancel(c->task, "the server is being closed");
}

/* Until no client is left but `but`; 0 or errno. */
static int wait_clients(struct loop *l, struct server *v, struct ls_task *but, struct ls_site *site, ls_ns deadline)
{
    int error = 0;
    while (!error && v->clients && (v->clients->task != but || v->clients->next)) {
        struct wait w = { 0 };
        error = waitq_park(l, &v->closers, &w, LS_WHY_GROUP, &v->object, site, deadline);
    }
    return error;
}

int ls_server_close_at(struct ls_site *site, struct ls_server *handle, ls_ns deadline)
{
    struct loop *l;
    struct server *v = server_of(handle, true, "ls_server_close", &l);
    if (!v)
        return -1;
    if (v->closing)
        return lsrt_misuse(EBUSY, "ls_server_close: somebody closes server '%s' already", v->object.name);
    v->closing = true;
    v->users++;
    stop_accepting(l, v);
    struct ls_task *self = ls_self();
    int error = wait_clients(l, v, self, site, deadline);
    if (error) {
        cancel_clients(v, self);
        if (error == ETIMEDOUT && wait_clients(l, v, self, site, LS_NEVER))
            error = ECANCELED;
    }
    v->closed = true;
    leave(l, v);
    return lsrt_result(error);
}

int ls_server_wait_at(struct ls_site *site, struct ls_server *handle, ls_ns deadline)
{
    struct loop *l;
    struct server *v = server_of(handle, true, "ls_server_wait", &l);
    if (!v)
        return -1;
    for (struct client *c = v->clients; c; c = c->next)
        if (c->task == ls_self())
            return lsrt_misuse(EDEADLK, "ls_server_wait: a client of server '%s' would wait for itself",
                               v->object.name);
    int error = 0;
    v->users++;
    if (!v->closing || v->clients) {
        struct wait w = { 0 };
        error = waitq_park(l, &v->waiters, &w, LS_WHY_EVENT, &v->object, site, deadline);
    }
    leave(l, v);
    return lsrt_result(error);
}

int ls_server_port(struct ls_server *handle)
{
    struct loop *l;
    struct server *v = server_of(handle, false, "ls_server_port", &l);
    return v ? v->port : -1;
}

int ls_server_stats(struct ls_server *handle, struct ls_serve_stats *ret_stats)
{
    struct loop *l;
    struct server *v = server_of(handle, false, "ls_server_stats", &l);
    if (!v)
        return -1;
    *ret_stats = v->stats;
    return 0;
}

/* server.h - a server: its listening sockets (listen.c makes them) and its clients (serve.c runs them). */
#ifndef LSRT_SERVER_H
#define LSRT_SERVER_H

#include <sys/stat.h>

#include "address.h"
#include "stream.h"

struct server;

struct listener {
    struct server *server;
    struct ls_site *site;
    struct ls_task *task; /* that accepts; NULL: over */
    int fd;               /* -1: closed */
    bool complained;
    char name[ADDRESS_TEXT];
};

struct client {
    struct client *next, **link;
    struct server *server;
    struct stream *stream; /* one of its users: it is there as long as the client */
    struct ls_task *task;
};

struct server {
    struct object object;
    ls_client_fn *fn;
    void *arg;
    struct listener *listeners;
    size_t count;
    int port;
    char *client; /* what clients are called */
    unsigned clients_max;
    size_t limit, high, low; /* of the streams, 0: theirs */
    char *path;              /* of its Unix socket, to be removed; NULL: none */
    dev_t dev;
    ino_t ino; /* of the socket that we made there */
    struct client *clients;
    struct ls_serve_stats stats;
    struct waitq room;    /* listeners: too many clients */
    struct waitq closers; /* until clients end */
    struct waitq waiters; /* ls_server_wait */
    unsigned users;       /* tasks that look at it again */
    bool closing;
    bool closed; /* the handle is spent */
};

extern const struct object_ops lsrt_server_ops;

/* serve.c */
int lsrt_server_start(struct loop *l, struct server *v); /* its listeners' tasks; 0 or errno */
void lsrt_server_stop(struct loop *l, struct server *v); /* closes the listening sockets */
/* listen.c */
void lsrt_server_unlink(const struct server *v); /* the path, if it is still our socket */

#endif

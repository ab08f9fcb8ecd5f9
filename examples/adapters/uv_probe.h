/* uv_probe.h - makes a libuv program visible to loopscope: every handle is a task, every callback a step of it.
 *
 * Include it instead of <uv.h>, or compile with -include uv_probe.h: the calls at its end are replaced by ones that also
 * tell, by probe.h.  Nothing else changes; while nothing records the price is a look-up a call.  A task is named after its
 * handle's type, or as uv_probe_name(handle, "client %d", n) says before the handle is started.
 * Told: timers, streams (listen, connect, read, write, shutdown), uv_poll, uv_async, work and getaddrinfo requests, close.
 * A handle belongs to the loop's thread, as in libuv; one loop a thread.  What is not told runs as part of the poll.
 *
 * libuv runs the callbacks of descriptors inside its poll, so the poll is over when the first of them begins; and one
 * after the other, so the later ones were ready since then: that time is queue, not wait. */
#ifndef UV_PROBE_H
#define UV_PROBE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <loopscope/probe.h>

/* What is known of a handle or a request, by its address: libuv leaves an adapter no room in either. */
struct uvp_entry {
    struct uvp_entry *next;
    const void *key;
    uint32_t id; /* of its task; 0: nothing records */
    enum ls_why why;
    uint64_t target;
    struct ls_site *site;
    void (*cb)(void), (*alloc)(void); /* the program's own */
    uint64_t due;                     /* of a timer, ns */
    char name[44];
};
struct uvp {
    struct uvp_entry *chain[256];
    uv_loop_t *loop; /* prepare and check are in it */
    uv_prepare_t prepare;
    uv_check_t check;
    bool polling;
    int64_t timeout;       /* of the poll, ns */
    uint64_t polled, woke; /* when it was entered and left */
    uint32_t running;      /* whose callback runs */
};
__attribute__((weak)) _Thread_local struct uvp uvp; /* weak: one for all files that include this */

static inline struct uvp_entry **uvp_place(const void *key)
{
    struct uvp_entry **e = &uvp.chain[(uintptr_t)key / 64 % 256];
    while (*e && (*e)->key != key)
        e = &(*e)->next;
    return e;
}
static inline struct uvp_entry *uvp_entry(const void *key)
{
    struct uvp_entry **place = uvp_place(key);
    if (!*place && (*place = calloc(1, sizeof **place)))
        (*place)->key = key;
    return *place;
}
/* Takes it off the table, before the program may free what it is about. */
static inline struct uvp_entry uvp_take(const void *key)
{
    struct uvp_entry **place = uvp_place(key), *e = *place, copy = *e;
    *place = e->next;
    free(e);
    return copy;
}

/* A wait begins that ends in a callback.  false: no memory, the callback will not be told. */
static inline struct uvp_entry *uvp_wait(const void *key, const char *name, enum ls_why why, uint64_t target,
                                         struct ls_site *site, void (*cb)(void))
{
    struct uvp_entry *e = uvp_entry(key);
    if (!e)
        return NULL;
    e->why = why;
    e->target = target;
    e->site = site;
    e->cb = cb;
    if (!e->id && ls_probe_on()) {
        ls_probe_thread(); /* handles are started before the loop runs, and a thread that was not told tells nothing */
        e->id = ls_probe_task_waiting(uvp.running, site, e->name[0] ? e->name : name, why, target);
    }
    return e;
}
static inline struct uvp_entry *uvp_handle_wait(uv_handle_t *h, enum ls_why why, struct ls_site *site, void (*cb)(void))
{
    uv_os_fd_t fd = -1;
    bool has_fd = why == LS_WHY_FD && !uv_fileno(h, &fd);
    return uvp_wait(h, uv_handle_type_name(h->type), why, has_fd ? (uint64_t)fd : 0, site, cb);
}

static inline void uvp_poll_over(int ready)
{
    if (!uvp.polling)
        return;
    uvp.polling = false;
    uvp.woke = uv_hrtime();
    ls_probe_poll_exit(ready, 0, uvp.timeout);
}

/* The task of a callback runs, until uvp_leave.  since: when it could have; 0: when the poll was over. */
static inline uint32_t uvp_enter(uint32_t id, uint64_t since)
{
    uvp_poll_over(1); /* how many are to come libuv does not tell */
    if (uvp.running || !id)
        return 0; /* inside another callback: a part of it */
    uint64_t now = uv_hrtime();
    since = since ? since : uvp.woke;
    ls_probe_wake_late(id, now > since ? now - since : 0);
    ls_probe_switch(0, LS_WHY_SPAWN, 0, NULL, id);
    return uvp.running = id;
}
static inline void uvp_leave(uint32_t id, const struct uvp_entry *e)
{
    if (!id)
        return;
    ls_probe_switch(id, e->why, e->target, e->site, 0);
    uvp.running = 0;
}
static inline void uvp_end(uint32_t id, int status)
{
    if (!id)
        return;
    ls_probe_task_end(id, status == UV_ECANCELED ? LS_OUTCOME_CANCELLED : status < 0 ? LS_OUTCOME_ERROR : LS_OUTCOME_OK,
                      status < 0 ? -status : 0); /* libuv's errors are negative errno, and getaddrinfo's own */
    ls_probe_switch(id, LS_WHY_END, 0, NULL, 0);
    uvp.running = 0;
}

/* A request that libuv refused. */
static inline void uvp_refused(const void *req, int status)
{
    struct uvp_entry e = uvp_take(req);
    if (e.id)
        ls_probe_task_end(e.id, LS_OUTCOME_ERROR, -status);
}

/* The callbacks that libuv calls: each runs the program's own as a step of its handle's task. */
#define UVP_STEP(type, handle, ...)                      \
    {                                                    \
        struct uvp_entry *e = uvp_entry(handle);         \
        uint32_t id = uvp_enter(e->id, 0);        \
        ((type)e->cb)(handle, ##__VA_ARGS__);            \
        uvp_leave(id, e);                                \
    }
static inline void uvp_on_connection(uv_stream_t *h, int status) UVP_STEP(uv_connection_cb, h, status)
static inline void uvp_on_poll(uv_poll_t *h, int status, int events) UVP_STEP(uv_poll_cb, h, status, events)
static inline void uvp_on_async(uv_async_t *h) UVP_STEP(uv_async_cb, h)

static inline void uvp_timer_due(struct uvp_entry *e, const uv_timer_t *h)
{
    e->due = (uv_now(h->loop) + uv_timer_get_due_in(h)) * 1000000;
    e->why = uv_is_active((const uv_handle_t *)h) ? LS_WHY_SLEEP : LS_WHY_USER; /* USER: until somebody starts it again */
}
static inline void uvp_on_timer(uv_timer_t *h)
{
    struct uvp_entry *e = uvp_entry(h);
    uint32_t id = uvp_enter(e->id, e->due < uvp.polled ? e->due : 0); /* due while the loop was busy, or asleep */
    ((uv_timer_cb)e->cb)(h);
    uvp_timer_due(e, h);
    uvp_leave(id, e);
}
static inline void uvp_on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf)
{
    struct uvp_entry *e = uvp_entry(h);
    uvp_enter(e->id, 0); /* uvp_on_read, which follows, ends this step: the read in between is part of it */
    ((uv_alloc_cb)e->alloc)(h, size, buf);
}
static inline void uvp_on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct uvp_entry *e = uvp_entry(h);
    uint32_t id = e->id && uvp.running == e->id ? e->id : uvp_enter(e->id, 0);
    ((uv_read_cb)e->cb)(h, n, buf);
    uvp_leave(id, e);
}
static inline void uvp_on_close(uv_handle_t *h)
{
    struct uvp_entry e = uvp_take(h);
    uint32_t id = uvp_enter(e.id, uv_hrtime());
    if (e.cb)
        ((uv_close_cb)e.cb)(h);
    uvp_end(id, 0);
}

/* The end of a write, connect or shutdown request: a step of its stream's task. */
#define UVP_REQUEST_STEP(type)                                \
    {                                                         \
        struct uvp_entry mine = uvp_take(req);                \
        struct uvp_entry *e = *uvp_place(req->handle);        \
        uint32_t id = uvp_enter(e ? e->id : 0, 0);     \
        ((type)mine.cb)(req, status);                         \
        uvp_leave(id, e);                                     \
    }
static inline void uvp_on_write(uv_write_t *req, int status) UVP_REQUEST_STEP(uv_write_cb)
static inline void uvp_on_connect(uv_connect_t *req, int status) UVP_REQUEST_STEP(uv_connect_cb)
static inline void uvp_on_shutdown(uv_shutdown_t *req, int status) UVP_REQUEST_STEP(uv_shutdown_cb)

/* Requests that stand for themselves: a task from the call to the end of its callback. */
static inline void uvp_after_work(uv_work_t *req, int status)
{
    struct uvp_entry e = uvp_take(req);
    uint32_t id = uvp_enter(e.id, 0);
    ((uv_after_work_cb)e.cb)(req, status);
    uvp_end(id, status);
}
static inline void uvp_on_addrinfo(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct uvp_entry e = uvp_take(req);
    uint32_t id = uvp_enter(e.id, 0);
    ((uv_getaddrinfo_cb)e.cb)(req, status, res);
    uvp_end(id, status);
}

/* What the program calls instead of libuv's own: the same arguments, after the call's place in the source. */
#define UVP_CB(f) ((void (*)(void))(f))
__attribute__((format(printf, 2, 3))) static inline void uv_probe_name(void *handle, const char *format, ...)
{
    struct uvp_entry *e = uvp_entry(handle);
    va_list ap;
    va_start(ap, format);
    if (e)
        vsnprintf(e->name, sizeof e->name, format, ap);
    va_end(ap);
}
static inline int uvp_timer_start(struct ls_site *site, uv_timer_t *h, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    struct uvp_entry *e = uvp_handle_wait((uv_handle_t *)h, LS_WHY_SLEEP, site, UVP_CB(cb));
    int r = uv_timer_start(h, e && cb ? uvp_on_timer : cb, timeout, repeat);
    if (e)
        uvp_timer_due(e, h);
    return r;
}
static inline int uvp_listen(struct ls_site *site, uv_stream_t *h, int backlog, uv_connection_cb cb)
{
    struct uvp_entry *e = uvp_handle_wait((uv_handle_t *)h, LS_WHY_FD, site, UVP_CB(cb));
    return uv_listen(h, backlog, e ? uvp_on_connection : cb);
}
static inline int uvp_read_start(struct ls_site *site, uv_stream_t *h, uv_alloc_cb alloc, uv_read_cb cb)
{
    struct uvp_entry *e = uvp_handle_wait((uv_handle_t *)h, LS_WHY_FD, site, UVP_CB(cb));
    if (!e || !alloc || !cb)
        return uv_read_start(h, alloc, cb);
    e->alloc = UVP_CB(alloc);
    return uv_read_start(h, uvp_on_alloc, uvp_on_read);
}
static inline int uvp_poll_start(struct ls_site *site, uv_poll_t *h, int events, uv_poll_cb cb)
{
    struct uvp_entry *e = uvp_handle_wait((uv_handle_t *)h, LS_WHY_FD, site, UVP_CB(cb));
    return uv_poll_start(h, events, e ? uvp_on_poll : cb);
}
static inline int uvp_async_init(struct ls_site *site, uv_loop_t *loop, uv_async_t *h, uv_async_cb cb)
{
    h->type = UV_ASYNC; /* its name */
    struct uvp_entry *e = cb ? uvp_handle_wait((uv_handle_t *)h, LS_WHY_EVENT, site, UVP_CB(cb)) : NULL;
    return uv_async_init(loop, h, e ? uvp_on_async : cb);
}
static inline int uvp_async_send(uv_async_t *h) /* from any thread; the table here is that of the loop's */
{
    struct uvp_entry *e = uvp.running ? *uvp_place(h) : NULL;
    if (e)
        ls_probe_wake(e->id, uvp.running);
    return uv_async_send(h);
}
/* Around the call that takes a write, connect or shutdown request: room for its callback; then a task for the stream, if
 * it has none yet, that waits for its descriptor. */
static inline struct uvp_entry *uvp_request(const void *req, void (*cb)(void))
{
    struct uvp_entry *e = cb ? uvp_entry(req) : NULL;
    if (e)
        e->cb = cb;
    return e;
}
static inline int uvp_requested(struct ls_site *site, struct uvp_entry *e, void *stream, int status)
{
    const struct uvp_entry *of = *uvp_place(stream);
    if (e && status)
        uvp_take(e->key);
    else if (e && (!of || !of->site)) /* not started: it was named at most */
        uvp_handle_wait(stream, LS_WHY_FD, site, NULL);
    return status;
}
static inline int uvp_write(struct ls_site *site, uv_write_t *req, uv_stream_t *h, const uv_buf_t bufs[], unsigned n,
                            uv_write_cb cb)
{
    struct uvp_entry *e = uvp_request(req, UVP_CB(cb));
    return uvp_requested(site, e, h, uv_write(req, h, bufs, n, e ? uvp_on_write : cb));
}
static inline int uvp_tcp_connect(struct ls_site *site, uv_connect_t *req, uv_tcp_t *h, const struct sockaddr *to,
                                  uv_connect_cb cb)
{
    struct uvp_entry *e = uvp_request(req, UVP_CB(cb));
    return uvp_requested(site, e, h, uv_tcp_connect(req, h, to, e ? uvp_on_connect : cb));
}
static inline int uvp_shutdown(struct ls_site *site, uv_shutdown_t *req, uv_stream_t *h, uv_shutdown_cb cb)
{
    struct uvp_entry *e = uvp_request(req, UVP_CB(cb));
    return uvp_requested(site, e, h, uv_shutdown(req, h, e ? uvp_on_shutdown : cb));
}
static inline int uvp_queue_work(struct ls_site *site, uv_loop_t *loop, uv_work_t *req, const char *name, uv_work_cb work,
                                 uv_after_work_cb after)
{
    struct uvp_entry *e = after ? uvp_wait(req, name, LS_WHY_THREAD, 0, site, UVP_CB(after)) : NULL;
    int r = uv_queue_work(loop, req, work, e ? uvp_after_work : after);
    if (r && e)
        uvp_refused(req, r);
    return r;
}
static inline int uvp_getaddrinfo(struct ls_site *site, uv_loop_t *loop, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb,
                                  const char *node, const char *service, const struct addrinfo *hints)
{
    struct uvp_entry *e = cb ? uvp_wait(req, node ? node : "getaddrinfo", LS_WHY_DNS, 0, site, UVP_CB(cb)) : NULL;
    int r = uv_getaddrinfo(loop, req, e ? uvp_on_addrinfo : cb, node, service, hints);
    if (r && e)
        uvp_refused(req, r);
    return r;
}
static inline void uvp_close(uv_handle_t *h, uv_close_cb cb)
{
    struct uvp_entry *e = *uvp_place(h);
    if (e) {
        e->cb = UVP_CB(cb);
        ls_probe_wake(e->id, uvp.running);
    }
    uv_close(h, e ? uvp_on_close : cb);
}

/* The turns of the loop.  Among several prepare handles ours should be the last, among check handles the first. */
static inline void uvp_on_prepare(uv_prepare_t *h)
{
    int ms = uv_backend_timeout(h->loop);
    uvp.timeout = ms < 0 ? -1 : (int64_t)ms * 1000000;
    uvp.polled = uv_hrtime();
    uvp.polling = true;
    ls_probe_poll_enter();
}
static inline void uvp_on_check(uv_check_t *h)
{
    (void)h;
    uvp_poll_over(0);
}
static inline int uvp_run(uv_loop_t *loop, uv_run_mode mode)
{
    if (uvp.loop != loop) {
        uv_prepare_init(loop, &uvp.prepare);
        uv_check_init(loop, &uvp.check);
        uv_prepare_start(&uvp.prepare, uvp_on_prepare);
        uv_check_start(&uvp.check, uvp_on_check);
        uv_unref((uv_handle_t *)&uvp.prepare); /* they do not keep the loop alive */
        uv_unref((uv_handle_t *)&uvp.check);
        uvp.loop = loop;
    }
    uvp.woke = uvp.polled = uv_hrtime();
    ls_probe_loop("uv");
    int r = uv_run(loop, mode);
    ls_probe_loop_end();
    return r;
}
static inline int uvp_loop_close(uv_loop_t *loop)
{
    if (uvp.loop == loop) {
        uv_close((uv_handle_t *)&uvp.prepare, NULL);
        uv_close((uv_handle_t *)&uvp.check, NULL);
        ls_probe_loop("uv"); /* or its poll would be taken for that of a loop of its own */
        uv_run(loop, UV_RUN_NOWAIT);
        ls_probe_loop_end();
        uvp.loop = NULL;
    }
    return uv_loop_close(loop);
}

#define uv_timer_start(...)               uvp_timer_start(LS_SITE(__func__), __VA_ARGS__)
#define uv_listen(...)                    uvp_listen(LS_SITE(__func__), __VA_ARGS__)
#define uv_read_start(...)                uvp_read_start(LS_SITE(__func__), __VA_ARGS__)
#define uv_poll_start(...)                uvp_poll_start(LS_SITE(__func__), __VA_ARGS__)
#define uv_async_init(...)                uvp_async_init(LS_SITE(__func__), __VA_ARGS__)
#define uv_async_send(...)                uvp_async_send(__VA_ARGS__)
#define uv_write(...)                     uvp_write(LS_SITE(__func__), __VA_ARGS__)
#define uv_tcp_connect(...)               uvp_tcp_connect(LS_SITE(__func__), __VA_ARGS__)
#define uv_shutdown(...)                  uvp_shutdown(LS_SITE(__func__), __VA_ARGS__)
#define uv_queue_work(loop, req, work, ...) \
    uvp_queue_work(LS_SITE(__func__), (loop), (req), #work, (work), __VA_ARGS__)
#define uv_getaddrinfo(...)               uvp_getaddrinfo(LS_SITE(__func__), __VA_ARGS__)
#define uv_close(...)                     uvp_close(__VA_ARGS__)
#define uv_run(...)                       uvp_run(__VA_ARGS__)
#define uv_loop_close(...)                uvp_loop_close(__VA_ARGS__)
#endif

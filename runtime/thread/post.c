/* post.c - a loop and the other threads: ls_loop_self, ls_post, ls_run_threadsafe.
 *
 * A handle of a loop is its inbox's, marked in the upper bits; see inbox.h for why any thread may hold it at any time.
 * A `struct remote` is a call into another loop.  It belongs to both sides, and goes with the last of them; its mutex
 * guards what both touch.  The caller is a thread that blocks, or a task of a loop of its own, which gets a note. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "inbox.h"
#include "runtime/core/loop.h"
#include "runtime/core/object.h"

#define MARK ((uint64_t)HANDLE_LOOP << 62 | (uint64_t)0x2c73 << 48) /* what is no loop's handle is told as such */

struct ls_loop *ls_loop_self(void)
{
    struct loop *l = lsrt_loop();
    if (!l) {
        lsrt_misuse(EPERM, "ls_loop_self: this thread has no loop: call it inside ls_run");
        return NULL;
    }
    struct inbox *b = lsrt_inbox(l);
    if (!b)
        return NULL;
    l->reachable = true;
    return (struct ls_loop *)(uintptr_t)(lsrt_inbox_handle(b) | MARK);
}

/* Gives fn(arg) to the loop; 0 or errno. */
static int post(struct ls_loop *loop, struct ls_site *site, void (*fn)(void *), void *arg)
{
    struct note *n = lsrt_note_new(site, fn, arg);
    if (!n)
        return ENOMEM;
    int error = lsrt_inbox_push((uint64_t)(uintptr_t)loop ^ MARK, n);
    if (error)
        lsrt_note_free(n);
    return error;
}

static int said(int error, const char *call, struct ls_loop *loop)
{
    if (error == EINVAL)
        return lsrt_misuse(EINVAL, loop ? "%s: not a loop: it must come from ls_loop_self" : "%s: the loop is NULL",
                           call);
    return lsrt_result(error); /* ESRCH is no misuse: threads end when they end */
}

int ls_post_at(struct ls_site *site, struct ls_loop *loop, void (*fn)(void *arg), void *arg)
{
    if (!fn)
        return lsrt_misuse(EINVAL, "ls_post: the function is NULL");
    return said(post(loop, site, fn, arg), "ls_post", loop);
}

struct remote {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int refs;
    bool over;
    bool given_up;    /* the caller waits no longer */
    int error;        /* 0, or why fn did not end */
    intptr_t result;  /* of fn ... */
    int result_error; /* ... and its errno */

    /* The caller's side, when it is a task: how it is woken. */
    uint64_t home; /* its loop's inbox, 0: a thread */
    struct loop *home_loop;
    struct task *task;
    struct note *answer;

    /* The other loop's side. */
    struct remote *next, **link; /* on its list; link NULL: not there (yet, or any more) */
    ls_fn *fn;
    void *arg;
    struct ls_site *spawn;
    struct ls_task *worker; /* detached at its end */
};

static void remote_unref(struct remote *r)
{
    pthread_mutex_lock(&r->mutex);
    bool last = --r->refs == 0;
    pthread_mutex_unlock(&r->mutex);
    if (!last)
        return;
    if (r->answer)
        lsrt_note_free(r->answer);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

/* A note to the caller's loop: it has a reference of its own. */
static void answered(void *remote)
{
    struct remote *r = remote;
    if (!r->given_up) /* written on this very thread */
        lsrt_wake(r->home_loop, r->task, 0);
    remote_unref(r);
}

/* The other loop is done with it: tells the caller, and gives its reference back. */
static void finish(struct remote *r, int error, intptr_t result, int result_error)
{
    if (r->link) {
        if ((*r->link = r->next))
            r->next->link = r->link;
        r->link = NULL;
    }
    pthread_mutex_lock(&r->mutex);
    r->over = true;
    r->error = error;
    r->result = result;
    r->result_error = result_error;
    struct note *answer = r->given_up ? NULL : r->answer;
    if (answer) {
        r->answer = NULL;
        r->refs++;
    }
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    if (answer && lsrt_inbox_push(r->home, answer)) { /* its loop has ended, the task with it */
        lsrt_note_free(answer);
        remote_unref(r);
    }
    remote_unref(r);
}

/* Its task is over, or never began. */
static void worker_over(struct ls_task *task, void *remote)
{
    intptr_t result = -1;
    struct remote *r = remote;
    ls_result(task, &result);
    int error = errno;
    ls_detach(r->worker);
    finish(r, 0, result, error);
}

/* Notes to the other loop: the call, and that its caller gave up. */
static void begin(void *remote)
{
    struct remote *r = remote;
    struct loop *l = lsrt_loop();
    r->worker = l->closing ? NULL : ls_spawn_at(r->spawn, r->fn, r->arg, NULL);
    int error = l->closing ? ESRCH : r->worker ? 0 : errno;
    if (!error && ls_on_done(r->worker, worker_over, r)) {
        error = errno;
        ls_cancel(r->worker, "no memory"); /* so it never begins */
        ls_detach(r->worker);
    }
    if (error) {
        finish(r, error, -1, 0);
        return;
    }
    if ((r->next = l->remotes))
        r->next->link = &r->next;
    r->link = &l->remotes;
    l->remotes = r;
}

static void stop(void *remote)
{
    struct remote *r = remote;
    if (r->link)
        ls_cancel(r->worker, "its caller waits no longer");
    remote_unref(r);
}

void lsrt_remotes_end(struct loop *l)
{
    while (l->remotes)
        finish(l->remotes, ESRCH, -1, 0);
}

static const struct object_ops loop_ops = { .kind = LS_OBJECT_OTHER, .noun = "call" };

/* The task waits for the answer; 0 or errno. */
static int wait_as_task(struct loop *l, struct remote *r, struct ls_site *site, ls_ns deadline)
{
    struct object o = { .ops = &loop_ops, .site = site };
    snprintf(o.name, sizeof o.name, "%s on another loop", r->spawn->function);
    int error = lsrt_park(l, LS_WHY_THREAD, on_object(&o), site, deadline);
    if (o.probe_id)
        ls_probe_object_end(o.probe_id);
    return error;
}

static int wait_as_thread(struct remote *r, ls_ns deadline)
{
    struct timespec at = { .tv_sec = (time_t)(deadline / LS_SEC), .tv_nsec = (long)(deadline % LS_SEC) };
    int error = 0;
    pthread_mutex_lock(&r->mutex);
    while (!r->over && !error)
        error = deadline == LS_NEVER ? pthread_cond_wait(&r->changed, &r->mutex)
                                     : pthread_cond_clockwait(&r->changed, &r->mutex, CLOCK_MONOTONIC, &at);
    error = r->over ? 0 : error;
    pthread_mutex_unlock(&r->mutex);
    return error;
}

static void give_up(struct remote *r, struct ls_loop *loop)
{
    pthread_mutex_lock(&r->mutex);
    r->given_up = true;
    r->refs++; /* the note's */
    pthread_mutex_unlock(&r->mutex);
    if (post(loop, NULL, stop, r))
        remote_unref(r);
}

/* NULL and errno. */
static struct remote *remote_new(struct loop *l)
{
    struct inbox *home = l ? lsrt_inbox(l) : NULL;
    struct remote *r = l && !home ? NULL : calloc(1, sizeof *r);
    if (!r)
        return NULL;
    if (l) {
        if (!(r->answer = lsrt_note_new(NULL, answered, r))) {
            free(r);
            errno = ENOMEM;
            return NULL;
        }
        r->home = lsrt_inbox_handle(home);
        r->home_loop = l;
        r->task = l->current;
    }
    r->refs = 2;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, NULL);
    return r;
}

int ls_run_threadsafe_at(struct ls_site *spawn, struct ls_site *site, struct ls_loop *loop, ls_fn *fn, void *arg,
                         intptr_t *ret_result, ls_ns deadline)
{
    static const char call[] = "ls_run_threadsafe";
    struct loop *l = lsrt_loop();
    if (l && !lsrt_inside(call)) /* a callback would block its loop */
        return -1;
    if (!fn)
        return lsrt_misuse(EINVAL, "%s: the function is NULL", call);
    if (l && l->inbox && (lsrt_inbox_handle(l->inbox) | MARK) == (uint64_t)(uintptr_t)loop)
        return lsrt_misuse(EDEADLK, "%s: it is this thread's own loop: ls_spawn and ls_await do it", call);
    struct remote *r = remote_new(l);
    if (!r)
        return -1;
    r->fn = fn;
    r->arg = arg;
    r->spawn = spawn;
    int error = post(loop, NULL, begin, r);
    if (error) {
        r->refs = 1;
        remote_unref(r);
        return said(error, call, loop);
    }
    error = l ? wait_as_task(l, r, site, deadline) : wait_as_thread(r, deadline);
    intptr_t result = -1;
    int result_error = 0;
    if (error)
        give_up(r, loop);
    else {
        error = r->error;
        result = r->result;
        result_error = r->result_error;
    }
    remote_unref(r);
    if (error)
        return lsrt_result(error);
    if (ret_result)
        *ret_result = result;
    if (result == -1)
        errno = result_error;
    return 0;
}

/* signal.c - ls_signal_await: signals as something tasks wait for.  Runs on the loop's thread.
 *
 * The loop watches one signalfd of every signal that was ever waited for; it only says that something is pending.  What
 * is taken, is taken by sigtimedwait for a task that waits for it, first come, first served: so a signal that nobody
 * waits for stays pending in the kernel until somebody does. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core/object.h"
#include "runtime/core/waitq.h"

struct signals {
    struct object object; /* first */
    int fd;
    sigset_t seen;    /* all that were waited for: they are blocked, and in the signalfd */
    sigset_t blocked; /* by us, of them: to be unblocked in the end */
    struct waitq waiters;
};

/* A wait's item: what it waits for, and gets. */
struct sigwait {
    const sigset_t *set;
    siginfo_t info;
    int signal;
};

/* Takes one that is pending; false: none of them is. */
static bool take(struct sigwait *w)
{
    w->signal = sigtimedwait(w->set, &w->info, &(struct timespec){ 0 });
    return w->signal > 0;
}

static void serve(struct loop *l, struct object *o, uint32_t events)
{
    (void)events;
    struct signals *s = (struct signals *)o;
    for (struct wait *w = s->waiters.first, *next; w; w = next) {
        next = w->next;
        if (w->task->state != TASK_PARKED || !take(w->item))
            continue;
        waitq_remove(&s->waiters, w);
        w->served = true;
        lsrt_wake(l, w->task, 0);
    }
}

static void destroy(struct loop *l, struct object *o)
{
    struct signals *s = (struct signals *)o;
    l->signals = NULL;
    if (s->fd >= 0)
        close(s->fd);
    pthread_sigmask(SIG_UNBLOCK, &s->blocked, NULL);
}

static void name_set(const sigset_t *set, char *name, size_t size)
{
    size_t n = 0;
    for (int i = 1; i < NSIG && n + 12 < size; i++)
        if (sigismember(set, i) == 1) {
            const char *abbrev = sigabbrev_np(i);
            n += abbrev ? (size_t)snprintf(name + n, size - n, "%sSIG%s", n ? " " : "", abbrev)
                        : (size_t)snprintf(name + n, size - n, "%s%d", n ? " " : "", i);
        }
}

static const struct object_ops signals_ops = {
    .kind = LS_OBJECT_SIGNAL, .noun = "signals", .size = sizeof(struct signals), .destroy = destroy, .event = serve
};

/* The loop's, made at the first wait.  NULL and errno. */
static struct signals *signals_of(struct loop *l, struct ls_site *site)
{
    if (l->signals)
        return l->signals;
    struct signals *s = lsrt_object_new(l, &signals_ops, site, NULL);
    if (!s)
        return NULL;
    l->signals = s;
    s->object.own = true;
    sigemptyset(&s->seen);
    sigemptyset(&s->blocked);
    s->fd = signalfd(-1, &s->seen, SFD_CLOEXEC | SFD_NONBLOCK);
    int error = s->fd < 0 ? errno : lsrt_object_watch(l, &s->object, s->fd, EPOLLIN | EPOLLET);
    if (!error)
        return s;
    lsrt_object_free(l, s);
    errno = error;
    return NULL;
}

/* Blocks those of the set that were not waited for before.  0 or errno. */
static int block(struct signals *s, const sigset_t *set)
{
    sigset_t seen = s->seen, blocked = s->blocked, now;
    bool news = false;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    for (int i = 1; i < NSIG; i++)
        if (sigismember(set, i) == 1 && !sigismember(&seen, i)) {
            sigaddset(&seen, i);
            if (!sigismember(&now, i))
                sigaddset(&blocked, i);
            news = true;
        }
    if (!news)
        return 0;
    if (signalfd(s->fd, &seen, 0) < 0)
        return errno;
    pthread_sigmask(SIG_BLOCK, set, NULL);
    s->seen = seen;
    s->blocked = blocked;
    return 0;
}

/* glibc 2.36's sigisemptyset looks at the signals up to 32 only. */
static bool any(const sigset_t *set)
{
    for (int i = 1; i < NSIG; i++)
        if (sigismember(set, i) == 1)
            return true;
    return false;
}

int ls_signal_await_at(struct ls_site *site, const sigset_t *set, siginfo_t *ret_info, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_signal_await");
    if (!l)
        return -1;
    if (!set || !any(set))
        return lsrt_misuse(EINVAL, "ls_signal_await: the set is empty");
    if (sigismember(set, SIGKILL) || sigismember(set, SIGSTOP))
        return lsrt_misuse(EINVAL, "ls_signal_await: SIGKILL and SIGSTOP cannot be waited for");
    struct signals *s = signals_of(l, site);
    int error = s ? block(s, set) : errno;
    if (error)
        return lsrt_result(error);
    struct sigwait mine = { .set = set };
    serve(l, &s->object, 0); /* who came before is served before */
    if (!take(&mine)) {
        struct object o = { .ops = &signals_ops, .site = site };
        name_set(set, o.name, sizeof o.name);
        struct wait w = { .item = &mine };
        waitq_add(&s->waiters, &w, l->current);
        error = lsrt_park(l, LS_WHY_SIGNAL, on_object(&o), site, deadline);
        waitq_remove(&s->waiters, &w);
        if (o.probe_id)
            ls_probe_object_end(o.probe_id);
        if (error)
            return lsrt_result(error);
    }
    if (ret_info)
        *ret_info = mine.info;
    return mine.signal;
}

/* poll.c - the polls, and which of them is the turn of this thread's loop.
 *
 * A thread is a loop once it has shown the habit, worth HABIT_SURE points:
 *   epoll_wait                                          all of them at once: an epoll set exists for loops
 *   io_uring wait, poll or select on several fds        half
 *   poll or select on one fd that timed out             a quarter: who merely waits for an answer gives up then,
 *                                                       a loop comes back to the same place
 *   poll or select on nothing                           none: it is a sleep
 * The loop is known again by its epoll descriptor or ring; for poll and select, whose sets change from turn to turn, by
 * the place of the call: return address and stack depth.  Any other poll inside a busy period is a blocking call
 * (libpq, curl, a nested loop such as node's execSync), and one inside a wrapped call is part of that call.
 *
 * A loop ends when its thread closes the descriptor it is known by (asyncio.run closes its selector): the next habit is
 * learned anew.  Where that was not seen, another place takes over after HABIT_TAKEOVER points without one turn of the
 * old loop; if the old one comes back it is at once the loop again. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "../probe/ring.h"
#include "poll.h"
#include "wrap.h"

#define HABIT_SURE     4
#define HABIT_TAKEOVER (256 * HABIT_SURE)

static bool same_place(const struct probe_habit *known, const struct poll_who *who)
{
    if (known->kind != who->kind)
        return false;
    return who->kind == LOOP_EPOLL || who->kind == LOOP_IO_URING ? known->key == who->key : known->place == who->place;
}

static void become(struct probe_self *s, const struct poll_who *who, ticks_t now)
{
    s->former = s->loop;
    s->loop = (struct probe_habit){ .kind = who->kind, .key = who->key, .place = who->place };
    s->candidate = (struct probe_habit){ 0 };
    if (s->slot)
        probe_kind(who->kind, NULL, now);
}

/* One more poll at a place that is not the loop's: is it the loop now? */
static bool learn(struct probe_self *s, const struct poll_who *who, uint32_t enough)
{
    if (!same_place(&s->candidate, who))
        s->candidate = (struct probe_habit){ .kind = who->kind, .key = who->key, .place = who->place };
    if (who->kind == LOOP_EPOLL)
        s->candidate.score += HABIT_SURE;
    else if (who->kind == LOOP_IO_URING || who->fds > 1)
        s->candidate.score += HABIT_SURE / 2;
    return s->candidate.score >= enough;
}

static void note_key(struct probe_habit *loop, int key)
{
    if (loop->has_key && loop->key != key)
        loop->key_changed = true;
    loop->has_key = true;
    loop->key = key;
}

static enum poll_mode turn(struct probe_self *s, ticks_t now)
{
    s->candidate.score = 0;
    probe_enter_poll(s, now);
    return POLL_TURN;
}

enum poll_mode poll_begin(struct poll_call *p, const struct poll_who *who)
{
    struct probe_self *s = &probe_self;
    if (unlikely(!probe_page.alive))
        probe_forked();
    if (unlikely(!atomic_load_explicit(&probe_process.arena->on, memory_order_relaxed))) { /* set by the recorder */
        if (s->slot && s->armed)
            probe_idle(s);
        return POLL_PASS;
    }
    if (s->slot && s->loop.kind != LOOP_RUNTIME && s->loop.kind != LOOP_NONE) {
        p->start = probe_now();
        if (likely(same_place(&s->loop, who)))
            return turn(s, p->start);
        if (s->former.kind && s->armed && same_place(&s->former, who)) {
            become(s, who, p->start);
            return turn(s, p->start);
        }
        if (s->armed && learn(s, who, HABIT_TAKEOVER)) {
            become(s, who, p->start);
            return turn(s, p->start);
        }
    } else if (s->loop.kind == LOOP_NONE) {
        if (!learn(s, who, HABIT_SURE))
            return POLL_LEARN;
        if (!s->slot && !probe_claim(who->kind, NULL))
            return POLL_LEARN;
        p->start = probe_now();
        if (s->loop.kind == LOOP_NONE)
            become(s, who, p->start);
        s->loop.place = who->place;
        s->loop.key = who->key;
        return turn(s, p->start);
    }
    return call_begin(&p->call, who->call, (uint64_t)(int64_t)who->key) ? POLL_CALL : POLL_PASS;
}

static int64_t from_timespec(const struct timespec *t)
{
    return t ? (int64_t)t->tv_sec * 1000000000 + t->tv_nsec : -1;
}

/* Whether the sets may be read before the kernel has: what is no memory is the kernel's to refuse, not ours to crash
 * on.  A loop comes back with sets that were accepted before; others count as not known. */
static bool sets_known(const struct probe_self *s, const struct probe_sets *sets)
{
    for (int i = 0; i < PROBE_SETS; i++) {
        const struct probe_sets *old = &s->accepted[i];
        bool same = sets->n <= old->n;
        for (int k = 0; k < 3; k++)
            same &= !sets->set[k] || sets->set[k] == old->set[k];
        if (same)
            return true;
    }
    return false;
}

void poll_end(struct poll_call *p, enum poll_mode mode, const struct poll_who *who, int ready, const void *from)
{
    struct probe_self *s = &probe_self;
    if (who->sets && ready >= 0 && !sets_known(s, who->sets))
        s->accepted[s->next_accepted++ % PROBE_SETS] = *who->sets;
    if (mode == POLL_LEARN) {
        if (ready == 0 && who->fds == 1 && same_place(&s->candidate, who))
            s->candidate.score += HABIT_SURE / 4;
        return;
    }
    if (unlikely(!s->slot))
        return;
    /* poll's set is read after the kernel has, so that a bad pointer stays the kernel's to refuse. */
    int key = who->set && who->fds && ready >= 0 ? who->set[0].fd : who->key;
    if (mode == POLL_CALL) {
        call_end(&p->call, who->call, ready, &(const struct call_info){ .fd = key, .flags = EV_CALL_POLL }, from);
        return;
    }
    if (who->sets ? who->fds > 0 : who->kind != LOOP_POLL || ready >= 0)
        note_key(&s->loop, key);
    ticks_t now = probe_now();
    probe_leave_poll(s, now);
    ring_push(s,
              (struct ls_event){ .time = now,
                                 .kind = EV_POLL,
                                 .flags = who->kind,
                                 .aux = ready < 0        ? EV_READY_ERROR
                                        : ready > 0xfffe ? 0xfffe
                                                         : (uint16_t)ready,
                                 .id = who->asked,
                                 .a = p->start,
                                 .b = (uint64_t)(ready >= 0 && who->span ? from_timespec(who->span) : who->timeout) });
}

void poll_closing(int fd)
{
    struct probe_self *s = &probe_self;
    if (!s->slot || !s->loop.has_key || s->loop.key != fd || s->loop.kind == LOOP_NONE || s->loop.kind == LOOP_RUNTIME)
        return;
    if ((s->loop.kind == LOOP_POLL || s->loop.kind == LOOP_SELECT) && s->loop.key_changed)
        return;
    if (!probe_ready(s))
        return;
    int error = errno;
    bool vforked = getpid() != probe_process.pid; /* it closes its own copy, in our memory */
    errno = error;
    if (vforked)
        return;
    probe_idle(s);
    s->loop = s->former = s->candidate = (struct probe_habit){ 0 };
    probe_kind(LOOP_NONE, NULL, probe_now());
}

static int64_t from_ms(int ms)
{
    return ms < 0 ? -1 : (int64_t)ms * 1000000;
}
static uint64_t place_of(const void *from, const void *frame)
{
    return (uintptr_t)from * 0x9e3779b97f4a7c15ull ^ (uintptr_t)frame;
}

/* errno is the call's own afterwards: what follows it makes no call that could change it. */
#define POLL_WITH(call, ...)                        \
    if (likely(!probe_process.arena))               \
        return call;                                \
    const void *from = __builtin_return_address(0); \
    struct poll_who who = { __VA_ARGS__ };          \
    struct poll_call p;                             \
    enum poll_mode mode = poll_begin(&p, &who);     \
    int ready = call;                               \
    if (mode != POLL_PASS)                          \
        poll_end(&p, mode, &who, ready, from);      \
    return ready;

#define EPOLL(nr, timeout_ns)                                                                           \
    .kind = LOOP_EPOLL, .call = CALL_##nr, .key = epfd, .fds = 2, .asked = max > 0 ? (uint32_t)max : 0, \
    .timeout = timeout_ns

EXPORT int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout){
    POLL_WITH(REAL(epoll_wait)(epfd, events, max, timeout), EPOLL(epoll_wait, from_ms(timeout)))
} EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask){
    POLL_WITH(REAL(epoll_pwait)(epfd, events, max, timeout, mask), EPOLL(epoll_pwait, from_ms(timeout)))
} EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
                          const sigset_t *mask){ POLL_WITH(REAL(epoll_pwait2)(epfd, events, max, timeout, mask),
                                                           EPOLL(epoll_pwait2, -1), .span = timeout) }

#define POLL(nr, timeout_ns)                                                                               \
    .kind = LOOP_POLL, .call = CALL_##nr, .key = -1, .set = fds, .fds = (uint32_t)n, .asked = (uint32_t)n, \
    .timeout = timeout_ns, .place = place_of(from, __builtin_frame_address(0))

EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    POLL_WITH(REAL(poll)(fds, n, timeout), POLL(poll, from_ms(timeout)))
}
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size){
    POLL_WITH(REAL(__poll_chk)(fds, n, timeout, size), POLL(poll, from_ms(timeout)))
} EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    POLL_WITH(REAL(ppoll)(fds, n, timeout, mask), POLL(ppoll, from_timespec(timeout)))
}
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t size);
EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t size)
{
    POLL_WITH(REAL(__ppoll_chk)(fds, n, timeout, mask, size), POLL(ppoll, from_timespec(timeout)))
}

/* How many descriptors the three sets hold (two is as good as many), and the lowest; none when they are not known. */
static uint32_t count_sets(const struct probe_sets *sets, int *ret_lowest)
{
    /* The kernel looks at no more than there are descriptors; n may be getdtablesize() and the sets of the usual size. */
    int n = sets->n, words = n <= 0 ? 0 : n < FD_SETSIZE ? (n + 63) / 64 : FD_SETSIZE / 64;
    uint32_t found = 0;
    *ret_lowest = -1;
    if (!sets_known(&probe_self, sets))
        return 0;
    for (int i = 0; i < words && found < 2; i++) {
        uint64_t any = 0;
        for (int k = 0; k < 3; k++)
            any |= sets->set[k] ? ((const uint64_t *)sets->set[k])[i] : 0;
        if (any && *ret_lowest < 0)
            *ret_lowest = i * 64 + __builtin_ctzll(any);
        found += (uint32_t)__builtin_popcountll(any);
    }
    return found;
}

#define SELECT(nr, timeout_ns)                                                          \
    .kind = LOOP_SELECT, .call = CALL_##nr, .key = lowest, .sets = &sets, .fds = found, \
    .asked = n > 0 ? (uint32_t)n : 0, .timeout = timeout_ns, .place = place_of(from, __builtin_frame_address(0))

EXPORT int select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
    struct probe_sets sets = { { r, w, e }, n };
    int lowest = -1;
    uint32_t found = likely(!probe_process.arena) ? 0 : count_sets(&sets, &lowest);
    int64_t wait = timeout ? (int64_t)timeout->tv_sec * 1000000000 + timeout->tv_usec * 1000 : -1;
    POLL_WITH(REAL(select)(n, r, w, e, timeout), SELECT(select, wait))
}
EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *mask)
{
    struct probe_sets sets = { { r, w, e }, n };
    int lowest = -1;
    uint32_t found = likely(!probe_process.arena) ? 0 : count_sets(&sets, &lowest);
    POLL_WITH(REAL(pselect)(n, r, w, e, timeout, mask), SELECT(pselect, from_timespec(timeout)))
}

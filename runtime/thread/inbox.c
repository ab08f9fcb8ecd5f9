/* inbox.c - see inbox.h.
 *
 * The list is a stack of notes: `head` holds the index + 1 of the newest and, in its upper half, the generation of the
 * inbox, which is odd while a loop owns it.  So one compare-and-swap pushes a note and knows that the loop has not
 * ended. The loop takes the whole list and turns it round.  Who pushes onto an empty list writes the eventfd: one write
 * a batch. Its registration is edge-triggered, and each write is an edge, so nobody reads it. */
#include "inbox.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/core/loop.h"

#define LOW(x)        ((uint32_t)(x))
#define HIGH(x)       ((uint32_t)((x) >> 32))
#define PAIR(high, x) ((uint64_t)(high) << 32 | (x))

/* Notes come in chunks, each twice as big as the one before, so that an index finds its chunk by its highest bit. */
#define FIRST_BITS 8
#define CHUNKS     (31 - FIRST_BITS)
static struct note *_Atomic note_chunks[CHUNKS];
/* The free notes, a stack: index + 1 of the first, and in the upper half how often one was taken, so that a thread
 * which was stopped between its look and its swap finds out that the list has changed. */
static _Atomic uint64_t notes_free;

static struct note *note_at(uint32_t index)
{
    uint32_t i = index + (1u << FIRST_BITS), top = 31 - (uint32_t)__builtin_clz(i);
    /* Pairs with the swap in notes_grow: whoever has an index may see its chunk. */
    return &atomic_load_explicit(&note_chunks[top - FIRST_BITS], memory_order_acquire)[i - (1u << top)];
}

/* Puts the chain first..last on the free list. */
static void notes_put(struct note *first, struct note *last)
{
    uint64_t head = atomic_load_explicit(&notes_free, memory_order_relaxed);
    do
        atomic_store_explicit(&last->next, LOW(head), memory_order_relaxed);
    /* Pairs with the swap in notes_take: what is in the notes is seen by who takes them. */
    while (!atomic_compare_exchange_weak_explicit(&notes_free, &head, PAIR(HIGH(head), first->index + 1),
                                                  memory_order_release, memory_order_relaxed));
}

/* One more chunk, whose first note is the caller's; NULL: no memory.  When another thread grows at the same time, both
 * chunks stay. */
static struct note *notes_grow(void)
{
    for (uint32_t k = 0; k < CHUNKS; k++) {
        if (atomic_load_explicit(&note_chunks[k], memory_order_relaxed))
            continue;
        uint32_t count = 1u << (k + FIRST_BITS), base = count - (1u << FIRST_BITS);
        struct note *n = mmap(NULL, count * sizeof *n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                    *none = NULL;
        if (n == MAP_FAILED)
            return NULL;
        for (uint32_t i = 0; i < count; i++) {
            n[i].index = base + i;
            atomic_init(&n[i].next, base + i + 2);
        }
        /* Pairs with the load in note_at. */
        if (atomic_compare_exchange_strong_explicit(&note_chunks[k], &none, n, memory_order_release,
                                                    memory_order_relaxed)) {
            notes_put(&n[1], &n[count - 1]);
            return n;
        }
        munmap(n, count * sizeof *n);
    }
    return NULL;
}

static struct note *notes_take(void)
{
    /* Pairs with notes_put, as does the swap below. */
    uint64_t head = atomic_load_explicit(&notes_free, memory_order_acquire);
    while (LOW(head)) {
        struct note *n = note_at(LOW(head) - 1);
        /* May be out of date, when another took n meanwhile; then the swap fails. */
        uint32_t next = atomic_load_explicit(&n->next, memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&notes_free, &head, PAIR(HIGH(head) + 1, next), memory_order_acquire,
                                                  memory_order_acquire))
            return n;
    }
    return notes_grow();
}

struct note *lsrt_note_new(struct ls_site *site, void (*fn)(void *arg), void *arg)
{
    struct note *n = notes_take();
    if (n) {
        n->fn = fn;
        n->arg = arg;
        n->site = site;
    }
    return n;
}

void lsrt_note_free(struct note *n)
{
    notes_put(n, n);
}

struct inbox {
    _Atomic uint64_t head;    /* see above */
    _Atomic uint32_t writers; /* threads in lsrt_inbox_push: the eventfd is not closed before they are out */
    int event;
    uint32_t index;
    struct inbox *next_free;
};

#define INBOX_CHUNK 64
static struct inbox *_Atomic inbox_chunks[1024]; /* 65,536 loops at a time */
static pthread_mutex_t inbox_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct inbox *inbox_free; /* these two are under the mutex */
static uint32_t inbox_count;

/* NULL: no inbox ever had this index. */
static struct inbox *inbox_at(uint32_t index)
{
    /* Pairs with the store in inbox_new. */
    struct inbox *chunk = atomic_load_explicit(&inbox_chunks[index / INBOX_CHUNK], memory_order_acquire);
    return chunk ? &chunk[index % INBOX_CHUNK] : NULL;
}

static struct inbox *inbox_new(void)
{
    pthread_mutex_lock(&inbox_mutex);
    struct inbox *b = inbox_free;
    if (b)
        inbox_free = b->next_free;
    else if (inbox_count < 1024 * INBOX_CHUNK) {
        struct inbox *chunk = NULL;
        if (inbox_count % INBOX_CHUNK == 0) {
            chunk = mmap(NULL, INBOX_CHUNK * sizeof *chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (chunk != MAP_FAILED) /* pairs with the load in inbox_at */
                atomic_store_explicit(&inbox_chunks[inbox_count / INBOX_CHUNK], chunk, memory_order_release);
        }
        if (chunk != MAP_FAILED && (b = inbox_at(inbox_count)))
            b->index = inbox_count++;
    }
    pthread_mutex_unlock(&inbox_mutex);
    return b;
}

void lsrt_inboxes_forget(void)
{
    pthread_mutex_init(&inbox_mutex, NULL); /* a thread that is not here may have had it */
    for (uint32_t i = 0; i < inbox_count; i++) {
        struct inbox *b = inbox_at(i);
        atomic_store_explicit(&b->writers, 0, memory_order_relaxed);
        uint64_t head = atomic_load_explicit(&b->head, memory_order_relaxed); /* the child has one thread */
        if (HIGH(head) & 1)
            atomic_store_explicit(&b->head, PAIR(HIGH(head) + 1, 0), memory_order_relaxed);
    }
}

static void inbox_put(struct inbox *b)
{
    pthread_mutex_lock(&inbox_mutex);
    b->next_free = inbox_free;
    inbox_free = b;
    pthread_mutex_unlock(&inbox_mutex);
}

struct inbox *lsrt_inbox(struct loop *l)
{
    if (l->inbox)
        return l->inbox;
    struct inbox *b = inbox_new();
    if (!b) {
        errno = ENOMEM;
        return NULL;
    }
    b->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u64 = LSRT_INBOX_EVENT };
    if (b->event < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, b->event, &e)) {
        int error = errno;
        if (b->event >= 0)
            close(b->event);
        inbox_put(b);
        errno = error;
        return NULL;
    }
    uint64_t head = atomic_load_explicit(&b->head, memory_order_relaxed);
    /* Its generation becomes odd.  Pairs with the first load in lsrt_inbox_push: the eventfd is seen by who pushes. */
    atomic_store_explicit(&b->head, PAIR(HIGH(head) + 1, 0), memory_order_release);
    return l->inbox = b;
}

uint64_t lsrt_inbox_handle(const struct inbox *b)
{
    return (uint64_t)HIGH(atomic_load_explicit(&b->head, memory_order_relaxed)) << 16 | b->index;
}

int lsrt_inbox_push(uint64_t handle, struct note *n)
{
    uint32_t index = handle & 0xffff, generation = LOW(handle >> 16);
    struct inbox *b = handle >> 48 || !(generation & 1) ? NULL : inbox_at(index);
    if (!b)
        return EINVAL;
    /* Before the swap, which releases it to the loop: that waits for us, when our note is in its list. */
    atomic_fetch_add_explicit(&b->writers, 1, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&b->head, memory_order_acquire);
    bool ours;
    do {
        ours = HIGH(head) == generation;
        atomic_store_explicit(&n->next, LOW(head), memory_order_relaxed);
        /* Pairs with the exchanges in lsrt_inbox_drain and _close, which read the notes. */
    } while (ours && !atomic_compare_exchange_weak_explicit(&b->head, &head, PAIR(generation, n->index + 1),
                                                            memory_order_release, memory_order_acquire));
    if (ours && !LOW(head)) {
        uint64_t one = 1;
        int error = errno;
        while (write(b->event, &one, sizeof one) < 0 && errno == EINTR)
            continue;
        errno = error;
    }
    /* Pairs with the load in lsrt_inbox_close: the write comes before the close. */
    atomic_fetch_sub_explicit(&b->writers, 1, memory_order_release);
    return ours ? 0 : ESRCH;
}

/* Calls the notes of a list in the order of their pushes. */
static void call_all(struct loop *l, uint32_t list)
{
    struct note *in_order = NULL, *n;
    uint32_t first = 0;
    for (uint32_t at = list; at; at = first) {
        n = note_at(at - 1);
        first = atomic_load_explicit(&n->next, memory_order_relaxed);
        atomic_store_explicit(&n->next, in_order ? in_order->index + 1 : 0, memory_order_relaxed);
        in_order = n;
    }
    while ((n = in_order)) {
        uint32_t next = atomic_load_explicit(&n->next, memory_order_relaxed);
        struct note now = { .fn = n->fn, .arg = n->arg, .site = n->site };
        in_order = next ? note_at(next - 1) : NULL;
        lsrt_note_free(n);
        if (now.site) {
            lsrt_call(l, now.site, now.fn, now.arg);
            continue;
        }
        l->calling++;
        now.fn(now.arg);
        l->calling--;
    }
}

void lsrt_inbox_drain(struct loop *l)
{
    struct inbox *b = l->inbox;
    uint64_t head = atomic_load_explicit(&b->head, memory_order_relaxed);                 /* its generation is ours */
    head = atomic_exchange_explicit(&b->head, PAIR(HIGH(head), 0), memory_order_acquire); /* pairs with the push */
    call_all(l, LOW(head));
}

void lsrt_inbox_close(struct loop *l)
{
    struct inbox *b = l->inbox;
    if (!b)
        return;
    uint64_t head = atomic_load_explicit(&b->head, memory_order_relaxed);
    /* The generation becomes even: no push succeeds from here on.  Pairs with those that did. */
    head = atomic_exchange_explicit(&b->head, PAIR(HIGH(head) + 1, 0), memory_order_acq_rel);
    /* Who pushed last may not have written yet: a moment. */
    while (atomic_load_explicit(&b->writers, memory_order_acquire))
        sched_yield();
    call_all(l, LOW(head));
    l->inbox = NULL;
    close(b->event);
    b->event = -1;
    inbox_put(b);
}

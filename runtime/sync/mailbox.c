/* mailbox.c - see mailbox.h: where the items of queues and channels are.  Runs on the loop's thread. */
#include "mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN    _Alignof(max_align_t)
#define ITEM_MAX (SIZE_MAX / 4)

void lsrt_mailbox_init(struct mailbox *m, enum order order, size_t item_size, size_t max)
{
    m->order = order;
    m->item_size = item_size;
    m->max = max;
    m->stride = item_size;
    if (order == PRIORITY && item_size <= ITEM_MAX) /* items of any type are aligned, and their numbers */
        m->stride = (item_size + sizeof(uint64_t) + ALIGN - 1) / ALIGN * ALIGN;
}

void lsrt_mailbox_destroy(struct loop *l, struct object *o)
{
    (void)l;
    free(((struct mailbox *)o)->slots);
}

static void copy(const struct mailbox *m, void *to, const void *from)
{
    if (to && m->item_size) /* NULL: the taker has no use for it */
        memcpy(to, from, m->item_size);
}

static char *slot(const struct mailbox *m, size_t i)
{
    return m->slots + i * m->stride;
}

int lsrt_mailbox_reserve(struct mailbox *m, size_t n)
{
    if (n <= m->room)
        return 0;
    size_t room = m->room ? m->room : 8;
    if (n > SIZE_MAX / 4 || m->item_size > ITEM_MAX)
        return ENOMEM;
    while (room < n)
        room *= 2;
    if (room > m->max)
        room = m->max;
    size_t bytes;
    if (__builtin_mul_overflow(room, m->stride, &bytes))
        return ENOMEM;
    char *slots = malloc(bytes ? bytes : 1);
    if (!slots)
        return ENOMEM;
    if (m->slots && m->item_size) { /* a ring is laid out anew, the others begin at 0 anyhow */
        size_t tail = m->room - m->first, n1 = m->count < tail ? m->count : tail;
        memcpy(slots, slot(m, m->first), n1 * m->stride);
        memcpy(slots + n1 * m->stride, m->slots, (m->count - n1) * m->stride);
    }
    free(m->slots);
    m->slots = slots;
    m->room = room;
    m->first = 0;
    return 0;
}

/* Equals stay in the order of their numbers. */
static uint64_t *number(const struct mailbox *m, char *at)
{
    return (uint64_t *)(void *)(at + m->stride - sizeof(uint64_t));
}
static bool before(const struct mailbox *m, char *a, char *b)
{
    int order = m->compare(a, b);
    return order ? order < 0 : *number(m, a) < *number(m, b);
}

/* Into the heap, from its end upwards; it is the youngest, so it passes only what is greater. */
static void heap_add(struct mailbox *m, const void *item)
{
    size_t i = m->count;
    for (; i && m->compare(item, slot(m, (i - 1) / 2)) < 0; i = (i - 1) / 2)
        memcpy(slot(m, i), slot(m, (i - 1) / 2), m->stride);
    copy(m, slot(m, i), item);
    *number(m, slot(m, i)) = m->accepted;
}
/* Fills the hole at the top with the last, downwards. */
static void heap_drop(struct mailbox *m)
{
    char *last = slot(m, m->count);
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < m->count; i = child) {
        if (child + 1 < m->count && before(m, slot(m, child + 1), slot(m, child)))
            child++;
        if (!before(m, slot(m, child), last))
            break;
        memcpy(slot(m, i), slot(m, child), m->stride);
    }
    memmove(slot(m, i), last, m->stride);
}

/* There is room. */
static void push(struct mailbox *m, const void *item)
{
    if (m->order == PRIORITY)
        heap_add(m, item);
    else if (m->item_size) {
        size_t i = m->first + m->count;
        copy(m, slot(m, i < m->room ? i : i - m->room), item);
    }
    m->count++;
    m->accepted++;
}

static void pop(struct mailbox *m, void *ret_item)
{
    m->count--;
    if (m->order == PRIORITY) {
        copy(m, ret_item, m->slots);
        heap_drop(m);
    } else if (m->order == LIFO)
        copy(m, ret_item, slot(m, m->count));
    else {
        copy(m, ret_item, slot(m, m->first));
        if (++m->first >= m->room)
            m->first = 0;
    }
}

int lsrt_mailbox_put(struct loop *l, struct mailbox *m, const void *item)
{
    if (m->closed)
        return EPIPE;
    if (!item && m->item_size) {
        lsrt_misuse(EINVAL, "%s '%s': no item to put", m->object.ops->noun, m->object.name);
        return EINVAL;
    }
    struct wait *taker = waitq_serve(l, &m->takers);
    if (taker) {
        copy(m, taker->item, item);
        m->accepted++;
        return 0;
    }
    if (m->count >= m->max)
        return EAGAIN;
    if (m->count == m->room && lsrt_mailbox_reserve(m, m->count + 1))
        return ENOMEM;
    push(m, item);
    return 0;
}

int lsrt_mailbox_take(struct loop *l, struct mailbox *m, void *ret_item)
{
    struct wait *giver;
    if (m->count) {
        pop(m, ret_item);
        if ((giver = waitq_serve(l, &m->givers)))
            push(m, giver->item);
        return 0;
    }
    if ((giver = waitq_serve(l, &m->givers))) { /* nothing is kept here: hand to hand */
        copy(m, ret_item, giver->item);
        m->accepted++;
        return 0;
    }
    return m->closed ? EPIPE : EAGAIN;
}

int lsrt_mailbox_give(struct loop *l, struct mailbox *m, const void *item, enum ls_why why, struct ls_site *site,
                      ls_ns deadline)
{
    int error = lsrt_mailbox_put(l, m, item);
    if (error != EAGAIN)
        return error;
    struct wait w = { .item = (void *)(uintptr_t)item };
    return waitq_park(l, &m->givers, &w, why, &m->object, site, deadline);
}

int lsrt_mailbox_get(struct loop *l, struct mailbox *m, void *ret_item, enum ls_why why, struct ls_site *site,
                     ls_ns deadline)
{
    int error = lsrt_mailbox_take(l, m, ret_item);
    if (error != EAGAIN)
        return error;
    struct wait w = { .item = ret_item };
    return waitq_park(l, &m->takers, &w, why, &m->object, site, deadline);
}

void lsrt_mailbox_close(struct loop *l, struct mailbox *m)
{
    m->closed = true;
    while (waitq_serve_code(l, &m->takers, EPIPE) || waitq_serve_code(l, &m->givers, EPIPE))
        ;
}

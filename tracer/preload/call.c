/* call.c - a wrapped call that took long enough: its event, what tells it apart, and this thread's stack.
 * Runs on the loop thread right after the call, in ordinary code: no handler, no lock, no allocation, no syscall. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../probe/ring.h"
#include "wrap.h"

#define STACK_FIRST 8192u /* enough for 99 stacks of 100; a thread whose stack was cut gives EV_STACK_MAX next time */
#define SEEN        64    /* places, by return address, that have given their stack */
#define SEEN_TIMES  4

/* How often each place gave a stack although it was not long: so that short calls can be named too.  Two places that
 * share a cell take it from each other, which costs a stack more. */
static __thread struct {
    uint32_t from;
    uint32_t times;
} seen[SEEN];

static bool place_is_new(const void *from)
{
    uint64_t hash = (uintptr_t)from * 0x9e3779b97f4a7c15ull;
    uint32_t tag = (uint32_t)(hash >> 32) | 1, cell = (uint32_t)(hash >> 26) % SEEN;
    if (seen[cell].from != tag) {
        seen[cell].from = tag;
        seen[cell].times = 0;
    }
    return seen[cell].times++ < SEEN_TIMES;
}

/* "10.0.0.1:80", "[::1]:80", or the path of a unix socket ('@' first when it is abstract). */
static uint32_t address_text(const void *address, uint32_t size, char *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    } a;
    if (!address || size < sizeof(sa_family_t))
        return 0;
    memset(&a, 0, sizeof(a));
    memcpy(&a, address, size < sizeof(a) ? size : sizeof(a));
    char *p = out;
    unsigned port;
    if (a.any.sa_family == AF_UNIX) {
        size_t n = size < sizeof(a.un) ? size : sizeof(a.un);
        n -= offsetof(struct sockaddr_un, sun_path) < n ? offsetof(struct sockaddr_un, sun_path) : n;
        if (n && !a.un.sun_path[0]) {
            memcpy(out, a.un.sun_path, n);
            out[0] = '@';
            return (uint32_t)n;
        }
        n = strnlen(a.un.sun_path, n);
        memcpy(out, a.un.sun_path, n);
        return (uint32_t)n;
    }
    if (a.any.sa_family == AF_INET && inet_ntop(AF_INET, &a.v4.sin_addr, p, INET6_ADDRSTRLEN)) {
        port = ntohs(a.v4.sin_port);
        p += strlen(p);
    } else if (a.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.v6.sin6_addr, p + 1, INET6_ADDRSTRLEN)) {
        port = ntohs(a.v6.sin6_port);
        *p = '[';
        p += strlen(p);
        *p++ = ']';
    } else {
        return 0;
    }
    *p++ = ':';
    char digits[6];
    int n = 0;
    do
        digits[n++] = (char)('0' + port % 10);
    while (port /= 10);
    while (n)
        *p++ = digits[--n];
    return (uint32_t)(p - out);
}

/* The text of the event, at most EV_TEXT_MAX bytes.  The pointers are the caller's arguments: the kernel has just
 * read through them, unless it says EFAULT. */
static uint32_t detail_text(const struct call_info *info, char *out)
{
    if (!info->text)
        return 0;
    switch (info->detail) {
    case DETAIL_NONE:
    case DETAIL_LOCK: return 0;
    case DETAIL_ADDRESS: return address_text(info->text, info->size, out);
    case DETAIL_TEXT:
    case DETAIL_HOST: break;
    }
    uint32_t n = (uint32_t)strnlen(info->text, EV_TEXT_MAX - 64);
    memcpy(out, info->text, n);
    if (info->detail == DETAIL_HOST && info->more) {
        uint32_t m = (uint32_t)strnlen(info->more, 63);
        out[n++] = ':';
        memcpy(out + n, info->more, m);
        n += m;
    }
    return n;
}

/* How far above sp the memory is surely this stack: to its known end, else to the end of the page that we are on. */
static uint64_t stack_end(const struct ls_slot *slot, uint64_t sp)
{
    uint64_t lo = atomic_load_explicit(&slot->coro_lo, memory_order_relaxed); /* our own stores */
    uint64_t hi = atomic_load_explicit(&slot->coro_hi, memory_order_relaxed);
    if (lo <= sp && sp < hi)
        return hi;
    if (slot->stack_lo <= sp && sp < slot->stack_hi)
        return slot->stack_hi;
    return (sp | 4095) + 1;
}

/* The registers as they are at one instruction of the caller, into which this is inlined: an unwind starts there, in
 * our own function, whose unwind table holds for it.  Those a call may change are not known and stay 0. */
__attribute__((always_inline)) static inline void registers(struct ls_regs *regs)
{
    uint64_t *r = regs->r;
    memset(regs, 0, sizeof(*regs));
#if defined __x86_64__
    __asm__ volatile("movq %%rbx, 24(%0)\n\tmovq %%rbp, 48(%0)\n\tmovq %%rsp, 56(%0)\n\t"
                     "movq %%r12, 96(%0)\n\tmovq %%r13, 104(%0)\n\tmovq %%r14, 112(%0)\n\tmovq %%r15, 120(%0)\n\t"
                     "leaq 0f(%%rip), %%rax\n0:\tmovq %%rax, 128(%0)"
                     :
                     : "r"(r)
                     : "rax", "memory");
#elif defined __aarch64__
    __asm__ volatile("stp x19, x20, [%0, #152]\n\tstp x21, x22, [%0, #168]\n\tstp x23, x24, [%0, #184]\n\t"
                     "stp x25, x26, [%0, #200]\n\tstp x27, x28, [%0, #216]\n\tstp x29, x30, [%0, #232]\n\t"
                     "mov x16, sp\n\tstr x16, [%0, #248]\n\tadr x16, 0f\n0:\tstr x16, [%0, #256]"
                     :
                     : "r"(r)
                     : "x16", "memory");
#endif
}

static bool want_stack(struct probe_self *s, ticks_t start, ticks_t end, const void *from)
{
    bool is_new = place_is_new(from);
    return is_new || end - start >= probe_process.threshold ||
           (!s->stack_taken && end - s->since >= probe_process.threshold);
}

__attribute__((noinline)) void call_store(enum ls_call nr, ticks_t start, ticks_t end, int64_t result,
                                          const struct call_info *info, const void *from)
{
    struct probe_self *s = &probe_self;
    int error = errno;
    char text[EV_TEXT_MAX];
    struct ls_regs regs;
    struct ring_group g;

    if (!atomic_load_explicit(&probe_process.arena->on, memory_order_relaxed))
        return; /* set by the recorder */
    uint32_t len = result == -1 && error == EFAULT ? 0 : detail_text(info, text);
    uint32_t room = (uint32_t)(s->mask / 4), bytes = 0, n = 2 + ring_text_records(len);
    bool cut = false;
    if (n > s->mask) {
        n = 2;
        len = 0;
    }
    registers(&regs);
    if (want_stack(s, start, end, from)) {
        uint64_t whole = stack_end(s->slot, regs.r[LS_REG_SP]) - regs.r[LS_REG_SP];
        bool stalls = end - start >= probe_process.threshold; /* alone: rare, and there may be no next time */
        uint32_t most = s->stack_cut || stalls ? EV_STACK_MAX : STACK_FIRST;
        if (most / sizeof(struct ls_event) > room)
            most = room * (uint32_t)sizeof(struct ls_event);
        cut = whole > most;
        bytes = cut ? most : (uint32_t)whole;
    }
    uint32_t raw = (uint32_t)(sizeof(regs) / sizeof(struct ls_event)) + ev_raw_records(bytes);
    if (bytes && n + 1 + raw <= s->mask)
        n += 1 + raw;
    else
        bytes = 0;

    if (ring_group_begin(&g, s, n, end)) {
        ring_group_put(&g, (struct ls_event){ .time = start,
                                              .kind = EV_CALL,
                                              .flags = info->flags,
                                              .aux = (uint16_t)nr,
                                              .id = (uint32_t)info->fd,
                                              .a = end - start,
                                              .b = (uint64_t)result });
        ring_group_put(&g, (struct ls_event){ .time = (uint64_t)(uint32_t)info->owner,
                                              .kind = EV_MORE,
                                              .id = (uint32_t)error,
                                              .a = (uintptr_t)from,
                                              .b = info->detail == DETAIL_LOCK ? (uintptr_t)info->text : 0 });
        ring_group_text(&g, text, len);
        if (bytes) {
            ring_group_put(&g, (struct ls_event){ .kind = EV_STACK,
                                                  .flags = cut ? EV_STACK_CUT : 0,
                                                  .aux = (uint16_t)raw,
                                                  .id = bytes,
                                                  .a = regs.r[LS_REG_SP] });
            ring_group_bytes(&g, &regs, sizeof(regs));
            ring_group_bytes(&g, (const void *)(uintptr_t)regs.r[LS_REG_SP], bytes);
            s->stack_taken = 1;
            s->stack_cut |= cut;
        }
        ring_group_end(&g);
    }
    errno = error;
}

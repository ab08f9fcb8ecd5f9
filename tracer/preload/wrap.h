/* wrap.h - how a libc call is wrapped: forward it untouched, and on a loop thread in a busy period take the time
 * before and after.
 *
 * On any other thread a wrapper costs one look at the thread's block.  A call made inside another wrapped call, or by
 * a signal handler that interrupted one, finds `armed` off and goes straight through: only the outermost is told.
 * The wrappers never retry, never change a result, and keep errno; when a call is left by longjmp, by cancellation or
 * by an exception, `armed` stays off until the loop's next poll turns it on again. */
#ifndef LOOPSCOPE_PRELOAD_WRAP_H
#define LOOPSCOPE_PRELOAD_WRAP_H

#include "../call.h"
#include "../probe/self.h"

#define EXPORT __attribute__((visibility("default")))

/* The functions we stand before (resolve.c).  Filled by a constructor, or at the first use when somebody's
 * constructor is earlier: then both write the same pointer, so the atomics need no order. */
enum real_symbol {
#define SYM(name, version) REAL_##name,
#include "symbols.def"
#undef SYM
    REAL_COUNT
};
PROBE_HIDDEN extern void *_Atomic real_table[REAL_COUNT];
PROBE_HIDDEN void *real_find(enum real_symbol which);
static inline void *real_get(enum real_symbol which)
{
    void *f = atomic_load_explicit(&real_table[which], memory_order_relaxed);
    return likely(f != NULL) ? f : real_find(which);
}
#define REAL(name) ((__typeof__(&name))real_get(REAL_##name))

enum call_detail { DETAIL_NONE, DETAIL_TEXT, DETAIL_ADDRESS, DETAIL_HOST, DETAIL_LOCK };

/* What tells one call from another of its kind.  Only looked at when the call was long enough to be stored. */
struct call_info {
    int fd;                  /* -1 none */
    enum call_detail detail; /* DETAIL_TEXT: text; ADDRESS: text and size; HOST: text and more; LOCK: text, owner */
    const void *text, *more;
    uint32_t size;
    int32_t owner;
    uint8_t flags; /* EV_CALL_* */
};

struct call {
    ticks_t start;
};

/* call.c */
PROBE_HIDDEN void call_store(enum ls_call nr, ticks_t start, ticks_t end, int64_t result, const struct call_info *info,
                             const void *from);

__attribute__((always_inline)) static inline bool call_begin(struct call *c, enum ls_call nr, uint64_t arg)
{
    struct probe_self *s = &probe_self;
    if (likely(!s->armed))
        return false;
    if (unlikely(!probe_page.alive)) {
        probe_forked();
        return false;
    }
    s->armed = 0;
    atomic_signal_fence(memory_order_seq_cst); /* a handler from here on finds the call under way */
    c->start = probe_now();
    atomic_store_explicit(&s->slot->call_since, c->start, memory_order_relaxed);
    atomic_store_explicit(&s->slot->call_arg, arg, memory_order_relaxed);
    atomic_store_explicit(&s->slot->word, LS_WORD(ACT_CALL, nr, s->turn), memory_order_release); /* watchdog's acquire */
    return true;
}

__attribute__((always_inline)) static inline void call_end(struct call *c, enum ls_call nr, int64_t result,
                                                           const struct call_info *info, const void *from)
{
    struct probe_self *s = &probe_self;
    ticks_t end = probe_now();
    if (unlikely(!s->slot))
        return;
    if (unlikely(end - c->start >= probe_process.call_min))
        call_store(nr, c->start, end, result, info, from);
    atomic_store_explicit(&s->slot->word, LS_WORD(ACT_BUSY, 0, s->turn), memory_order_release); /* as in call_begin */
    atomic_signal_fence(memory_order_seq_cst);
    s->armed = 1;
}

/* The whole of an ordinary wrapper.  arg: what the state word shows meanwhile; the rest initialises a call_info. */
#define TIMED(type, name, params, args, nr, arg, ...)                                                                  \
    EXPORT type name params                                                                                            \
    {                                                                                                                  \
        struct call call_;                                                                                             \
        if (!call_begin(&call_, CALL_##nr, (uint64_t)(arg)))                                                           \
            return REAL(name) args;                                                                                    \
        type result_ = REAL(name) args;                                                                                \
        call_end(&call_, CALL_##nr, (int64_t)result_, &(const struct call_info){ __VA_ARGS__ },                        \
                 __builtin_return_address(0));                                                                         \
        return result_;                                                                                                \
    }

#define INFO_FD(fd_)     .fd = (fd_)
#define INFO_NONE        .fd = -1
#define INFO_PATH(path_) .fd = -1, .detail = DETAIL_TEXT, .text = (path_)

/* poll.c: a descriptor is about to be closed; it may be the one this thread's loop lives on. */
PROBE_HIDDEN void poll_closing(int fd);

#endif

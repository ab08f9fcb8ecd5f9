/* task.c - the life of a task: spawn, end, handles.  Runs on the loop's thread. */
#include "object.h"
#include "runtime/tasks/gate.h"
#include "runtime/tasks/more.h"
#include "schedule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/sync/holder.h"

struct task *lsrt_task_misuse(struct loop *l, struct ls_task *handle, const char *call)
{
    uintptr_t h = (uintptr_t)handle;
    uint32_t index = (uint32_t)h & LSRT_INDEX_MASK, generation = (uint32_t)(h >> LSRT_INDEX_BITS) & LSRT_INDEX_MASK;
    if (!handle) {
        lsrt_misuse(EINVAL, "%s: the task is NULL", call);
        return NULL;
    }
    const struct object_seat *seat = l->objects && index < l->objects->count ? &l->objects->seats[index] : NULL;
    if (seat && seat->handle == h) {
        lsrt_misuse(EINVAL, "%s: not a task: '%s' is a %s", call, seat->object->name, seat->object->ops->noun);
        return NULL;
    }
    if (lsrt_handle_kind(h) == HANDLE_TASK && lsrt_handle_loop(h) && lsrt_handle_loop(h) != l->id) {
        lsrt_misuse(EPERM, "%s: task %u is of another loop (%u, this is %u): a task belongs to its thread", call, index,
                    lsrt_handle_loop(h), l->id);
        return NULL;
    }
    if (lsrt_handle_kind(h) != HANDLE_TASK || !lsrt_handle_loop(h) || index >= l->task_count) {
        lsrt_misuse(EINVAL, "%s: not a task", call);
        return NULL;
    }
    struct task *t = lsrt_task_at(l, index);
    bool last_one = generation == ((t->generation - (t->state == TASK_FREE)) & LSRT_INDEX_MASK);
    if (last_one)
        lsrt_misuse(EINVAL, "%s: task '%s' was awaited or detached already", call, t->name);
    else
        lsrt_misuse(EINVAL, "%s: the task of this handle is long gone (its place is now '%s')", call, t->name);
    return NULL;
}

uint32_t lsrt_task_tell(struct task *t)
{
    return t->probe_id = ls_probe_task_new(t->parent, t->site, lsrt_task_probe_name(t));
}

static struct task *task_alloc(struct loop *l)
{
    if (l->task_count == l->chunk_count * TASKS_A_CHUNK) {
        if (l->task_count > LSRT_INDEX_MASK - TASKS_A_CHUNK)
            return NULL;
        /* The table doubles at each power of two. */
        if (!(l->chunk_count & (l->chunk_count - 1))) {
            size_t room = l->chunk_count ? 2 * (size_t)l->chunk_count : 1;
            struct task **chunks = realloc(l->chunks, room * sizeof *chunks);
            if (!chunks)
                return NULL;
            l->chunks = chunks;
        }
        struct task *chunk = aligned_alloc(64, TASKS_A_CHUNK * sizeof(struct task));
        if (!chunk)
            return NULL;
        memset(chunk, 0, TASKS_A_CHUNK * sizeof(struct task));
        l->chunks[l->chunk_count] = chunk;
        l->chunk_count++;
    }
    struct task *t = lsrt_task_at(l, l->task_count);
    t->index = l->task_count++;
    t->generation = 1;
    return t;
}

void lsrt_task_free(struct loop *l, struct task *t)
{
    if (LSRT_UNLIKELY(l->debug))
        lsrt_debug_free(l, t);
    t->state = TASK_FREE;
    t->generation++; /* every handle of it is spent now */
    t->next = l->free;
    l->free = t;
}

static __attribute__((noinline)) void set_name(struct task *t, const char *format, va_list ap)
{
    t->name = t->text;
    if (strchr(format, '%'))
        vsnprintf(t->text, sizeof t->text, format, ap);
    else { /* without printf's cost */
        size_t n = strnlen(format, sizeof t->text - 1);
        memcpy(t->text, format, n);
        t->text[n] = 0;
    }
}

/* In pieces, because one memset of this size is a `rep stos`, whose start alone costs more than all of these. */
static inline void be_born(struct task *t)
{
    enum { FROM = offsetof(struct task, state), SIZE = offsetof(struct task, index) - FROM };
    _Static_assert(SIZE > 128 && SIZE <= 192, "three pieces");
    char *at = (char *)t + FROM;
    memset(at, 0, 64);
    __asm__("" : : : "memory"); /* else they are made one again */
    memset(at + 64, 0, 64);
    __asm__("" : : : "memory");
    memset(at + 128, 0, SIZE - 128);
}

struct task *lsrt_task_new(struct loop *l, struct ls_site *site, ls_fn *fn, void *arg, const char *format, va_list ap)
{
    if (LSRT_UNLIKELY(l->refusing)) {
        errno = ECANCELED;
        return NULL;
    }
    struct task *t = l->free;
    if (LSRT_LIKELY(t != NULL))
        l->free = t->next;
    else if (!(t = task_alloc(l))) {
        errno = ENOMEM;
        return NULL;
    }
    be_born(t);
    t->next = t->group_next = NULL;
    t->stack = NULL;
    t->fn = fn;
    t->arg = arg;
    t->site = site;
    t->name = site->function;
    if (format)
        set_name(t, format, ap);
    t->refs = 1;
    t->parent = 0;
    struct task *parent = l->current;
    if (LSRT_UNLIKELY(parent && parent->locals))
        t->locals = lsrt_locals_share(parent->locals);
    l->live++;
    if (ls_probe_on())
        t->parent = lsrt_task_probe_id(parent);
    return t;
}

struct ls_task *ls_spawn_at(struct ls_site *site, ls_fn *fn, void *arg, const char *name, ...)
{
    struct loop *l = lsrt_loop();
    if (LSRT_UNLIKELY(!l || (l->main && !l->current && !l->calling))) {
        lsrt_not_inside("ls_spawn");
        return NULL;
    }
    if (LSRT_UNLIKELY(!fn)) {
        lsrt_misuse(EINVAL, "ls_spawn: the function is NULL");
        return NULL;
    }
    va_list ap;
    va_start(ap, name);
    struct task *t = lsrt_task_new(l, site, fn, arg, name, ap);
    va_end(ap);
    if (LSRT_UNLIKELY(!t))
        return NULL;
    if (LSRT_UNLIKELY(!l->main)) {
        l->main = t;
        t->refs++; /* the loop's */
        t->lent++;
    }
    if (ls_probe_on())
        lsrt_task_tell(t);
    ready_add(l, t);
    return lsrt_task_handle(l, t);
}

struct finish { /* the end of a task, as its last switch tells it; outcome 0: told already */
    enum ls_outcome outcome;
    int64_t value;
    struct task *woken; /* who awaits it, and takes the result */
};

/* Over: keeps the result, wakes who waits for it.  What is told of a task that somebody simply awaits, or nobody, goes
 * into *f, when it is given: its last switch tells it. */
static inline void end(struct loop *l, struct task *t, intptr_t result, int error, struct finish *f)
{
    bool failed = result == -1;
    t->result = result;
    t->error = failed ? error : 0;
    t->state = TASK_DONE;
    t->ended = ++l->ends;
    l->live--;
    enum ls_outcome outcome = !failed                  ? LS_OUTCOME_OK
                              : lsrt_task_cancelled(t) ? LS_OUTCOME_CANCELLED
                                                       : LS_OUTCOME_ERROR;
    struct gate *g = lsrt_gate_simple(t);
    bool plain = !t->holds && !t->more && !t->group && !t->locals;
    if (LSRT_LIKELY(f && plain && (g || !t->waiters))) {
        f->outcome = outcome;
        f->value = failed ? error : result;
        f->woken = g ? lsrt_gate_open_simple(t, g) : NULL;
        if (f->woken)
            wake_untold(l, f->woken, 0);
    } else {
        if (ls_probe_on())
            ls_probe_task_end(lsrt_task_probe_id(t), outcome, failed ? error : result);
        if (t->waiters)
            lsrt_gates_open(l, t);
        if (t->holds)
            lsrt_holder_ended(l, t);
        if (t->more || t->group || t->locals)
            lsrt_task_over(l, t);
    }
    if (!t->refs)
        lsrt_task_free(l, t);
}

/* The running task is DONE: the next one runs. */
static _Noreturn void leave_for_good(struct loop *l, struct task *self, const struct finish *f)
{
    struct task *to = self == l->main ? NULL : next_task(l);
    hook_switch(l, self, to);
    if (ls_probe_on()) {
        if (f->outcome)
            ls_probe_finish(lsrt_task_probe_id(self), f->outcome, f->value, lsrt_task_probe_id(f->woken),
                            f->woken != NULL, lsrt_task_probe_id(to), stack_of(to));
        else
            trace_switch(self, LS_WHY_END, 0, NULL, to);
    }
    lsrt_stack_put(&l->stacks, self->stack); /* after next_task: a task that begins must not get this stack yet */
    self->stack = NULL;
    lsrt_task_unref(l, self); /* nor one that is spawned this place */
    l->current = to;
    if (to)
        to->state = TASK_RUNNING;
    ctx_switch(&self->ctx, to ? &to->ctx : &l->ctx, 1);
    __builtin_unreachable(); /* nobody switches to a task that is over */
}

/* By its name a report knows it, as all lsrt_ functions, for the runtime and leaves it out of stacks. */
static void lsrt_task_main(void)
{
    ctx_entered();
    struct loop *l = lsrt_loop();
    struct task *t = l->current;
    errno = 0;
    intptr_t result = t->fn(t->arg);
    int error = errno ? errno : EIO; /* of a failure: ls_gather and ls_error are 0 when there is none */
    if (LSRT_UNLIKELY(lsrt_here != l))
        lsrt_fork_end(result);
    if (LSRT_UNLIKELY(t->more || t->scopes))
        lsrt_task_cleanup(l, t);
    struct finish f = { 0 };
    t->refs++; /* until it has left */
    end(l, t, result, error, &f);
    leave_for_good(l, t, &f);
}

void lsrt_task_begin(struct loop *l, struct task *t)
{
    if (t->cancel)
        end(l, t, -1, ECANCELED, NULL);
    else if ((t->stack = lsrt_stack_get(&l->stacks))) {
        if (l->debug)
            lsrt_debug_stacks(l);
        lsrt_ctx_init(&t->ctx, t->stack->lo, t->stack->hi, lsrt_task_main);
#ifdef LSRT_TSAN
        t->ctx.fiber = t->stack->fiber;
#endif
    } else
        end(l, t, -1, ENOMEM, NULL);
}

void lsrt_tasks_free(struct loop *l)
{
    lsrt_done_calls_free(l->done_calls);
    lsrt_scopes_free(l);
    for (uint32_t i = 0; i < l->task_count; i++)
        lsrt_more_free(lsrt_task_at(l, i));
    for (uint32_t i = 0; i < l->chunk_count; i++)
        free(l->chunks[i]);
    free(l->chunks);
}

struct ls_task *ls_self(void)
{
    struct loop *l = lsrt_loop();
    return l && l->current ? lsrt_task_handle(l, l->current) : NULL;
}

const char *ls_task_name(struct ls_task *task)
{
    struct loop *l = lsrt_on_loop("ls_task_name");
    struct task *t = l ? lsrt_task_of(l, task, "ls_task_name") : NULL;
    return t ? t->name : NULL;
}

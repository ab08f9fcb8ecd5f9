/* task.c - the life of a task: spawn, end, handles.  Runs on the loop's thread.
 *
 * A handle is a number (loop, generation, index), not an address: one that is spent, made up or from another thread is
 * found out by comparing, and never followed. */
#include "loop.h"
#include "more.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holder.h"

#define INDEX_BITS 24
#define INDEX_MASK ((1u << INDEX_BITS) - 1)

_Static_assert(sizeof(uintptr_t) == 8, "a handle holds 16 bits of loop, 24 of generation and 24 of index");

struct ls_task *lsrt_task_handle(struct loop *l, struct task *t)
{
    return (struct ls_task *)((uintptr_t)l->id << 48 | (uintptr_t)(t->generation & INDEX_MASK) << INDEX_BITS |
                              t->index);
}

struct task *lsrt_task_at(struct loop *l, uint32_t index)
{
    return &l->chunks[index / TASKS_A_CHUNK][index % TASKS_A_CHUNK];
}

struct task *lsrt_task_of(struct loop *l, struct ls_task *handle, const char *call)
{
    uintptr_t h = (uintptr_t)handle;
    uint32_t index = (uint32_t)h & INDEX_MASK, generation = (uint32_t)(h >> INDEX_BITS) & INDEX_MASK;
    if (!handle) {
        lsrt_misuse(EINVAL, "%s: the task is NULL", call);
        return NULL;
    }
    if (h >> 48 != l->id) {
        lsrt_misuse(EPERM, "%s: task %u is of another loop (%u, this is %u): a task belongs to its thread", call, index,
                    (unsigned)(h >> 48), l->id);
        return NULL;
    }
    if (index >= l->task_count) {
        lsrt_misuse(EINVAL, "%s: not a task", call);
        return NULL;
    }
    struct task *t = lsrt_task_at(l, index);
    if (generation == (t->generation & INDEX_MASK) && t->state != TASK_FREE && (t->refs || t == l->current))
        return t;
    bool last_one = generation == ((t->generation - (t->state == TASK_FREE)) & INDEX_MASK);
    if (last_one)
        lsrt_misuse(EINVAL, "%s: task '%s' was awaited or detached already", call, t->name);
    else
        lsrt_misuse(EINVAL, "%s: the task of this handle is long gone (its place is now '%s')", call, t->name);
    return NULL;
}

uint32_t lsrt_task_probe_id(struct task *t)
{
    if (!t)
        return 0;
    if (!t->probe_id) /* recording began after its spawn */
        t->probe_id = ls_probe_task_new(t->parent, t->site, t->name);
    return t->probe_id;
}

static struct task *task_alloc(struct loop *l)
{
    struct task *t = l->free;
    if (t) {
        l->free = t->next;
        return t;
    }
    if (l->task_count == l->chunk_count * TASKS_A_CHUNK) {
        if (l->task_count > INDEX_MASK - TASKS_A_CHUNK)
            return NULL;
        /* The table doubles at each power of two. */
        if (!(l->chunk_count & (l->chunk_count - 1))) {
            size_t room = l->chunk_count ? 2 * (size_t)l->chunk_count : 1;
            struct task **chunks = realloc(l->chunks, room * sizeof *chunks);
            if (!chunks)
                return NULL;
            l->chunks = chunks;
        }
        if (!(l->chunks[l->chunk_count] = calloc(TASKS_A_CHUNK, sizeof(struct task))))
            return NULL;
        l->chunk_count++;
    }
    t = lsrt_task_at(l, l->task_count);
    t->index = l->task_count++;
    t->generation = 1;
    return t;
}

static void task_free(struct loop *l, struct task *t)
{
    if (l->debug)
        lsrt_debug_free(l, t);
    t->state = TASK_FREE;
    t->generation++; /* every handle of it is spent now */
    t->next = l->free;
    l->free = t;
}

void lsrt_task_unref(struct loop *l, struct task *t)
{
    if (--t->refs == 0 && t->state == TASK_DONE)
        task_free(l, t);
}

static void set_name(struct task *t, struct ls_site *site, const char *format, va_list ap)
{
    if (format && strchr(format, '%'))
        vsnprintf(t->name, sizeof t->name, format, ap);
    else { /* the common case, without printf's cost */
        const char *name = format ? format : site->function;
        size_t n = strnlen(name, sizeof t->name - 1);
        memcpy(t->name, name, n);
        t->name[n] = 0;
    }
}

struct task *lsrt_task_new(struct loop *l, struct ls_site *site, ls_fn *fn, void *arg, const char *format, va_list ap)
{
    if (l->closing) {
        errno = ECANCELED;
        return NULL;
    }
    struct task *t = task_alloc(l);
    if (!t) {
        errno = ENOMEM;
        return NULL;
    }
    uint32_t index = t->index, generation = t->generation;
    *t = (struct task){ .fn = fn, .arg = arg, .site = site, .refs = 1, .index = index, .generation = generation };
    set_name(t, site, format, ap);
    if (l->current && l->current->locals)
        t->locals = lsrt_locals_share(l->current->locals);
    l->live++;
    if (ls_probe_on())
        t->parent = lsrt_task_probe_id(l->current);
    return t;
}

struct ls_task *ls_spawn_at(struct ls_site *site, ls_fn *fn, void *arg, const char *name, ...)
{
    struct loop *l = lsrt_loop();
    if (!l || (l->main && !l->current && !l->calling)) {
        lsrt_misuse(EPERM, "ls_spawn: not inside a task");
        return NULL;
    }
    va_list ap;
    va_start(ap, name);
    struct task *t = lsrt_task_new(l, site, fn, arg, name, ap);
    va_end(ap);
    if (!t)
        return NULL;
    if (!l->main)
        l->main = t;
    if (ls_probe_on())
        t->probe_id = ls_probe_task_new(t->parent, site, t->name);
    lsrt_ready(l, t);
    return lsrt_task_handle(l, t);
}

/* Over: keeps the result, wakes who waits for it. */
static void end(struct loop *l, struct task *t, intptr_t result, int error)
{
    bool failed = result == -1;
    t->result = result;
    t->error = failed ? error : 0;
    t->state = TASK_DONE;
    t->ended = ++l->ends;
    l->live--;
    if (ls_probe_on()) {
        enum ls_outcome outcome = !failed                  ? LS_OUTCOME_OK
                                  : lsrt_task_cancelled(t) ? LS_OUTCOME_CANCELLED
                                                           : LS_OUTCOME_ERROR;
        ls_probe_task_end(lsrt_task_probe_id(t), outcome, failed ? error : result);
    }
    if (t->waiters)
        lsrt_gates_open(l, t);
    if (t->holds)
        lsrt_holder_ended(l, t);
    if (t->more || t->group || t->locals)
        lsrt_task_over(l, t);
    if (!t->refs)
        task_free(l, t);
}

static void task_main(void)
{
    ctx_entered();
    struct loop *l = lsrt_loop();
    struct task *t = l->current;
    errno = 0;
    intptr_t result = t->fn(t->arg);
    int error = errno;
    if (t->more || t->scopes)
        lsrt_task_cleanup(l, t);
    end(l, t, result, error);
    lsrt_leave_for_good(l);
}

void lsrt_task_begin(struct loop *l, struct task *t)
{
    if (t->cancel)
        end(l, t, -1, ECANCELED);
    else if ((t->stack = lsrt_stack_get(&l->stacks))) {
        if (l->debug)
            lsrt_debug_stacks(l);
        lsrt_ctx_init(&t->ctx, t->stack->lo, t->stack->hi, task_main);
#ifdef LSRT_TSAN
        t->ctx.fiber = t->stack->fiber;
#endif
    } else
        end(l, t, -1, ENOMEM);
}

void lsrt_tasks_free(struct loop *l)
{
    lsrt_done_calls_free(l->done_calls);
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
    struct loop *l = lsrt_inside("ls_task_name");
    struct task *t = l ? lsrt_task_of(l, task, "ls_task_name") : NULL;
    return t ? t->name : NULL;
}

/* fake_arena.c - see fake_arena.h. */
#include "fake_arena.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t monotonic(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t ticks_per_second(void)
{
#if defined __x86_64__
    uint64_t n0 = monotonic(), t0 = __builtin_ia32_rdtsc();
    while (monotonic() - n0 < 5000000)
        ;
    uint64_t t1 = __builtin_ia32_rdtsc(), n1 = monotonic();
    return (uint64_t)((double)(t1 - t0) * 1e9 / (double)(n1 - n0));
#else
    return 1000000000u;
#endif
}

int fake_arena_make(struct fake_arena *f, uint32_t slots, uint64_t ring_records, uint64_t threshold, uint64_t call_min)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->path, sizeof(f->path), "/tmp/fake-arena-XXXXXX");
    int fd = mkstemp(f->path);
    f->size = ls_arena_size(slots, ring_records);
    if (fd < 0 || ftruncate(fd, (off_t)f->size) != 0) {
        perror(f->path);
        return -1;
    }
    void *map = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) {
        perror("mmap");
        return -1;
    }
    uint64_t rate = ticks_per_second();
    struct ls_arena *a = f->arena = map;
    a->version = LS_ARENA_VERSION;
    a->slots = slots;
    a->ring_records = ring_records;
    a->ring_offset = f->size - (size_t)slots * ring_records * sizeof(struct ls_event);
#if defined __x86_64__
    a->clock = LS_CLOCK_TSC;
#endif
    a->recorder_pid = getpid();
    a->threshold = (uint64_t)((double)threshold * (double)rate / 1e9);
    a->call_min = (uint64_t)((double)call_min * (double)rate / 1e9);
    a->ticks_per_sec = rate;
    atomic_store(&a->on, 1);
    atomic_store(&a->next_id, 1);
    a->magic = LS_ARENA_MAGIC;
    return 0;
}

void fake_arena_free(struct fake_arena *f)
{
    if (f->arena)
        munmap(f->arena, f->size);
    unlink(f->path);
    f->arena = NULL;
}

static void take_raw(const struct ls_event *ring, uint64_t mask, uint64_t at, void *to, uint32_t len)
{
    for (uint32_t done = 0; done < len; done += 32, at++)
        memcpy((char *)to + done, &ring[at & mask], len - done < 32 ? len - done : 32);
}

int fake_arena_next(struct fake_arena *f, uint32_t slot, struct fake_event *e)
{
    struct ls_slot *s = ls_arena_slot(f->arena, slot);
    const struct ls_event *ring = ls_arena_ring(f->arena, slot);
    uint64_t mask = f->arena->ring_records - 1, tail = atomic_load(&s->tail);
    uint64_t head = atomic_load_explicit(&s->head, memory_order_acquire);
    if (tail == head)
        return 0;
    memset(e, 0, offsetof(struct fake_event, stack));
    e->head = ring[tail++ & mask];
    while (tail != head) {
        struct ls_event r = ring[tail & mask];
        if (r.kind == EV_MORE) {
            e->more = r;
            e->has_more = true;
            tail++;
        } else if (r.kind == EV_TEXT) {
            if (r.id > EV_TEXT_MAX || r.aux != ev_raw_records(r.id) || head - tail < 1u + r.aux)
                return -1;
            take_raw(ring, mask, tail + 1, e->text, r.id);
            e->text_len = r.id;
            tail += 1u + r.aux;
        } else if (r.kind == EV_STACK) {
            uint32_t regs = sizeof(e->regs) / 32;
            if (r.id > EV_STACK_MAX || r.aux != regs + ev_raw_records(r.id) || head - tail < 1u + r.aux)
                return -1;
            take_raw(ring, mask, tail + 1, &e->regs, sizeof(e->regs));
            take_raw(ring, mask, tail + 1 + regs, e->stack, r.id);
            e->has_stack = true;
            e->stack_cut = r.flags & EV_STACK_CUT;
            e->stack_sp = r.a;
            e->stack_size = r.id;
            tail += 1u + r.aux;
        } else {
            break;
        }
    }
    atomic_store_explicit(&s->tail, tail, memory_order_release);
    return e->head.kind == EV_NONE || e->head.kind >= EV_KINDS ? -1 : 1;
}

int fake_arena_count(struct fake_arena *f, uint32_t slot, enum ls_event_kind kind, unsigned call)
{
    struct fake_event *e = malloc(sizeof(*e));
    int n = 0, r;
    while (e && (r = fake_arena_next(f, slot, e)) != 0) {
        if (r < 0) {
            n = -1;
            break;
        }
        n += e->head.kind == kind && (!call || e->head.aux == call);
    }
    free(e);
    return n;
}

void fake_arena_print(struct fake_arena *f, FILE *out)
{
    static const char *const names[] = { "none",       "GAP",        "LOOP",     "POLL",   "CALL",
                                         "TASK_NEW",   "TASK_END",   "OBSERVED", "SWITCH", "WAKE",
                                         "OBJECT_NEW", "OBJECT_END", "MARK",     "SITE" };
    struct fake_event *e = malloc(sizeof(*e));
    double us = 1e6 / (double)f->arena->ticks_per_sec;
    fprintf(out, "processes %u refused %u\n", atomic_load(&f->arena->processes), atomic_load(&f->arena->refused));
    for (uint32_t i = 0; e && i < f->arena->slots; i++) {
        struct ls_slot *s = ls_arena_slot(f->arena, i);
        int r;
        if (!s->generation)
            continue;
        fprintf(out, "slot %u state %u gen %u pid %d tid %d kind %u stack %#lx-%#lx word %#lx head %lu lost %lu\n", i,
                atomic_load(&s->state), s->generation, s->pid, s->tid, s->loop_kind, (unsigned long)s->stack_lo,
                (unsigned long)s->stack_hi, (unsigned long)atomic_load(&s->word), (unsigned long)atomic_load(&s->head),
                (unsigned long)atomic_load(&s->lost));
        while ((r = fake_arena_next(f, i, e)) != 0) {
            if (r < 0) {
                fprintf(out, "  BROKEN kind %u\n", e->head.kind);
                break;
            }
            fprintf(out, "  %10.0f %s flags %u aux %u id %d", (double)(e->head.time - s->start) * us,
                    e->head.kind <= EV_SITE ? names[e->head.kind] : "?", e->head.flags, e->head.aux, (int)e->head.id);
            if (e->head.kind == EV_CALL)
                fprintf(out, " %s %.0f us = %ld errno %u ra %#lx obj %#lx owner %lu", ls_call_name(e->head.aux),
                        (double)e->head.a * us, (long)e->head.b, e->more.id, (unsigned long)e->more.a,
                        (unsigned long)e->more.b, (unsigned long)e->more.time);
            else if (e->head.kind == EV_POLL)
                fprintf(out, " slept %.0f us timeout %ld", (double)(e->head.time - e->head.a) * us, (long)e->head.b);
            else
                fprintf(out, " a %#lx b %#lx", (unsigned long)e->head.a, (unsigned long)e->head.b);
            if (e->text_len)
                fprintf(out, " '%s'", e->text);
            if (e->has_stack)
                fprintf(out, " stack %u%s", e->stack_size, e->stack_cut ? " cut" : "");
            fputc('\n', out);
        }
    }
    free(e);
}

int fake_arena_run(struct fake_arena *f, const char *preload, char *const argv[])
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        setenv(LS_SESSION_ENV, f->path, 1);
        if (preload)
            setenv("LD_PRELOAD", preload, 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid < 0 || waitpid(pid, &status, 0) != pid ? -1 : status;
}

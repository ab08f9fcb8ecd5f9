/* fake_loop.c - plays a loop in a child process, over an arena that it inherits by fork. */
#include "fake_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tracer/call.h"

ticks_t fake_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ticks_t)t.tv_sec * 1000000000ull + (ticks_t)t.tv_nsec;
}

struct ls_arena *fake_arena(uint32_t slots)
{
    size_t size = ls_arena_size(slots, 8) + slots * sizeof(struct fake_board);
    struct ls_arena *a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (a == MAP_FAILED)
        abort();
    a->magic = LS_ARENA_MAGIC;
    a->version = LS_ARENA_VERSION;
    a->slots = slots;
    a->ring_records = 8;
    a->ring_offset = ls_arena_size(slots, 8) - slots * 8 * sizeof(struct ls_event);
    a->clock = LS_CLOCK_MONOTONIC;
    a->ticks_per_sec = 1000000000ull;
    return a;
}

struct fake_board *fake_board_of(struct ls_arena *a, uint32_t slot)
{
    return (struct fake_board *)((char *)a + ls_arena_size(a->slots, 8)) + slot;
}

void fake_claim(struct ls_slot *s, pid_t pid, pid_t tid)
{
    s->generation++;
    s->pid = pid;
    s->tid = tid;
    s->start = fake_now();
    s->loop_kind = LOOP_EPOLL;
    /* release: pairs with the watchdog's acquire */
    atomic_store_explicit(&s->state, SLOT_LIVE, memory_order_release);
}

static void word(struct ls_slot *s, enum ls_activity act, unsigned call, uint32_t turn)
{
    /* release: pairs with the watchdog's acquire; the values were stored before */
    atomic_store_explicit(&s->word, LS_WORD(act, call, turn), memory_order_release);
}

static void nap(struct fake_board *b, int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    if (nanosleep(&t, NULL))
        b->interrupted++;
}

void fake_spin(int ms)
{
    ticks_t end = fake_now() + (ticks_t)ms * 1000000;
    while (fake_now() < end)
        ;
}

static uint32_t poll_for(struct ls_slot *s, struct fake_board *b, uint32_t turn, int ms)
{
    ticks_t now = fake_now();
    if (turn % 2 && b->turns < FAKE_TURNS) {
        b->since[b->turns] = s->since;
        b->end[b->turns] = now;
    }
    atomic_store_explicit(&s->since, now, memory_order_relaxed);
    word(s, ACT_POLL, 0, ++turn);
    b->turns++;
    if (ms)
        nap(b, ms);
    atomic_store_explicit(&s->since, fake_now(), memory_order_relaxed);
    word(s, ACT_BUSY, 0, ++turn);
    return turn;
}

static void play(struct ls_slot *s, struct fake_board *b, const struct fake_step *script, int times)
{
    uint32_t turn = 1; /* odd: busy */
    atomic_store_explicit(&s->since, fake_now(), memory_order_relaxed);
    word(s, ACT_BUSY, 0, turn);
    for (int n = 0; n < times; n++)
        for (const struct fake_step *p = script; p->act != FAKE_END; p++) {
            bool call = p->act == FAKE_CALL || p->act == FAKE_FOREVER;
            if (call) {
                atomic_store_explicit(&s->call_since, fake_now(), memory_order_relaxed);
                atomic_store_explicit(&s->call_arg, 5, memory_order_relaxed);
                word(s, ACT_CALL, p->act == FAKE_CALL ? CALL_nanosleep : CALL_read, turn);
            }
            switch (p->act) {
            case FAKE_POLL: turn = poll_for(s, b, turn, p->ms); break;
            case FAKE_SPIN: fake_spin(p->ms); break;
            case FAKE_SLEEP: nap(b, p->ms); break;
            case FAKE_CALL: nap(b, p->ms); break;
            case FAKE_STOP: raise(SIGSTOP); break;
            default: pause();
            }
            if (call)
                word(s, ACT_BUSY, 0, turn);
        }
    poll_for(s, b, turn, 1000000);
}

pid_t fake_loop(struct ls_arena *a, uint32_t slot, const struct fake_step *script, int times)
{
    pid_t p = fork();
    if (p == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct ls_slot *s = ls_arena_slot(a, slot);
        fake_claim(s, getpid(), getpid());
        play(s, fake_board_of(a, slot), script, times);
        _exit(0);
    }
    if (p < 0)
        abort();
    return p;
}

bool fake_wait_turn(struct ls_arena *a, uint32_t slot, int n)
{
    for (int i = 0; i < 10000; i++) {
        if (fake_board_of(a, slot)->turns > n)
            return true;
        usleep(1000);
    }
    return false;
}

void fake_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

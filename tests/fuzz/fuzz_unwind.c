/* fuzz_unwind.c - unwinds and names a real stack with random damage: words, registers, sizes.  Must not crash or hang.
 *
 *     fuzz_unwind [ROUNDS [SEED [TARGET ARG...]]]      by default 100,000 rounds on a child that computes
 *
 * Sources: tests/lib/grab.c tracer/record/{modules,debuginfo,unwind,noise,perfmap,symbol,stackbook,place}.c
 * link: -lunwind-x86_64 -ldw -lelf */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/lib/grab.h"
#include "tracer/record/stackbook.h"

static uint64_t state;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static volatile unsigned work;

__attribute__((noinline)) static int recurse(int n)
{
    while (n == 0 && work != 1)
        work += 2;
    return n > 0 ? recurse(n - 1) + (int)work : 0;
}

/* A value that hits something: an address in the stack, in code, next to one, or none at all. */
static uint64_t nasty(const struct stack_copy *c)
{
    static const uint64_t edge[] = { 0, 1, 8, 4096, 0x4141414141414141, 0x7ffffffffff8, 0xffffffffff600000, UINT64_MAX, 1ull << 63 };
    uint64_t word;
    switch (rnd() % 5) {
    case 0: return rnd();
    case 1: return edge[rnd() % (sizeof edge / sizeof *edge)];
    case 2: return c->sp + rnd() % (c->size + 4096);
    case 3: return c->regs.r[LS_REG_IP] + rnd() % 65536 - 32768;
    default: memcpy(&word, c->bytes + rnd() % (c->size / 8) * 8, 8); return word + rnd() % 3 - 1;
    }
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 100000;
    struct stackbook_sink sink = { 0 };
    long frames = 0, partial = 0;

    state = argc > 2 ? strtoull(argv[2], NULL, 0) | 1 : 0x9e3779b97f4a7c15ull;
    pid_t pid = argc > 3 ? grab_spawn(argv + 3) : fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        return recurse(40);
    }
    grab_wait_busy(pid);
    struct stack_copy *good = grab_stack(pid, 8192), *c = good ? malloc(sizeof *c + good->size) : NULL;
    struct module_files *files = module_files_new();
    struct module_map *map = module_map_open(files, pid);
    if (!c || !map)
        return 77;
    struct unwinder *unwinder = unwinder_new();
    struct symbolizer *symbolizer = symbolizer_new();
    struct stackbook *book = stackbook_new(&sink);
    struct unwound *out = malloc(sizeof *out);
    for (long i = 0; i < rounds; i++) {
        alarm(20); /* a hang ends the program */
        memcpy(c, good, sizeof *c + good->size);
        for (uint64_t n = rnd() % 40; n > 0; n--) {
            uint64_t v = nasty(good);
            memcpy(c->bytes + rnd() % (c->size / 8) * 8, &v, 8);
        }
        for (uint64_t n = rnd() % 4; n > 0; n--) {
            static const int reg[] = { LS_REG_IP, LS_REG_SP, LS_REG_FP, 3, 12 };
            c->regs.r[reg[rnd() % 5]] = nasty(good);
        }
        if (rnd() % 8 == 0)
            c->size = (uint32_t)(rnd() % (good->size + 1));
        if (rnd() % 8 == 0)
            c->sp = nasty(good);
        c->only_ip_sp = rnd() % 8 == 0;
        unwind_stack(unwinder, map, c, out);
        if (out->n < 1 || out->n > UNWIND_FRAMES || out->ip[0] != c->regs.r[LS_REG_IP])
            abort();
        frames += out->n;
        partial += out->partial;
        if (i % 16 == 0) {
            bool p = true;
            stackbook_add(book, 1, map, unwinder, symbolizer, c, &p);
        }
    }
    printf("%ld stacks, %ld frames, %ld partial\n", rounds, frames, partial);
    stackbook_free(book);
    symbolizer_free(symbolizer);
    unwinder_free(unwinder);
    module_map_close(map);
    module_files_free(files);
    grab_kill(pid);
    free(out);
    free(c);
    free(good);
    return 0;
}

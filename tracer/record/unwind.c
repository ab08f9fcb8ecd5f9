/* unwind.c - walks a copied stack.  The only file that knows libunwind.
 *
 * libunwind's remote interface asks us for memory, registers and unwind tables; we answer from the copy, the process
 * and the ELF files.  Where a file has no table that libunwind can search (no .eh_frame_hdr, only .debug_frame) libdw's
 * CFI does the step; where there is no CFI at all (JIT code, assembler) we step by the frame pointer.  libunwind would
 * guess such a step too, but silently and without looking whether frame 0 is still in its prologue.
 *
 * A corrupt stack ends the walk and marks it partial: each step is checked, and there are at most UNWIND_FRAMES. */
#include "unwind.h"

#include <errno.h>
#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "debuginfo.h"

#define SPACES          8    /* processes whose unwind rules are kept at a time */
#define LOWEST_CODE     4096 /* nothing can be mapped below */
#define STACK_SWITCHES  2    /* times the stack pointer may go down: a signal stack, a coroutine's caller */

/* Exported by libunwind, in no header of it; perf declares it in the same way. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di, unw_proc_info_t *pi,
                                       int need_unwind_info, void *arg);
#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)

struct space {
    unw_addr_space_t as; /* holds libunwind's cache of rules by address */
    uint64_t version;    /* of the map they were made with */
    uint64_t used;
};

/* libunwind's cache goes by ip alone, but the rule for an ip where a thread ran is another than that for the same ip as a
 * return address, when the call is a function's last instruction: one sample on a landing pad could spoil all later ones.
 * So exact frames have a space of their own, that caches nothing. */
struct unwinder {
    struct space space[SPACES];
    unw_addr_space_t exact_as;
    uint64_t clock;
    /* the walk that is on, for the callbacks */
    struct module_map *map;
    const struct stack_copy *copy;
    struct ls_regs regs; /* of the frame; its ip is exact, or the return address */
    uint64_t known;      /* a bit a register */
    bool exact;
    bool begins;         /* the frame's ip is the begin of its function, which nobody called: name it by ip, not ip - 1 */
    bool no_info;        /* find_proc_info had no CFI: what libunwind did then was a guess */
    unw_cursor_t cursor;
    bool cursor_valid;   /* the cursor stands on the frame of `regs`, of which only ip and sp are up to date */
};

enum step { STEP_ON, STEP_END, STEP_LOST };

/* What libunwind asks ---------------------------------------------------------------------------------------- */

static bool read_word(void *ctx, uint64_t address, uint64_t *ret_word)
{
    struct unwinder *u = ctx;
    const struct stack_copy *c = u->copy;

    if (address >= c->sp && address - c->sp < c->size && c->size - (address - c->sp) >= sizeof *ret_word) {
        memcpy(ret_word, c->bytes + (address - c->sp), sizeof *ret_word);
        return true;
    }
    return module_map_read(u->map, address, ret_word, sizeof *ret_word) == sizeof *ret_word;
}

static int access_mem(unw_addr_space_t as, unw_word_t address, unw_word_t *word, int write, void *arg)
{
    uint64_t value;
    (void)as;
    if (write)
        return -UNW_EINVAL;
    if (!read_word(arg, address, &value))
        return -UNW_EUNSPEC;
    *word = value;
    return 0;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *word, int write, void *arg)
{
    const struct unwinder *u = arg;
    (void)as;
    if (write)
        return -UNW_EREADONLYREG;
    if (reg < 0 || reg >= LS_REG_USED || !(u->known >> reg & 1))
        return -UNW_EBADREG;
    /* libunwind takes the first ip for where the thread ran: for a caller that must be the call, not what follows. */
    *word = u->regs.r[reg] - (reg == LS_REG_IP && !u->exact);
    return 0;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi, int need, void *arg)
{
    struct unwinder *u = arg;
    struct module_ref code = module_map_find(u->map, ip);
    struct module_eh_table table;
    unw_dyn_info_t di;

    u->no_info = true;
    if (!code.file || !code.executable || !module_file_eh_table(code.file, &table))
        return -UNW_ENOINFO;
    /* V8 maps a piece of its code a second time elsewhere: there the table is not beside it. */
    struct module_ref beside = module_map_peek(u->map, code.bias + table.table);
    if (beside.file != code.file || beside.rel != table.table)
        return -UNW_ENOINFO;
    memset(&di, 0, sizeof di);
    di.start_ip = 0;
    di.end_ip = UINT64_MAX;
    di.format = UNW_INFO_FORMAT_REMOTE_TABLE;
    di.u.rti.segbase = code.bias + table.base;
    di.u.rti.table_data = code.bias + table.table;
    di.u.rti.table_len = table.count; /* in words: a pair of offsets is one */
    memset(pi, 0, sizeof *pi);
    if (search_unwind_table(as, ip, &di, pi, need, arg) < 0)
        return -UNW_ENOINFO;
    u->no_info = false;
    return 0;
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
    (void)as, (void)pi, (void)arg; /* comes from libunwind's own pool and goes back there without us */
}

static int no_dyn_list(unw_addr_space_t as, unw_word_t *list, void *arg)
{
    (void)as, (void)list, (void)arg;
    return -UNW_ENOINFO;
}

static int no_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write, void *arg)
{
    (void)as, (void)reg, (void)value, (void)write, (void)arg;
    return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
    (void)as, (void)cursor, (void)arg;
    return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t address, char *name, size_t size, unw_word_t *offset, void *arg)
{
    (void)as, (void)address, (void)name, (void)size, (void)offset, (void)arg;
    return -UNW_ENOINFO;
}

static unw_accessors_t accessors = { .find_proc_info = find_proc_info,
                                     .put_unwind_info = put_unwind_info,
                                     .get_dyn_info_list_addr = no_dyn_list,
                                     .access_mem = access_mem,
                                     .access_reg = access_reg,
                                     .access_fpreg = no_fpreg,
                                     .resume = no_resume,
                                     .get_proc_name = no_name };

/* The address space for the map as it is now: its own, or the one that was not used for longest, emptied. */
static unw_addr_space_t find_space(struct unwinder *u)
{
    uint64_t version = module_map_version(u->map);
    struct space *s = &u->space[0];

    for (int i = 0; i < SPACES; i++) {
        struct space *o = &u->space[i];
        if (o->as && o->version == version) {
            s = o;
            break;
        }
        if (o->used < s->used)
            s = o;
    }
    if (!s->as) {
        s->as = unw_create_addr_space(&accessors, 0);
        if (!s->as)
            return NULL;
        unw_set_caching_policy(s->as, UNW_CACHE_GLOBAL); /* 3-4 times faster; the default keeps nothing */
    } else if (s->version != version) {
        unw_flush_cache(s->as, 0, 0);
    }
    s->version = version;
    s->used = ++u->clock;
    return s->as;
}

/* Steps that are ours ------------------------------------------------------------------------------------------ */

static bool is_code(struct unwinder *u, uint64_t ip)
{
    return ip >= LOWEST_CODE && module_map_find(u->map, ip).executable;
}

/* Where a coroutine begins there is no caller.  glibc puts the address of __start_context under its first function:
 * nothing called it, so ip - 1 belongs to nobody while ip begins a function.  Boost puts code there that exits. */
static bool is_root(struct unwinder *u)
{
    uint64_t ip = u->regs.r[LS_REG_IP];
    struct module_ref ref = module_map_peek(u->map, ip);

    if (u->exact || !ref.file)
        return false;
    if (module_file_function_start(ref.file, ref.rel) == ref.rel) {
        u->begins = true;
        return true;
    }
#if defined __x86_64__
    static const unsigned char zero_and_call[] = { 0x48, 0x31, 0xff, 0xe8 }; /* xor %rdi,%rdi; call _exit; then hlt */
    unsigned char code[9];
    return module_map_read(u->map, ip, code, sizeof code) == sizeof code && !memcmp(code, zero_and_call, 4) && code[8] == 0xf4;
#else
    return false;
#endif
}

#if defined __x86_64__
/* The code at the frame's ip, when it is nothing but the end of a function: it says itself where the caller is.  So do
 * trampolines without a frame (CPython's for perf: sub, call, add, ret). */
static bool step_epilogue(struct unwinder *u)
{
    /* pop takes a register in machine order, ours are in DWARF order */
    static const int order[8] = { 0, 2, 1, 3, 7, 6, 4, 5 };
    unsigned char code[32];
    struct ls_regs regs = u->regs;
    uint64_t known = u->known, sp = regs.r[LS_REG_SP];
    size_t n = module_map_read(u->map, regs.r[LS_REG_IP], code, sizeof code);

    for (size_t i = 0; i + 7 <= n;) {
        const unsigned char *c = code + i;
        if (c[0] == 0x48 && c[1] == 0x83 && c[2] == 0xc4) { /* add $imm8,%rsp */
            sp += (uint64_t)(int64_t)(signed char)c[3];
            i += 4;
        } else if ((c[0] & 0xf8) == 0x58 || (c[0] == 0x41 && (c[1] & 0xf8) == 0x58)) { /* pop */
            int reg = c[0] == 0x41 ? 8 + (c[1] & 7) : order[c[0] & 7];
            if (!read_word(u, sp, &regs.r[reg]))
                return false;
            known |= 1ull << reg;
            sp += 8;
            i += c[0] == 0x41 ? 2 : 1;
        } else if (c[0] == 0xc3 || c[0] == 0xc2) { /* ret */
            if (!read_word(u, sp, &regs.r[LS_REG_IP]) || !is_code(u, regs.r[LS_REG_IP] - 1))
                return false;
            regs.r[LS_REG_SP] = sp + 8 + (c[0] == 0xc2 ? c[1] | (uint64_t)c[2] << 8 : 0);
            u->regs = regs;
            u->known = known;
            return true;
        } else {
            return false;
        }
    }
    return false;
}

/* Only frame 0 can be at a place where its frame pointer is not set up: its next instruction tells. */
static bool step_prologue(struct unwinder *u)
{
    uint64_t ip = u->regs.r[LS_REG_IP], sp = u->regs.r[LS_REG_SP], fp = u->regs.r[LS_REG_FP], up_fp, ra;
    bool fp_known = u->known >> LS_REG_FP & 1;
    unsigned char code[3] = { 0 };

    module_map_read(u->map, ip, code, sizeof code);
    if (code[0] == 0x48 && code[1] == 0x89 && code[2] == 0xe5) { /* mov %rsp,%rbp: the push before it is done */
        if (!read_word(u, sp, &up_fp) || !read_word(u, sp + 8, &ra) || !is_code(u, ra - 1))
            return false;
        u->regs.r[LS_REG_FP] = up_fp;
        u->known |= 1ull << LS_REG_FP;
        sp += 16;
    } else if (code[0] == 0x55 || !fp_known || fp < sp || fp % 8) { /* push %rbp, or code that has no frame pointer */
        if (!read_word(u, sp, &ra) || !is_code(u, ra - 1))
            return false;
        sp += 8;
    } else {
        return false;
    }
    u->regs.r[LS_REG_IP] = ra;
    u->regs.r[LS_REG_SP] = sp;
    return true;
}
#else
static bool step_epilogue(struct unwinder *u)
{
    (void)u;
    return false;
}
static bool step_prologue(struct unwinder *u)
{
    (void)u;
    return false;
}
#endif

static enum step step_frame_pointer(struct unwinder *u, bool first)
{
    uint64_t ip = u->regs.r[LS_REG_IP], sp = u->regs.r[LS_REG_SP], fp = u->regs.r[LS_REG_FP], up_fp, ra;

    if (!is_code(u, ip - !u->exact))
        return STEP_LOST;
    if (step_epilogue(u) || (first && step_prologue(u)))
        return STEP_ON;
    if (!(u->known >> LS_REG_FP & 1))
        return STEP_LOST;
    if (fp == 0 && !first)
        return STEP_END; /* the ABI's mark of the outermost frame */
    if (fp < sp || fp % 8 || !read_word(u, fp, &up_fp) || !read_word(u, fp + 8, &ra))
        return STEP_LOST;
    if (ra != 0 && !is_code(u, ra - 1))
        return STEP_LOST;
    u->regs.r[LS_REG_IP] = ra;
    u->regs.r[LS_REG_SP] = fp + 16;
    u->regs.r[LS_REG_FP] = up_fp;
    return STEP_ON;
}

/* libdw's CFI, for what libunwind does not find: the file has no table, or says it in .debug_frame only. */
static int step_debuginfo(struct unwinder *u, bool *ret_signal)
{
    struct module_ref ref = module_map_peek(u->map, u->regs.r[LS_REG_IP] - !u->exact);
    struct debuginfo *d = ref.file && ref.executable ? module_file_debuginfo(ref.file) : NULL;
    return d ? debuginfo_step(d, ref.rel, &u->regs, &u->known, ret_signal, read_word, u) : -ENOENT;
}

/* Stepping ----------------------------------------------------------------------------------------------------- */

/* Takes all registers out of a cursor; ip and sp of the frame are known better. */
static void take_registers(struct unwinder *u, unw_cursor_t *cursor)
{
    uint64_t known = 1ull << LS_REG_IP | 1ull << LS_REG_SP;
    unw_word_t value;

    for (int reg = 0; reg < LS_REG_USED; reg++)
        if (reg != LS_REG_IP && reg != LS_REG_SP && unw_get_reg(cursor, reg, &value) == 0) {
            u->regs.r[reg] = value;
            known |= 1ull << reg;
        }
    u->known = known; /* not before: the cursor asks access_reg for what is still in a register */
}

static enum step step(struct unwinder *u, unw_addr_space_t as, bool first)
{
    unw_cursor_t before;
    unw_word_t ip, sp;
    bool is_signal = false, was_exact = u->exact;

    if (!u->cursor_valid) {
        if (unw_init_remote(&u->cursor, u->exact ? u->exact_as : as, u) != 0)
            return STEP_LOST;
        u->cursor_valid = true;
    }
    before = u->cursor;
    u->no_info = u->begins = false;
    int rc = unw_step(&u->cursor);
    if (!u->no_info) {
        if (rc <= 0)
            return rc == 0 ? STEP_END : STEP_LOST;
        if (unw_get_reg(&u->cursor, UNW_REG_IP, &ip) != 0 || unw_get_reg(&u->cursor, UNW_REG_SP, &sp) != 0)
            return STEP_LOST;
        u->exact = u->begins = unw_is_signal_frame(&before) > 0;
        if (was_exact || u->exact) { /* on with the other space */
            take_registers(u, &u->cursor);
            u->cursor_valid = false;
        }
        u->regs.r[LS_REG_IP] = ip;
        u->regs.r[LS_REG_SP] = sp;
        return STEP_ON;
    }
    if (is_root(u))
        return STEP_END;
    take_registers(u, &before);
    u->cursor_valid = false;
    rc = step_debuginfo(u, &is_signal);
    if (rc == -ENOENT) {
        enum step s = step_frame_pointer(u, first);
        u->exact = u->exact && s != STEP_ON;
        return s;
    }
    u->exact = u->begins = is_signal;
    return rc > 0 ? STEP_ON : rc == 0 ? STEP_END : STEP_LOST;
}

void unwind_stack(struct unwinder *u, struct module_map *map, const struct stack_copy *copy, struct unwound *ret_frames)
{
    int switches = 0;

    u->map = map;
    u->copy = copy;
    u->regs = copy->regs;
    u->known = copy->only_ip_sp ? 1ull << LS_REG_IP | 1ull << LS_REG_SP : (1ull << LS_REG_USED) - 1;
    u->exact = true;
    u->cursor_valid = false;
    module_map_find(map, u->regs.r[LS_REG_IP]); /* reload now if need be, so that the version is settled */
    unw_addr_space_t as = find_space(u);
    ret_frames->n = 0;
    ret_frames->partial = true;
    for (;;) {
        uint64_t ip = u->regs.r[LS_REG_IP], sp = u->regs.r[LS_REG_SP];
        ret_frames->ip[ret_frames->n] = ip;
        ret_frames->exact[ret_frames->n++] = u->exact;
        if (!as || ret_frames->n == UNWIND_FRAMES)
            return;
        enum step s = step(u, as, ret_frames->n == 1);
        if (u->begins)
            ret_frames->exact[ret_frames->n - 1] = true;
        if (s != STEP_ON) {
            ret_frames->partial = s == STEP_LOST;
            return;
        }
        uint64_t up_ip = u->regs.r[LS_REG_IP], up_sp = u->regs.r[LS_REG_SP];
        if (up_ip < LOWEST_CODE || !is_code(u, up_ip - !u->exact)) {
            ret_frames->partial = up_ip != 0; /* 0: where start-up code put an end to the chain */
            return;
        }
        if (up_sp <= sp && (up_ip == ip || ++switches > STACK_SWITCHES))
            return;
    }
}

struct unwinder *unwinder_new(void)
{
    struct unwinder *u = calloc(1, sizeof *u);
    if (u && !(u->exact_as = unw_create_addr_space(&accessors, 0))) {
        free(u);
        return NULL;
    }
    if (u)
        unw_set_caching_policy(u->exact_as, UNW_CACHE_NONE);
    return u;
}

void unwinder_free(struct unwinder *u)
{
    if (!u)
        return;
    for (int i = 0; i < SPACES; i++)
        if (u->space[i].as)
            unw_destroy_addr_space(u->space[i].as);
    unw_destroy_addr_space(u->exact_as);
    free(u);
}

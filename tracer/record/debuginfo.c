/* debuginfo.c - symbols, lines, inlined calls and CFI of one ELF file.  The only file that knows elfutils.
 *
 * libdwfl finds the separate debug file (build-id, .gnu_debuglink, dwz) and merges the symbol tables; we sort them once,
 * because libdwfl looks a name up by walking the table (1.5-6 ms in node).  Which unit an address is in comes from the
 * units' own ranges: clang writes no .debug_aranges.  The ELF file itself is read, not mapped, so that truncating it
 * cannot kill us.  One thread. */
#include "debuginfo.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_RANGES_MAX (4u << 20)
#define SYMBOL_REACH    16384u /* of a symbol without a size (assembler) */
#define EXPRESSION_FUEL 200

struct elf_symbol {
    uint64_t start, size;
    const char *name;
    int rank; /* of several names for one address the best is first */
};

struct unit_range {
    uint64_t start, end;
    Dwarf_Off unit;
};

struct debuginfo {
    struct module_file *file;
    bool opened;
    Dwfl *dwfl;
    Dwfl_Module *module;
    uint64_t bias; /* of libdwfl's addresses to link-time ones */
    bool symbols_built;
    size_t n_symbols;
    struct elf_symbol *symbol;
    bool ranges_built;
    Dwarf *dwarf;
    uint64_t dwarf_bias;
    size_t n_ranges;
    struct unit_range *range;
    bool cfi_opened;
    Dwarf_CFI *cfi, *debug_cfi; /* owned by the Elf and by frame_dwarf */
    Dwarf *frame_dwarf;
};

/* Opening -------------------------------------------------------------------------------------------------- */

static int find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base, char **ret_name, Elf **ret_elf)
{
    struct debuginfo *d = *userdata;
    const void *image;
    size_t size;
    int fd = module_file_source(d->file, &image, &size);

    (void)module, (void)name, (void)base;
    /* elf_memory only writes to its image when it is asked to update the file. */
    *ret_elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : elf_memory((char *)(uintptr_t)image, size);
    *ret_name = strdup(module_file_path(d->file));
    return -1; /* no descriptor for libdwfl: ours stays ours */
}

static const Dwfl_Callbacks callbacks = { .find_elf = find_elf, .find_debuginfo = dwfl_standard_find_debuginfo };

static bool open_module(struct debuginfo *d)
{
    void **userdata;
    Dwarf_Addr bias;
    uint64_t end = 0x1000 + module_file_extent(d->file);

    if (d->opened)
        return d->module != NULL;
    d->opened = true;
    elf_version(EV_CURRENT);
    d->dwfl = dwfl_begin(&callbacks);
    if (!d->dwfl)
        return false;
    dwfl_report_begin(d->dwfl);
    Dwfl_Module *m = dwfl_report_module(d->dwfl, module_file_path(d->file), 0x1000, end);
    if (m) {
        dwfl_module_info(m, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
        *userdata = d;
    }
    dwfl_report_end(d->dwfl, NULL, NULL);
    if (m && dwfl_module_getelf(m, &bias)) {
        d->module = m;
        d->bias = bias;
    }
    return d->module != NULL;
}

struct debuginfo *debuginfo_open(struct module_file *file)
{
    struct debuginfo *d = calloc(1, sizeof *d);
    if (d)
        d->file = file;
    return d;
}

void debuginfo_close(struct debuginfo *d)
{
    if (!d)
        return;
    dwarf_end(d->frame_dwarf);
    dwfl_end(d->dwfl);
    free(d->symbol);
    free(d->range);
    free(d);
}

/* Symbols -------------------------------------------------------------------------------------------------- */

static int by_symbol_start(const void *x, const void *y)
{
    const struct elf_symbol *a = x, *b = y;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return a->rank != b->rank ? a->rank - b->rank : strcmp(a->name, b->name);
}

/* Of aliases, the one a programmer would write: sized, a function, global, without leading underscores. */
static int symbol_rank(const GElf_Sym *sym, const char *name)
{
    return (sym->st_size == 0) * 8 + (GELF_ST_TYPE(sym->st_info) == STT_NOTYPE) * 4 + (name[0] == '_' && name[1] != 'Z') * 2 +
           (GELF_ST_BIND(sym->st_info) != STB_GLOBAL);
}

static void build_symbols(struct debuginfo *d)
{
    d->symbols_built = true;
    int n = open_module(d) ? dwfl_module_getsymtab(d->module) : 0;
    if (n <= 0 || !(d->symbol = calloc((size_t)n, sizeof *d->symbol)))
        return;
    for (int i = 0; i < n; i++) {
        GElf_Sym sym;
        GElf_Addr address;
        GElf_Word section;
        const char *name = dwfl_module_getsym_info(d->module, i, &sym, &address, &section, NULL, NULL);
        int type = GELF_ST_TYPE(sym.st_info);
        if (!name || !name[0] || name[0] == '$' || section == SHN_UNDEF || section == SHN_ABS ||
            (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC))
            continue;
        d->symbol[d->n_symbols++] = (struct elf_symbol){ address - d->bias, sym.st_size, name, symbol_rank(&sym, name) };
    }
    qsort(d->symbol, d->n_symbols, sizeof *d->symbol, by_symbol_start);
}

const char *debuginfo_function(struct debuginfo *d, uint64_t rel, uint64_t *ret_start)
{
    if (!d->symbols_built)
        build_symbols(d);
    size_t lo = 0, hi = d->n_symbols;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->symbol[mid].start <= rel)
            lo = mid + 1;
        else
            hi = mid;
    }
    /* lo is behind the last one that starts at or before rel; look back a little for one that reaches it */
    for (size_t back = 0, i = lo; i > 0 && back < 16; back++) {
        const struct elf_symbol *s = &d->symbol[--i];
        while (i > 0 && d->symbol[i - 1].start == s->start)
            s = &d->symbol[--i];
        uint64_t size = s->size ? s->size : back == 0 ? SYMBOL_REACH : 0;
        if (rel - s->start < size) {
            *ret_start = s->start;
            return s->name;
        }
    }
    return NULL;
}

/* Lines ---------------------------------------------------------------------------------------------------- */

static int by_range_start(const void *x, const void *y)
{
    const struct unit_range *a = x, *b = y;
    return a->start != b->start ? a->start < b->start ? -1 : 1 : 0;
}

static bool add_range(struct debuginfo *d, size_t *capacity, Dwarf_Addr start, Dwarf_Addr end, Dwarf_Off unit)
{
    if (d->n_ranges == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 256;
        void *r = more <= UNIT_RANGES_MAX ? realloc(d->range, more * sizeof *d->range) : NULL;
        if (!r)
            return false;
        d->range = r;
        *capacity = more;
    }
    d->range[d->n_ranges++] = (struct unit_range){ start, end, unit };
    return true;
}

static void build_ranges(struct debuginfo *d)
{
    size_t capacity = 0;
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    Dwarf_Addr bias, base, start, end;

    d->ranges_built = true;
    d->dwarf = open_module(d) ? dwfl_module_getdwarf(d->module, &bias) : NULL;
    if (!d->dwarf)
        return;
    d->dwarf_bias = bias;
    while (dwarf_get_units(d->dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0) {
        ptrdiff_t at = 0;
        while ((at = dwarf_ranges(&die, at, &base, &start, &end)) > 0)
            if (start < end && !add_range(d, &capacity, start, end, dwarf_dieoffset(&die)))
                goto out;
    }
out:
    if (d->n_ranges > 0)
        qsort(d->range, d->n_ranges, sizeof *d->range, by_range_start);
}

static bool find_unit(struct debuginfo *d, uint64_t pc, Dwarf_Die *ret_unit)
{
    size_t lo = 0, hi = d->n_ranges;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->range[mid].start <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && pc < d->range[lo - 1].end && dwarf_offdie(d->dwarf, d->range[lo - 1].unit, ret_unit) != NULL;
}

static const char *die_name(Dwarf_Die *die)
{
    Dwarf_Attribute attr;
    const char *name = NULL;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) || dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
        name = dwarf_formstring(&attr);
    return name ? name : dwarf_diename(die);
}

static Dwarf_Word attr_number(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attr;
    Dwarf_Word value = 0;
    return dwarf_formudata(dwarf_attr(die, name, &attr), &value) == 0 ? value : 0;
}

int debuginfo_lines(struct debuginfo *d, uint64_t rel, struct debuginfo_level *ret_levels, int max)
{
    if (!d->ranges_built)
        build_ranges(d);
    uint64_t pc = rel + d->bias - d->dwarf_bias;
    Dwarf_Die unit, *scopes = NULL, *nest = NULL;
    Dwarf_Files *files = NULL;
    size_t n_files = 0;
    int n = 0, line = 0, n_nest = 0;

    if (max < 1 || !find_unit(d, pc, &unit))
        return 0;
    Dwarf_Line *row = dwarf_getsrc_die(&unit, pc);
    const char *file = row ? dwarf_linesrc(row, NULL, NULL) : NULL;
    if (row)
        dwarf_lineno(row, &line);
    dwarf_getsrcfiles(&unit, &files, &n_files);

    /* The first answer goes on with the scopes an inlined function was written in; where it was inlined is the nest. */
    if (dwarf_getscopes(&unit, pc, &scopes) > 0)
        n_nest = dwarf_getscopes_die(&scopes[0], &nest);
    for (int i = 0; i < n_nest && n < max; i++) {
        int tag = dwarf_tag(&nest[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        if (n == max - 1) /* too deep: the function itself must stay the last */
            while (i < n_nest - 1 && dwarf_tag(&nest[i]) != DW_TAG_subprogram)
                i++;
        ret_levels[n++] = (struct debuginfo_level){ die_name(&nest[i]), file, line };
        if (tag == DW_TAG_subprogram)
            break;
        Dwarf_Word number = attr_number(&nest[i], DW_AT_call_file);
        file = files && number < n_files ? dwarf_filesrc(files, number, NULL, NULL) : NULL;
        line = (int)(attr_number(&nest[i], DW_AT_call_line) & 0x7fffffff);
    }
    free(scopes);
    free(nest);
    if (n == 0 && file)
        ret_levels[n++] = (struct debuginfo_level){ NULL, file, line };
    return n;
}

/* Unwinding ------------------------------------------------------------------------------------------------ */

struct machine { /* evaluates a DWARF expression */
    const struct ls_regs *regs;
    uint64_t known;
    const uint64_t *cfa; /* NULL while the CFA itself is evaluated */
    debuginfo_read *read;
    void *ctx;
};
enum outcome { AT_ADDRESS, IS_VALUE, FAILED };

static bool reg_value(const struct machine *m, uint64_t reg, uint64_t *ret)
{
    if (reg >= LS_REG_USED || !(m->known >> reg & 1))
        return false;
    *ret = m->regs->r[reg];
    return true;
}

static bool binary(unsigned op, uint64_t a, uint64_t b, uint64_t *ret)
{
    switch (op) {
    case DW_OP_plus: *ret = a + b; break;
    case DW_OP_minus: *ret = a - b; break;
    case DW_OP_mul: *ret = a * b; break;
    case DW_OP_and: *ret = a & b; break;
    case DW_OP_or: *ret = a | b; break;
    case DW_OP_xor: *ret = a ^ b; break;
    case DW_OP_shl: *ret = b < 64 ? a << b : 0; break;
    case DW_OP_shr: *ret = b < 64 ? a >> b : 0; break;
    case DW_OP_eq: *ret = a == b; break;
    case DW_OP_ne: *ret = a != b; break;
    case DW_OP_lt: *ret = (int64_t)a < (int64_t)b; break;
    case DW_OP_le: *ret = (int64_t)a <= (int64_t)b; break;
    case DW_OP_gt: *ret = (int64_t)a > (int64_t)b; break;
    case DW_OP_ge: *ret = (int64_t)a >= (int64_t)b; break;
    default: return false;
    }
    return true;
}

/* The operations that CFI uses in practice (PLT, signal frames, eh_return); no jumps, so it always ends. */
static enum outcome evaluate(const struct machine *m, const Dwarf_Op *ops, size_t n, uint64_t *ret)
{
    uint64_t stack[16], v;
    int top = 0;

    if (n > EXPRESSION_FUEL)
        return FAILED;
    for (size_t i = 0; i < n; i++) {
        unsigned op = ops[i].atom;
        if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
            v = op - DW_OP_lit0;
        } else if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
            if (!reg_value(m, op - DW_OP_breg0, &v))
                return FAILED;
            v += ops[i].number;
        } else if (op == DW_OP_bregx) {
            if (!reg_value(m, ops[i].number, &v))
                return FAILED;
            v += ops[i].number2;
        } else if (op == DW_OP_regx || (op >= DW_OP_reg0 && op <= DW_OP_reg31)) {
            return reg_value(m, op == DW_OP_regx ? ops[i].number : op - DW_OP_reg0, ret) ? IS_VALUE : FAILED;
        } else if (op == DW_OP_call_frame_cfa) {
            if (!m->cfa)
                return FAILED;
            v = *m->cfa;
        } else if (op == DW_OP_addr || (op >= DW_OP_const1u && op <= DW_OP_consts)) {
            v = ops[i].number;
        } else if (op == DW_OP_dup && top > 0) {
            v = stack[top - 1];
        } else if (op == DW_OP_stack_value && top > 0) {
            *ret = stack[top - 1];
            return IS_VALUE;
        } else if (top > 0 && (op == DW_OP_plus_uconst || op == DW_OP_neg || op == DW_OP_deref || op == DW_OP_drop)) {
            v = stack[--top];
            if (op == DW_OP_drop)
                continue;
            if (op == DW_OP_deref && !m->read(m->ctx, v, &v))
                return FAILED;
            v = op == DW_OP_neg ? -v : op == DW_OP_plus_uconst ? v + ops[i].number : v;
        } else if (top > 1 && binary(op, stack[top - 2], stack[top - 1], &v)) {
            top -= 2;
        } else if (op == DW_OP_nop) {
            continue;
        } else {
            return FAILED;
        }
        if (top == 16)
            return FAILED;
        stack[top++] = v;
    }
    if (top == 0)
        return FAILED;
    *ret = stack[top - 1];
    return AT_ADDRESS;
}

static bool has_section(Elf *elf, const char *wanted)
{
    size_t names;
    Elf_Scn *section = NULL;

    if (elf_getshdrstrndx(elf, &names) != 0)
        return false;
    while ((section = elf_nextscn(elf, section)) != NULL) {
        GElf_Shdr header;
        const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (name && !strcmp(name, wanted))
            return true;
    }
    return false;
}

/* .eh_frame only where libunwind had no table to search it by; .debug_frame only of the file itself: unpacking a separate
 * debug file in the hope of one takes up to a second. */
static void open_cfi(struct debuginfo *d)
{
    struct module_eh_table table;
    Dwarf_Addr bias;
    Elf *elf = open_module(d) ? dwfl_module_getelf(d->module, &bias) : NULL;

    d->cfi_opened = true;
    if (elf && !module_file_eh_table(d->file, &table))
        d->cfi = dwarf_getcfi_elf(elf);
    if (elf && has_section(elf, ".debug_frame"))
        d->frame_dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    if (d->frame_dwarf)
        d->debug_cfi = dwarf_getcfi(d->frame_dwarf);
}

static Dwarf_Frame *find_frame(struct debuginfo *d, uint64_t rel)
{
    Dwarf_Frame *frame = NULL;

    if (!d->cfi_opened)
        open_cfi(d);
    if (d->cfi && dwarf_cfi_addrframe(d->cfi, rel, &frame) == 0)
        return frame;
    if (d->debug_cfi && dwarf_cfi_addrframe(d->debug_cfi, rel, &frame) == 0)
        return frame;
    return NULL;
}

/* The caller's value of `reg`.  1 known, 0 unknown, -1 the rule says there is none. */
static int caller_register(const struct machine *m, Dwarf_Frame *frame, int reg, uint64_t *ret)
{
    Dwarf_Op mem[3], *ops;
    size_t n;

    if (dwarf_frame_register(frame, reg, mem, &ops, &n) != 0)
        return 0;
    if (n == 0)
        return ops == mem ? -1 : reg_value(m, (uint64_t)reg, ret);
    switch (evaluate(m, ops, n, ret)) {
    case IS_VALUE: return 1;
    case AT_ADDRESS: return m->read(m->ctx, *ret, ret);
    default: return 0;
    }
}

int debuginfo_step(struct debuginfo *d, uint64_t rel, struct ls_regs *regs, uint64_t *known, bool *ret_signal,
                   debuginfo_read *read, void *ctx)
{
    Dwarf_Frame *frame = find_frame(d, rel);
    struct machine m = { .regs = regs, .known = *known, .read = read, .ctx = ctx };
    struct ls_regs up = { 0 };
    uint64_t up_known = 0, cfa, ip = 0;
    Dwarf_Op *ops;
    size_t n;
    bool is_signal;
    int rc = -EINVAL;

    if (!frame)
        return -ENOENT;
    int ra = dwarf_frame_info(frame, NULL, NULL, &is_signal);
    if (ra < 0 || ra >= LS_REG_USED || dwarf_frame_cfa(frame, &ops, &n) != 0 || evaluate(&m, ops, n, &cfa) == FAILED)
        goto out;
    m.cfa = &cfa;
    for (int reg = 0; reg < LS_REG_USED; reg++)
        if (reg != LS_REG_IP && caller_register(&m, frame, reg, &up.r[reg]) == 1)
            up_known |= 1ull << reg;
    if (!(up_known >> LS_REG_SP & 1))
        up.r[LS_REG_SP] = cfa;
    int found = caller_register(&m, frame, ra, &ip);
    if (found == 1) {
        up.r[LS_REG_IP] = ip;
        *regs = up;
        *known = up_known | 1ull << LS_REG_SP | 1ull << LS_REG_IP;
        *ret_signal = is_signal;
    }
    rc = found == 1 ? 1 : found < 0 ? 0 : -EFAULT;
out:
    free(frame);
    return rc;
}

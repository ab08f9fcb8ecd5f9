/* stackbook.c - interns frames and stacks: two append-only arrays (a row's id is its index + 1) and a hash table over
 * each.  Programs have some hundreds of frames, so nothing is ever forgotten.  One thread. */
#include "stackbook.h"

#include <stdlib.h>
#include <string.h>

struct module_entry {
    int64_t process;
    const struct module_file *file;
    int64_t id;
};

struct stack_entry {
    int64_t parent; /* 0: none */
    int64_t frame;
    bool partial;
};

/* Open addressing; a slot holds an id, 0 = empty.  Twice as many slots as ids at least. */
struct index {
    size_t room;
    uint32_t *slot;
};

struct stackbook {
    struct stackbook_sink sink;
    struct module_entry *module;
    size_t n_modules, module_room;
    struct stackbook_frame *frame;
    size_t n_frames, frame_room;
    struct stack_entry *stack;
    size_t n_stacks, stack_room;
    struct index frames, stacks;
    struct unwound unwound; /* too big for the C stack */
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 32;
}

static uint64_t frame_hash(const struct stackbook_frame *f)
{
    return mix(mix(mix((uintptr_t)f->module, f->address), (uint64_t)f->depth), (uintptr_t)f->function);
}

static uint64_t stack_hash(const struct stack_entry *e)
{
    return mix(mix(1, (uint64_t)e->parent), (uint64_t)e->frame);
}

/* Texts are interned, so pointers are compared.  JIT code has no module, and another function may be at its address
 * later: the name is a part of the key. */
static bool same_frame(const struct stackbook_frame *a, const struct stackbook_frame *b)
{
    return a->module == b->module && a->address == b->address && a->depth == b->depth && a->function == b->function &&
           a->line == b->line;
}

/* Room for one element more; false when out of memory. */
static bool grow(void **array, size_t *room, size_t n, size_t size)
{
    if (n < *room)
        return true;
    size_t more = *room ? 2 * *room : 64;
    void *a = realloc(*array, more * size);
    if (!a)
        return false;
    *array = a;
    *room = more;
    return true;
}

static void index_put(struct index *x, uint64_t hash, uint32_t id)
{
    size_t i = hash & (x->room - 1);
    while (x->slot[i])
        i = (i + 1) & (x->room - 1);
    x->slot[i] = id;
}

/* Makes room for n + 1 ids; the caller puts the old ones in again when *ret_empty. */
static bool index_grow(struct index *x, size_t n, bool *ret_empty)
{
    *ret_empty = false;
    if (2 * (n + 1) <= x->room)
        return true;
    size_t room = x->room ? 2 * x->room : 256;
    uint32_t *slot = calloc(room, sizeof *slot);
    if (!slot)
        return false;
    free(x->slot);
    *x = (struct index){ room, slot };
    *ret_empty = true;
    return true;
}

static int64_t add_frame(struct stackbook *b, const struct stackbook_frame *f, int64_t module)
{
    uint64_t hash = frame_hash(f);
    bool empty;

    for (size_t i = hash & (b->frames.room - 1); b->frames.room && b->frames.slot[i]; i = (i + 1) & (b->frames.room - 1))
        if (same_frame(&b->frame[b->frames.slot[i] - 1], f))
            return b->frames.slot[i];
    if (!grow((void **)&b->frame, &b->frame_room, b->n_frames, sizeof *b->frame) || !index_grow(&b->frames, b->n_frames, &empty))
        return 0;
    for (size_t i = 0; empty && i < b->n_frames; i++)
        index_put(&b->frames, frame_hash(&b->frame[i]), (uint32_t)i + 1);
    int64_t id = (int64_t)++b->n_frames;
    b->frame[id - 1] = *f;
    b->frame[id - 1].id = id;
    index_put(&b->frames, hash, (uint32_t)id);
    if (b->sink.frame)
        b->sink.frame(b->sink.ctx, &(struct row_frame){ .id = id,
                                                        .module = module,
                                                        .address = (int64_t)f->address,
                                                        .function = f->function,
                                                        .file = f->file,
                                                        .line = f->line ? f->line : ROW_NULL,
                                                        .language = f->language,
                                                        .noise = f->noise });
    return id;
}

static int64_t add_stack(struct stackbook *b, int64_t parent, int64_t frame)
{
    struct stack_entry e = { .parent = parent, .frame = frame };
    uint64_t hash = stack_hash(&e);
    bool empty;

    for (size_t i = hash & (b->stacks.room - 1); b->stacks.room && b->stacks.slot[i]; i = (i + 1) & (b->stacks.room - 1)) {
        const struct stack_entry *o = &b->stack[b->stacks.slot[i] - 1];
        if (o->parent == parent && o->frame == frame)
            return b->stacks.slot[i];
    }
    if (!grow((void **)&b->stack, &b->stack_room, b->n_stacks, sizeof *b->stack) || !index_grow(&b->stacks, b->n_stacks, &empty))
        return 0;
    for (size_t i = 0; empty && i < b->n_stacks; i++)
        index_put(&b->stacks, stack_hash(&b->stack[i]), (uint32_t)i + 1);
    int64_t id = (int64_t)++b->n_stacks;
    b->stack[id - 1] = e;
    index_put(&b->stacks, hash, (uint32_t)id);
    if (b->sink.stack)
        b->sink.stack(b->sink.ctx,
                      &(struct row_stack){ .id = id, .parent = parent ? parent : ROW_NULL, .frame = frame });
    return id;
}

static int64_t add_module(struct stackbook *b, int64_t process, const struct module_ref *ref)
{
    for (size_t i = 0; i < b->n_modules; i++)
        if (b->module[i].file == ref->file && b->module[i].process == process)
            return b->module[i].id;
    if (!grow((void **)&b->module, &b->module_room, b->n_modules, sizeof *b->module))
        return ROW_NULL;
    int64_t id = (int64_t)++b->n_modules;
    b->module[id - 1] = (struct module_entry){ process, ref->file, id };
    if (b->sink.module)
        b->sink.module(b->sink.ctx, &(struct row_module){ .id = id,
                                                          .process = process,
                                                          .path = module_file_path(ref->file),
                                                          .build_id = module_file_build_id(ref->file),
                                                          .base = (int64_t)ref->bias,
                                                          .size = (int64_t)module_file_extent(ref->file) });
    return id;
}

/* In a stripped program main has no name, but it is what __libc_start_main calls, through one function at most. */
static bool is_called_as_main(const struct stackbook *b, int64_t parent)
{
    for (int up = 0; up < 2 && parent > 0; up++) {
        const struct stackbook_frame *f = &b->frame[b->stack[parent - 1].frame - 1];
        if (f->noise != FRAME_LIBC)
            return false;
        if (f->function && !strncmp(f->function, "__libc_start_main", 17))
            return true;
        parent = b->stack[parent - 1].parent;
    }
    return false;
}

/* The frames of one address, inlined ones too, under `parent`.  The id of the innermost stack, 0 when out of memory;
 * *ret_frame is its frame. */
static int64_t add_address(struct stackbook *b, int64_t process, struct module_map *map, struct symbolizer *s, uint64_t ip,
                           bool exact, int64_t parent, int64_t *ret_frame)
{
    struct symbol symbol[SYMBOL_INLINES];
    struct module_ref ref;
    int n = symbolize(s, map, ip, exact, symbol, &ref);
    int64_t module = ref.file ? add_module(b, process, &ref) : ROW_NULL, stack = parent;

    for (int i = n - 1; i >= 0; i--) {
        const struct symbol *y = &symbol[i];
        struct stackbook_frame f = { .function = y->function,
                                     .file = y->file,
                                     .line = y->line,
                                     .language = y->language,
                                     .noise = y->noise,
                                     .module = ref.file ? module_file_path(ref.file) : NULL,
                                     .address = ref.file ? ref.rel : exact ? ip : ip - 1,
                                     .entry = y->entry,
                                     .depth = n - 1 - i };
        if (!f.function && f.noise == FRAME_USER && is_called_as_main(b, stack))
            f.function = "main";
        *ret_frame = add_frame(b, &f, module);
        stack = *ret_frame ? add_stack(b, stack, *ret_frame) : 0;
        if (!stack)
            return 0;
    }
    return stack;
}

int64_t stackbook_add(struct stackbook *b, int64_t process, struct module_map *map, struct unwinder *unwinder,
                      struct symbolizer *symbolizer, const struct stack_copy *copy, bool *ret_partial)
{
    int64_t stack = 0, frame;

    unwind_stack(unwinder, map, copy, &b->unwound);
    for (int i = b->unwound.n - 1; i >= 0; i--) {
        stack = add_address(b, process, map, symbolizer, b->unwound.ip[i], b->unwound.exact[i], stack, &frame);
        if (!stack)
            return ROW_NULL;
    }
    if (!stack)
        return ROW_NULL;
    b->stack[stack - 1].partial = b->unwound.partial;
    *ret_partial = b->unwound.partial;
    return stack;
}

int64_t stackbook_put(struct stackbook *b, const struct stackbook_frame *frames, int n, bool partial)
{
    int64_t stack = 0;

    for (int i = n - 1; i >= 0; i--) {
        int64_t frame = add_frame(b, &frames[i], ROW_NULL);
        stack = frame ? add_stack(b, stack, frame) : 0;
        if (!stack)
            return ROW_NULL;
    }
    if (!stack)
        return ROW_NULL;
    b->stack[stack - 1].partial = partial;
    return stack;
}

int64_t stackbook_caller(struct stackbook *b, int64_t process, struct module_map *map, struct symbolizer *symbolizer,
                         uint64_t return_address)
{
    int64_t frame, stack = return_address ? add_address(b, process, map, symbolizer, return_address, false, 0, &frame) : 0;
    if (!stack)
        return ROW_NULL;
    b->stack[stack - 1].partial = true;
    return stack;
}

int64_t stackbook_address(struct stackbook *b, int64_t process, struct module_map *map, struct symbolizer *symbolizer,
                          uint64_t return_address)
{
    int64_t stack = stackbook_caller(b, process, map, symbolizer, return_address);
    return stack == ROW_NULL ? ROW_NULL : b->stack[stack - 1].frame;
}

int stackbook_frames(const struct stackbook *b, int64_t stack, struct stackbook_frame *ret_frames, int max)
{
    int n = 0;
    while (n < max && stack > 0 && stack <= (int64_t)b->n_stacks) {
        ret_frames[n++] = b->frame[b->stack[stack - 1].frame - 1];
        stack = b->stack[stack - 1].parent;
    }
    return n;
}

bool stackbook_partial(const struct stackbook *b, int64_t stack)
{
    return stack > 0 && stack <= (int64_t)b->n_stacks && b->stack[stack - 1].partial;
}

struct stackbook *stackbook_new(const struct stackbook_sink *sink)
{
    struct stackbook *b = calloc(1, sizeof *b);
    if (b)
        b->sink = *sink;
    return b;
}

void stackbook_free(struct stackbook *b)
{
    if (!b)
        return;
    free(b->module);
    free(b->frame);
    free(b->stack);
    free(b->frames.slot);
    free(b->stacks.slot);
    free(b);
}

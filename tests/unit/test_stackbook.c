/* test_stackbook.c - ids once, rows once, and stacks that can be walked back. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/grab.h"
#include "tracer/record/stackbook.h"

struct counts {
    int modules, frames, stacks;
    int64_t last_frame, last_stack;
    char module_path[256];
};

static void on_module(void *ctx, const struct row_module *row)
{
    struct counts *c = ctx;
    cr_assert_eq(row->id, ++c->modules);
    cr_assert_eq(row->process, 7);
    cr_assert_not_null(row->path);
    cr_assert_gt(row->size, 0);
}

static void on_frame(void *ctx, const struct row_frame *row)
{
    struct counts *c = ctx;
    cr_assert_eq(row->id, ++c->frames);
    cr_assert(row->module == ROW_NULL || (row->module >= 1 && row->module <= c->modules), "its module was told before");
}

static void on_stack(void *ctx, const struct row_stack *row)
{
    struct counts *c = ctx;
    cr_assert_eq(row->id, ++c->stacks);
    cr_assert(row->parent == ROW_NULL || (row->parent >= 1 && row->parent < row->id), "its parent was told before");
    cr_assert(row->frame >= 1 && row->frame <= c->frames);
}

Test(stackbook, ids_are_given_once)
{
    struct counts c = { 0 };
    struct stackbook_sink sink = { &c, on_module, on_frame, on_stack };
    struct stackbook *b = stackbook_new(&sink);
    static const char f[] = "f", g[] = "g", m[] = "m";
    struct stackbook_frame fm[] = { { .function = f, .address = 1 }, { .function = m, .address = 3 } };
    struct stackbook_frame gm[] = { { .function = g, .address = 2 }, { .function = m, .address = 3 } };
    int64_t one = stackbook_put(b, fm, 2, false), two = stackbook_put(b, gm, 2, true), again = stackbook_put(b, fm, 2, false);
    struct stackbook_frame out[4];

    cr_assert_eq(one, again);
    cr_assert_neq(one, two);
    cr_assert_eq(c.frames, 3);
    cr_assert_eq(c.stacks, 3, "the root is shared");
    cr_assert_eq(stackbook_frames(b, two, out, 4), 2);
    cr_assert_str_eq(out[0].function, "g");
    cr_assert_str_eq(out[1].function, "m");
    cr_assert_eq(stackbook_frames(b, two, out, 1), 1);
    cr_assert_eq(stackbook_frames(b, 99, out, 4), 0);
    cr_assert_eq(stackbook_frames(b, ROW_NULL, out, 4), 0);
    cr_assert(stackbook_partial(b, two) && !stackbook_partial(b, one));
    cr_assert_eq(stackbook_put(b, fm, 0, false), ROW_NULL);
    stackbook_free(b);
}

Test(stackbook, many_frames_and_stacks)
{
    struct stackbook_sink sink = { 0 };
    struct stackbook *b = stackbook_new(&sink);
    struct stackbook_frame out[2];
    int64_t id[5000];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++) {
            struct stackbook_frame f[] = { { .address = (uint64_t)i }, { .address = (uint64_t)i / 10 + 100000 } };
            int64_t s = stackbook_put(b, f, 2, false);
            if (round == 0)
                id[i] = s;
            cr_assert_eq(s, id[i]);
            cr_assert_eq(stackbook_frames(b, s, out, 2), 2);
            cr_assert_eq(out[0].address, (uint64_t)i);
            cr_assert_eq(out[1].address, (uint64_t)i / 10 + 100000);
        }
    stackbook_free(b);
}

Test(stackbook, a_real_stack)
{
    char path[] = "/tmp/loopscope-stackbook-XXXXXX";
    char *argv[] = { path, NULL };
    struct counts c = { 0 };
    struct stackbook_sink sink = { &c, on_module, on_frame, on_stack };
    struct stackbook_frame out[64];
    bool partial = true;
    struct module_ref ref = { 0 };

    close(mkstemp(path));
    cr_assert_eq(grab_compile("unwind_deep.c", "-O2 -g", path), 0);
    pid_t pid = grab_spawn(argv);
    cr_assert_eq(grab_wait_busy(pid), 0);
    struct module_files *files = module_files_new();
    struct module_map *map = module_map_open(files, pid);
    struct unwinder *u = unwinder_new();
    struct symbolizer *s = symbolizer_new();
    struct stackbook *b = stackbook_new(&sink);
    struct stack_copy *copy = grab_stack(pid, 8192);

    int64_t id = stackbook_add(b, 7, map, u, s, copy, &partial);
    cr_assert_neq(id, ROW_NULL);
    cr_assert_not(partial);
    int n = stackbook_frames(b, id, out, 64), frames = c.frames, stacks = c.stacks;
    cr_assert_eq(n, stacks);
    cr_assert_str_eq(out[0].function, "burn_inlined");
    cr_assert_eq(out[0].depth, 1);
    cr_assert_str_eq(out[1].function, "deep_c");
    cr_assert_eq(out[1].depth, 0);
    cr_assert_str_eq(out[1].module, path);
    cr_assert_lt(frames, n, "a frame that recurs is one row");
    cr_assert_geq(c.modules, 2);

    cr_assert_eq(stackbook_add(b, 7, map, u, s, copy, &partial), id, "the same copy again is the same stack");
    cr_assert_eq(c.stacks, stacks);

    ref = module_map_find(map, copy->regs.r[LS_REG_IP]);
    int64_t lone = stackbook_address(b, 7, map, s, ref.bias + out[3].address + 1);
    cr_assert_eq(lone, out[3].id, "a return address is looked up at the call");
    cr_assert_eq(stackbook_address(b, 7, map, s, 0), ROW_NULL);
    cr_assert_eq(stackbook_caller(b, 7, map, s, 0), ROW_NULL);

    free(copy);
    stackbook_free(b);
    symbolizer_free(s);
    unwinder_free(u);
    module_map_close(map);
    module_files_free(files);
    grab_kill(pid);
    unlink(path);
}

Test(stackbook, main_of_a_stripped_program_is_known_by_its_caller)
{
    char path[] = "/tmp/loopscope-stackbook-XXXXXX";
    char *argv[] = { path, NULL };
    struct stackbook_sink sink = { 0 };
    struct stackbook_frame out[64];
    bool partial = true;

    close(mkstemp(path));
    cr_assert_eq(grab_compile("unwind_deep.c", "-O2 -s", path), 0);
    pid_t pid = grab_spawn(argv);
    cr_assert_eq(grab_wait_busy(pid), 0);
    struct module_files *files = module_files_new();
    struct module_map *map = module_map_open(files, pid);
    struct unwinder *u = unwinder_new();
    struct symbolizer *s = symbolizer_new();
    struct stackbook *b = stackbook_new(&sink);
    struct stack_copy *copy = grab_stack(pid, 8192);
    int n = stackbook_frames(b, stackbook_add(b, 7, map, u, s, copy, &partial), out, 64);

    cr_assert_eq(n, 34);
    for (int i = 0; i < 30; i++)
        cr_assert_null(out[i].function);
    cr_assert_str_eq(out[30].function, "main");
    free(copy);
    stackbook_free(b);
    symbolizer_free(s);
    unwinder_free(u);
    module_map_close(map);
    module_files_free(files);
    grab_kill(pid);
    unlink(path);
}

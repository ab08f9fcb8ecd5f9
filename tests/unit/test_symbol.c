/* test_symbol.c - names, lines, inlined calls, C++, perf maps, and whose code it is. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/grab.h"
#include "tracer/record/noise.h"
#include "tracer/record/perfmap.h"
#include "tracer/record/symbol.h"
#include "tracer/record/unwind.h"

struct look {
    struct module_files *files;
    struct module_map *map;
    struct symbolizer *symbolizer;
    struct unwinder *unwinder;
    struct unwound frames;
    pid_t pid;
};

static void look_at(struct look *l, const char *source, const char *flags, bool keep_aranges)
{
    char path[] = "/tmp/loopscope-symbol-XXXXXX";
    char *argv[] = { path, NULL };
    close(mkstemp(path));
    cr_assert_eq(grab_compile(source, flags, path), 0);
    if (!keep_aranges) {
        char command[128];
        snprintf(command, sizeof command, "objcopy --remove-section .debug_aranges %s", path);
        cr_assert_eq(system(command), 0);
    }
    memset(l, 0, sizeof *l);
    l->pid = grab_spawn(argv);
    cr_assert_eq(grab_wait_busy(l->pid), 0);
    l->files = module_files_new();
    l->map = module_map_open(l->files, l->pid);
    l->symbolizer = symbolizer_new();
    l->unwinder = unwinder_new();
    struct stack_copy *c = grab_stack(l->pid, 8192);
    unwind_stack(l->unwinder, l->map, c, &l->frames);
    free(c);
    unlink(path);
}

static void look_away(struct look *l)
{
    symbolizer_free(l->symbolizer);
    unwinder_free(l->unwinder);
    module_map_close(l->map);
    module_files_free(l->files);
    grab_kill(l->pid);
}

static void inlined_and_lines(const char *flags, bool keep_aranges)
{
    struct look l;
    struct symbol s[SYMBOL_INLINES];
    struct module_ref ref;
    look_at(&l, "unwind_deep.c", flags, keep_aranges);
    int n = symbolize(l.symbolizer, l.map, l.frames.ip[0], true, s, &ref);
    cr_assert_eq(n, 2, "%d levels", n);
    cr_assert_str_eq(s[0].function, "burn_inlined");
    cr_assert_str_eq(s[1].function, "deep_c");
    cr_assert(strstr(s[0].file, "unwind_deep.c"));
    cr_assert(s[0].line == 14 || s[0].line == 15, "line %d", s[0].line);
    cr_assert_eq(s[1].line, 23);
    cr_assert_eq(s[0].noise, FRAME_USER);
    n = symbolize(l.symbolizer, l.map, l.frames.ip[1], false, s, &ref);
    cr_assert_str_eq(s[0].function, "deep_b");
    cr_assert_eq(s[0].line, 30, "the call, not what follows it: line %d", s[0].line);
    cr_assert_str_eq(s[0].language, "c");
    cr_assert_neq(s[0].entry, 0);
    look_away(&l);
}

Test(symbol, lines_and_inlined_calls)
{
    inlined_and_lines("-O2 -g", true);
}
Test(symbol, dwarf_4)
{
    inlined_and_lines("-O2 -g -gdwarf-4", true);
}

Test(symbol, without_aranges_as_clang_writes_it)
{
    inlined_and_lines("-O2 -g", false);
}

Test(symbol, stripped_program_has_the_function_start)
{
    struct look l;
    struct symbol s[SYMBOL_INLINES];
    struct module_ref ref;
    look_at(&l, "unwind_deep.c", "-O2 -s", true);
    cr_assert_eq(symbolize(l.symbolizer, l.map, l.frames.ip[0], true, s, &ref), 1);
    cr_assert_null(s[0].function);
    cr_assert_neq(s[0].entry, 0);
    cr_assert_leq(s[0].entry, ref.rel);
    look_away(&l);
}

Test(symbol, cpp_names_are_demangled_without_parameters)
{
    struct look l;
    struct symbol s[SYMBOL_INLINES];
    struct module_ref ref;
    bool found = false;
    look_at(&l, "unwind_throw.cpp", "-O2 -g", true);
    for (int round = 0; round < 50 && !found; round++) {
        struct stack_copy *c = grab_stack(l.pid, 8192);
        unwind_stack(l.unwinder, l.map, c, &l.frames);
        free(c);
        for (int i = 0; i < l.frames.n; i++) {
            int n = symbolize(l.symbolizer, l.map, l.frames.ip[i], l.frames.exact[i], s, &ref);
            found |= s[n - 1].function && !strcmp(s[n - 1].function, "shop::thrower<int>");
        }
    }
    cr_assert(found);
    look_away(&l);
}

Test(symbol, the_same_address_gives_the_same_strings)
{
    struct look l;
    struct symbol a[SYMBOL_INLINES], b[SYMBOL_INLINES];
    struct module_ref ref;
    look_at(&l, "unwind_deep.c", "-O2 -g", true);
    int n = symbolize(l.symbolizer, l.map, l.frames.ip[1], false, a, &ref);
    cr_assert_eq(symbolize(l.symbolizer, l.map, l.frames.ip[1], false, b, &ref), n);
    cr_assert_eq(a[0].function, b[0].function);
    cr_assert_eq(a[0].file, b[0].file);
    cr_assert_null(getenv("DEBUGINFOD_URLS"));
    look_away(&l);
}

static struct perfmap_name parsed(const char *text)
{
    struct perfmap_name n;
    perfmap_parse(text, strlen(text), &n);
    return n;
}

Test(symbol, perf_map_names_of_node)
{
    struct perfmap_name n = parsed("LazyCompile:*foo /srv/my app.js:12:3");
    cr_assert_str_eq(n.function, "foo");
    cr_assert_str_eq(n.file, "/srv/my app.js");
    cr_assert_eq(n.line, 12);
    cr_assert_str_eq(n.language, "js");
    n = parsed("JS:~ file:///srv/app.mjs:1:1");
    cr_assert_str_eq(n.function, "(anonymous)");
    cr_assert_str_eq(n.file, "/srv/app.mjs");
    cr_assert_eq(n.line, 1);
    n = parsed("JS:^emit node:events:466:44");
    cr_assert_str_eq(n.function, "emit");
    cr_assert_str_eq(n.file, "node:events");
    cr_assert_eq(noise_jit(n.function, n.file, n.language), FRAME_RUNTIME);
    cr_assert(parsed("Builtin:ArrayMap").machinery);
    n = parsed("JS:");
    cr_assert_str_eq(n.function, "(anonymous)");
}

Test(symbol, perf_map_names_of_python)
{
    struct perfmap_name n = parsed("py::Shop.checkout:/srv/shop.py");
    cr_assert_str_eq(n.function, "Shop.checkout");
    cr_assert_str_eq(n.file, "/srv/shop.py");
    cr_assert_str_eq(n.language, "python");
    cr_assert_eq(noise_jit(n.function, n.file, n.language), FRAME_USER);
    n = parsed("py::run:/usr/lib/python3.12/asyncio/runners.py");
    cr_assert_eq(noise_jit(n.function, n.file, n.language), FRAME_RUNTIME);
}

static const char *mapped(struct perfmap *p, uint64_t address)
{
    static char name[64];
    const char *text;
    size_t length;
    uint64_t start;
    if (!perfmap_find(p, NULL, address, &text, &length, &start))
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    return name;
}

Test(symbol, of_overlapping_entries_the_later_wins)
{
    struct perfmap *p = perfmap_new();
    static const char text[] = "1000 100 old\n1800 80 other\n1040 20 new\nhalf a li";
    perfmap_add(p, text, strlen(text));
    cr_assert_str_eq(mapped(p, 0x1000), "old");
    cr_assert_str_eq(mapped(p, 0x1050), "new");
    cr_assert_str_eq(mapped(p, 0x1060), "old");
    cr_assert_null(mapped(p, 0x1100));
    cr_assert_null(mapped(p, 0xfff));
    perfmap_free(p);
}

Test(symbol, a_perf_map_that_grows_and_has_rubbish)
{
    struct perfmap *p = perfmap_new();
    static const char first[] = "\n \nzz zz zz\n1000\n1000 \n2000 0 empty\nffffffffffffffff ffffffffffffffff all\n3000 10 fo";
    static const char second[] = "o bar\n";
    perfmap_add(p, first, sizeof first - 1);
    cr_assert_null(mapped(p, 0x3000));
    perfmap_add(p, second, sizeof second - 1);
    cr_assert_str_eq(mapped(p, 0x3000), "foo bar");
    perfmap_add(p, "\0\0\0\n4000 10 x\n", 15);
    cr_assert_str_eq(mapped(p, 0x4001), "x");
    perfmap_free(p);
}

Test(symbol, whose_code_it_is)
{
    static const struct {
        const char *module;
        bool program;
        const char *function;
        enum frame_noise noise;
    } rows[] = {
        { "/srv/app", true, "checkout", FRAME_USER },
        { "/usr/bin/app", true, "checkout", FRAME_USER },
        { "/usr/bin/app", true, "main", FRAME_USER },
        { "/usr/bin/app", true, "_start", FRAME_LIBC },
        { "/usr/bin/app", true, NULL, FRAME_USER },
        { "/srv/lib/libshop.so", false, "order", FRAME_USER },
        { "/usr/lib/x86_64-linux-gnu/libz.so.1", false, "inflate", FRAME_LIBRARY },
        { "/usr/lib/x86_64-linux-gnu/libc.so.6", false, "fsync", FRAME_LIBC },
        { "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", false, NULL, FRAME_LIBC },
        { "[vdso]", false, "__vdso_gettimeofday", FRAME_LIBC },
        { "/usr/bin/redis-check-rdb", true, "aeProcessEvents", FRAME_RUNTIME },
        { "/usr/bin/redis-check-rdb", true, "keysCommand", FRAME_USER },
        { "/usr/sbin/nginx", true, "ngx_worker_process_cycle", FRAME_RUNTIME },
        { "/usr/sbin/nginx", true, "ngx_http_static_handler", FRAME_USER },
        { "/usr/bin/node", true, "node::fs::Open", FRAME_RUNTIME },
        { "/srv/app", true, "uv__io_poll", FRAME_RUNTIME },
        { "/srv/app", true, "ls_run", FRAME_RUNTIME },
        { "/usr/lib/libevent-2.1.so.7", false, "event_base_loop", FRAME_RUNTIME },
        { "/opt/py/lib/libpython3.11.so.1.0", false, "time_sleep", FRAME_RUNTIME },
        { "/opt/py/bin/python3.11", true, "main", FRAME_RUNTIME },
        { "/opt/py/lib/python3.11/lib-dynload/_hashlib.cpython-311-x86_64-linux-gnu.so", false, "pbkdf2_hmac", FRAME_LIBRARY },
        { "/usr/local/lib/libloopscope-preload.so", false, "fsync", FRAME_PROBE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(noise_native(rows[i].module, rows[i].program, rows[i].function), rows[i].noise, "%s %s", rows[i].module,
                     rows[i].function ? rows[i].function : "-");
}

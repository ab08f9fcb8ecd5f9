/* test_place.c - what a stall is blamed on, from stacks made by hand. */
#include <criterion/criterion.h>
#include <string.h>

#include "tracer/record/place.h"

#define APP "/srv/app"
#define PY "/usr/lib/libpython3.11.so"
#define LIBC "/lib/libc.so.6"

static const char app[] = APP, py[] = PY, libc[] = LIBC, wrap[] = "/opt/libloopscope-preload.so", ext[] = "/usr/lib/_hashlib.so";

#define U(f, l) { .function = f, .module = app, .noise = FRAME_USER, .file = "app.c", .line = l, .language = "c" }
#define R(f) { .function = f, .module = py, .noise = FRAME_RUNTIME, .language = "c" }
#define L(f) { .function = f, .module = ext, .noise = FRAME_LIBRARY, .language = "c" }
#define C(f) { .function = f, .module = libc, .noise = FRAME_LIBC, .language = "c" }
#define PROBE(f) { .function = f, .module = wrap, .noise = FRAME_PROBE, .language = "c" }
#define PUT(book, ...) \
    stackbook_put(book, (struct stackbook_frame[]){ __VA_ARGS__ }, \
                  sizeof((struct stackbook_frame[]){ __VA_ARGS__ }) / sizeof(struct stackbook_frame), false)

static struct stackbook *new_book(void)
{
    struct stackbook_sink sink = { 0 };
    return stackbook_new(&sink);
}

static struct place blame(struct stackbook *book, const int64_t *stacks, int n)
{
    struct place p = { .percent = -1 };
    cr_assert(place_of(book, stacks, n, &p));
    return p;
}

Test(place, the_deepest_function_that_all_samples_share)
{
    struct stackbook *b = new_book();
    int64_t s[3];
    s[0] = PUT(b, C("memcpy"), U("copy", 3), U("encode", 10), U("handler", 20), U("main", 30));
    s[1] = PUT(b, U("scan", 5), U("encode", 11), U("handler", 20), U("main", 30));
    s[2] = PUT(b, C("strlen"), U("encode", 12), U("handler", 20), U("main", 30));
    struct place p = blame(b, s, 3);
    cr_assert_str_eq(p.function, "encode");
    cr_assert_eq(p.percent, 100);
    cr_assert_str_eq(p.file, "app.c");
    stackbook_free(b);
}

Test(place, one_sample_in_ten_may_differ)
{
    struct stackbook *b = new_book();
    int64_t s[10];
    for (int i = 0; i < 9; i++)
        s[i] = PUT(b, U("hash", 1), U("handler", 2), U("main", 3));
    s[9] = PUT(b, U("log_line", 9), U("handler", 4), U("main", 3));
    struct place p = blame(b, s, 10);
    cr_assert_str_eq(p.function, "hash");
    cr_assert_eq(p.percent, 90);
    stackbook_free(b);
}

Test(place, wrappers_and_libc_are_not_to_blame)
{
    struct stackbook *b = new_book();
    int64_t s = PUT(b, C("fsync"), PROBE("fsync"), U("db_commit", 218), U("main", 1));
    cr_assert_str_eq(blame(b, &s, 1).function, "db_commit");
    stackbook_free(b);
}

Test(place, main_is_the_last_resort)
{
    struct stackbook *b = new_book();
    int64_t with_library = PUT(b, L("inflate"), U("main", 1)), alone = PUT(b, C("read"), U("main", 1));
    cr_assert_str_eq(blame(b, &with_library, 1).function, "inflate");
    cr_assert_str_eq(blame(b, &alone, 1).function, "main");
    stackbook_free(b);
}

Test(place, a_named_function_before_an_unnamed_one)
{
    struct stackbook *b = new_book();
    struct stackbook_frame unnamed = { .module = app, .noise = FRAME_USER, .entry = 0x1230, .address = 0x1234, .language = "c" };
    int64_t named = PUT(b, unnamed, U("keysCommand", 1)), only = PUT(b, unnamed, U("main", 2), C("_start"));
    cr_assert_str_eq(blame(b, &named, 1).function, "keysCommand");
    cr_assert_str_eq(blame(b, &only, 1).function, "app+0x1230");
    stackbook_free(b);
}

Test(place, the_builtin_that_python_called)
{
    struct stackbook *b = new_book();
    int64_t sleep = PUT(b, C("clock_nanosleep"), R("pysleep"), R("time_sleep"), R("cfunction_vectorcall_O"),
                        R("_PyEval_EvalFrameDefault"), R("Py_BytesMain"), C("_start"));
    int64_t hash = PUT(b, L(NULL), L("PKCS5_PBKDF2_HMAC"), L("pbkdf2_hmac"), R("cfunction_vectorcall_FASTCALL_KEYWORDS"),
                       R("_PyEval_EvalFrameDefault"), R("Py_BytesMain"), C("_start"));
    cr_assert_str_eq(blame(b, &sleep, 1).function, "time_sleep");
    cr_assert_str_eq(blame(b, &hash, 1).function, "pbkdf2_hmac");
    stackbook_free(b);
}

Test(place, python_that_computes_is_the_eval_loop)
{
    struct stackbook *b = new_book();
    int64_t s[3] = { PUT(b, R("_PyLong_Add"), R("_PyEval_EvalFrameDefault"), R("Py_BytesMain")),
                     PUT(b, R("_PyEval_EvalFrameDefault"), R("Py_BytesMain")),
                     PUT(b, R("dict_lookup"), R("_PyEval_EvalFrameDefault"), R("Py_BytesMain")) };
    cr_assert_str_eq(blame(b, s, 3).function, "_PyEval_EvalFrameDefault");
    stackbook_free(b);
}

Test(place, a_script_function_may_be_called_main)
{
    struct stackbook *b = new_book();
    struct stackbook_frame js = { .function = "main", .file = "/srv/app.js", .line = 7, .language = "js", .noise = FRAME_USER };
    int64_t s = PUT(b, js, R("Builtins_InterpreterEntryTrampoline"));
    struct place p = blame(b, &s, 1);
    cr_assert_str_eq(p.function, "main");
    cr_assert_eq(p.line, 7);
    stackbook_free(b);
}

Test(place, fingerprint_is_the_same_in_another_build)
{
    struct stackbook *a = new_book(), *b = new_book();
    struct stackbook_frame moved = U("encode", 99), elsewhere = U("handler", 77);
    moved.address = 0x9999;
    moved.module = "/home/me/build/app";
    elsewhere.module = moved.module;
    int64_t one = PUT(a, U("encode", 10), U("handler", 20), U("main", 1));
    int64_t two = PUT(b, moved, R("event_base_loop"), elsewhere, U("main", 1));
    int64_t other = PUT(b, U("decode", 10), U("handler", 20), U("main", 1));
    char fingerprint[33];
    strcpy(fingerprint, blame(a, &one, 1).fingerprint);
    cr_assert_eq(strlen(fingerprint), 32);
    cr_assert_str_eq(blame(b, &two, 1).fingerprint, fingerprint);
    cr_assert_str_neq(blame(b, &other, 1).fingerprint, fingerprint);
    stackbook_free(a);
    stackbook_free(b);
}

Test(place, fingerprint_does_not_count_recursion)
{
    struct stackbook *b = new_book();
    int64_t shallow = PUT(b, U("walk", 1), U("walk", 2), U("handler", 3), U("main", 4));
    int64_t deep = PUT(b, U("walk", 1), U("walk", 2), U("walk", 2), U("walk", 2), U("handler", 3), U("main", 4));
    char fingerprint[33];
    strcpy(fingerprint, blame(b, &shallow, 1).fingerprint);
    cr_assert_str_eq(blame(b, &deep, 1).fingerprint, fingerprint);
    stackbook_free(b);
}

Test(place, the_representative_is_whole_and_has_the_function)
{
    struct stackbook *b = new_book();
    struct stackbook_frame cut[] = { U("encode", 1), U("handler", 2) };
    int64_t s[3] = { stackbook_put(b, cut, 2, true), ROW_NULL, PUT(b, U("encode", 5), U("handler", 2), U("main", 3)) };
    struct place p = blame(b, s, 3);
    cr_assert_eq(p.stack, s[2]);
    cr_assert_eq(p.line, 5);
    stackbook_free(b);
}

Test(place, start_code_of_a_stripped_program_is_not_to_blame)
{
    struct stackbook *b = new_book();
    struct stackbook_frame start = { .module = app, .noise = FRAME_USER, .entry = 0x9180, .address = 0x91a0, .language = "c" };
    int64_t s = PUT(b, C("read"), U("main", 0), C("__libc_start_main"), start);
    cr_assert_str_eq(blame(b, &s, 1).function, "main");
    stackbook_free(b);
}

Test(place, nothing_to_blame)
{
    struct stackbook *b = new_book();
    int64_t s[2] = { ROW_NULL, PUT(b, C("epoll_wait"), C("_start")) };
    struct place p = { .line = 5 };
    cr_assert_not(place_of(b, s, 2, &p));
    cr_assert_not(place_of(b, s, 0, &p));
    cr_assert_eq(p.line, 5, "untouched");
    stackbook_free(b);
}

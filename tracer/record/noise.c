/* noise.c - the tables that say whose code a frame is.  The first row that fits decides; patterns are fnmatch(3)'s.
 * No state, any thread. */
#include "noise.h"

#include <fnmatch.h>
#include <string.h>

struct rule {
    const char *module;   /* basename */
    const char *function; /* NULL: any */
    enum frame_noise noise;
};

static const struct rule rules[] = {
    /* ours */
    { "libloopscope-preload.so*", NULL, FRAME_PROBE },
    { "libloopscope.so*", NULL, FRAME_PROBE },
    { "*", "ls_*", FRAME_RUNTIME },
    { "*", "lsrt_*", FRAME_RUNTIME },
    /* libc and what starts a program */
    { "[[]vdso]", NULL, FRAME_LIBC },
    { "libc.so*", NULL, FRAME_LIBC },
    { "libc-2*", NULL, FRAME_LIBC },
    { "libm.so*", NULL, FRAME_LIBC },
    { "libpthread*", NULL, FRAME_LIBC },
    { "libdl[.-]*", NULL, FRAME_LIBC },
    { "librt[.-]*", NULL, FRAME_LIBC },
    { "libgcc_s.so*", NULL, FRAME_LIBC },
    { "libresolv*", NULL, FRAME_LIBC },
    { "libnss_*", NULL, FRAME_LIBC },
    { "ld-linux*", NULL, FRAME_LIBC },
    { "ld-musl*", NULL, FRAME_LIBC },
    { "ld-2*", NULL, FRAME_LIBC },
    { "ld.so*", NULL, FRAME_LIBC },
    { "*", "_start", FRAME_LIBC },
    { "*", "__libc_start_*", FRAME_LIBC },
    { "*", "__libc_csu_*", FRAME_LIBC },
    { "*", "start_thread", FRAME_LIBC },
    { "*", "clone", FRAME_LIBC },
    { "*", "__clone*", FRAME_LIBC },
    { "*", "__start_context", FRAME_LIBC },
    { "*", "make_fcontext", FRAME_LIBC },
    /* interpreters */
    { "libpython*", NULL, FRAME_RUNTIME },
    { "python*", NULL, FRAME_RUNTIME },
    { "node", NULL, FRAME_RUNTIME },
    { "nodejs", NULL, FRAME_RUNTIME },
    { "libnode.so*", NULL, FRAME_RUNTIME },
    { "libv8*", NULL, FRAME_RUNTIME },
    { "ruby*", NULL, FRAME_RUNTIME },
    { "libruby*", NULL, FRAME_RUNTIME },
    { "perl*", NULL, FRAME_RUNTIME },
    { "libperl*", NULL, FRAME_RUNTIME },
    { "php*", NULL, FRAME_RUNTIME },
    { "lua*", NULL, FRAME_RUNTIME },
    { "liblua*", NULL, FRAME_RUNTIME },
    { "*", "lua_*", FRAME_RUNTIME },
    { "*", "luaL_*", FRAME_RUNTIME },
    { "*", "lua[A-Z]_*", FRAME_RUNTIME },
    { "_asyncio.cpython-*", NULL, FRAME_RUNTIME },
    /* what extends an interpreter is a library to the program that runs in it */
    { "*.cpython-*.so", NULL, FRAME_LIBRARY },
    { "*.abi3.so", NULL, FRAME_LIBRARY },
    /* event loops, also when linked into the program */
    { "libuv.so*", NULL, FRAME_RUNTIME },
    { "libevent*", NULL, FRAME_RUNTIME },
    { "libev.so*", NULL, FRAME_RUNTIME },
    { "*", "uv_*", FRAME_RUNTIME },
    { "*", "event_base_*", FRAME_RUNTIME },
    { "*", "event_process_active*", FRAME_RUNTIME },
    { "*", "event_loop*", FRAME_RUNTIME },
    { "*", "event_dispatch", FRAME_RUNTIME },
    { "*", "event_persist_closure", FRAME_RUNTIME },
    { "*", "ev_run", FRAME_RUNTIME },
    { "*", "ev_invoke_pending", FRAME_RUNTIME },
    { "*", "g_main_*", FRAME_RUNTIME },
    { "*", "boost::asio::detail::*", FRAME_RUNTIME },
    { "*", "boost::asio::io_context::*", FRAME_RUNTIME },
    { "redis-*", "ae[A-Z]*", FRAME_RUNTIME },
    { "valkey-*", "ae[A-Z]*", FRAME_RUNTIME },
    { "nginx", "ngx_*_process_cycle", FRAME_RUNTIME },
    { "nginx", "ngx_process_events_and_timers", FRAME_RUNTIME },
    { "nginx", "ngx_*_process_events", FRAME_RUNTIME },
    { "nginx", "ngx_event_process_posted", FRAME_RUNTIME },
    { "nginx", "ngx_event_expire_timers", FRAME_RUNTIME },
    { "nginx", "ngx_spawn_process", FRAME_RUNTIME },
    { "nginx", "ngx_start_worker_processes*", FRAME_RUNTIME },
};

/* Where libraries are installed that the program's author did not write. */
static const char *const library_paths[] = { "/usr/*", "/lib/*", "/lib64/*", "/lib32/*", "/nix/*", "/gnu/*",
                                             "*/site-packages/*", "*/dist-packages/*", "*/lib-dynload/*" };

enum frame_noise noise_native(const char *module, bool is_program, const char *function)
{
    const char *slash = strrchr(module, '/'), *base = slash ? slash + 1 : module;

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        if (r->function && (!function || fnmatch(r->function, function, 0) != 0))
            continue;
        if (fnmatch(r->module, base, 0) == 0)
            return r->noise;
    }
    for (size_t i = 0; !is_program && i < sizeof library_paths / sizeof *library_paths; i++)
        if (fnmatch(library_paths[i], module, 0) == 0)
            return FRAME_LIBRARY;
    return FRAME_USER;
}

static const struct {
    const char *language, *file;
    enum frame_noise noise;
} scripts[] = {
    { "js", "node:*", FRAME_RUNTIME },
    { "js", "internal/*", FRAME_RUNTIME },
    { "js", "*/node_modules/*", FRAME_LIBRARY },
    { "python", "<frozen *", FRAME_RUNTIME },
    { "python", "*/site-packages/*", FRAME_LIBRARY },
    { "python", "*/dist-packages/*", FRAME_LIBRARY },
    { "python", "*/lib/python[23]*/asyncio/*", FRAME_RUNTIME },
    { "python", "*/lib/python[23]*/selectors.py", FRAME_RUNTIME },
    { "python", "*/lib/python[23]*", FRAME_LIBRARY },
};

enum frame_noise noise_jit(const char *function, const char *file, const char *language)
{
    if (!function)
        return FRAME_RUNTIME; /* it may well be the program's own, but there is nothing to show of it */
    if (language && !file)
        return FRAME_RUNTIME;
    for (size_t i = 0; language && i < sizeof scripts / sizeof *scripts; i++)
        if (!strcmp(scripts[i].language, language) && fnmatch(scripts[i].file, file, 0) == 0)
            return scripts[i].noise;
    return FRAME_USER;
}

static bool any_match(const char *const *patterns, size_t n, const char *function)
{
    for (size_t i = 0; function && i < n; i++)
        if (fnmatch(patterns[i], function, 0) == 0)
            return true;
    return false;
}

bool noise_is_engine(const char *function)
{
    static const char *const engine[] = {
        /* CPython: the eval loop, calls into it and out of it, running a module */
        "_PyEval_*", "PyEval_*", "_PyFunction_Vectorcall", "function_code_fastcall", "_PyObject_*", "PyObject_Call*",
        "PyObject_Vectorcall*", "PyVectorcall_*", "_PyVectorcall_*", "object_vacall", "cfunction_*", "method_vectorcall*",
        "methoddescr_*", "method_descriptor_*", "_PyMethodDef_*", "_PyCFunction_*", "call_function", "do_call_core",
        "trace_call_function", "vectorcall_*", "slot_tp_*", "builtin_exec*", "run_mod", "run_eval_code_obj", "pyrun_*",
        "PyRun_*", "_PyRun_*", "pymain_*", "Py_RunMain", "Py_BytesMain", "Py_Main", "gen_send_ex*", "gen_iternext",
        "_PyGen_*", "PyGen_*", "PyIter_Send", "context_run", "task_step*", "task_wakeup*", "_asyncio_*", "TaskStepMethWrapper_call",
        "TaskWakeupMethWrapper_call", "partial_call*", "partial_vectorcall*", "tp_new_wrapper", "type_call", "wrap_*", "wrapperdescr_*",
        "_PyStack_*", "thread_run", "t_bootstrap", "bounded_lru_cache_wrapper", "property_descr_get",
        /* node: V8's calls between JS and C++, node's start-up and callback scopes */
        "v8::*", "Builtins_*", "uv_*", "node::Start*", "node::SpinEventLoop*", "node::NodeMainInstance::*", "node::InternalMakeCallback*",
        "node::InternalCallbackScope::*", "node::AsyncWrap::MakeCallback*", "node::MakeCallback*", "node::Environment::*",
        "node::crypto::CryptoJob<*", "node::crypto::DeriveBitsJob<*", "node::ThreadPoolWork::*", "node::LoadEnvironment*", "node::builtins::*", "node::ExecuteBootstrapper*", "node::Realm::*",
        /* loops */
        "ls_*", "event_base_*", "g_main_*", "ae[A-Z]*" };
    return any_match(engine, sizeof engine / sizeof *engine, function);
}

bool noise_is_entry(const char *function)
{
    static const char *const entry[] = { "main", "_start", "__libc_start_*", "start_thread", "__clone*" };
    return any_match(entry, sizeof entry / sizeof *entry, function);
}

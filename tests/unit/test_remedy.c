/* test_remedy.c - the advice fits the cause, the call and the language. */
#include <criterion/criterion.h>
#include <string.h>

#include "tracer/call.h"
#include "viewer/remedy.h"

static void says(const char *cause, const char *call, enum remedy_language language, const char *word)
{
    const char *advice = remedy_for(cause, call, language);
    cr_expect(strstr(advice, word), "%s in %s: '%s' does not say '%s'", cause, call ? call : "-", advice, word);
}

Test(remedy, fits_call_and_language)
{
    says("call", "getaddrinfo", REMEDY_C, "getaddrinfo_a");
    says("call", "getaddrinfo", REMEDY_PYTHON, "loop.getaddrinfo()");
    says("call", "nanosleep", REMEDY_PYTHON, "asyncio.sleep");
    says("call", "waitpid", REMEDY_C, "pidfd");
    says("call", "read", REMEDY_NODE, "fs.promises");
    says("call", "poll", REMEDY_C, "add them to the loop");
    says("cpu", NULL, REMEDY_NODE, "async form");
    says("cpu", "", REMEDY_RUNTIME, "ls_yield");
    says("lock", "pthread_mutex_lock", REMEDY_C, "owner");
    says("lock", "pthread_cond_timedwait", REMEDY_PYTHON, "GIL");
    says("lock", "sem_wait", REMEDY_PYTHON, "threading");
    says("lock", "sem_clockwait", REMEDY_C, "eventfd");
    says("lock", "flock", REMEDY_C, "LOCK_NB");
    says("lock", NULL, REMEDY_C, "owner");
    says("unknown", "", REMEDY_C, "strace");
}

Test(remedy, names_the_runtime_s_own_call)
{
    static const char *const cures[][2] = {
        { "sleep", "ls_sleep" },
        { "nanosleep", "ls_sleep" },
        { "getaddrinfo", "ls_getaddrinfo" },
        { "getnameinfo", "ls_getnameinfo" },
        { "read", "ls_file_read" },
        { "read", "ls_read" },
        { "pread", "ls_file_pread" },
        { "fread", "ls_file_read_all" },
        { "open", "ls_file_open" },
        { "fsync", "ls_file_fsync" },
        { "fdatasync", "ls_file_fdatasync" },
        { "connect", "ls_connect" },
        { "accept", "ls_accept" },
        { "poll", "ls_wait_fd" },
        { "waitpid", "ls_process_wait" },
        { "system", "ls_process_communicate" },
        { "popen", "ls_process_communicate" },
        { "fork", "ls_process_spawn" },
        { "sigwait", "ls_signal_await" },
        { "pthread_mutex_lock", "ls_lock" },
        { "pthread_rwlock_wrlock", "ls_rwlock" },
        { "pthread_cond_wait", "ls_cond" },
        { "sem_wait", "ls_sem" },
        { "pthread_join", "ls_to_thread" },
        { "pthread_barrier_wait", "ls_barrier" },
        { "flock", "ls_to_thread" },
    };
    for (size_t i = 0; i < sizeof cures / sizeof *cures; i++) {
        bool lock = !strncmp(cures[i][0], "pthread", 7) || !strcmp(cures[i][0], "sem_wait");
        says(lock ? "lock" : "call", cures[i][0], REMEDY_RUNTIME, cures[i][1]);
    }
    says("lock", NULL, REMEDY_RUNTIME, "ls_lock");
}

Test(remedy, a_cause_outside_the_program_is_not_blamed_on_a_call)
{
    says("preempted", "fsync", REMEDY_C, "not this code's fault");
    says("throttled", "read", REMEDY_PYTHON, "cpu.max");
    says("stopped", NULL, REMEDY_NODE, "SIGSTOP");
    says("fault", "read", REMEDY_C, "mlock");
    says("cpu", "fsync", REMEDY_C, "computes");
}

Test(remedy, every_call_of_the_preload_has_advice_in_every_language)
{
    for (unsigned i = 1; i < CALL_COUNT; i++)
        for (int language = 0; language < REMEDY_LANGUAGES; language++) {
            cr_expect_neq(*remedy_for("call", ls_call_name(i), (enum remedy_language)language), 0, "%s",
                          ls_call_name(i));
            cr_expect_neq(*remedy_for("lock", ls_call_name(i), (enum remedy_language)language), 0, "%s",
                          ls_call_name(i));
        }
}

Test(remedy, strange_input_gives_no_advice_and_no_crash)
{
    cr_expect_str_eq(remedy_for("", "", REMEDY_C), "");
    cr_expect_str_eq(remedy_for("gremlins", " read ", REMEDY_PYTHON), "");
    says("call", " read", REMEDY_C, "worker thread");
    says("call", "no_such_call", REMEDY_C, "worker thread");
}

Test(remedy, language_comes_from_the_program_and_the_loop)
{
    cr_expect_eq(remedy_language("/usr/bin/python3.11", "epoll"), REMEDY_PYTHON);
    cr_expect_eq(remedy_language("/opt/node/bin/node", "epoll"), REMEDY_NODE);
    cr_expect_eq(remedy_language("/usr/sbin/nginx", "epoll"), REMEDY_C);
    cr_expect_eq(remedy_language(NULL, "runtime"), REMEDY_RUNTIME);
    cr_expect_eq(remedy_language("app", "asyncio"), REMEDY_PYTHON);
}

Test(remedy, short_calls_worth_a_word)
{
    cr_expect_not_null(remedy_lint("getaddrinfo"));
    cr_expect_not_null(remedy_lint("fdatasync"));
    cr_expect_null(remedy_lint("read"));
    cr_expect_null(remedy_lint(""));
}

/* check.h - tests of the runtime in which a task checks, and returns the line that failed, or 0.
 *
 * Criterion's asserts must run on the thread's own stack, and not on a coroutine's.  A file says what its suite is:
 * #define TEST(name, fn) TEST_IN(runtime_fd, name, fn) */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <criterion/criterion.h>
#include <errno.h>

#include <loopscope/runtime.h>

#define CHECK(x)             \
    do {                     \
        if (!(x))            \
            return __LINE__; \
    } while (0)
#define RUN(fn)                                                                                        \
    do {                                                                                               \
        intptr_t line = ls_run(fn, NULL, NULL);                                                        \
        cr_assert_eq(line, 0, "failed at line %d, errno %d, '%s'", (int)line, errno, ls_error_text()); \
    } while (0)
#define TEST_IN(suite, name, fn)      \
    Test(suite, name, .timeout = 30) \
    {                                 \
        RUN(fn);                      \
    }

#endif

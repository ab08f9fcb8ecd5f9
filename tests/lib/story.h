/* story.h - tests of the runtime: tasks note what happens to them, the test compares the story after ls_run.
 *
 * Criterion's asserts must run on the thread's own stack; a task checks with want(), which notes what was not so. */
#ifndef TESTS_STORY_H
#define TESTS_STORY_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <loopscope/runtime.h>

static char story[4096];

__attribute__((format(printf, 1, 2), unused)) static void note(const char *format, ...)
{
    size_t used = strlen(story);
    va_list ap;
    va_start(ap, format);
    vsnprintf(story + used, sizeof story - used, format, ap);
    va_end(ap);
}

/* "name " when the call went well, else "name:ETIMEDOUT ". */
__attribute__((unused)) static int note_result(int result)
{
    int error = errno;
    if (result >= 0)
        note("%s ", ls_task_name(ls_self()));
    else
        note("%s:%s ", ls_task_name(ls_self()), strerrorname_np(error));
    errno = error;
    return result;
}

#define want(truth) ((truth) ? (void)0 : note("\nline %d: not so: %s (errno %d, %s)\n", __LINE__, #truth, errno, ls_error_text()))
/* -1 with this errno, and the error text has this in it (NULL: whatever it has) */
#define want_error(call, error, text)                                                              \
    do {                                                                                           \
        errno = 0;                                                                                 \
        want((call) == -1 && errno == (error));                                                    \
        if (text)                                                                                  \
            want(strstr(ls_error_text(), (text) ? (text) : ""));                                   \
    } while (0)

/* Runs app in virtual time; "" or what it noted. */
__attribute__((unused)) static const char *told(ls_fn *app)
{
    if (ls_run(app, NULL, &(struct ls_opts){ .virtual_time = true }))
        note("\nls_run: not 0, errno %d\n", errno);
    return story;
}
/* The same under several seeds, for what must not depend on the order in which ready tasks run. */
__attribute__((unused)) static const char *told_shuffled(ls_fn *app)
{
    for (uint64_t seed = 0; seed < 20 && !*story; seed++)
        if (ls_run(app, NULL, &(struct ls_opts){ .virtual_time = true, .seed = seed * 0x9e3779b97f4a7c15u }))
            note("\nseed %d: not 0, errno %d\n", (int)seed, errno);
    return story;
}
#define SOON ls_after(LS_MS)
#define PAST ((ls_ns)1)

#endif

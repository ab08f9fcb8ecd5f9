/* resolve.c - finds the functions behind the wrappers: the next definition after ours, so that another preloaded
 * library that stands behind us is called as it would be without us.  Runs in the first constructor; a wrapper that
 * is called even earlier (a memory allocator opening its configuration) resolves its own symbol alone.
 *
 * dlsym does not allocate when it finds the symbol, and so cannot come back into the wrapper it resolves for.  The
 * liburing names, which need not exist, are left to their first call: who calls them has them. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wrap.h"

void *_Atomic real_table[REAL_COUNT];

static const struct {
    const char *name, *version;
} symbols[REAL_COUNT] = {
#define SYM(name, version) { #name, version },
#include "symbols.def"
#undef SYM
};

/* What an impossible caller gets: the name was found nowhere, so nobody can have been linked to it. */
static long missing(void)
{
    errno = ENOSYS;
    return -ENOSYS;
}

static bool is_uring(const char *name)
{
    return strstr(name, "io_uring_") != NULL;
}

void *real_find(enum real_symbol which)
{
    const char *name = symbols[which].name;
    int error = errno;
    void *f = symbols[which].version[0] ? dlvsym(RTLD_NEXT, name, symbols[which].version) : NULL;
    if (!f)
        f = dlsym(RTLD_NEXT, name);
    if (!f && is_uring(name)) {
        /* A module that was loaded privately (a Python extension) has it in a scope that RTLD_NEXT does not search. */
        void *library = dlopen("liburing.so.2", RTLD_LAZY | RTLD_NOLOAD);
        if (library)
            f = dlsym(library, name);
    }
    if (f) /* else a library that is loaded later may have it */
        atomic_store_explicit(&real_table[which], f, memory_order_relaxed);
    errno = error;
    return f ? f : (void *)missing;
}

__attribute__((constructor(101))) static void resolve_all(void)
{
    for (int i = 0; i < REAL_COUNT; i++)
        if (!is_uring(symbols[i].name))
            real_get((enum real_symbol)i);
}

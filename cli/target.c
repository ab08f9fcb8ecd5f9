/* target.c - looks at the command before it runs: where it is, and whether the preload can see into it. */
#include "cli/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "tracer/misfit.h"

#define PRELOAD "libloopscope-preload.so"

const char *target_own_directory(void)
{
    static char dir[PATH_MAX]; /* computed once; main thread only */
    if (dir[0])
        return dir;
    ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);
    dir[n > 0 ? n : 0] = 0;
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = 0;
    return dir;
}

const char *target_preload_library(void)
{
    static char path[2 * PATH_MAX];
    const char *given = getenv("LOOPSCOPE_PRELOAD");
    const char *const places[] = { "", "/../lib", "/../lib/loopscope" };
    if (given)
        return access(given, R_OK) ? NULL : given;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s%s/" PRELOAD, target_own_directory(), places[i]);
        if (!access(path, R_OK))
            return path;
    }
    return NULL;
}

int target_find(const char *command, char *ret_path, size_t size)
{
    int error = ENOENT;
    if (strchr(command, '/')) {
        snprintf(ret_path, size, "%s", command);
        return access(command, X_OK) ? -errno : 0;
    }
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/bin:/usr/bin", *end;; p = end + 1) {
        end = strchrnul(p, ':');
        struct stat st;
        if (snprintf(ret_path, size, "%.*s/%s", end == p ? 1 : (int)(end - p), end == p ? "." : p, command) < (int)size &&
            !stat(ret_path, &st) && S_ISREG(st.st_mode)) {
            if (!access(ret_path, X_OK))
                return 0;
            error = EACCES;
        }
        if (!*end)
            return -error;
    }
}

/* What of an ELF file we look at. */
struct image {
    bool elf, other_machine, interpreter, go;
};

static bool read_at(int fd, void *buf, size_t n, off_t at)
{
    return pread(fd, buf, n, at) == (ssize_t)n;
}

static struct image examine(int fd)
{
    struct image im = { 0 };
    Elf64_Ehdr h;
    if (!read_at(fd, &h, sizeof h, 0) || memcmp(h.e_ident, ELFMAG, SELFMAG))
        return im;
    im.elf = true;
#if defined __x86_64__
    im.other_machine = h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_X86_64;
#else
    im.other_machine = h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_AARCH64;
#endif
    if (im.other_machine || h.e_phentsize != sizeof(Elf64_Phdr))
        return im;
    for (int i = 0; i < h.e_phnum; i++) {
        Elf64_Phdr p;
        if (!read_at(fd, &p, sizeof p, (off_t)h.e_phoff + i * (off_t)sizeof p))
            break;
        im.interpreter |= p.p_type == PT_INTERP;
        char note[16] = "";
        im.go |= p.p_type == PT_NOTE && read_at(fd, note, sizeof note, (off_t)p.p_offset) && !memcmp(note + 12, "Go\0", 3);
    }
    return im;
}

/* "#!/usr/bin/env python3" -> the program that really runs; false when `fd` is no script. */
static bool script_interpreter(int fd, char *ret_path, size_t size)
{
    char line[256] = "";
    if (pread(fd, line, sizeof line - 1, 0) < 3 || strncmp(line, "#!", 2))
        return false;
    char *save, *word = strtok_r(line + 2, " \t\n", &save);
    if (word && (!strcmp(word, "/usr/bin/env") || !strcmp(word, "/bin/env")))
        word = strtok_r(NULL, " \t\n", &save);
    return word && !target_find(word, ret_path, size);
}

bool target_fits(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool fits = !misfit(fd, pread);
    if (fd >= 0)
        close(fd);
    return fits;
}

bool target_warn(const char *command)
{
    char path[PATH_MAX], next[PATH_MAX];
    if (target_find(command, path, sizeof path))
        return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (int depth = 0; fd >= 0 && depth < 4 && script_interpreter(fd, next, sizeof next); depth++) {
        close(fd);
        snprintf(path, sizeof path, "%s", next);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        if (fd >= 0)
            close(fd);
        return true;
    }
    struct image im = examine(fd);
    bool fits = !misfit(fd, pread);
    close(fd);
    const char *why = NULL;
    if (im.other_machine)
        why = "is for another architecture than loopscope: the preload cannot be loaded into it";
    else if (im.elf && !im.interpreter)
        why = im.go ? "is a Go program: it makes its system calls itself, so its loop cannot be seen; link probe.h or use its own tracer"
                    : "is statically linked: the preload cannot be loaded into it; link it dynamically, or with the loopscope library";
    else if (im.elf && im.go)
        why = "is a Go program: it makes most system calls itself, so its loop cannot be seen";
    else if ((st.st_mode & (S_ISUID | S_ISGID)) && st.st_uid != geteuid())
        why = "is setuid: the loader ignores the preload in it; run it as its owner";
    else if (!fits)
        why = "is built with AddressSanitizer, which lets no library come before its own: it runs without the preload";
    if (why)
        complain(0, "record: %s %s", path, why);
    return !why;
}

/* test_modules.c - what is mapped where: our own process, and processes and files that go away. */
#include "tests/lib/grab.h" /* before what includes elf.h: its macro EV_NONE would hide ours */
#include "tracer/record/debuginfo.h"
#include "tracer/record/modules.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int here(void)
{
    return 42;
}

Test(modules, finds_our_own_code)
{
    struct module_files *files = module_files_new();
    struct module_map *map = module_map_open(files, getpid());
    struct module_ref ref = module_map_find(map, (uintptr_t)here);
    char exe[4096] = "";
    unsigned char bytes[16];

    cr_assert(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    cr_assert_not_null(ref.file);
    cr_assert(ref.executable);
    cr_assert_str_eq(module_file_path(ref.file), exe);
    cr_assert_eq(ref.file, module_map_exe(map));
    cr_assert_eq(strlen(module_file_build_id(ref.file)), 40);
    cr_assert_eq(module_file_read(ref.file, ref.rel, bytes, sizeof bytes), sizeof bytes);
    cr_assert_arr_eq(bytes, (void *)(uintptr_t)here, sizeof bytes);
    cr_assert_eq(module_map_read(map, (uintptr_t)here, bytes, sizeof bytes), sizeof bytes);
    cr_assert_arr_eq(bytes, (void *)(uintptr_t)here, sizeof bytes);
    cr_assert_eq(module_file_function_start(ref.file, ref.rel + 2), ref.rel);
    module_map_close(map);
    module_files_free(files);
}

Test(modules, reads_data_from_the_process_not_from_the_file)
{
    static volatile int changed = 1;
    struct module_files *files = module_files_new();
    struct module_map *map = module_map_open(files, getpid());
    int value = 0;
    changed = 77;
    cr_assert_eq(module_map_read(map, (uintptr_t)&changed, &value, sizeof value), sizeof value);
    cr_assert_eq(value, 77);
    module_map_close(map);
    module_files_free(files);
}

Test(modules, the_vdso_and_libc)
{
    struct module_files *files = module_files_new();
    struct module_map *map = module_map_open(files, getpid());
    struct module_eh_table table;
    struct module_ref vdso = module_map_find(map, getauxval(AT_SYSINFO_EHDR)), libc = module_map_find(map, (uintptr_t)&getpid);
    cr_assert_str_eq(module_file_path(vdso.file), "[vdso]");
    cr_assert(module_file_eh_table(vdso.file, &table));
    cr_assert(strstr(module_file_path(libc.file), "libc.so"));
    cr_assert(module_file_eh_table(libc.file, &table));
    cr_assert_gt(table.count, 100);
    module_map_close(map);
    module_files_free(files);
}

Test(modules, a_file_is_shared_by_processes)
{
    struct module_files *files = module_files_new();
    struct module_map *one = module_map_open(files, getpid()), *two = module_map_open(files, getpid());
    cr_assert_eq(module_map_find(one, (uintptr_t)here).file, module_map_find(two, (uintptr_t)here).file);
    cr_assert_neq(module_map_version(one), module_map_version(two));
    module_map_close(one);
    module_map_close(two);
    module_files_free(files);
}

Test(modules, version_changes_with_the_mappings_only)
{
    struct module_files *files = module_files_new();
    struct module_map *map = module_map_open(files, getpid());
    uint64_t before = module_map_version(map);
    char *argv[] = { "sleep", "100", NULL };
    pid_t pid = grab_spawn(argv);
    usleep(100000);
    struct module_map *quiet = module_map_open(files, pid);
    uint64_t quiet_before = module_map_version(quiet);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_eq(module_map_reload(map), 0);
    cr_assert_neq(module_map_version(map), before);
    cr_assert(module_map_find(map, (uintptr_t)p).executable);
    cr_assert_null(module_map_find(map, (uintptr_t)p).file);
    cr_assert_eq(module_map_reload(quiet), 0);
    cr_assert_eq(module_map_version(quiet), quiet_before);
    module_map_close(quiet);
    module_map_close(map);
    module_files_free(files);
    grab_kill(pid);
}

Test(modules, a_process_that_has_gone)
{
    struct module_files *files = module_files_new();
    char *argv[] = { "sleep", "100", NULL };
    pid_t pid = grab_spawn(argv);
    usleep(100000);
    struct module_map *map = module_map_open(files, pid);
    uint64_t word;
    struct module_ref exe = { 0 };

    cr_assert_not_null(module_map_exe(map));
    grab_kill(pid);
    cr_assert_eq(module_map_reload(map), -ESRCH);
    cr_assert_not_null(module_map_exe(map), "what was known stays");
    cr_assert_eq(module_map_read(map, 8, &word, sizeof word), 0);
    exe = module_map_find(map, 0x1000);
    cr_assert_null(exe.file);
    module_map_close(map);
    errno = 0;
    cr_assert_null(module_map_open(files, pid));
    cr_assert_eq(errno, ESRCH);
    module_files_free(files);
}

/* Maps a copy of ourselves executable, so that a test may do to it what it likes. */
static void *map_copy(char *path, size_t *ret_size)
{
    char command[256];
    int fd = mkstemp(path);
    struct stat st;

    close(fd);
    snprintf(command, sizeof command, "cp /proc/%d/exe %s", (int)getpid(), path);
    cr_assert_eq(system(command), 0);
    fd = open(path, O_RDONLY);
    fstat(fd, &st);
    *ret_size = (size_t)st.st_size;
    void *p = mmap(NULL, *ret_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    close(fd);
    cr_assert_neq(p, MAP_FAILED);
    return p;
}

Test(modules, a_truncated_file_is_no_bus_error)
{
    char path[] = "/tmp/loopscope-modules-XXXXXX";
    size_t size;
    char *p = map_copy(path, &size);
    struct module_files *files = module_files_new();
    struct module_map *map = module_map_open(files, getpid());
    struct module_ref ref = module_map_find(map, (uintptr_t)p + 100);
    struct debuginfo_level level[4];
    uint64_t start;
    unsigned char bytes[64];

    cr_assert_str_eq(module_file_path(ref.file), path);
    cr_assert_eq(truncate(path, 100), 0);
    for (uint64_t rel = 0; rel < size; rel += 4096) {
        module_file_read(ref.file, rel, bytes, sizeof bytes);
        module_file_function_start(ref.file, rel);
        debuginfo_function(module_file_debuginfo(ref.file), rel, &start);
        debuginfo_lines(module_file_debuginfo(ref.file), rel, level, 4);
    }
    module_map_close(map);
    module_files_free(files);
    unlink(path);
}

Test(modules, a_replaced_file_is_not_taken_for_the_mapped_one)
{
    char path[] = "/tmp/loopscope-modules-XXXXXX", other[] = "/tmp/loopscope-modules-XXXXXX";
    size_t size;
    char *p = map_copy(path, &size);
    int fd = mkstemp(other);
    struct module_files *files = module_files_new();
    unsigned char bytes[4];

    cr_assert_eq(write(fd, "something else", 14), 14);
    close(fd);
    cr_assert_eq(rename(other, path), 0);
    struct module_map *map = module_map_open(files, getpid());
    struct module_ref ref = module_map_find(map, (uintptr_t)p);
    cr_assert_not_null(ref.file, "map_files or the memory still have it");
    cr_assert_eq(module_map_read(map, (uintptr_t)p, bytes, 4), 4);
    cr_assert_arr_eq(bytes, "\177ELF", 4);
    module_map_close(map);
    module_files_free(files);
    unlink(path);
}

/* Damaged headers: random bytes in a copy, many times. */
Test(modules, damaged_elf_files, .timeout = 60)
{
    for (unsigned round = 0; round < 60; round++) {
        char path[] = "/tmp/loopscope-modules-XXXXXX";
        size_t size;
        char *p = map_copy(path, &size);
        int fd = open(path, O_WRONLY);
        struct debuginfo_level level[4];
        uint64_t start;

        srand(round);
        for (int i = 0; i < 40; i++) {
            unsigned char byte = (unsigned char)rand();
            /* headers, and with them the section table at the end, more often than the rest */
            off_t at = i % 3 == 0 ? 64 + rand() % 900 : i % 3 == 1 ? (off_t)size - 1 - rand() % 3000 : rand() % (off_t)size;
            cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
        }
        close(fd);
        struct module_files *files = module_files_new();
        struct module_map *map = module_map_open(files, getpid());
        struct module_ref ref = module_map_find(map, (uintptr_t)p + 100);
        for (uint64_t rel = 0; ref.file && rel < size; rel += 997) {
            module_file_function_start(ref.file, rel);
            debuginfo_function(module_file_debuginfo(ref.file), rel, &start);
            debuginfo_lines(module_file_debuginfo(ref.file), rel, level, 4);
        }
        module_map_close(map);
        module_files_free(files);
        munmap(p, size);
        unlink(path);
    }
}

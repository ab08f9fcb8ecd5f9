/* misfit.h - is a file a program that our preload library does not fit?  One for another machine, where the loader would
 * complain, or one built with AddressSanitizer, whose runtime must come first and stops the program otherwise.
 *
 * Included by the preload (in whose place a vfork child may run: system calls and the stack only) and by `record`. */
#ifndef LOOPSCOPE_MISFIT_H
#define LOOPSCOPE_MISFIT_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

typedef ssize_t misfit_read(int fd, void *buf, size_t n, off_t at); /* pread, as the includer calls it */

/* Does the dynamic section of this 64-bit file name AddressSanitizer's runtime? */
static inline bool misfit_asan(int fd, const Elf64_Ehdr *head, misfit_read *read_at)
{
    Elf64_Phdr ph[16];
    int n = head->e_phnum < 16 ? head->e_phnum : 16;
    if (head->e_phentsize != sizeof(*ph) ||
        read_at(fd, ph, sizeof(*ph) * (size_t)n, (off_t)head->e_phoff) != (ssize_t)sizeof(*ph) * n)
        return false;
    const Elf64_Phdr *dynamic = NULL;
    for (int i = 0; i < n; i++)
        if (ph[i].p_type == PT_DYNAMIC)
            dynamic = &ph[i];
    Elf64_Dyn dyn[96];
    if (!dynamic)
        return false;
    size_t size = dynamic->p_filesz < sizeof(dyn) ? dynamic->p_filesz : sizeof(dyn);
    ssize_t got = read_at(fd, dyn, size, (off_t)dynamic->p_offset);
    int entries = got < 0 ? 0 : (int)((size_t)got / sizeof(*dyn));
    uint64_t strings = 0;
    for (int i = 0; i < entries; i++)
        if (dyn[i].d_tag == DT_STRTAB)
            strings = dyn[i].d_un.d_ptr;
    for (int i = 0; i < n; i++)
        if (ph[i].p_type == PT_LOAD && strings >= ph[i].p_vaddr && strings - ph[i].p_vaddr < ph[i].p_filesz) {
            strings = strings - ph[i].p_vaddr + ph[i].p_offset;
            break;
        }
    for (int i = 0; i < entries && dyn[i].d_tag != DT_NULL; i++) {
        char name[8] = "";
        if (dyn[i].d_tag == DT_NEEDED &&
            read_at(fd, name, sizeof(name), (off_t)(strings + dyn[i].d_un.d_val)) == sizeof(name) &&
            memcmp(name, "libasan.", sizeof(name)) == 0)
            return true;
    }
    return false;
}

/* What cannot be read or is a script is taken to fit. */
static inline bool misfit(int fd, misfit_read *read_at)
{
    Elf64_Ehdr head, own = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64 } };
#if defined __x86_64__
    own.e_machine = EM_X86_64;
#elif defined __aarch64__
    own.e_machine = EM_AARCH64;
#endif
    if (fd < 0 || read_at(fd, &head, sizeof(head), 0) < (ssize_t)sizeof(Elf32_Ehdr) ||
        memcmp(head.e_ident, own.e_ident, SELFMAG) != 0)
        return false;
    return head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_machine != own.e_machine || misfit_asan(fd, &head, read_at);
}

#endif

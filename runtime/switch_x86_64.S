/* switch_x86_64.S - the end of every coroutine stack: the return address of its first function (context.c).
 *
 * There is nothing above it, and the CFI says so.  An unwinder looks a return address up at address - 1: the nop belongs
 * to it.  Nobody returns here.  The switch itself is inline: context.h. */
#if defined __x86_64__ && !defined LSRT_UCONTEXT
    .text
    .type lsrt_entry_frame, @function
    .p2align 4
lsrt_entry_frame:
    .cfi_startproc
    .cfi_undefined %rip
    nop
    .globl lsrt_entry
    .hidden lsrt_entry
lsrt_entry:
    ud2
    .cfi_endproc
    .size lsrt_entry_frame, .-lsrt_entry_frame
#endif
    .section .note.GNU-stack, "", @progbits

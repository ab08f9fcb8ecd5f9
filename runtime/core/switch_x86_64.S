/* switch_x86_64.S - the switch as the last thing a function does, and the end of every coroutine stack.
 *
 * int lsrt_switch_last(struct ctx *from, struct ctx *to): for a tail call, returns 0 when `from` runs again; see ctx_jump
 * in context.h for the rest.  It goes back by `pop; jmp`: tasks that yield to one another from different places are
 * guessed by the history of jumps, where the stack of returns would guess each wrong. */
#if defined __x86_64__ && !defined LSRT_UCONTEXT
    .text
    .globl lsrt_switch_last
    .hidden lsrt_switch_last
    .type lsrt_switch_last, @function
    .p2align 4
lsrt_switch_last:
    .cfi_startproc
    leaq 1f(%rip), %rax
    movq 16(%rsi), %rcx
    movq 8(%rsi), %rdx
    movq %rbp, 8(%rdi)
    movq %rax, 16(%rdi)
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    .cfi_remember_state
    .cfi_def_cfa %rsp, 0
    .cfi_register %rip, %rcx
    .cfi_register %rbp, %rdx
    .cfi_same_value %rbx
    .cfi_same_value %r12
    .cfi_same_value %r13
    .cfi_same_value %r14
    .cfi_same_value %r15
    movq %rdx, %rbp
    jmpq *%rcx
    .cfi_restore_state
    nop
1:
#if defined __CET__ && __CET__ & 1
    endbr64
#endif
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    xorl %eax, %eax
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmpq *%rcx
    .cfi_endproc
    .size lsrt_switch_last, .-lsrt_switch_last

/* The return address of the first function of a stack (context.c).  There is nothing above it, and the CFI says so.  An
 * unwinder looks a return address up at address - 1: the nop belongs to it.  Nobody returns here. */
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

/* switch_x86_64.S - leave one stack and go on on another (System V ABI): callee-saved registers only.
 *
 * void lsrt_switch(void **save, void *to): *save = this stack, go on on `to`, which was saved by the same function or
 * made by lsrt_ctx_init.  The way back is `pop; jmp`, not `ret`: the processor's return predictor would expect the
 * caller of the other stack, and a wrong guess costs twice the whole switch.
 *
 * The CFI is true at every instruction: both stacks have the same frame, so the rules hold before and after %rsp
 * changes, and a debugger or the recorder can unwind a suspended stack as well as a running one. */
#if defined __x86_64__ && !defined LSRT_UCONTEXT
    .text
    .globl lsrt_switch
    .hidden lsrt_switch
    .type lsrt_switch, @function
    .p2align 4
lsrt_switch:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
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
    movq %rsi, %rsp
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
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmpq *%rcx
    .cfi_endproc
    .size lsrt_switch, .-lsrt_switch

/* The first frame of every stack; there is nothing above it, and the CFI says so.  An unwinder looks a return address
 * up at address - 1, which for a stack that has not begun is the byte before lsrt_entry: the nop belongs to it. */
    .type lsrt_entry_frame, @function
    .p2align 4
lsrt_entry_frame:
    .cfi_startproc
    .cfi_undefined %rip
    nop
    .globl lsrt_entry
    .hidden lsrt_entry
lsrt_entry:
    movq %r12, %rdi
    callq *%rbx
    ud2
    .cfi_endproc
    .size lsrt_entry_frame, .-lsrt_entry_frame
#endif
    .section .note.GNU-stack, "", @progbits

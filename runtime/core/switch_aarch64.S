/* switch_aarch64.S - leave one stack and go on on another (AAPCS64): x19-x30 and d8-d15.
 *
 * void lsrt_switch(void **save, void *to): *save = this stack, go on on `to`, which was saved by the same function or made
 * by lsrt_ctx_init.  `br`, not `ret`: the processor's return predictor would expect the caller of the other stack.
 *
 * The CFI is true at every instruction: both stacks have the same frame, so the rules hold before and after sp changes,
 * and a debugger or the recorder can unwind a suspended stack as well as a running one. */
#if defined __aarch64__ && !defined LSRT_UCONTEXT
    .text
    .globl lsrt_switch
    .hidden lsrt_switch
    .type lsrt_switch, %function
    .p2align 4
lsrt_switch:
    .cfi_startproc
    stp x29, x30, [sp, #-160]!
    .cfi_def_cfa_offset 160
    .cfi_offset 29, -160
    .cfi_offset 30, -152
    stp x19, x20, [sp, #16]
    .cfi_offset 19, -144
    .cfi_offset 20, -136
    stp x21, x22, [sp, #32]
    .cfi_offset 21, -128
    .cfi_offset 22, -120
    stp x23, x24, [sp, #48]
    .cfi_offset 23, -112
    .cfi_offset 24, -104
    stp x25, x26, [sp, #64]
    .cfi_offset 25, -96
    .cfi_offset 26, -88
    stp x27, x28, [sp, #80]
    .cfi_offset 27, -80
    .cfi_offset 28, -72
    stp d8, d9, [sp, #96]
    .cfi_offset 72, -64
    .cfi_offset 73, -56
    stp d10, d11, [sp, #112]
    .cfi_offset 74, -48
    .cfi_offset 75, -40
    stp d12, d13, [sp, #128]
    .cfi_offset 76, -32
    .cfi_offset 77, -24
    stp d14, d15, [sp, #144]
    .cfi_offset 78, -16
    .cfi_offset 79, -8
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x29, x30, [sp], #160
    .cfi_def_cfa_offset 0
    .cfi_restore 29
    .cfi_restore 30
    .cfi_restore 19
    .cfi_restore 20
    .cfi_restore 21
    .cfi_restore 22
    .cfi_restore 23
    .cfi_restore 24
    .cfi_restore 25
    .cfi_restore 26
    .cfi_restore 27
    .cfi_restore 28
    .cfi_restore 72
    .cfi_restore 73
    .cfi_restore 74
    .cfi_restore 75
    .cfi_restore 76
    .cfi_restore 77
    .cfi_restore 78
    .cfi_restore 79
    br x30
    .cfi_endproc
    .size lsrt_switch, .-lsrt_switch

/* The first frame of every stack; the nop is where an unwinder looks a stack up that has not begun (address - 1). */
    .type lsrt_entry_frame, %function
    .p2align 4
lsrt_entry_frame:
    .cfi_startproc
    .cfi_undefined 30
    nop
    .globl lsrt_entry
    .hidden lsrt_entry
lsrt_entry:
    blr x19
    brk #1
    .cfi_endproc
    .size lsrt_entry_frame, .-lsrt_entry_frame
#endif
    .section .note.GNU-stack, "", %progbits

/* stackcopy.h - registers and the bytes of one stack, taken from a thread; unwinding happens later, on the copy.
 * Made by the sampler (from outside) or by a wrapper (EV_STACK); consumed and freed by the unwinder's thread. */
#ifndef LOOPSCOPE_STACKCOPY_H
#define LOOPSCOPE_STACKCOPY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../event.h"

struct stack_copy {
    pid_t pid, tid;       /* as /proc has them here */
    ticks_t time;         /* when it was taken */
    struct ls_regs regs;
    bool only_ip_sp;      /* the other registers are not known (taken from /proc/TID/syscall) */
    bool cut;             /* the copy ends before the end of the stack */
    uint64_t sp;          /* address of bytes[0]; the stack pointer less the red zone, or the stack pointer */
    uint32_t size;
    unsigned char bytes[];
};

#endif

/* eintr_quiet.c - a program without signals of its own is sampled 27,000 times at random moments, mostly asleep in a
 * syscall, which the watchdog would never do on purpose: it must not see one EINTR, one wrong result or one sleep cut
 * short. */
#include "hammer.h"

int main(void)
{
    int bad = 0;
    long repaired = 0;
    for (int kind = 0; kind < K_KINDS; kind++) {
        struct board *b = board_new();
        b->kind = kind;
        pid_t p = fork_child(b, sleeper_run);
        struct hammered h = hammer(p, 3000);
        b->stop = 1;
        int status;
        waitpid(p, &status, 0);
        printf("%-14s samples %ld repaired %ld pending %ld calls %ld eintr %ld other %ld early %ld\n", kind_name[kind],
               h.samples, h.repaired, h.pending, b->calls, b->eintr, b->other, b->early);
        bad += check("every sample gave a stack", h.samples == 3000 && !h.refused);
        bad += check("no EINTR, no other error, no early return", !b->eintr && !b->other && !b->early);
        bad += check("the child ended well", WIFEXITED(status) && !WEXITSTATUS(status));
        repaired += h.repaired;
        munmap(b, sizeof *b);
    }
    bad += check("the repair was needed at all", repaired > 1000);
    return bad != 0;
}

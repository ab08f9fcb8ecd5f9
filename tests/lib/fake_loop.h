/* fake_loop.h - a child process that plays a loop for the watchdog's tests: writes the state word of a slot itself, and
 * does what a script says.  No preload, no probe. */
#ifndef LOOPSCOPE_TESTS_FAKE_LOOP_H
#define LOOPSCOPE_TESTS_FAKE_LOOP_H

#include <stdbool.h>
#include <sys/types.h>

#include "tracer/arena.h"

enum fake_act {
    FAKE_END,
    FAKE_POLL,   /* a turn ends; asleep in its poll for `ms`; the next turn begins */
    FAKE_SPIN,   /* on a CPU */
    FAKE_SLEEP,  /* asleep in nanosleep that nobody wraps */
    FAKE_CALL,   /* asleep in a wrapped nanosleep */
    FAKE_STOP,   /* stops itself; somebody must SIGCONT it */
    FAKE_FOREVER /* asleep until killed, in a wrapped read */
};

struct fake_step {
    enum fake_act act;
    int ms;
};

#define FAKE_TURNS 256

struct fake_board {          /* behind the arena's slots: what the child did */
    _Atomic int turns;       /* busy periods that have ended */
    _Atomic int interrupted; /* sleeps that were cut short */
    _Atomic ticks_t since[FAKE_TURNS], end[FAKE_TURNS];
};

/* An anonymous shared arena with `slots` slots and no rings worth the name; ticks are ns of CLOCK_MONOTONIC. */
struct ls_arena *fake_arena(uint32_t slots);
struct fake_board *fake_board_of(struct ls_arena *a, uint32_t slot);
/* Forks a child that claims the slot, plays the script, `times` times over, and then lives on in its poll. */
pid_t fake_loop(struct ls_arena *a, uint32_t slot, const struct fake_step *script, int times);
/* The slot begins: as a thread's claim does.  For this process. */
void fake_claim(struct ls_slot *s, pid_t pid, pid_t tid);
/* Waits until turn n of the slot has ended. */
bool fake_wait_turn(struct ls_arena *a, uint32_t slot, int n);
void fake_kill(pid_t pid);
ticks_t fake_now(void);
void fake_spin(int ms);

#endif

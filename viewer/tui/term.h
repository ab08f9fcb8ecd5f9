/* term.h - the terminal: cells, colours, keys.  The only module that knows curses.
 *
 * Everything above it puts text by role, never by colour, and takes glyphs from one of two sets.  With
 * LOOPSCOPE_SCRIPT=FILE in the environment there is no terminal: keys come from the file, the screen goes nowhere, and
 * the line ":save-screen FILE" writes it down (tests/screens). */
#ifndef LOOPSCOPE_TUI_TERM_H
#define LOOPSCOPE_TUI_TERM_H

#include <stdbool.h>
#include <stddef.h>

enum role {
    ROLE_NONE,
    ROLE_TITLE,
    ROLE_TAB,
    ROLE_TAB_ON,
    ROLE_AXIS,
    ROLE_LABEL,
    ROLE_LABEL_DIM,
    ROLE_VALUE,
    ROLE_WARN,
    ROLE_SELECTED,
    ROLE_HINT_KEY,
    ROLE_HINT_TEXT,
    ROLE_LOST,
    ROLE_RUN,
    ROLE_STALL,
    ROLE_READY,
    ROLE_LOCK,
    ROLE_IO,
    ROLE_TIMER,
    ROLE_EDGE,     /* born, ended */
    ROLE_MARK,     /* the cursor on axis and minimap */
    ROLE_UNKNOWN,  /* not drawn yet */
    ROLES,
    ROLE_AT_CURSOR = 64 /* or-ed to another role: the cell under the cursor */
};

struct glyphs {
    const char *run[9]; /* by eighths; [0] for none */
    const char *stall, *stall_start, *gap, *ready, *lock, *io, *timer, *born, *ended;
    const char *cursor, *mark, *bar, *tick, *rule, *called_by, *cut, *to, *unknown, *micro;
    bool ascii;
};

struct term_options {
    bool ascii;
    const char *color; /* "auto", "never", "8", "256" */
};

/* 0, or -1 and one line in ret_error. */
int term_open(const struct term_options *options, char *ret_error, size_t error_size);
void term_close(void);

const struct glyphs *term_glyphs(void);
void term_size(int *ret_w, int *ret_h);
bool term_scripted(void);

/* The next key, or KEY_NOTHING after `timeout_ms` (-1: wait). */
int term_key(int timeout_ms);
/* True as soon as a key or a signal waits: what is being drawn is not worth finishing. */
bool term_impatient(void);
/* True when the user, the system or the end of the script wants us to leave. */
bool term_leaving(void);
/* The signal that wants us to leave, 0 = none. */
int term_signal(void);

void term_clear(void);
/* Puts at most `columns` of text, cut with the cut mark; returns the columns used. */
int term_put(int y, int x, int columns, enum role role, const char *text);
/* `n` times the same glyph. */
void term_repeat(int y, int x, int n, enum role role, const char *glyph);
/* Where the hidden cursor stands: screen readers and tmux look there. */
void term_cursor(int y, int x);
void term_flush(void);
void term_redraw(void); /* all of it: somebody else wrote on the screen */

#endif

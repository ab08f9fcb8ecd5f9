/* keys.h - one table says which key does what, on which screen, and how help tells it.  Pure: knows no terminal. */
#ifndef LOOPSCOPE_TUI_KEYS_H
#define LOOPSCOPE_TUI_KEYS_H

#include <stddef.h>

/* A key is the character it types, or one of these. */
enum key {
    KEY_NOTHING = 0,
    KEY_TABULATOR = '\t',
    KEY_RETURN = '\r',
    KEY_ESCAPE = 27,
    KEY_ABOVE_CHARACTERS = 0x110000,
    KEY_ARROW_LEFT,
    KEY_ARROW_RIGHT,
    KEY_ARROW_UP,
    KEY_ARROW_DOWN,
    KEY_SHIFT_LEFT,
    KEY_SHIFT_RIGHT,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_TO_HOME,
    KEY_TO_END,
    KEY_RUBOUT,
    KEY_FUNCTION_1,
    KEY_RESIZED
};
#define KEY_CTRL(letter) ((letter) & 0x1f)

enum request {
    REQ_NONE,
    REQ_LEFT,
    REQ_RIGHT,
    REQ_UP,
    REQ_DOWN,
    REQ_HALF_UP,
    REQ_HALF_DOWN,
    REQ_PAGE_UP,
    REQ_PAGE_DOWN,
    REQ_FIRST,
    REQ_LAST,
    REQ_START,
    REQ_END,
    REQ_ZOOM_IN,
    REQ_ZOOM_OUT,
    REQ_PAN_LEFT,
    REQ_PAN_RIGHT,
    REQ_NUDGE_LEFT,
    REQ_NUDGE_RIGHT,
    REQ_WHOLE,
    REQ_FIT,
    REQ_OPEN,
    REQ_NEXT_STALL,
    REQ_PREVIOUS_STALL,
    REQ_SORT,
    REQ_BACK,
    REQ_PANE,
    REQ_HELP,
    REQ_REDRAW,
    REQ_CLOSE,
    REQ_QUIT,
    REQ_RESIZE, /* from the terminal, not from a key of the table */
    REQUESTS
};

enum screen_bit {
    ON_TIMELINE = 1,
    ON_DETAIL = 2,
    ON_HELP = 4,
    ON_LISTS = ON_DETAIL | ON_HELP,
    ON_ALL = ON_TIMELINE | ON_DETAIL | ON_HELP
};

enum key_section { SECTION_MOVE, SECTION_TIME, SECTION_FIND, SECTION_SCREEN, SECTIONS };

enum { KEYS_PER_REQUEST = 4, KEY_NAME = 16 };

struct key_binding {
    enum request request;
    unsigned screens;               /* enum screen_bit */
    enum key_section section;
    int keys[KEYS_PER_REQUEST];     /* KEY_NOTHING ends it when there are fewer; the first is the one hints show */
    const char *help;
};

extern const struct key_binding key_table[];
extern const size_t key_table_size;
extern const char *const key_section_names[SECTIONS];

/* One entry of the bottom line: the first keys of some requests, and a word. */
struct key_hint {
    unsigned screens;
    enum request requests[4];
    const char *text, *short_text;  /* short: where the line has 80 columns; "" = keys alone */
};
extern const struct key_hint key_hints[];
extern const size_t key_hints_size;

enum request keys_request(unsigned screen, int key);
const struct key_binding *keys_binding(enum request request);
/* "^d", "Enter", "F1", "]".  ascii: "Left" instead of an arrow. */
void keys_name(int key, int ascii, char ret_name[KEY_NAME]);
/* The key with this name, KEY_NOTHING when there is none. */
int keys_named(const char *name);

#endif

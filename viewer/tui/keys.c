/* keys.c - the key table: requests, default keys, help text and hints come from here and nowhere else.  Pure. */
#include "keys.h"

#include <stdio.h>
#include <string.h>

const char *const key_section_names[SECTIONS] = {
    [SECTION_MOVE] = "MOVE", [SECTION_TIME] = "TIME", [SECTION_FIND] = "FIND", [SECTION_SCREEN] = "SCREEN"
};

const struct key_binding key_table[] = {
    { REQ_LEFT, ON_TIMELINE, SECTION_MOVE, { 'h', KEY_ARROW_LEFT }, "cursor one column back" },
    { REQ_DOWN, ON_ALL, SECTION_MOVE, { 'j', KEY_ARROW_DOWN }, "next lane or row" },
    { REQ_UP, ON_ALL, SECTION_MOVE, { 'k', KEY_ARROW_UP }, "lane or row above" },
    { REQ_RIGHT, ON_TIMELINE, SECTION_MOVE, { 'l', KEY_ARROW_RIGHT }, "cursor one column on" },
    { REQ_HALF_DOWN, ON_ALL, SECTION_MOVE, { KEY_CTRL('d') }, "half a page down" },
    { REQ_HALF_UP, ON_ALL, SECTION_MOVE, { KEY_CTRL('u') }, "half a page up" },
    { REQ_PAGE_DOWN, ON_ALL, SECTION_MOVE, { KEY_PAGE_DOWN, KEY_CTRL('f') }, "a page down" },
    { REQ_PAGE_UP, ON_ALL, SECTION_MOVE, { KEY_PAGE_UP, KEY_CTRL('b') }, "a page up" },
    { REQ_FIRST, ON_ALL, SECTION_MOVE, { 'g' }, "first lane or row" },
    { REQ_LAST, ON_ALL, SECTION_MOVE, { 'G' }, "last lane or row" },
    { REQ_START, ON_TIMELINE, SECTION_TIME, { KEY_TO_HOME }, "start of the trace" },
    { REQ_END, ON_TIMELINE, SECTION_TIME, { KEY_TO_END }, "end of the trace" },
    { REQ_ZOOM_IN, ON_TIMELINE, SECTION_TIME, { '+', '=', 'w' }, "zoom in at the cursor" },
    { REQ_ZOOM_OUT, ON_TIMELINE, SECTION_TIME, { '-', 's' }, "zoom out at the cursor" },
    { REQ_PAN_LEFT, ON_TIMELINE, SECTION_TIME, { 'a' }, "half a window back" },
    { REQ_PAN_RIGHT, ON_TIMELINE, SECTION_TIME, { 'd' }, "half a window on" },
    { REQ_NUDGE_LEFT, ON_TIMELINE, SECTION_TIME, { KEY_SHIFT_LEFT }, "eight columns back" },
    { REQ_NUDGE_RIGHT, ON_TIMELINE, SECTION_TIME, { KEY_SHIFT_RIGHT }, "eight columns on" },
    { REQ_WHOLE, ON_TIMELINE, SECTION_TIME, { '0' }, "the whole trace" },
    { REQ_FIT, ON_TIMELINE, SECTION_TIME, { 'f' }, "fit the selected span" },
    { REQ_OPEN, ON_TIMELINE, SECTION_TIME, { KEY_RETURN }, "zoom to the span" },
    { REQ_NEXT_STALL, ON_TIMELINE, SECTION_FIND, { ']' }, "next stall" },
    { REQ_PREVIOUS_STALL, ON_TIMELINE, SECTION_FIND, { '[' }, "previous stall" },
    { REQ_SORT, ON_TIMELINE, SECTION_FIND, { 'R' }, "sort tasks for the window" },
    { REQ_BACK, ON_ALL, SECTION_SCREEN, { KEY_RUBOUT }, "back to the last place" },
    { REQ_PANE, ON_TIMELINE | ON_DETAIL, SECTION_SCREEN, { KEY_TABULATOR }, "all about the selection" },
    { REQ_HELP, ON_ALL, SECTION_SCREEN, { '?', KEY_FUNCTION_1 }, "this help" },
    { REQ_REDRAW, ON_ALL, SECTION_SCREEN, { KEY_CTRL('l') }, "draw the screen again" },
    { REQ_CLOSE, ON_LISTS, SECTION_SCREEN, { 'q', KEY_ESCAPE }, "close" },
    { REQ_QUIT, ON_TIMELINE, SECTION_SCREEN, { 'q', KEY_CTRL('c') }, "quit" },
};
const size_t key_table_size = sizeof key_table / sizeof *key_table;

const struct key_hint key_hints[] = {
    { ON_TIMELINE, { REQ_LEFT, REQ_DOWN, REQ_UP, REQ_RIGHT }, "move", "" },
    { ON_TIMELINE, { REQ_ZOOM_IN, REQ_ZOOM_OUT }, "zoom", "zoom" },
    { ON_TIMELINE, { REQ_PAN_LEFT, REQ_PAN_RIGHT }, "pan", "pan" },
    { ON_TIMELINE, { REQ_NEXT_STALL, REQ_PREVIOUS_STALL }, "next, previous stall", "stall" },
    { ON_TIMELINE, { REQ_OPEN }, "zoom to span", "span" },
    { ON_TIMELINE, { REQ_WHOLE }, "whole trace", "all" },
    { ON_TIMELINE, { REQ_BACK }, "back", "" },
    { ON_TIMELINE, { REQ_PANE }, "details", "" },
    { ON_LISTS, { REQ_DOWN, REQ_UP }, "scroll", "scroll" },
};
const size_t key_hints_size = sizeof key_hints / sizeof *key_hints;

static const struct {
    int key;
    const char *name, *plain;
} named[] = {
    { KEY_RETURN, "Enter", "Enter" },
    { KEY_TABULATOR, "Tab", "Tab" },
    { KEY_ESCAPE, "Esc", "Esc" },
    { KEY_RUBOUT, "Backspace", "Backspace" },
    { KEY_ARROW_LEFT, "←", "Left" },
    { KEY_ARROW_RIGHT, "→", "Right" },
    { KEY_ARROW_UP, "↑", "Up" },
    { KEY_ARROW_DOWN, "↓", "Down" },
    { KEY_SHIFT_LEFT, "Shift-←", "S-Left" },
    { KEY_SHIFT_RIGHT, "Shift-→", "S-Right" },
    { KEY_PAGE_UP, "PgUp", "PgUp" },
    { KEY_PAGE_DOWN, "PgDn", "PgDn" },
    { KEY_TO_HOME, "Home", "Home" },
    { KEY_TO_END, "End", "End" },
    { KEY_FUNCTION_1, "F1", "F1" },
    { ' ', "Space", "Space" },
};

enum request keys_request(unsigned screen, int key)
{
    if (key == KEY_RESIZED)
        return REQ_RESIZE;
    for (size_t i = 0; key != KEY_NOTHING && i < key_table_size; i++)
        for (int k = 0; (key_table[i].screens & screen) && k < KEYS_PER_REQUEST; k++)
            if (key_table[i].keys[k] == key)
                return key_table[i].request;
    return REQ_NONE;
}

const struct key_binding *keys_binding(enum request request)
{
    for (size_t i = 0; i < key_table_size; i++)
        if (key_table[i].request == request)
            return &key_table[i];
    return NULL;
}

void keys_name(int key, int ascii, char ret_name[KEY_NAME])
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (named[i].key == key) {
            snprintf(ret_name, KEY_NAME, "%s", ascii ? named[i].plain : named[i].name);
            return;
        }
    if (key > 0 && key < ' ')
        snprintf(ret_name, KEY_NAME, "^%c", key + 'a' - 1);
    else
        snprintf(ret_name, KEY_NAME, "%c", key > ' ' && key < 0x7f ? key : '?');
}

int keys_named(const char *name)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strcmp(named[i].plain, name) == 0 || strcmp(named[i].name, name) == 0)
            return named[i].key;
    if (name[0] == '^' && name[1] >= 'a' && name[1] <= 'z' && !name[2])
        return KEY_CTRL(name[1]);
    return name[0] > ' ' && !name[1] ? name[0] : KEY_NOTHING;
}

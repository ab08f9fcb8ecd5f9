/* help.c - what each key does on the screen below, and what the signs mean; all of it made from the key table and the
 * glyph set, so that it cannot be wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

enum { ENTRIES_MAX = 96, KEYS_W = 11, COLUMN_W = 40 };

struct entry {
    enum role role;
    char keys[KEYS_W * 4], text[64]; /* a title has no keys */
    int section, x, y;               /* the section stays together in one column */
};

struct help {
    int n, top, lines, sections, columns; /* `lines` of them in the tallest column */
    struct entry at[ENTRIES_MAX];
};

static void add(struct help *h, enum role role, const char *keys, const char *text)
{
    if (h->n == ENTRIES_MAX)
        return;
    struct entry *e = &h->at[h->n++];
    e->role = role;
    h->sections += role == ROLE_TITLE;
    e->section = h->sections;
    snprintf(e->keys, sizeof e->keys, "%s", keys);
    snprintf(e->text, sizeof e->text, "%s", text);
}

/* Nothing, not even its title, when the screen has no key of it. */
static void add_section(struct help *h, enum key_section section, unsigned screen)
{
    char keys[64], name[KEY_NAME];
    bool empty = true;

    for (size_t i = 0; i < key_table_size; i++) {
        const struct key_binding *b = &key_table[i];
        if (b->section != section || !(b->screens & screen))
            continue;
        if (empty)
            add(h, ROLE_TITLE, "", key_section_names[section]);
        empty = false;
        *keys = 0;
        for (int k = 0; k < KEYS_PER_REQUEST && b->keys[k]; k++) {
            keys_name(b->keys[k], term_glyphs()->ascii, name);
            snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s%s", k ? " " : "", name);
        }
        add(h, ROLE_HINT_KEY, keys, b->help);
    }
    if (!empty)
        add(h, ROLE_NONE, "", "");
}

static void add_signs(struct help *h)
{
    const struct glyphs *g = term_glyphs();
    char runs[32], stall[16], life[16];

    snprintf(runs, sizeof runs, "%s%s%s", g->run[1], g->run[4], g->run[8]);
    snprintf(stall, sizeof stall, "%s%s", g->stall_start, g->stall);
    snprintf(life, sizeof life, "%s %s", g->born, g->ended);
    add(h, ROLE_TITLE, "", "SIGNS");
    add(h, ROLE_RUN, runs, "runs, by share of column");
    add(h, ROLE_STALL, stall, "stall: nothing else ran");
    add(h, ROLE_READY, g->ready, "ready, but loop is busy");
    add(h, ROLE_LOCK, g->lock, "waits for lock or task");
    add(h, ROLE_IO, g->io, "waits for I/O");
    add(h, ROLE_TIMER, g->timer, "waits for a time");
    add(h, ROLE_EDGE, life, "born, ended");
    add(h, ROLE_LOST, g->gap, "events were lost here");
    add(h, ROLE_NONE, "", "A cell shows the worst in it;");
    add(h, ROLE_NONE, "", "zoom in to see each.");
}

static int help_open(struct view *v)
{
    struct help *h = view_private(v);
    unsigned screen = view_below(v) ? view_below(v) : ON_TIMELINE;

    for (int s = 0; s < SECTIONS; s++)
        add_section(h, (enum key_section)s, screen);
    add_signs(h);
    return 0;
}

static int page(const struct view *v)
{
    return v->layout.hints_y - 2;
}

static int section_length(const struct help *h, int first)
{
    int n = 1;
    while (first + n < h->n && h->at[first + n].section == h->at[first].section)
        n++;
    return n;
}

/* Deals the sections out to columns of `lines`; how many columns that takes. */
static int deal(struct help *h, int lines)
{
    int x = 0, y = 0;

    for (int i = 0; i < h->n; i++) {
        bool title = i == 0 || h->at[i].section != h->at[i - 1].section;
        if (y > 0 && (y == lines || (title && y + section_length(h, i) > lines))) {
            x++;
            y = 0;
        }
        h->at[i].x = x;
        h->at[i].y = y++;
    }
    return x + 1;
}

static void arrange(struct view *v, struct help *h)
{
    int most = v->layout.w / COLUMN_W;

    for (h->lines = page(v); deal(h, h->lines) > (most > 0 ? most : 1); h->lines++)
        ;
    h->columns = most > 0 ? most : 1;
}

static void help_draw(struct view *v)
{
    struct help *h = view_private(v);

    arrange(v, h);
    int w = v->layout.w / h->columns;
    term_repeat(1, 0, v->layout.w, ROLE_AXIS, term_glyphs()->rule);
    term_put(1, 2, v->layout.w, ROLE_TITLE, " help: the keys of this screen ");
    for (int i = 0; i < h->n; i++) {
        const struct entry *e = &h->at[i];
        int y = 2 + e->y - h->top, x = e->x * w + 1;
        if (y < 2 || y >= v->layout.hints_y)
            continue;
        int indent = *e->keys ? KEYS_W + 1 : 0;
        term_put(y, x + 1, KEYS_W, e->role, e->keys);
        term_put(y, x + indent, w - indent - 1, *e->keys ? ROLE_VALUE : e->role, e->text);
    }
}

static bool help_request(struct view *v, enum request request)
{
    struct help *h = view_private(v);

    if (request == REQ_BACK || request == REQ_HELP) {
        view_close(v);
        return true;
    }
    return view_scroll(request, page(v), h->lines, &h->top);
}

const struct view_ops help_ops = {
    .bit = ON_HELP,
    .private_size = sizeof(struct help),
    .open = help_open,
    .draw = help_draw,
    .request = help_request,
};

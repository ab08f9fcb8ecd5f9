/* view.c - the loop: a key becomes a request, the screen on top answers it, the frame is drawn.  Owns the stack of
 * screens and the places to come back to; draws what all screens have around them: header, tabs, hints. */
#include "view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct view_ops *const view_screens[] = { &timeline_ops, NULL };

void *view_private(struct view *v)
{
    return v->stack[v->depth - 1].private;
}

unsigned view_below(const struct view *v)
{
    return v->depth > 1 ? v->stack[v->depth - 2].ops->bit : 0;
}

int view_open(struct view *v, const struct view_ops *ops)
{
    if (v->depth == VIEW_STACK)
        return -E2BIG;
    struct view_frame *frame = &v->stack[v->depth];
    frame->ops = ops;
    frame->private = ops->private_size ? calloc(1, ops->private_size) : NULL;
    if (ops->private_size && !frame->private)
        return -ENOMEM;
    v->depth++;
    int r = ops->open ? ops->open(v) : 0;
    if (r < 0)
        view_close(v);
    return r;
}

void view_close(struct view *v)
{
    struct view_frame *frame = &v->stack[v->depth - 1];

    if (frame->ops->close)
        frame->ops->close(v);
    free(frame->private);
    v->depth--;
}

void view_remember(struct view *v)
{
    v->places[v->next_place] = (struct place){ .win = v->win, .lane = v->lane };
    v->next_place = (v->next_place + 1) % VIEW_PLACES;
    if (v->n_places < VIEW_PLACES)
        v->n_places++;
}

bool view_recall(struct view *v)
{
    if (v->n_places == 0)
        return false;
    v->n_places--;
    v->next_place = (v->next_place + VIEW_PLACES - 1) % VIEW_PLACES;
    const struct place *p = &v->places[v->next_place];
    int w = v->win.w;
    v->win = p->win;
    window_resize(&v->win, w); /* the terminal may have changed since */
    v->lane = p->lane;
    return true;
}

bool view_scroll(enum request request, int page, int n, int *top)
{
    int last = n > page ? n - page : 0, to = *top;

    switch (request) {
    case REQ_DOWN: to++; break;
    case REQ_UP: to--; break;
    case REQ_HALF_DOWN: to += page / 2; break;
    case REQ_HALF_UP: to -= page / 2; break;
    case REQ_PAGE_DOWN: to += page; break;
    case REQ_PAGE_UP: to -= page; break;
    case REQ_FIRST: to = 0; break;
    case REQ_LAST: to = last; break;
    case REQ_RESIZE: break;
    default: return false;
    }
    *top = to < 0 ? 0 : to > last ? last : to;
    return true;
}

char *view_lane_name(const struct lane *lane, char *ret, size_t size)
{
    switch (lane->kind) {
    case LANE_LOOP:
        snprintf(ret, size, "loop %" PRId64 "%s%s", lane->id, *lane->name ? " " : "", lane->name);
        break;
    case LANE_CALL:
        snprintf(ret, size, "%s", lane->name);
        break;
    case LANE_CAUSE:
        snprintf(ret, size, "(%s)", lane->name);
        break;
    case LANE_TASK:
        snprintf(ret, size, "#%" PRId64 " %s", lane->id, lane->name);
        break;
    }
    return ret;
}

/* Who, how much, how long: what does not fit is left out from the right.  Lost events and the time always stay. */
static void draw_header(struct view *v)
{
    const struct timeline_facts *f = &v->facts;
    char parts[5][TEXT_MAX], lost[TEXT_MAX], right[TEXT_MAX * 2], time[TEXT_MAX];
    int w = v->layout.w, y = v->layout.header_y, x = 0, n = 0;

    snprintf(parts[n++], TEXT_MAX, "%s%.*s", w >= 100 ? " loopscope  " : " ", w >= 80 ? 40 : 14, v->file);
    if (w >= 60)
        snprintf(parts[n++], TEXT_MAX, "  %s", human_plural(f->loops, "loop", "loops").s);
    if (w >= 60 && f->tasks)
        snprintf(parts[n++], TEXT_MAX, "  %s", human_plural(f->tasks, "task", "tasks").s);
    if (w >= 100) {
        snprintf(parts[n++], TEXT_MAX, "  %s", human_duration(f->duration).s);
        snprintf(parts[n++], TEXT_MAX, "  %s", human_plural(f->events, "event", "events").s);
    }
    snprintf(lost, sizeof lost, "%s lost", human_count(f->lost).s);
    snprintf(right, sizeof right, "%sT %s ", w >= 60 ? "   " : " ", text_time(time, v->win.t, v->win.per));
    int time_x = w - text_width(right), lost_x = time_x - text_width(lost);
    for (int i = 0; i < n && x + text_width(parts[i]) < lost_x; i++)
        x += term_put(y, x, w, i == 0 ? ROLE_TITLE : ROLE_VALUE, parts[i]);
    term_put(y, lost_x, time_x - lost_x, f->lost ? ROLE_LOST : ROLE_VALUE, lost);
    term_put(y, time_x, w - time_x, ROLE_VALUE, right);
}

static void draw_tabs(struct view *v)
{
    const struct timeline_facts *f = &v->facts;
    struct human limit = human_duration(f->threshold);
    char text[TEXT_MAX * 3];
    int x = 1, y = v->layout.tabs_y;

    if (y < 0)
        return;
    for (int i = 0; view_screens[i]; i++) {
        bool on = view_screens[i] == v->stack[0].ops;
        snprintf(text, sizeof text, on ? "[%d %s]" : " %d %s ", i + 1,
                 v->layout.wide ? view_screens[i]->name : view_screens[i]->short_name);
        x += term_put(y, x, v->layout.w - x, on ? ROLE_TAB_ON : ROLE_TAB, text) + 1;
    }
    if (f->stalls == 0)
        snprintf(text, sizeof text, "no stall over %s ", limit.s);
    else
        snprintf(text, sizeof text, "%s over %s, worst %s ", human_plural(f->stalls, "stall", "stalls").s, limit.s,
                 human_duration(f->worst_stall).s);
    if (!f->finished)
        strcat(text, "  still being written ");
    int at = v->layout.w - text_width(text);
    if (at > x)
        term_put(y, at, v->layout.w - at, f->stalls ? ROLE_WARN : ROLE_LABEL_DIM, text);
}

/* "hjkl": the first keys of the requests of a hint. */
static void hint_keys(const struct key_hint *hint, char *ret, size_t size)
{
    char name[KEY_NAME];

    *ret = 0;
    for (size_t i = 0; i < sizeof hint->requests / sizeof *hint->requests && hint->requests[i]; i++) {
        keys_name(keys_binding(hint->requests[i])->keys[0], term_glyphs()->ascii, name);
        strncat(ret, name, size - strlen(ret) - 1);
    }
}

static int put_hint(int y, int x, int end, const char *keys, const char *text)
{
    int need = text_width(keys) + (*text ? 1 + text_width(text) : 0);

    if (x + need > end) /* half a hint would only puzzle */
        return 0;
    term_put(y, x, need, ROLE_HINT_KEY, keys);
    if (*text)
        term_put(y, x + text_width(keys) + 1, need, ROLE_HINT_TEXT, text);
    return need + 2;
}

static void draw_hints(struct view *v)
{
    const struct view_frame *top = &v->stack[v->depth - 1];
    char keys[64], help[KEY_NAME], quit[KEY_NAME];
    int y = v->layout.hints_y, x = 1, w = v->layout.w;
    int right = top->ops->bit == ON_TIMELINE ? w - (int)strlen("? help  q quit ") : w - (int)strlen("q back ");

    keys_name(keys_binding(REQ_HELP)->keys[0], 0, help);
    keys_name(keys_binding(REQ_QUIT)->keys[0], 0, quit);
    if (*v->message) {
        term_put(y, 1, right - 1, ROLE_VALUE, v->message);
    } else {
        for (size_t i = 0; i < key_hints_size; i++) {
            if (!(key_hints[i].screens & top->ops->bit))
                continue;
            hint_keys(&key_hints[i], keys, sizeof keys);
            x += put_hint(y, x, right - 2, keys, v->layout.wide ? key_hints[i].text : key_hints[i].short_text);
        }
    }
    x = right;
    if (top->ops->bit == ON_TIMELINE)
        x += put_hint(y, x, w, help, "help");
    put_hint(y, x, w, quit, top->ops->bit == ON_TIMELINE ? "quit" : "back");
}

static void draw_too_small(const struct view *v)
{
    char text[128];

    snprintf(text, sizeof text, "loopscope needs %dx%d,", LAYOUT_MIN_W, LAYOUT_MIN_H);
    if (v->layout.h > 1)
        term_put(0, 0, v->layout.w, ROLE_VALUE, text);
    snprintf(text, sizeof text, "this is %dx%d. q quits.", v->layout.w, v->layout.h);
    term_put(v->layout.h > 1, 0, v->layout.w, ROLE_VALUE, text);
}

void view_draw(struct view *v)
{
    v->unfinished = false;
    term_clear();
    if (v->layout.too_small) {
        draw_too_small(v);
    } else {
        draw_header(v);
        draw_tabs(v);
        draw_hints(v);
        term_cursor(v->layout.hints_y, 0);
        v->stack[v->depth - 1].ops->draw(v);
    }
    term_flush();
}

static void layout_again(struct view *v)
{
    int w, h;

    term_size(&w, &h);
    v->layout = layout_timeline(w, h);
    for (int i = 0, depth = v->depth; i < depth; i++) { /* each screen, also those below the one on top */
        v->depth = i + 1;
        v->stack[i].ops->request(v, REQ_RESIZE);
        v->depth = depth;
    }
}

static void answer(struct view *v, enum request request)
{
    v->message[0] = 0;
    if (request == REQ_RESIZE) {
        layout_again(v);
        return;
    }
    if (request == REQ_NONE || v->stack[v->depth - 1].ops->request(v, request))
        return;
    switch (request) {
    case REQ_QUIT: v->quit = true; break;
    case REQ_CLOSE: view_close(v); break;
    case REQ_HELP:
        if (v->stack[v->depth - 1].ops != &help_ops)
            view_open(v, &help_ops);
        break;
    case REQ_REDRAW: term_redraw(); break;
    default: break;
    }
}

void view_run(struct view *v)
{
    layout_again(v);
    while (!v->quit && !term_leaving()) {
        view_draw(v);
        int key = term_key(v->unfinished ? 0 : -1);
        bool quits = v->layout.too_small && key == 'q'; /* whatever is open under the line that says so */
        answer(v, keys_request(v->stack[v->depth - 1].ops->bit, key));
        v->quit |= quits;
    }
}

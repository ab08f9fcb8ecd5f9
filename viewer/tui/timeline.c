/* timeline.c - the first screen: time from left to right, a lane a row: loops, then tasks (or the calls that blocked
 * each loop).  Owns the list of lanes and the columns drawn last; spans are read when a lane comes into sight, and
 * after a pan only for the columns that came in. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "detail.h"
#include "lanes.h"
#include "view.h"

enum { TASKS_MAX = 2000, ROWS_CACHED = 96, NUDGE = 8, TENTHS_OPEN = 3, TENTHS_FIT = 9, FRAME_BUDGET_MS = 30 };

/* The columns of one lane as they were drawn last. */
struct drawn {
    struct lane lane;
    struct columns columns;
    bool full;                   /* false: given up for a key, to be drawn again */
    unsigned used;               /* the frame that used it last */
};

struct timeline_view {
    struct lane *loops, *tasks;  /* the rows: first all of loops, then all of tasks */
    int n_loops, n_tasks, selected, top;
    int64_t tasks_alive;         /* in the window; n_tasks of them are listed */
    tns_t sort_from, sort_to;    /* the window the tasks were sorted for: a pan does not sort again */
    tns_t list_from, list_to;    /* the window they were listed for */
    struct drawn *drawn;
    unsigned frame;
    struct timespec frame_start;
    struct columns minimap;      /* busy: the busiest loop */
    bool minimap_done;
};

static int rows(const struct timeline_view *tv)
{
    return tv->n_loops + tv->n_tasks;
}

static const struct lane *row(const struct timeline_view *tv, int i)
{
    return i < tv->n_loops ? &tv->loops[i] : &tv->tasks[i - tv->n_loops];
}

static bool same_lane(const struct lane *a, const struct lane *b)
{
    return a->kind == b->kind && a->id == b->id &&
           (a->kind == LANE_LOOP || a->kind == LANE_TASK || strcmp(a->name, b->name) == 0);
}

/* Loops stay in sight above the tasks, as long as they leave them room. */
static int pinned(const struct view *v, const struct timeline_view *tv)
{
    int most = v->layout.lanes_h / 3 > 0 ? v->layout.lanes_h / 3 : 1;

    if (v->facts.tasks == 0)
        return 0;
    return tv->n_loops < most ? tv->n_loops : most;
}

/* Rows that scroll, below the pinned ones and the line that divides them. */
static int scroll_height(const struct view *v, const struct timeline_view *tv)
{
    int h = v->layout.lanes_h - pinned(v, tv) - (v->facts.tasks > 0);
    return h > 1 ? h : 1;
}

static void keep_visible(struct view *v, struct timeline_view *tv)
{
    int pin = pinned(v, tv), h = scroll_height(v, tv), at;

    tv->selected = tv->selected >= rows(tv) ? rows(tv) - 1 : tv->selected;
    tv->selected = tv->selected < 0 ? 0 : tv->selected;
    at = tv->selected - pin;
    if (at >= 0 && at < tv->top)
        tv->top = at;
    if (at >= tv->top + h)
        tv->top = at - h + 1;
    int last = rows(tv) - pin - h;
    tv->top = tv->top > last ? last : tv->top;
    tv->top = tv->top < 0 ? 0 : tv->top;
    if (rows(tv))
        v->lane = *row(tv, tv->selected);
}

/* Selects this lane, or the row at the same height when it is not listed. */
static void select_lane(struct view *v, struct timeline_view *tv, const struct lane *lane)
{
    for (int i = 0; i < rows(tv); i++)
        if (same_lane(row(tv, i), lane)) {
            tv->selected = i;
            break;
        }
    keep_visible(v, tv);
}

/* Lists the tasks of this window when it is another one; sorts them for it when asked to. */
static void list_tasks(struct view *v, struct timeline_view *tv, bool sort)
{
    tns_t from = v->win.from, to = window_end(&v->win);
    struct lane keep = v->lane, *tasks;
    int n;
    int64_t alive;

    if (v->facts.tasks == 0 || (!sort && from == tv->list_from && to == tv->list_to))
        return;
    if (sort) {
        tv->sort_from = from;
        tv->sort_to = to;
    }
    timeline_tasks(v->tl, from, to, tv->sort_from, tv->sort_to, TASKS_MAX, &tasks, &n, &alive);
    free(tv->tasks);
    tv->tasks = tasks;
    tv->n_tasks = n;
    tv->tasks_alive = alive;
    tv->list_from = from;
    tv->list_to = to;
    select_lane(v, tv, &keep);
}

static int lane_role(const struct column *c)
{
    static const enum role by_state[] = {
        [SPAN_NONE] = ROLE_NONE, [SPAN_TIMER] = ROLE_TIMER, [SPAN_IO] = ROLE_IO,   [SPAN_LOCK] = ROLE_LOCK,
        [SPAN_READY] = ROLE_READY, [SPAN_RUN] = ROLE_RUN,   [SPAN_GAP] = ROLE_LOST, [SPAN_STALL] = ROLE_STALL,
    };

    if ((c->born || c->ended) && c->state < SPAN_RUN)
        return ROLE_EDGE;
    return by_state[c->state];
}

static const char *lane_glyph(const struct columns *c, int x)
{
    const struct glyphs *g = term_glyphs();
    const struct column *col = &c->at[x];

    if ((col->born || col->ended) && col->state < SPAN_RUN)
        return col->born ? g->born : g->ended;
    switch ((enum span_state)col->state) {
    case SPAN_STALL: return col->stall_start || x == 0 ? g->stall_start : g->stall; /* each one in sight has a sign */
    case SPAN_GAP: return g->gap;
    case SPAN_RUN: return g->run[lanes_eighths(c, x)];
    case SPAN_READY: return g->ready;
    case SPAN_LOCK: return g->lock;
    case SPAN_IO: return g->io;
    case SPAN_TIMER: return g->timer;
    case SPAN_NONE: break;
    }
    return " ";
}

static bool frame_is_late(const struct timeline_view *tv)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - tv->frame_start.tv_sec) * 1000 + (now.tv_nsec - tv->frame_start.tv_nsec) / 1000000 >=
           FRAME_BUDGET_MS;
}

/* Past its budget a frame gives way to the next key. */
static bool give_way(void *arg)
{
    return frame_is_late(arg) && term_impatient();
}

/* Reads [first, end) of the columns. */
static bool fill(struct view *v, struct timeline_view *tv, const struct lane *lane, struct columns *c, int first, int end)
{
    tns_t from = c->from + first * c->per, to = c->from + end * c->per;

    timeline_interrupt(v->tl, term_scripted() ? NULL : give_way, tv);
    int r = first < end ? timeline_spans(v->tl, lane, from, to, c->per, lanes_add, c) : 0;
    timeline_interrupt(v->tl, NULL, NULL);
    return r == 0;
}

/* The columns of this lane for the window: as they are, moved by a pan, or read. */
static struct drawn *columns_of(struct view *v, struct timeline_view *tv, const struct lane *lane)
{
    struct drawn *d = NULL, *oldest = &tv->drawn[0];
    const struct window *win = &v->win;
    int first = 0, end = win->w;

    for (int i = 0; i < ROWS_CACHED && !d; i++) {
        if (tv->drawn[i].used && same_lane(&tv->drawn[i].lane, lane))
            d = &tv->drawn[i];
        if (tv->drawn[i].used < oldest->used)
            oldest = &tv->drawn[i];
    }
    tns_t moved = d ? win->from - d->columns.from : 0;
    bool near = d && d->full && d->columns.per == win->per && d->columns.w == win->w && moved % win->per == 0 &&
                moved / win->per > -win->w && moved / win->per < win->w;
    d = d ? d : oldest;
    d->used = tv->frame;
    if (near && moved == 0)
        return d;
    d->lane = *lane;
    if (near)
        lanes_shift(&d->columns, (int)(moved / win->per), &first, &end);
    else
        lanes_clear(&d->columns, win->from, win->per, win->w);
    d->full = !give_way(tv) && fill(v, tv, lane, &d->columns, first, end);
    if (lane->kind == LANE_TASK)
        lanes_mark_life(&d->columns, lane->born, lane->ended);
    return d;
}

static int busy_percent(const struct columns *c)
{
    double run = 0;

    for (int x = 0; x < c->w; x++)
        run += (double)(c->at[x].state == SPAN_STALL && c->at[x].run == 0 ? c->per : c->at[x].run);
    return (int)(run * 100 / ((double)c->per * c->w) + 0.5);
}

static void draw_label(struct view *v, const struct lane *lane, const struct columns *c, int y, bool selected)
{
    const struct layout *l = &v->layout;
    char name[128], busy[16] = "";
    enum role role = selected ? ROLE_SELECTED : lane->kind == LANE_LOOP || lane->stalls ? ROLE_LABEL : ROLE_LABEL_DIM;
    int indent = v->facts.tasks == 0 && lane->kind != LANE_LOOP ? 3 : 1, w = l->label_w - indent;

    view_lane_name(lane, name, sizeof name);
    if (lane->kind == LANE_LOOP && l->wide)
        snprintf(busy, sizeof busy, "busy %d%%", busy_percent(c));
    if (selected) {
        term_put(y, 0, 1, ROLE_TITLE, ">");
        term_repeat(y, 1, l->label_w - 1, ROLE_SELECTED, " ");
    }
    term_put(y, indent, w - (*busy ? text_width(busy) + 1 : 0), role, name);
    term_put(y, l->label_w - text_width(busy), w, selected ? ROLE_SELECTED : ROLE_LABEL_DIM, busy);
    term_put(y, l->label_w, 1, ROLE_AXIS, term_glyphs()->bar);
}

static void draw_lane(struct view *v, struct timeline_view *tv, int i, int y)
{
    const struct layout *l = &v->layout;
    struct drawn *d = columns_of(v, tv, row(tv, i));
    const struct columns *c = &d->columns;
    int cursor = window_column(&v->win);
    bool selected = i == tv->selected;

    draw_label(v, row(tv, i), c, y, selected);
    for (int x = 0; x < l->plot_w && x < c->w; x++) {
        enum role role = d->full ? (enum role)lane_role(&c->at[x]) : ROLE_UNKNOWN;
        if (selected && x == cursor)
            role |= ROLE_AT_CURSOR;
        else if (d->full && role == ROLE_NONE)
            continue;
        term_put(y, l->plot_x + x, 1, role, d->full ? lane_glyph(c, x) : term_glyphs()->unknown);
    }
    v->unfinished |= !d->full;
    if (selected)
        term_cursor(y, l->plot_x + cursor);
}

static void draw_divider(struct view *v, struct timeline_view *tv, int y)
{
    const struct glyphs *g = term_glyphs();
    char text[160];

    snprintf(text, sizeof text, v->layout.w >= 60 ? " tasks in window %s of %s, by stall, wait behind it, run "
                                                  : " tasks %s of %s ", human_count(tv->tasks_alive).s,
             human_count(v->facts.tasks).s);
    int end = v->layout.plot_x + v->layout.plot_w;
    int used = term_put(y, 0, end, ROLE_LABEL_DIM, text);
    term_repeat(y, used, end - used, ROLE_AXIS, g->rule);
}

static void draw_lanes(struct view *v, struct timeline_view *tv)
{
    int y = v->layout.lanes_y, end = y + v->layout.lanes_h, pin = pinned(v, tv);

    for (int i = 0; i < pin && y < end; i++)
        draw_lane(v, tv, i, y++);
    if (v->facts.tasks > 0 && y < end)
        draw_divider(v, tv, y++);
    for (int i = pin + tv->top; i < rows(tv) && y < end; i++)
        draw_lane(v, tv, i, y++);
    if (rows(tv) == 0)
        term_put(y++, 1, v->layout.plot_w, ROLE_LABEL_DIM, "no loop in this trace");
    for (; y < end; y++)
        term_put(y, v->layout.label_w, 1, ROLE_AXIS, term_glyphs()->bar);
}

/* A duration as short as it can be said: "+20 ms", "+1.5 us". */
static void tick_text(char *ret, size_t size, tns_t t, tns_t step, bool first, tns_t per)
{
    static const struct {
        tns_t unit;
        const char *name;
    } units[] = { { 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" }, { 1, "ns" } };
    char whole[TEXT_MAX];

    if (first) { /* the time itself, without the zeros at its end */
        size_t n = strlen(text_time(whole, t, per)) - strlen(" s");
        while (n > 1 && (whole[n - 1] == '0' || whole[n - 1] == ' '))
            n--;
        n -= whole[n - 1] == '.';
        snprintf(ret, size, "%.*s s", (int)n, whole);
        return;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (step % units[i].unit == 0) {
            snprintf(ret, size, "+%" PRId64 " %s", t / units[i].unit, units[i].name);
            return;
        }
}

static void draw_axis(struct view *v)
{
    const struct layout *l = &v->layout;
    const struct glyphs *g = term_glyphs();
    const struct window *win = &v->win;
    char text[TEXT_MAX * 2];
    int y = l->axis_y, first_x = -1;

    snprintf(text, sizeof text, "%s%s", l->w >= 80 ? "1 col = " : "col ", human_duration(win->per).s);
    term_put(y, 1, l->label_w - 1, ROLE_LABEL_DIM, text);
    term_put(y, l->label_w, 1, ROLE_AXIS, g->bar);

    tns_t step = lanes_tick(win->per, win->per < 1000 ? 20 : 16), first = (win->from + step - 1) / step * step;
    for (tns_t t = first; t < window_end(win); t += step) {
        int x = (int)((t - win->from) / win->per);
        tick_text(text, sizeof text, first_x < 0 ? t : t - first, step, first_x < 0, win->per);
        if (first_x < 0)
            first_x = x;
        if (x + 1 + text_width(text) > l->plot_w)
            break;
        term_put(y, l->plot_x + x, 1, ROLE_AXIS, g->tick);
        term_put(y, l->plot_x + x + 1, l->plot_w - x - 1, ROLE_AXIS, text);
    }
    term_put(y, l->plot_x + window_column(win), 1, ROLE_MARK, g->cursor);
}

/* The whole trace in one row: the busiest loop of each column, and where the stalls are. */
static bool read_minimap(struct view *v, struct timeline_view *tv)
{
    struct columns *all = &tv->minimap, *one = malloc(sizeof *one);
    int w = v->layout.plot_w;
    tns_t per = (v->facts.duration + w - 1) / w;
    bool done = one;

    lanes_clear(all, 0, per, w);
    for (int i = 0; i < tv->n_loops && done; i++) {
        if (tv->loops[i].kind != LANE_LOOP)
            continue;
        lanes_clear(one, 0, per, w);
        done = fill(v, tv, &tv->loops[i], one, 0, w);
        for (int x = 0; x < one->w; x++) {
            all->at[x].run = one->at[x].run > all->at[x].run ? one->at[x].run : all->at[x].run;
            all->at[x].state = one->at[x].state > all->at[x].state ? one->at[x].state : all->at[x].state;
        }
    }
    free(one);
    return done;
}

static void draw_minimap(struct view *v, struct timeline_view *tv)
{
    const struct layout *l = &v->layout;
    const struct glyphs *g = term_glyphs();
    const struct columns *c = &tv->minimap;
    char text[TEXT_MAX * 2];
    int y = l->minimap_y;

    if (y < 0)
        return;
    if (!tv->minimap_done || c->w != l->plot_w)
        tv->minimap_done = read_minimap(v, tv);
    v->unfinished |= !tv->minimap_done;
    snprintf(text, sizeof text, "0 s%s%s", g->to, human_duration(v->facts.duration).s);
    term_put(y, 1, l->label_w - 1, ROLE_LABEL_DIM, "whole trace");
    term_put(y + 1, 1, l->label_w - 1, ROLE_LABEL_DIM, text);
    int from = (int)(v->win.from / c->per), to = (int)((window_end(&v->win) - 1) / c->per);
    to = to < c->w ? to : c->w - 1;
    for (int i = 0; i < 2; i++)
        term_put(y + i, l->label_w, 1, ROLE_AXIS, g->bar);
    for (int x = 0; x < c->w; x++) {
        if (c->at[x].run > 0)
            term_put(y, l->plot_x + x, 1, ROLE_RUN, g->run[lanes_eighths(c, x)]);
        if (c->at[x].state >= SPAN_GAP)
            term_put(y + 1, l->plot_x + x, 1, c->at[x].state == SPAN_STALL ? ROLE_STALL : ROLE_LOST,
                     c->at[x].state == SPAN_STALL ? g->stall_start : g->gap);
    }
    term_put(y + 1, l->plot_x + from, 1, ROLE_AXIS, "[");
    term_put(y + 1, l->plot_x + to, 1, ROLE_AXIS, "]");
    term_put(y + 1, l->plot_x + (int)(v->win.t / c->per), 1, ROLE_MARK, g->mark);
}

static void draw_detail(struct view *v)
{
    const struct layout *l = &v->layout;
    const struct glyphs *g = term_glyphs();
    char name[128], title[140];
    int x = l->detail_x, y = l->detail_y;

    if (l->detail_h == 0)
        return;
    view_lane_name(&v->lane, name, sizeof name);
    snprintf(title, sizeof title, " %s ", name);
    if (l->detail_right) {
        for (int i = 0; i < l->lanes_h; i++)
            term_put(y + i, x - 1, 1, ROLE_AXIS, g->bar);
        term_put(y, x, l->detail_w, ROLE_TITLE, title);
        detail_draw(v, x, y + 1, l->detail_w, l->detail_h - 1);
        return;
    }
    term_repeat(y - 1, 0, l->w, ROLE_AXIS, g->rule);
    term_put(y - 1, 2, l->w - 4, ROLE_TITLE, title);
    detail_draw(v, x, y, l->detail_w, l->detail_h);
}

static void draw(struct view *v)
{
    struct timeline_view *tv = view_private(v);

    tv->frame++;
    clock_gettime(CLOCK_MONOTONIC, &tv->frame_start);
    list_tasks(v, tv, false);
    draw_axis(v);
    draw_detail(v);
    draw_lanes(v, tv);
    draw_minimap(v, tv);
}

/* The lane that shows a stall best: its task, else its call or cause, else its loop. */
static void select_stall(struct view *v, struct timeline_view *tv, const struct stall *s)
{
    struct lane lane = { .kind = LANE_LOOP, .id = s->loop };

    if (v->facts.tasks > 0 && s->task) {
        lane.kind = LANE_TASK;
        lane.id = s->task;
    } else if (v->facts.tasks == 0) {
        lane.kind = *s->call_name ? LANE_CALL : LANE_CAUSE;
        snprintf(lane.name, sizeof lane.name, "%s", *s->call_name ? s->call_name : s->cause);
    }
    v->lane = lane;
    list_tasks(v, tv, true);
    select_lane(v, tv, &lane);
}

static void show_stall(struct view *v, struct timeline_view *tv, const struct stall *s, bool zoom)
{
    tns_t columns = s->dur / v->win.per;

    window_go(&v->win, s->t);
    if (zoom || columns < 3 || columns > v->win.w * 6 / 10)
        window_fit(&v->win, s->t, s->t + s->dur, TENTHS_OPEN);
    else if (s->t + s->dur > window_end(&v->win))
        v->win.from = s->t - v->win.w / 8 * v->win.per;
    window_go(&v->win, s->t);
    select_stall(v, tv, s);
}

static void go_stall(struct view *v, struct timeline_view *tv, bool next)
{
    struct stall s;

    if (!(next ? timeline_stall_after : timeline_stall_before)(v->tl, v->win.t, &s)) {
        snprintf(v->message, sizeof v->message, v->facts.stalls == 0 ? "no stall in this trace"
                                                : next               ? "no stall after this time"
                                                                     : "no stall before this time");
        return;
    }
    view_remember(v);
    show_stall(v, tv, &s, false);
}

static void fit_span(struct view *v, struct timeline_view *tv, int tenths, bool detail_when_there)
{
    tns_t from, to, before_from = v->win.from, before_per = v->win.per;

    if (!detail_span(v, &from, &to)) {
        snprintf(v->message, sizeof v->message, "nothing here to zoom to");
        return;
    }
    struct view before = *v;
    window_fit(&v->win, from, to, tenths);
    if (v->win.from == before_from && v->win.per == before_per) {
        if (detail_when_there)
            view_open(v, &detail_ops); /* there already: then all about it */
        return;
    }
    struct window there = v->win;
    v->win = before.win;
    view_remember(v);
    v->win = there;
    if (v->layout.detail_h == 0 && detail_when_there)
        view_open(v, &detail_ops);
    else
        list_tasks(v, tv, true);
}

static bool move_in_time(struct view *v, struct timeline_view *tv, enum request request)
{
    struct window *win = &v->win;
    bool jump = request == REQ_WHOLE || request == REQ_START || request == REQ_END;

    if (jump)
        view_remember(v);
    switch (request) {
    case REQ_LEFT: window_step(win, -1); break;
    case REQ_RIGHT: window_step(win, 1); break;
    case REQ_NUDGE_LEFT: window_step(win, -NUDGE); break;
    case REQ_NUDGE_RIGHT: window_step(win, NUDGE); break;
    case REQ_PAN_LEFT: window_pan(win, -win->w / 2); break;
    case REQ_PAN_RIGHT: window_pan(win, win->w / 2); break;
    case REQ_ZOOM_IN: window_zoom(win, true); break;
    case REQ_ZOOM_OUT: window_zoom(win, false); break;
    case REQ_WHOLE: window_all(win); break;
    case REQ_START: window_go(win, 0); break;
    case REQ_END: window_go(win, win->duration - 1); break;
    default: return false;
    }
    if (request == REQ_ZOOM_IN || request == REQ_ZOOM_OUT || request == REQ_WHOLE)
        list_tasks(v, tv, true);
    return true;
}

static bool request_timeline(struct view *v, enum request request)
{
    struct timeline_view *tv = view_private(v);
    int half = scroll_height(v, tv) / 2;

    if (request != REQ_RESIZE && v->layout.too_small)
        return request != REQ_QUIT && request != REQ_REDRAW; /* what nobody sees must not move */
    if (move_in_time(v, tv, request))
        return true;
    switch (request) {
    case REQ_UP: tv->selected--; break;
    case REQ_DOWN: tv->selected++; break;
    case REQ_HALF_UP: tv->selected -= half; break;
    case REQ_HALF_DOWN: tv->selected += half; break;
    case REQ_PAGE_UP: tv->selected -= half * 2; break;
    case REQ_PAGE_DOWN: tv->selected += half * 2; break;
    case REQ_FIRST: tv->selected = 0; break;
    case REQ_LAST: tv->selected = rows(tv) - 1; break;
    case REQ_FIT: fit_span(v, tv, TENTHS_FIT, false); return true;
    case REQ_OPEN: fit_span(v, tv, TENTHS_OPEN, true); return true;
    case REQ_NEXT_STALL: go_stall(v, tv, true); return true;
    case REQ_PREVIOUS_STALL: go_stall(v, tv, false); return true;
    case REQ_SORT: list_tasks(v, tv, true); return true;
    case REQ_PANE: view_open(v, &detail_ops); return true;
    case REQ_BACK:
        if (view_recall(v)) {
            struct lane lane = v->lane;
            list_tasks(v, tv, true);
            select_lane(v, tv, &lane);
        } else {
            snprintf(v->message, sizeof v->message, "this is where you began");
        }
        return true;
    case REQ_RESIZE:
        if (!v->layout.too_small)
            window_resize(&v->win, v->layout.plot_w);
        break;
    default: return false;
    }
    if (!v->layout.too_small)
        keep_visible(v, tv);
    return true;
}

static int open_timeline(struct view *v)
{
    struct timeline_view *tv = view_private(v);
    struct lane wanted = v->lane;
    struct stall first;

    tv->drawn = calloc(ROWS_CACHED, sizeof *tv->drawn);
    if (!tv->drawn)
        return -ENOMEM;
    timeline_loops(v->tl, &tv->loops, &tv->n_loops);
    v->win.w = v->layout.too_small ? LAYOUT_MIN_W : v->layout.plot_w;
    v->win.duration = v->facts.duration;
    tns_t t = v->win.t;
    window_all(&v->win);
    if (v->start_stall > 0 ? timeline_stall_nth(v->tl, v->start_stall, &first)
                           : t < 0 && timeline_stall_worst(v->tl, &first)) {
        show_stall(v, tv, &first, true);
        return 0;
    }
    if (t > 0) {
        tns_t around = v->facts.duration / 16;
        window_fit(&v->win, t - around, t + around, TENTHS_FIT);
        window_go(&v->win, t);
    }
    list_tasks(v, tv, true);
    select_lane(v, tv, &wanted);
    return 0;
}

static void close_timeline(struct view *v)
{
    struct timeline_view *tv = view_private(v);

    free(tv->loops);
    free(tv->tasks);
    free(tv->drawn);
}

const struct view_ops timeline_ops = {
    .name = "Timeline",
    .short_name = "Time",
    .bit = ON_TIMELINE,
    .private_size = sizeof(struct timeline_view),
    .open = open_timeline,
    .close = close_timeline,
    .draw = draw,
    .request = request_timeline,
};

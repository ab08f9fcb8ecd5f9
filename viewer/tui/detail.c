/* detail.c - what there is to say about the selected lane at the cursor: first the stall, with its cause, its stack and
 * who had to wait; else what the task or loop did just then.  Asks the trace anew when the cursor has moved. */
#include "detail.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 160, LINE = 512, FRAMES_MAX = 96, VICTIMS_MAX = 40, HEAD = 7, BRIEF_MAX = 6, NOISE_OURS = 4, NOISE_RUNTIME = 2 };

struct line {
    enum role role;      /* of the head, the text is plain */
    char head[HEAD + 1], text[LINE];
};

struct text {
    const struct glyphs *g;
    int n;
    struct line at[LINES_MAX];
};

static void say(struct text *out, enum role role, const char *head, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void say(struct text *out, enum role role, const char *head, const char *format, ...)
{
    va_list list;

    if (out->n == LINES_MAX)
        return;
    struct line *line = &out->at[out->n++];
    line->role = role;
    snprintf(line->head, sizeof line->head, "%s", head);
    va_start(list, format);
    vsnprintf(line->text, sizeof line->text, format, list);
    va_end(list);
}

static void frame_text(const struct frame *f, char *ret, size_t size)
{
    const char *slash = strrchr(f->file, '/');
    const char *file = slash ? slash + 1 : f->file;

    if (*file && f->line > 0)
        snprintf(ret, size, "%s %s:%" PRId64, f->function, file, f->line);
    else
        snprintf(ret, size, "%s", f->function);
}

/* Innermost first.  `brief` folds what belongs to libc and the loop once the program's own code has begun. */
static void say_stack(struct text *out, struct timeline *tl, int64_t stack, bool brief)
{
    struct frame *frames = calloc(FRAMES_MAX, sizeof *frames);
    char joined[LINE] = "", one[256];
    bool own = false;
    int n = frames ? timeline_stack(tl, stack, frames, FRAMES_MAX) : 0;

    for (int i = 0; i < n; i++) {
        own |= frames[i].noise == 0;
        if (frames[i].noise >= NOISE_OURS || (brief && own && frames[i].noise >= NOISE_RUNTIME))
            continue;
        frame_text(&frames[i], one, sizeof one);
        if (!brief) {
            say(out, frames[i].noise ? ROLE_LABEL_DIM : ROLE_VALUE, out->n && *joined ? "" : "in", "%s", one);
            joined[0] = ' '; /* said the head */
            joined[1] = 0;
        } else {
            size_t used = strlen(joined);
            snprintf(joined + used, sizeof joined - used, "%s%s", used ? out->g->called_by : "", one);
        }
    }
    if (brief && *joined)
        say(out, ROLE_LABEL_DIM, "in", "%s", joined);
    else if (n == 0)
        say(out, ROLE_LABEL_DIM, "in", "no stack was taken");
    free(frames);
}

static void say_cost(struct text *out, struct timeline *tl, const struct stall *s, bool brief)
{
    struct victim victims[VICTIMS_MAX];
    int n = timeline_victims(tl, s, victims, brief ? 1 : VICTIMS_MAX);

    struct human sum = human_duration(s->victim_sum);
    struct human max = human_duration(n > 0 ? victims[0].delayed : s->victim_max);

    if (s->victims == 0)
        say(out, ROLE_LABEL_DIM, "cost", "nobody was seen waiting");
    else if (n > 0)
        say(out, ROLE_LABEL_DIM, "cost", "held up %" PRId64 ", %s in all; worst #%" PRId64 " %s %s", s->victims, sum.s,
            victims[0].task, victims[0].name, max.s);
    else
        say(out, ROLE_LABEL_DIM, "cost", "held up %" PRId64 ", %s in all, worst %s", s->victims, sum.s, max.s);
    for (int i = 0; !brief && i < n; i++)
        say(out, ROLE_LABEL_DIM, "", "#%-5" PRId64 " %-24s %10s", victims[i].task, victims[i].name,
            human_duration(victims[i].delayed).s);
}

/* "on CPU 0.2 ms, asleep 61.5 ms" */
static void evidence(const struct stall *s, char *ret, size_t size)
{
    const struct {
        const char *what;
        tns_t d;
    } parts[] = { { "on CPU", s->cpu }, { "waiting for a CPU", s->runq }, { "asleep", s->blocked } };

    *ret = 0;
    for (int i = 0; i < 3; i++)
        if (parts[i].d > 0)
            snprintf(ret + strlen(ret), size - strlen(ret), "%s%s %s", *ret ? ", " : "", parts[i].what,
                     human_duration(parts[i].d).s);
}

static void say_stall(struct text *out, struct view *v, const struct stall *s, bool brief)
{
    char from[TEXT_MAX], to[TEXT_MAX], proof[160], task[96] = "";

    if (s->task)
        snprintf(task, sizeof task, ", #%" PRId64 " %s", s->task, s->task_name);
    say(out, ROLE_STALL, "STALL", "%s on loop %" PRId64 "%s%s%s%s%s", human_duration(s->dur).s, s->loop,
        v->lane.kind == LANE_TASK ? "" : task, *s->cause ? "   " : "", s->cause, *s->detail ? "  " : "", s->detail);
    say_stack(out, v->tl, s->stack, brief);
    say_cost(out, v->tl, s, brief);
    evidence(s, proof, sizeof proof);
    text_time(from, s->t, v->win.per);
    text_time(to, s->t + s->dur, v->win.per);
    struct human limit = human_duration(v->facts.threshold);
    const char *lost = s->in_gap ? "   events were lost here" : "";
    if (brief) {
        say(out, ROLE_LABEL_DIM, "time", "%s%s%s   %s%slimit %s%s", from, out->g->to, to, proof, *proof ? "   " : "",
            limit.s, lost);
    } else {
        say(out, ROLE_LABEL_DIM, "time", "%s%s%s   limit %s%s", from, out->g->to, to, limit.s, lost);
        say(out, ROLE_LABEL_DIM, "spent", "%s", *proof ? proof : "not measured");
    }
    if (*s->allowed)
        say(out, ROLE_LABEL_DIM, "allowed", "%s", s->allowed);
    else if (s->suppressed)
        say(out, ROLE_LABEL_DIM, "", "%" PRId64 " more like this had no stack of their own", s->suppressed);
}

static const char *state_name(enum span_state state)
{
    switch (state) {
    case SPAN_TIMER:
    case SPAN_IO:
    case SPAN_LOCK: return "waits";
    case SPAN_READY: return "ready";
    case SPAN_RUN: return "runs";
    default: return "";
    }
}

/* Why a ready task does not run: what its loop is busy with. */
static void say_held_up(struct text *out, struct view *v, int64_t loop)
{
    struct lane lane = { .kind = LANE_LOOP, .id = loop };
    struct stall s;
    char since[TEXT_MAX];

    if (timeline_stall_on(v->tl, &lane, v->win.t, v->win.t + 1, &s))
        say(out, ROLE_STALL, "behind", "%s%s%s  %s, since %s", s.task_name, *s.task_name ? ": " : "",
            *s.detail ? s.detail : s.cause, human_duration(s.dur).s, text_time(since, s.t, v->win.per));
}

static void say_moment(struct text *out, struct view *v, const struct moment *m, bool brief)
{
    char from[TEXT_MAX], to[TEXT_MAX];

    text_time(from, m->t, v->win.per);
    text_time(to, m->end, v->win.per);
    struct human length = human_duration(m->end - m->t);
    if (v->lane.kind == LANE_LOOP) {
        say(out, ROLE_LABEL_DIM, m->state == SPAN_RUN ? "busy" : "polls", "%s   %s%s%s", length.s, from, out->g->to, to);
        say(out, ROLE_LABEL_DIM, "turn", "slept %s, then busy %s", human_duration(m->wait).s, human_duration(m->run).s);
        if (m->ready >= 0)
            say(out, ROLE_LABEL_DIM, "events", "%" PRId64 " came with this turn", m->ready);
    } else if (v->lane.kind == LANE_CALL) {
        say(out, ROLE_RUN, "call", "%s(%s) %s   %s%s%s", m->what, m->detail, length.s, from, out->g->to, to);
        say_stack(out, v->tl, m->stack, brief);
    } else {
        enum role role = m->state == SPAN_READY ? ROLE_READY : m->state == SPAN_RUN ? ROLE_RUN : ROLE_LABEL_DIM;
        bool waits = *m->what && m->state != SPAN_READY && m->state != SPAN_RUN;
        say(out, role, state_name(m->state), "%s%s%s%s   %s%s%s   on loop %" PRId64, waits ? "for " : "",
            waits ? m->what : "", waits ? ", " : "", length.s, from, out->g->to, to, m->loop);
        if (m->state == SPAN_READY)
            say_held_up(out, v, m->loop);
        say(out, ROLE_LABEL_DIM, "step", "waited %s%s%s, ready %s, ran %s", human_duration(m->wait).s,
            *m->what ? " for " : "", m->what, human_duration(m->queue).s, human_duration(m->run).s);
        struct lane waker;
        if (m->waker > 0 && timeline_task(v->tl, m->waker, &waker))
            say(out, ROLE_LABEL_DIM, "woken", "by #%" PRId64 " %s", waker.id, waker.name);
        else if (m->waker == 0)
            say(out, ROLE_LABEL_DIM, "woken", "by the loop");
    }
}

static void say_life(struct text *out, struct view *v)
{
    char born[TEXT_MAX], ended[TEXT_MAX];

    if (v->lane.kind != LANE_TASK)
        return;
    bool has_born = v->lane.born != NS_NONE, has_ended = v->lane.ended != NS_NONE;
    say(out, ROLE_LABEL_DIM, "life", "%s%s%s", has_born ? text_time(born, v->lane.born, v->win.per) : "before the trace",
        out->g->to, has_ended ? text_time(ended, v->lane.ended, v->win.per) : "still alive at the end");
}

/* The part of time that the cursor's column covers. */
static void cursor_column(const struct view *v, tns_t *ret_from, tns_t *ret_to)
{
    *ret_from = v->win.from + window_column(&v->win) * v->win.per;
    *ret_to = *ret_from + v->win.per;
}

static void compose(struct view *v, bool brief, struct text *out)
{
    struct stall s;
    struct moment m;
    tns_t from, to;

    out->g = term_glyphs();
    out->n = 0;
    cursor_column(v, &from, &to);
    if (timeline_stall_on(v->tl, &v->lane, from, to, &s))
        say_stall(out, v, &s, brief);
    else if (timeline_moment(v->tl, &v->lane, v->lane.kind == LANE_CALL ? from : v->win.t, to, &m))
        say_moment(out, v, &m, brief);
    else
        say(out, ROLE_LABEL_DIM, "", "nothing here; [ and ] go from stall to stall");
    say_life(out, v);
}

bool detail_span(struct view *v, tns_t *ret_from, tns_t *ret_to)
{
    struct stall s;
    struct moment m;
    tns_t from, to;

    cursor_column(v, &from, &to);
    if (timeline_stall_on(v->tl, &v->lane, from, to, &s)) {
        *ret_from = s.t;
        *ret_to = s.t + s.dur;
        return true;
    }
    if (!timeline_moment(v->tl, &v->lane, v->lane.kind == LANE_CALL ? from : v->win.t, to, &m))
        return false;
    *ret_from = m.t;
    *ret_to = m.end;
    return true;
}

static void draw_lines(const struct text *text, int first, int x, int y, int w, int h)
{
    for (int i = 0; i < h && first + i < text->n; i++) {
        const struct line *line = &text->at[first + i];
        term_put(y + i, x + 1, HEAD, line->role, line->head);
        term_put(y + i, x + 1 + HEAD, w - HEAD - 1, ROLE_VALUE, line->text);
    }
}

void detail_draw(struct view *v, int x, int y, int w, int h)
{
    struct text *text = malloc(sizeof *text);

    if (!text)
        return;
    compose(v, h <= BRIEF_MAX, text);
    draw_lines(text, 0, x, y, w, h);
    free(text);
}

/* The same as a screen of its own, for small terminals and long stacks. */
struct detail {
    int top;
    struct text text;
};

static int detail_open(struct view *v)
{
    struct detail *d = view_private(v);
    compose(v, false, &d->text);
    return 0;
}

static int page(const struct view *v)
{
    return v->layout.hints_y - 2;
}

static void detail_screen(struct view *v)
{
    const struct detail *d = view_private(v);
    const struct glyphs *g = term_glyphs();
    char name[128];

    term_repeat(1, 0, v->layout.w, ROLE_AXIS, g->rule);
    view_lane_name(&v->lane, name, sizeof name);
    term_put(1, 2, 1, ROLE_AXIS, " ");
    int used = term_put(1, 3, v->layout.w - 6, ROLE_TITLE, name);
    term_put(1, 3 + used, 1, ROLE_AXIS, " ");
    draw_lines(&d->text, d->top, 0, 2, v->layout.w, page(v));
}

static bool detail_request(struct view *v, enum request request)
{
    struct detail *d = view_private(v);

    if (request == REQ_BACK || request == REQ_PANE) {
        view_close(v);
        return true;
    }
    return view_scroll(request, page(v), d->text.n, &d->top);
}

const struct view_ops detail_ops = {
    .bit = ON_DETAIL,
    .private_size = sizeof(struct detail),
    .open = detail_open,
    .draw = detail_screen,
    .request = detail_request,
};

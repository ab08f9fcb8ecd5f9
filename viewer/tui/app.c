/* app.c - opens the terminal and the timeline of a trace, and gives the terminal back. */
#include "app.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "view.h"

static const struct view_ops *screen_named(const char *name)
{
    for (int i = 0; view_screens[i]; i++)
        if (!name || strcasecmp(name, view_screens[i]->name) == 0)
            return view_screens[i];
    return NULL;
}

/* Where the options say to begin: a time, or -1 for the worst stall. */
static int find_start(struct view *v, const struct app_options *o, char *ret_error, size_t size)
{
    struct stall s;

    v->win.t = o->time;
    if (o->nth_stall > 0) {
        if (!timeline_stall_nth(v->tl, o->nth_stall, &s)) {
            snprintf(ret_error, size, "!%" PRId64 ": there are %" PRId64 " stalls in this trace", o->nth_stall,
                     v->facts.stalls);
            return -1;
        }
        v->start_stall = o->nth_stall;
    } else if (o->task > 0) {
        if (!timeline_task(v->tl, o->task, &v->lane)) {
            snprintf(ret_error, size, "#%" PRId64 ": no such task in this trace", o->task);
            return -1;
        }
        v->win.t = v->lane.born > 0 ? v->lane.born : 0;
    } else if (o->time >= v->facts.duration) {
        snprintf(ret_error, size, "that time is after the end; the trace lasts %s",
                 human_duration(v->facts.duration).s);
        return -1;
    }
    return 0;
}

static int show(struct view *v, const struct app_options *o, const struct view_ops *screen, char *ret_error, size_t size)
{
    struct term_options how = { .ascii = o->ascii, .color = o->color };
    int w, h;

    if (term_open(&how, ret_error, size) < 0)
        return -1;
    term_size(&w, &h);
    v->layout = layout_timeline(w, h);
    int r = view_open(v, screen);
    if (r == 0)
        view_run(v);
    else
        snprintf(ret_error, size, "%s", strerror(-r));
    while (v->depth > 0)
        view_close(v);
    term_close();
    return r == 0 ? 0 : -1;
}

int app_run(struct trace *trace, const struct app_options *o, char *ret_error, int error_size)
{
    size_t size = (size_t)error_size;
    const struct view_ops *screen = screen_named(o->screen);
    struct view *v = calloc(1, sizeof *v);
    int r = -1;

    if (!v) {
        snprintf(ret_error, size, "no memory");
        return -1;
    }
    const char *slash = strrchr(o->file, '/');
    v->file = slash ? slash + 1 : o->file;
    if (!screen) {
        snprintf(ret_error, size, "%s: no such screen; there is: timeline", o->screen);
    } else if (timeline_open(trace, &v->tl, ret_error, error_size) == 0) {
        timeline_facts(v->tl, &v->facts);
        if (find_start(v, o, ret_error, size) == 0)
            r = show(v, o, screen, ret_error, size);
    }
    timeline_close(v->tl);
    free(v);
    if (r == 0 && term_signal()) {
        sigset_t all;
        signal(term_signal(), SIG_DFL);
        raise(term_signal());
        sigfillset(&all);
        sigprocmask(SIG_UNBLOCK, &all, NULL); /* here it arrives */
    }
    return r;
}

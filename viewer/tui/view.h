/* view.h - the model that all screens share, and what a screen is.
 *
 * There is one cursor: a time, and a lane.  Changing screen never changes it.  A screen is a struct view_ops in a file
 * of its own; view.c keeps the stack of open ones, draws header, tabs and hints around them, and runs the loop. */
#ifndef LOOPSCOPE_TUI_VIEW_H
#define LOOPSCOPE_TUI_VIEW_H

#include <stdbool.h>

#include "keys.h"
#include "layout.h"
#include "term.h"
#include "text.h"
#include "window.h"

struct view;

struct view_ops {
    const char *name, *short_name;              /* of the tab; NULL: opened over another screen, has no tab */
    unsigned bit;                               /* enum screen_bit: whose keys it takes */
    size_t private_size;
    int (*open)(struct view *v);                /* view_private is zeroed; 0 or -errno */
    void (*close)(struct view *v);              /* may be NULL */
    void (*draw)(struct view *v);               /* the body; sets v->unfinished when there is more to draw */
    bool (*request)(struct view *v, enum request request); /* false: not for me */
};

/* A place to come back to. */
struct place {
    struct window win;
    struct lane lane;
};

enum { VIEW_STACK = 4, VIEW_PLACES = 50 };

struct view {
    struct timeline *tl;
    struct timeline_facts facts;
    const char *file;

    struct window win;        /* the cursor's time, and the time around it */
    struct lane lane;         /* the selected lane */
    int64_t start_stall;      /* the stall to begin with, in order of time; 0: at win.t, or the worst when that is < 0 */

    struct layout layout;
    bool unfinished;          /* the last frame was left for a key */
    bool quit;
    char message[160];        /* for the bottom line, until the next key */

    struct view_frame {
        const struct view_ops *ops;
        void *private;
    } stack[VIEW_STACK];
    int depth;
    struct place places[VIEW_PLACES]; /* a ring: the last `n_places` before `next_place` */
    int next_place, n_places;
};

extern const struct view_ops timeline_ops, detail_ops, help_ops;
extern const struct view_ops *const view_screens[]; /* in the order of tabs, NULL-terminated */

void *view_private(struct view *v);  /* of the screen on top */
unsigned view_below(const struct view *v); /* the bit of the screen under the one on top */

int view_open(struct view *v, const struct view_ops *ops);
void view_close(struct view *v);

void view_remember(struct view *v);          /* before a jump */
bool view_recall(struct view *v);            /* back to the last place remembered */

/* Moves the first row shown of `n`, `page` at a time on the screen.  False when the request is no scrolling. */
bool view_scroll(enum request request, int page, int n, int *top);

/* Runs until the user or a signal ends it. */
void view_run(struct view *v);
void view_draw(struct view *v);

/* "#412 checkout", "loop 0", "fsync". */
char *view_lane_name(const struct lane *lane, char *ret, size_t size);

#endif

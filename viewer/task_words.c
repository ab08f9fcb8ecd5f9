/* task_words.c - phrases about tasks.  Pure, but for the site that is looked up. */
#include "task_words.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "place.h"
#include "query_report.h"

void task_label(int64_t id, const char *name, char *ret_text, int size)
{
    snprintf(ret_text, (size_t)size, "%.80s%s#%" PRId64, name, *name ? " " : "", id);
}

/* "lock 'db'"; an object that nobody named is told apart by its number. */
static int object_words(const struct task_target *g, char *ret_text, size_t size)
{
    if (*g->name && strcmp(g->noun, "other") == 0)
        return snprintf(ret_text, size, "%.60s", g->name);
    if (*g->name && strcmp(g->name, g->noun) != 0)
        return snprintf(ret_text, size, "%s '%.60s'", g->noun, g->name);
    return snprintf(ret_text, size, "%s #%" PRId64, g->noun, g->id);
}

/* Which end of a queue or channel it is at. */
static const char *side(const char *why)
{
    const char *under = strrchr(why, '_');
    return under ? under + 1 : NULL;
}

void task_waits_for(struct task_list *list, const struct task_info *k, char *ret_text, int size)
{
    struct task_target g = tasks_target(list, k);
    char who[120];
    int n = 0;
    size_t room = (size_t)size;
    *ret_text = 0;
    if (k->state == TASK_DONE || k->state == TASK_RUNNING)
        return;
    switch (g.kind) {
    case TARGET_NONE: snprintf(ret_text, room, "%s", *k->why ? k->why : "not known"); return;
    case TARGET_FD: snprintf(ret_text, room, "fd %" PRId64, g.id); return;
    case TARGET_TASK:
        task_label(g.id, g.name, who, sizeof who);
        snprintf(ret_text, room, "task %s", who);
        return;
    case TARGET_OBJECT: break;
    }
    n = object_words(&g, ret_text, room);
    if (n < 0 || n >= size)
        return;
    if (side(k->why))
        snprintf(ret_text + n, room - (size_t)n, " (%s)", side(k->why));
    else if (g.holders > 0) {
        char more[40] = "";
        task_label(g.holder, g.holder_name, who, sizeof who);
        if (g.holders > 1)
            snprintf(more, sizeof more, " and %d more", g.holders - 1);
        snprintf(ret_text + n, room - (size_t)n, ", held by %s%s%s", who, more, g.holder_over ? ", which is over" : "");
    } else if (g.members > 0) {
        snprintf(ret_text + n, room - (size_t)n, ", %" PRId64 " of %" PRId64 " over", g.members_over, g.members);
    }
}

void task_outcome(const char *outcome, int64_t error, char *ret_text, int size)
{
    const char *name = error > 0 && error < 4096 ? strerrorname_np((int)error) : NULL;
    if (strcmp(outcome, "error") == 0 && name)
        snprintf(ret_text, (size_t)size, "%s", name);
    else if (strcmp(outcome, "error") == 0 && error != NOT_KNOWN)
        snprintf(ret_text, (size_t)size, "error %" PRId64, error);
    else
        snprintf(ret_text, (size_t)size, "%s", *outcome ? outcome : "?");
}

void task_site(struct trace *t, int64_t site, char *ret_text, int size)
{
    struct report_frame frame;
    char text[PLACE_PIECE] = "";
    if (report_site(t, site, &frame))
        place_frame(&frame, text, sizeof text);
    snprintf(ret_text, (size_t)size, "%s", text);
}

void task_pattern(const char *name, char *ret_text, int size)
{
    int n = 0;
    for (const char *p = name; *p && n + 1 < size;) {
        if (!isdigit((unsigned char)*p)) {
            ret_text[n++] = *p++;
            continue;
        }
        ret_text[n++] = '*';
        while (isdigit((unsigned char)*p))
            p++;
    }
    ret_text[n] = 0;
    human_clean(ret_text, ret_text, size);
}

/* group.c - the framing of records.  Pure; used by the drain thread and by the storing thread. */
#include "group.h"

/* Which attachments a kind takes; a kind that is 0 here is no head of a group. */
enum { HEAD = 1, MAY_TEXT = 2, MUST_TEXT = 4, CALL_PARTS = 8 };
static const unsigned char takes[EV_KINDS] = {
    [EV_GAP] = HEAD,
    [EV_LOOP] = HEAD | MAY_TEXT,
    [EV_POLL] = HEAD,
    [EV_CALL] = HEAD | MAY_TEXT | CALL_PARTS,
    [EV_TASK_NEW] = HEAD | MAY_TEXT,
    [EV_TASK_END] = HEAD,
    [EV_OBSERVED] = HEAD,
    [EV_SWITCH] = HEAD,
    [EV_WAKE] = HEAD,
    [EV_OBJECT_NEW] = HEAD | MAY_TEXT,
    [EV_OBJECT_END] = HEAD,
    [EV_MARK] = HEAD | MAY_TEXT,
    [EV_SITE] = HEAD | MAY_TEXT | MUST_TEXT,
    [EV_FINISH] = HEAD,
    [EV_HOLD] = HEAD,
    [EV_MEMBER] = HEAD,
    [EV_DETACHED] = HEAD,
    [EV_ALLOW] = HEAD | MAY_TEXT,
};

static uint32_t raw_of_stack(uint32_t bytes)
{
    return (uint32_t)(sizeof(struct ls_regs) / sizeof(struct ls_event)) + ev_raw_records(bytes);
}

long group_read(const struct ls_event *events, size_t n, struct group *ret_group)
{
    if (!n)
        return GROUP_CUT;
    unsigned kind = events->kind, may = kind < EV_KINDS ? takes[kind] : 0;
    struct group g = { .head = events };
    size_t used = 1;

    if (!may)
        return GROUP_BAD;
    if (may & CALL_PARTS) {
        if (used == n)
            return GROUP_CUT;
        if (events[used].kind != EV_MORE)
            return GROUP_BAD;
        g.more = &events[used++];
    }
    if ((may & MAY_TEXT) && used < n && events[used].kind == EV_TEXT) {
        const struct ls_event *e = &events[used];
        if (e->id > EV_TEXT_MAX || e->aux != ev_raw_records(e->id))
            return GROUP_BAD;
        if (n - used - 1 < e->aux)
            return GROUP_CUT;
        g.text = (const char *)(e + 1);
        g.text_size = e->id;
        used += 1 + (size_t)e->aux;
    }
    if ((may & MUST_TEXT) && !g.text)
        return used == n ? GROUP_CUT : GROUP_BAD;
    if ((may & CALL_PARTS) && used < n && events[used].kind == EV_STACK) {
        const struct ls_event *e = &events[used];
        if (e->id > EV_STACK_MAX || e->aux != raw_of_stack(e->id))
            return GROUP_BAD;
        if (n - used - 1 < e->aux)
            return GROUP_CUT;
        g.stack = e;
        used += 1 + (size_t)e->aux;
    }
    *ret_group = g;
    return (long)used;
}

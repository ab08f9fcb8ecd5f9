/* notebox.c - keeps finished notes.  Owns them and their stacks.  Used by the watchdog and the storing thread, under the
 * watchdog's mutex. */
#include "notebox.h"

#include <stdlib.h>
#include <string.h>

struct notebox_entry {
    struct watch_note note;
    ticks_t time;
    size_t bytes;
};

void watch_note_clear(struct watch_note *note)
{
    for (int i = 0; i < note->n_samples; i++)
        free(note->samples[i]);
    note->n_samples = 0;
}

static struct notebox_entry *take_out(struct notebox *b, int i)
{
    struct notebox_entry *e = b->entry[i];
    b->bytes -= e->bytes;
    memmove(b->entry + i, b->entry + i + 1, (size_t)(--b->n - i) * sizeof *b->entry);
    return e;
}

static void drop_oldest(struct notebox *b)
{
    struct notebox_entry *e = take_out(b, 0);
    watch_note_clear(&e->note);
    free(e);
}

void notebox_add(struct notebox *b, const struct watch_note *note, ticks_t now)
{
    struct notebox_entry *e = malloc(sizeof *e);
    if (!e) {
        struct watch_note lost = *note;
        watch_note_clear(&lost);
        return;
    }
    *e = (struct notebox_entry){ .note = *note, .time = now, .bytes = sizeof *e };
    for (int i = 0; i < note->n_samples; i++)
        e->bytes += sizeof(struct stack_copy) + note->samples[i]->size;
    while (b->n == NOTEBOX_NOTES || (b->n && b->bytes + e->bytes > NOTEBOX_BYTES))
        drop_oldest(b);
    b->entry[b->n++] = e;
    b->bytes += e->bytes;
}

bool notebox_is(const struct watch_note *note, uint32_t slot, uint32_t generation, ticks_t since)
{
    return note->slot == slot && note->generation == generation && note->since == since;
}

int notebox_take(struct notebox *b, uint32_t slot, uint32_t generation, ticks_t since, struct watch_note *ret_note)
{
    for (int i = 0; i < b->n; i++)
        if (notebox_is(&b->entry[i]->note, slot, generation, since)) {
            struct notebox_entry *e = take_out(b, i);
            *ret_note = e->note;
            free(e);
            return 1;
        }
    return 0;
}

void notebox_expire(struct notebox *b, ticks_t limit)
{
    while (b->n && b->entry[0]->time < limit)
        drop_oldest(b);
}
